"""How totals hang on costs: derivatives, elasticities, and what each cost's bounds do to a total.

A time is a sum of counts times costs, so its derivative by a cost, in cycles per cycle, is how many of the action were
taken. That is so of the total where nothing waits. Where something waits, counts are still the derivative of the busy
time, as far as the replay went the same way; the total then changes by less, or by more.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from simulator.analysis.evaluate import Evaluator, seconds
from simulator.model import CostModel
from simulator.result import Replayed
from simulator.uncertainty import Form, Range, forms, taken, total


@dataclass(frozen=True, slots=True)
class Derivative:
    """How a time changes with the cost of one action.

    ``count``: in cycles per cycle, for a higher cost where several virtual CPUs end together. ``elasticity``: by
    how many percent for each percent; those of all actions of a total add up to one.
    """

    action: str
    count: int
    elasticity: Fraction


@dataclass(frozen=True, slots=True)
class Swing:
    """The total in seconds with the cost of one action at its low and at its high, all else as it is."""

    action: str
    low: Fraction
    high: Fraction

    @property
    def width(self) -> Fraction:
        """How far the total goes from end to end."""
        return max(self.low, self.high) - min(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """One workload under one model.

    ``of`` says what derivatives are of, and ``why_busy`` why they are not of the total. ``swings`` are of the total,
    the widest first; where something waits, from replays, or from times along the graph of waits, which are the same.
    ``corner``: the total with all costs at their low, as they are, and at their high. ``variance``, in seconds squared:
    of the total, if each cost is uniform between its bounds and independent of the others. Both only where nothing
    waits, and the latter where there is one virtual CPU.
    """

    workload: str
    model: str
    of: Literal["total", "busy"]
    why_busy: str
    total: Fraction
    derivatives: tuple[Derivative, ...]
    swings: tuple[Swing, ...]
    corner: Range | None
    variance: Fraction | None


def sensitivity(evaluator: Evaluator, model: str) -> Sensitivity:
    """Return how a workload's times under a model hang on its costs.

    Raises:
        RunError: a replay cannot end.
    """
    base, priced = evaluator.base(model), evaluator.experiment.models[model]
    why = base.why_replay
    each = [] if why else forms(base.outcome, priced)
    return Sensitivity(
        evaluator.workload,
        model,
        "busy" if why else "total",
        why,
        seconds(base),
        derivatives(base),
        tuple(sorted(_swings(evaluator, base, priced), key=lambda swing: (-swing.width, swing.action))),
        total(each) if each else None,
        variance(each[0]) if len(each) == 1 else None,
    )


def derivatives(replayed: Replayed) -> tuple[Derivative, ...]:
    """Return the derivatives of the total where nothing waits, else of the busy time; the greatest elasticity first."""
    each = taken(replayed.outcome)
    if replayed.why_replay:
        counts = {a: sum(of[a] for of in each) for a in sorted({a for of in each for a in of})}
        whole = replayed.outcome.busy
    else:
        whole = replayed.outcome.makespan
        last = [of for of, cpu in zip(each, replayed.outcome.vcpus, strict=True) if cpu.end == whole]
        counts = {a: max(of[a] for of in last) for a in sorted({a for of in last for a in of})}
    found = [
        Derivative(action, n, Fraction(n * replayed.ticks[action], whole) if whole else Fraction(0))
        for action, n in counts.items()
    ]
    return tuple(sorted(found, key=lambda each: (-each.elasticity, each.action)))


def variance(form: Form) -> Fraction:
    """Return the variance of a busy time with independent, uniform costs: the sum of (high − low)² / 12 of each."""
    return sum(((term.high - term.low) ** 2 for term in form.terms.values()), Fraction(0)) / 12


def uncertain(model: CostModel, replayed: Replayed) -> dict[str, tuple[int, int]]:
    """Return the low and the high, in ticks, of each cost that a replay used and that has them apart."""
    clock = model.costs.clock
    used = {action for of in taken(replayed.outcome) for action in of}
    found = {}
    for action in sorted(used):
        entry = model.costs.entries[action]
        low, high = ((bound or entry.cost).ticks(clock) for bound in (entry.low, entry.high))
        if low != high:
            found[action] = low, high
    return found


def _swings(evaluator: Evaluator, base: Replayed, model: CostModel) -> list[Swing]:
    ends = uncertain(model, base)
    evaluator.expect_costs(model.name, [{action: ticks} for action, bounds in ends.items() for ticks in bounds])
    return [
        Swing(action, *(seconds(evaluator.at_costs(model.name, {action: ticks})) for ticks in bounds))
        for action, bounds in ends.items()
    ]
