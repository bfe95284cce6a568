"""Outcomes that follow from one replay though virtual CPUs wait: timed anew along its graph of waits.

Cells that differ in prices alone share a *structure*. Where there are enough of them the first is traced, and the graph
gives the times of the others, all but those under whose prices rows that meet might change places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from simulator.engine.base import Replay
from simulator.engine.tracing import Graph, is_traceable
from simulator.errors import RunError
from simulator.result import Figures, Replayed, figures_of
from simulator.retime import LEAST_PRICES, Times, timed_again
from simulator.sweep.plan import Cell, digest


@dataclass(frozen=True, slots=True)
class Group:
    """Cells of one structure, one for each of its prices; the first is to be traced. ``key`` is that of its graph."""

    key: str
    cells: tuple[Cell, ...]

    @property
    def base(self) -> Cell:
        """The cell that is traced."""
        return self.cells[0]


def groups(cells: Sequence[Cell]) -> Iterator[Group]:
    """Give the groups among some cells that are worth a graph, and can have one."""
    by_structure: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        if cell.why_replay:
            by_structure.setdefault(cell.structure, {}).setdefault(cell.key, cell)
    for structure, found in by_structure.items():
        group = Group(digest("graph", structure, next(iter(found))), tuple(found.values()))
        if len(found) >= LEAST_PRICES and is_traceable(as_replay(group.base)):
            yield group


def as_replay(cell: Cell) -> Replay:
    """Return what an engine is asked to do for a cell."""
    workload = cell.workload
    return Replay(workload.stream, cell.priced.model, workload.timer_hz, workload.rows)


@dataclass(frozen=True, slots=True)
class Retimed:
    """The outcomes of a group; ``rows`` are those of ``times``, by the key of a cell."""

    base: Replayed
    events: int
    times: Times
    rows: Mapping[str, int]

    @classmethod
    def of(cls, group: Group, base: Replayed, graph: Graph) -> Retimed:
        """Evaluate a graph at all prices of a group; cells that need a replay have no row.

        Raises:
            RunError: the graph does not give the replay that it is of.
        """
        prices = [cell.priced.ticks for cell in group.cells]
        clocks = [cell.priced.unpriced.machine.clock for cell in group.cells]
        try:
            times = timed_again(graph, base.outcome, prices, clocks)
        except RunError as error:
            raise RunError(f"workload '{base.workload}' under '{base.model}': {error}") from None
        return cls(
            base,
            figures_of(base.outcome).events,
            times,
            {group.cells[row].key: row for row in np.flatnonzero(times.holds).tolist()},
        )

    def replayed(self, cell: Cell) -> Replayed:
        """Return what a replay of a cell would be."""
        outcome = self.times.outcome(self.rows[cell.key], self.base.outcome)
        clock = cell.priced.unpriced.machine.clock
        return replace(self.base, clock=clock, ticks=cell.priced.ticks, outcome=outcome)

    def figures(self, cell: Cell) -> Figures:
        """Return what a cell comes to."""
        row = self.rows[cell.key]
        busy, ends = self.times.busy[row].tolist(), self.times.ends[row].tolist()
        return Figures(self.events, max(ends), sum(busy), 0, sum(ends) - sum(busy))
