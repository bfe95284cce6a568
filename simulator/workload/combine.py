"""Streams put together: copies of one, several side by side, several one after the other.

**What is made distinct.** Signals, address spaces and tasks of each stream get numbers of their own, above those of the
streams before it. Devices are merged by name: two streams that use a disk of one name share it. Sites, pages and the
numbers of system calls and vectors stay: copies run the same code, and whether two programs share code is not known. So
a model whose state goes by site (a translation cache, sites that adapt) sees the code of all streams as one.

**Side by side** (``mix``): the virtual CPUs of each stream, one after the other in number, all beginning with the run.
With fewer physical CPUs they contend for these.

**One after the other** (``concat``): each virtual CPU runs its part of the first stream, then of the second. The second
begins when the first has ended on all virtual CPUs: at a joint each tells the next that it has come there, the last one
tells all, and waits for the start of the run become waits for that. What the last events of the first stream cost is
not taken off the second's gaps (``recorded.py``). Requests that the first handed to a machine's device, and did not
wait for, may end in the second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from simulator.errors import StreamError
from simulator.stream import COLUMN, START_SIGNAL, Batch, EventStream, Header, exact_sum
from simulator.workload.batches import gathered, row_of_computation

MOST_VCPUS = 65_536
"""Virtual CPUs that copies may have together; each is a process of its own in a replay."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The greatest signal (0: none), address space and task (-1: none) of a stream, or what is added to each."""

    signals: int = 0
    spaces: int = 0
    tasks: int = 0

    def above(self, greatest: Numbers) -> Numbers:
        """Return what to add in the next stream, this being what was added in a stream with these greatest numbers."""
        return Numbers(
            self.signals + greatest.signals, self.spaces + greatest.spaces + 1, self.tasks + greatest.tasks + 1
        )


@dataclass(frozen=True, slots=True)
class Part:
    """One of the streams put together.

    ``added`` is what its numbers are raised by, ``devices`` has the new number of each of its devices, ``start`` is the
    signal with which it begins, ``ends`` the recorded time of the last row of each virtual CPU, and ``length`` the
    recorded time from its beginning to its end, nanoseconds.
    """

    stream: EventStream
    added: Numbers
    devices: tuple[int, ...]
    ends: tuple[int, ...]
    length: int
    start: int = START_SIGNAL

    def batches(self, vcpu: int) -> Iterator[Batch]:
        """Give the rows of one of its virtual CPUs with their new numbers; of one that it does not have, none."""
        if vcpu < self.stream.header.vcpus:
            yield from map(self._renumbered, self.stream.batches(vcpu))

    def _renumbered(self, batch: Batch) -> Batch:
        columns = dict(batch.columns)
        for name, added, above in (
            ("space", self.added.spaces, -1),
            ("task", self.added.tasks, -1),
            ("waits", self.added.signals, START_SIGNAL),
            ("posts", self.added.signals, START_SIGNAL),
        ):
            if name in columns:
                columns[name] = np.where(columns[name] > above, columns[name] + added, columns[name])
        if "waits" in columns:
            columns["waits"] = np.where(columns["waits"] == START_SIGNAL, self.start, columns["waits"])
        if "device" in columns:
            columns["device"] = np.array([-1, *self.devices], columns["device"].dtype)[columns["device"] + 1]
        return Batch(columns)


@dataclass(frozen=True, slots=True)
class Mixed:
    """Streams side by side; see this module's text."""

    header: Header
    parts: tuple[Part, ...]

    def batches(self, vcpu: int) -> Iterator[Batch]:
        """Give the rows of one virtual CPU, in order."""
        for part in self.parts:
            if vcpu < part.stream.header.vcpus:
                return part.batches(vcpu)
            vcpu -= part.stream.header.vcpus
        raise IndexError("the streams together have no such virtual CPU")


@dataclass(frozen=True, slots=True)
class Concatenated:
    """Streams one after the other; see this module's text.

    ``joints`` is the greatest signal of the parts: those of the joints come after it.
    """

    header: Header
    parts: tuple[Part, ...]
    joints: int

    def batches(self, vcpu: int) -> Iterator[Batch]:
        """Give the rows of one virtual CPU, in order."""
        numbered = enumerate(self.parts)
        return gathered(chain.from_iterable(self._with_joint(number, part, vcpu) for number, part in numbered))

    def _with_joint(self, number: int, part: Part, vcpu: int) -> Iterator[Batch]:
        """Give the rows of a part, and of the joint after it, if another follows.

        Idle time fills up the recorded time to the end of the part.
        """
        yield from part.batches(vcpu)
        if part is self.parts[-1]:
            return
        last = self.header.vcpus - 1
        first = self.joints + number * self.header.vcpus + 1
        waits = {"waits": first + vcpu - 1} if vcpu else {}
        idle = part.length - (part.ends[vcpu] if vcpu < len(part.ends) else 0)
        yield row_of_computation(idle_ns=idle, posts=first + vcpu, **waits)
        if vcpu < last:
            yield row_of_computation(waits=first + last)


