"""Two parameters: where in their plane a workload costs the same under two models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from simulator.analysis.breakeven import Pair, check_touched, why_not_linear
from simulator.analysis.evaluate import Evaluator
from simulator.analysis.lines import Line, difference
from simulator.analysis.parameter import Parameter
from simulator.errors import InputError
from simulator.uncertainty import taken

Values = tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Frontier:
    """Ratios of the first model's time to the second's on a grid: a row for each value of the second parameter.

    ``crossings`` are places on the edges of the grid's cells at which the two are equal: all of them, exactly but for
    the rounding of costs to ticks, where nothing waits and both parameters are costs (``why_replayed`` is empty); else
    places on a straight line between replays, which the times need not follow.
    """

    workload: str
    models: Pair
    parameters: tuple[Parameter, Parameter]
    why_replayed: str
    values: tuple[Values, Values]
    ratios: tuple[Values, ...]
    crossings: tuple[tuple[Fraction, Fraction], ...]
    replays: int


def frontier(evaluator: Evaluator, models: Pair, cells: int = 16) -> Frontier:
    """Compare two models on a grid of ``cells`` by ``cells`` of two parameters.

    Raises:
        InputError: the parameters share a place, neither model changes with one, or a model takes no time.
        RunError: a replay cannot end.
    """
    first, second = evaluator.parameters
    for moved in (first, second):
        check_touched(moved, models)
    if shared := set(first.places) & set(second.places):
        raise InputError(f"{first.path} and {second.path} both set {'.'.join(map(str, next(iter(shared))))}")
    across, up = _grid(first, cells), _grid(second, cells)
    times = [[tuple(evaluator.seconds(model, (x, y)) for model in models) for x in across] for y in up]
    if not all(theirs for row in times for _, theirs in row):
        raise InputError(f"{evaluator.workload} takes no time under {models[1]}, so nothing is relative to it")
    why = why_not_linear(evaluator, models)
    if why:
        found = _crossings(across, up, [[mine - theirs for mine, theirs in row] for row in times])
    else:
        found = _exact_crossings(evaluator, models, across, up)
    return Frontier(
        evaluator.workload,
        models,
        (first, second),
        why,
        (across, up),
        tuple(tuple(mine / theirs for mine, theirs in row) for row in times),
        tuple(sorted(set(found))),
        evaluator.replays,
    )


def _grid(moved: Parameter, cells: int) -> Values:
    first, last = -(-moved.low // moved.step), moved.high // moved.step
    return tuple(k * moved.step for k in sorted({first + (last - first) * i // cells for i in range(cells + 1)}))


def _exact_crossings(
    evaluator: Evaluator, models: Pair, across: Values, up: Values
) -> Iterator[tuple[Fraction, Fraction]]:
    """Give where the times are equal on the lines of a grid, from the counts of one replay under each model."""
    mine, theirs = (_planes(evaluator, model) for model in models)
    for y in up:
        yield from ((x, y) for x in _equal([p.across(y) for p in mine], [p.across(y) for p in theirs], across))
    for x in across:
        yield from ((x, y) for y in _equal([p.up(x) for p in mine], [p.up(x) for p in theirs], up))


def _equal(mine: Sequence[Line], theirs: Sequence[Line], places: Values) -> Iterator[Fraction]:
    """Give where the greatest of some lines is that of others: single places; of a stretch its ends and grid places."""
    for low, high in difference(mine, theirs, places[0], places[-1]).zeros(places[0], places[-1]):
        yield from (low, high, *(place for place in places if low < place < high))


class _Plane(NamedTuple):
    """The time of a virtual CPU in seconds: where both parameters are zero, and how it grows with each."""

    start: Fraction
    first: Fraction
    second: Fraction

    def across(self, second: Fraction) -> Line:
        """Return the time over the first parameter."""
        return Line(self.start + self.second * second, self.first)

    def up(self, first: Fraction) -> Line:
        """Return the time over the second parameter."""
        return Line(self.start + self.first * first, self.second)


def _planes(evaluator: Evaluator, name: str) -> list[_Plane]:
    """Return the time of each virtual CPU under a model in which nothing waits."""
    replayed, model = evaluator.base(name), evaluator.experiment.models[name]
    moved = [{a: each.ticks_per_unit(model, a) for a in each.actions(name)} for each in evaluator.parameters]
    fixed = {a: Fraction(ticks) for a, ticks in replayed.ticks.items() if not any(a in each for each in moved)}

    def seconds(actions: Mapping[str, int], costs: Mapping[str, Fraction]) -> Fraction:
        ticks = sum((n * costs[a] for a, n in actions.items() if a in costs), Fraction(0))
        return ticks / model.machine.clock.ticks_per_second

    return [_Plane(*(seconds(actions, costs) for costs in (fixed, *moved))) for actions in taken(replayed.outcome)]


def _crossings(across: Values, up: Values, gaps: list[list[Fraction]]) -> Iterator[tuple[Fraction, Fraction]]:
    """Give where the gap would be zero on the lines of a grid if it were straight between their places."""
    for y, row in zip(up, gaps, strict=True):
        yield from ((x, y) for x in _straight(across, row))
    for x, column in zip(across, zip(*gaps, strict=True), strict=True):
        yield from ((x, y) for y in _straight(up, column))


def _straight(places: Values, gaps: Sequence[Fraction]) -> Iterator[Fraction]:
    for (a, at_a), (b, at_b) in pairwise(zip(places, gaps, strict=True)):
        if at_a * at_b < 0:
            yield a + at_a * (b - a) / (at_a - at_b)
    yield from (place for place, gap in zip(places, gaps, strict=True) if gap == 0)
