"use strict";
/*
 * Where the time of a workload goes under each model, and how slow that is. Colours and hatches are those of the plots
 * beside the report.
 */
/* Busy time of each model in a workload, by event or by mechanism. */
class TimePlot extends ModelBars {
  static #MOST = 9;
  static #OTHER = "other";

  constructor(element, legend, styles) {
    super(element, {});
    this.legend = legend;
    this.styles = styles;
    this.parts = Array.from({length: TimePlot.#MOST + 2}, () => this.bars());
    this.ends = Figure.source(["model", "x", "text"]);
    this.marks = Figure.source(["model", "x"]);
    this.labels(this.ends, "x", 6);
    this.ticks(this.marks);
    this.hover(
      this.parts.map((part) => part.renderer),
      [
        ["", "@name"],
        ["time", "@time"],
        ["share", "@share"],
      ],
    );
  }

  show(priced, by) {
    const parts = priced.map((one) => TimePlot.#parts(one, by));
    const whole = new Map();
    parts.forEach((sums, i) =>
      sums.forEach((ticks, name) => {
        const seconds = Exact.number(Pricing.inSeconds(ticks, priced[i].run.model.mhz));
        whole.set(name, Math.max(whole.get(name) || 0, seconds));
      }),
    );
    const named = [...whole]
      .filter(([, most]) => most > 0)
      .sort((a, b) => b[1] - a[1])
      .map(([name]) => name);
    const kept = TimePlot.#inOrder(named.length > TimePlot.#MOST + 1 ? named.slice(0, TimePlot.#MOST) : named);
    const time = Figure.timeScale(priced.map((one) => one.seconds.busy));
    this.rows(priced);
    this.figure.xaxes[0].axis_label = `busy time, all virtual CPUs (${time.name})`;
    const bars = priced.flatMap((one, i) => this.#bars(one, parts[i], kept, time));
    const drawn = [...kept, TimePlot.#OTHER];
    this.parts.forEach((part, i) =>
      ModelBars.fillBars(
        part,
        bars.filter((bar) => bar.name === drawn[i]),
        this.#style(drawn[i], by),
      ),
    );
    const busy = (one) => time.at(one.seconds.busy);
    const asRun = (one) => time.at(Pricing.inSeconds(one.run.asRun.busy, one.run.model.mhz));
    const ends = priced.map((one) => ({
      model: rowName(one.run.model.name),
      x: Math.max(busy(one), asRun(one)),
      text: `${one.isAbout ? "≈ " : ""}${Exact.seconds(one.seconds.busy)}`,
    }));
    Figure.fill(this.ends, ends);
    const moved = priced.filter((one) => one.moved);
    Figure.fill(
      this.marks,
      moved.map((one) => ({model: rowName(one.run.model.name), x: asRun(one)})),
    );
    this.endBeyond(ends, 6, 1.05 * Math.max(...this.marks.data.x));
    this.#explain(kept, named.length > kept.length, by, moved.length > 0);
    this.describe(
      `Busy time by ${by}: ${priced.map((one) => `${one.run.model.name} ${Exact.seconds(one.seconds.busy)}`).join(", ")}`,
    );
  }

  /* What the guest computes stands first, then the dearest. */
  static #inOrder(names) {
    const first = ["user_compute", "kernel_compute", "direct_execution"].filter((name) => names.includes(name));
    return [...first, ...names.filter((name) => !first.includes(name))];
  }

  static #parts(one, by) {
    const sums = new Map();
    for (const {event, action, n} of one.run.shares) {
      const name = by === "event" ? event : one.run.model.costs.get(action).mechanism;
      sums.set(name, (sums.get(name) || 0n) + n * one.at.get(action));
    }
    return sums;
  }

  #bars(one, sums, kept, time) {
    const rest = [...sums].filter(([name]) => !kept.includes(name)).reduce((all, [, ticks]) => all + ticks, 0n);
    const cells = [...kept.map((name) => [name, sums.get(name) || 0n]), [TimePlot.#OTHER, rest]].filter(
      ([, ticks]) => ticks > 0n,
    );
    let before = 0n;
    return cells.map(([name, ticks]) => {
      const [left, right] = [before, before + ticks].map(
        (sum) => time.at(Pricing.inSeconds(sum, one.run.model.mhz)),
      );
      before += ticks;
      return {
        model: rowName(one.run.model.name),
        left,
        right,
        name,
        time: Exact.seconds(Pricing.inSeconds(ticks, one.run.model.mhz)),
        share: Exact.share(Exact.fraction(ticks), Exact.fraction(one.ticks.busy)),
      };
    });
  }

  #style(name, by) {
    return this.styles[by][name] || this.styles.other;
  }

  #explain(kept, hasOther, by, hasMarks) {
    const names = [...kept, ...(hasOther ? [TimePlot.#OTHER] : [])];
    const entries = names.map((name) => make("li", {}, swatch(...this.#style(name, by)), name));
    if (hasMarks) entries.push(make("li", {}, make("span", {className: "mark"}), "as run"));
    this.legend.replaceChildren(...entries);
  }
}

/* Time relative to the baseline: the total, or the busy time with the total of the run beside it, where something waits. */
class SlowdownPlot extends ModelBars {
  constructor(element, legend, world) {
    super(element, {});
    this.legend = legend;
    this.world = world;
    this.ofModels = new Map([...world.models.keys()].map((name) => [name, this.bars()]));
    this.ends = Figure.source(["model", "x", "text"]);
    this.marks = Figure.source(["model", "x"]);
    this.totals = Figure.source(["model", "x"]);
    this.labels(this.ends, "x", 12);
    this.ticks(this.marks);
    this.ink(
      this.figure.scatter({
        x: {field: "x"},
        y: {field: "model"},
        marker: "diamond",
        size: 13,
        line_width: 1.6,
        source: this.totals,
      }),
      {line_color: "ink", fill_color: "paper"},
    );
  }

  show(priced) {
    const waits = priced.some((one) => one.run.why_replay);
    const value = (one) => (waits ? one.busyRelative : one.relative);
    const known = priced.filter((one) => value(one));
    const base = priced.find((one) => one.run.model.name === this.world.baseline);
    const asRun = (one, name) =>
      Exact.number(
        Exact.over(
          Pricing.inSeconds(one.run.asRun[name], one.run.model.mhz),
          Pricing.inSeconds(base.run.asRun[name], base.run.model.mhz),
        ),
      );
    this.rows(priced);
    this.figure.xaxes[0].axis_label = `${waits ? "busy" : "total"} time, times that of ${label(this.world.baseline)}`;
    for (const [name, bars] of this.ofModels) {
      const mine = known.filter((one) => one.run.model.name === name);
      ModelBars.fillBars(
        bars,
        mine.map((one) => ({model: rowName(name), left: 0, right: Exact.number(value(one))})),
        this.world.models.get(name).style,
      );
    }
    const moved = base.run.asRun.busy ? known.filter((one) => one.ratioMoved) : [];
    const before = new Map(moved.map((one) => [one, asRun(one, waits ? "busy" : "total")]));
    const ends = known.map((one) => ({
      model: rowName(one.run.model.name),
      x: Math.max(Exact.number(value(one)), before.get(one) || 0),
      text: `${one.isAbout ? "≈ " : ""}${Exact.ratio(value(one))}`,
    }));
    Figure.fill(this.ends, ends);
    Figure.fill(
      this.marks,
      moved.map((one) => ({model: rowName(one.run.model.name), x: before.get(one)})),
    );
    const totals = waits ? known.filter((one) => base.run.asRun.total) : [];
    Figure.fill(
      this.totals,
      totals.map((one) => ({model: rowName(one.run.model.name), x: asRun(one, "total")})),
    );
    this.endBeyond(ends, 12, 1.05 * Math.max(1, ...this.totals.data.x));
    this.legend.replaceChildren(
      ...(moved.length ? [make("li", {}, make("span", {className: "mark"}), "as run")] : []),
      ...(totals.length
        ? [make("li", {}, make("span", {className: "diamond"}), "total time, as run: waits are in it")]
        : []),
    );
    this.describe(
      `${waits ? "Busy" : "Total"} time relative to ${this.world.baseline}: ${known.map((one) => `${one.run.model.name} ${Exact.ratio(value(one))}`).join(", ")}`,
    );
  }
}
