"""How fast replays are, as ratios of things measured side by side in one run.

    .venv/bin/python benchmarks/performance.py                    # about fifteen minutes; writes docs/performance.md
    .venv/bin/python benchmarks/performance.py --most 1e9         # with a stream of a billion events (5 GB of disk)
    .venv/bin/python benchmarks/performance.py --most 1e6 --out /dev/null

It needs the packages of the extra ``bench`` beside those of ``test``. Each figure is the median of several rounds in
which all sides take turns; peak memory is that of a process of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import rivals
import workbench
from page import write_page

from simulator.costs import CostTable
from simulator.engine.base import Engine, Replay
from simulator.engine.fast import FastEngine
from simulator.engine.reference import ReferenceEngine
from simulator.reprice import Repricer
from simulator.result import Replayed
from simulator.units import TICKS_PER_CYCLE

ENGINES: Mapping[str, Engine] = {
    "reference": ReferenceEngine(),
    "fast, plain": FastEngine(compiled=False),
    "fast, compiled": FastEngine(compiled=True),
}
SLOW = {"reference": 10**5, "fast, plain": 10**6}
"""How many events a side that is slow is given at most."""
ROUNDS, SIDE_ROUNDS = 3, 9
TABLES = 20_000
SMALL = """\
document: experiment
title: small
workloads:
  calls:
    document: workload
    title: calls
    events: [{repeat: {times: 100000, events: [{syscall: 1}]}}]
models: [pentium4-672/native, pentium4-672/software-vmm, pentium4-672/hardware-vmm]
baseline: native
"""


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def medians(sides: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Return the median of the seconds of each side; all take turns, after one round that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, work in sides.items():
            found = seconds(work)
            if number:
                taken[name].append(found)
    return {name: statistics.median(each) for name, each in taken.items()}


def side_by_side(folder: Path, events: int) -> dict[str, float]:
    """Return seconds on one stream without contention: by model, by three models at once, and of others' counts."""
    stream, fast = workbench.stream(folder, events), ENGINES["fast, compiled"]
    flat, *three = workbench.stateless(), *map(workbench.model, ("native", "software-vmm", "hardware-vmm"))
    path = stream.path
    return medians(
        {
            "bare SimPy": lambda: workbench.bare_simpy(events),
            "DuckDB": lambda: rivals.duckdb_counts(path),
            "polars": lambda: rivals.polars_counts(path),
            "pandas": lambda: rivals.pandas_costs(path),
            "reading": lambda: rivals.read_alone(path),
            "stateless": lambda: fast.run(Replay(stream, flat, rows=events)),
            "three stateless": lambda: fast.run_all([Replay(stream, flat, rows=events)] * 3),
            "native": lambda: fast.run(Replay(stream, three[0], rows=events)),
            "software VMM": lambda: fast.run(Replay(stream, three[1], rows=events)),
            "hardware VMM": lambda: fast.run(Replay(stream, three[2], rows=events)),
            "three models": lambda: fast.run_all([Replay(stream, model, rows=events) for model in three]),
        },
        rounds=SIDE_ROUNDS,
    )


def in_contention(events: int) -> dict[str, dict[str, float]]:
    """Return seconds of each engine on four virtual CPUs on two, with disk requests and a 100 Hz timer, by model."""
    stream = workbench.contended(events)
    models = {"stateless": workbench.stateless(), "hardware VMM": workbench.model("hardware-vmm")}

    def replay(engine: Engine, name: str) -> Callable[[], object]:
        asked = Replay(stream, workbench.two_cpus(models[name]), Fraction(100), events)
        return lambda: engine.run(asked)

    return {name: medians({label: replay(engine, name) for label, engine in ENGINES.items()}) for name in models}


