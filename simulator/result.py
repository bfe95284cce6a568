"""Results of a run: rows of exact numbers, with what is needed to understand them. Nothing here is a float."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from simulator.actions import ActionCounts
from simulator.engine.base import Outcome
from simulator.events import ACTIVITY_KINDS
from simulator.units import TICKS_PER_CYCLE, Clock, cycles
from simulator.workload.untold import FALSE_TIMES

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 2
"""Of result.json. Version 2 holds the counts of each replay (``replays``) and the names of its ``sources``."""


@dataclass(frozen=True, slots=True)
class TotalsRow:
    """One replay: a row of totals.csv.

    ``total`` is the makespan; busy, wait and idle are sums over the virtual CPUs. ``events`` does not count what
    goes on between operations: computation, touched pages, pieces of code, TLB misses. ``relative_to_baseline`` is in
    time, as the clocks of two models may differ.
    """

    workload: str
    model: str
    machine: str
    point: str
    events: int
    total_cycles: Decimal
    total_seconds: Decimal
    busy_cycles: Decimal
    wait_cycles: Decimal
    idle_cycles: Decimal
    relative_to_baseline: Decimal | None

    def at(self, point: str) -> TotalsRow:
        """Return the same row at another point of a sweep."""
        return TotalsRow(
            self.workload,
            self.model,
            self.machine,
            point,
            self.events,
            self.total_cycles,
            self.total_seconds,
            self.busy_cycles,
            self.wait_cycles,
            self.idle_cycles,
            self.relative_to_baseline,
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """What one replay comes to: events, and times in ticks; all but the makespan are sums over the virtual CPUs."""

    events: int
    makespan: int
    busy: int
    waiting: int
    idle: int

    def row(
        self,
        workload: str,
        model: str,
        machine: str,
        clock: Clock,
        *,
        baseline: tuple[int, Clock] | None = None,
    ) -> TotalsRow:
        """Return the row of totals.csv, for no point; ``baseline`` is the makespan of the baseline, and its clock."""
        relative = None
        if baseline and baseline[0]:
            mine, others = self.makespan * baseline[1].mhz, baseline[0] * clock.mhz
            relative = rounded(Fraction(mine, others), 12)
        return TotalsRow(
            workload=workload,
            model=model,
            machine=machine,
            point="",
            events=self.events,
            total_cycles=exact_cycles(self.makespan),
            total_seconds=exact_seconds(self.makespan, clock),
            busy_cycles=exact_cycles(self.busy),
            wait_cycles=exact_cycles(self.waiting),
            idle_cycles=exact_cycles(self.idle),
            relative_to_baseline=relative,
        )


def figures_of(outcome: Outcome) -> Figures:
    """Return the figures of an outcome."""
    waiting, idle = sum(cpu.waiting for cpu in outcome.vcpus), sum(cpu.idle for cpu in outcome.vcpus)
    return Figures(operations(outcome.counts), outcome.makespan, outcome.busy, waiting, idle)


def operations(counts: ActionCounts) -> int:
    """Return the operations of the guest: what goes on between them does not count."""
    return sum(n for kind, n in counts.events.items() if kind not in ACTIVITY_KINDS)


@dataclass(frozen=True, slots=True)
class BreakdownRow:
    """What the actions of one name cost in the events of one kind: a row of breakdown.csv.

    ``actions`` of ``compute`` are native nanoseconds; ``events`` of a kind of computation are stretches.
    """

    workload: str
    model: str
    point: str
    event: str
    action: str
    events: int
    actions: int
    cycles: Decimal
    seconds: Decimal


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """A published figure beside the modelled one: a row of comparison.csv; the error is in percent of the published.

    ``status`` is the reference's: input, fitted or predicted; behind it stands ``, changed`` where an override touched
    the workload, the model, or the baseline that the figure is relative to.
    """

    workload: str
    model: str
    quantity: str
    published: Decimal
    modelled: Decimal
    error_percent: Decimal | None
    status: str
    source: str


@dataclass(frozen=True, slots=True)
class UncertaintyRow:
    """Between what a total lies while each cost lies between its low and its high: a row of uncertainty.csv.

    These are worst cases, all costs at a bound together, not a confidence. There is a row for each replay in which
    nothing waits, if a cost that it or the baseline used has bounds; ``costs`` is how many it used itself. ``relative``
    is empty where the baseline waits; costs that both share have the same value in both.
    """

    workload: str
    model: str
    point: str
    costs: int
    total_low_cycles: Decimal
    total_high_cycles: Decimal
    total_low_seconds: Decimal
    total_high_seconds: Decimal
    busy_low_cycles: Decimal
    busy_high_cycles: Decimal
    relative_low: Decimal | None
    relative_high: Decimal | None


Row = TotalsRow | BreakdownRow | ComparisonRow | UncertaintyRow


@dataclass(frozen=True, slots=True)
class Replayed:
    """One replay: what happened, counted by virtual CPU, and what that was priced with.

    ``ticks`` is the cost of one action, for each action that the model can take, in ticks of ``clock``. ``why_replay``
    says why other prices need a replay; it is empty where they do not: there the counts hold whatever the prices are,
    and each virtual CPU ends when it has been busy for what they come to (``reprice.py``). ``why_recount`` says why
    other prices may change the counts, too; where it is empty, busy times follow from them even if something waits.
    """

    workload: str
    model: str
    point: str
    machine: str
    clock: Clock
    outcome: Outcome
    ticks: Mapping[str, int]
    why_replay: str
    why_recount: str


@dataclass(frozen=True, slots=True)
class Result:
    """All that came of one experiment.

    ``remarks`` are what references say of themselves. ``sources`` are the kinds of event by the name under which
    references to overhead take them together, in their order. ``replays`` are in the order of ``totals``.
    """

    title: str
    description: str
    baseline: str | None
    plots: tuple[str, ...]
    totals: tuple[TotalsRow, ...]
    breakdown: tuple[BreakdownRow, ...]
    comparison: tuple[ComparisonRow, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    remarks: tuple[str, ...]
    sources: Mapping[str, tuple[str, ...]]
    replays: tuple[Replayed, ...]
    metadata: Mapping[str, Any]
    uncertainty: tuple[UncertaintyRow, ...] = ()

    @property
    def false_times(self) -> Mapping[str, str]:
        """Whose the times of workloads are that are those of no machine, by the workload's name."""
        return {name: str(whose) for name, whose in self.metadata.get(FALSE_TIMES, {}).items()}

    @property
    def counts_alone(self) -> bool:
        """Whether only counts mean something: no workload has the times of a machine."""
        return bool(self.false_times) and all(row.workload in self.false_times for row in self.totals)


