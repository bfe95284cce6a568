"""Synthetic streams: a program of steps (``steps``, ``arrivals``) for each virtual CPU.

All randomness follows from one seed, so the same seed gives the same rows.

A column of a row may hold a range. While a program is laid out, a mark below every value that a column may have stands
for it; at the end the marks of each range are counted, and replaced by its successive values. So a range knows nothing
of the steps around its row, and steps copy rows in blocks without knowing of ranges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import numpy as np

from simulator.events import ACTIVITY_KINDS, EVENTS_PER_INTERRUPT, REQUEST_KINDS
from simulator.stream import AS_RECORDED, Array, Batch, Header
from simulator.workload.batches import rechunk
from simulator.workload.steps import Row, Step


@dataclass(frozen=True, slots=True)
class Range:
    """The values of a column in successive rows of one step: from ``first`` up to, and without, ``end``.

    ``sequential``: one after the other, and from the beginning again. ``uniform``: drawn, each as likely as any other.
    """

    first: int
    end: int
    order: Literal["sequential", "uniform"] = "sequential"

    def values(self, random: np.random.Generator, before: int, number: int) -> Array:
        """Return ``number`` values, of which ``before`` have been given already."""
        if self.order == "uniform":
            return random.integers(self.first, self.end, number)
        begin = before % (self.end - self.first)
        within: Array = np.arange(begin, begin + number) % (self.end - self.first)
        return self.first + within


_FIRST_MARK = -2
"""The mark of the first range of a stream, below any value of a column; the next has the mark below it."""


def range_mark(index: int) -> int:
    """Return what stands in a row for the range at this index of a stream's list.

    >>> range_mark(0), range_mark(1)
    (-2, -3)
    """
    return _FIRST_MARK - index


@dataclass(frozen=True, slots=True)
class SyntheticStream:
    """A program for each virtual CPU, with random numbers of its own, spawned from the seed and the title.

    ``ranges`` are those whose marks stand in the rows of the programs. Each virtual CPU begins all of them anew, and a
    range that is drawn has random numbers of its own.
    """

    header: Header
    programs: Sequence[Step]
    seed: int
    ranges: Sequence[Range] = ()

    def kinds(self) -> frozenset[int]:
        """Return the codes of the event kinds that the programs hold."""
        return frozenset(row.values["kind"] for program in self.programs for row in program.rows())

    @property
    def is_random(self) -> bool:
        """Whether another seed would give other rows."""
        drawn = any(values.order == "uniform" for values in self.ranges)
        return drawn or any(program.is_random for program in self.programs)

    @property
    def interacts(self) -> bool:
        """Whether a row waits, posts, hands a request to a device, or halts until an interrupt."""
        rows = (row.values for program in self.programs for row in program.rows())
        return any(
            row.get("completion", AS_RECORDED) != AS_RECORDED or row.get("waits", -1) >= 0 or row.get("posts", -1) >= 0
            for row in rows
        )

    def rows(self) -> int:
        """Return the number of rows of all programs; where that is random, about how many."""
        return sum(program.length() for program in self.programs)

    def events(self) -> int:
        """Return the number of events, activity not counted; where that is random, about how many.

        The interrupts of completed requests are events, those of a timer are not counted here.
        """
        return sum(program.total(_events_of) for program in self.programs)

    def batches(self, vcpu: int) -> Iterator[Batch]:
        """Give the rows of one virtual CPU; each call gives the same."""
        title = int.from_bytes(sha256(self.header.title.encode()).digest()[:8], "big")
        entropy = [self.seed, title, vcpu]
        laid_out = rechunk(self.programs[vcpu].batches(np.random.default_rng(entropy)))
        return _with_values(laid_out, self.ranges, entropy) if self.ranges else laid_out


def _events_of(row: Row) -> int:
    kind, count = row.values["kind"], row.values.get("count", 1)
    interrupts = kind in REQUEST_KINDS and row.values.get("completion", AS_RECORDED) != AS_RECORDED
    return (kind not in ACTIVITY_KINDS) * count + interrupts * EVENTS_PER_INTERRUPT * count


def _with_values(batches: Iterable[Batch], ranges: Sequence[Range], entropy: Sequence[int]) -> Iterator[Batch]:
    """Replace the marks of ranges by their values, in the order of the rows."""
    randoms = [np.random.default_rng([*entropy, 1 + index]) for index in range(len(ranges))]
    given = [0] * len(ranges)
    for batch in batches:
        columns = dict(batch.columns)
        for name, marked in batch.columns.items():
            for mark in np.unique(marked[marked <= _FIRST_MARK]).tolist():
                index, places = _FIRST_MARK - mark, marked == mark
                number = int(np.count_nonzero(places))
                columns[name] = columns[name].copy() if columns[name] is marked else columns[name]
                columns[name][places] = ranges[index].values(randoms[index], given[index], number)
                given[index] += number
        yield Batch(columns)
