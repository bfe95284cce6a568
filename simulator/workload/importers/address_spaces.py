"""Tasks and their address spaces, told from forks, execs and the kernel's memory counters (``kmem:rss_stat``).

The trace names an address space by a hash (``mm_id``) that is used again after the space is gone, and only where a
counter changes. So spaces are numbered here: a task's process has one from its first use; a fork makes one for the
child, filled while the system call runs; an exec makes one, built before the task enters it. Where two numbers turn
out to be one space they are merged, and ``Spaces.numbering`` tells the final numbers.

A space is torn down when its last known task leaves it, by an exit or an exec. A task that leaves is still ``leaving``
while the kernel clears the entries, and has left when it is switched away from as a zombie, or when its exec is done.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from simulator.workload.importers.perf_text import CLONE, CLONE3, FORK, PAGE_BYTES, VFORK, CounterHead
from simulator.workload.importers.rows import Cause, Post, Rows

FORKS = frozenset({CLONE, FORK, VFORK, CLONE3})
EXECS = frozenset({59, 322})
NO_SYSCALL = -1
ANONYMOUS = "MM_ANONPAGES"


@dataclass(slots=True, eq=False)
class Space:
    """One address space: ``new`` if its making is in the recording, so that all its counters began at zero.

    ``left`` is whether a process that used it ended, or gave it up for another; ``gone`` is whether it was torn down.
    """

    number: int
    new: bool = False
    mm_id: str = ""
    same_as: Space | None = None
    left: bool = False
    gone: bool = False


@dataclass(slots=True, eq=False)
class Counters:
    """The memory counters of one address space, in bytes, by type; ``total`` is the sum of those known."""

    space: Space
    sizes: dict[str, int] = field(default_factory=dict)
    total: int = 0


@dataclass(slots=True, eq=False)
class Task:
    """What is known of one task while the recording is read.

    ``dead`` is whether its CPU was switched away from it for good, and ``places`` are the texts that tell of its lines.
    ``leaving`` is the space that it is about to leave for good, and ``grave`` the row of the latest moment at which
    that space may have been torn down.
    """

    tid: int
    process: int
    comm: str = ""
    space: Space | None = None
    syscall: int = NO_SYSCALL
    user_mode: bool = False
    seen_in_user_mode: bool = False
    shares_space: bool = False
    filling: Counters | None = None
    copied: int = 0
    building: Counters | None = None
    entered: bool = False
    exiting: bool = False
    leaving: Space | None = None
    grave: tuple[Rows, int] | None = None
    running: bool = False
    left: Post | None = None
    dead: bool = False
    places: list[bytes] = field(default_factory=list)
    preempted: bool = False
    wake: Cause | None = None
    early_wake: Cause | None = None


class Spaces:
    """All address spaces of a recording; reads no lines, keeps who lives where, and the counters.

    ``written`` are, by the number of a space, the pages that faulted for writing since it was last forked.
    """

    def __init__(self) -> None:
        self.unknown_bases = 0
        self.written: defaultdict[int, set[int]] = defaultdict(set)
        self._tasks: defaultdict[int, set[Task]] = defaultdict(set)
        self._all: list[Space] = []
        self._processes: dict[int, Space] = {}
        self._counters: dict[str, Counters] = {}

    def of(self, task: Task) -> Space:
        """Return the space of a task; one never seen in its process before gets a new number."""
        if task.space is None:
            space = self._processes.get(task.process) or self._make()
            self._processes.setdefault(task.process, space)
            self._house(task, space)
            return space
        return task.space

    def join_process(self, task: Task, process: int) -> None:
        """Note that a task, known by its own number alone until now, is a thread of ``process``."""
        if task.process == process:
            return
        task.process = process
        shared = self._processes.get(process)
        if task.space is not None and shared is not None:
            self._merge(task.space, shared)
        space = shared or task.space
        if space is not None:
            self._house(task, space)
            self._processes[process] = space

    def enter_exec(self, task: Task) -> None:
        """Move a task that executes a new program to its new space, once per exec."""
        if task.syscall not in EXECS or task.entered:
            return
        task.entered = True
        task.leaving, task.grave = root(self.of(task)), None
        task.leaving.left = True
        self._move(task, task.building.space if task.building else self._make(new=True))

    def fork(self, parent: Task, child: Task) -> None:
        """Give the child of a fork its space: the one filled during the call, the parent's own, or a new one."""
        if parent.filling is not None:
            space = parent.filling.space
        elif parent.syscall in FORKS:
            space = self.of(parent) if parent.shares_space else self._make(new=True)
        else:
            return
        self._move(child, space)

    def begin_exit(self, task: Task, last_of_process: bool) -> None:
        """Note that a task exits: from now on it is leaving its space."""
        task.exiting = True
        task.leaving, task.grave = root(self.of(task)), None
        task.leaving.left |= last_of_process

    def end_exit(self, task: Task) -> Space | None:
        """Note that a task is a zombie; return the space that is torn down with it, if any.

        A task that was never in user mode, and whose space has no counters, is the kernel's own and has none.
        """
        if task.leaving is None:
            self.begin_exit(task, last_of_process=True)
        space = root(task.leaving or self.of(task))
        self._tasks[space.number].discard(task)
        return self._torn_down(space) if task.seen_in_user_mode or space.mm_id or space.new else None

    def end_exec(self, task: Task) -> Space | None:
        """Note that an exec is done; return the space that was torn down in it, if any."""
        return self._torn_down(root(task.leaving)) if task.leaving is not None else None

    def forget(self, task: Task) -> None:
        """Note that a task is no more, as its number is used again."""
        if task.space is not None:
            self._tasks.get(root(task.space).number, set()).discard(task)

    def _torn_down(self, space: Space) -> Space | None:
        if self._tasks.get(space.number) or not space.left or space.gone:
            return None
        space.gone = True
        self._tasks.pop(space.number, None)
        self.written.pop(space.number, None)
        self._counters.pop(space.mm_id, None)
        return space

    def change(self, task: Task, head: CounterHead, size: int) -> tuple[Counters, int]:
        """Record a counter's new value in bytes, seen while ``task`` runs; return whose it is, and the change in pages.

        A counter first seen in a space older than the recording tells no change: its base is unknown.
        """
        mm_id, current, counter = head
        counters = self._counters.get(mm_id)
        if counters is None or not counters.total:
            counters = self._adopt(task, mm_id, counters, current)
        if current and counters.space is not task.space:
            self._settle(task, counters)
        sizes = counters.sizes
        before = sizes.get(counter)
        sizes[counter] = size
        if before is None:
            if not counters.space.new:
                self.unknown_bases += 1
                counters.total += size
                return counters, 0
            before = 0
        counters.total += size - before
        return counters, (size - before) // PAGE_BYTES

    def numbering(self) -> npt.NDArray[np.int64]:
        """Return the final number of each provisional one; the last element, reached by index -1, is -1."""
        numbers: list[int] = []
        count = 0
        for space in self._all:
            if space.same_as is None:
                numbers.append(count)
                count += 1
            else:
                numbers.append(-1)
        for space in self._all:
            numbers[space.number] = numbers[root(space).number]
        return np.array([*numbers, -1], dtype=np.int64)

    def _make(self, new: bool = False) -> Space:
        space = Space(len(self._all), new)
        self._all.append(space)
        return space

    def _adopt(self, task: Task, mm_id: str, known: Counters | None, current: bool) -> Counters:
        """Find the space of an ``mm_id`` that is unknown, or whose counters are all zero, so that it may be another."""
        if task.syscall in FORKS and not current and task.filling is None:
            task.filling = counters = Counters(self._make(new=True))
        elif task.syscall in EXECS and task.building is None and not task.entered:
            task.building = counters = Counters(self._make(new=True))
        elif known is not None:
            return known
        else:
            own = self.of(task) if current else task.leaving
            counters = Counters(own if own is not None and not own.mm_id else self._make())
        counters.space.mm_id = mm_id
        self._counters[mm_id] = counters
        return counters

    def _settle(self, task: Task, counters: Counters) -> None:
        """A counter says in which space the task runs, and it is another than thought."""
        if counters is task.building:
            self.enter_exec(task)
            return
        if task.space is not None and not task.space.mm_id:
            self._merge(task.space, counters.space)
        self._move(task, counters.space)

    def _move(self, task: Task, space: Space) -> None:
        self._house(task, space)
        self._processes[task.process] = space

    def _house(self, task: Task, space: Space) -> None:
        self.forget(task)
        task.space = space
        self._tasks[root(space).number].add(task)

    def _merge(self, one: Space, other: Space) -> None:
        one, other = root(one), root(other)
        if one is not other:
            one.same_as = other
            self._tasks[other.number] |= self._tasks.pop(one.number, set())
            other.left |= one.left


def root(space: Space) -> Space:
    """Return what a space turned out to be."""
    while space.same_as is not None:
        space = space.same_as
    return space