def repricings() -> dict[str, float]:
    """Return how many cost tables a second one replay of the hardware VMM is priced under, by what is given."""
    stream, model = workbench.Mix(10**5), workbench.model("hardware-vmm")
    outcome = ENGINES["fast, plain"].run(Replay(stream, model))
    ticks = model.start().ticks
    replayed = Replayed("mix", model.name, "", model.machine.name, model.machine.clock, outcome, ticks, "", "")
    repricer = Repricer.of(replayed)
    one = [_dearer(model.costs, repricer.actions[:1], i) for i in range(TABLES)]
    every = [_dearer(model.costs, repricer.actions, i) for i in range(TABLES)]
    matrix = repricer.ticks(one)
    taken = medians(
        {
            "tables that differ in one cost": lambda: repricer.makespans(repricer.ticks(one)),
            "tables that differ in every cost": lambda: repricer.makespans(repricer.ticks(every)),
            "a ready matrix of ticks": lambda: repricer.makespans(matrix),
        }
    )
    return {name: TABLES / seconds for name, seconds in taken.items()}


def _dearer(table: CostTable, actions: Sequence[str], cycles: int) -> CostTable:
    """Return a cost table in which some actions cost more by so many cycles."""
    entries = dict(table.entries)
    for action in actions:
        before = entries[action].cost
        more = cycles if before.in_cycles else Fraction(cycles * TICKS_PER_CYCLE, table.clock.ticks_per_ns)
        entries[action] = replace(entries[action], cost=replace(before, amount=before.amount + more))
    return CostTable(entries, table.clock)


def growth(folder: Path, most: int) -> list[dict[str, Any]]:
    """Return seconds and peak memory, medians of processes of their own, by stream length, engine and model."""
    found = []
    for exponent in range(4, len(str(most))):
        events = 10**exponent
        workbench.stream(folder, 1_000)
        workbench.stream(folder, events)
        for engine in ENGINES:
            for model in ("stateless", "hardware VMM"):
                if events <= SLOW.get(engine, most):
                    command = [sys.executable, __file__, "--child", str(folder), str(events), engine, model]
                    samples = [json.loads(subprocess.check_output(command)) for _ in range(ROUNDS)]
                    each = {name: statistics.median(sample[name] for sample in samples) for name in samples[0]}
                    found.append({"events": events, "engine": engine, "model": model, **each})
    return found


def child(folder: Path, events: int, engine: str, name: str) -> dict[str, float]:
    """Replay once to warm up, a short file, then measure one replay; memory in bytes."""
    model = workbench.stateless() if name == "stateless" else workbench.model("hardware-vmm")
    ENGINES[engine].run(Replay(workbench.stream(folder, 1_000), model))
    stream = workbench.stream(folder, events)
    taken = seconds(lambda: ENGINES[engine].run(Replay(stream, model, rows=events)))
    return {"seconds": taken, "memory": peak_memory()}


def peak_memory() -> int:
    """Return the most memory that this process held, in bytes; what its parent held does not count."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def whole_processes(folder: Path) -> dict[str, float]:
    """Return seconds of whole processes: an interpreter that does nothing, help, and a small experiment."""
    (folder / "small.yaml").write_text(SMALL, encoding="utf-8")
    vmmsim = [sys.executable, "-m", "simulator.cli"]
    commands = {
        "an interpreter that does nothing": [sys.executable, "-c", "pass"],
        "`vmmsim --help`": [*vmmsim, "--help"],
        "10^5 events, three models, no plots": [
            *vmmsim, "run", str(folder / "small.yaml"), "--no-plots", "--out", str(folder / "small"),
        ],
    }  # fmt: skip
    return medians({name: partial(_run, command) for name, command in commands.items()}, rounds=5)


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=float, default=1e8, help="events of the longest stream (default 1e8)")
    parser.add_argument("--side", type=float, default=1e7, help="events of the stream for ratios (default 1e7)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "performance.md")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        folder, events, engine, model = options.child
        print(json.dumps(child(Path(folder), int(events), engine, model)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder, side = Path(name), int(min(options.side, options.most))
        found = {
            "side": side,
            "side_by_side": side_by_side(folder, side),
            "contention": in_contention(2 * 10**5),
            "repricings": repricings(),
            "growth": growth(folder, int(options.most)),
            "processes": whole_processes(folder),
        }
    write_page(found, options.out)


if __name__ == "__main__":
    main()
