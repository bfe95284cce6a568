"""Who waited for whom: task switches, wakings, disk requests and idle time become signals between rows.

A task that sleeps is woken in one of four ways, and the signal is posted accordingly (``Cause.sort``):

- ``task``: by another task. Its ``wake`` row posts, at once.
- ``device``: in the interrupt that completed a disk request. The ``disk_request`` row posts, after the latency.
- ``timer``: in any other interrupt, or by none that was recorded. The ``context_switch`` row by which the task went to
  sleep posts, after the time that it slept.
- ``preempted``: it never slept, but was moved to another CPU. The ``context_switch`` row by which it was preempted
  posts, at once. (One that goes on where it was preempted has nothing to wait for but its CPU.)

A stretch that begins on an idle CPU with no cause in the recording waits for the beginning of that idle time
(``idle``), or where that is not recorded either, for the start of the recording (``start``).

Idle time has no tracepoint. A CPU whose idle task runs is taken to sleep, from its last row on, whenever time passes
until an interrupt that finds it not already roused for a task, or until the next switch where nothing roused it before.
The rows from the end of the last sleep to the switch are the *wake path*: the first waits for the task's cause, and the
time between them is the kernel's. Rows of the idle time before that are *soft*: a replay, which finds its own idle
time, runs them as soon as the CPU is idle, so never later than recorded.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from simulator.workload.importers.address_spaces import Space, Task
from simulator.workload.importers.rows import NEVER, Cause, Post, Rows, Signals

IDLE_TASK = 0

# What ends a gap, which tells its mode; lines of tracepoints that are not known end none.
BY_KERNEL, BY_USER, BY_INTERRUPT, BY_UNKNOWN = range(4)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where a line comes from: a CPU, the task that runs there, and the name that it has by then.

    A line that does not name its task (``named``) is one of its last.
    """

    cpu: Cpu
    task: Task
    comm: str
    named: bool = True


class Cpu(Rows):
    """One virtual CPU: its rows, what runs on it, its interrupts and its idle time."""

    __slots__ = (
        *("number", "idle_task", "task", "task_before", "begun", "place", "loaded", "interrupts", "interrupt_context"),
        *("completed", "idle_since", "idle_post", "announced", "roused", "woken"),
    )

    def __init__(self, number: int, start: int) -> None:
        super().__init__(start)
        self.number = number
        self.idle_task = Task(IDLE_TASK, IDLE_TASK, "swapper")
        self.task = self.idle_task
        self.begun = False
        self.place: Place | None = None
        self.task_before = self.idle_task
        self.loaded: Space | None = None
        self.interrupts = 0
        self.interrupt_context = False
        self.completed: Post | None = None
        self.idle_since = start
        self.idle_post: Post | None = None
        self.announced = False
        self.roused = False
        self.woken = False

    def elapse(self, now: int, ends: int) -> None:
        """Let time pass until ``now`` (ns), in the mode that the running task and what ``ends`` the gap tell.

        A line that comes from user mode shows the task there, and no interrupt under way.
        """
        gap = now - self.now
        if ends == BY_USER:
            task = self.task
            task.user_mode = task.seen_in_user_mode = True
            self.interrupt_context = False
            self.interrupts = 0
            if not self.is_idle:
                self.user += gap
                self.now = now
                return
        elif ends == BY_UNKNOWN:
            return
        self.now = now
        if self.is_idle:
            self.idle += gap
        elif ends == BY_INTERRUPT and self.task.user_mode and not self.interrupts:
            self.user += gap
        else:
            self.kernel += gap

    def run(self, task: Task, announced: bool) -> None:
        """Make ``task`` the one that runs, from now on; ``announced``: the last row is the switch to it."""
        self.begun = True
        self.task.running = False
        self.task_before = self.task
        self.task = task
        self.tid = task.tid
        self.is_idle = task is self.idle_task
        task.running = not self.is_idle
        if task.space is not None:
            self.loaded = task.space
        self.interrupt_context = False
        self.interrupts = 0
        if self.is_idle:
            self.idle_rows.clear()
            self.idle_since = self.now
            self.idle_post = None
            self.announced = announced
            self.roused = self.woken = False

    def enter_interrupt(self) -> None:
        """Note that an interrupt, or the deferred work of one, begins; it ends the sleep of an idle CPU."""
        self.interrupt_context = True
        self.completed = None

    def rouse(self) -> None:
        """Note that an interrupt finds the CPU idle: it slept until now, unless it was on its way to a task."""
        if not self.interrupts:
            if not self.woken:
                self.sleep()
            self.roused = True

    def leave_interrupt(self) -> None:
        """Note that the task itself goes on."""
        self.interrupt_context = False
        self.interrupts = 0

    def sleep(self) -> None:
        """Append a halt if the idle CPU slept since its last row; the first of an idle time can post for the whole."""
        if self.halt() and self.idle_post is None and self.announced:
            self.idle_post = Post(self, self.next_row - 1, self.idle_since)

    def wake_path(self, since: int) -> list[tuple[int, int]]:
        """Return rows (number, time) of the present idle time since the last sleep and since ``since``."""
        if not self.roused and since <= self.idle_since:
            return []
        return [row for row in self.idle_rows if row[1] >= since]


