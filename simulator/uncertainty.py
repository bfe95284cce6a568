"""What times can be while each cost lies anywhere between its low and its high: exact, where nothing waits.

A busy time is a sum of counts times costs, so its extremes lie at corners: each cost at one of its bounds. A cost that
two models share (the same action, value, bounds and source) is one quantity, and has the same value in both. All
extremes here are those of one virtual CPU beside another; for several, where the longest makes the total, they are
bounds that the total cannot leave, and may not reach.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from simulator.costs import CostEntry
from simulator.engine.base import Outcome
from simulator.model import CostModel
from simulator.result import Replayed, UncertaintyRow, exact_cycles, exact_seconds, rounded

Key = tuple[str, CostEntry]
"""What makes two costs one quantity: the action, and all that is known of its cost."""


class Range(NamedTuple):
    """A value at the costs as they are, and how low and how high it can be."""

    low: Fraction
    nominal: Fraction
    high: Fraction


@dataclass(frozen=True, slots=True)
class Form:
    """The busy time of one virtual CPU in seconds: what each cost has in it, at its low, as it is, and at its high."""

    terms: dict[Key, Range]

    def less(self, other: Form) -> Range:
        """Return this time less the other, and its extremes over all costs within their bounds."""
        nothing = Range(Fraction(0), Fraction(0), Fraction(0))
        low = nominal = high = Fraction(0)
        for key in self.terms.keys() | other.terms.keys():
            mine, theirs = self.terms.get(key, nothing), other.terms.get(key, nothing)
            ends = mine.low - theirs.low, mine.high - theirs.high
            low, high = low + min(ends), high + max(ends)
            nominal += mine.nominal - theirs.nominal
        return Range(low, nominal, high)


NO_TIME = Form({})


def bounds(entry: CostEntry, model: CostModel) -> tuple[int, int, int]:
    """Return a cost in ticks: its low, itself, its high; where a bound is not known, the cost is the bound."""
    clock = model.costs.clock
    cost = entry.cost.ticks(clock)
    low, high = (bound.ticks(clock) if bound is not None else cost for bound in (entry.low, entry.high))
    return low, cost, high


def taken(outcome: Outcome) -> list[Counter[str]]:
    """Return how many of each action each virtual CPU took, whatever the event."""
    sums = []
    for counts in outcome.vcpu_counts:
        actions: Counter[str] = Counter()
        for (_, action), n in counts.actions.items():
            actions[action] += n
        sums.append(actions)
    return sums


def forms(outcome: Outcome, model: CostModel, without: Collection[str] = ()) -> list[Form]:
    """Return the busy time of each virtual CPU, leaving out some actions."""
    per_second = model.machine.clock.ticks_per_second
    return [
        Form(
            {
                (action, entry): Range(*(Fraction(n * ticks, per_second) for ticks in bounds(entry, model)))
                for action, n in actions.items()
                if action not in without
                for entry in [model.costs.entries[action]]
            }
        )
        for actions in taken(outcome)
    ]


def total(mine: Sequence[Form]) -> Range:
    """Return the time of the virtual CPU that ends last, in seconds."""
    each = [form.less(NO_TIME) for form in mine]
    return Range(*(max(values) for values in zip(*each, strict=True)))


def ratio(mine: Sequence[Form], base: Sequence[Form]) -> Range | None:
    """Return the ratio of two times with its extremes; None where the other can be no time at all.

    Of one virtual CPU each, the extremes are found by Dinkelbach's method: at a ratio r, the corner at which
    mine − r · base is greatest has a ratio at least as great as r, and after finitely many corners none has.
    """
    busy = [form for form in base if form.less(NO_TIME).high]
    if not busy or any(form.less(NO_TIME).low <= 0 for form in busy):
        return None
    each = [[_extremes(over, under) for under in busy] for over in mine]
    return Range(*(max(min(found[i] for found in row) for row in each) for i in range(3)))


def row(
    replayed: Replayed, model: CostModel, base: Replayed | None, base_model: CostModel | None
) -> UncertaintyRow | None:
    """Return between what the total of a replay lies; None if something waits, or if it is certain, as is its ratio.

    ``base`` is the replay of the baseline, if there is one.
    """
    if replayed.why_replay:
        return None
    mine = forms(replayed.outcome, model)
    whole, relative = total(mine), None
    if base is not None and base_model is not None and not base.why_replay:
        relative = ratio(mine, forms(base.outcome, base_model))
    costs = len({key for form in mine for key, term in form.terms.items() if term.low != term.high})
    if not costs and (relative is None or relative.low == relative.high):
        return None
    clock = replayed.clock
    busy = [sum(form.less(NO_TIME)[end] for form in mine) for end in (0, 2)]
    ticks = [int(seconds * clock.ticks_per_second) for seconds in (whole.low, whole.high, *busy)]
    return UncertaintyRow(
        replayed.workload,
        replayed.model,
        replayed.point,
        costs,
        *map(exact_cycles, ticks[:2]),
        *(exact_seconds(end, clock) for end in ticks[:2]),
        *map(exact_cycles, ticks[2:]),
        *([None, None] if relative is None else [rounded(relative.low, 12), rounded(relative.high, 12)]),
    )


def _extremes(over: Form, under: Form) -> Range:
    nominal = over.less(NO_TIME).nominal / under.less(NO_TIME).nominal
    return Range(_dinkelbach(over, under, nominal, -1), nominal, _dinkelbach(over, under, nominal, 1))


def _dinkelbach(over: Form, under: Form, start: Fraction, sign: int) -> Fraction:
    best = start
    while True:
        above = below = Fraction(0)
        for a, b in _corner(over, under, best, sign):
            above, below = above + a, below + b
        if above / below == best:
            return best
        best = above / below


def _corner(over: Form, under: Form, times: Fraction, sign: int) -> Iterator[tuple[Fraction, Fraction]]:
    """Yield what each cost has in both, at the bound where its part of over − times · under is greatest (or least)."""
    nothing = Range(Fraction(0), Fraction(0), Fraction(0))
    for key in over.terms.keys() | under.terms.keys():
        a, b = over.terms.get(key, nothing), under.terms.get(key, nothing)
        yield max(((a.low, b.low), (a.high, b.high)), key=lambda ends: sign * (ends[0] - times * ends[1]))
