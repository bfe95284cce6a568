"""Generators of synthetic streams: a program is a tree of steps, each of which gives batches of rows.

All randomness follows from one seed, so the same seed gives the same rows. Draws are rounded to whole nanoseconds
before they enter a stream.

A column of a row may hold a range. While a program is laid out, a mark below every value that a column may have stands
for it; at the end the marks of each range are counted, and replaced by its successive values. So a range knows nothing
of the steps around its row, and steps copy rows in blocks without knowing of ranges.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from typing import Literal

import numpy as np

from simulator.events import ACTIVITY_KINDS, EVENTS_PER_INTERRUPT, KERNEL_COMPUTE, REQUEST_KINDS, USER_COMPUTE
from simulator.stream import AS_RECORDED, COLUMN, ROWS_PER_BATCH, Array, Batch, Header

Mode = Literal["user", "kernel"]


@dataclass(frozen=True, slots=True)
class Gap:
    """The computation between arrivals: a distribution of durations, in nanoseconds, with its mean.

    ``constant``: always the mean. ``exponential``: a Poisson process. ``uniform``: from 0 to twice the mean.
    """

    mean_ns: Fraction
    distribution: Literal["constant", "exponential", "uniform"] = "exponential"

    def draw(self, random: np.random.Generator, number: int, first: int = 0, begin: float = 0.0) -> tuple[Array, float]:
        """Draw ``number`` gaps in whole nanoseconds; return them and the fraction of a nanosecond that is left.

        Arrivals are rounded, not gaps, so rounding does not add up. ``first`` is how many gaps were drawn before these,
        ``begin`` the fraction that those left.
        """
        mean = float(self.mean_ns)
        if self.distribution == "constant":
            marks = np.arange(first, first + number + 1, dtype=object) * self.mean_ns.numerator
            constant: Array = np.diff((marks // self.mean_ns.denominator).astype(np.int64))
            return constant, 0.0
        exponential = self.distribution == "exponential"
        draws = random.exponential(mean, number) if exponential else random.uniform(0, 2 * mean, number)
        arrivals = begin + np.cumsum(draws)
        whole = np.floor(arrivals).astype(np.int64)
        return np.diff(whole, prepend=0), float(arrivals[-1] - whole[-1])


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


class Step(ABC):
    """A part of a program."""

    @abstractmethod
    def batches(self, random: np.random.Generator) -> Iterator[Batch]:
        """Give the rows of this part, in order."""

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Give each row that the part is made of, at least once."""

    @abstractmethod
    def total(self, of: Callable[[Row], int]) -> int:
        """Return the sum of a number over all rows of the part; where that is random, about what it will be."""

    def length(self) -> int:
        """Return how many rows the part has; where that is random, about how many."""
        return self.total(lambda _: 1)

    @property
    def is_random(self) -> bool:
        """Whether two runs of this part may differ."""
        return False


@dataclass(frozen=True, slots=True)
class Row(Step):
    """One row: ``values`` by column name."""

    values: Mapping[str, int]

    def rows(self) -> Iterator[Row]:
        """Give the row itself."""
        yield self

    def total(self, of: Callable[[Row], int]) -> int:
        """Return the number of this row."""
        return of(self)

    def batches(self, random: np.random.Generator) -> Iterator[Batch]:  # noqa: ARG002 (a single row draws nothing)
        """Give the one row."""
        yield Batch({name: np.array([value], dtype=COLUMN[name].dtype) for name, value in self.values.items()})


@dataclass(frozen=True, slots=True)
class InOrder(Step):
    """Parts one after the other."""

    steps: Sequence[Step]

    def rows(self) -> Iterator[Row]:
        """Give the rows of all parts."""
        for step in self.steps:
            yield from step.rows()

    def total(self, of: Callable[[Row], int]) -> int:
        """Return the sum over all parts."""
        return sum(step.total(of) for step in self.steps)

    def batches(self, random: np.random.Generator) -> Iterator[Batch]:
        """Give the rows of each part in turn."""
        for step in self.steps:
            yield from step.batches(random)

    @property
    def is_random(self) -> bool:
        """Whether a part is random."""
        return any(step.is_random for step in self.steps)


