"""The value of a parameter at which a workload costs the same under two models.

Where the parameter is the cost of some actions, and nothing waits, times are straight lines of it, and so are their
extremes over all other costs: break-even is solved exactly, from the counts. Elsewhere a range is scanned with replays,
or with times along the graph of waits of one, which are as exact, and each change of sign is closed in on, to the least
step of the parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from simulator.analysis.evaluate import Evaluator
from simulator.analysis.lines import Interval, Line, MaxMin, between
from simulator.analysis.parameter import Parameter
from simulator.errors import InputError
from simulator.events import ACTIVITY_KINDS
from simulator.result import Replayed
from simulator.spec.build import Experiment
from simulator.uncertainty import NO_TIME, forms, taken

CURVE_POINTS = 33
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where two models cost the same: from ``low`` to ``high``, which are equal where it is one value.

    Where it was bracketed they are the two neighbouring values between which the difference changes its sign, or one
    value where it is zero. ``value`` is the one to set: the nearest step. There ``gap_seconds`` is the first model's
    time less the second's, which is zero up to the rounding of costs to ticks.
    """

    low: Fraction
    high: Fraction
    value: Fraction
    gap_seconds: Fraction


@dataclass(frozen=True, slots=True)
class Point:
    """The times of the two models at a value, in seconds, and their extremes where the costs are uncertain."""

    value: Fraction
    seconds: tuple[Fraction, Fraction]
    spread: tuple[Interval, Interval] | None = None


@dataclass(frozen=True, slots=True)
class BreakEven:
    """What was found for one workload.

    ``why_replayed`` says why the times are no straight lines of the parameter; empty where they are, and all is exact.
    ``possible`` is where break-even can lie while every other cost lies between its bounds; None where it is unknown.
    ``slope``: by how much the first model's time less the second's grows with each unit; None where it is no one line.
    ``curve`` has the times, in order of values, the ends of the range first and last. ``replays`` is how many it took,
    ``retimed`` how many it did without, as times along the graph of waits of one of them.
    """

    workload: str
    models: Pair
    parameter: Parameter
    why_replayed: str
    crossings: tuple[Crossing, ...]
    possible: tuple[Interval, ...] | None
    slope: Fraction | None
    curve: tuple[Point, ...]
    events: int
    replays: int
    retimed: int = 0

    def difference(self, end: int) -> Fraction:
        """Return the first model's time less the second's, in seconds, at a place of the curve."""
        first, second = self.curve[end].seconds
        return first - second


def pair_of(experiment: Experiment, models: Pair | None) -> Pair:
    """Return the two models to compare: those named, or the only two that are not the baseline, or the only two.

    Raises:
        InputError: no such model, or it is not clear which two are meant.
    """
    known = list(experiment.models)
    if models is not None:
        for name in models:
            if name not in known:
                raise InputError(f"the experiment has no model '{name}'; it has {', '.join(known)}")
        if models[0] == models[1]:
            raise InputError(f"expected two models, found '{models[0]}' twice")
        return models
    others = [name for name in known if name != experiment.spec.baseline]
    two = known if len(known) == 2 else others
    if len(two) != 2:
        raise InputError(f"which two models? Name them with --models; the experiment has {', '.join(known)}")
    return two[0], two[1]


def break_even(evaluator: Evaluator, models: Pair, scan: int = 16) -> BreakEven:
    """Find where two models cost the same; ``scan`` is into how many parts a range is cut if it takes replays.

    Raises:
        InputError: neither model changes with the parameter, or a value in the range cannot stand at its path.
        RunError: a replay cannot end.
    """
    (moved,) = evaluator.parameters
    check_touched(moved, models)
    why = why_not_linear(evaluator, models)
    return _scanned(evaluator, models, moved, why, scan) if why else _solved(evaluator, models, moved)


def check_touched(moved: Parameter, models: Pair) -> None:
    """Refuse a parameter that neither model has.

    Raises:
        InputError: says so.
    """
    if not any(map(moved.touches, models)):
        raise InputError(f"{moved.path}: is no parameter of {models[0]} nor of {models[1]}, so neither changes with it")


def why_not_linear(evaluator: Evaluator, models: Pair) -> str:
    """Return why times are no straight lines of the parameters; empty where they are."""
    for moved in evaluator.parameters:
        if not moved.is_cost:
            return f"{moved.path} is not the cost of an action"
    for model in models:
        why = evaluator.base(model).why_replay
        if why:
            return f"under {model}, {why}"
    return ""


# --- straight lines --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lines:
    """The times of two models as functions of a cost, and their difference, each at its low, as it is, and high."""

    times: tuple[tuple[MaxMin, MaxMin, MaxMin], tuple[MaxMin, MaxMin, MaxMin]]
    difference: tuple[MaxMin, MaxMin, MaxMin]


