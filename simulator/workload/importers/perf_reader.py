"""Reads the lines of a ``perf`` recording in order: where and when each line is, and whose it is.

Lines come by the block, split into columns (``perf_columns``); those that do not fit are read one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import length_hint
from pathlib import Path
from struct import error as StructError  # noqa: N812
from typing import Any

import numpy as np

from simulator.errors import StreamError
from simulator.workload.importers import perf_text
from simulator.workload.importers.causes import BY_KERNEL, BY_UNKNOWN, BY_USER, IDLE_TASK, Causes, Cpu, Place
from simulator.workload.importers.perf_block import NAME, PLACE, TIME, A, B, Block, parse_name
from simulator.workload.importers.perf_handlers import Handler, Handlers, nothing
from simulator.workload.importers.perf_text import MEMO_TEXTS, Head
from simulator.workload.importers.spool import BUFFER_BYTES
from simulator.workload.importers.unreadable import Unreadable

# Lines that the kernel may write while it switches, when the CPU already counts as the next task's.
DURING_SWITCH = frozenset({"tlb:tlb_flush", "msr:read_msr", "msr:write_msr"})


MOST_LATE_NS = 10**6
"""How much later than lines of other CPUs perf may write one: it sorts as it goes, and may miss by microseconds."""


@dataclass(slots=True, eq=False)
class Tracepoint:
    """One tracepoint of the file: who handles its lines, what they end; how many there were, and with an event."""

    name: str
    handler: Handler
    ends: int
    lines: int = 0
    events: int = 0

    @property
    def known(self) -> bool:
        """Whether the importer knows what it means."""
        return self.ends != BY_UNKNOWN


_NONE = Tracepoint("", nothing, BY_UNKNOWN)


class Reader(Handlers):
    """Reads lines in order: finds out where and when each is, lets time pass, and hands it to its handler."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.lines = 0
        self.start = self.latest = -1
        self.cpus: dict[int, Cpu] = {}
        self.tracepoints: dict[str, Tracepoint] = {}
        self.unreadable = Unreadable()
        self.repeated = 0
        self.late = self.most_late_ns = 0
        self._moved: dict[int, tuple[int, int]] = {}
        self._names: dict[bytes, Tracepoint] = {}

    def read(self, block: Block) -> None:
        """Read some lines.

        Raises:
            StreamError: time runs backward.
        """
        self._known = places = [self._places.get(text) for text in block.places]
        self._present = {text: number for number, text in enumerate(block.places)}
        tracepoints = self._count(block)
        handlers = [tracepoint.handler for tracepoint in tracepoints]
        ends = [tracepoint.ends for tracepoint in tracepoints]
        with_event = [0] * len(tracepoints)
        latest = max(self.latest, 0)
        times = iter(block.columns[TIME].tolist())
        place_and_name = block.columns[[PLACE, NAME]].tolist()
        for at, name, now, a, b in zip(*place_and_name, times, block.fields(A), block.fields(B), strict=True):
            try:
                if now < latest:
                    number = len(block) - length_hint(times) - 1
                    if now < 0:
                        head = self._head(number, block.line(number), latest)
                        latest = head.time
                        self._read_alone(head)
                        continue
                    self._note_late(number, places[at] or self._place(block.places[at], now), latest, now)
                    now = latest  # noqa: PLW2901
                latest = now  # also if its fields cannot be read: time has passed
                place = places[at]
                if place is None:
                    place = places[at] = self._place(block.places[at], now)
                cpu = place.cpu
                if cpu.place is not place:
                    self._arrive(place, tracepoints[name], now)
                # most lines end a gap of the kernel's, or of a user's: what `elapse` does, at once
                if cpu.is_idle or ends[name] > BY_USER:
                    cpu.elapse(now, ends[name])
                elif ends[name] == BY_KERNEL:
                    cpu.kernel += now - cpu.now
                    cpu.now = now
                else:
                    task = cpu.task
                    task.user_mode = task.seen_in_user_mode = True
                    cpu.interrupt_context = False
                    cpu.interrupts = 0
                    cpu.user += now - cpu.now
                    cpu.now = now
                with_event[name] += handlers[name](cpu, a, b)
            except (ValueError, StructError) as error:
                self._not_read(len(block) - length_hint(times) - 1, block, error)
        for tracepoint, events in zip(tracepoints, with_event, strict=True):
            tracepoint.events += events
        self.latest = latest
        self.lines += len(block)
        self.repeated += len(block.repeats)
        self._spill()

    def _count(self, block: Block) -> list[Tracepoint]:
        """Return the tracepoints of a block's names, with its lines counted; a name without a line is none."""
        names = block.columns[NAME]
        lines = np.bincount(names[names >= 0], minlength=len(block.names)).tolist()
        found = []
        for name, count in zip(block.names, lines, strict=True):
            tracepoint = self._tracepoint(name) if count else _NONE
            tracepoint.lines += count
            found.append(tracepoint)
        return found

    def _head(self, number: int, line: bytes, latest: int) -> Head:
        """Read the head of a line that is not in the columns."""
        head = perf_text.parse_head(line)
        place = self._place(head.place, head.time)
        if head.time >= latest:
            return head
        self._note_late(number, place, latest, head.time)
        return head._replace(time=latest)

    def _read_alone(self, head: Head) -> None:
        """Read a line that is not in the columns."""
        place, tracepoint = self._place(head.place, head.time), self._tracepoint(head.name)
        if place.cpu.place is not place and (place.named or not place.cpu.begun):
            self._arrive(place, tracepoint, head.time)
        place.cpu.elapse(head.time, tracepoint.ends)
        parse = perf_text.parser(tracepoint.name)
        meaning: Any = parse(head.fields) if parse is not None else 0
        a, b = meaning if tracepoint.name in perf_text.PAIRS else (meaning, 0)
        tracepoint.events += tracepoint.handler(place.cpu, a, b)
        tracepoint.lines += 1

    def _spill(self) -> None:
        """Keep the rows in memory few, whatever the number of CPUs."""
        most = BUFFER_BYTES // len(self.cpus) if self.cpus else 0
        for cpu in self.cpus.values():
            if len(cpu.buffer) > most:
                cpu.table.spill(self.spool)

    def _place(self, text: bytes, now: int) -> Place:
        """Find a place, or read a new one and know it from now on; the first line of all begins the recording."""
        if text in self._places:
            return self._places[text]
        if len(self._places) >= MEMO_TEXTS:
            self._places.clear()  # they are read again as they come again
        if self.start < 0:
            self.start = now
            self.causes = Causes(now)
        head = perf_text.parse_place(text)
        cpu = self.cpus.get(head.cpu) or self.cpus.setdefault(head.cpu, Cpu(head.cpu, self.start))
        if head.tid == perf_text.NO_TASK:  # the kernel forgets a thread before its last switch
            return Place(cpu, cpu.task, cpu.task.comm, named=False)
        if head.tid == IDLE_TASK:
            place = Place(cpu, cpu.idle_task, cpu.idle_task.comm)
        else:
            task = self.tasks.find(head.tid, head.comm)
            self.spaces.join_process(task, head.pid)
            place = Place(cpu, task, head.comm)
            task.places.append(text)
        self._places[text] = place
        return place

    def _tracepoint(self, text: bytes) -> Tracepoint:
        """Find the tracepoint of a name as it stands in the file, or make one and know it from now on."""
        if text not in self._names:
            if len(self._names) >= MEMO_TEXTS:
                self._names.clear()
            name = parse_name(text)
            if name not in self.tracepoints:
                self.tracepoints[name] = Tracepoint(name, *self.handler(name))
            self._names[text] = self.tracepoints[name]
        return self._names[text]

    def _arrive(self, place: Place, tracepoint: Tracepoint, now: int) -> None:
        """Follow a CPU to a line of another task, or of one with another name, than the line before."""
        cpu, task = place.cpu, place.task
        if not cpu.begun:
            self.causes.begin(cpu, task)
        elif task is not cpu.task:
            if cpu.place is None and task is cpu.task_before and tracepoint.name in DURING_SWITCH:
                return
            self._resume(cpu, task, now)
        cpu.place = place
        if place.comm != task.comm:
            self.tasks.rename(task, place.comm)
            self.spaces.enter_exec(task)

    def _note_late(self, number: int, place: Place, latest: int, now: int) -> None:
        """Count a line that perf wrote late, after lines of other CPUs: it counts as of the ``latest`` of these.

        Raises:
            StreamError: time runs backward on one CPU, or by more than perf's sorting lets pass.
        """
        cpu = place.cpu
        counted, told = self._moved.get(cpu.number, (-1, -1))
        own = told if cpu.now == counted else cpu.now if cpu.begun else now
        if now < own or latest - now > MOST_LATE_NS:
            where, before = (f" on CPU {cpu.number}", own) if now < own else ("", latest)
            raise StreamError(
                f"{self.path}:{self.lines + number + 1}: time runs backward{where}: {_seconds(now)} s after "
                f"{_seconds(before)} s (perf script writes lines in the order of time)"
            )
        self._moved[cpu.number] = latest, now
        self.late += 1
        self.most_late_ns = max(self.most_late_ns, latest - now)

    def _not_read(self, number: int, block: Block, error: Exception) -> None:
        if isinstance(error, StreamError):
            raise error
        name = block.columns[NAME, number]
        if name >= 0:
            self._tracepoint(block.names[name]).lines -= 1
        self.repeated -= number in block.repeats
        self.unreadable.add(self.lines + number + 1, block.line(number).decode("utf-8", errors="backslashreplace"))


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"
