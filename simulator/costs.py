"""Cost tables, and the one pure function that prices action counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from simulator.actions import ActionCounts
from simulator.errors import ModelError, did_you_mean
from simulator.events import BY_CODE
from simulator.units import Clock, Cost


@dataclass(frozen=True, slots=True)
class CostEntry:
    """What one action costs, how that is known, and between which bounds it lies.

    ``status`` is ``published`` (read in the source), ``derived`` (computed from published figures, by subtraction or
    otherwise), ``assumed`` (bounded by argument, not measured) or ``fitted``.
    """

    cost: Cost
    source: str
    status: str
    low: Cost | None = None
    high: Cost | None = None


@dataclass(frozen=True, slots=True)
class CostTable:
    """The cost of each action of a model, and the clock that turns times into ticks."""

    entries: Mapping[str, CostEntry]
    clock: Clock

    def ticks(self, action: str) -> int:
        """Return the cost of one action in ticks.

        Raises:
            ModelError: the table has no such action; the message names the nearest.
        """
        return self.entry(action).cost.ticks(self.clock)

    def entry(self, action: str) -> CostEntry:
        """Return what one action costs; see ``ticks``."""
        try:
            return self.entries[action]
        except KeyError:
            near = did_you_mean(action, self.entries)
            raise ModelError(f"the action '{action}' has no cost{near}") from None


def ticks_of_all(tables: Iterable[CostTable], actions: Sequence[str]) -> list[list[int]]:
    """Return the costs of actions under each of many tables in ticks.

    What a table shares with the one before, as those of a sweep do, is not turned into ticks again.

    Raises:
        ModelError: a table lacks an action.
    """
    rows, ticks = [], [0] * len(actions)
    before: list[CostEntry | None] = [None] * len(actions)
    clock = None
    for table in tables:
        if table.clock != clock:
            clock, before = table.clock, [None] * len(actions)
        ticks = ticks.copy()
        for i, action in enumerate(actions):
            entry = table.entry(action)
            if entry is not before[i]:
                before[i], ticks[i] = entry, entry.cost.ticks(table.clock)
        rows.append(ticks)
    return rows


@dataclass(frozen=True, slots=True)
class Share:
    """One cell of a breakdown: what the actions of one name cost in the events of one kind."""

    event: str
    action: str
    events: int
    actions: int
    ticks: int


def price(counts: ActionCounts, table: CostTable) -> tuple[Share, ...]:
    """Price counts: one share for each (event kind, action), in the order of event codes, then action names.

    Raises:
        ModelError: an action has no cost.
    """
    return tuple(
        Share(BY_CODE[kind].name, action, counts.events[kind], n, n * table.ticks(action))
        for (kind, action), n in sorted(counts.actions.items())
    )
