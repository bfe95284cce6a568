"use strict";
/*
 * The points of a result: one, or those of a sweep. What several points have in common stands in the page once.
 */
const Points = (() => {
  const HERE = {source: "the point of the sweep", status: "assumed"};

  /* The models and the runs of a point, put together; ``settings`` is what `--set` says of it. */
  function at(data, number) {
    const point = data.points[number];
    const models = Object.entries(point.models).map(([name, {table, mhz, costs}]) => {
      const written = data.tables[table];
      const here = Object.entries(costs).map(([action, cost]) => [action, {...written.costs[action], ...HERE, cost}]);
      return [name, {...written, mhz, style: data.models[name], costs: {...written.costs, ...Object.fromEntries(here)}}];
    });
    const runs = point.runs.map((run) => ({
      ...run,
      cpus: run.cpus.map((cpu, i) => ({...cpu, ...data.counts[run.counts][i]})),
    }));
    return {...data, models: Object.fromEntries(models), runs, settings: settings(point)};
  }

  const settings = (point) => Object.entries(point.coordinates).map(([path, value]) => `${path}=${value}`);

  /* The name of a point, as in the column `point`. */
  const name = (point) => settings(point).join("; ");

  return {at, name};
})();

/* A slider for each path of a sweep: they choose a point. */
class PointChooser {
  #points;
  #paths;
  #number = 0;

  /* ``chosen(number)`` is called when another point is. */
  constructor(root, points, chosen) {
    this.#points = points;
    this.#paths = Object.keys(points[0].coordinates).map((path) => {
      const values = [...new Set(points.map((point) => point.coordinates[path]))];
      return {path, values, range: make("input", {type: "range", min: 0, max: values.length - 1, ariaLabel: path})};
    });
    for (const one of this.#paths) {
      one.text = make("output", {});
      one.range.disabled = one.values.length < 2;
      one.range.addEventListener("input", () => {
        const number = this.#nearest(one);
        if (number !== this.#number) chosen(number);
        this.show(number);
      });
      root.append(make("div", {className: "coordinate"}, make("code", {textContent: one.path}), one.range, one.text));
    }
    this.show(0);
  }

  show(number) {
    this.#number = number;
    for (const {path, values, range, text} of this.#paths) {
      const value = this.#points[number].coordinates[path];
      range.value = String(values.indexOf(value));
      range.setAttribute("aria-valuetext", value);
      write(text, value);
    }
  }

  /* The point with the value that a slider was moved to which is nearest in all else: not all combinations need be there. */
  #nearest(moved) {
    const far = ({path, values, range}, point) =>
      Math.abs(values.indexOf(point.coordinates[path]) - Number(range.value)) * (path === moved.path ? 1e6 : 1);
    const away = this.#points.map((point) => this.#paths.reduce((all, one) => all + far(one, point), 0));
    return away.indexOf(Math.min(...away));
  }
}
