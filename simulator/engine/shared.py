"""One pass over a stream for several replays: each batch is read and counted once, whoever takes it first."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock

from simulator.engine.census import Census
from simulator.stream import Batch, EventStream

_ALL = 2**63
Counted = tuple[Batch, Census]


@dataclass(slots=True)
class _Lane:
    """The batches of one virtual CPU that some readers have taken and others not yet.

    ``first`` is the number of the first that is held, ``taken`` how many each reader has taken.
    """

    source: Iterator[Batch]
    taken: list[int]
    first: int = 0
    held: deque[Counted] = field(default_factory=deque)
    lock: Lock = field(default_factory=Lock)

    def next(self, reader: int) -> Counted | None:
        """Return the next batch of a reader, None at the end."""
        with self.lock:
            number = self.taken[reader] - self.first
            if number == len(self.held):
                batch = next(self.source, None)
                if batch is None:
                    return None
                self.held.append((batch, Census.of(batch)))
            found = self.held[number]
            self.taken[reader] += 1
            while self.held and min(self.taken) > self.first:
                self.held.popleft()
                self.first += 1
            return found


class SharedStream:
    """A stream that several readers take batch by batch; what is held is how far they are apart."""

    def __init__(self, stream: EventStream, readers: int) -> None:
        self.header = stream.header
        self._lanes = [_Lane(stream.batches(vcpu), [0] * readers) for vcpu in range(self.header.vcpus)]

    def leave(self, reader: int) -> None:
        """Let a reader take no more: nothing is held for it."""
        for lane in self._lanes:
            with lane.lock:
                lane.taken[reader] = _ALL

    def batches(self, vcpu: int, reader: int) -> Iterator[Counted]:
        """Give the batches of one virtual CPU, each with its counts."""
        lane = self._lanes[vcpu]
        while (counted := lane.next(reader)) is not None:
            yield counted
