"""The state of a ``perf`` recording while it is read, shared by all that handle its lines."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.workload.importers.address_spaces import Space, Spaces, Task
from simulator.workload.importers.causes import BY_KERNEL, Causes, Cpu, Place
from simulator.workload.importers.settle import SPACE_DESTROY_GUESS
from simulator.workload.importers.spool import Spool
from simulator.workload.importers.tasks import Tasks

MOST_DEVICES = 32_767  # what the stream's column can tell apart


@dataclass(slots=True, eq=False)
class Guesses:
    """What is certain only at the end of the file.

    Space switches are guessed at each context switch, and wanted if no ``tlb:tlb_flush`` line tells of any. An
    interrupt completes where it begins (by vector, the kind of the guessed row) unless its vector has an exit line.
    Where an interrupt's deferred work ends is told by ``irq:softirq_exit`` lines (``softirqs_end``), or else by the
    next line that shows the task at work.
    """

    switch_lines: bool = False
    softirqs_end: bool = False
    completions: dict[str, int] = field(default_factory=dict)
    vectors_with_exit: set[str] = field(default_factory=set)


class Devices(dict[str, int]):
    """Devices by name, numbered as they are first met.

    Raises:
        ValueError: there are more than a stream can tell apart.
    """

    def __missing__(self, name: str) -> int:
        """Number a device that was not met before."""
        if len(self) > MOST_DEVICES:
            raise ValueError(name)
        number = self[name] = len(self)
        return number


class State:
    """Tasks, spaces, causes and devices, and what lines of several sorts do to them."""

    def __init__(self) -> None:
        self.spool = Spool()
        self.tasks = Tasks()
        self.spaces = Spaces()
        self.causes = Causes(0)
        self.guesses = Guesses()
        self.devices = Devices()
        self.copied = self.protected = 0
        self.unannounced = 0
        self._places: dict[bytes, Place] = {}
        self._known: list[Place | None] = []
        self._present: dict[bytes, int] = {}
        self._interrupts: dict[int, str] = {}

    def _resume(self, cpu: Cpu, task: Task, now: int) -> None:
        self.unannounced += 1
        if cpu.task_before.dead:
            self._forget(cpu.task_before)
        cpu.elapse(now, BY_KERNEL)
        self.causes.resume(cpu, task)

    def _forget(self, task: Task) -> None:
        """Know no place of a task any more, as it is dead, or its number is another's now."""
        for text in task.places:
            self._places.pop(text, None)
            if text in self._present:
                self._known[self._present[text]] = None
        self.spaces.forget(task)
        self.tasks.bury(task)

    def _end_exec(self, cpu: Cpu) -> None:
        if cpu.task.entered:
            self._destroy(cpu, cpu.task, self.spaces.end_exec(cpu.task))

    def _may_be_torn_down(self, cpu: Cpu) -> None:
        """Append on suspicion the end of the space that the task leaves: by now its last entry may be cleared."""
        task = cpu.task
        if task.leaving is not None:
            if cpu.implied and cpu.fault is not None and cpu.fault[1] == task.leaving.number:
                cpu.write_implied()
            cpu.memory_event_at_last_row(SPACE_DESTROY_GUESS, task.leaving.number)
            task.grave = (cpu, cpu.next_row - 1)

    def _destroy(self, cpu: Cpu, task: Task, space: Space | None) -> None:
        """Confirm the latest suspicion, or where none was, the present moment, if ``space`` was torn down."""
        if space is not None:
            if task.grave is None:
                self._may_be_torn_down(cpu)
            assert task.grave is not None
            rows, row = task.grave
            rows.ends.add(row)
        task.leaving = task.grave = None
