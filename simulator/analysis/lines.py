"""Functions of one value that are straight between corners: where they are zero, exactly.

The time of a replay in which nothing waits is that of the virtual CPU which ends last: the greatest of some lines. The
difference of two such times is the greatest, over the lines of one, of the least over those of the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise
from typing import NamedTuple

Interval = tuple[Fraction, Fraction]


class Line(NamedTuple):
    """A straight line: its value at zero, and how it grows."""

    start: Fraction
    slope: Fraction

    def at(self, x: Fraction) -> Fraction:
        """Return its value."""
        return self.start + self.slope * x


@dataclass(frozen=True, slots=True)
class MaxMin:
    """The greatest, over rows, of the least of a row's lines."""

    rows: Sequence[Sequence[Line]]

    def at(self, x: Fraction) -> Fraction:
        """Return its value."""
        return max(min(line.at(x) for line in row) for row in self.rows)

    def corners(self, low: Fraction, high: Fraction) -> list[Fraction]:
        """Return the ends of a range, and all places between where two lines meet, in order."""
        lines = sorted({line for row in self.rows for line in row})
        places = {low, high}
        for a, b in combinations(lines, 2):
            if a.slope != b.slope and low < (x := (b.start - a.start) / (a.slope - b.slope)) < high:
                places.add(x)
        return sorted(places)

    def zeros(self, low: Fraction, high: Fraction) -> list[Interval]:
        """Return where it is zero: single places, as intervals of no length, and stretches.

        >>> [(str(a), str(b)) for a, b in MaxMin([[Line(Fraction(-2), Fraction(3))]]).zeros(Fraction(0), Fraction(9))]
        [('2/3', '2/3')]
        """
        found: list[Interval] = []
        corners = self.corners(low, high)
        for a, b in pairwise(corners):
            at_a, at_b = self.at(a), self.at(b)
            if at_a == at_b == 0:
                found.append((a, b))
            elif at_a == 0:
                found.append((a, a))
            elif at_a * at_b < 0:
                x = a - at_a * (b - a) / (at_b - at_a)
                found.append((x, x))
        if self.at(high) == 0:
            found.append((high, high))
        return merged(found)


def difference(mine: Sequence[Line], theirs: Sequence[Line], low: Fraction, high: Fraction) -> MaxMin:
    """Return the greatest of some lines less the greatest of others, over a range.

    >>> flat, steep = Line(Fraction(4), Fraction(0)), Line(Fraction(0), Fraction(2))
    >>> [str(a) for a, _ in difference([flat, steep], [Line(Fraction(3), Fraction(1))], *map(Fraction, (0, 9))).zeros(
    ...     Fraction(0), Fraction(9))]
    ['1', '3']
    """
    above, below = (_leading(each, low, high) for each in (mine, theirs))
    return MaxMin([[Line(a.start - b.start, a.slope - b.slope) for b in below] for a in above])


def _leading(lines: Sequence[Line], low: Fraction, high: Fraction) -> list[Line]:
    """Leave out the lines that are nowhere in a range above all others, since one is not below them at either end."""
    leading: list[Line] = []
    for line in sorted(set(lines), key=lambda line: (line.at(low), line.at(high)), reverse=True):
        if not leading or line.at(high) > leading[-1].at(high):
            leading.append(line)
    return leading


def between(lower: MaxMin, upper: MaxMin, low: Fraction, high: Fraction) -> list[Interval]:
    """Return where zero lies between two functions, of which one is nowhere above the other."""
    places = {x for each in (lower, upper) for x in each.corners(low, high)}
    places |= {x for each in (lower, upper) for zero in each.zeros(low, high) for x in zero}
    single = [(x, x) for x in sorted(places) if lower.at(x) <= 0 <= upper.at(x)]
    wide = [(a, b) for a, b in pairwise(sorted(places)) if lower.at((a + b) / 2) <= 0 <= upper.at((a + b) / 2)]
    return merged(sorted([*single, *wide]))


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Return intervals, which come in order, with those that touch made one."""
    whole: list[Interval] = []
    for a, b in intervals:
        if whole and a <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(b, whole[-1][1]))
        else:
            whole.append((a, b))
    return whole
