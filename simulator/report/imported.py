"""What `vmmsim import` prints: what became of each line, and what a trace of exits measured of the VMM itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from fractions import Fraction
from pathlib import Path

from rich.table import Table

from simulator.report.tables import Column, Grid, grid_table, human_seconds
from simulator.report.view import View
from simulator.stream import Header
from simulator.workload.importers.kvm_stat import KvmStat, report
from simulator.workload.importers.perf import ImportReport


def import_report(lines: ImportReport, header: Header, target: Path) -> View:
    """Show what became of each line of a recording; of exits, how long each took by reason."""
    rows = [
        ("events", name, f"{n:,}", derived_in_words(lines.derived.get(name, 0), n)) for name, n in lines.events.items()
    ]
    rows += [("lines without an event", name, f"{n:,}", "") for name, n in lines.without_event.items()]
    rows += [("UNKNOWN lines", name, f"{n:,}", "") for name, n in lines.unknown.items()]
    table = Grid((Column(""), Column("name"), Column("number", numeric=True), Column("")), rows)
    text = (
        f"{target}: {sum(lines.events.values()):,} events of {lines.lines:,} lines, {header.vcpus} virtual CPUs, "
        f"{human_seconds(Fraction(header.recorded_ns, 10**9))} recorded"
    )
    data = {field.name: getattr(lines, field.name) for field in fields(lines)}
    readable = {name: dict(value) if isinstance(value, Mapping) else value for name, value in data.items()}
    notes = tuple(f"note: {note}" for note in lines.notes)
    exits = header.provenance.get("exits")
    parts = (grid_table("Imported", table), *((_exits_table(exits),) if exits else ()), *notes, text)
    return View(parts, {"out": str(target), **readable, **({"exits": exits} if exits else {})})


def derived_in_words(derived: int, events: int) -> str:
    """Tell how many events of a kind no line told by itself.

    >>> derived_in_words(0, 5), derived_in_words(5, 5), derived_in_words(1, 1210)
    ('', 'derived', '1 derived')
    """
    return "" if not derived else "derived" if derived == events else f"{derived:,} derived"


def _exits_table(exits: Mapping[str, Mapping[str, int]]) -> Table:
    """Show exits by reason, and the time from each to the next entry, which is no part of the stream."""
    rows = [(name, f"{n['exits']:,}", *_times(n)) for name, n in exits.items()]
    columns = (Column("reason"), *(Column(name, numeric=True) for name in ("exits", "until the entry", "each")))
    return grid_table("Exits, and the time of host and VMM until the next entry", Grid(columns, rows))


def _times(numbers: Mapping[str, int]) -> tuple[str, str]:
    """Return the time of all exits that an entry followed, and of one of them."""
    total, served = Fraction(numbers["host_ns"], 10**9), numbers["served"]
    return human_seconds(total), human_seconds(total / served) if served else ""


def kvm_stat_report(stat: KvmStat, target: Path, computation: int | None) -> View:
    """Show what became of a table of exits."""
    found = report(stat)
    parts = {"events": found.events, "samples without an event": found.without_event, "UNKNOWN names": found.unknown}
    rows = [(part, name, f"{count:,}") for part, counts in parts.items() for name, count in counts.items()]
    table = Grid((Column(""), Column("name"), Column("number", numeric=True)), rows)
    samples = sum(row.samples for row in stat.rows)
    computed = (
        f"{human_seconds(Fraction(computation, 10**9))} of computation"
        if computation is not None
        else "no computation, as the table tells none (--duration does)"
    )
    text = f"{target}: {sum(found.events.values()):,} events of {samples:,} samples; {computed}"
    data = {"out": str(target), "samples": samples, "computation_ns": computation, **asdict(found)}
    return View((grid_table("Imported", table), *(f"note: {note}" for note in found.notes), text), data)
