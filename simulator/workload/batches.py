"""What operations on streams share: rows of their own, batches joined to a fair size, a stream under another header."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.errors import StreamError
from simulator.events import CONTEXT_SWITCH, KERNEL_COMPUTE, USER_COMPUTE, WAKE
from simulator.stream import COLUMN, ROWS_PER_BATCH, Array, Batch, EventStream, Header, exact_sum
from simulator.units import MOST_NANOSECONDS


@dataclass(frozen=True, slots=True)
class Described:
    """The rows of a stream under another header."""

    header: Header
    stream: EventStream

    def batches(self, vcpu: int) -> Iterator[Batch]:
        """Give the rows of one virtual CPU, in order."""
        return self.stream.batches(vcpu)


def row_of_computation(**cells: int) -> Batch:
    """Return one row that is no event: it computes, waits and posts as its cells say, and costs nothing of its own."""
    kind = KERNEL_COMPUTE if cells.get("kernel_ns") and not cells.get("user_ns") else USER_COMPUTE
    cells = {"kind": kind, **cells}
    return Batch({name: np.array([value], COLUMN[name].dtype) for name, value in cells.items()})


def joined(batches: Sequence[Batch]) -> Batch:
    """Return the rows of several batches as one; a column that one of them lacks has its default there."""
    if len(batches) == 1:
        return batches[0]
    names = [name for name in COLUMN if any(name in batch.columns for batch in batches)]
    return Batch({name: np.concatenate([batch.column(name) for batch in batches]) for name in names})


def rechunk(batches: Iterable[Batch], rows: int = ROWS_PER_BATCH) -> Iterator[Batch]:
    """Join small batches until they hold at least ``rows`` rows; the last may hold fewer."""
    waiting: list[Batch] = []
    number = 0
    for batch in batches:
        waiting.append(batch)
        number += len(batch)
        if number >= rows:
            yield joined(waiting)
            waiting, number = [], 0
    if waiting:
        yield joined(waiting)


def gathered(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Join small batches with their neighbours, so that a file of them has no row groups of a few rows."""
    held: list[Batch] = []
    rows = 0
    for batch in batches:
        if held and rows + len(batch) > ROWS_PER_BATCH:
            yield joined(held)
            held, rows = [], 0
        held.append(batch)
        rows += len(batch)
    if held:
        yield joined(held)


def recorded_moments(batch: Batch, begin: int) -> Array:
    """Return the recorded time of each row of a virtual CPU that was at ``begin`` before the batch, nanoseconds.

    Raises:
        StreamError: the times are beyond what may be recorded.
    """
    if begin + sum(exact_sum(batch.column(name)) for name in ("user_ns", "kernel_ns", "idle_ns")) > MOST_NANOSECONDS:
        raise StreamError("the gaps of a virtual CPU add up to more than 10^16 ns (115 days) of recorded time")
    moments: Array = begin + np.cumsum(batch.gaps())
    return moments


def running_task(batch: Batch, task: int) -> int:
    """Return the task that runs after a batch, ``task`` being the one before it; -1 where no row tells."""
    told = np.flatnonzero((batch.columns["kind"] != WAKE) & (batch.column("task") >= 0))
    return batch.cell("task", int(told[-1])) if len(told) else task


def first_task(batch: Batch) -> int:
    """Return the task that runs when a batch begins: that of the first row that names the running task; else -1."""
    named = ~np.isin(batch.columns["kind"], [CONTEXT_SWITCH, WAKE])
    return int(batch.column("task")[named][0]) if named.any() else -1
