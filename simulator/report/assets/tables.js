"use strict";
/*
 * The tables of the page at the costs that are set. The page comes with all of them as run, so a cell is only written
 * where its text differs.
 */
const write = (element, text) => {
  if (element && element.textContent !== text) element.textContent = text;
};

class TotalsTable {
  #columns;
  #rows;
  #asRun;

  constructor(table) {
    this.#columns = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    this.#rows = [...table.tBodies[0].rows];
    this.#asRun = this.#rows.map((row) => [...row.cells].map((cell) => cell.textContent));
  }

  /* Take another point of a sweep for what was run. */
  become(priced) {
    this.#asRun = this.#asRun.map((texts, i) => {
      const mine = {...this.#texts(priced[i], false), events: priced[i].run.events};
      return texts.map((text, j) => mine[this.#columns[j]] ?? text);
    });
  }

  show(priced, isExact) {
    this.#rows.forEach((row, i) => {
      const one = priced[i];
      const texts = this.#texts(one, isExact);
      row.classList.toggle("moved", one.moved);
      this.#columns.forEach((column, j) => {
        const cell = row.cells[j];
        const hasBounds = !column.endsWith("low–high") || this.#asRun[i][j] !== ""; // costs without bounds have none, whatever is set
        write(cell, column in texts && hasBounds ? texts[column] : this.#asRun[i][j]);
        cell.classList.toggle("old", this.#isOld(column, one));
        cell.classList.toggle(
          "new",
          column !== "rank" ? this.#isNew(column, one) : !cell.textContent.startsWith(this.#asRun[i][j]),
        );
      });
      row.dataset.totalCycles = Exact.cycles(one.ticks.total);
      row.dataset.busyCycles = Exact.cycles(one.ticks.busy);
    });
  }

  #isOld = (column, one) =>
    (["total", "wait", "idle"].includes(column) && one.isOld) || (column === "relative" && Boolean(one.isOldRatio));

  #isNew = (column, one) =>
    (column === "busy" && one.moved) ||
    (column === "total" && one.moved && !one.isOld) ||
    (column === "total low–high" && one.moved) ||
    (column === "relative" && one.ratioMoved && !one.isOldRatio) ||
    (column === "busy, relative" && one.ratioMoved);

  #texts(one, isExact) {
    const time = (name) =>
      isExact ? `${Exact.exactSeconds(one.ticks[name], one.run.model.mhz)} s` : Exact.seconds(one.seconds[name]);
    const ratio = (value) => (value ? Exact.ratio(value) : Exact.MISSING);
    const old = (text, isOld) => (isOld ? `${text} †` : text);
    const texts = {
      rank: `${one.rank}${one.rankedBy === "busy" ? " ‡" : ""}`,
      total: old(time("total"), one.isOld),
      busy: `${one.isAbout ? "≈ " : ""}${time("busy")}`,
      wait: old(time("wait"), one.isOld),
      idle: old(time("idle"), one.isOld),
      relative: old(ratio(one.relative), one.isOldRatio),
      "busy, relative": `${one.isAbout ? "≈ " : ""}${ratio(one.busyRelative)}`,
    };
    if (one.moved && one.bounds)
      texts["total low–high"] = `${Exact.seconds(one.bounds.low)} – ${Exact.seconds(one.bounds.high)}`;
    if (one.ratioMoved) texts["relative low–high"] = "";
    return texts;
  }
}

class Breakdowns {
  #tables = new Map();
  #priced = null;
  #isOther = false; // another point than the one that the page comes with

  constructor(root) {
    for (const table of root.querySelectorAll("table[data-workload]")) {
      const key = JSON.stringify([table.dataset.workload, table.dataset.model]);
      this.#tables.set(key, {
        table,
        heading: table.closest(".run").querySelector(".busy"),
        fold: table.closest("details"),
        shown: null,
      });
    }
    for (const fold of new Set([...this.#tables.values()].map((each) => each.fold))) {
      fold.addEventListener("toggle", () => this.#priced && this.show(this.#priced));
    }
  }

  /* Take another point of a sweep for what was run. */
  become() {
    this.#isOther = true;
  }

  /* What is folded away is written when it is opened. */
  show(priced) {
    this.#priced = priced;
    for (const one of priced) {
      const found = this.#tables.get(JSON.stringify([one.run.workload, one.run.model.name]));
      if (!found?.fold.open || found.shown === one || (!found.shown && !one.moved && !this.#isOther)) continue;
      found.shown = one;
      write(found.heading, `${one.isAbout ? "≈ " : ""}${Exact.seconds(one.seconds.busy)}`);
      found.table.tBodies[0].replaceChildren(...this.#rows(one));
    }
  }

  /* The dearest first, then by name, as the page had them. */
  #rows(one) {
    const byName = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    const cells = one.run.shares
      .map((share) => ({...share, ticks: share.n * one.at.get(share.action)}))
      .sort((a, b) => byName(b.ticks, a.ticks) || byName(a.event, b.event) || byName(a.action, b.action));
    const whole = Exact.fraction(one.ticks.busy);
    return cells.map(({event, action, events, n, ticks}) => {
      const numbers = [
        Exact.count(Exact.fraction(events)),
        Exact.count(Exact.fraction(n)),
        Exact.count(Exact.fraction(ticks, Exact.TICKS_PER_CYCLE)),
        Exact.seconds(Pricing.inSeconds(ticks, one.run.model.mhz)),
        Exact.share(Exact.fraction(ticks), whole),
      ];
      return make(
        "tr",
        {},
        make("th", {scope: "row", textContent: event}),
        make("td", {textContent: action}),
        ...numbers.map((text) => make("td", {className: "number", textContent: text})),
      );
    });
  }
}
