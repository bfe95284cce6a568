"""A stream as if nobody else had been on the machine: the time that others took is no time of the program.

- A CPU that has woken a task of the program, or was interrupted for one, and then runs somebody else or goes back to
  sleep, is seen by the importer as on its way to the task that it runs next, which is kernel computation. It is not:
  nobody computes for the program then (``as_idle``).
- A task that could run, and had to wait until others left its CPU, would not have waited (``undelayed``). Its switches
  stay, as the kernel counted them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from simulator.events import CONTEXT_SWITCH
from simulator.stream import START_SIGNAL, Array, Batch, MemoryStream


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


def undelayed(
    stream: MemoryStream, delays: Mapping[int, Sequence[tuple[int, int]]], cpus: Sequence[int], start: int
) -> tuple[MemoryStream, int]:
    """Return a stream whose tasks need not wait for others; and how much that took off their waits, nanoseconds.

    ``delays`` gives, by number of the CPU, the moment at which a task came to it and how long others had kept it (ns).
    A wait is a latency after a signal, and the signal's delay after its post, which is the wait's own if nobody else
    waits for that signal. What is neither stays.
    """
    waits = np.concatenate([batch.column("waits") for batches in stream.rows for batch in batches])
    waiters = np.bincount(waits[waits >= 0], minlength=1)
    left = np.zeros(len(waiters), dtype=np.int64)
    rows, taken = [], 0
    for batches, cpu in zip(stream.rows, cpus, strict=True):
        moments, lengths = np.array(delays.get(cpu, []), dtype=np.int64).reshape(-1, 2).T
        now, changed = 0, []
        for batch in batches:
            delay, now = _delay(batch, moments - start, lengths, now)
            off = np.minimum(batch.column("wait_latency_ns"), delay)
            taken += int(off.sum())
            signals = batch.column("waits")
            alone = (signals > START_SIGNAL) & (delay > off)
            alone[alone] = waiters[signals[alone]] == 1
            left[signals[alone]] = (delay - off)[alone]
            changed.append(Batch({**batch.columns, "wait_latency_ns": batch.column("wait_latency_ns") - off}))
        rows.append(changed)
    for batches in rows:
        for index, batch in enumerate(batches):
            posts = batch.column("posts")
            mine = np.where((posts >= 0) & (posts < len(left)), left[np.clip(posts, 0, len(left) - 1)], 0)
            off = np.minimum(batch.column("post_delay_ns"), mine)
            taken += int(off.sum())
            batches[index] = Batch({**batch.columns, "post_delay_ns": batch.column("post_delay_ns") - off})
    return MemoryStream(stream.header, rows), taken


def _delay(batch: Batch, moments: Array, lengths: Array, now: int) -> tuple[Array, int]:
    """Return for each row how long others had kept its CPU, which a switch tells, and the time of the last row."""
    ends = now + np.cumsum(batch.column("user_ns") + batch.column("kernel_ns") + batch.column("idle_ns"))
    switches = np.flatnonzero(batch.columns["kind"] == CONTEXT_SWITCH)
    which = np.searchsorted(ends[switches], moments)
    found = np.flatnonzero(which < len(switches))
    exact = found[ends[switches[which[found]]] == moments[found]]
    delay = np.zeros(len(batch), dtype=np.int64)
    delay[switches[which[exact]]] = lengths[exact]
    return delay, int(ends[-1])


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
