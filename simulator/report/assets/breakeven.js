"use strict";
/* Where two models cost the same in one workload: in words, solved exactly, and as lines of one cost. */
/* The times of two models as lines of one cost, with the places where they meet. */
class BreakEvenPlot extends Figure {
  constructor(element, legend) {
    const range = () => new Bokeh.Range1d({start: 0, end: 1});
    super(element, {height: 250, x_range: range(), y_range: range()});
    this.legend = legend;
    this.lines = [0, 1].map(() => Figure.source(["x", "y"]));
    this.crossings = Figure.source(["x", "y"]);
    this.now = Figure.source(["x", "y"]);
    this.ink(this.figure.line({x: {field: "x"}, y: {field: "y"}, line_width: 2.5, source: this.lines[0]}), {
      line_color: "first",
    });
    this.ink(
      this.figure.line({x: {field: "x"}, y: {field: "y"}, line_width: 2.5, line_dash: [7, 4], source: this.lines[1]}),
      {line_color: "second"},
    );
    this.ink(
      this.figure.line({x: {field: "x"}, y: {field: "y"}, line_width: 1.5, line_dash: [2, 3], source: this.now}),
      {line_color: "soft"},
    );
    this.ink(
      this.figure.scatter({
        x: {field: "x"},
        y: {field: "y"},
        marker: "circle",
        size: 11,
        line_width: 2,
        source: this.crossings,
      }),
      {line_color: "ink", fill_color: "paper"},
    );
  }

  /* ``curves`` are the lines of both models, over costs in ticks from 0 to ``end``; ``scale`` makes ticks the cost's unit. */
  show({names, curves, end, scale, at, met, unit, quantity, cost}) {
    const corners = Array.from({length: 49}, (_, i) => Exact.times(end, {n: BigInt(i), d: 48n}));
    const all = [...corners, ...met].sort(Exact.compare);
    const time = Figure.timeScale(curves.map((lines) => Pricing.highest(lines, end)));
    const y = (lines, x) => time.at(Pricing.highest(lines, x));
    const x = (place) => Exact.number(place) * scale;
    curves.forEach((lines, i) =>
      Figure.fill(
        this.lines[i],
        all.map((place) => ({x: x(place), y: y(lines, place)})),
      ),
    );
    Figure.fill(
      this.crossings,
      met.map((place) => ({x: x(place), y: y(curves[0], place)})),
    );
    const ends = curves.flatMap((lines) => [corners[0], end].map((place) => y(lines, place)));
    const [least, most] = [Math.min(...ends), Math.max(...ends)];
    const room = (most - least) / 5 || most / 5 || 1;
    const [bottom, top] = [Math.max(0, least - room), most + room];
    Figure.fill(
      this.now,
      [bottom, top].map((height) => ({x: x(at), y: height})),
    );
    Object.assign(this.figure.y_range, {start: bottom, end: top});
    Object.assign(this.figure.x_range, {start: 0, end: x(end) || 1});
    this.figure.xaxes[0].axis_label = `${cost.action} of ${cost.parts ? `${cost.parts.length} models` : label(cost.model)} (${unit})`;
    this.figure.yaxes[0].axis_label = `${quantity} time (${time.name})`;
    this.legend.replaceChildren(
      make("li", {}, make("span", {className: "line first"}), names[0]),
      make("li", {}, make("span", {className: "line second"}), names[1]),
      make("li", {}, make("span", {className: "line now"}), "the cost as it is set"),
      ...(met.length ? [make("li", {}, make("span", {className: "circle"}), "break-even")] : []),
    );
  }
}

/* The part of the page on break-even: what is chosen in it, what is found, and the button that sets a cost there. */
class BreakEven {
  #world;
  #settings;
  #move;

