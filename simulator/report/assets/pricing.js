"use strict";
/*
 * Prices the counts of replays: what simulator/reprice.py does, for the costs that are set in the page.
 *
 * Where nothing waits (no why_replay), each virtual CPU ends when it has been busy for all its actions. Elsewhere counts
 * still price busy time, exactly where no price can change a count (no why_recount), and when a run ends is unknown
 * until it is replayed: it keeps the time it had.
 */
const Pricing = (() => {
  const sum = (values) => values.reduce((all, value) => all + value, 0n);
  const greatest = (values) => values.reduce((most, value) => (value > most ? value : most));

  /* The data of the page with BigInts in place of their text, and what does not hang on what is set. */
  function load(data) {
    const models = new Map(Object.entries(data.models).map(([name, model]) => [name, loadModel(name, model)]));
    const runs = data.runs.map((run) => loadRun(run, models.get(run.model)));
    for (const model of models.values()) {
      model.runs = runs.filter((run) => run.model === model);
      for (const cost of model.costs.values()) cost.share = largestShare(cost, model.runs);
    }
    const shared = sharedCosts(models, data.baseline);
    return {...data, models, runs, shared, workloads: [...new Set(data.runs.map((run) => run.workload))]};
  }

  /*
   * Costs that several models share are one quantity: they have the same action, value, bounds and source, and are taken
   * in runs of at least two models. Each stands for its ``parts``, of which the first is of no baseline if it can be.
   */
  function sharedCosts(models, baseline) {
    const groups = new Map();
    for (const cost of [...models.values()].flatMap((model) => [...model.costs.values()])) {
      if (!cost.share.workload) continue;
      const values = [cost.asRun, cost.low, cost.high].map((value) => value && Exact.costText(value));
      const key = JSON.stringify([cost.action, ...values, cost.source, String(cost.mhz)]);
      groups.set(key, [...(groups.get(key) || []), cost]);
    }
    return [...groups.values()]
      .filter((parts) => parts.length > 1)
      .map((parts) => {
        const share = Exact.most(parts.map((part) => part.share.share));
        const largest = parts.find((part) => part.share.share === share);
        const [first] = [...parts].sort((a, b) => (a.model === baseline) - (b.model === baseline));
        return {...first, parts, share: largest.share, of: listed(parts.map((part) => part.model)), ...pathOf(parts)};
      });
  }

  const listed = (names) => `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;

  /* One path for all parts, if the names of the models can stand in braces. */
  function pathOf(parts) {
    const tails = new Set(parts.map(({path, model}) => path.slice(`models.${model}`.length)));
    const isPlain = tails.size === 1 && parts.every(({path, model}) => path.startsWith(`models.${model}.`));
    const names = parts.map((part) => part.model);
    if (!isPlain || names.some((name) => /[.,{}"\s*]/.test(name))) return {path: parts.map((part) => part.path).join(" ")};
    return {path: `models.{${names.join(",")}}${[...tails][0]}`, isOnePath: true};
  }

  function loadModel(name, model) {
    const mhz = BigInt(model.mhz);
    const costs = new Map();
    for (const [action, given] of Object.entries(model.costs)) {
      const [asRun, low, high] = [given.cost, given.low, given.high].map((text) =>
        text ? Exact.parseCost(text) : null,
      );
      const inTicks = (cost) => Exact.ticks(cost || asRun, mhz);
      costs.set(action, {
        ...given,
        action,
        model: name,
        of: name,
        isOnePath: true,
        asRun,
        low,
        high,
        mhz,
        ticks: inTicks(asRun),
        lowTicks: inTicks(low),
        highTicks: inTicks(high),
      });
    }
    return {...model, name, mhz, costs};
  }

  function loadRun(run, model) {
    const cpus = run.cpus.map((cpu) => {
      const shares = Object.entries(cpu.actions).flatMap(([event, taken]) =>
        Object.entries(taken).map(([action, n]) => ({event, action, n: BigInt(n)})),
      );
      const taken = new Map();
      for (const {action, n} of shares) taken.set(action, (taken.get(action) || 0n) + n);
      return {waiting: BigInt(cpu.waiting), idle: BigInt(cpu.idle), events: cpu.events, shares, taken};
    });
    const asRun = {
      total: BigInt(run.ticks),
      wait: sum(cpus.map((cpu) => cpu.waiting)),
      idle: sum(cpus.map((cpu) => cpu.idle)),
    };
    asRun.busy = sum(cpus.map((cpu) => priceCpu(cpu, (action) => model.costs.get(action).ticks)));
    return {...run, model, cpus, shares: merged(cpus), asRun};
  }

  /* The cells of a breakdown: what all virtual CPUs took, by event and action. */
  function merged(cpus) {
    const cells = new Map();
    for (const {event, action, n} of cpus.flatMap((cpu) => cpu.shares)) {
      const key = JSON.stringify([event, action]);
      const cell = cells.get(key) || {
        event,
        action,
        n: 0n,
        events: sum(cpus.map((cpu) => BigInt(cpu.events[event] || "0"))),
      };
      cells.set(key, {...cell, n: cell.n + n});
    }
    return [...cells.values()];
  }

  const priceCpu = (cpu, ticksOf) => sum([...cpu.taken].map(([action, n]) => n * ticksOf(action)));

  function largestShare(cost, runs) {
    let largest = {share: {n: 0n, d: 1n}, workload: ""};
    for (const run of runs) {
      const mine = sum(run.cpus.map((cpu) => (cpu.taken.get(cost.action) || 0n) * cost.ticks));
      const share = run.asRun.busy ? Exact.fraction(mine, run.asRun.busy) : {n: 0n, d: 1n};
      const isUsed = run.cpus.some((cpu) => cpu.taken.has(cost.action));
      if (isUsed && (!largest.workload || Exact.compare(share, largest.share) > 0))
        largest = {share, workload: run.workload};
    }
    return largest;
  }

  const inSeconds = (ticks, mhz) => Exact.fraction(ticks, mhz * 10n ** 9n);

  /* All runs at the costs that are set; set(cost) gives a cost as set, or as run. */
  function priceAll(world, set) {
    const priced = world.runs.map((run) => priceRun(run, set));
    for (const one of priced) {
      const base = priced.find(
        (other) => other.run.workload === one.run.workload && other.run.model.name === world.baseline,
      );
      Object.assign(one, relativeTo(one, base));
    }
    for (const workload of world.workloads) rank(priced.filter((one) => one.run.workload === workload));
    return priced;
  }

  /* A run is priced anew only if a cost of its model is another than before: a drag moves one model of many. */
  function priceRun(run, set) {
    const costs = [...run.model.costs.values()].map(set);
    if (!run.last || costs.some((cost, i) => cost !== run.last.costs[i]))
      run.last = {costs, priced: priceAnew(run, set)};
    return run.last.priced;
  }

  function priceAnew(run, set) {
    const {model} = run;
    const at = new Map([...model.costs].map(([action, cost]) => [action, Exact.ticks(set(cost), model.mhz)]));
    const moved = run.shares.some(({action}) => at.get(action) !== model.costs.get(action).ticks);
    const busy = run.cpus.map((cpu) => priceCpu(cpu, (action) => at.get(action)));
    const waits = run.why_replay !== "";
    const priced = {
      run,
      at,
      moved,
      isOld: moved && waits, // its total, wait and idle times are those of the run
      isAbout: moved && run.why_recount !== "", // counts may differ in a replay
      ticks: {...run.asRun, busy: sum(busy), ...(waits ? {} : {total: greatest(busy)})},
    };
    priced.seconds = Object.fromEntries(
      Object.entries(priced.ticks).map(([name, ticks]) => [name, inSeconds(ticks, model.mhz)]),
    );
    priced.bounds = waits ? null : boundsOf(run, set);
    return priced;
  }

  /* The total with all costs at their low and at their high; a bound that a set cost has left moves with it. */
  function boundsOf(run, set) {
    const {model} = run;
    const ends = (end) =>
      inSeconds(greatest(run.cpus.map((cpu) => priceCpu(cpu, (action) => end(model.costs.get(action))))), model.mhz);
    const ticksOf = (cost) => Exact.ticks(set(cost), model.mhz);
    const least = (cost) => (ticksOf(cost) < cost.lowTicks || !cost.low ? ticksOf(cost) : cost.lowTicks);
    const most = (cost) => (ticksOf(cost) > cost.highTicks || !cost.high ? ticksOf(cost) : cost.highTicks);
    return {low: ends(least), high: ends(most)};
  }

  function relativeTo(one, base) {
    if (!base) return {relative: null, busyRelative: null, isOldRatio: false, ratioMoved: false};
    const over = (name) => (base.ticks[name] ? Exact.over(one.seconds[name], base.seconds[name]) : null);
    return {
      relative: over("total"),
      busyRelative: over("busy"),
      isOldRatio: one.isOld || base.isOld,
      ratioMoved: one.moved || base.moved,
    };
  }

  /* 1 is the fastest of a workload: by total time, or by busy time where a total is that of the run. */
  function rank(priced) {
    const by = priced.some((one) => one.isOld) ? "busy" : "total";
    for (const one of priced) {
      one.rankedBy = by;
      one.rank = 1 + priced.filter((other) => Exact.compare(other.seconds[by], one.seconds[by]) < 0).length;
    }
  }

  /* The time of a run as lines of one cost, in its ticks: a line for each virtual CPU, or one of the busy time. */
  function linesOf(priced, cost, ofBusy) {
    const {run, at} = priced;
    const scale = run.model.mhz * 10n ** 9n;
    const each = run.cpus.map((cpu) => {
      const moves = (cost.parts || [cost]).some((part) => part.model === run.model.name);
      const n = moves ? cpu.taken.get(cost.action) || 0n : 0n;
      const rest = priceCpu(cpu, (action) => at.get(action)) - (n ? n * at.get(cost.action) : 0n);
      return {start: rest, slope: n};
    });
    const lines = ofBusy
      ? [{start: sum(each.map((line) => line.start)), slope: sum(each.map((line) => line.slope))}]
      : each;
    return lines.map(({start, slope}) => ({start: Exact.fraction(start, scale), slope: Exact.fraction(slope, scale)}));
  }

  const along = (line, x) => Exact.plus(line.start, Exact.times(line.slope, x));
  const highest = (lines, x) => Exact.most(lines.map((line) => along(line, x)));

  /*
   * The places from 0 on where two times, each the greatest of some lines, are equal: they lie where lines meet.
   * ``flat`` is true where the two stay equal up to the next place.
   */
  function crossings(ones, others) {
    const places = [{n: 0n, d: 1n}];
    const all = [...ones, ...others];
    all.forEach((a, i) =>
      all.slice(i + 1).forEach((b) => {
        if (Exact.compare(a.slope, b.slope) === 0) return;
        const x = Exact.over(Exact.minus(b.start, a.start), Exact.minus(a.slope, b.slope));
        if (x.n > 0n) places.push(x);
      }),
    );
    places.sort(Exact.compare);
    const isEqual = (x) => Exact.compare(highest(ones, x), highest(others, x)) === 0;
    const after = (x) => places.find((other) => Exact.compare(other, x) > 0) || Exact.plus(x, {n: 1n, d: 1n});
    return places
      .filter((x, i) => isEqual(x) && !(i && Exact.compare(places[i - 1], x) === 0))
      .map((x) => ({at: x, flat: isEqual(after(x))}));
  }

  return {load, priceAll, linesOf, highest, along, crossings, inSeconds, sum};
})();
