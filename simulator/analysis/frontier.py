"""Two parameters: where in their plane a workload costs the same under two models."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from simulator.analysis.breakeven import Pair, check_touched, why_not_linear
from simulator.analysis.evaluate import Evaluator
from simulator.analysis.parameter import Parameter
from simulator.errors import InputError

Values = tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Frontier:
    """Ratios of the first model's time to the second's on a grid: a row for each value of the second parameter.

    ``crossings`` are places on the edges of the grid's cells at which the two are equal: up to the rounding of costs to
    ticks where nothing waits and both parameters are costs (``why_replayed`` is empty), else on a straight line between
    replays.
    """

    workload: str
    models: Pair
    parameters: tuple[Parameter, Parameter]
    why_replayed: str
    values: tuple[Values, Values]
    ratios: tuple[Values, ...]
    crossings: tuple[tuple[Fraction, Fraction], ...]
    replays: int
    retimed: int = 0


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
    for model in models:
        evaluator.expect(model, [((x, y), {}) for y in up for x in across])
    times = [[tuple(evaluator.seconds(model, (x, y)) for model in models) for x in across] for y in up]
    if not all(theirs for row in times for _, theirs in row):
        raise InputError(f"{evaluator.workload} takes no time under {models[1]}, so nothing is relative to it")
    gaps = [[mine - theirs for mine, theirs in row] for row in times]
    return Frontier(
        evaluator.workload,
        models,
        (first, second),
        why_not_linear(evaluator, models),
        (across, up),
        tuple(tuple(mine / theirs for mine, theirs in row) for row in times),
        tuple(sorted(set(_crossings(across, up, gaps)))),
        evaluator.replays,
        evaluator.retimed,
    )


def _grid(moved: Parameter, cells: int) -> Values:
    first, last = -(-moved.low // moved.step), moved.high // moved.step
    return tuple(k * moved.step for k in sorted({first + (last - first) * i // cells for i in range(cells + 1)}))


def _crossings(across: Values, up: Values, gaps: list[list[Fraction]]) -> list[tuple[Fraction, Fraction]]:
    """Return where the gap is zero on the lines of a grid."""
    found = []
    for j, y in enumerate(up):
        for a, b in _zeros(across, gaps[j]):
            found.append((a + b, y))
    for i, x in enumerate(across):
        for a, b in _zeros(up, [row[i] for row in gaps]):
            found.append((x, a + b))
    return found


def _zeros(places: Values, gaps: list[Fraction]) -> list[tuple[Fraction, Fraction]]:
    """Return places, each with how far beyond it the gap is zero on a straight line to the next."""
    found = []
    for k in range(len(places) - 1):
        here, there = gaps[k], gaps[k + 1]
        if here * there < 0:
            found.append((places[k], here * (places[k + 1] - places[k]) / (here - there)))
    return found + [(place, Fraction(0)) for place, gap in zip(places, gaps, strict=True) if gap == 0]
