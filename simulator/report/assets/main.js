"use strict";
/* Ties the page together: what is set is priced, and all that shows it follows. */
(() => {
  const find = (id) => document.getElementById(id);
  document.documentElement.classList.add("live"); // shows what needs this script; plots are laid out in its boxes
  const world = Pricing.load(JSON.parse(find("live-data").textContent));
  world.styles.other = ["#FFFFFF", ""];
  const settings = new Settings(world);
  const totals = new TotalsTable(find("totals-table"));
  const breakdowns = new Breakdowns(document);
  const charts = {
    time: new TimePlot(find("time-plot"), find("time-legend"), world.styles),
    slowdown: world.baseline ? new SlowdownPlot(find("slowdown-plot"), find("slowdown-legend"), world) : null,
    breakEven: world.models.size > 1 ? new BreakEvenPlot(find("breakeven-plot"), find("breakeven-legend")) : null,
  };
  const figures = Object.values(charts).filter(Boolean);
  const panel = new CostPanel(world, find("cost-list"), move, choose);
  const chosen = {cost: null};

  function move(cost, value) {
    settings.put(cost, value);
    chosen.cost = cost;
    soon();
  }

  function choose(cost) {
    if (chosen.cost === cost) return;
    chosen.cost = cost;
    soon();
  }

  /* A drag gives many values for one picture: the last of them is drawn. */
  let due = 0;
  function soon() {
    cancelAnimationFrame(due);
    due = requestAnimationFrame(show);
  }

  function show() {
    const priced = Pricing.priceAll(world, settings.get);
    panel.show(settings);
    totals.show(priced, find("exact").checked);
    breakdowns.show(priced);
    showSettings();
    showNotes(priced);
    const mine = priced.filter((one) => one.run.workload === world.workloads[find("workload").value]);
    charts.time.show(mine, document.querySelector('input[name="by"]:checked').value);
    charts.slowdown?.show(mine);
    showBreakEven(mine);
  }

  /* --- what is set ------------------------------------------------------------------------------------------------ */

  function showSettings() {
    const costs = settings.costs();
    document.body.classList.toggle("is-set", costs.length > 0);
    find("settings").hidden = !costs.length;
    for (const button of ["reset", "copy-flags", "copy-link"]) find(button).disabled = !costs.length;
    find("setting-list").replaceChildren(...costs.map((cost) => {
      const undo = make("button", {type: "button", className: "undo", textContent: "↺", ariaLabel: `${cost.action} of ${cost.model}: as in the run`});
      undo.addEventListener("click", () => move(cost, cost.asRun));
      const was = make("span", {className: "was", textContent: `as run ${Exact.costText(cost.asRun)}`});
      return make("li", {}, make("code", {textContent: cost.path}), ` ${Exact.costText(settings.get(cost))} `, was, undo);
    }));
    write(find("command"), settings.command());
    clearTimeout(unsaved);
    unsaved = setTimeout(remember, 200); // a drag would write some hundred addresses
  }

  let unsaved = 0;

  /* The address carries what is set, so that a reload, or a copy of the address, has it. */
  function remember() {
    const fragment = settings.fragment();
    const isOurs = location.hash.startsWith("#set=");
    if (fragment && location.hash !== `#${fragment}`) history.replaceState(null, "", `#${fragment}`);
    else if (!fragment && isOurs) history.replaceState(null, "", location.pathname + location.search);
  }

  function restore() {
    if (!location.hash.startsWith("#set=")) return;
    const refused = settings.restore(location.hash.slice(1));
    chosen.cost = settings.costs()[0] || chosen.cost;
    find("refused").hidden = !refused.length;
    write(find("refused"), `The link sets what this result does not have: ${refused.join("; ")}`);
  }

  async function copy(text, what) {
    try {
      await navigator.clipboard.writeText(text);
      say(`Copied: ${what}.`);
    } catch (error) {
      window.prompt(`The browser did not let the page copy (${error.name}). ${what}:`, text);
    }
  }

  const say = (text) => write(find("said"), text);

  /* --- what has to be replayed ------------------------------------------------------------------------------------ */

  function showNotes(priced) {
    const old = priced.filter((one) => one.isOld);
    const about = priced.filter((one) => one.isAbout);
    find("replay-note").hidden = !old.length;
    const reasons = (runs, name) => [...new Set(runs.flatMap((one) => one.run[name].split("; ")))];
    const recount = reasons(about, "why_recount");
    write(find("replay-why"), reasons(old, "why_replay").filter((why) => !recount.includes(why)).join("; ") || "see ≈");
    find("recount-note").hidden = !about.length;
    write(find("recount-why"), recount.join("; "));
    find("rank-note").hidden = !old.length;
    const moved = priced.filter((one) => one.moved);
    const texts = moved.slice(0, 3).map((one) => `${one.run.workload} under ${one.run.model.name}: busy ${Exact.seconds(one.seconds.busy)}${one.isOld ? ", total as run" : `, total ${Exact.seconds(one.seconds.total)}`}`);
    say(texts.join("; "));
  }

  /* --- break-even ------------------------------------------------------------------------------------------------- */

  /* The cost that has most of the busy time of a workload under a model that is no baseline: what one would move first. */
  function weightiest(mine) {
    const others = mine.filter((one) => one.run.model.name !== world.baseline);
    const costs = (others.length ? others : mine).flatMap((one) => one.run.shares.map(({action, n}) => {
      const cost = one.run.model.costs.get(action);
      return {cost, share: Exact.fraction(n * cost.ticks, one.run.asRun.busy || 1n), computes: action === "compute"};
    }));
    const first = costs.reduce((a, b) => {
      if (a.computes !== b.computes) return a.computes ? b : a;
      return Exact.compare(a.share, b.share) >= 0 ? a : b;
    });
    return first.cost;
  }

  function showBreakEven(mine) {
    if (!charts.breakEven) return;
    const cost = chosen.cost || weightiest(mine);
    find("breakeven-cost").value = cost.path;
    const others = mine.filter((one) => one.run.model.name !== cost.model);
    const rival = find("rival");
    const names = others.map((one) => one.run.model.name);
    if (rival.dataset.of !== JSON.stringify(names)) {
      const before = rival.value;
      rival.dataset.of = JSON.stringify(names);
      rival.replaceChildren(...names.map((name) => make("option", {value: name, textContent: name})));
      const first = names.find((name) => name !== world.baseline) || names[0];
      rival.value = names.includes(before) ? before : first;
    }
    const one = mine.find((each) => each.run.model.name === cost.model);
    const other = others.find((each) => each.run.model.name === rival.value);
    const ofBusy = Boolean(one.run.why_replay || other.run.why_replay);
    const curves = [one, other].map((each) => Pricing.linesOf(each, cost, ofBusy));
    const found = Pricing.crossings(...curves);
    const value = settings.get(cost);
    const at = Exact.fraction(Exact.ticks(value, cost.mhz));
    const most = [2n * cost.ticks, cost.highTicks, Exact.ticks(value, cost.mhz), 1000n].reduce((a, b) => (a > b ? a : b));
    const end = Exact.fraction((most * 21n) / 20n);
    const perUnit = cost.asRun.inCycles ? Exact.TICKS_PER_CYCLE : cost.mhz;
    charts.breakEven.show({
      names: [one.run.model.name, other.run.model.name], curves, end, scale: 1 / Number(perUnit), at, cost, unit: Exact.unitOf(cost.asRun),
      met: found.map((each) => each.at).filter((x) => Exact.compare(x, end) <= 0), quantity: ofBusy ? "busy" : "total",
    });
    showCrossings(cost, one, other, curves, found, perUnit, ofBusy);
  }

  function showCrossings(cost, one, other, curves, found, perUnit, ofBusy) {
    const amount = (x) => Exact.over(x, Exact.fraction(perUnit));
    const written = (x) => `${Exact.grouped(Exact.text({n: Exact.round(Exact.times(amount(x), {n: 1000n, d: 1n})), d: 1000n}).split(".")[0])}`;
    const unit = Exact.unitOf(cost.asRun);
    const names = `${one.run.model.name} and ${other.run.model.name}`;
    const time = ofBusy ? "busy time" : "total time";
    const set = find("set-breakeven");
    const settable = found.find((each) => !each.flat);
    set.hidden = !settable;
    if (settable) {
      const digits = Exact.round(Exact.times(amount(settable.at), {n: 1000n, d: 1n}));
      set.onclick = () => move(cost, {amount: Exact.fraction(digits, 1000n), inCycles: cost.asRun.inCycles});
    }
    const places = found.map((each) => (each.flat ? `from ${written(each.at)} ${unit} on` : `at ${written(each.at)} ${unit}`));
    const note = ofBusy ? " Something waits, so this is about busy time; for totals, vmmsim breakeven brackets it with replays." : "";
    if (places.length) {
      write(find("breakeven-text"), `${names} have the same ${time} ${places.join(", and ")}, all other costs as they are set.${note}`);
    } else {
      write(find("breakeven-text"), `None: ${names} have the same ${time} at no value of it.${meeting(curves, perUnit, unit)}${note}`);
    }
    charts.breakEven.describe(find("breakeven-text").textContent);
  }

  /* Where two single lines would meet, below zero: the proof that they do not. */
  function meeting([[a, ...more], [b, ...others]], perUnit, unit) {
    if (more.length || others.length) return "";
    if (a.slope.n === 0n && b.slope.n === 0n) return " This workload does not take that action.";
    if (Exact.compare(a.slope, b.slope) === 0) return " It adds the same to both.";
    const x = Exact.over(Exact.over(Exact.minus(b.start, a.start), Exact.minus(a.slope, b.slope)), Exact.fraction(perUnit));
    const rounded = Exact.significant(x, 4);
    const text = Exact.text(Exact.times({n: rounded.digits, d: 1n}, rounded.exponent < 3 ? {n: 1n, d: 10n ** BigInt(3 - rounded.exponent)} : {n: 10n ** BigInt(rounded.exponent - 3), d: 1n}));
    return ` Their lines meet at ${text} ${unit}, below zero.`;
  }

  /* --- controls --------------------------------------------------------------------------------------------------- */

  function fillChoices() {
    find("workload").replaceChildren(...world.workloads.map((name, i) => make("option", {value: i, textContent: name})));
    if (!charts.breakEven) return;
    find("breakeven-cost").replaceChildren(...[...world.models.values()].map((model) => {
      const used = [...model.costs.values()].filter((cost) => cost.share.workload);
      return make("optgroup", {label: model.name}, ...used.map((cost) => make("option", {value: cost.path, textContent: `${cost.action} of ${model.name}`})));
    }));
  }

  function listen() {
    const byPath = (path) => [...world.models.values()].flatMap((model) => [...model.costs.values()]).find((cost) => cost.path === path);
    find("workload").addEventListener("change", soon);
    find("exact").addEventListener("change", soon);
    for (const input of document.querySelectorAll('input[name="by"]')) input.addEventListener("change", soon);
    find("filter").addEventListener("input", (event) => panel.filter(event.target.value));
    find("breakeven-cost")?.addEventListener("change", (event) => choose(byPath(event.target.value)));
    find("rival")?.addEventListener("change", soon);
    find("reset").addEventListener("click", () => {
      settings.clear();
      soon();
    });
    find("copy-flags").addEventListener("click", () => copy(settings.flags(), "the --set flags"));
    find("copy-command").addEventListener("click", () => copy(settings.command(), "the command"));
    find("copy-link").addEventListener("click", () => copy(`${location.href.split("#")[0]}#${settings.fragment()}`, "a link to this page with these settings"));
    addEventListener("hashchange", () => {
      restore();
      soon();
    });
  }

  /* Plots have the colours of the scheme, and on paper those of a light one. */
  function followColours() {
    const paint = (printing) => figures.forEach((figure) => figure.paint(Colours.now(printing)));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paint(false));
    addEventListener("beforeprint", () => paint(true));
    // Colours reach the glyphs in microtasks, which have run when the next listener is called.
    addEventListener("beforeprint", () => figures.forEach((figure) => figure.redraw()));
    addEventListener("afterprint", () => paint(false));
    paint(false);
  }

  Bokeh.set_log_level("warn");
  fillChoices();
  listen();
  restore();
  followColours();
  show();
  Promise.all(figures.map((figure) => figure.attach())).then(() => {
    document.documentElement.dataset.ready = "";
  });
})();
