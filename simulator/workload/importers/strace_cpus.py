"""CPUs for tasks whose CPUs are not told: as few as could have run what ran at once.

A task needs a CPU from when it goes on until it sleeps or ends. It gets the one that it had, if that is free, else the
free one with the lowest number, else another. What is written here is what ``perf script`` would have written of it:
each beginning and end is a task switch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from simulator.workload.importers.perf_lines import Lines
from simulator.workload.importers.perf_text import Place, Switch

IDLE = 0


@dataclass(slots=True, eq=False)
class Task:
    """A task: ``cpu`` is where it runs (-1: it sleeps), ``since`` when its present call began (-1: it is in none).

    ``place`` is where lines say that it is, from when it first runs. ``slept`` is whether it gave up its CPU in that
    call. ``files`` are its process's descriptors of files.
    """

    tid: int
    process: int
    comm: str
    files: set[int] = field(default_factory=set)
    cpu: int = -1
    last_cpu: int = -1
    since: int = -1
    call: str = ""
    arguments: str = ""
    slept: bool = False
    child: Task | None = None
    place: Place = field(init=False)


@dataclass(slots=True)
class _Left:
    """A CPU that a task has left, with nobody known yet to follow it at once."""

    task: Task
    time: int
    state: str


class Cpus:
    """Gives CPUs to tasks, and writes lines in the order of time; ``lines`` is for others to take from.

    ``now`` is the time of the last line written, and ``start`` that from which the lines count, in nanoseconds.
    """

    def __init__(self) -> None:
        self.lines = Lines()
        self.number = 0
        self.now = self.start = 0
        self._free: set[int] = set()
        self._left: dict[int, _Left] = {}

    def line(self, task: Task, time: int, tracepoint: str, meaning: Any) -> None:
        """Write what a running task did, by what the fields of the tracepoint mean (``perf_text.PARSERS``).

        A time before that of the line before is taken as that.
        """
        self._advance(time)
        self.lines.meaning(task.place, tracepoint, self.now - self.start, meaning)

    def syscall(self, task: Task, time: int, tracepoint: str, number: int, shares_space: bool = False) -> None:
        """Write that a running task entered or left a system call, as ``line``."""
        self._advance(time)
        self.lines.numbers(task.place, tracepoint, self.now - self.start, number, shares_space)

    def take(self, task: Task, time: int) -> None:
        """Let a task run, if it does not."""
        if task.cpu >= 0:
            return
        self._advance(time)
        if task.last_cpu in self._free:
            cpu = task.last_cpu
        elif self._free:
            cpu = min(self._free)
        else:
            cpu = self.number
            self.number += 1
        self._free.discard(cpu)
        self._put(task, cpu)
        left = self._left.pop(cpu, None)
        if left is not None:
            self._switch(cpu, left.task, left.state, task)
        else:
            self._switch(cpu, None, "R", task)

    def begin(self, task: Task, time: int) -> None:
        """Let a task be the one that ran when the recording began."""
        self.now = self.start = time
        self._put(task, self.number)
        self.number += 1

    def rename(self, task: Task, comm: str) -> None:
        """Give a running task another name."""
        task.comm = comm
        self._put(task, task.cpu)

    @staticmethod
    def _put(task: Task, cpu: int) -> None:
        task.cpu = task.last_cpu = cpu
        task.place = Place(task.comm, task.process, task.tid, cpu)

    def leave(self, task: Task, time: int, state: str) -> None:
        """Let a task give up its CPU, in a state as the kernel names it (``S``: it sleeps, ``Z``: it has ended)."""
        self._advance(time)
        self._free.add(task.cpu)
        self._left[task.cpu] = _Left(task, self.now, state)
        task.cpu = -1

    def flush(self) -> None:
        """Write that all CPUs are idle that tasks have left and nobody has taken at that moment."""
        for cpu, left in self._left.items():
            self._switch(cpu, left.task, left.state, None)
        self._left.clear()

    def _advance(self, time: int) -> None:
        if time > self.now:
            if self._left:
                self.flush()
            self.now = time

    def _switch(self, cpu: int, before: Task | None, state: str, after: Task | None) -> None:
        """Write a task switch; None is the idle task."""
        comm, tid = (after.comm, after.tid) if after else (f"swapper/{cpu}", IDLE)
        place = before.place if before else Place("swapper", IDLE, IDLE, cpu)
        switch = Switch(place.tid, state, comm, tid)
        self.lines.meaning(place, "sched:sched_switch", self.now - self.start, switch)
