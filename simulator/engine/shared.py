"""One pass over a stream for several replays: each batch is read and counted once, whoever takes it first.

Replays get apart where a stream has several virtual CPUs, since each model lets others of them run ahead. What is held
between the first and the last reader is bounded: one that is left behind reads by itself from then on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from threading import Lock

from simulator.engine.census import Census
from simulator.stream import Batch, EventStream

MOST_HELD = 8
"""Batches of one virtual CPU that are held for those who have not taken them yet."""
_NEVER = 2**63
Counted = tuple[Batch, Census]


@dataclass(slots=True)
class _Lane:
    """The batches of one virtual CPU that some readers have taken and others not yet.

    ``first`` is the number of the first that is held, ``taken`` how many each reader has taken; ``kinds`` are those of
    the last batch that was read; ``failed`` is what ended the stream early, for every reader alike.
    """

    stream: EventStream
    vcpu: int
    taken: list[int]
    first: int = 0
    held: deque[Counted] = field(default_factory=deque)
    lock: Lock = field(default_factory=Lock)
    source: Iterator[Batch] | None = None
    kinds: tuple[int, ...] = ()
    failed: Exception | None = None

    def next(self, reader: int) -> Counted | None:
        """Return the next batch of a reader, None at the end; for a reader left behind, None before the end too."""
        with self.lock:
            number = self.taken[reader] - self.first
            if number < 0 or (number == len(self.held) and not self._read_another()):
                return None
            found = self.held[number]
            self.taken[reader] += 1
            while self.held and (min(self.taken) > self.first or len(self.held) > MOST_HELD):
                self.held.popleft()
                self.first += 1
            return found

    def _read_another(self) -> bool:
        """Read one more batch; return whether there was one."""
        if self.failed:
            raise self.failed
        try:
            if self.source is None:
                self.source = self.stream.batches(self.vcpu)
            batch = next(self.source, None)
        except Exception as error:
            self.failed = error
            raise
        if batch is not None:
            census = Census.of(batch, self.kinds)
            self.kinds = census.kinds
            self.held.append((batch, census))
        return batch is not None

    def batches(self, reader: int) -> Iterator[Counted]:
        """Give all batches to a reader."""
        while (counted := self.next(reader)) is not None:
            yield counted
        taken = self.taken[reader]
        if taken < self.first:
            self.leave(reader)
            for batch in islice(self.stream.batches(self.vcpu), taken, None):
                yield batch, Census.of(batch)

    def leave(self, reader: int) -> None:
        """Let a reader take no more: nothing is held for it."""
        with self.lock:
            self.taken[reader] = _NEVER


class SharedStream:
    """A stream that several readers take batch by batch; what is held is how far they are apart, within a bound."""

    def __init__(self, stream: EventStream, readers: int) -> None:
        self.header = stream.header
        self._lanes = [_Lane(stream, vcpu, [0] * readers) for vcpu in range(self.header.vcpus)]

    def leave(self, reader: int) -> None:
        """Let a reader take no more: nothing is held for it."""
        for lane in self._lanes:
            lane.leave(reader)

    def batches(self, vcpu: int, reader: int) -> Iterator[Counted]:
        """Give the batches of one virtual CPU, each with its counts."""
        return self._lanes[vcpu].batches(reader)
