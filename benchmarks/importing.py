"""What importing text costs, beside what reading it costs, in one run.

    .venv/bin/python benchmarks/importing.py
    .venv/bin/python benchmarks/importing.py --lines 7700000 --rounds 1     # a file of 1 GB
    .venv/bin/python benchmarks/importing.py --source mine.txt.gz

Repeats a recording (by default one of tests/data), with later times, to files of 100,000 and 1,000,000 lines, or of as
many as asked for. For each file, what is compared runs in processes of its own and takes turns for several rounds:

- counting newlines by the block, as `wc -l` does;
- `for line in file: line.split()`, the least that Python can do with each line;
- `vmmsim import perf`, the whole command, and the importer in it.

Prints, as the median of the rounds, lines per second, the rate as a multiple of the split loop's, and microseconds of
processor time a line (of all processes: the importer has two); and the peak memory of all processes together, sampled
(pages that they share count in each). Where others use the machine, processor time is the figure to go by.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from simulator.workload.importers.text import read_lines

ROUNDS = 3
SAMPLED = 0.02  # seconds
LINES = (100_000, 1_000_000)
SAMPLE = Path(__file__).parent.parent / "tests" / "data" / "compile-middle.perf-script.txt"
TIME = re.compile(r"(\] +)(\d+)\.(\d{9}):")

# Each prints the seconds of its work, and those of all processors.
MEASURE = """
import os, sys, time
from pathlib import Path
path, out = sys.argv[1:]
{setup}
begin, used = time.perf_counter(), sum(os.times()[:4])
{work}
seconds, used = time.perf_counter() - begin, sum(os.times()[:4]) - used
print(seconds, used)
"""
WORKS = {
    "newlines by the block (wc -l)": (
        "",
        "with open(path, 'rb', 0) as file:\n    count = 0\n"
        "    while data := file.read(1 << 18):\n        count += data.count(b'\\n')",
    ),
    "for line in file: line.split()": ("", "with open(path) as file:\n    for line in file:\n        line.split()"),
    "import_perf, the importer": (
        "from simulator.workload.importers.perf import import_perf",
        "stream, report = import_perf(Path(path))",
    ),
    "vmmsim import perf, the command": (
        "import subprocess",
        "subprocess.run([sys.executable, '-m', 'simulator.cli', 'import', 'perf', path, '--out', out], "
        "check=True, stdout=subprocess.DEVNULL)",
    ),
}
BASE = "for line in file: line.split()"


def repeated(source: Path, wanted: int) -> Iterator[str]:
    """Give the lines of a recording again and again, each time as if recorded after the last."""
    lines = [line for part in read_lines(source) for line in part if TIME.search(line)]
    times = [int(match[2]) * 10**9 + int(match[3]) for line in lines if (match := TIME.search(line))]
    span = times[-1] - times[0] + 1000
    for number in range(wanted):
        turn, at = divmod(number, len(lines))
        seconds, nanoseconds = divmod(times[at] + turn * span, 10**9)
        yield TIME.sub(rf"\g<1>{seconds}.{nanoseconds:09}:", lines[at], count=1) + "\n"


def measure(name: str, path: Path) -> tuple[float, float, int]:
    """Run one of the works in a process of its own; return its seconds, those of all processors, and the peak in MB."""
    setup, work = WORKS[name]
    out = path.with_suffix(".parquet")
    command = [sys.executable, "-c", MEASURE.format(setup=setup, work=work), str(path), str(out)]
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak = max(peak, sum(map(resident, family(process.pid))))
            time.sleep(SAMPLED)
        assert process.stdout is not None
        seconds, used = map(float, process.stdout.read().split())
    return seconds, used, peak * 1024 // 10**6


def family(pid: int) -> list[int]:
    """Return a process and all that it has started, and they; one that has ended has nobody."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:
        return [pid]
    return [pid, *(each for child in children for each in family(child))]


def resident(pid: int) -> int:
    """Return how many KiB of memory a process has; 0 if it has ended."""
    try:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) if found else 0


def compare(path: Path, lines: int, rounds: int) -> None:
    """Let all works take turns on one file, and print what each takes."""
    print(f"{lines:,} lines, {path.stat().st_size / 10**6:,.0f} MB, {os.cpu_count()} processors")
    taken: dict[str, list[tuple[float, float, int]]] = {name: [] for name in WORKS}
    for _ in range(rounds):
        for name, runs in taken.items():
            runs.append(measure(name, path))
    for name, runs in taken.items():
        seconds = statistics.median(time for time, _, _ in runs)
        used = statistics.median(used for _, used, _ in runs)
        ratio = statistics.median(base[0] / own[0] for base, own in zip(taken[BASE], runs, strict=True))
        print(
            f"  {name:34} {lines / seconds:11,.0f} lines/s {ratio:6.2f} x {used / lines * 10**6:8.2f} us of processors "
            f"{max(memory for _, _, memory in runs):6} MB"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lines", type=int, action="append", help="how many, once for each file")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--source", type=Path, default=SAMPLE, help="the recording that is repeated")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for wanted in asked.lines or LINES:
            file = Path(folder) / f"{wanted}.txt"
            with file.open("w", encoding="utf-8") as target:
                target.writelines(repeated(asked.source, wanted))
            compare(file, wanted, asked.rounds)
            file.unlink()
