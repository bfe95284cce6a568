"use strict";
/*
 * The plots that follow the sliders, drawn by BokehJS as SVG: where the time goes, how slow that is, and where two models
 * cost the same. Their colours and hatches are those of the plots beside the report.
 */
const Colours = {
  /* The colours of the page; on paper those of a light one, whatever the screen has. */
  now(printing) {
    if (printing) return {ink: "#000", soft: "#333", line: "#ccc", paper: "#fff", first: "#0072b2", second: "#d55e00"};
    const style = getComputedStyle(document.documentElement);
    return Object.fromEntries(["ink", "soft", "line", "paper", "first", "second"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  },
};

/* Bokeh reads $$...$$, \(...\) and \[...\] in labels as formulas; a name is no formula. */
const label = (text) => text.replace(/\$\$/g, "$\u200b$").replace(/\\(?=[[(])/g, "\\\u200b");

const FONT = 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';

class Figure {
  constructor(element, options) {
    this.element = element;
    this.figure = new Bokeh.Plotting.figure({
      height: 200, sizing_mode: "stretch_width", toolbar_location: null, tools: [], output_backend: "svg",
      background_fill_color: null, border_fill_color: null, outline_line_color: null, min_border_right: 24, ...options,
    });
    for (const axis of this.figure.axes) {
      Object.assign(axis, {
        axis_label_text_font: FONT, axis_label_text_font_style: "normal", axis_label_text_font_size: "12px",
        major_label_text_font: FONT, major_label_text_font_size: "12px", minor_tick_line_color: null,
      });
      if (axis.formatter instanceof Bokeh.BasicTickFormatter) axis.formatter = new Bokeh.NumeralTickFormatter({format: "0,0.[000]"});
    }
    this.inked = [];
  }

  /* A source of rows: columns by name, all empty at first. */
  static source(names) {
    return new Bokeh.ColumnDataSource({data: Object.fromEntries(names.map((name) => [name, []]))});
  }

  /* Put rows into a source, unless it has them already: a drag leaves most of what is drawn as it is. */
  static fill(source, rows) {
    const names = Object.keys(source.data);
    const data = Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name])]));
    const isSame = names.every((name) => data[name].length === source.data[name].length && data[name].every((cell, i) => cell === source.data[name][i]));
    if (!isSame) source.data = data;
  }

  hover(renderers, tooltips) {
    this.figure.add_tools(new Bokeh.HoverTool({renderers, tooltips, point_policy: "follow_mouse"}));
  }

  async attach() {
    this.view = await Bokeh.Plotting.show(this.figure, this.element);
  }

  /* What a screen reader says in place of the picture. */
  describe(text) {
    this.element.setAttribute("aria-label", text);
  }

  paint(colours) {
    for (const axis of this.figure.axes) {
      Object.assign(axis, {axis_line_color: colours.soft, major_tick_line_color: colours.soft, major_label_text_color: colours.ink, axis_label_text_color: colours.ink});
    }
    for (const grid of this.figure.grids) grid.grid_line_color = colours.line;
    this.figure.ygrids[0].visible = false;
    for (const [model, properties] of this.inked) {
      for (const [property, colour] of Object.entries(properties)) model[property] = colours[colour] || colour;
    }
  }

  /* Draw now: a browser that prints does not wait for the next frame. */
  redraw() {
    this.view?.paint();
  }

  /* The glyph of a renderer takes colours of the page: {line_color: "ink"}. */
  ink(renderer, properties) {
    this.inked.push([renderer.glyph, properties]);
    return renderer;
  }
}

/* A figure with a bar for each model of one workload, from top to bottom. */
class ModelBars extends Figure {
  constructor(element, options) {
    super(element, {x_range: new Bokeh.Range1d({start: 0, end: 1}), y_range: new Bokeh.FactorRange({factors: [], range_padding: 0.1}), ...options});
    this.figure.yaxes[0].axis_line_color = null;
  }

