"use strict";
/* What all plots that follow the sliders have in common: BokehJS as SVG, in the colours of the page. */
const Colours = {
  /* The colours of the page; on paper those of a light one, whatever the screen has. */
  now(printing) {
    if (printing) return {ink: "#000", soft: "#333", line: "#ccc", paper: "#fff", first: "#0072b2", second: "#d55e00"};
    const style = getComputedStyle(document.documentElement);
    return Object.fromEntries(
      ["ink", "soft", "line", "paper", "first", "second"].map((name) => [
        name,
        style.getPropertyValue(`--${name}`).trim(),
      ]),
    );
  },
};

/* Bokeh reads $$...$$, \(...\) and \[...\] in labels as formulas; a name is no formula. */
const label = (text) => text.replace(/\$\$/g, "$\u200b$").replace(/\\(?=[[(])/g, "\\\u200b");

const FONT = 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';

/* The name of a model as its row has it: a long one in two lines, broken after the separator nearest to its middle. */
function rowName(text) {
  const name = label(text);
  if (name.length <= 28) return name;
  const places = [...name.matchAll(/[-_/,;:=. ]+/g)].map((found) => found.index + found[0].length);
  const inside = places.filter((place) => place < name.length);
  if (!inside.length) return name;
  const far = (place) => Math.abs(place - name.length / 2);
  const place = inside.reduce((best, next) => (far(next) < far(best) ? next : best));
  return `${name.slice(0, place).trimEnd()}\n${name.slice(place)}`;
}

class Figure {
  constructor(element, options) {
    this.element = element;
    this.figure = new Bokeh.Plotting.figure({
      height: 200,
      sizing_mode: "stretch_width",
      toolbar_location: null,
      tools: [],
      output_backend: "svg",
      background_fill_color: null,
      border_fill_color: null,
      outline_line_color: null,
      min_border_right: 24,
      ...options,
    });
    for (const axis of this.figure.axes) {
      Object.assign(axis, {
        axis_label_text_font: FONT,
        axis_label_text_font_style: "normal",
        axis_label_text_font_size: "12px",
        major_label_text_font: FONT,
        major_label_text_font_size: "12px",
        minor_tick_line_color: null,
      });
      if (axis.formatter instanceof Bokeh.BasicTickFormatter)
        axis.formatter = new Bokeh.NumeralTickFormatter({format: "0,0.[000]"});
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
    const isSame = names.every(
      (name) =>
        data[name].length === source.data[name].length && data[name].every((cell, i) => cell === source.data[name][i]),
    );
    if (!isSame) source.data = data;
  }

  /* The unit in which times are drawn, the longest of which is given, and what a time is in it. */
  static timeScale(times) {
    const {power, name} = Exact.timeUnit(Exact.most(times));
    return {name, at: (time) => Exact.number(time) * 10 ** -power};
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
      Object.assign(axis, {
        axis_line_color: colours.soft,
        major_tick_line_color: colours.soft,
        major_label_text_color: colours.ink,
        axis_label_text_color: colours.ink,
      });
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
  static #LETTER = 7.5; // pixels, of the widest letters of 12 pixels high
  static #USUAL = 480; // pixels between the axes, until they have been laid out

  constructor(element, options) {
    super(element, {
      x_range: new Bokeh.Range1d({start: 0, end: 1}),
      y_range: new Bokeh.FactorRange({factors: [], range_padding: 0.1}),
      ...options,
    });
    this.figure.yaxes[0].axis_line_color = null;
    this.reach = () => 1;
    this.figure.properties.inner_width.change.connect(() => this.stretch());
  }

  /* The axis ends beyond the least given, and beyond each text beside a bar, however narrow the figure is. */
  endBeyond(texts, offset, least) {
    this.reach = (room) => {
      const ends = texts.map(({x, text}) => x / Math.max(0.3, 1 - (offset + 4 + ModelBars.#LETTER * text.length) / room));
      return Math.max(least, ...ends) || 1;
    };
    this.stretch();
  }

  stretch() {
    const inner = this.figure.properties.inner_width;
    this.figure.x_range.end = this.reach((!inner.is_unset && inner.get_value()) || ModelBars.#USUAL);
  }

  /*
   * Bars of one style. Bokeh makes a picture for each hatch of each bar whenever its data change; with a style for each
   * renderer, and not for each bar, a drag is ten times smoother.
   */
  bars() {
    const source = Figure.source(["model", "left", "right", "name", "time", "share"]);
    const renderer = this.ink(
      this.figure.hbar({
        y: {field: "model"},
        left: {field: "left"},
        right: {field: "right"},
        height: 0.68,
        source,
        line_width: 0.6,
        hatch_color: "#222",
        hatch_alpha: 0.55,
        hatch_weight: 0.6,
        hatch_scale: 7,
      }),
      {line_color: "paper"},
    );
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
    const names = priced.map((one) => rowName(one.run.model.name)).reverse();
    if (JSON.stringify(this.figure.y_range.factors) !== JSON.stringify(names)) {
      this.figure.y_range.factors = names;
      const pitch = names.some((name) => name.includes("\n")) ? 36 : 30;
      this.figure.height = pitch * names.length + 62;
    }
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
  for (const [name, value] of Object.entries({width: 16, height: 16, viewBox: "0 0 16 16", "aria-hidden": "true"}))
    svg.setAttribute(name, value);
  draw("rect", {width: 16, height: 16, fill: colour, stroke: "#888"});
  const paths = {
    "/": "M-2 10L10 -2M2 18L18 2M-2 18L18 -2",
    "\\": "M-2 6L10 18M-2 -2L18 18M6 -2L18 10",
    "|": "M3 0V16M8 0V16M13 0V16",
    "-": "M0 3H16M0 8H16M0 13H16",
    x: "M-2 10L10 -2M2 18L18 2M-2 6L10 18M6 -2L18 10",
    "+": "M5 0V16M11 0V16M0 5H16M0 11H16",
    ".": "M2 3h2M7 8h2M12 3h2M2 13h2M12 13h2",
  };
  if (paths[hatch])
    draw("path", {
      d: paths[hatch],
      stroke: "#222",
      "stroke-opacity": 0.6,
      "stroke-width": hatch === "." ? 2 : 0.9,
      fill: "none",
    });
  return svg;
}
