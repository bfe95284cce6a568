"""What the lines of a recording are sorted into: who is who, the state of each CPU, and what was kept."""

from __future__ import annotations

from array import array
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

IDLE = 0
IDLE_PLACE = f"{'swapper':>16} {0:>5}/{0:<5} "


@dataclass(slots=True)
class Kept:
    """What was kept of a recording.

    ``lines`` are kept, of ``read``, and ``own_lines`` of them are of tasks of the program; ``lost`` events never
    reached the file. ``switches`` counts how often a task of the program gave up its CPU, ``ends`` how often for good,
    ``at_edges`` how often while its program was not loaded yet or it ended, ``preempted`` how often it had to give way
    to others, and ``unseen`` how often a CPU came to such a task with no switch to it in the recording. By number of
    the CPU, in nanoseconds: ``times`` of the kept lines; ``others``, the times (first and last moment) for which it ran
    somebody else, from the program's first line on; ``delays``, when a task of the program came to it at last, and for
    how long others had kept it although the task could run; ``idle``, the times for which it is known to have done
    nothing.
    """

    lines: int = 0
    own_lines: int = 0
    read: int = 0
    lost: int = 0
    switches: int = 0
    ends: int = 0
    at_edges: int = 0
    preempted: int = 0
    unseen: int = 0
    times: dict[int, array[int]] = field(default_factory=dict)
    others: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    delays: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    idle: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    @property
    def others_ns(self) -> int:
        """For how long all CPUs together ran somebody else, nanoseconds."""
        return sum(end - begin for times in self.others.values() for begin, end in times)


@dataclass(frozen=True, slots=True)
class Who:
    """Who is who when a recording begins, by numbers of tasks.

    ``tasks`` are those of the program (None: everybody's), and ``command`` joins them when it executes. ``kernel`` are
    the threads of the kernel, ``recorder`` those that never belong to it, ``stand_ins`` stand for the idle task.
    """

    tasks: Collection[int] | None
    command: int = IDLE
    kernel: Collection[int] = ()
    recorder: Collection[int] = ()
    stand_ins: Collection[int] = ()


class Line(NamedTuple):
    """A line, its CPU, its task, its time in ns, its tracepoint and fields, and where its CPU and its time end."""

    text: str
    cpu: int
    tid: int
    now: int
    tracepoint: str
    fields: str
    place_end: int
    time_end: int

    def idle(self) -> str:
        """Return the line as one of the idle task."""
        return IDLE_PLACE + self.text[self.text.rindex("[", 0, self.place_end) :]

    def idle_at_same_time(self, tracepoint: str, fields: str) -> str:
        """Return another line of the idle task, of the same CPU and time."""
        head = self.text[self.text.rindex("[", 0, self.place_end) : self.time_end]
        return f"{IDLE_PLACE}{head}: {tracepoint:>38}: {fields}"


@dataclass(slots=True)
class Cpu:
    """One CPU: its last switch (from, to), the process of the program that it ran last, since when it is others'.

    ``pending`` are lines (tracepoint, fields) of an interrupt that has woken nobody yet, and ``in_tick`` is whether a
    timer interrupt has, and is not over. ``interrupted`` is whether no line since the last interrupt shows the task at
    work, ``completes`` whether a disk request has completed in that; ``last`` is the time of the CPU's last line.
    """

    switch: tuple[int, int] = (IDLE, IDLE)
    process: int = IDLE
    others_since: int = -1
    pending: list[tuple[str, str]] = field(default_factory=list)
    in_tick: bool = False
    interrupted: bool = False
    completes: bool = False
    last: int = -1