def lines(evaluator: Evaluator, models: Pair, moved: Parameter) -> Lines:
    """Return the times as lines of a parameter which is a cost, from the counts of one replay under each model."""
    starts, slopes = [], []
    for name in models:
        outcome, model = evaluator.base(name).outcome, evaluator.experiment.models[name]
        mine = moved.actions(name)
        starts.append(forms(outcome, model, mine))
        per_unit = {action: moved.ticks_per_unit(model, action) for action in mine}
        ticks = [sum((n * per_unit[a] for a, n in of.items() if a in mine), Fraction(0)) for of in taken(outcome)]
        slopes.append([each / model.machine.clock.ticks_per_second for each in ticks])
    times = []
    for begin, slope in zip(starts, slopes, strict=True):
        each = [form.less(NO_TIME) for form in begin]
        times.append(tuple(MaxMin([[Line(r[i], s)] for r, s in zip(each, slope, strict=True)]) for i in range(3)))
    less = [
        [(a.less(b), s - t) for b, t in zip(starts[1], slopes[1], strict=True)]
        for a, s in zip(starts[0], slopes[0], strict=True)
    ]
    low, nominal, high = (MaxMin([[Line(r[i], s) for r, s in row] for row in less]) for i in range(3))
    (a, b, c), (d, e, f) = times
    return Lines(((a, b, c), (d, e, f)), (low, nominal, high))


def _solved(evaluator: Evaluator, models: Pair, moved: Parameter) -> BreakEven:
    found = lines(evaluator, models, moved)
    low, nominal, high = found.difference
    zeros = nominal.zeros(moved.low, moved.high)
    is_certain = all(low.at(x) == high.at(x) for x in (moved.low, moved.high))
    possible = None if is_certain else tuple(between(low, high, moved.low, moved.high))
    one_line = len(nominal.rows) == len(nominal.rows[0]) == 1
    crossings = tuple(Crossing(a, b, _settable(moved, (a + b) / 2), Fraction(0)) for a, b in zeros)
    steps = (moved.low + (moved.high - moved.low) * i / (CURVE_POINTS - 1) for i in range(CURVE_POINTS))
    return BreakEven(
        evaluator.workload,
        models,
        moved,
        "",
        tuple(_with_gap(evaluator, models, crossing) for crossing in crossings),
        possible,
        nominal.rows[0][0].slope if one_line else None,
        tuple(_point(found, x) for x in sorted({*steps, *nominal.corners(moved.low, moved.high)})),
        _events(evaluator.base(models[0])),
        evaluator.replays,
    )


def _point(found: Lines, x: Fraction) -> Point:
    (low, mine, high), (their_low, theirs, their_high) = found.times
    spread = (low.at(x), high.at(x)), (their_low.at(x), their_high.at(x))
    return Point(x, (mine.at(x), theirs.at(x)), spread)


def _settable(moved: Parameter, value: Fraction) -> Fraction:
    return min(max(round(value / moved.step) * moved.step, moved.low), moved.high)


def _with_gap(evaluator: Evaluator, models: Pair, found: Crossing) -> Crossing:
    """Return a crossing with the difference that a replay at its value has."""
    first, second = (evaluator.seconds(model, (found.value,)) for model in models)
    return Crossing(found.low, found.high, found.value, first - second)


def _events(replayed: Replayed) -> int:
    return sum(n for kind, n in replayed.outcome.counts.events.items() if kind not in ACTIVITY_KINDS)


# --- replays ---------------------------------------------------------------------------------------------------------


def _scanned(evaluator: Evaluator, models: Pair, moved: Parameter, why: str, scan: int) -> BreakEven:
    first, last = -(-moved.low // moved.step), moved.high // moved.step
    seen: dict[int, tuple[Fraction, Fraction]] = {}

    def difference(k: int) -> Fraction:
        if k not in seen:
            value = (k * moved.step,)
            seen[k] = evaluator.seconds(models[0], value), evaluator.seconds(models[1], value)
        return seen[k][0] - seen[k][1]

    places = sorted({first + (last - first) * i // scan for i in range(scan + 1)})
    for model in models:
        evaluator.expect(model, [((k * moved.step,), {}) for k in places])
    brackets = list(_brackets(difference, places))
    crossings = [Crossing(a * moved.step, b * moved.step, n * moved.step, difference(n)) for a, b, n in brackets]
    curve = tuple(Point(k * moved.step, times) for k, times in sorted(seen.items()))
    events = _events(evaluator.base(models[0]))
    made = evaluator.replays, evaluator.retimed
    return BreakEven(evaluator.workload, models, moved, why, tuple(crossings), None, None, curve, events, *made)


def _brackets(difference: Callable[[int], Fraction], places: list[int]) -> list[tuple[int, int, int]]:
    """Return each change of sign between places: its neighbours, and the one where the difference is least."""
    found = []
    for a, b in pairwise(places):
        if difference(a) * difference(b) < 0:
            low, high = closed_in(difference, a, b)
            found.append((low, high, min((low, high), key=lambda k: abs(difference(k)))))
    zeros = [(k, k, k) for k in places if difference(k) == 0]
    return sorted([*found, *zeros])


def closed_in(difference: Callable[[int], Fraction], a: int, b: int, most: int | None = None) -> tuple[int, int]:
    """Return the neighbours between which a difference changes its sign, or the place where it is zero, twice.

    Of each two steps one goes to where a straight line would be zero, and one to the middle: few where it is straight,
    and never more than twice those of a bisection. After ``most`` steps places may remain between the two returned.
    """
    halve = False
    steps = 0
    while b - a > 1 and steps != most:
        steps += 1
        at_a, at_b = difference(a), difference(b)
        middle = (a + b) // 2 if halve else a + round(at_a * (b - a) / (at_a - at_b))
        middle = min(max(middle, a + 1), b - 1)
        at_middle = difference(middle)
        if at_middle == 0:
            return middle, middle
        a, b = (middle, b) if (at_middle > 0) == (at_a > 0) else (a, middle)
        halve = not halve
    return a, b
