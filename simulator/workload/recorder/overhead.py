"""What the recording itself costs, and a stream without it.

Each line costs its CPU time after its moment: the kernel takes the time stamp first and then writes. So the gap before
a row of the stream holds the cost of all lines since the row before it. It is taken off kernel computation first, then
off user computation; idle time and the latencies of waits stay as recorded.

How much a line costs is measured (``Method``): with a loop of short system calls in this process, the same with and
without the recording, or with the command itself.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from simulator.stream import Array, Batch, MemoryStream

_CALLS = 2000
_LINES_PER_CALL = 2  # the entry and the exit
_BLOCKS = 7


class Method(StrEnum):
    """How the cost of a line is found."""

    PROBE = "probe"
    TWICE = "twice"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Correction:
    """What was taken off: so many nanoseconds a line, by which method and measurement, in all, and what was clipped.

    ``clipped_ns`` could not be taken off, as gaps were shorter than the lines in them are said to cost.
    """

    method: Method
    ns_per_line: int
    measured: str
    taken_ns: int = 0
    clipped_ns: int = 0


def probe() -> int:
    """Return the nanoseconds that one short system call takes in this process: the median of several blocks."""
    call, clock = os.getppid, time.thread_time_ns
    blocks = []
    for _ in range(_BLOCKS):
        begin = clock()
        for _ in range(_CALLS):
            call()
        blocks.append((clock() - begin) // _CALLS)
    return sorted(blocks)[_BLOCKS // 2]


def by_probe(without: int, recorded: int) -> Correction:
    """Return the correction for the time of a short system call (ns) without and with the recording."""
    ns = max(recorded - without, 0) // _LINES_PER_CALL
    return Correction(Method.PROBE, ns, f"a system call took {without} ns, and {recorded} ns while recorded")


def by_command(without: int, recorded: int, lines: int) -> Correction:
    """Return the correction for the CPU time of the command (ns) without and with the recording of so many lines."""
    ns = max(recorded - without, 0) // max(lines, 1)
    measured = f"the command took {without:,} ns of CPU time, and {recorded:,} ns recorded, in {lines:,} lines"
    return Correction(Method.TWICE, ns, measured)


def cpu_time_of_children() -> int:
    """Return the CPU time, in nanoseconds, of all children of this process that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round((used.ru_utime + used.ru_stime) * 10**9)


def take_off(
    stream: MemoryStream, times: Mapping[int, Sequence[int]], correction: Correction
) -> tuple[MemoryStream, Correction]:
    """Return a stream without the cost of its lines, whose times (ns) are given by CPU; and what was taken off."""
    start = min(moments[0] for moments in times.values())
    rows: list[list[Batch]] = []
    taken = clipped = 0
    for batches, cpu in zip(stream.rows, sorted(times), strict=True):
        moments = np.asarray(times[cpu], dtype=np.int64) - start
        now = 0
        corrected = []
        for batch in batches:
            gaps = batch.column("user_ns") + batch.column("kernel_ns") + batch.column("idle_ns")
            ends = now + np.cumsum(gaps)
            begins = np.concatenate(([now], ends[:-1]))
            lines = np.searchsorted(moments, ends) - np.searchsorted(moments, begins)
            now = int(ends[-1])
            new, off, left = _without(batch, lines * correction.ns_per_line)
            corrected.append(new)
            taken += off
            clipped += left
        rows.append(corrected)
    done = Correction(correction.method, correction.ns_per_line, correction.measured, taken, clipped)
    return MemoryStream(stream.header, rows), done


def _without(batch: Batch, owed: Array) -> tuple[Batch, int, int]:
    """Take what is owed off the computation of each row, and return how much was, and how much was not there.

    A row without computation is idle, or of the same moment as the one before it: nothing is clipped there.
    """
    columns = dict(batch.columns)
    owed = np.where(batch.column("user_ns") + batch.column("kernel_ns") > 0, owed, 0)
    left = owed.copy()
    for name in ("kernel_ns", "user_ns"):
        off = np.minimum(batch.column(name), left)
        columns[name] = batch.column(name) - off
        left = left - off
    return Batch(columns), int((owed - left).sum()), int(left.sum())
