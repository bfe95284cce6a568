"""How often the guest leaves for its VMM: a table of counts, which no price changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from simulator.report.tables import Column, Grid, grid_table
from simulator.result import BreakdownRow, Result

EXITS = frozenset({"vm_exit", "trap", "callout"})
"""The actions by which the processor leaves the guest's code for the VMM's: of hardware, of direct execution, and of
translated code."""
_EVERY_POINT = "every point"


def exits_grid(breakdown: Sequence[BreakdownRow]) -> Grid:
    """Return the exits of each workload by event, a column for each model that has any; a column for points if any.

    Events stand in the order of their exits under all models together, the most first; the last row has all of them.
    Where a workload has the same exits at every point, they stand there once.
    """
    exits = _once_for_all_points(_counts(breakdown))
    models = list(dict.fromkeys(row.model for row in breakdown if row.action in EXITS and row.actions))
    pointed = any(point for _, point in exits)
    rows = [
        (workload, *([point] if pointed else []), event, *cells)
        for (workload, point), counts in exits.items()
        for event, cells in _events(counts, models)
    ]
    texts = [Column("workload"), *([Column("point")] if pointed else []), Column("event")]
    return Grid((*texts, *(Column(model, numeric=True) for model in models)), rows)


def _counts(breakdown: Sequence[BreakdownRow]) -> dict[tuple[str, str], Counter[tuple[str, str]]]:
    """Return the exits by event and model of each workload at each point, also where there are none."""
    exits: dict[tuple[str, str], Counter[tuple[str, str]]] = {}
    for row in breakdown:
        counts = exits.setdefault((row.workload, row.point), Counter())
        if row.action in EXITS:
            counts[row.event, row.model] += row.actions
    return exits


def _once_for_all_points(
    exits: dict[tuple[str, str], Counter[tuple[str, str]]],
) -> dict[tuple[str, str], Counter[tuple[str, str]]]:
    of_workload: dict[str, list[Counter[tuple[str, str]]]] = {}
    for (workload, _), counts in exits.items():
        of_workload.setdefault(workload, []).append(counts)
    same = {name for name, every in of_workload.items() if len(every) > 1 and all(each == every[0] for each in every)}
    return {(name, _EVERY_POINT if name in same else point): counts for (name, point), counts in exits.items()}


def _events(counts: Counter[tuple[str, str]], models: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return the cells of one workload by event."""
    totals = Counter[str]()
    for (event, _), exits in counts.items():
        totals[event] += exits
    rows = [(event, [counts[event, model] for model in models]) for event, _ in totals.most_common() if totals[event]]
    every = [sum(column) for column in zip(*(cells for _, cells in rows), strict=True)]
    return [(event, [f"{exits:,}" for exits in cells]) for event, cells in [*rows, ("all", every)] if cells]


def without_exits(result: Result, grid: Grid) -> str:
    """Return the names of the models under which nothing exits, or nothing."""
    exiting = {column.heading for column in grid.columns if column.numeric}
    return ", ".join(dict.fromkeys(row.model for row in result.totals if row.model not in exiting))


def exits_for_totals(result: Result) -> bool:
    """Return whether exits are shown in place of totals: no time means anything, and there are counts."""
    return result.counts_alone and bool(result.breakdown)


def exits_table(result: Result) -> Table | str:
    """Return the exits as a table for the terminal, or words where there are none."""
    grid = exits_grid(result.breakdown)
    never = without_exits(result, grid)
    if not grid.rows:
        return f"no exits under {never}"
    table = grid_table("Exits, by event", grid, grouped=True)
    table.caption = Text("exits leave the guest for the VMM" + (f"; none under {never}" if never else ""), style="dim")
    table.caption_justify = "left"
    return table