class Causes:
    """Keeps who woke whom, and enters the waits and posts into the rows."""

    def __init__(self, start: int) -> None:
        self.signals = Signals(start)
        self.waits: defaultdict[str, int] = defaultdict(int)
        self._requests: dict[tuple[str, int], Post | None] = {}
        self.reissued = 0

    @property
    def open_requests(self) -> int:
        """The number of disk requests issued and not completed."""
        return len(self._requests)

    def issue(self, cpu: Cpu, disk: str, sector: int) -> None:
        """Note that the last row of ``cpu`` is a disk request; soft rows of an idle CPU cannot post its completion."""
        self.reissued += (disk, sector) in self._requests
        self._requests[disk, sector] = None if cpu.is_idle else Post(cpu, cpu.next_row - 1, cpu.now)

    def complete(self, cpu: Cpu, disk: str, sector: int) -> None:
        """Note that a disk request has completed, on this CPU."""
        cpu.completed = self._requests.pop((disk, sector), None)

    def wake(self, cpu: Cpu, woken: Task, target: int) -> None:
        """Note that the last row of ``cpu`` wakes a task: only the first waking of a sleep counts."""
        local = cpu.is_idle and target == cpu.number
        cpu.woken |= local
        if woken.wake is not None:
            return
        cause = self._cause(cpu, woken, local)
        if woken.running:
            woken.early_wake = cause
        else:
            woken.wake = cause

    def _cause(self, cpu: Cpu, woken: Task, local: bool) -> Cause:
        if not cpu.interrupt_context and not cpu.is_idle:
            post, sort = Post(cpu, cpu.next_row - 1, cpu.now), "task"
        elif cpu.completed is not None:
            post, sort = cpu.completed, "device"
        elif woken.left is not None and not woken.running:
            post, sort = woken.left, "timer"
        else:
            post, sort = self.signals.start, "start"
        time = cpu.idle_rows[0][1] if local and cpu.roused else cpu.now
        return Cause(post, max(time, post.reserve(time)), sort)

    def switch(self, cpu: Cpu, task: Task) -> None:
        """Enter what the next row of ``cpu``, a switch to ``task``, waits for; no page-table write may be pending."""
        cause = self._end_of_wait(cpu, task)
        task.wake = task.early_wake = None
        if cpu.is_idle:
            self._leave_idle(cpu, cause)
        elif cause is not None:
            self._wait(cpu, cpu.next_row, cause, cause.time)

    def _end_of_wait(self, cpu: Cpu, task: Task) -> Cause | None:
        """Return what let ``task`` run; None if nothing but its turn. A time of -1: when the CPU began to wake."""
        if task is cpu.idle_task:
            return None
        left = task.left
        if left is None:
            return task.wake
        if task.preempted:
            return Cause(left, left.reserve(left.time), "preempted") if left.rows is not cpu else None
        cause = task.wake or task.early_wake
        if cause is None:
            return Cause(left, NEVER, "timer")
        if cause.sort == "start":  # an interrupt woke it before it had gone to sleep
            return Cause(left, left.reserve(cause.time), "timer")
        return cause

    def begin(self, cpu: Cpu, task: Task) -> None:
        """Let the first line of a CPU tell what runs there; if idle, its first row waits for its recorded time."""
        cpu.run(task, announced=False)
        if cpu.is_idle:
            self._anchor(cpu, None)

    def resume(self, cpu: Cpu, task: Task) -> None:
        """Let a task run whose switch is not recorded; on an idle CPU, the next row waits as the switch would."""
        if cpu.is_idle:
            if not cpu.woken:
                cpu.sleep()
            self._anchor(cpu, self._end_of_wait(cpu, task))
            task.wake = task.early_wake = None
        cpu.run(task, announced=False)

    def _anchor(self, cpu: Cpu, cause: Cause | None) -> None:
        """Let the next row of a CPU wait until its own recorded time, for a cause or for the start of the run."""
        post, sort = (cause.post, cause.sort) if cause is not None else (self.signals.start, "start")
        time = post.reserve(cpu.now)
        cpu.unanchored = (self.signals.number(post), time)
        self.waits[sort] += 1

    def _leave_idle(self, cpu: Cpu, cause: Cause | None) -> None:
        path = cpu.wake_path(max(cause.time, cause.post.time, cause.post.signal_time) if cause is not None else NEVER)
        if not path and not cpu.woken:
            cpu.sleep()
        path.append((cpu.next_row, cpu.now))
        row, time = path[0]
        for later, _ in path[1:]:
            cpu.kernel_rows.add(later)
        if cause is None and time == cpu.idle_since:
            return
        if row == cpu.next_row:
            cpu.unanchored = None
        if cause is None:
            cause = Cause(cpu.idle_post, NEVER, "idle") if cpu.idle_post else Cause(self.signals.start, NEVER, "start")
        self._wait(cpu, row, cause, time)

    def _wait(self, cpu: Cpu, row: int, cause: Cause, time: int) -> None:
        """Let a row wait for a cause until ``time``, or until the cause's own time if ``time`` is not told."""
        time = cpu.now if time == NEVER else time
        latency = time - cause.post.reserve(time)
        cpu.waits.add(row, self.signals.number(cause.post), latency)
        self.waits[cause.sort] += 1
