"use strict";
/*
 * The costs that are set in the page: as `--set` flags, as a command, and in the fragment of a link.
 *
 * A setting is what follows `--set`: the path of a cost, `=`, and its value. A value beyond the cost's bounds moves the
 * bound too, as `vmmsim run` asks.
 */
class Settings {
  #world;
  #set = new Map();

  constructor(world) {
    this.#world = world;
  }

  static #key = (cost) => JSON.stringify([cost.model, cost.action]);

  /* A cost as it is set, or as it was in the run. */
  get = (cost) => this.#set.get(Settings.#key(cost)) || cost.asRun;
  isSet = (cost) => this.#set.has(Settings.#key(cost));

  /* Set a cost; to what it was in the run is as good as not set. */
  put(cost, value) {
    if (Exact.sameCost(value, cost.asRun)) this.#set.delete(Settings.#key(cost));
    else this.#set.set(Settings.#key(cost), value);
  }

  clear() {
    this.#set.clear();
  }

  /* The costs that are set, in the order of the models. */
  costs() {
    return [...this.#world.models.values()].flatMap((model) => [...model.costs.values()]).filter(this.isSet);
  }

  /* The one value that a shared cost has in all its models; null where it was set apart. */
  alike({parts}) {
    const value = this.get(parts[0]);
    return parts.every((part) => Exact.sameCost(this.get(part), value)) ? value : null;
  }

  /* The costs that are set; those of several models that are set alike are the one that these share. */
  entries() {
    const whole = this.#world.shared.filter((cost) => cost.parts.every(this.isSet) && this.alike(cost));
    const told = new Set(whole.flatMap((cost) => cost.parts));
    return [...whole, ...this.costs().filter((cost) => !told.has(cost))];
  }

  /* What stands after each `--set`. */
  texts() {
    return this.entries().flatMap((cost) => {
      const value = this.get(cost);
      const text = Exact.costText(value);
      const ticks = Exact.ticks(value, cost.mhz);
      const ends = [""];
      if (cost.low && ticks < cost.lowTicks) ends.push(".low");
      if (cost.high && ticks > cost.highTicks) ends.push(".high");
      const paths = cost.isOnePath ? [cost.path] : cost.parts.map((part) => part.path);
      return paths.flatMap((path) => ends.map((end) => `${path}${end}=${text}`));
    });
  }

  /* The flags alone, those of the point too, for a command of one's own. */
  flags() {
    return [...this.#world.settings, ...this.texts()]
      .map((text) => `--set ${Settings.#quoted(text)}`)
      .join(" ");
  }

  /* The command that replays the experiment with these settings, and with those that the run had. */
  command() {
    const before = this.#world.overrides.map((text) => `--set ${Settings.#quoted(text)}`);
    return ["vmmsim run", Settings.#quoted(this.#world.experiment), ...before, this.flags()].filter(Boolean).join(" ");
  }

  /* One word for a POSIX shell. */
  static #quoted(text) {
    return /^[A-Za-z0-9_./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
  }

  /* The fragment of a link that carries the settings; empty if nothing is set. */
  fragment() {
    const texts = this.costs().map((cost) => `${cost.path}=${Exact.costText(this.get(cost))}`);
    return texts.map((text) => `set=${encodeURIComponent(text)}`).join("&");
  }

  /* Take the settings of a fragment in place of those there are; returns what could not be understood. */
  restore(fragment) {
    const byPath = new Map(
      [...this.#world.models.values()].flatMap((model) => [...model.costs.values()]).map((cost) => [cost.path, cost]),
    );
    const refused = [];
    this.clear();
    for (const text of new URLSearchParams(fragment).getAll("set")) {
      const cut = text.lastIndexOf("=");
      const cost = byPath.get(text.slice(0, cut));
      const value = cost && Exact.parseCost(text.slice(cut + 1), Exact.unitOf(cost.asRun));
      if (value) this.put(cost, value);
      else refused.push(text);
    }
    return refused;
  }
}
