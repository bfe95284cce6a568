"""Reads the lines of a ``perf`` recording in order: where and when each line is, and whose it is.

Lines come by the block, split into columns (``perf_columns``); those that do not fit are read one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from struct import error as StructError  # noqa: N812

from simulator.errors import StreamError
from simulator.workload.importers import perf_text
from simulator.workload.importers.causes import BY_INTERRUPT, BY_KERNEL, BY_UNKNOWN, IDLE_TASK, Causes, Cpu, Place
from simulator.workload.importers.perf_columns import Block, parse_name
from simulator.workload.importers.perf_handlers import Handler, Handlers, NumbersHandler, nothing
from simulator.workload.importers.perf_text import MEMO_TEXTS, Head
from simulator.workload.importers.spool import BUFFER_BYTES

# Lines that the kernel may write while it switches, when the CPU already counts as the next task's.
DURING_SWITCH = frozenset({"tlb:tlb_flush", "msr:read_msr", "msr:write_msr"})


@dataclass(slots=True, eq=False)
class Tracepoint:
    """One tracepoint of the file: who reads its lines, what they end, how many there were without and with an event.

    Its fields are numbers for ``numbers``, if that is there, else text for ``handler``.
    """

    name: str
    handler: Handler
    numbers: NumbersHandler | None
    ends: int
    counts: list[int] = field(default_factory=lambda: [0, 0])

    @property
    def known(self) -> bool:
        """Whether the importer knows what it means."""
        return self.ends != BY_UNKNOWN

    @property
    def lines(self) -> int:
        """The number of its lines."""
        return sum(self.counts)


class Reader(Handlers):
    """Reads lines in order: finds out where and when each is, lets time pass, and hands it to its handler."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.lines = 0
        self.start = self.latest = -1
        self.cpus: dict[int, Cpu] = {}
        self.tracepoints: dict[str, Tracepoint] = {}
        self.unreadable = 0
        self.first_unreadable: int | None = None
        self.first_unreadable_text = ""
        self.repeated = 0
        self._names: dict[bytes, Tracepoint] = {}
        self._table = self.table()
        self._numbers_table = self.numbers_table()

    def read(self, block: Block) -> None:
        """Read some lines.

        Raises:
            StreamError: time runs backward.
        """
        self._heads = block.heads
        self._known = places = [self._places.get(text) for text in block.places]
        self._present = {text: number for number, text in enumerate(block.places)}
        names = [self._names.get(text) for text in block.names]
        texts, latest = block.texts, self.latest
        for number, (at, name, now, a, b, c) in enumerate(zip(*block.columns.tolist(), strict=True)):
            try:
                if now < 0:
                    head = self._head(number, block.line(number), latest)
                    latest = head.time
                    self._read_alone(head)
                    continue
                place, tracepoint = places[at], names[name]
                if place is None or tracepoint is None:
                    place = places[at] = self._place(block.places[at], now)
                    tracepoint = names[name] = self._tracepoint(block.names[name])
                if now < latest:
                    self._refuse_backward(number, place, latest, now)
                latest = now  # also if its fields cannot be read: time has passed
                cpu = place.cpu
                if cpu.place is not place:
                    self._arrive(place, tracepoint, now)
                if tracepoint.ends == BY_KERNEL and not cpu.is_idle:  # most lines: what `elapse` does, at once
                    cpu.kernel += now - cpu.now
                    cpu.now = now
                else:
                    cpu.elapse(now, tracepoint.ends)
                if tracepoint.numbers is not None:
                    event = tracepoint.numbers(cpu, a, b, c)
                else:
                    event = tracepoint.handler(cpu, texts[a])
                tracepoint.counts[event] += 1
            except (ValueError, StructError) as error:
                self._not_read(number, block, error)
        self.latest = latest
        self.lines += len(block)
        self.repeated += len(block.repeats)
        self._spill()

    def _head(self, number: int, line: bytes, latest: int) -> Head:
        """Read the head of a line that is not in the columns."""
        head = perf_text.parse_head(line)
        place = self._place(head.place, head.time)
        if head.time < latest:
            self._refuse_backward(number, place, latest, head.time)
        return head

    def _read_alone(self, head: Head) -> None:
        """Read a line that is not in the columns."""
        place, tracepoint = self._place(head.place, head.time), self._tracepoint(head.name)
        if place.cpu.place is not place:
            self._arrive(place, tracepoint, head.time)
        place.cpu.elapse(head.time, tracepoint.ends)
        if tracepoint.numbers is not None:
            event = tracepoint.numbers(place.cpu, *self.numbers(tracepoint.name, head.fields))
        else:
            event = tracepoint.handler(place.cpu, head.fields)
        tracepoint.counts[event] += 1

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
                self.tracepoints[name] = self._make_tracepoint(name)
            self._names[text] = self.tracepoints[name]
        return self._names[text]

    def _make_tracepoint(self, name: str) -> Tracepoint:
        if name in self._numbers_table:
            numbers, ends = self._numbers_table[name]
            return Tracepoint(name, nothing, numbers, ends)
        if name in self._table:
            handler, ends = self._table[name]
            return Tracepoint(name, handler, None, ends)
        vector, _, edge = name.removeprefix("irq_vectors:").rpartition("_")
        if name.startswith("irq_vectors:") and edge == "entry":
            return Tracepoint(name, partial(self._vector_entry, vector), None, BY_INTERRUPT)
        if name.startswith("irq_vectors:") and edge == "exit":
            return Tracepoint(name, partial(self._vector_exit, vector), None, BY_KERNEL)
        return Tracepoint(name, nothing, None, BY_UNKNOWN)

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

    def _refuse_backward(self, number: int, place: Place, latest: int, now: int) -> None:
        raise StreamError(
            f"{self.path}:{self.lines + number + 1}: time runs backward on CPU {place.cpu.number}: {_seconds(now)} s "
            f"after {_seconds(latest)} s (perf script writes lines in the order of time)"
        )

    def _not_read(self, number: int, block: Block, error: Exception) -> None:
        if isinstance(error, StreamError):
            raise error
        self.unreadable += 1
        self.repeated -= number in block.repeats
        if self.first_unreadable is None:
            self.first_unreadable = self.lines + number + 1
            self.first_unreadable_text = block.line(number).decode("utf-8", errors="backslashreplace")


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"
