"""Writes what was measured as docs/performance.md, with the curves of growth as a plot, and prints it."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

PACKAGES = ("simpy", "numpy", "pyarrow", "numba", "duckdb", "polars", "pandas")
_MIX = """\
A mix of system calls, touched pages, page faults, page-table writes, kernel code, port reads, and switches of
spaces, each after a gap, in a Parquet file. `stateless` has one price for each kind; the others are the shipped
models, compiled: native has a TLB, the hardware VMM shadow paging too, the software VMM also a translation cache.
DuckDB and polars count by kind, on all processors and from one column; pandas multiplies with costs as well. `reading`
is pyarrow reading kinds and gaps on all processors, and nothing more: what a replay needs at the least.
"""
_FIXED = """\
The cost of an event falls while the stream is short: starting a model, the threads that read and the tables that
grow take about {stateless:.1f} ms (stateless) and {full:.1f} ms (hardware VMM), what 10^4 events take in all. From
10^6 or 10^7 events on that is lost in the rows, whose own cost then stays the same.
"""
_TARGETS = """\
| what | asked for | measured | |
|---|---|---|---|
"""
_MARKS = {"fast, compiled": ("o", "#0072B2"), "fast, plain": ("s", "#009E73"), "reference": ("^", "#D55E00")}


def write_page(found: Mapping[str, Any], out: Path) -> None:
    """Print the page, and write it with its plot unless it goes to the null device."""
    text = "\n".join(_page(found))
    print(text)
    if out.suffix == ".md":
        picture = out.parent / "performance.svg"
        _draw(found["growth"], picture)
        out.write_text(text, encoding="utf-8")


def _page(found: Mapping[str, Any]) -> Iterator[str]:
    side, times = found["side"], found["side_by_side"]
    yield "# Performance\n"
    yield "Written by `benchmarks/performance.py`: all sides take turns in one run, so ratios say more than seconds;"
    yield "growth is the median of three processes a point."
    yield f"The machine: {_machine()}.\n"
    yield "## What was asked for, and what it came to\n"
    yield _TARGETS + "\n".join(_targets(found)) + "\n"
    yield f"## One stream of {side:,} events, without contention\n"
    yield _MIX
    yield "| what | seconds | million events/s | times bare SimPy |"
    yield "|---|---|---|---|"
    for name, seconds in times.items():
        yield f"| {name} | {seconds:.3f} | {side / seconds / 1e6:.1f} | {times['bare SimPy'] / seconds:.1f} |"
    yield "\n## Four virtual CPUs on two, a disk request every 500 events, a 100 Hz timer\n"
    yield "| model | engine | seconds | times the reference |"
    yield "|---|---|---|---|"
    for model, engines in found["contention"].items():
        for engine, seconds in engines.items():
            yield f"| {model} | {engine} | {seconds:.3f} | {engines['reference'] / seconds:.1f} |"
    yield "\n## Growth\n"
    yield "![Nanoseconds an event and peak memory over the number of events](performance.svg)\n"
    yield "| events | engine | model | ns an event | peak memory, MiB |"
    yield "|---|---|---|---|---|"
    for row in found["growth"]:
        each = row["seconds"] / row["events"] * 1e9
        yield f"| {row['events']:,} | {row['engine']} | {row['model']} | {each:,.0f} | {row['memory'] / 2**20:,.0f} |"
    fixed = {
        row["model"]: 1e3 * row["seconds"] for row in reversed(found["growth"]) if row["engine"] == "fast, compiled"
    }
    yield "\n" + _FIXED.format(stateless=fixed["stateless"], full=fixed["hardware VMM"])
    yield "## Pricing again, and whole processes\n"
    yield "One replay of the hardware VMM, priced under many cost tables:\n"
    yield "| given | tables a second |"
    yield "|---|---|"
    yield from (f"| {name} | {rate:,.0f} |" for name, rate in found["repricings"].items())
    yield ""
    yield "| process | seconds |"
    yield "|---|---|"
    yield from (f"| {name} | {seconds:.2f} |" for name, seconds in found["processes"].items())
    yield ""


def _machine() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"{_processor()}, {platform.system()} {platform.release()}, Python {platform.python_version()},\n{versions}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _targets(found: Mapping[str, Any]) -> Iterator[str]:
    """Set each figure beside what was asked for."""
    times = found["side_by_side"]
    simpy = times["bare SimPy"]
    yield _target("stateless model, times bare SimPy", 200, simpy / times["stateless"])
    yield _target("hardware VMM with all its state, times bare SimPy", 50, simpy / times["hardware VMM"])
    slowest = max(times[name] for name in ("native", "software VMM", "hardware VMM"))
    yield _target("three models in one pass, times the slowest alone", 2, times["three models"] / slowest, most=True)
    yield _target("three stateless models, times one", 2, times["three stateless"] / times["stateless"], most=True)
    yield _target("stateless model, times DuckDB's count", 2, times["stateless"] / times["DuckDB"], most=True)
    for model, engines in found["contention"].items():
        best = min(engines["fast, plain"], engines["fast, compiled"])
        yield _target(f"contention, {model}, times the reference", 20, engines["reference"] / best)
    yield from _growth_targets(found["growth"])
    one = found["repricings"]["tables that differ in one cost"]
    yield _target("cost tables priced again in a second, as in a sweep", 100_000, one)
    yield _target("`vmmsim --help`, seconds", 0.3, found["processes"]["`vmmsim --help`"], most=True)
    small = found["processes"]["10^5 events, three models, no plots"]
    yield _target("a small experiment, seconds", 1.5, small, most=True)


def _growth_targets(rows: list[dict[str, Any]]) -> Iterator[str]:
    for model in ("stateless", "hardware VMM"):
        mine = [row for row in rows if row["engine"] == "fast, compiled" and row["model"] == model]
        each = [row["seconds"] / row["events"] for row in mine if row["events"] >= 10**5]
        if len(each) > 1:
            spread = 100 * (max(each) / min(each) - 1)
            yield _target(f"{model}: cost an event from 10^5 on, spread in percent", 20, spread, most=True)
        if len(mine) > 1:
            last, before = mine[-1]["memory"], mine[-2]["memory"]
            name = f"{model}: peak memory of the longest stream, MiB"
            yield _target(name, 1024, last / 2**20, most=True)
            yield _target(f"{model}: and over the next shorter, percent", 10, 100 * (last / before - 1), most=True)


def _target(what: str, asked: float, measured: float, *, most: bool = False) -> str:
    met = measured <= asked if most else measured >= asked
    limit = f"{'at most' if most else 'at least'} {asked:,g}"
    return f"| {what} | {limit} | {measured:,.3g} | {'met' if met else '**missed**'} |".replace("e+05", " × 10^5")


def _draw(rows: list[dict[str, Any]], path: Path) -> None:
    plt.rcParams.update({"font.size": 8, "svg.hashsalt": "vmmsim", "svg.fonttype": "none"})
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.8), layout="constrained")
    for engine, (mark, color) in _MARKS.items():
        for model, line in (("stateless", "--"), ("hardware VMM", "-")):
            mine = [row for row in rows if row["engine"] == engine and row["model"] == model]
            events = [row["events"] for row in mine]
            label = f"{engine}, {model}"
            style = {"marker": mark, "color": color, "linestyle": line, "markersize": 4}
            left.plot(events, [row["seconds"] / row["events"] * 1e9 for row in mine], label=label, **style)
            right.plot(events, [row["memory"] / 2**20 for row in mine], label=label, **style)
    for axes, what in ((left, "time an event (ns)"), (right, "peak memory (MiB)")):
        axes.set(xscale="log", xlabel="events in the stream", ylabel=what)
        axes.grid(alpha=0.3)
    left.set_yscale("log")
    right.set_ylim(bottom=0)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, metadata={"Date": None})