  /*
   * Bars of one style. Bokeh makes a picture for each hatch of each bar whenever its data change; with a style for each
   * renderer, and not for each bar, a drag is ten times smoother.
   */
  bars() {
    const source = Figure.source(["model", "left", "right", "name", "time", "share"]);
    const renderer = this.ink(this.figure.hbar({
      y: {field: "model"}, left: {field: "left"}, right: {field: "right"}, height: 0.68, source, line_width: 0.6,
      hatch_color: "#222", hatch_alpha: 0.55, hatch_weight: 0.6, hatch_scale: 7,
    }), {line_color: "paper"});
    renderer.selection_glyph = renderer.nonselection_glyph = renderer.muted_glyph = null; // nothing is selected here
    return {source, renderer};
  }

  static fillBars({source, renderer}, rows, [colour, hatch]) {
    Figure.fill(source, rows);
    if (renderer.glyph.fill_color !== colour) renderer.glyph.fill_color = colour;
    if (renderer.glyph.hatch_pattern !== (hatch || " ")) renderer.glyph.hatch_pattern = hatch || " ";
  }

  /* Text beside the ends of bars. */
  labels(source, x, offset) {
    const at = {x: {field: x}, y: {field: "model"}, text: {field: "text"}, x_offset: offset, text_baseline: "middle"};
    this.ink(this.figure.text({...at, text_font: FONT, text_font_size: "12px", source}), {text_color: "ink"});
  }

  /* Upright ticks, where bars ended as run. */
  ticks(source) {
    const at = {x: {field: "x"}, y: {field: "model"}, marker: "dash", angle: Math.PI / 2, size: 26, line_width: 2.5};
    this.ink(this.figure.scatter({...at, source}), {line_color: "ink"});
  }

