"""Two parameters: where in their plane a workload costs the same under two models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from simulator.analysis.breakeven import Pair, check_touched, closed_in, why_not_linear
from simulator.analysis.evaluate import Evaluator
from simulator.analysis.lines import Line, difference
from simulator.analysis.parameter import Parameter
from simulator.analysis.planes import Piece, Place, Plane, equal
from simulator.errors import InputError
from simulator.uncertainty import taken

Values = tuple[Fraction, ...]
_MOST = 12
"""Places that an edge of a cell takes, at most, until it is known where the times are equal on it."""


@dataclass(frozen=True, slots=True)
class Frontier:
    """Ratios of the first model's time to the second's on a grid: a row for each value of the second parameter.

    ``crossings`` are places on the edges of the grid's cells at which the two are equal, and ``pieces`` the straight
    pieces of the line on which they are: all of it, exactly but for the rounding of costs to ticks, where nothing waits
    and both parameters are costs (``why_replayed`` is empty). Else crossings are closed in on, mostly to neighbouring
    steps of the parameter, and pieces lead straight from one to the next through a cell; what changes twice between two
    neighbours on the grid is not seen.
    """

    workload: str
    models: Pair
    parameters: tuple[Parameter, Parameter]
    why_replayed: str
    values: tuple[Values, Values]
    ratios: tuple[Values, ...]
    crossings: tuple[Place, ...]
    pieces: tuple[Piece, ...]
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
    why = why_not_linear(evaluator, models)
    if why:
        found, pieces = _Traced(evaluator, models, (across, up)).line()
    else:
        mine, theirs = (_planes(evaluator, model) for model in models)
        found = set(_on_grid(mine, theirs, across, up))
        pieces = equal(mine, theirs, (across[0], up[0]), (across[-1], up[-1]))
    return Frontier(
        evaluator.workload,
        models,
        (first, second),
        why,
        (across, up),
        tuple(tuple(mine / theirs for mine, theirs in row) for row in times),
        tuple(sorted(found)),
        tuple(pieces),
        evaluator.replays,
        evaluator.retimed,
    )


def _grid(moved: Parameter, cells: int) -> Values:
    first, last = -(-moved.low // moved.step), moved.high // moved.step
    return tuple(k * moved.step for k in sorted({first + (last - first) * i // cells for i in range(cells + 1)}))


def _on_grid(mine: Sequence[Plane], theirs: Sequence[Plane], across: Values, up: Values) -> Iterator[Place]:
    """Give where the times are equal on the lines of a grid."""
    for y in up:
        yield from ((x, y) for x in _equal([p.across(y) for p in mine], [p.across(y) for p in theirs], across))
    for x in across:
        yield from ((x, y) for y in _equal([p.up(x) for p in mine], [p.up(x) for p in theirs], up))


def _equal(mine: Sequence[Line], theirs: Sequence[Line], places: Values) -> Iterator[Fraction]:
    """Give where the greatest of some lines is that of others: single places; of a stretch its ends and grid places."""
    for low, high in difference(mine, theirs, places[0], places[-1]).zeros(places[0], places[-1]):
        yield from (low, high, *(place for place in places if low < place < high))


def _planes(evaluator: Evaluator, name: str) -> list[Plane]:
    """Return the time of each virtual CPU under a model in which nothing waits."""
    replayed, model = evaluator.base(name), evaluator.experiment.models[name]
    moved = [{a: each.ticks_per_unit(model, a) for a in each.actions(name)} for each in evaluator.parameters]
    fixed = {a: Fraction(ticks) for a, ticks in replayed.ticks.items() if not any(a in each for each in moved)}

    def seconds(actions: Mapping[str, int], costs: Mapping[str, Fraction]) -> Fraction:
        ticks = sum((n * costs[a] for a, n in actions.items() if a in costs), Fraction(0))
        return ticks / model.machine.clock.ticks_per_second

    return [Plane(*(seconds(actions, costs) for costs in (fixed, *moved))) for actions in taken(replayed.outcome)]


class _Traced:
    """The line between the places of a grid at which the first model takes longer and those at which it does not."""

    def __init__(self, evaluator: Evaluator, models: Pair, values: tuple[Values, Values]) -> None:
        self._evaluator = evaluator
        self._models = models
        self._values = values
        self._gaps: dict[Place, Fraction] = {}
        self._met: dict[Piece, Place] = {}

    def line(self) -> tuple[set[Place], list[Piece]]:
        """Return where it meets the edges of cells, and its pieces, one or two for each cell that it goes through."""
        across, up = self._values
        pieces: set[Piece] = set()
        for left, right in pairwise(across):
            for low, high in pairwise(up):
                pieces.update(self._in_cell((left, low), (right, low), (right, high), (left, high)))
        equal_there = {(x, y) for x in across for y in up if self._gap((x, y)) == 0}
        return equal_there | set(self._met.values()), sorted(pieces)

    def _gap(self, place: Place) -> Fraction:
        """Return the first model's time less the second's."""
        if place not in self._gaps:
            mine, theirs = (self._evaluator.seconds(model, place) for model in self._models)
            self._gaps[place] = mine - theirs
        return self._gaps[place]

    def _in_cell(self, *corners: Place) -> Iterator[Piece]:
        """Yield the pieces in a cell.

        Where the line meets all four edges, the two corners whose sign the mean of all four has stay on one side.
        """
        met = [self._meeting(min(ends), max(ends)) for ends in pairwise((*corners, corners[0])) if self._parts(*ends)]
        if len(met) == 4 and (sum(map(self._gap, corners)) > 0) != (self._gap(corners[0]) > 0):
            met = [*met[1:], met[0]]
        for ends in zip(met[::2], met[1::2], strict=True):
            if ends[0] != ends[1]:
                yield min(ends), max(ends)

    def _parts(self, a: Place, b: Place) -> bool:
        return (self._gap(a) > 0) != (self._gap(b) > 0)

    def _meeting(self, a: Place, b: Place) -> Place:
        """Return where the line meets an edge: closed in on, then straight between the nearest replays."""
        if (a, b) not in self._met:
            axis = 0 if a[0] != b[0] else 1
            step = self._evaluator.parameters[axis].step

            def place(value: Fraction) -> Place:
                return (value, a[1]) if axis == 0 else (a[0], value)

            def gap(k: int) -> Fraction:
                return self._gap(place(k * step))

            low, high = (int(end[axis] / step) for end in (a, b))
            if gap(low) * gap(high) < 0:
                low, high = closed_in(gap, low, high, _MOST)
            else:
                low = high = low if gap(low) == 0 else high
            way = gap(low) / (gap(low) - gap(high)) if high > low else Fraction(0)
            self._met[a, b] = place((low + way * (high - low)) * step)
        return self._met[a, b]
