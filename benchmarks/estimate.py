"""What a run takes beside its replays, measured; and estimates set beside runs.

    .venv/bin/python benchmarks/estimate.py costs             # the figures of simulator/estimate/fixed.py
    .venv/bin/python benchmarks/estimate.py check [NAME ...]  # estimated over actual, for experiments that ship

Time is processor time, so that it hangs little on what else the machine does; memory is the greatest resident set.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from simulator.estimate.fixed import PLOTS, bars, yardstick
from simulator.report import plots
from simulator.report.writer import write_result
from simulator.result import BreakdownRow, ComparisonRow, Result, TotalsRow, frame
from simulator.run import run_experiment
from simulator.spec.build import Experiment, load_experiment
from simulator.spec.experiment import Plot
from simulator.spec.library import find

COSTS_OF = (
    "quickstart",
    "recorded",
    "replay-identity",
    "operations-check",
    "paper/figure2-spec",
    "paper/figure3-macro",
    "paper/figure4-nanobenchmarks",
    "paper/figure5-xp-boot",
    "paper/forkwait",
    "paper/lookahead",
    "paper/lookahead-rest",
    "paper/rdtsc",
    "paper/table1-microarchitecture",
)
CHECKED = ("quickstart", "recorded", "paper/figure3-macro", "paper/lookahead", "operations-check")
TINY = """\
document: experiment
title: next to nothing
workloads: {w: {document: workload, title: w, events: [{syscall: 1}]}}
models: [pentium4-672/native]
baseline: native
plots: [slowdown]
"""


@dataclass(frozen=True)
class Process:
    """What a command took, in seconds of processor time and bytes, and what it printed."""

    seconds: float
    memory: int
    output: str


def vmmsim(*arguments: str) -> Process:
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen([sys.executable, "-m", "simulator.cli", *arguments], stdout=output)
        _, status, used = os.wait4(child.pid, 0)
        if status:
            sys.exit(f"vmmsim {' '.join(arguments)} failed")
        output.seek(0)
        return Process(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, output.read())


def best(*arguments: str) -> Process:
    return min((vmmsim(*arguments) for _ in range(5)), key=lambda process: process.seconds)


def size(folder: Path, suffix: str = "") -> int:
    return sum(path.stat().st_size for path in folder.rglob(f"*{suffix}") if path.is_file())


def least(work: Callable[[], object], times: int = 3) -> float:
    found = []
    for _ in range(times):
        begin = time.process_time()
        work()
        found.append(time.process_time() - begin)
    return min(found)


def measured() -> Iterator[tuple[Experiment, Result]]:
    for name in COSTS_OF:
        experiment = load_experiment(find(name, "experiment", Path()))
        yield experiment, run_experiment(experiment)


def lines(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Fit a value with no bar, and for each bar; the square of an error counts over the value."""
    at, values = np.array(points).T
    weights = 1 / np.sqrt(values)
    matrix = np.stack([weights, weights * at], axis=1)
    (first, each), *_ = np.linalg.lstsq(matrix, weights * values)
    return float(first), float(each)


def drawn(plot: str, result: Result, folder: Path) -> None:
    frames = (
        frame(result.totals, TotalsRow),
        frame(result.breakdown, BreakdownRow),
        frame(result.comparison, ComparisonRow),
    )
    plots.bundle(*frames, result.baseline, result.title, (plot,), folder, result.sources)


def page_bytes(result: Result) -> int:
    """The size of report.html without the plots in it, and without the experiment's input."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        write_result(result, out, "")
        return (out / "report.html").stat().st_size - 4 * size(out / "plots", ".svg") // 3


def plot_costs() -> None:
    found: dict[Plot, list[tuple[int, float, int, int]]] = {plot: [] for plot in PLOTS}
    pages = []
    for experiment, result in measured():
        for plot, points in found.items():
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                seconds = least(partial(drawn, plot, result, folder))
                if size(folder):
                    points.append((bars(plot, experiment), seconds, size(folder, ".svg"), size(folder, ".png")))
        pages.append((len(result.breakdown), page_bytes(result)))
    for plot, points in found.items():
        fitted = [lines([(point[0], point[i]) for point in points]) for i in (1, 2, 3)]
        print(f"{plot}: " + ", ".join(f"{first:.4g} + {each:.3g} a bar" for first, each in fitted) + " (s, svg, png)")
    print("page: {:.4g} + {:.4g} a row".format(*lines(pages)))


def process_costs() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "tiny.yaml", str(Path(folder) / "out")
        path.write_text(TINY)
        estimated = json.loads(vmmsim("estimate", str(path), "--json").output)["seconds"]
        tables, drawing = (best("run", str(path), "--out", out, *more) for more in (["--no-plots"], []))
    print(f"printing: {tables.seconds - estimated['start'] - estimated['replays']:.3f} s")
    one = PLOTS["slowdown"]
    print(f"drawing: {drawing.seconds - tables.seconds - one.seconds - one.seconds_per_bar:.3f} s")
    print(f"drawing: {(drawing.memory - tables.memory) / 2**20:.0f} MiB")


def costs() -> None:
    print(f"yardstick: {min(yardstick(time.process_time) for _ in range(20)):.5f} s")
    process_costs()
    plot_costs()


def check(names: list[str]) -> None:
    header = ("experiment", "events", "", "time, s", "", "memory, MiB", "", "disk, kB", "", "estimated in, s")
    print(("{:22}" + "{:>11} {:>5}" * 4 + "{:>17}").format(*header))
    for name in names or CHECKED:
        estimate = vmmsim("estimate", name, "--json")
        found = json.loads(estimate.output)
        with tempfile.TemporaryDirectory() as folder:
            run = vmmsim("run", name, "--out", f"{folder}/out", "--json")
            written = size(Path(folder))
        events = sum(row["events"] for row in json.loads(run.output)["totals"])
        pairs = (
            (found["events"], events, 1),
            (found["seconds"]["total"], run.seconds, 1),
            (found["memory_bytes"], run.memory, 2**20),
            (found["disk_bytes"], written, 1000),
        )
        cells = "".join(f"{actual / unit:11.4g} {guess / actual:4.2f}x" for guess, actual, unit in pairs)
        print(f"{name:22}{cells}{estimate.seconds:17.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("costs", "check"))
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    costs() if given.what == "costs" else check(given.names)
