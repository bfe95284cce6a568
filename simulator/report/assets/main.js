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
  };
  const breakEven = world.models.size > 1 ? new BreakEven(world, settings, move) : null;
  const figures = [...Object.values(charts), breakEven?.plot].filter(Boolean);
  const panel = new CostPanel(world, find("cost-list"), move, choose);
  const chosen = {cost: null};

  function move(cost, value) {
    for (const part of cost.parts || [cost]) settings.put(part, value);
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
    breakEven?.show(mine, chosen.cost);
  }

  /* --- what is set ------------------------------------------------------------------------------------------------ */

  function showSettings() {
    const costs = settings.entries();
    document.body.classList.toggle("is-set", costs.length > 0);
    find("settings").hidden = !costs.length;
    for (const button of ["reset", "copy-flags", "copy-link"]) find(button).disabled = !costs.length;
    find("setting-list").replaceChildren(
      ...costs.map((cost) => {
        const undo = make("button", {
          type: "button",
          className: "undo",
          textContent: "↺",
          ariaLabel: `${cost.action} of ${cost.of}: as in the run`,
        });
        undo.addEventListener("click", () => move(cost, cost.asRun));
        const was = make("span", {className: "was", textContent: `as run ${Exact.costText(cost.asRun)}`});
        return make(
          "li",
          {},
          make("code", {textContent: cost.path}),
          ` ${Exact.costText(settings.get(cost))} `,
          was,
          undo,
        );
      }),
    );
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
    write(
      find("replay-why"),
      reasons(old, "why_replay")
        .filter((why) => !recount.includes(why))
        .join("; ") || "see ≈",
    );
    find("recount-note").hidden = !about.length;
    write(find("recount-why"), recount.join("; "));
    find("rank-note").hidden = !old.length;
    const moved = priced.filter((one) => one.moved);
    const texts = moved
      .slice(0, 3)
      .map(
        (one) =>
          `${one.run.workload} under ${one.run.model.name}: busy ${Exact.seconds(one.seconds.busy)}${one.isOld ? ", total as run" : `, total ${Exact.seconds(one.seconds.total)}`}`,
      );
    say(texts.join("; "));
  }

  /* --- controls --------------------------------------------------------------------------------------------------- */

  function fillChoices() {
    find("workload").replaceChildren(
      ...world.workloads.map((name, i) => make("option", {value: i, textContent: name})),
    );
    if (!breakEven) return;
    const group = (name, costs) =>
      make(
        "optgroup",
        {label: name},
        ...costs.map((cost) => make("option", {value: cost.path, textContent: `${cost.action} of ${cost.of}`})),
      );
    find("breakeven-cost").replaceChildren(
      ...(world.shared.length ? [group(CostPanel.SHARED, world.shared)] : []),
      ...[...world.models.values()].map((model) =>
        group(
          model.name,
          [...model.costs.values()].filter((cost) => cost.share.workload),
        ),
      ),
    );
  }

  function listen() {
    const byPath = (path) =>
      [...world.shared, ...[...world.models.values()].flatMap((model) => [...model.costs.values()])].find(
        (cost) => cost.path === path,
      );
    find("workload").addEventListener("change", soon);
    find("exact").addEventListener("change", soon);
    for (const input of document.querySelectorAll('input[name="by"]')) input.addEventListener("change", soon);
    find("filter").addEventListener("input", (event) => panel.filter(event.target.value));
    find("breakeven-cost")?.addEventListener("change", (event) => choose(byPath(event.target.value)));
    find("rival")?.addEventListener("change", soon);
    find("reset").addEventListener("click", () => {
      settings.clear();
      panel.forget();
      soon();
    });
    find("copy-flags").addEventListener("click", () => copy(settings.flags(), "the --set flags"));
    find("copy-command").addEventListener("click", () => copy(settings.command(), "the command"));
    find("copy-link").addEventListener("click", () =>
      copy(`${location.href.split("#")[0]}#${settings.fragment()}`, "a link to this page with these settings"),
    );
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
