"""The parts that a synthetic program is made of: a tree of steps, each of which gives batches of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.stream import COLUMN, ROWS_PER_BATCH, Array, Batch
from simulator.workload.batches import rechunk


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