def frame(rows: Sequence[Row], kind: type[Row]) -> pd.DataFrame:
    """Return rows as a DataFrame with the columns of their CSV file (decimals stay exact)."""
    import pandas as pd

    names = [field.name for field in fields(kind)]
    return pd.DataFrame([[getattr(row, name) for name in names] for row in rows], columns=names)


def exact_cycles(ticks: int) -> Decimal:
    """Return ticks as an exact number of cycles."""
    return Decimal(cycles(ticks))


def exact_seconds(ticks: int, clock: Clock) -> Decimal:
    """Return ticks as seconds, to the picosecond."""
    return Decimal(clock.seconds(ticks))


def cycles_per_event(busy_ticks: int, events: int) -> Fraction:
    """Return busy cycles over events, exactly."""
    return Fraction(busy_ticks, TICKS_PER_CYCLE * events)


def in_words(quantity: str) -> str:
    """Return the name of a quantity for people; what it is of keeps its name.

    >>> in_words("overhead_seconds of page_fault")
    'overhead seconds of page_fault'
    """
    name, of, events = quantity.partition(" of ")
    return name.replace("_", " ") + of + events


def rounded(value: Fraction, places: int) -> Decimal:
    """Return a fraction as a decimal, rounded half to even, without trailing zeros.

    >>> rounded(Fraction(-2, 3), 4)
    Decimal('-0.6667')
    >>> rounded(Fraction(1200), 4)
    Decimal('1200')
    """
    scaled = round(value * 10**places)
    text = f"{Decimal(scaled).scaleb(-places):f}"
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)
