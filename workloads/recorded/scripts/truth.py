"""Prints what the kernel counted of a recorded command beside what its stream has, and enters it into truth.csv.

usage: truth.py NAME STREAM SUMMARY TIME STATUS, where SUMMARY is what `vmmsim record --json` printed, and STATUS what
the program's /proc/self/status said in the end (there may be none). TIME holds what GNU time says of the command: peak
resident set in KiB, major and minor faults, voluntary and involuntary switches. GNU time does not count itself, so that
its task is left out where its numbers are compared.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

from simulator.stream import ParquetStream
from simulator.workload.recorder import implied

TABLE = Path(__file__).parents[1] / "truth.csv"
COLUMNS = ("program", "quantity", "kernel", "stream", "difference_percent", "bound_percent", "counted_by")


def main(name: str, stream_file: str, summary_file: str, time_file: str, status_file: str) -> None:
    """Compare one recording with the kernel's counters."""
    stream = ParquetStream.open(Path(stream_file))
    summary = json.loads(Path(summary_file).read_text())
    peak_kib, major, minor, voluntary, involuntary = map(int, Path(time_file).read_text().split())
    kernel_threads = stream.header.provenance["kernel_threads"]
    wrapper = [task for task, command in stream.header.tasks.items() if command == "time"]
    faults = implied.events(stream, "page_fault", wrapper)
    switches = implied.switches(stream, [*kernel_threads, *wrapper])
    peak = implied.peak_resident_bytes(stream, wrapper)
    calls = implied.events(stream, "syscall")
    rows = [
        row(name, "page faults", major + minor, faults, 2, "getrusage"),
        row(name, "page faults with time's own", summary["kernel_counted"]["page_fault"],
            implied.events(stream, "page_fault"), 2, "perf_event_open"),
        row(name, "context switches", voluntary + involuntary, switches, 2, "getrusage"),
        row(name, "system calls with time's own", summary["kernel_counted"]["syscall"], calls, 2, "perf_event_open"),
        row(name, "peak resident KiB", peak_kib, peak // 1024, 10, "ru_maxrss"),
    ]  # fmt: skip
    status = Path(status_file)
    if status.is_file():
        hwm = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        rows.append(row(name, "peak resident KiB at the end", int(hwm), peak // 1024, 10, "VmHWM"))
    for _, quantity, kernel, told, difference, bound, _ in rows:
        missed = bool(difference) and abs(float(difference)) > float(bound)
        percent = f"{difference} %" if difference else "no percentage"
        sys.stdout.write(f"{name}: {quantity}: kernel {kernel}, stream {told}, {percent}{' MISSED' * missed}\n")
    sys.stdout.write(
        f"{name}: {summary['recorded_ns']} ns, lost {summary['lines']['lost']}, others {summary['lines']}\n"
    )
    enter(name, rows)


def row(  # noqa: PLR0917 (a row of the table, in its order)
    name: str, quantity: str, kernel: int, told: int, bound: int, by: str
) -> tuple[str, ...]:
    """Return one row of the table; the kernel's zero has no percentage."""
    difference = f"{100 * (told - kernel) / kernel:.2f}" if kernel else ""
    return (name, quantity, str(kernel), str(told), difference, str(bound), by)


def enter(name: str, rows: list[tuple[str, ...]]) -> None:
    """Put the rows of one program in place of its former ones."""
    kept: list[tuple[str, ...]] = []
    if TABLE.is_file():
        with TABLE.open(newline="", encoding="utf-8") as file:
            kept = [tuple(line) for line in list(csv.reader(file))[1:] if line[0] != name]
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(sorted([*kept, *rows], key=lambda row: row[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
