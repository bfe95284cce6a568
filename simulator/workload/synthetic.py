"""Generators of synthetic streams: a program is a tree of steps, each of which gives batches of rows.

All randomness comes from the one generator that is handed down, so the same seed gives the same rows. Draws are
rounded to whole nanoseconds before they enter a stream.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from typing import Literal

import numpy as np

from simulator.events import KERNEL_COMPUTE, USER_COMPUTE
from simulator.stream import COLUMN, ROWS_PER_BATCH, Array, Batch, Header

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


class Step(ABC):
    """A part of a program."""

    @abstractmethod
    def batches(self, random: np.random.Generator) -> Iterator[Batch]:
        """Give the rows of this part, in order."""

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """Give each row that the part is made of, at least once."""

    @abstractmethod
    def length(self) -> int:
        """Return how many rows the part has; where that is random, about how many."""

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

    def length(self) -> int:
        """Return the number of rows."""
        return 1

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

    def length(self) -> int:
        """Return the number of rows."""
        return sum(step.length() for step in self.steps)

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

    def length(self) -> int:
        """Return the number of rows."""
        return self.times * self.body.length()

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

    def length(self) -> int:
        """Return the number of rows."""
        return sum(number for _, number in self.parts)

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
    """Rows that arrive after stretches of computation, each kind at a rate of its own.

    The kinds are drawn with odds in the ratio of their rates; with exponential gaps that is a superposition of
    independent Poisson processes. ``duration_ns`` bounds the computation, ``number`` the rows; one of them is given.
    Computation that is left at the end of the duration follows the last row.
    """

    parts: Sequence[tuple[Row, Fraction]]
    gap: Gap
    mode: Mode
    duration_ns: int | None = None
    number: int | None = None

    def rows(self) -> Iterator[Row]:
        """Give the row of each kind, and the computation that may follow the last."""
        yield from (row for row, _ in self.parts)
        yield self._rest(1)

    def length(self) -> int:
        """Return the number of rows, or the expected number where the duration is given."""
        return self.number if self.number is not None else int((self.duration_ns or 0) / self.gap.mean_ns) + 1

    def batches(self, random: np.random.Generator) -> Iterator[Batch]:
        """Give rows until the duration, or the number, is reached."""
        rates = np.array([float(rate) for _, rate in self.parts])
        rows = [row for row, _ in self.parts]
        left_ns, left = self.duration_ns, self.number
        drawn, fraction = 0, 0.0
        while left_ns is None or left_ns >= 0:
            size = ROWS_PER_BATCH if left is None else min(left, ROWS_PER_BATCH)
            if size == 0:
                return
            gaps, fraction = self.gap.draw(random, size, drawn, fraction)
            drawn += size
            order = random.choice(len(rows), size, p=rates / rates.sum())
            if left_ns is not None:
                within = int(np.searchsorted(np.cumsum(gaps), left_ns, side="right"))
                gaps, order = gaps[:within], order[:within]
                left_ns -= int(gaps.sum())
            if left is not None:
                left -= size
            if len(gaps):
                columns = dict(_pick(rows, order).columns)
                columns[f"{self.mode}_ns"] = gaps
                yield Batch(columns)
            if left_ns is not None and len(gaps) < size:
                if left_ns:
                    yield from self._rest(left_ns).batches(random)
                return

    def _rest(self, left_ns: int) -> Row:
        kind = USER_COMPUTE if self.mode == "user" else KERNEL_COMPUTE
        return Row({"kind": kind, f"{self.mode}_ns": left_ns})

    @property
    def is_random(self) -> bool:
        """Whether gaps or kinds are drawn."""
        return self.gap.distribution != "constant" or len(self.parts) > 1


@dataclass(frozen=True, slots=True)
class SyntheticStream:
    """A program for each virtual CPU, with random numbers of its own, spawned from seed and name."""

    header: Header
    programs: Sequence[Step]
    name: str
    seed: int

    def kinds(self) -> frozenset[int]:
        """Return the codes of the event kinds that the programs hold."""
        return frozenset(row.values["kind"] for program in self.programs for row in program.rows())

    @property
    def is_random(self) -> bool:
        """Whether another seed would give other rows."""
        return any(program.is_random for program in self.programs)

    def rows(self) -> int:
        """Return the number of rows of all programs; where that is random, about how many."""
        return sum(program.length() for program in self.programs)

    def batches(self, vcpu: int) -> Iterator[Batch]:
        """Give the rows of one virtual CPU; each call gives the same."""
        name = int.from_bytes(sha256(self.name.encode()).digest()[:8], "big")
        random = np.random.default_rng([self.seed, name, vcpu])
        return rechunk(self.programs[vcpu].batches(random))


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
