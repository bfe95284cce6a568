"use strict";
/*
 * Exact numbers, and how the tables of vmmsim write them.
 *
 * A tick is a thousandth of a cycle, and counts times ticks go beyond 2^53, where a Number rounds. So everything here is
 * a BigInt, or a fraction {n, d} of two of them with d > 0. Only what is drawn becomes a Number.
 */
const Exact = (() => {
  const TICKS_PER_CYCLE = 1000n;
  const NANOSECONDS = {
    ps: [1n, 1000n],
    ns: [1n, 1n],
    us: [1000n, 1n],
    µs: [1000n, 1n],
    ms: [10n ** 6n, 1n],
    s: [10n ** 9n, 1n],
  };
  const CYCLES = {cycle: [1n, 1n], cycles: [1n, 1n], kcycles: [1000n, 1n]};
  const SECOND_UNITS = ["s", "ms", "µs", "ns", "ps"];
  const COUNT_PREFIXES = ["", "k", "M", "G", "T", "P", "E"];
  const MISSING = "–";

  const abs = (n) => (n < 0n ? -n : n);
  const gcd = (a, b) => {
    while (b) [a, b] = [b, a % b];
    return a;
  };

  /* A fraction in lowest terms. */
  function fraction(n, d = 1n) {
    if (d < 0n) [n, d] = [-n, -d];
    const by = gcd(abs(n), d);
    return by > 1n ? {n: n / by, d: d / by} : {n, d};
  }
  const plus = (a, b) => fraction(a.n * b.d + b.n * a.d, a.d * b.d);
  const minus = (a, b) => fraction(a.n * b.d - b.n * a.d, a.d * b.d);
  const times = (a, b) => fraction(a.n * b.n, a.d * b.d);
  const over = (a, b) => fraction(a.n * b.d, a.d * b.n);
  const compare = (a, b) => {
    const left = a.n * b.d;
    const right = b.n * a.d;
    return left < right ? -1 : left > right ? 1 : 0;
  };
  const most = (values) => values.reduce((a, b) => (compare(a, b) >= 0 ? a : b));
  const number = (a) => {
    const whole = a.n / a.d;
    return Number(whole) + Number(a.n - whole * a.d) / Number(a.d);
  };

  /* The nearest whole number, a half to the even one, as Python rounds. */
  function round({n, d}) {
    const sign = n < 0n ? -1n : 1n;
    const [whole, twice] = [abs(n) / d, 2n * (abs(n) % d)];
    return sign * (twice > d || (twice === d && whole % 2n === 1n) ? whole + 1n : whole);
  }

  const power = (exponent) =>
    exponent < 0 ? {n: 1n, d: 10n ** BigInt(-exponent)} : {n: 10n ** BigInt(exponent), d: 1n};

  /* The power of ten of the first digit of a value above zero. */
  function magnitude(value) {
    let exponent = String(value.n).length - String(value.d).length;
    if (compare(value, power(exponent)) < 0) exponent -= 1;
    return exponent;
  }

  /* A value as digits × 10^(exponent − count + 1), rounded to so many digits; its sign goes with the digits. */
  function significant(value, count = 3) {
    if (value.n === 0n) return {digits: 0n, exponent: 0};
    let exponent = magnitude({n: abs(value.n), d: value.d});
    let digits = round(times(value, power(count - 1 - exponent)));
    if (abs(digits) === 10n ** BigInt(count)) [digits, exponent] = [digits / 10n, exponent + 1];
    return {digits, exponent};
  }

  const grouped = (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ",");

  /* A whole number divided by 10^places, with so many places. */
  function decimal(digits, places, separator = grouped) {
    const text = String(abs(digits)).padStart(places + 1, "0");
    const cut = text.length - places;
    const whole = separator(text.slice(0, cut));
    return (digits < 0n ? "-" : "") + (places ? `${whole}.${text.slice(cut)}` : whole);
  }

  /* Three digits, shifted by a power of ten, with thousands apart. */
  function plain({digits, exponent}, shift, count = 3) {
    const last = exponent - count + 1 - shift;
    return last < 0 ? decimal(digits, -last) : decimal(digits * 10n ** BigInt(last), 0);
  }

  function seconds(value) {
    if (value.n === 0n) return "0 s";
    const rounded = significant(value);
    const thousands = Math.min(0, Math.max(-4, Math.floor(rounded.exponent / 3)));
    return `${plain(rounded, 3 * thousands)} ${SECOND_UNITS[-thousands]}`;
  }

  /* The power of ten and the name of the unit that times of this size are drawn in. */
  function timeUnit(value) {
    const thousands = value.n === 0n ? 0 : Math.min(0, Math.max(-4, Math.floor(significant(value).exponent / 3)));
    return {power: 3 * thousands, name: SECOND_UNITS[-thousands]};
  }

  function count(value) {
    const rounded = significant(value);
    const thousands = Math.min(COUNT_PREFIXES.length - 1, Math.max(0, Math.floor(rounded.exponent / 3)));
    if (value.n === 0n || (value.d === 1n && !thousands)) return String(value.n);
    return plain(rounded, 3 * thousands) + COUNT_PREFIXES[thousands];
  }

  const ratio = (value) => (value.n === 0n ? "0×" : `${plain(significant(value), 0)}×`);

  function percent(value, signed = false) {
    const tenths = round(times(value, {n: 1000n, d: 1n}));
    if (tenths === 0n) return "0.0 %";
    return `${signed && tenths > 0n ? "+" : ""}${decimal(tenths, 1)} %`;
  }

  /* A part of a whole; what is there is never shown as nothing. */
  function share(part, whole) {
    if (whole.n === 0n) return MISSING;
    const of = over(part, whole);
    return of.n > 0n && compare(of, {n: 5n, d: 10000n}) < 0 ? "<0.1 %" : percent(of);
  }

  /* An exact decimal without trailing zeros; one without end is cut after twelve places. */
  function text(value) {
    let places = 0;
    while (places < 12 && (value.n * 10n ** BigInt(places)) % value.d) places += 1;
    const digits = round(times(value, power(places)));
    const written = decimal(digits, places, (whole) => whole);
    return places ? written.replace(/\.?0+$/, "") : written;
  }
  /* A value for people: to thousandths, with thousands apart. */
  function amount(value) {
    const [whole, ...part] = text({n: round(times(value, {n: 1000n, d: 1n})), d: 1000n}).split(".");
    return [grouped(whole), ...part].join(".");
  }
  const cycles = (ticks) => text(fraction(ticks, TICKS_PER_CYCLE));

  /* Ticks as seconds, to the picosecond, as the CSV files have them. */
  const exactSeconds = (ticks, mhz) => decimal(round({n: ticks * 1000n, d: mhz}), 12, (whole) => whole);

  /* "1931 cycles", ".46 us"; a bare number is in the unit given. Returns null where it is no cost. */
  function parseCost(written, unit) {
    const match = /^\s*([+-]?)(\d[\d_]*\.?\d*|\.\d+)(?:[eE]([+-]?\d{1,3}))?\s*([A-Za-zµμ]*)\s*$/.exec(
      written.replaceAll(",", ""),
    );
    if (!match) return null;
    const named = (match[4] || unit).replace("μ", "µ");
    const scale = CYCLES[named] || NANOSECONDS[named];
    if (!scale) return null;
    const [whole, part = ""] = match[2].replaceAll("_", "").split(".");
    const digits = fraction(BigInt(whole + part || "0"), 10n ** BigInt(part.length));
    const amount = times(times(digits, power(Number(match[3] || 0))), fraction(...scale));
    if (match[1] === "-" && amount.n !== 0n) return null;
    const inCycles = named in CYCLES;
    if (inCycles && (amount.n * TICKS_PER_CYCLE) % amount.d) return null;
    return {amount, inCycles};
  }
  const ticks = (cost, mhz) => round(times(cost.amount, {n: cost.inCycles ? TICKS_PER_CYCLE : mhz, d: 1n}));
  const unitOf = (cost) => (cost.inCycles ? "cycles" : "ns");
  const costText = (cost) => `${text(cost.amount)} ${unitOf(cost)}`;
  const sameCost = (a, b) => a.inCycles === b.inCycles && compare(a.amount, b.amount) === 0;

  return {
    MISSING,
    TICKS_PER_CYCLE,
    fraction,
    plus,
    minus,
    times,
    over,
    compare,
    most,
    number,
    round,
    power,
    magnitude,
    significant,
    seconds,
    timeUnit,
    count,
    ratio,
    percent,
    share,
    text,
    amount,
    cycles,
    exactSeconds,
    parseCost,
    ticks,
    unitOf,
    costText,
    sameCost,
  };
})();
