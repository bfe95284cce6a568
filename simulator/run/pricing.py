"""One replay and its price, and the rows of a result that come of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction

from simulator import uncertainty
from simulator.costs import Share, price
from simulator.engine.base import Engine, Outcome
from simulator.errors import RunError
from simulator.jobs import outcomes
from simulator.model import CostModel
from simulator.reprice import why_recount, why_replay
from simulator.result import (
    BreakdownRow,
    Replayed,
    TotalsRow,
    UncertaintyRow,
    exact_cycles,
    exact_seconds,
    figures_of,
    operations,
)
from simulator.spec.build import Workload


@dataclass(frozen=True, slots=True)
class Run:
    """One replay and its price."""

    workload: Workload
    model: CostModel
    outcome: Outcome
    shares: tuple[Share, ...]

    @property
    def seconds(self) -> Fraction:
        """How long it took from start to end."""
        return Fraction(self.outcome.makespan, self.model.machine.clock.ticks_per_second)

    def busy_seconds(self, kinds: Collection[str]) -> Fraction:
        """Return the busy time, in all or in events of some kinds."""
        ticks = sum(share.ticks for share in self.shares if not kinds or share.event in kinds)
        return Fraction(ticks, self.model.machine.clock.ticks_per_second)

    @property
    def events(self) -> int:
        """Operations of the guest: what goes on between them does not count."""
        return operations(self.outcome.counts)

    @property
    def replayed(self) -> Replayed:
        """What a result keeps of the replay."""
        model, machine = self.model, self.model.machine
        ticks, whys = model.start().ticks, (why_replay(self.workload, model), why_recount(self.workload, model))
        return Replayed(self.workload.name, model.name, "", machine.name, machine.clock, self.outcome, ticks, *whys)


def replay(engine: Engine, workload: Workload, model: CostModel) -> Run:
    """Replay one workload under one model, and price it.

    Raises:
        RunError: the replay cannot end.
        ModelError: the model cannot price the workload after all.
    """
    return priced(workload, model, outcomes(engine, workload, [model])[0])


def priced(workload: Workload, model: CostModel, outcome: Outcome) -> Run:
    """Price what came of a workload under a model.

    Raises:
        RunError: the breakdown does not add up to the busy time.
        ModelError: an action has no cost.
    """
    shares = price(outcome.counts, model.costs)
    if sum(share.ticks for share in shares) != outcome.busy:
        raise RunError(f"the breakdown of '{workload.name}' under '{model.name}' does not add up to its busy time")
    return Run(workload, model, outcome, shares)


def totals_row(run: Run, baseline: Run | None) -> TotalsRow:
    """Return the row of totals.csv for a run; the baseline's is that of the same workload."""
    name, machine = run.model.name, run.model.machine
    times = (baseline.outcome.makespan, baseline.model.machine.clock) if baseline else None
    return figures_of(run.outcome).row(run.workload.name, name, machine.name, machine.clock, baseline=times)


def uncertainty_row(run: Run, baseline: Run | None) -> UncertaintyRow | None:
    """Return between what the total lies while each cost lies between its bounds, where that takes no replay."""
    base = (baseline.replayed, baseline.model) if baseline else (None, None)
    return uncertainty.row(run.replayed, run.model, *base)


def breakdown_rows(run: Run, point: str = "") -> Iterator[BreakdownRow]:
    """Give the rows of breakdown.csv for a run."""
    clock = run.model.machine.clock
    for share in run.shares:
        yield BreakdownRow(
            workload=run.workload.name,
            model=run.model.name,
            point=point,
            event=share.event,
            action=share.action,
            events=share.events,
            actions=share.actions,
            cycles=exact_cycles(share.ticks),
            seconds=exact_seconds(share.ticks, clock),
        )