  rows(priced) {
    const names = priced.map((one) => label(one.run.model.name)).reverse();
    if (JSON.stringify(this.figure.y_range.factors) !== JSON.stringify(names)) {
      this.figure.y_range.factors = names;
      this.figure.height = 30 * names.length + 62;
    }
  }
}

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
    this.hover(this.parts.map((part) => part.renderer), [["", "@name"], ["time", "@time"], ["share", "@share"]]);
  }

  show(priced, by) {
    const parts = priced.map((one) => TimePlot.#parts(one, by));
    const whole = new Map();
    parts.forEach((sums, i) => sums.forEach((ticks, name) => {
      const seconds = Exact.number(Pricing.inSeconds(ticks, priced[i].run.model.mhz));
      whole.set(name, Math.max(whole.get(name) || 0, seconds));
    }));
    const named = [...whole].filter(([, most]) => most > 0).sort((a, b) => b[1] - a[1]).map(([name]) => name);
    const kept = TimePlot.#inOrder(named.length > TimePlot.#MOST + 1 ? named.slice(0, TimePlot.#MOST) : named);
    const longest = priced.map((one) => one.seconds.busy).reduce((a, b) => (Exact.compare(a, b) >= 0 ? a : b));
    const unit = Exact.timeUnit(longest);
    const scale = 10 ** -unit.power;
    this.rows(priced);
    this.figure.xaxes[0].axis_label = `busy time, all virtual CPUs (${unit.name})`;
    const bars = priced.flatMap((one, i) => this.#bars(one, parts[i], kept, scale));
    const drawn = [...kept, TimePlot.#OTHER];
    this.parts.forEach((part, i) => ModelBars.fillBars(part, bars.filter((bar) => bar.name === drawn[i]), this.#style(drawn[i], by)));
    const asRun = (one) => Exact.number(Pricing.inSeconds(one.run.asRun.busy, one.run.model.mhz)) * scale;
    Figure.fill(this.ends, priced.map((one) => ({
      model: label(one.run.model.name), x: Math.max(Exact.number(one.seconds.busy) * scale, asRun(one)), text: `${one.isAbout ? "≈ " : ""}${Exact.seconds(one.seconds.busy)}`,
    })));
    const moved = priced.filter((one) => one.moved);
    Figure.fill(this.marks, moved.map((one) => ({model: label(one.run.model.name), x: asRun(one)})));
    this.figure.x_range.end = Math.max(Exact.number(longest) * scale, ...this.marks.data.x) * 1.14 || 1;
    this.#explain(kept, named.length > kept.length, by, moved.length > 0);
    this.describe(`Busy time by ${by}: ${priced.map((one) => `${one.run.model.name} ${Exact.seconds(one.seconds.busy)}`).join(", ")}`);
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

  #bars(one, sums, kept, scale) {
    const rest = [...sums].filter(([name]) => !kept.includes(name)).reduce((all, [, ticks]) => all + ticks, 0n);
    const cells = [...kept.map((name) => [name, sums.get(name) || 0n]), [TimePlot.#OTHER, rest]].filter(([, ticks]) => ticks > 0n);
    let before = 0n;
    return cells.map(([name, ticks]) => {
      const [left, right] = [before, before + ticks].map((sum) => Exact.number(Pricing.inSeconds(sum, one.run.model.mhz)) * scale);
      before += ticks;
      return {
        model: label(one.run.model.name), left, right, name,
        time: Exact.seconds(Pricing.inSeconds(ticks, one.run.model.mhz)), share: Exact.share(Exact.fraction(ticks), Exact.fraction(one.ticks.busy)),
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

/* A square filled as a bar is, for the legend. */
function swatch(colour, hatch) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const draw = (tag, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    svg.append(element);
  };
  for (const [name, value] of Object.entries({width: 16, height: 16, viewBox: "0 0 16 16", "aria-hidden": "true"})) svg.setAttribute(name, value);
  draw("rect", {width: 16, height: 16, fill: colour, stroke: "#888"});
  const paths = {
    "/": "M-2 10L10 -2M2 18L18 2M-2 18L18 -2", "\\": "M-2 6L10 18M-2 -2L18 18M6 -2L18 10", "|": "M3 0V16M8 0V16M13 0V16", "-": "M0 3H16M0 8H16M0 13H16",
    "x": "M-2 10L10 -2M2 18L18 2M-2 6L10 18M6 -2L18 10", "+": "M5 0V16M11 0V16M0 5H16M0 11H16", ".": "M3 3h1M8 8h1M12 3h1M3 12h1M12 12h1",
  };
  if (paths[hatch]) draw("path", {d: paths[hatch], stroke: "#222", "stroke-opacity": 0.6, "stroke-width": 0.9, fill: "none"});
  return svg;
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
    this.ink(this.figure.scatter({x: {field: "x"}, y: {field: "model"}, marker: "diamond", size: 13, line_width: 1.6, source: this.totals}), {line_color: "ink", fill_color: "paper"});
  }

  show(priced) {
    const waits = priced.some((one) => one.run.why_replay);
    const value = (one) => (waits ? one.busyRelative : one.relative);
    const known = priced.filter((one) => value(one));
    const base = priced.find((one) => one.run.model.name === this.world.baseline);
    const asRun = (one, name) => Exact.number(Exact.over(Pricing.inSeconds(one.run.asRun[name], one.run.model.mhz), Pricing.inSeconds(base.run.asRun[name], base.run.model.mhz)));
    this.rows(priced);
    this.figure.xaxes[0].axis_label = `${waits ? "busy" : "total"} time, times that of ${label(this.world.baseline)}`;
    for (const [name, bars] of this.ofModels) {
      const mine = known.filter((one) => one.run.model.name === name);
      ModelBars.fillBars(bars, mine.map((one) => ({model: label(name), left: 0, right: Exact.number(value(one))})), this.world.models.get(name).style);
    }
    Figure.fill(this.ends, known.map((one) => ({
      model: label(one.run.model.name), x: Exact.number(value(one)), text: `${one.isAbout ? "≈ " : ""}${Exact.ratio(value(one))}`,
    })));
    const moved = base.run.asRun.busy ? known.filter((one) => one.ratioMoved) : [];
    Figure.fill(this.marks, moved.map((one) => ({model: label(one.run.model.name), x: asRun(one, waits ? "busy" : "total")})));
    const totals = waits ? known.filter((one) => base.run.asRun.total) : [];
    Figure.fill(this.totals, totals.map((one) => ({model: label(one.run.model.name), x: asRun(one, "total")})));
    const largest = Math.max(1, ...known.map((one) => Exact.number(value(one))), ...this.marks.data.x, ...this.totals.data.x);
    this.figure.x_range.end = largest * 1.14;
    this.legend.replaceChildren(
      ...(moved.length ? [make("li", {}, make("span", {className: "mark"}), "as run")] : []),
      ...(totals.length ? [make("li", {}, make("span", {className: "diamond"}), "total time, as run: waits are in it")] : []));
    this.describe(`${waits ? "Busy" : "Total"} time relative to ${this.world.baseline}: ${known.map((one) => `${one.run.model.name} ${Exact.ratio(value(one))}`).join(", ")}`);
  }
}

/* The times of two models as lines of one cost, with the places where they meet. */
class BreakEvenPlot extends Figure {
  constructor(element, legend) {
    const range = () => new Bokeh.Range1d({start: 0, end: 1});
    super(element, {height: 250, x_range: range(), y_range: range()});
    this.legend = legend;
    this.lines = [0, 1].map(() => Figure.source(["x", "y"]));
    this.crossings = Figure.source(["x", "y"]);
    this.now = Figure.source(["x", "y"]);
    this.ink(this.figure.line({x: {field: "x"}, y: {field: "y"}, line_width: 2.5, source: this.lines[0]}), {line_color: "first"});
    this.ink(this.figure.line({x: {field: "x"}, y: {field: "y"}, line_width: 2.5, line_dash: [7, 4], source: this.lines[1]}), {line_color: "second"});
    this.ink(this.figure.line({x: {field: "x"}, y: {field: "y"}, line_width: 1.5, line_dash: [2, 3], source: this.now}), {line_color: "soft"});
    this.ink(this.figure.scatter({x: {field: "x"}, y: {field: "y"}, marker: "circle", size: 11, line_width: 2, source: this.crossings}), {line_color: "ink", fill_color: "paper"});
  }

  /* ``curves`` are the lines of both models, over costs in ticks from 0 to ``end``; ``scale`` makes ticks the cost's unit. */
  show({names, curves, end, scale, at, met, unit, quantity, cost}) {
    const corners = Array.from({length: 49}, (_, i) => Exact.times(end, {n: BigInt(i), d: 48n}));
    const all = [...corners, ...met].sort(Exact.compare);
    const longest = curves.map((lines) => Pricing.highest(lines, end)).reduce((a, b) => (Exact.compare(a, b) >= 0 ? a : b));
    const time = Exact.timeUnit(longest);
    const y = (lines, x) => Exact.number(Pricing.highest(lines, x)) * 10 ** -time.power;
    const x = (place) => Exact.number(place) * scale;
    curves.forEach((lines, i) => Figure.fill(this.lines[i], all.map((place) => ({x: x(place), y: y(lines, place)}))));
    Figure.fill(this.crossings, met.map((place) => ({x: x(place), y: y(curves[0], place)})));
    const ends = curves.flatMap((lines) => [corners[0], end].map((place) => y(lines, place)));
    const [least, most] = [Math.min(...ends), Math.max(...ends)];
    const room = (most - least) / 5 || most / 5 || 1;
    const [bottom, top] = [Math.max(0, least - room), most + room];
    Figure.fill(this.now, [bottom, top].map((height) => ({x: x(at), y: height})));
    Object.assign(this.figure.y_range, {start: bottom, end: top});
    Object.assign(this.figure.x_range, {start: 0, end: x(end) || 1});
    this.figure.xaxes[0].axis_label = `${cost.action} of ${label(cost.model)} (${unit})`;
    this.figure.yaxes[0].axis_label = `${quantity} time (${time.name})`;
    this.legend.replaceChildren(
      make("li", {}, make("span", {className: "line first"}), names[0]), make("li", {}, make("span", {className: "line second"}), names[1]),
      make("li", {}, make("span", {className: "line now"}), "the cost as it is set"),
      ...(met.length ? [make("li", {}, make("span", {className: "circle"}), "break-even")] : []));
  }
}
