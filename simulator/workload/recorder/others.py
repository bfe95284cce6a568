"""Time for which a CPU did nothing for the program, where the importer took it for the kernel's own.

A CPU that has woken a task of the program, or was interrupted for one, and then runs somebody else or goes back to
sleep, is seen as on its way to the task that it runs next, which is kernel computation. It is not: nobody computes for
the program then. A replay is of the program alone, so that there a task that has been woken need not wait for others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from simulator.stream import Array, Batch, MemoryStream


def as_idle(
    stream: MemoryStream, idle: Mapping[int, Sequence[tuple[int, int]]], cpus: Sequence[int], start: int
) -> MemoryStream:
    """Return a stream in which some times of its CPUs are idle time.

    ``idle`` gives those times (first and last moment, ns), which do not overlap, by number of the CPU; ``cpus`` are the
    numbers of the stream's virtual CPUs, and ``start`` is the moment at which the stream begins. No row moves.
    """
    rows = []
    for batches, cpu in zip(stream.rows, cpus, strict=True):
        times = np.array(sorted(idle.get(cpu, [])), dtype=np.int64).reshape(-1, 2) - start
        now, changed = 0, []
        for batch in batches:
            ends = now + np.cumsum(batch.column("user_ns") + batch.column("kernel_ns") + batch.column("idle_ns"))
            begins = np.concatenate(([now], ends[:-1]))
            now = int(ends[-1])
            changed.append(_moved(batch, _until(times, ends) - _until(times, begins)))
        rows.append(changed)
    return MemoryStream(stream.header, rows)


def _until(times: Array, moments: Array) -> Array:
    """Return how much of some times, which do not overlap and are in order, lies before each moment."""
    if not len(times):
        return np.zeros(len(moments), dtype=np.int64)
    begins, lengths = times[:, 0], times[:, 1] - times[:, 0]
    before = np.concatenate(([0], np.cumsum(lengths)))
    which = np.searchsorted(begins, moments, side="right")  # times that have begun by then
    last = np.maximum(which - 1, 0)
    unfinished = np.where(which > 0, lengths[last] - np.clip(moments - begins[last], 0, lengths[last]), 0)
    total: Array = before[which] - unfinished
    return total


def _moved(batch: Batch, overlap: Array) -> Batch:
    moved = np.minimum(batch.column("kernel_ns"), overlap)
    columns = {**batch.columns, "kernel_ns": batch.column("kernel_ns") - moved}
    columns["idle_ns"] = batch.column("idle_ns") + moved
    return Batch(columns)