def scale(stream: EventStream, copies: int) -> Mixed:
    """Return copies of a stream side by side, on as many times its virtual CPUs; one copy is the stream itself.

    Raises:
        StreamError: there are no copies, or too many: their numbers do not fit the columns.
    """
    if copies < 1:
        raise StreamError(f"expected 1 copy or more, found {copies}")
    if copies * stream.header.vcpus > MOST_VCPUS:
        raise StreamError(f"{copies:,} copies would have more than {MOST_VCPUS:,} virtual CPUs together")
    title = stream.header.title if copies == 1 else f"{copies} copies of {stream.header.title}"
    return _side_by_side([stream] * copies, replace(stream.header, title=title))


def mix(streams: Sequence[EventStream]) -> Mixed:
    """Return streams side by side, on the virtual CPUs of all.

    Raises:
        StreamError: the numbers of all together do not fit the columns.
    """
    return _side_by_side(streams, Header(" beside ".join(stream.header.title for stream in streams)))


def concat(streams: Sequence[EventStream]) -> Concatenated:
    """Return streams one after the other, on as many virtual CPUs as the one with the most of them has.

    Raises:
        StreamError: the numbers of all together do not fit the columns.
    """
    parts, joints = _parts(streams)
    vcpus = max(stream.header.vcpus for stream in streams)
    _check("posts", joints + (len(parts) - 1) * vcpus)
    begun = [
        replace(part, start=joints + number * vcpus if number else START_SIGNAL) for number, part in enumerate(parts)
    ]
    recorded = any(stream.header.recorded_ns for stream in streams)
    title = ", then ".join(stream.header.title for stream in streams)
    length = sum(part.length for part in parts) if recorded else 0
    return Concatenated(_described(Header(title, vcpus, length), parts), tuple(begun), joints)


def _side_by_side(streams: Sequence[EventStream], header: Header) -> Mixed:
    parts, _ = _parts(streams)
    vcpus = sum(stream.header.vcpus for stream in streams)
    recorded = max(stream.header.recorded_ns for stream in streams)
    return Mixed(_described(replace(header, vcpus=vcpus, recorded_ns=recorded), parts), tuple(parts))


def _described(header: Header, parts: Sequence[Part]) -> Header:
    """Return a header with the devices and the tasks of all parts, under their new numbers."""
    devices = dict(chain.from_iterable(zip(part.devices, part.stream.header.devices, strict=True) for part in parts))
    tasks = {n + part.added.tasks: name for part in parts for n, name in part.stream.header.tasks.items()}
    return replace(header, devices=tuple(name for _, name in sorted(devices.items())), tasks=tasks)


def _parts(streams: Sequence[EventStream]) -> tuple[list[Part], int]:
    """Give each stream numbers of its own; return also the greatest signal of all. Each stream is read once."""
    known: dict[int, tuple[Numbers, tuple[int, ...]]] = {}
    devices: dict[str, int] = {}
    added, parts = Numbers(), []
    for stream in streams:
        if id(stream) not in known:
            known[id(stream)] = _survey(stream)
        greatest, ends = known[id(stream)]
        for name in stream.header.devices:
            devices.setdefault(name, len(devices))
        numbers = tuple(devices[name] for name in stream.header.devices)
        parts.append(Part(stream, added, numbers, ends, max((stream.header.recorded_ns, *ends))))
        added = added.above(greatest)
    for name, number in (("posts", added.signals), ("space", added.spaces - 1), ("task", added.tasks - 1)):
        _check(name, number)
    _check("device", len(devices) - 1)
    return parts, added.signals


def _survey(stream: EventStream) -> tuple[Numbers, tuple[int, ...]]:
    """Return the greatest numbers of a stream, and the recorded time of the last row of each virtual CPU."""
    signals, spaces, tasks = START_SIGNAL, -1, max(stream.header.tasks, default=-1)
    ends = []
    for vcpu in range(stream.header.vcpus):
        end = 0
        for batch in filter(len, stream.batches(vcpu)):
            signals = max(signals, *(int(batch.column(name).max()) for name in ("waits", "posts")))
            spaces = max(spaces, int(batch.column("space").max()))
            tasks = max(tasks, int(batch.column("task").max()))
            end += exact_sum(batch.gaps())
        ends.append(end)
    return Numbers(signals, spaces, tasks), tuple(ends)


def _check(column: str, number: int) -> None:
    """Refuse numbers that a column cannot hold."""
    most = int(np.iinfo(COLUMN[column].dtype).max)
    if number > most:
        raise StreamError(
            f"too much together: the column '{column}' would have to hold {number:,}, and holds up to {most:,}"
        )
