"use strict";
/*
 * The panel of costs: a slider and a field for each cost of each model, by mechanism.
 *
 * A slider moves in per cent of what the cost was in the run, so that one step is one per cent of any cost, and the middle
 * is exactly the run. The field takes any value, with or without a unit.
 */
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

class Slider {
  #base;
  #top;
  #shown = null;
  static #STEPS = [1, 2, 5, 10, 20, 25, 50, 100];
  static #MOST_POSITIONS = 500;
  static #FROM_NOTHING = {n: 100n, d: 1n}; // what 100 % of a cost is that is zero and has no high

  constructor(cost, moved) {
    this.cost = cost;
    this.#base = this.#zero ? cost.high?.amount || Slider.#FROM_NOTHING : cost.asRun.amount;
    const top = Math.max(200, cost.high && !this.#zero ? Math.ceil(this.#position(cost.high) * 1.02) : 0);
    const step = Slider.#STEPS.find((each) => top / each <= Slider.#MOST_POSITIONS) || 100;
    this.#top = Math.ceil(top / step) * step;
    this.#build(step, moved);
  }

  get #zero() {
    return this.cost.asRun.amount.n === 0n;
  }

  /* Where a cost lies, in per cent of what it was in the run. */
  #position(cost) {
    const {mhz, asRun} = this.cost;
    const amount =
      cost.inCycles === asRun.inCycles
        ? cost.amount
        : Exact.times(cost.amount, cost.inCycles ? {n: 1000n, d: mhz} : {n: mhz, d: 1000n});
    return Exact.number(Exact.times(Exact.over(amount, this.#base), {n: 100n, d: 1n}));
  }

  /* The cost at a position, to three digits of what it was in the run, and not finer than a tick. */
  #at(position) {
    const {asRun} = this.cost;
    if (position === 100 && !this.#zero) return asRun;
    const finest = Exact.magnitude(this.#base) - 2;
    const places = Math.min(3, Math.max(0, -finest));
    const unit = {n: 10n ** BigInt(Math.max(0, finest)), d: 10n ** BigInt(places)};
    const exact = Exact.times(this.#base, {n: BigInt(position), d: 100n});
    return {amount: Exact.times({n: Exact.round(Exact.over(exact, unit)), d: 1n}, unit), inCycles: asRun.inCycles};
  }

  #build(step, moved) {
    const {cost} = this;
    const name = `${cost.action} of ${cost.of}`;
    this.range = make("input", {type: "range", min: 0, max: this.#top, step, ariaLabel: `${name}, slider`});
    this.range.addEventListener("input", () => moved(this.#at(Number(this.range.value))));
    this.field = make("input", {
      type: "text",
      inputMode: "decimal",
      autocomplete: "off",
      spellcheck: false,
      ariaLabel: `${name}, in ${Exact.unitOf(cost.asRun)}`,
    });
    this.field.addEventListener("change", () => this.#typed(moved));
    this.undo = make("button", {
      type: "button",
      className: "undo",
      textContent: "↺",
      title: "As in the run",
      ariaLabel: `${name}: as in the run`,
    });
    this.undo.addEventListener("click", () => moved(cost.asRun));
    this.track = make("div", {className: "track"}, this.range);
    const at = (value) => `${(100 * Math.min(this.#top, this.#position(value))) / this.#top}`;
    this.track.style.setProperty("--run", at(cost.asRun));
    if (cost.low || cost.high) {
      this.track.style.setProperty("--low", at(cost.low || cost.asRun));
      this.track.style.setProperty("--high", at(cost.high || cost.asRun));
      this.track.classList.add("bounded");
    }
    this.element = make(
      "div",
      {className: "cost"},
      make("span", {className: "name"}, ...cost.action.split(/(?<=_)/).flatMap((part) => [part, make("wbr")])),
      make(
        "span",
        {className: "value"},
        this.undo,
        this.field,
        make("span", {className: "unit", textContent: Exact.unitOf(cost.asRun)}),
      ),
      this.track,
      this.#about(),
    );
    this.element.dataset.model = cost.parts ? CostPanel.SHARED : cost.model;
    this.element.dataset.action = cost.action;
  }

  #about() {
    const {cost} = this;
    const between = cost.low || cost.high ? `, ${this.#bound(cost.low)} to ${this.#bound(cost.high)}` : "";
    const most = Exact.share(cost.share.share, {n: 1n, d: 1n});
    const used = cost.share.workload
      ? `, ${most.startsWith("<") ? most.replace("<", "below ") : `up to ${most}`} of busy time`
      : "";
    const many = cost.parts ? `in ${cost.parts.length} models, ` : "";
    const summary = make(
      "summary",
      {},
      many,
      make("span", {className: `status ${cost.status}`, textContent: cost.status}),
      `${between}${used}`,
    );
    const where = used && `Its largest share of busy time, as run, is in ${cost.share.workload}.`;
    return make(
      "details",
      {className: "about"},
      summary,
      cost.parts ? make("p", {textContent: `Of ${cost.of}, each of which has a slider of its own, too.`}) : "",
      make("p", {textContent: `Source: ${cost.source}.`.replace(/\.\.$/, ".")}),
      where ? make("p", {textContent: where}) : "",
    );
  }

  #bound(value) {
    return Exact.amount((value || this.cost.asRun).amount);
  }

  #typed(moved) {
    const value = Exact.parseCost(this.field.value, Exact.unitOf(this.cost.asRun));
    this.field.setAttribute("aria-invalid", String(!value));
    this.field.setCustomValidity(
      value
        ? ""
        : `expected a cost of 0 or more, such as ${Exact.costText(this.cost.asRun)}; of cycles up to three decimals`,
    );
    if (!value) {
      this.field.reportValidity(); // and what was typed stays, to be mended
      return;
    }
    this.forget(); // what was typed is written as costs are written
    moved(value);
  }

  /* Write the cost anew when it is shown next, whatever stands in the field. */
  forget() {
    this.#shown = null;
  }

  /*
   * Show a cost, or that it was set apart in the models that share it (null); the slider stays at its end for one beyond
   * it. There may be hundreds: those as before are left alone.
   */
  show(value, isSet) {
    if (value === this.#shown) return;
    this.#shown = value;
    this.element.classList.toggle("set", isSet);
    this.undo.hidden = !isSet;
    this.field.placeholder = value ? "" : "several";
    this.field.removeAttribute("aria-invalid");
    this.field.setCustomValidity("");
    if (!value) {
      this.field.value = "";
      this.range.setAttribute("aria-valuetext", "several values, one for each model");
      return;
    }
    const position = this.#position(value);
    if (Number(this.range.value) !== position) this.range.value = String(Math.round(position));
    this.range.setAttribute(
      "aria-valuetext",
      `${Exact.costText(value)}${isSet ? `, ${Math.round(position)} per cent of the run` : ", as in the run"}`,
    );
    this.field.value =
      value.inCycles === this.cost.asRun.inCycles ? Exact.text(value.amount) : Exact.costText(value);
  }
}

class CostPanel {
  #sliders = [];
  static SHARED = "shared by models";

  /* ``moved(cost, value)`` is called when a cost is set, ``chosen(cost)`` when its slider or field is gone to. */
  constructor(world, root, moved, chosen) {
    const other = [...world.models.keys()].find((name) => name !== world.baseline);
    const section = (name, costs, isOpen) => root.append(this.#section(name, costs, isOpen, moved, chosen));
    if (world.shared.length) section(CostPanel.SHARED, world.shared, true);
    for (const model of world.models.values()) section(model.name, [...model.costs.values()], model.name === other);
  }

  /* Computation has most of the time nearly always, and its cost is a definition: it stands last. */
  static #isComputation = (cost) => Number(cost.action === "compute");

  /* Events that cost nothing of their own, each with its reason: their zero is no cost to move. */
  static #isNothing = (cost) => cost.mechanism === "no_cost";

  /* The dearest cost comes first, and the mechanism that it belongs to. */
  #section(name, costs, isOpen, moved, chosen) {
    const isUsed = (cost) => cost.share.workload !== "" && !CostPanel.#isNothing(cost);
    const groups = new Map();
    const byShare = (a, b) =>
      CostPanel.#isComputation(a) - CostPanel.#isComputation(b) || Exact.compare(b.share.share, a.share.share);
    const used = costs.filter(isUsed).sort(byShare);
    for (const cost of used) groups.set(cost.mechanism, [...(groups.get(cost.mechanism) || []), cost]);
    const rows = (some) =>
      some.map((cost) => {
        const slider = new Slider(cost, (value) => moved(cost, value));
        slider.element.addEventListener("focusin", (event) => event.target === slider.undo || chosen(cost));
        this.#sliders.push(slider);
        return slider.element;
      });
    const section = make(
      "details",
      {className: "model", open: isOpen},
      make("summary", {}, make("span", {className: "label", textContent: name}), make("span", {className: "moved"})),
      ...[...groups].map(([mechanism, some]) =>
        make("fieldset", {}, make("legend", {textContent: mechanism}), ...rows(some)),
      ),
    );
    const unused = costs.filter((cost) => !isUsed(cost) && !CostPanel.#isNothing(cost));
    if (unused.length) {
      section.append(
        make(
          "details",
          {className: "unused"},
          make("summary", {textContent: `${unused.length} costs that change nothing here`}),
          ...rows(unused),
        ),
      );
    }
    return section;
  }

  show(settings) {
    for (const slider of this.#sliders) {
      const {cost} = slider;
      if (cost.parts) slider.show(settings.alike(cost), cost.parts.some(settings.isSet));
      else slider.show(settings.get(cost), settings.isSet(cost));
    }
    for (const section of document.querySelectorAll("details.model")) {
      const moved = section.querySelectorAll(".cost.set").length;
      section.querySelector(".moved").textContent = moved ? `${moved} set` : "";
    }
  }

  /* Leave only costs whose action, mechanism or model has the text in it; open what holds them. */
  filter(text) {
    const wanted = text.trim().toLowerCase();
    for (const {cost, element} of this.#sliders) {
      element.hidden = ![cost.action, cost.mechanism, cost.of].some((name) => name.toLowerCase().includes(wanted));
    }
    for (const group of document.querySelectorAll("details.model, details.unused, .model fieldset")) {
      group.hidden = !group.querySelector(".cost:not([hidden])");
      if (wanted && group.tagName === "DETAILS") group.open = !group.hidden;
    }
  }

  /* Take back what was typed and is no cost. */
  forget() {
    for (const slider of this.#sliders) slider.forget();
  }
}