  constructor(world, settings, move) {
    [this.#world, this.#settings, this.#move] = [world, settings, move];
    this.plot = new BreakEvenPlot(
      document.getElementById("breakeven-plot"),
      document.getElementById("breakeven-legend"),
    );
    [this.cost, this.rival, this.button, this.text] = [
      "breakeven-cost",
      "rival",
      "set-breakeven",
      "breakeven-text",
    ].map((id) => document.getElementById(id));
  }

  /* ``mine`` are the runs of one workload; ``chosen`` is the cost that was gone to last, if any was. */
  show(mine, chosen) {
    const cost = chosen || this.#weightiest(mine);
    this.cost.value = cost.path;
    const one = mine.find((each) => each.run.model.name === cost.model);
    const other = this.#against(mine.filter((each) => each !== one));
    const ofBusy = Boolean(one.run.why_replay || other.run.why_replay);
    const curves = [one, other].map((each) => Pricing.linesOf(each, cost, ofBusy));
    const names = [one, other].map((each) => each.run.model.name);
    const found = Pricing.crossings(...curves);
    this.#draw({cost, curves, names, found, quantity: ofBusy ? "busy" : "total"});
    this.#say({cost, curves, names, found, ofBusy});
  }

  /* The cost that has most of the busy time under a model that is no baseline: what one would move first. */
  #weightiest(mine) {
    const others = mine.filter((one) => one.run.model.name !== this.#world.baseline);
    const runs = others.length ? others : mine;
    const [any] = runs[0].run.model.costs.values();
    const costs = runs.flatMap(({run}) =>
      run.shares.map(({action, n}) => {
        const cost = run.model.costs.get(action);
        return {cost, share: Exact.fraction(n * cost.ticks, run.asRun.busy || 1n), computes: action === "compute"};
      }),
    );
    const nothing = {cost: any, share: {n: -1n, d: 1n}, computes: true};
    const dearer = (a, b) => (a.computes !== b.computes ? b.computes : Exact.compare(a.share, b.share) >= 0);
    return costs.reduce((a, b) => (dearer(a, b) ? a : b), nothing).cost;
  }

  /* The other model: the one that is chosen, else the first that is no baseline. */
  #against(others) {
    const names = others.map((one) => one.run.model.name);
    if (this.rival.dataset.of !== JSON.stringify(names)) {
      const before = this.rival.value;
      this.rival.dataset.of = JSON.stringify(names);
      this.rival.replaceChildren(...names.map((name) => make("option", {value: name, textContent: name})));
      this.rival.value = names.includes(before)
        ? before
        : names.find((name) => name !== this.#world.baseline) || names[0];
    }
    return others.find((one) => one.run.model.name === this.rival.value);
  }

  /* Ticks in a unit of a cost. */
  static #perUnit = (cost) => (cost.asRun.inCycles ? Exact.TICKS_PER_CYCLE : cost.mhz);
  static #inUnit = (ticks, cost) => Exact.over(ticks, Exact.fraction(BreakEven.#perUnit(cost)));

  #draw({cost, curves, names, found, quantity}) {
    const at = Exact.ticks(this.#settings.get(cost), cost.mhz);
    const most = [2n * cost.ticks, cost.highTicks, at, 1000n].reduce((a, b) => (a > b ? a : b));
    const end = Exact.fraction((most * 21n) / 20n);
    const met = found.map((each) => each.at).filter((x) => Exact.compare(x, end) <= 0);
    const scale = 1 / Number(BreakEven.#perUnit(cost));
    this.plot.show({
      names,
      curves,
      end,
      scale,
      at: Exact.fraction(at),
      cost,
      unit: Exact.unitOf(cost.asRun),
      met,
      quantity,
    });
  }

  #say({cost, curves, names, found, ofBusy}) {
    const unit = Exact.unitOf(cost.asRun);
    const same = `${names.join(" and ")} have the same ${ofBusy ? "busy" : "total"} time`;
    const note = ofBusy
      ? " Something waits, so this is about busy time; for totals, vmmsim breakeven brackets it with replays."
      : "";
    const places = BreakEven.#places(found, cost, unit);
    write(
      this.text,
      places.length
        ? `${same} ${places.join(", and ")}, all other costs as they are set.${note}`
        : `None: ${same} at no value of it.${BreakEven.#proof(curves, cost, unit)}${note}`,
    );
    this.plot.describe(this.text.textContent);
    const settable = found.find((each) => !each.flat);
    this.button.hidden = !settable;
    if (!settable) return;
    const thousandths = Exact.round(Exact.times(BreakEven.#inUnit(settable.at, cost), {n: 1000n, d: 1n}));
    this.button.onclick = () =>
      this.#move(cost, {amount: Exact.fraction(thousandths, 1000n), inCycles: cost.asRun.inCycles});
  }

  /* Places in words; where two times stay equal, from where to where. */
  static #places(found, cost, unit) {
    const written = (each) => `${Exact.amount(BreakEven.#inUnit(each.at, cost))} ${unit}`;
    return found.flatMap((each, i) => {
      if (found[i - 1]?.flat) return []; // the end of a stretch, or the middle of one
      if (!each.flat) return [`at ${written(each)}`];
      const last = found.slice(i).find((other) => !other.flat);
      return [last ? `from ${written(each)} to ${written(last)}` : `from ${written(each)} on`];
    });
  }

  /* Where two single lines meet instead, which is below zero: the proof that there is no such value. */
  static #proof([[a, ...more], [b, ...others]], cost, unit) {
    if (more.length || others.length) return "";
    if (a.slope.n === 0n && b.slope.n === 0n) return " This workload does not take that action.";
    if (Exact.compare(a.slope, b.slope) === 0) return " It adds the same to both.";
    const x = Exact.over(Exact.minus(b.start, a.start), Exact.minus(a.slope, b.slope));
    return ` Their lines meet at ${Exact.amount(BreakEven.#inUnit(x, cost))} ${unit}, below zero.`;
  }
}
