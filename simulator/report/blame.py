"""Which event is to blame: for each run beside the baseline's, what it costs more, how often it exits, and for what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction

from rich.table import Table
from rich.text import Text

from simulator.events import BY_CODE, USER_COMPUTE
from simulator.report.exits import EXITS
from simulator.report.tables import Column, Grid, exact, grid_table, human_count, human_ratio
from simulator.result import BreakdownRow, TotalsRow, rounded

_USER = BY_CODE[USER_COMPUTE].name
_LEAST = Fraction(1, 200)  # overhead below this part of the baseline's busy time is nothing to blame anything for


@dataclass(frozen=True, slots=True)
class BlameRow:
    """One run under a model beside the baseline's: a row of blame.csv.

    ``slowdown`` is in total time, ``busy_ratio`` in busy time, which idle time does not hide. ``kernel_percent`` is the
    part of busy time that is not user computation: the guest's kernel, and the VMM. ``exits`` leave the guest for the
    VMM, per second of total time; ``cycles_per_exit`` is what the kinds of event that exit cost more than under the
    baseline, over the exits. ``blamed_event`` is the kind with the most overhead, ``blamed_percent`` its part of all
    that kinds cost more; both are empty where a run costs next to nothing more.
    """

    workload: str
    model: str
    point: str
    slowdown: Decimal
    busy_ratio: Decimal
    kernel_percent: Decimal
    exits: int
    exits_per_second: Decimal
    cycles_per_exit: Decimal | None
    blamed_event: str
    blamed_percent: Decimal | None


COLUMNS = tuple(field.name for field in fields(BlameRow))
_Run = tuple[str, str, str]


@dataclass(slots=True)
class _Costs:
    """What the kinds of event of one run cost, in seconds, and how many exits they have."""

    seconds: dict[str, Fraction]
    exits: Counter[str]

    @property
    def busy(self) -> Fraction:
        """Busy time in seconds."""
        return sum(self.seconds.values(), Fraction(0))


def blame(totals: Sequence[TotalsRow], breakdown: Sequence[BreakdownRow], baseline: str | None) -> list[BlameRow]:
    """Return a row for each run that has a baseline beside it, that of the baseline itself included."""
    costs = _by_run(breakdown)
    return [
        _row(total, costs[total.workload, total.model, total.point], costs[total.workload, baseline, total.point])
        for total in totals
        if baseline is not None
        and total.relative_to_baseline is not None
        and costs.keys() >= {(total.workload, baseline, total.point), (total.workload, total.model, total.point)}
    ]


def _by_run(breakdown: Sequence[BreakdownRow]) -> dict[_Run, _Costs]:
    costs: dict[_Run, _Costs] = {}
    for row in breakdown:
        run = costs.setdefault((row.workload, row.model, row.point), _Costs({}, Counter()))
        run.seconds[row.event] = run.seconds.get(row.event, Fraction(0)) + exact(row.seconds)
        if row.action in EXITS:
            run.exits[row.event] += row.actions
    return costs


def _row(total: TotalsRow, run: _Costs, base: _Costs) -> BlameRow:
    more = {event: seconds - base.seconds.get(event, Fraction(0)) for event, seconds in run.seconds.items()}
    exits = sum(run.exits.values())
    seconds = exact(total.total_seconds)
    clock = exact(total.total_cycles) / seconds if seconds else Fraction(0)
    exiting = sum((more[event] for event in run.exits), Fraction(0))
    event, percent = most_to_blame(more, base.busy)
    assert total.relative_to_baseline is not None, "runs without a baseline have no row"
    return BlameRow(
        workload=total.workload,
        model=total.model,
        point=total.point,
        slowdown=total.relative_to_baseline,
        busy_ratio=rounded(run.busy / base.busy, 6) if base.busy else Decimal(1),
        kernel_percent=rounded(100 * (1 - run.seconds.get(_USER, Fraction(0)) / run.busy), 3)
        if run.busy
        else Decimal(0),
        exits=exits,
        exits_per_second=rounded(exits / seconds, 3) if seconds else Decimal(0),
        cycles_per_exit=rounded(exiting * clock / exits, 3) if exits else None,
        blamed_event=event,
        blamed_percent=percent,
    )


def most_to_blame(more: Mapping[str, Fraction], busy: Fraction) -> tuple[str, Decimal | None]:
    """Return the kind of event with the most overhead, and its part of all overheads, in percent.

    ``more`` are seconds over the baseline's by kind, ``busy`` the baseline's busy time; nothing where that is small.
    """
    overhead = {event: seconds for event, seconds in more.items() if seconds > 0}
    whole = sum(overhead.values(), Fraction(0))
    if whole <= busy * _LEAST:
        return "", None
    event = max(overhead, key=lambda name: (overhead[name], name))
    return event, rounded(100 * overhead[event] / whole, 3)


def blame_grid(rows: Sequence[BlameRow]) -> Grid:
    """Return the rows for people; a column for points only where there are any."""
    pointed = any(row.point for row in rows)
    columns = [Column("workload"), Column("model"), *([Column("point")] if pointed else [])]
    numbers = ("slowdown", "busy", "kernel", "exits/s", "cycles/exit")
    columns += [*(Column(name, numeric=True) for name in numbers), Column("most of it"), Column("share", numeric=True)]
    return Grid(tuple(columns), [tuple(_cells(row, pointed)) for row in rows])


def blame_table(rows: Sequence[BlameRow], baseline: str | None) -> Table:
    """Return the rows as a table for the terminal."""
    table = grid_table(f"What it costs over {baseline}, and for what", blame_grid(rows), grouped=True)
    about = (
        "slowdown is in total time, busy in busy time; kernel is busy time outside user computation; exits leave the "
        "guest for the VMM; most of it: the event that costs most, and its share of all that costs more"
    )
    table.caption = Text(about, style="dim")
    table.caption_justify = "left"
    return table


def _cells(row: BlameRow, pointed: bool) -> Iterator[str]:
    yield from (row.workload, row.model, *([row.point] if pointed else []))
    yield human_ratio(row.slowdown)
    yield human_ratio(row.busy_ratio)
    yield f"{row.kernel_percent:.0f} %"
    yield human_count(round(row.exits_per_second)) if row.exits else ""
    yield human_count(round(row.cycles_per_exit)) if row.cycles_per_exit is not None else ""
    yield row.blamed_event
    yield f"{row.blamed_percent:.0f} %" if row.blamed_percent is not None else ""
