"use strict";
/* Ties the page together: what is set is priced, and all that shows it follows. */
(() => {
  const find = (id) => document.getElementById(id);
  document.documentElement.classList.add("live"); // shows what needs this script; plots are laid out in its boxes
  const data = JSON.parse(find("live-data").textContent);
  data.styles.other = ["#FFFFFF", ""];
  const world = Pricing.load(Points.at(data, 0));
  const settings = new Settings(world);
  const totals = new TotalsTable(find("totals-table"));
  const breakdowns = new Breakdowns(document);
  const charts = {
    time: new TimePlot(find("time-plot"), find("time-legend"), world.styles),
    slowdown: world.baseline ? new SlowdownPlot(find("slowdown-plot"), find("slowdown-legend"), world) : null,
  };
  const breakEven = world.models.size > 1 ? new BreakEven(world, settings, move) : null;
  const figures = [...Object.values(charts), breakEven?.plot].filter(Boolean);
  const chooser = find("point") ? new PointChooser(find("point"), data.points, visit) : null;
  const chosen = {cost: null, point: 0};
  let panel = new CostPanel(world, find("cost-list"), move, choose);

  /* Go to another point of a sweep; what is set stays set, as far as the point has it. */
  function visit(number) {
    const set = settings.fragment();
    become(number);
    settings.restore(set);
    soon();
  }

  function become(number) {
    if (number === chosen.point) return;
    chosen.point = number;
    chosen.cost = null;
    Object.assign(world, Pricing.load(Points.at(data, number)));
    const asRun = Pricing.priceAll(world, (cost) => cost.asRun);
    totals.become(asRun);
    breakdowns.become();
    find("cost-list").replaceChildren();
    panel = new CostPanel(world, find("cost-list"), move, choose);
    fillCosts();
    chooser.show(number);
  }

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
    const {settings: ofPoint} = world;
    document.body.classList.toggle("is-set", costs.length > 0);
    find("settings").hidden = !costs.length && !ofPoint.length;
    find("reset").disabled = !costs.length;
    find("copy-flags").disabled = !costs.length && !ofPoint.length;
    find("copy-link").disabled = !fragment();
    find("setting-list").replaceChildren(
      ...ofPoint.map((text) =>
        make("li", {}, make("code", {textContent: text}), make("span", {className: "was", textContent: " the point"})),
      ),
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

  /* What a link carries: the point, unless it is the first, and what is set. */
  function fragment() {
    const point = chosen.point ? `point=${encodeURIComponent(Points.name(data.points[chosen.point]))}` : "";
    return [point, settings.fragment()].filter(Boolean).join("&");
  }

  const isOurs = () => /^#(set|point)=/.test(location.hash);

  /* The address carries what is set, so that a reload, or a copy of the address, has it. */
  function remember() {
    const now = fragment();
    if (now && location.hash !== `#${now}`) history.replaceState(null, "", `#${now}`);
    else if (!now && isOurs()) history.replaceState(null, "", location.pathname + location.search);
  }

  function restore() {
    if (!isOurs()) return;
    const wanted = new URLSearchParams(location.hash.slice(1)).get("point");
    const number = data.points.findIndex((point) => Points.name(point) === wanted);
    become(Math.max(0, number));
    const refused = settings.restore(location.hash.slice(1));
    if (wanted !== null && number < 0) refused.push(`the point ${wanted}`);
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
    fillCosts();
  }

  function fillCosts() {
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
      copy(`${location.href.split("#")[0]}#${fragment()}`, "a link to this page with these settings"),
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
