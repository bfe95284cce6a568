"""What `vmmsim record` prints: the events with their rates, what the kernel counted, and what could not be recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from rich.table import Table

from simulator.report.imported import derived_in_words
from simulator.report.tables import Column, Grid, grid_table, human_count, human_percent, human_seconds
from simulator.report.view import View
from simulator.workload.recorder import implied
from simulator.workload.recorder.record import Recording

_FEW = 10
"""Up to how many events more or fewer are told as such: in percent they say too much of a few, too little of many."""
_UNSEEN = 20
"""A kernel is taken not to trace waking CPUs where one switch in so many, or more, is not in the recording."""


def recording_view(recording: Recording, target: Path) -> View:
    """Show a recording that was written to a file."""
    peak = implied.peak_resident_bytes(recording.stream)
    parts: list[str | Table] = [_events(recording)]
    if recording.checks:
        parts.append(_checks(recording))
    notes = list(_notes(recording))
    parts += [f"note: {note}" for note in notes]
    parts.append(_last_line(recording, target))
    return View(tuple(parts), _data(recording, target, peak, notes))


def _seconds(recording: Recording) -> Fraction:
    return Fraction(recording.stream.header.recorded_ns, 10**9)


def _events(recording: Recording) -> Table:
    seconds = _seconds(recording)
    ordered = sorted(recording.report.events.items(), key=lambda item: (-item[1], item[0]))
    rows = [
        (name, f"{n:,}", human_count(round(n / seconds)) if seconds else "", derived_in_words(derived.get(name, 0), n))
        for derived in [recording.report.derived]
        for name, n in ordered
    ]
    columns = (Column("event"), Column("count", numeric=True), Column("per second", numeric=True), Column(""))
    return grid_table("Recorded", Grid(columns, rows))


def _checks(recording: Recording) -> Table:
    rows = []
    for kind, (counted, kept) in recording.checks.items():
        rows.append((kind, f"{counted:,}", f"{kept:,}", difference_in_words(counted, kept)))
    names = ("the kernel counted", "the stream has", "difference")
    columns = (Column("of the program"), *(Column(name, numeric=True) for name in names))
    return grid_table("Checked against the kernel's own counters", Grid(columns, rows))


def difference_in_words(counted: int, kept: int) -> str:
    """Return by how much a stream differs from what the kernel counted: in events where they are few, else in percent.

    >>> difference_in_words(1, 2), difference_in_words(1000, 989)
    ('+1 event', '-1.1 %')
    """
    more = kept - counted
    if not more:
        return "none"
    if abs(more) <= _FEW or not counted:
        return f"{more:+,} event{'s' * (abs(more) != 1)}"
    return human_percent(100 * (Fraction(kept, counted) - 1))


def _notes(recording: Recording) -> Iterator[str]:
    kept, correction, report = recording.kept, recording.correction, recording.report
    for without, names in recording.missing.items():
        yield f"not recorded, as this kernel has no {', '.join(names)}: {without}"
    for kind, reason in recording.unchecked.items():
        yield f"{kind} could not be checked against the kernel's counter: {reason}"
    counted, found = recording.checks.get("context_switch", (0, 0))
    if kept.at_edges and found > counted + 1:
        yield (
            f"{kept.at_edges:,} context switches came while the command was being loaded or tasks ended: of these the "
            "kernel counts some"
        )
    if kept.lost:
        yield f"{kept.lost:,} of {kept.read + kept.lost:,} events were lost, and are missing here"
    if kept.others_ns:
        share = human_seconds(Fraction(kept.others_ns, 10**9))
        yield (
            f"others ran on its CPUs for {share} (all CPUs together), which is idle time here; the program had to give "
            f"way to them {kept.preempted:,} times, and its waits for them, "
            f"{human_seconds(Fraction(recording.waited_ns, 10**9))}, were taken off"
        )
    if kept.unseen * _UNSEEN > kept.switches + _UNSEEN:
        yield (
            f"{kept.unseen:,} times a CPU came to a task and the kernel did not say how: interrupts, wakings "
            "and completions of requests are missing there, and such waits keep their recorded time; try --keep-awake"
        )
    if correction.ns_per_line:
        yield (
            f"each line cost {correction.ns_per_line:,} ns ({correction.measured}); "
            f"{human_seconds(Fraction(correction.taken_ns, 10**9))} were taken off the computation of all CPUs"
        )
    else:
        yield "nothing was taken off for the recording's own cost, so computation is an upper bound"
    if correction.clipped_ns:
        missing = human_seconds(Fraction(correction.clipped_ns, 10**9))
        yield f"{missing} more could not be taken off: gaps were shorter than what their lines are said to cost"
    yield from report.notes
    if recording.interrupted:
        yield "interrupted: this is what was recorded until then"


def _last_line(recording: Recording, target: Path) -> str:
    header = recording.stream.header
    return (
        f"{target}: {sum(recording.report.events.values()):,} events of {recording.kept.lines:,} lines, "
        f"{header.vcpus} virtual CPUs, {human_seconds(_seconds(recording))} recorded; next: vmmsim run {target}"
    )


def _data(recording: Recording, target: Path, peak: int, notes: list[str]) -> dict[str, Any]:
    kept, correction = asdict(recording.kept), asdict(recording.correction)
    del kept["times"], kept["others"], kept["idle"], kept["delays"]
    kept["others_ns"] = recording.kept.others_ns
    return {
        "out": str(target),
        "recorded_ns": recording.stream.header.recorded_ns,
        "vcpus": recording.stream.header.vcpus,
        "events": dict(recording.report.events),
        "derived": dict(recording.report.derived),
        "kernel_counted": {kind: counted for kind, (counted, _) in recording.checks.items()},
        "of_the_program": {kind: number for kind, (_, number) in recording.checks.items()},
        "peak_resident_bytes": peak,
        "missing": {without: list(names) for without, names in recording.missing.items()},
        "lines": kept,
        "overhead": {**correction, "method": str(recording.correction.method)},
        "exit_code": recording.exit_code,
        "interrupted": recording.interrupted,
        "waits_for_others_taken_off_ns": recording.waited_ns,
        "notes": notes,
    }
