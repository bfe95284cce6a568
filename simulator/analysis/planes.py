"""Functions of two values that are flat between edges: where they are equal, exactly.

The time of a replay in which nothing waits is that of the virtual CPU which ends last: over two costs the greatest of
some planes. Where one plane is the greatest is a convex polygon, and where two planes are equal within it is straight.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from simulator.analysis.lines import Line

Place = tuple[Fraction, Fraction]
Piece = tuple[Place, Place]
"""A straight piece of a frontier: its ends."""


class Plane(NamedTuple):
    """A plane over two values: its value where both are zero, and how it grows with each."""

    start: Fraction
    first: Fraction
    second: Fraction

    def at(self, place: Place) -> Fraction:
        """Return its value."""
        return self.start + self.first * place[0] + self.second * place[1]

    def less(self, other: Plane) -> Plane:
        """Return the difference of two planes."""
        return Plane(self.start - other.start, self.first - other.first, self.second - other.second)

    def across(self, second: Fraction) -> Line:
        """Return its values over the first parameter."""
        return Line(self.start + self.second * second, self.first)

    def up(self, first: Fraction) -> Line:
        """Return its values over the second parameter."""
        return Line(self.start + self.first * first, self.second)


def equal(mine: Sequence[Plane], theirs: Sequence[Plane], low: Place, high: Place) -> list[Piece]:
    """Return where the greatest of some planes is that of others between two corners of a rectangle.

    Straight pieces, each from its lesser end; of areas in which they are equal the edges. Where they only touch, at
    one place, is left out.

    >>> one, slope = Plane(Fraction(1), Fraction(0), Fraction(0)), Plane(Fraction(0), Fraction(1), Fraction(2))
    >>> [(a, b)] = equal([slope], [one], (Fraction(0), Fraction(0)), (Fraction(4), Fraction(4)))
    >>> [str(value) for value in (*a, *b)]
    ['0', '1/2', '1', '0']
    """
    rectangle = [low, (high[0], low[1]), high, (low[0], high[1])]
    pieces: dict[Piece, None] = {}
    below = sorted(set(theirs))
    for plane in sorted(set(mine)):
        area = _leading(rectangle, plane, mine)
        for other in below if area else ():
            pieces.update(dict.fromkeys(_zero(_leading(area, other, below), plane.less(other))))
    return sorted(pieces)


def _leading(area: Sequence[Place], plane: Plane, planes: Iterable[Plane]) -> Sequence[Place]:
    """Return what of a convex polygon a plane has in which none is above it; empty if there is nothing."""
    for other in planes:
        if not area:
            break
        if other != plane:
            area = _clipped(area, plane.less(other))
    return area


def _clipped(area: Sequence[Place], plane: Plane) -> list[Place]:
    """Return what of a convex polygon a plane has that is not below zero."""
    kept: list[Place] = []
    for a, b in _edges(area):
        if plane.at(a) >= 0:
            kept.append(a)
        kept.extend(_between(a, b, plane))
    return list(dict.fromkeys(kept))


def _zero(area: Sequence[Place], plane: Plane) -> Iterator[Piece]:
    """Yield where a plane is zero in a convex polygon: a straight piece, or the polygon's edges."""
    found: set[Place] = set()
    for a, b in _edges(area):
        if plane.at(a) == 0:
            found.add(a)
        found.update(_between(a, b, plane))
    if len(found) > 2 and len(found) == len(set(area)):
        yield from {(min(edge), max(edge)) for edge in _edges(area)}
    elif len(found) > 1:
        yield min(found), max(found)


def _edges(area: Sequence[Place]) -> Iterator[Piece]:
    yield from pairwise([*area, *area[:1]])


def _between(a: Place, b: Place, plane: Plane) -> Iterator[Place]:
    """Yield the place between two others at which a plane changes its sign."""
    at_a, at_b = plane.at(a), plane.at(b)
    if at_a * at_b < 0:
        way = at_a / (at_a - at_b)
        yield a[0] + way * (b[0] - a[0]), a[1] + way * (b[1] - a[1])