@dataclass(frozen=True, slots=True)
class Repeat(Step):
    """A part, several times over; random parts are drawn anew each time."""

    times: int
    body: Step

    def rows(self) -> Iterator[Row]:
        """Give the rows of the part."""
        return self.body.rows()

    def total(self, of: Callable[[Row], int]) -> int:
        """Return as many times the sum over the part."""
        return self.times * self.body.total(of)

    def batches(self, random: np.random.Generator) -> Iterator[Batch]:
        """Give the rows of the part, again and again; a short part that never varies is laid out in blocks."""
        if self.body.is_random:
            for _ in range(self.times):
                yield from self.body.batches(random)
            return
        block = list(rechunk(self.body.batches(random)))
        if len(block) > 1:
            for _ in range(self.times):
                yield from block
            return
        per_block = max(1, ROWS_PER_BATCH // max(1, len(block[0])))
        whole, rest = divmod(self.times, per_block)
        if whole:
            tiled = _tile(block[0], per_block)
            for _ in range(whole):
                yield tiled
        if rest:
            yield _tile(block[0], rest)


@dataclass(frozen=True, slots=True)
class CountedMix(Step):
    """A given number of rows of each of several kinds, shuffled."""

    parts: Sequence[tuple[Row, int]]

    def rows(self) -> Iterator[Row]:
        """Give the row of each kind."""
        return (row for row, _ in self.parts)

    def total(self, of: Callable[[Row], int]) -> int:
        """Return the sum over the rows of all kinds."""
        return sum(number * of(row) for row, number in self.parts)

    def batches(self, random: np.random.Generator) -> Iterator[Batch]:
        """Give all rows in random order."""
        order = np.repeat(np.arange(len(self.parts), dtype=np.int16), [number for _, number in self.parts])
        random.shuffle(order)
        rows = [row for row, _ in self.parts]
        for begin in range(0, len(order), ROWS_PER_BATCH):
            yield _pick(rows, order[begin : begin + ROWS_PER_BATCH])

    @property
    def is_random(self) -> bool:
        """A shuffle is random."""
        return True


@dataclass(frozen=True, slots=True)
class Arrivals(Step):
    """Bodies that arrive after stretches of computation, each at a rate of its own; a body is a row or any other step.

    Which body arrives is drawn with odds in the ratio of the rates; with exponential gaps that is a superposition of
    independent Poisson processes. ``duration_ns`` bounds the computation between arrivals, ``number`` the arrivals; one
    of them is given. The gap stands before the first row of the body. Computation that is left at the end of the
    duration follows the last row.
    """

    parts: Sequence[tuple[Step, Fraction]]
    gap: Gap
    mode: Mode
    duration_ns: int | None = None
    number: int | None = None

    def rows(self) -> Iterator[Row]:
        """Give the rows of each body, and the computation that may follow the last."""
        for body, _ in self.parts:
            yield from body.rows()
        yield _computation(self.mode, 1)

    def total(self, of: Callable[[Row], int]) -> int:
        """Return the sum over all rows; where bodies are unlike, or the duration is given, about what it will be."""
        arrivals = Fraction(self.number) if self.number is not None else (self.duration_ns or 0) / self.gap.mean_ns
        of_all = sum((rate for _, rate in self.parts), Fraction(0))
        per_arrival = sum((body.total(of) * rate for body, rate in self.parts), Fraction(0)) / of_all
        return int(arrivals * per_arrival) + (of(_computation(self.mode, 1)) if self.number is None else 0)

    def batches(self, random: np.random.Generator) -> Iterator[Batch]:
        """Give rows until the duration, or the number, is reached."""
        bodies = _Bodies.of([body for body, _ in self.parts], self.mode)
        computed = 0
        for gaps, order in self._arrivals(random):
            yield from bodies.laid_out(order, gaps, random)
            computed += int(gaps.sum())
        if self.duration_ns is not None and computed < self.duration_ns:
            yield from _computation(self.mode, self.duration_ns - computed).batches(random)

    def _arrivals(self, random: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        """Draw the gap of each arrival, and the index of its body, a block at a time."""
        rates = np.array([float(rate) for _, rate in self.parts])
        left_ns, left = self.duration_ns, self.number
        drawn, fraction = 0, 0.0
        while left_ns is None or left_ns >= 0:
            size = ROWS_PER_BATCH if left is None else min(left, ROWS_PER_BATCH)
            if size == 0:
                return
            gaps, fraction = self.gap.draw(random, size, drawn, fraction)
            drawn += size
            order = random.choice(len(rates), size, p=rates / rates.sum())
            if left_ns is not None:
                within = int(np.searchsorted(np.cumsum(gaps), left_ns, side="right"))
                gaps, order = gaps[:within], order[:within]
                left_ns -= int(gaps.sum())
            if left is not None:
                left -= size
            yield gaps, order
            if left_ns is not None and len(gaps) < size:
                return

    @property
    def is_random(self) -> bool:
        """Whether gaps, or which body arrives, or a body itself is drawn."""
        drawn = self.gap.distribution != "constant" or len(self.parts) > 1
        return drawn or any(body.is_random for body, _ in self.parts)


def _computation(mode: Mode, nanoseconds: int) -> Row:
    kind = USER_COMPUTE if mode == "user" else KERNEL_COMPUTE
    return Row({"kind": kind, f"{mode}_ns": nanoseconds})


@dataclass(frozen=True, slots=True)
class _Bodies:
    """The bodies of arrivals. Those that never vary are laid out once, in ``rows``, one behind the other.

    ``first`` is where each begins there, ``length`` how many rows it has; zero rows stand for a body that is laid out
    anew for each arrival, because it varies or is long.
    """

    steps: Sequence[Step]
    mode: Mode
    rows: Batch
    first: Array
    length: Array

    @classmethod
    def of(cls, steps: Sequence[Step], mode: Mode) -> _Bodies:
        """Lay out what never varies."""
        none = np.random.default_rng(0)  # nothing is drawn from it
        short = [not step.is_random and step.length() <= ROWS_PER_BATCH for step in steps]
        laid = [list(step.batches(none)) if fits else [] for step, fits in zip(steps, short, strict=True)]
        length = np.array([sum(map(len, batches)) for batches in laid])
        batches = [batch for batches in laid for batch in batches]
        rows = join(batches) if batches else Batch({"kind": np.zeros(0, dtype="int16")})
        return cls(steps, mode, rows, np.cumsum(length) - length, length)

    def laid_out(self, order: Array, gaps: Array, random: np.random.Generator) -> Iterator[Batch]:
        """Give the rows of arrivals, from the index of the body of each and the gap before it, in nanoseconds."""
        begin = 0
        for arrival in np.flatnonzero(self.length[order] == 0).tolist():
            yield from self._copied(order[begin:arrival], gaps[begin:arrival])
            yield from self._anew(self.steps[order[arrival]], int(gaps[arrival]), random)
            begin = arrival + 1
        yield from self._copied(order[begin:], gaps[begin:])

    def _anew(self, step: Step, gap: int, random: np.random.Generator) -> Iterator[Batch]:
        batches = step.batches(random)
        first = next(batches, None)
        if first is None:
            yield from _computation(self.mode, gap).batches(random)
            return
        yield self._after_gaps(first, np.zeros(1, dtype=np.int64), np.array([gap]))
        yield from batches

    def _copied(self, order: Array, gaps: Array) -> Iterator[Batch]:
        """Give rows of bodies that never vary, in batches of about as many rows as a batch should have."""
        ends = np.cumsum(self.length[order])
        total = int(ends[-1]) if len(ends) else 0
        cuts = np.unique(np.searchsorted(ends, np.arange(ROWS_PER_BATCH, total, ROWS_PER_BATCH)))
        for arrived, before in zip(np.split(order, cuts), np.split(gaps, cuts), strict=True):
            if not len(arrived):
                continue
            lengths = self.length[arrived]
            at = np.cumsum(lengths) - lengths  # where each arrival begins among the rows given here
            source = np.repeat(self.first[arrived] - at, lengths) + np.arange(lengths.sum())
            yield self._after_gaps(Batch({name: v[source] for name, v in self.rows.columns.items()}), at, before)

    def _after_gaps(self, batch: Batch, at: Array, gaps: Array) -> Batch:
        """Return the rows with gaps put before those at the given places."""
        column = f"{self.mode}_ns"
        computed = batch.column(column).copy()
        computed[at] += gaps
        return Batch({**batch.columns, column: computed})


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


def rechunk(batches: Iterable[Batch], rows: int = ROWS_PER_BATCH) -> Iterator[Batch]:
    """Join small batches until they hold at least ``rows`` rows; the last may hold fewer."""
    waiting: list[Batch] = []
    number = 0
    for batch in batches:
        waiting.append(batch)
        number += len(batch)
        if number >= rows:
            yield join(waiting)
            waiting, number = [], 0
    if waiting:
        yield join(waiting)


def join(batches: Sequence[Batch]) -> Batch:
    """Return one batch with the rows of several."""
    if len(batches) == 1:
        return batches[0]
    names = {name for batch in batches for name in batch.columns}
    return Batch({name: np.concatenate([batch.column(name) for batch in batches]) for name in names})


def _tile(batch: Batch, times: int) -> Batch:
    return Batch({name: np.tile(values, times) for name, values in batch.columns.items()})


def _pick(rows: Sequence[Row], order: Array) -> Batch:
    """Lay out rows in a given order of their indices."""
    names = {name for row in rows for name in row.values}
    columns = {}
    for name in names:
        values = np.array([row.values.get(name, COLUMN[name].default) for row in rows], dtype=COLUMN[name].dtype)
        columns[name] = values[order]
    return Batch(columns)
