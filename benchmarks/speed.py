"""Speed, as ratios of things measured side by side in this one process.

    .venv/bin/python benchmarks/speed.py

Prints, as the median of several rounds in which both sides take turns:

- the reference engine against a bare SimPy loop, on a synthetic stream and on the recordings: of one timeout per event,
  and, more strictly, of one per row (a row may hold several events alike, which the engine serves at once);
- the importer's rate for the text of `perf script`, given a file (or a generated one of 200,000 lines);
- `vmmsim --help` and the whole quickstart as processes, against an interpreter that does nothing.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from workbench import bare_simpy

from simulator.engine.base import Replay
from simulator.engine.reference import ReferenceEngine
from simulator.spec.build import load_model, load_workload
from simulator.spec.library import find
from simulator.spec.workload import WorkloadSpec
from simulator.stream import EventStream
from simulator.workload.importers.perf import import_perf

ROUNDS = 5
EVENTS = 200_000


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def synthetic() -> EventStream:
    """A stream of single system calls, each after a stretch of computation."""
    step = {"repeat": {"times": EVENTS, "events": [{"syscall": 1}]}}
    document = {"document": "workload", "title": "system calls", "events": [step]}
    return WorkloadSpec.model_validate(document).synthetic(1)


def report(name: str, number: int, what: str, ours: list[float], other: list[float]) -> None:
    ratios = [b / a for a, b in zip(ours, other, strict=True)]
    rate = number / statistics.median(ours)
    print(
        f"{name:46} {rate:11,.0f} {what}/s   rate over bare SimPy's: median {statistics.median(ratios):.2f} "
        f"(min {min(ratios):.2f}, max {max(ratios):.2f})"
    )


def engine() -> None:
    _, model, _ = load_model(find("pentium4-672/hardware-vmm", "cost-model", Path()))
    streams = {"reference, 200,000 system calls": synthetic()}
    for name in ("forkwait-500", "compile-2files-j2"):
        streams[f"reference, {name}"] = load_workload(find(f"recorded/{name}", "workload", Path()))[1].stream
    for name, stream in streams.items():
        batches = [batch for vcpu in range(stream.header.vcpus) for batch in stream.batches(vcpu)]
        numbers = {"rows": sum(map(len, batches)), "events": sum(int(batch.column("count").sum()) for batch in batches)}
        for what, number in numbers.items():
            ours, bare = [], []
            for _ in range(ROUNDS):
                ours.append(seconds(lambda: ReferenceEngine().run(Replay(stream, model))))  # noqa: B023
                bare.append(seconds(lambda: bare_simpy(number)))  # noqa: B023
            report(name, number, what, ours, bare)


def perf_text(folder: Path) -> Path:
    """Write 200,000 lines of system calls and faults in the form of perf script."""
    path = folder / "generated.txt"
    with path.open("w", encoding="utf-8") as file:
        for i in range(50_000):
            at = f"{i // 250_000 + 1}.{i * 4000 % 10**9:09d}"
            head = f"             cc1  34{80 + i % 2}/34{80 + i % 2}  [00{i % 2}]  {at}:"
            file.write(f"{head}                  raw_syscalls:sys_enter: NR 89 (7ffc, 7ffc, 3ff, 5d0, 3970, 7ffc)\n")
            file.write(f"{head}                   raw_syscalls:sys_exit: NR 89 = -22\n")
            file.write(
                f"{head}             exceptions:page_fault_user: address=0x7f{i:08x}000 ip=0x7f6d error_code=0x6\n"
            )
            file.write(
                f"{head}                          kmem:rss_stat: mm_id={i % 2} curr=1 type=MM_ANONPAGES size={i}096B\n"
            )
    return path


def importer(file: Path | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = file or perf_text(Path(folder))
        rates = []
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            _, imported = import_perf(path)
            rates.append(imported.lines / (time.perf_counter() - begin))
        print(f"{'import perf, ' + path.name:46} {statistics.median(rates):11,.0f} lines/s (best {max(rates):,.0f})")


def processes() -> None:
    vmmsim = [sys.executable, "-m", "simulator.cli"]
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "an interpreter that does nothing": [sys.executable, "-c", "pass"],
            "vmmsim --help": [*vmmsim, "--help"],
            "vmmsim run quickstart": [*vmmsim, "run", "quickstart", "--out", f"{folder}/out"],
        }
        for name, command in commands.items():
            times = [seconds(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(ROUNDS)]  # noqa: B023
            print(f"{name:46} {statistics.median(times):11.2f} s (min {min(times):.2f}, max {max(times):.2f})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--perf-text", type=Path, help="text of perf script to import instead of a generated file")
    arguments = parser.parse_args()
    engine()
    importer(arguments.perf_text)
    processes()
