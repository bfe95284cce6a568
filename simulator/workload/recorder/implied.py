"""What a recorded stream says of the program as a whole, to be set beside what the kernel counted."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from simulator.events import CONTEXT_SWITCH, WAKE, kind_code
from simulator.stream import Array, Batch, EventStream

PAGE_BYTES = 4096
_IDLE = 0
_SET, _CLEAR, _FAULT = kind_code("pte_set"), kind_code("pte_clear"), kind_code("page_fault")
_OF_OTHERS = (CONTEXT_SWITCH, WAKE)


def events(stream: EventStream, kind: str, without: Collection[int] = ()) -> int:
    """Return how many events of a kind a stream has, those of some tasks left out."""
    code = kind_code(kind)
    return sum(
        int(batch.column("count")[(batch.columns["kind"] == code) & ~_of(batch, without)].sum())
        for vcpu in range(stream.header.vcpus)
        for batch in stream.batches(vcpu)
    )


def switches(stream: EventStream, without: Collection[int] = ()) -> int:
    """Return how often a task gave up its CPU; the idle task is no task, and some others may be left out."""
    return sum(_switches(stream, vcpu, {_IDLE, *without}) for vcpu in range(stream.header.vcpus))


def _of(batch: Batch, tasks: Collection[int]) -> Array:
    return np.isin(batch.column("task"), list(tasks))


def _switches(stream: EventStream, vcpu: int, without: Collection[int]) -> int:
    """Count on one virtual CPU: a switch names the task switched to, so the one before tells who gave up the CPU."""
    running, found = _IDLE, 0
    for batch in stream.batches(vcpu):
        kinds, tasks = batch.columns["kind"], batch.column("task")
        switch = kinds == CONTEXT_SWITCH
        known = np.flatnonzero(switch | ~np.isin(kinds, _OF_OTHERS))  # rows after which it is known who runs
        before = np.concatenate(([running], tasks[known]))
        position = np.searchsorted(known, np.flatnonzero(switch))
        found += int((~np.isin(before[position], list(without))).sum())
        running = int(before[-1])
    return found


def peak_resident_bytes(stream: EventStream, without: Collection[int] = ()) -> int:
    """Return the most that any one address space had mapped: entries set minus entries cleared, by recorded time.

    Spaces in which only some tasks faulted may be left out.
    """
    parts = [part for vcpu in range(stream.header.vcpus) for part in _changes(stream, vcpu)]
    if without:
        used = [_faulted_in(batch, without) for vcpu in range(stream.header.vcpus) for batch in stream.batches(vcpu)]
        wanted = np.concatenate([np.zeros(0, np.int64), *used])
        parts = [tuple(column[np.isin(part[1], wanted)] for column in part) for part in parts]
    if not parts:
        return 0
    times, spaces, changes = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((times, spaces))
    spaces, changes = spaces[order], changes[order]
    total = np.cumsum(changes)
    first = np.flatnonzero(np.diff(spaces, prepend=-2))
    base = np.repeat(total[first] - changes[first], np.diff(first, append=len(spaces)))
    return int((total - base).max(initial=0)) * PAGE_BYTES


def _faulted_in(batch: Batch, without: Collection[int]) -> Array:
    """Return the spaces in which tasks other than some faulted."""
    rows = (batch.columns["kind"] == _FAULT) & ~_of(batch, without)
    spaces: Array = batch.column("space")[rows]
    return spaces


def _changes(stream: EventStream, vcpu: int) -> Iterator[tuple[Array, ...]]:
    """Yield time, address space and change in pages of each row that sets or clears entries."""
    now = 0
    for batch in stream.batches(vcpu):
        times = now + np.cumsum(batch.column("user_ns") + batch.column("kernel_ns") + batch.column("idle_ns"))
        now = int(times[-1]) if len(times) else now
        kinds, count = batch.columns["kind"], batch.column("count")
        rows = np.flatnonzero(((kinds == _SET) | (kinds == _CLEAR)) & (batch.column("space") >= 0))
        yield times[rows], batch.column("space")[rows], np.where(kinds == _SET, count, -count)[rows]
