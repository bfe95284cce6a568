"""Exports a sampled timeline in the Chrome trace-event format, which ui.perfetto.dev and chrome://tracing open.

Each virtual CPU is a track. A row is a slice of computation (``user`` or ``kernel``) or idle time as long as the gap
before its event, and an instant with the event's name. Times are those of the stream: recorded ones, or at no cost of
events where the stream is synthetic.

A stream may have far more rows than a browser can show. So at most as many trace events are written as asked for:
most of them for windows of consecutive rows, evenly spaced over each virtual CPU and each shown whole, and up to a
quarter for counters, which cover the whole time: how many events of each kind fell into each of its equal parts. How
it was sampled stands in ``otherData``.

The format: *Trace Event Format*, Google, 2016; times in it are microseconds, as numbers with a fraction. A slice is
written as its beginning and its end, not as one event with a duration: readers add that up in floating point, and where
slices follow at once they find some to end after the next one begins, and nest them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from simulator.errors import StreamError
from simulator.events import BY_CODE, COMPUTE_KINDS
from simulator.stream import Array, Batch, EventStream, Header
from simulator.workload.exporters.files import whole_file

MOST_EVENTS = 200_000
LEAST_EVENTS = 1_000
_ROWS_OF_A_WINDOW = 500
_LEAST_OF_A_VCPU = 16  # trace events: its name, and a window of rows of which each makes at most seven
_PARTS = 200
_GAPS = {"user_ns": "user", "kernel_ns": "kernel", "idle_ns": "idle"}
_SHOWN = ("count", "task", "space", "page", "site", "size", "number")

TraceEvent = dict[str, Any]


@dataclass(slots=True)
class Survey:
    """What one reading of the stream tells: the end (ns) of each virtual CPU, and all kinds that occur.

    ``rows`` is the number of rows in all, ``sizes`` how many trace events each window of ``window`` rows would make, by
    virtual CPU.
    """

    window: int
    rows: int = 0
    ends: list[int] = field(default_factory=list)
    kinds: set[int] = field(default_factory=set)
    sizes: list[Array] = field(default_factory=list)

    @classmethod
    def of(cls, stream: EventStream, window: int) -> Survey:
        """Read a stream once."""
        found = cls(window)
        for vcpu in range(stream.header.vcpus):
            rows = end = 0
            sizes = np.zeros(0, np.int64)
            for batch in stream.batches(vcpu):
                windows = (rows + np.arange(len(batch))) // window
                rows += len(batch)
                end += int(_gaps(batch).sum())
                found.kinds.update(np.unique(batch.columns["kind"]).tolist())
                sizes = np.concatenate([sizes, np.zeros(-(-rows // window) - len(sizes), np.int64)])
                np.add.at(sizes, windows, _trace_events(batch))
            found.rows += rows
            found.ends.append(end)
            found.sizes.append(sizes)
        return found


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a stream is cut down: every ``stride``-th window of ``window`` rows is shown; ``parts`` have counters.

    Where all rows fit, the stride is 1.
    """

    window: int
    stride: int
    parts: int

    @classmethod
    def within(cls, survey: Survey, most: int) -> Sampling:
        """Find the densest sampling that makes at most ``most`` trace events."""
        kinds = len(survey.kinds - COMPUTE_KINDS)
        parts = min(_PARTS, most // (4 * max(kinds, 1)))
        room = most - parts * kinds - 1 - len(survey.sizes)
        stride = max(-(-sum(int(sizes.sum()) for sizes in survey.sizes) // room), 1)
        while sum(int(sizes[::stride].sum()) for sizes in survey.sizes) > room:
            stride += 1
        return cls(survey.window, stride, parts)

    def shows(self, rows: Array) -> Array:
        """Tell of rows, by number, whether they are in a window that is shown."""
        shown: Array = rows // self.window % self.stride == 0
        return shown


def _trace_events(batch: Batch) -> Array:
    """Return how many trace events each row makes."""
    events: Array = (~np.isin(batch.columns["kind"], list(COMPUTE_KINDS))).astype(np.int64)
    for name in _GAPS:
        events += 2 * (batch.column(name) > 0)  # where it begins and where it ends
    return events


def export_chrome_trace(stream: EventStream, path: Path, most: int = MOST_EVENTS) -> tuple[int, str]:
    """Write a timeline of at most ``most`` trace events; return how many it has, and how the stream was sampled.

    Raises:
        StreamError: the stream has so many virtual CPUs that the trace events allowed would not show them all.
    """
    vcpus = stream.header.vcpus
    if vcpus * _LEAST_OF_A_VCPU > most:
        needed = vcpus * _LEAST_OF_A_VCPU
        raise StreamError(f"{path}: expected a limit of {needed:,} or more for {vcpus:,} virtual CPUs, found {most:,}")
    survey = Survey.of(stream, min(_ROWS_OF_A_WINDOW, most // (_LEAST_OF_A_VCPU * vcpus)))
    sampling = Sampling.within(survey, most)
    about = _about(survey, sampling)
    events = chain(_names(stream.header), _timeline(stream, survey, sampling))
    with whole_file(path) as file:
        count = _write(file, events, {"title": stream.header.title, "sampling": about})
    return count, about


def _about(survey: Survey, sampling: Sampling) -> str:
    if sampling.stride == 1:
        rows = f"all {survey.rows:,} rows are shown"
    else:
        left_out = sampling.window * (sampling.stride - 1)
        rows = (
            f"of {survey.rows:,} rows one in {sampling.stride} is shown: of each virtual CPU {sampling.window} in a "
            f"row, then none of the next {left_out:,}"
        )
    return f"{rows}; counters cover the whole time in {sampling.parts} parts"


def _write(file: BinaryIO, events: Iterator[TraceEvent], other: TraceEvent) -> int:
    file.write(f'{{"displayTimeUnit": "ns", "otherData": {json.dumps(other)}, "traceEvents": [\n'.encode())
    count = 0
    for event in events:
        file.write((",\n" if count else "").encode() + json.dumps(event).encode())
        count += 1
    file.write(b"\n]}\n")
    return count


def _names(header: Header) -> Iterator[TraceEvent]:
    yield {"ph": "M", "name": "process_name", "pid": 0, "tid": 0, "args": {"name": header.title}}
    for vcpu in range(header.vcpus):
        yield {"ph": "M", "name": "thread_name", "pid": 0, "tid": vcpu, "args": {"name": f"virtual CPU {vcpu}"}}


def _timeline(stream: EventStream, survey: Survey, sampling: Sampling) -> Iterator[TraceEvent]:
    """Give the rows that are shown, then the counters of all."""
    length = max(-(-max(survey.ends, default=0) // sampling.parts), 1)
    counts = {kind: np.zeros(sampling.parts, np.int64) for kind in sorted(survey.kinds - COMPUTE_KINDS)}
    for vcpu in range(stream.header.vcpus):
        first = now = 0
        for batch in stream.batches(vcpu):
            times = now + np.cumsum(_gaps(batch))
            part = np.minimum(times // length, sampling.parts - 1)
            for kind, of_kind in counts.items():
                chosen = batch.columns["kind"] == kind
                np.add.at(of_kind, part[chosen], batch.column("count")[chosen])
            shown = np.flatnonzero(sampling.shows(first + np.arange(len(batch))))
            for row in shown.tolist():
                yield from _row(stream.header, vcpu, batch, row, int(times[row]))
            first += len(batch)
            now = int(times[-1]) if len(batch) else now
    for kind, of_kind in counts.items():
        for number, count in enumerate(of_kind.tolist()):
            name = BY_CODE[kind].name
            yield {"ph": "C", "name": name, "pid": 0, "ts": _us(number * length), "args": {"events": count}}


def _row(header: Header, vcpu: int, batch: Batch, row: int, time: int) -> Iterator[TraceEvent]:
    """Give one row: its stretches of time in the order idle, user, kernel, up to the event at ``time``."""
    stretches = {name: batch.cell(name, row) for name in ("idle_ns", "user_ns", "kernel_ns")}
    begin = time - sum(stretches.values())
    for name, length in stretches.items():
        if length:
            mode = _GAPS[name]
            slice_ = {"name": mode, "cat": "time", "pid": 0, "tid": vcpu}
            yield {"ph": "B", **slice_, "ts": _us(begin)}
            begin += length
            yield {"ph": "E", **slice_, "ts": _us(begin)}
    kind = batch.cell("kind", row)
    if kind in COMPUTE_KINDS:
        return
    arguments: TraceEvent = {name: batch.cell(name, row) for name in _SHOWN if batch.cell(name, row) >= 0}
    device = batch.cell("device", row)
    if device >= 0:
        arguments["device"] = header.devices[device]
    name = BY_CODE[kind].name
    yield {"ph": "i", "s": "t", "name": name, "cat": "event", "pid": 0, "tid": vcpu, "ts": _us(time), "args": arguments}


def _gaps(batch: Batch) -> Array:
    gaps: Array = batch.column("user_ns") + batch.column("kernel_ns") + batch.column("idle_ns")
    return gaps


def _us(nanoseconds: int) -> float:
    """Return microseconds for a picture: exact to the nanosecond up to 104 days."""
    return nanoseconds / 1000
