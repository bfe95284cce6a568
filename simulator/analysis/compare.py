"""Several results side by side, relative to the first that has a run; what cannot be compared is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from simulator.analysis.differences import Difference, differences
from simulator.errors import InputError
from simulator.result import Result, TotalsRow, rounded
from simulator.units import TICKS_PER_CYCLE
from simulator.workload.untold import times_notes

_MOST = 4
"""Differences of a model that are named; the rest is a number."""


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One run of one result; ``relative_to_first`` is its total time over that in the first result that has the run."""

    workload: str
    model: str
    point: str
    result: str
    total_cycles: Decimal
    total_seconds: Decimal
    busy_cycles: Decimal
    wait_cycles: Decimal
    idle_cycles: Decimal
    relative_to_first: Decimal | None


@dataclass(frozen=True, slots=True)
class Compared:
    """Results side by side: their labels in the order given, a row for each run, and what differs between them."""

    labels: tuple[str, ...]
    rows: tuple[ComparedRow, ...]
    notes: tuple[str, ...]


def compare(results: Mapping[str, Result]) -> Compared:
    """Set results side by side, by their labels.

    Models of one name may differ: notes say in what.

    Raises:
        InputError: results cannot be compared; a line for each reason.
    """
    if len(results) < 2:
        raise InputError("expected two results or more to compare")
    reasons = list(dict.fromkeys(_reasons(results)))
    if reasons:
        raise InputError("\n".join(f"cannot be compared: {reason}" for reason in reasons))
    return Compared(tuple(results), tuple(_rows(results)), tuple(dict.fromkeys(_notes(results))))


def _rows(results: Mapping[str, Result]) -> Iterator[ComparedRow]:
    """Yield runs grouped by workload and model, in the order in which they first occur."""
    runs: dict[tuple[str, str, str], dict[str, TotalsRow]] = {}
    for label, result in results.items():
        for row in result.totals:
            runs.setdefault((row.workload, row.model, row.point), {})[label] = row
    workloads = list(dict.fromkeys(workload for workload, _, _ in runs))
    for key, found in sorted(runs.items(), key=lambda run: workloads.index(run[0][0])):
        exact = {label: _seconds(results[label], row) for label, row in found.items()}
        first = next(iter(exact.values()))
        for label, row in found.items():
            relative = rounded(exact[label] / first, 12) if first else None
            times = row.total_cycles, row.total_seconds, row.busy_cycles, row.wait_cycles, row.idle_cycles
            yield ComparedRow(*key, label, *times, relative)


def _seconds(result: Result, row: TotalsRow) -> Fraction:
    """Return the total time exactly: the clock is that of the replay."""
    key = (row.workload, row.model, row.point)
    for replayed in result.replays:
        if (replayed.workload, replayed.model, replayed.point) == key:
            return Fraction(row.total_cycles) * TICKS_PER_CYCLE / replayed.clock.ticks_per_second
    return Fraction(row.total_seconds)


def _reasons(results: Mapping[str, Result]) -> Iterator[str]:
    """Give why results cannot be compared; each workload is held against the first result that has it."""
    first, *_ = results
    version = results[first].metadata["schema_version"]
    seen: dict[str, str] = {}
    points = dict.fromkeys(row.point for row in results[first].totals)
    for label, result in results.items():
        if not any(row.point in points for row in result.totals):
            yield f"{label} has no point of {first}: {_points(results[first])}, {_points(result)}"
        mine = result.metadata["schema_version"]
        if mine != version:
            yield f"{first} is of schema version {version}, {label} of {mine}: run the older one again"
        workloads = dict.fromkeys(row.workload for row in result.totals)
        if seen and not workloads.keys() & seen.keys():
            yield f"{label} has no workload of those before it: it has {_listed(workloads)}, they have {_listed(seen)}"
        for workload in workloads:
            other = seen.setdefault(workload, label)
            if other != label:
                yield from _different_workload(workload, (other, results[other]), (label, result))


def _points(result: Result) -> str:
    points = dict.fromkeys(row.point for row in result.totals if row.point)
    return (
        f"one is a sweep over {', '.join(result.metadata['sweep']['over'])}" if points else "one is a run, at no point"
    )


def _different_workload(name: str, old: tuple[str, Result], new: tuple[str, Result]) -> Iterator[str]:
    (first, before), (second, after) = old, new
    trees = [result.metadata["experiment"]["workloads"][name] for result in (before, after)]
    found = next(differences({"workload": trees[0]}, {"workload": trees[1]}), None)
    if found and found.path != ("workload", "recording"):
        values = f"{_said(found.before)} in {first}, {_said(found.after)} in {second}"
        yield f"the workload '{name}' differs: {found.name} is {values}"
    rows = [result.metadata["inputs"]["recordings_sha256"].get(name) for result in (before, after)]
    if rows[0] != rows[1]:
        yield f"the workload '{name}' is of another recording in {second} than in {first}: their rows differ"
    headers = [result.metadata["inputs"].get("headers_sha256", {}).get(name) for result in (before, after)]
    if None not in headers and headers[0] != headers[1]:
        yield (
            f"the workload '{name}' is of another recording in {second} than in {first}: their headers differ, in "
            "devices or in the recorded time"
        )
    seeds = [result.metadata["seed"] for result in (before, after)]
    if seeds[0] != seeds[1] and None in rows:
        yield (
            f"the seed is {seeds[0]} in {first} and {seeds[1]} in {second}, and '{name}' is no recording: "
            f"run one again with --set seed={seeds[0]}"
        )


def _notes(results: Mapping[str, Result]) -> Iterator[str]:
    """Say whose the times are if no machine's, and what differs, and may: models of one name, the code that ran."""
    yield from times_notes({name: whose for each in results.values() for name, whose in each.false_times.items()})
    seen: dict[str, str] = {}
    first, *_ = results
    for label, result in results.items():
        codes = [each.metadata["tool"].get("code_sha256") for each in (results[first], result)]
        if codes[0] != codes[1]:
            yield f"other code of vmmsim made {label} than {first}: differences may be its doing"
        for model in dict.fromkeys(row.model for row in result.totals):
            other = seen.setdefault(model, label)
            trees = [each.metadata["experiment"]["models"][model] for each in (results[other], result)]
            found = list(differences({"model": trees[0]}, {"model": trees[1]}))
            if found:
                yield f"{model} in {label} is not that in {other}: {_changes(found)}"


def _changes(found: list[Difference]) -> str:
    named = [f"{d.name} {_said(d.before)} -> {_said(d.after)}" for d in found[:_MOST]]
    return "; ".join([*named, *([f"{len(found) - _MOST} more"] if len(found) > _MOST else [])])


def _said(value: str) -> str:
    return value or "not there"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
