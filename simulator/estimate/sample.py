"""The first rows of a workload, as a stream of its own; what it takes to draw them is measured on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from simulator.spec.build import Workload
from simulator.stream import COLUMN, START_SIGNAL, Array, Batch, MemoryStream

Clock = Callable[[], float]
"""Returns seconds, from any moment on."""


class Sample:
    """The first rows of each virtual CPU of a workload, drawn from it as they are asked for.

    ``drawn`` is how many rows that was, and ``whole`` whether it was all of them.
    """

    def __init__(self, workload: Workload, clock: Clock) -> None:
        self.workload = workload
        self._clock = clock
        vcpus = range(workload.stream.header.vcpus)
        self._sources: list[Iterator[Batch] | None] = [workload.stream.batches(vcpu) for vcpu in vcpus]
        self._batches: list[list[Batch]] = [[] for _ in vcpus]
        self._first = self._later = 0.0
        self._later_rows = 0

    @property
    def drawn(self) -> int:
        """How many rows were drawn in all."""
        return sum(map(_length, self._batches))

    @property
    def longest(self) -> int:
        """How many rows were drawn of the virtual CPU with the most."""
        return max(map(_length, self._batches))

    @property
    def rows(self) -> int:
        """How many rows the workload has: as it says, if not all of them were drawn."""
        return self.drawn if self.whole else max(self.workload.rows, self.drawn)

    @property
    def whole(self) -> bool:
        """Whether the workload has no rows beyond those drawn."""
        return all(source is None for source in self._sources)

    def grow(self, rows: int) -> None:
        """Draw until there are at least so many rows of each virtual CPU that has them."""
        for vcpu, batches in enumerate(self._batches):
            while self._sources[vcpu] is not None and _length(batches) < rows:
                self._draw(vcpu)

    def _draw(self, vcpu: int) -> None:
        source, begin = self._sources[vcpu], self._clock()
        batch = next(source, None) if source else None
        seconds = self._clock() - begin
        if self._batches[vcpu]:
            self._later += seconds
            self._later_rows += len(batch) if batch else 0
        else:
            self._first += seconds
        if batch is None:
            self._sources[vcpu] = None
        else:
            self._batches[vcpu].append(batch)

    def seconds_to_draw(self) -> float:
        """Return how long it takes to draw all rows of the workload.

        What comes before the first batch is there once, such as the shuffle of a mix; later batches take their time by
        the row. Where none was drawn, they are taken to be like the first.
        """
        later = self.rows - self.drawn + self._later_rows
        if self._later_rows:
            return self._first + self._later / self._later_rows * later
        return self._first * max(1.0, self.rows / self.drawn) if self.drawn else 0.0

    def stream(self, rows: int, per_batch: int | None = None) -> MemoryStream:
        """Return up to so many rows of each virtual CPU, drawn before, in batches as they were drawn or smaller.

        Rows do not wait for signals that are posted beyond the sample: in it, nobody would post them.
        """
        cut = [list(_cut(batches, rows, per_batch)) for batches in self._batches]
        return MemoryStream(self.workload.stream.header, _without_vain_waits(cut))


def _length(batches: Sequence[Batch]) -> int:
    return sum(map(len, batches))


def _cut(batches: Sequence[Batch], rows: int, per_batch: int | None) -> Iterator[Batch]:
    for batch in batches:
        taken = min(rows, len(batch))
        edges = [*range(0, taken, per_batch or taken or 1), taken]
        for begin, end in pairwise(edges):
            yield Batch({name: values[begin:end] for name, values in batch.columns.items()})
        rows -= taken


def _without_vain_waits(vcpus: list[list[Batch]]) -> list[list[Batch]]:
    """Return the rows without waits for signals that none of them posts."""
    posts = [batch.columns["posts"] for batches in vcpus for batch in batches if "posts" in batch.columns]
    posted = np.unique(np.concatenate([*posts, [START_SIGNAL]]))
    return [[_waiting_only_for(posted, batch) for batch in batches] for batches in vcpus]


def _waiting_only_for(posted: Array, batch: Batch) -> Batch:
    if "waits" not in batch.columns:
        return batch
    waits = batch.columns["waits"]
    return Batch({**batch.columns, "waits": np.where(np.isin(waits, posted), waits, COLUMN["waits"].default)})
