"""Reads the lines of a ``perf`` recording in order: where and when each line is, and whose it is.

perf aligns its columns, so that two slices of a line tell its place and its tracepoint; both are looked up, not parsed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from struct import error as StructError  # noqa: N812

from simulator.errors import StreamError
from simulator.workload.importers import perf_text
from simulator.workload.importers.causes import BY_INTERRUPT, BY_KERNEL, BY_UNKNOWN, IDLE_TASK, Causes, Cpu, Place
from simulator.workload.importers.perf_handlers import Handler, Handlers, nothing
from simulator.workload.importers.perf_text import Head
from simulator.workload.importers.spool import BUFFER_BYTES

# Lines that the kernel may write while it switches, when the CPU already counts as the next task's.
DURING_SWITCH = frozenset({"tlb:tlb_flush", "msr:read_msr", "msr:write_msr"})


@dataclass(slots=True, eq=False)
class Tracepoint:
    """One tracepoint of the file: who reads its lines, what they end, and how many there were by what they gave."""

    name: str
    handler: Handler
    ends: int
    with_event: int = 0
    without_event: int = 0

    @property
    def known(self) -> bool:
        """Whether the importer knows what it means."""
        return self.ends != BY_UNKNOWN

    @property
    def lines(self) -> int:
        """The number of its lines."""
        return self.with_event + self.without_event


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
        self._previous = ""
        self._layout = (slice(0),) * 5
        self._table = self.table()
        self._padded: dict[str, Tracepoint] = {}

    def read(self, lines: list[str]) -> None:
        """Read some lines, without their newlines.

        Raises:
            StreamError: time runs backward.
        """
        latest, previous, seconds, second = self.latest, self._previous, "", 0
        places, tracepoints = self._places, self._padded
        of_place, of_seconds, of_ns, of_name, of_fields = self._layout
        for number, line in enumerate(lines, self.lines + 1):
            try:
                try:
                    place, tracepoint = places[line[of_place]], tracepoints[line[of_name]]
                except KeyError:
                    place, tracepoint = self._learn(line)
                    of_place, of_seconds, of_ns, of_name, of_fields = self._layout
                if line[of_seconds] != seconds:
                    seconds = line[of_seconds]
                    second = int(seconds[:-1]) * 10**9
                now = second + int(line[of_ns])
                if now < latest:
                    self._refuse_backward(number, place, latest, now)
                cpu = place.cpu
                if cpu.place is not place:
                    self._arrive(place, tracepoint, now)
                if tracepoint.ends or cpu.is_idle:
                    cpu.elapse(now, tracepoint.ends)
                else:  # by the kernel, as most lines
                    cpu.kernel += now - cpu.now
                    cpu.now = now
                if tracepoint.handler(cpu, line[of_fields]):
                    tracepoint.with_event += 1
                else:
                    tracepoint.without_event += 1
                if now == latest and line == previous:
                    self.repeated += 1
                latest, previous = now, line
            except (ValueError, StructError) as error:
                self._not_read(number, line, error)
        self.latest, self._previous = latest, previous
        self.lines += len(lines)
        self._spill()

    def _spill(self) -> None:
        """Keep the rows in memory few, whatever the number of CPUs."""
        most = BUFFER_BYTES // len(self.cpus) if self.cpus else 0
        for cpu in self.cpus.values():
            if len(cpu.buffer) > most:
                cpu.table.spill(self.spool)

    def _learn(self, line: str) -> tuple[Place, Tracepoint]:
        """Read a line whose place or tracepoint is new, or not in the columns of the lines before; know it from now on.

        perf aligns its columns, so that two slices of a line tell its place and its tracepoint.
        """
        head = perf_text.parse_head(line)
        self._layout = (
            slice(head.place_end),
            slice(head.place_end, head.time_end - 9),
            slice(head.time_end - 9, head.time_end),
            slice(head.time_end, head.fields),
            slice(head.fields, None),
        )
        if self.start < 0:
            self.start = int(line[head.place_end : head.time_end].replace(".", ""))
            self.causes = Causes(self.start)
        place = self._places.setdefault(line[: head.place_end], self._place(head))
        tracepoint = self.tracepoints.get(head.tracepoint)
        if tracepoint is None:
            handler, ends = self._find_handler(head.tracepoint)
            tracepoint = self.tracepoints[head.tracepoint] = Tracepoint(head.tracepoint, handler, ends)
        self._padded[line[head.time_end : head.fields]] = tracepoint
        return place, tracepoint

    def _place(self, head: Head) -> Place:
        cpu = self.cpus.get(head.cpu) or self.cpus.setdefault(head.cpu, Cpu(head.cpu, self.start))
        if head.tid == IDLE_TASK:
            return Place(cpu, cpu.idle_task, cpu.idle_task.comm)
        task = self._task(head.tid, head.comm)
        self.spaces.join_process(task, head.pid)
        return Place(cpu, task, head.comm)

    def _find_handler(self, name: str) -> tuple[Handler, int]:
        known = self._table.get(name)
        if known is not None:
            return known
        vector, _, edge = name.removeprefix("irq_vectors:").rpartition("_")
        if name.startswith("irq_vectors:") and edge == "entry":
            return partial(self._vector_entry, vector), BY_INTERRUPT
        if name.startswith("irq_vectors:") and edge == "exit":
            return partial(self._vector_exit, vector), BY_KERNEL
        return nothing, BY_UNKNOWN

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
            task.comm = place.comm
            self.spaces.enter_exec(task)

    def _refuse_backward(self, number: int, place: Place, latest: int, now: int) -> None:
        raise StreamError(
            f"{self.path}:{number}: time runs backward on CPU {place.cpu.number}: {_seconds(now)} s after "
            f"{_seconds(latest)} s (perf script writes lines in the order of time)"
        )

    def _not_read(self, number: int, line: str, error: Exception) -> None:
        if isinstance(error, StreamError):
            raise error
        self.unreadable += 1
        if self.first_unreadable is None:
            self.first_unreadable = number
            self.first_unreadable_text = line


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"
