"""What each tracepoint of a recording means: its handler appends the line's rows and keeps the state.

``Handlers.table`` lists the tracepoints. What a line without an event tells goes into the state: the mode of a task,
its address space, the interrupt under way, who woke whom. System-call numbers (fork, exec) and error codes of faults
are those of x86-64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from simulator.events import CONTEXT_SWITCH, INTERRUPT, INTERRUPT_COMPLETION, WAKE, kind_code
from simulator.workload.importers import perf_text
from simulator.workload.importers.address_spaces import (
    ANONYMOUS,
    EXECS,
    NO_SYSCALL,
    Space,
    Spaces,
    Task,
    root,
)
from simulator.workload.importers.causes import (
    BY_INTERRUPT,
    BY_KERNEL,
    BY_USER,
    Causes,
    Cpu,
    Place,
)
from simulator.workload.importers.perf_text import CounterHead
from simulator.workload.importers.rows import (
    NO_WRITE,
    PAGE_FAULT,
    PTE_CLEAR,
    PTE_MODIFY,
    PTE_SET,
    SYSCALL,
    TLB_FLUSH_PAGE,
    Post,
)
from simulator.workload.importers.settle import (
    FIRST_COMPLETION_GUESS,
    SPACE_DESTROY_GUESS,
    SPACE_SWITCH,
    SPACE_SWITCH_GUESS,
)
from simulator.workload.importers.spool import Spool
from simulator.workload.importers.tasks import Tasks

TLB_FLUSH_ALL = kind_code("tlb_flush_all")
MSR_READ = kind_code("msr_read")
MSR_WRITE = kind_code("msr_write")
DISK_REQUEST = kind_code("disk_request")

MOST_DEVICES = 32_767  # what the stream's column can tell apart
FAULT_PRESENT = 1
FAULT_WRITE = 2
DEAD_STATES = ("Z", "X")
FLUSH_ON_SWITCH, FLUSH_REMOTE_RECEIVED, FLUSH_LOCAL, FLUSH_LOCAL_MM = range(4)
FLUSHED_HERE = frozenset({FLUSH_REMOTE_RECEIVED, FLUSH_LOCAL, FLUSH_LOCAL_MM})
SWAPPED = "MM_SWAPENTS"

Handler = Callable[[Cpu, str], bool]
"""Takes the fields of a line as text."""
NumbersHandler = Callable[[Cpu, int, int, int], bool]
"""Takes the fields of a line as numbers: ``perf_columns`` reads them by the block, ``Handlers.numbers`` one by one."""


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


class Handlers:
    """The state of a recording while it is read, and what each tracepoint does to it.

    A handler takes the CPU and the fields of a line, and returns whether the line carried an event.
    """

    def __init__(self) -> None:
        self.spool = Spool()
        self.tasks = Tasks()
        self.spaces = Spaces()
        self.causes = Causes(0)
        self.guesses = Guesses()
        self.devices: dict[str, int] = {}
        self.copied = self.protected = 0
        self.unannounced = 0
        self._places: dict[bytes, Place] = {}
        self._known: list[Place | None] = []
        self._present: dict[bytes, int] = {}
        self._heads: list[CounterHead] = []
        self._interrupts: dict[int, str] = {}

    def numbers_table(self) -> dict[str, tuple[NumbersHandler, int]]:
        """Return, for each tracepoint whose fields are numbers, its handler and what its lines end."""
        return {
            "raw_syscalls:sys_enter": (self._syscall_enter, BY_USER),
            "raw_syscalls:sys_exit": (self._syscall_exit, BY_KERNEL),
            "exceptions:page_fault_user": (self._fault, BY_USER),
            "exceptions:page_fault_kernel": (self._fault, BY_KERNEL),
            "kmem:rss_stat": (self._counter, BY_KERNEL),
            "tlb:tlb_flush": (self._flush, BY_KERNEL),
        }

    def numbers(self, name: str, fields: str) -> tuple[int, int, int]:
        """Read the fields of one line of such a tracepoint."""
        if name.startswith("raw_syscalls:"):
            return *perf_text.parse_syscall(fields), 0
        if name.startswith("exceptions:"):
            return perf_text.parse_fault(fields)
        if name.startswith("tlb:"):
            return *perf_text.parse_tlb_flush(fields), 0
        head, size = perf_text.parse_counter(fields)
        self._heads.append(head)
        return size, len(self._heads) - 1, 0

    def table(self) -> dict[str, tuple[Handler, int]]:
        """Return, for each other known tracepoint, its handler and what its lines end."""
        return {
            "sched:sched_switch": (self._switch, BY_KERNEL),
            "sched:sched_waking": (self._wake, BY_KERNEL),
            "sched:sched_wakeup_new": (self._wake, BY_KERNEL),
            "sched:sched_process_fork": (self._process_fork, BY_KERNEL),
            "sched:sched_process_exec": (self._process_exec, BY_KERNEL),
            "sched:sched_process_exit": (self._process_exit, BY_KERNEL),
            "irq_vectors:local_timer_entry": (self._timer_entry, BY_INTERRUPT),
            "irq_vectors:local_timer_exit": (self._timer_exit, BY_KERNEL),
            "irq:irq_handler_entry": (self._handler_entry, BY_INTERRUPT),
            "irq:irq_handler_exit": (self._handler_exit, BY_KERNEL),
            "irq:softirq_entry": (self._softirq_entry, BY_KERNEL),
            "irq:softirq_exit": (self._softirq_exit, BY_KERNEL),
            "block:block_rq_issue": (self._issue, BY_KERNEL),
            "block:block_rq_complete": (self._complete, BY_KERNEL),
            "msr:read_msr": (partial(self._msr, MSR_READ), BY_KERNEL),
            "msr:write_msr": (partial(self._msr, MSR_WRITE), BY_KERNEL),
        }

    def _resume(self, cpu: Cpu, task: Task, now: int) -> None:
        self.unannounced += 1
        if cpu.task_before.dead:
            self._forget(cpu.task_before)
        cpu.elapse(now, BY_KERNEL)
        self.causes.resume(cpu, task)

    # Tasks.

    def _switch(self, cpu: Cpu, fields: str) -> bool:
        """A context switch; a change of space has its own line (``tlb:tlb_flush``), or else see ``Guesses``."""
        switch = perf_text.parse_switch(fields)
        if switch.prev_pid != cpu.task.tid:
            self._resume(cpu, self.tasks.find(switch.prev_pid, "") if switch.prev_pid else cpu.idle_task, cpu.now)
        cpu.write_implied()
        before = cpu.task
        if cpu.task_before.dead:  # no line can be of it any more
            self._forget(cpu.task_before)
        if switch.prev_state.startswith(DEAD_STATES) and before is not cpu.idle_task:
            self._destroy(cpu, before, self.spaces.end_exit(before))
            before.dead = True
        task = self.tasks.find(switch.next_pid, switch.next_comm) if switch.next_pid else cpu.idle_task
        self.causes.switch(cpu, task)
        cpu.task_event(CONTEXT_SWITCH, task.tid)
        if before is not cpu.idle_task:
            before.left = Post(cpu, cpu.next_row - 1, cpu.now)
            before.preempted = switch.prev_state.startswith("R")
        cpu.run(task, announced=True)
        cpu.place = None
        if task is not cpu.idle_task:
            space = self.spaces.of(task)
            if not self.guesses.switch_lines:
                cpu.memory_event_at_last_row(SPACE_SWITCH_GUESS, space.number)
        return True

    def _wake(self, cpu: Cpu, fields: str) -> bool:
        comm, pid, target = perf_text.parse_wake(fields)
        woken = self.tasks.find(pid, comm)
        cpu.task_event(WAKE, pid)
        self.causes.wake(cpu, woken, target)
        return True

    def _process_fork(self, cpu: Cpu, fields: str) -> bool:
        """The child is complete: it has its space, and the parent's entries that were copied are write-protected."""
        comm, pid = perf_text.parse_fork(fields)
        before = self.tasks.known(pid)
        if before is not None:  # a number used again
            self._forget(before)
        child = self.tasks.make(pid, comm)
        cpu.leave_interrupt()
        parent = cpu.task
        self.spaces.fork(parent, child)
        if parent.filling is not None:
            self._write_protect(cpu, parent)
        return False

    def _forget(self, task: Task) -> None:
        """Know no place of a task any more, as it is dead, or its number is another's now."""
        for text in task.places:
            self._places.pop(text, None)
            if text in self._present:
                self._known[self._present[text]] = None
        self.spaces.forget(task)
        self.tasks.bury(task)

    def _write_protect(self, cpu: Cpu, parent: Task) -> None:
        space = self.spaces.of(parent)
        count = min(parent.copied, len(self.spaces.written.pop(space.number, ())))
        if count:
            cpu.memory_event(PTE_MODIFY, count, space.number)
        self.copied += parent.copied
        self.protected += count
        parent.filling = None
        parent.copied = 0

    def _process_exec(self, cpu: Cpu, _fields: str) -> bool:
        """A new program: a new space, or if the system call began before the recording, the one already entered."""
        cpu.leave_interrupt()
        if cpu.task.syscall in EXECS:
            self.spaces.enter_exec(cpu.task)
            self._end_exec(cpu)
        else:
            self.spaces.of(cpu.task).new = True
        return False

    def _end_exec(self, cpu: Cpu) -> None:
        if cpu.task.entered:
            self._destroy(cpu, cpu.task, self.spaces.end_exec(cpu.task))

    def _process_exit(self, cpu: Cpu, fields: str) -> bool:
        """The space is torn down after this line; the field ``group_dead`` is that of newer kernels."""
        cpu.leave_interrupt()
        self._end_exec(cpu)
        self.spaces.begin_exit(cpu.task, last_of_process="group_dead=false" not in fields)
        return False

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

    # System calls, faults and page tables.

    def _syscall_enter(self, cpu: Cpu, number: int, shares_space: int, _: int) -> bool:
        task = cpu.task
        task.syscall = number
        task.user_mode = False
        task.shares_space = bool(shares_space)
        cpu.event(SYSCALL, number)
        return True

    def _syscall_exit(self, cpu: Cpu, _number: int, _shares_space: int, _: int) -> bool:
        task = cpu.task
        if task.entered or task.building is not None or task.filling is not None:
            self._end_exec(cpu)
            task.entered = False
            task.filling = task.building = None
            task.copied = 0
        task.syscall = NO_SYSCALL
        task.user_mode = task.seen_in_user_mode = True
        cpu.interrupt_context = False
        cpu.interrupts = 0
        return False

    def _fault(self, cpu: Cpu, page: int, site: int, code: int) -> bool:
        task = cpu.task
        space = task.space or self.spaces.of(task)
        number = space.number
        cpu.interrupt_context = False
        implied = PTE_MODIFY if code & FAULT_PRESENT else PTE_SET
        if cpu.implied == implied and cpu.fault is not None and cpu.fault[0] == page:
            cpu.implied = NO_WRITE  # the fault before was not resolved: it comes again
        cpu.memory_event(PAGE_FAULT, 1, number, page, site)
        cpu.fault = (page, number)
        cpu.answered = False
        cpu.implied = implied
        if code & FAULT_WRITE:
            self.spaces.written[number].add(page)
        return True

    def _counter(self, cpu: Cpu, size: int, head: int, _: int) -> bool:
        """A memory counter: its change is the number of page-table entries set or cleared.

        ``size`` is in bytes, and ``head`` tells which of ``_heads`` the counter is.
        """
        mm_id, current, counter = self._heads[head]
        cpu.interrupt_context = False
        if counter == SWAPPED:
            return False
        task = cpu.task
        counters = self.spaces.counters(task, mm_id, current)
        pages = self.spaces.change(counters, counter, size)
        space = counters.space.number
        fault = cpu.fault
        page = -1
        if fault is not None and current and not cpu.answered:
            page = fault[0]
            if fault[1] != space:
                cpu.correct_fault(space)
        if not pages:
            return False
        if cpu.implied and cpu.fault is not None and cpu.fault[1] == space:
            implied, cpu.implied = cpu.implied, NO_WRITE
            if pages > 0 and implied == PTE_MODIFY and counter == ANONYMOUS:  # in place of the shared page of zeros
                cpu.memory_event(PTE_CLEAR, 1, space, page)
        if pages > 0:
            cpu.memory_event(PTE_SET, pages, space, page)
            cpu.answered = True
        else:
            cpu.memory_event(PTE_CLEAR, -pages, space, page)
        if task.filling is counters and counter == ANONYMOUS:
            task.copied += pages
        if task.leaving is not None and root(task.leaving) is root(counters.space):
            self._may_be_torn_down(cpu)
        return True

    def _flush(self, cpu: Cpu, pages: int, reason: int, _: int) -> bool:
        """A TLB flush: on a switch of spaces, or of pages (-1: all); sending one to another CPU is no event here."""
        if reason == FLUSH_ON_SWITCH:
            return self._space_switch(cpu)
        if reason not in FLUSHED_HERE or not pages:
            return False
        task = cpu.task
        if reason == FLUSH_REMOTE_RECEIVED or task is cpu.idle_task:
            space = cpu.loaded.number if cpu.loaded and not root(cpu.loaded).gone else -1
        else:
            cpu.interrupt_context = False
            space = self.spaces.of(task).number
        if pages < 0:
            cpu.memory_event(TLB_FLUSH_ALL, 1, space)
        else:
            if pages == 1 and cpu.replace_page():
                return True
            page = cpu.fault[0] if cpu.fault is not None and pages == 1 else -1
            cpu.memory_event(TLB_FLUSH_PAGE, pages, space, page)
        return True

    def _space_switch(self, cpu: Cpu) -> bool:
        """A load of the page-table base: of the task switched to, or in an exec, of the space just built."""
        task = cpu.task
        self.guesses.switch_lines = True
        if cpu.place is not None and cpu.place.task is task:
            self.spaces.enter_exec(task)
        if task is cpu.idle_task or task.exiting:  # a task that exits goes on in the kernel's own space
            cpu.memory_event(SPACE_SWITCH, 1, -1)
            if task.exiting:
                cpu.loaded = None
        else:
            cpu.loaded = self.spaces.of(task)
            cpu.memory_event(SPACE_SWITCH, 1, cpu.loaded.number)
        self._may_be_torn_down(cpu)
        return True

    # Interrupts.

    def _interrupt(self, cpu: Cpu, number: int, device: str) -> None:
        cpu.rouse()
        cpu.enter_interrupt()
        cpu.event(INTERRUPT, number, self._device(device))

    def _completion(self, cpu: Cpu, number: int, device: str) -> None:
        cpu.event(INTERRUPT_COMPLETION, number, self._device(device))
        cpu.interrupts = max(cpu.interrupts - 1, 0)
        if self.guesses.softirqs_end and not cpu.interrupts:
            cpu.interrupt_context = False

    def _timer_entry(self, cpu: Cpu, fields: str) -> bool:
        self._interrupt(cpu, perf_text.parse_vector(fields), "timer")
        cpu.interrupts += 1
        return True

    def _timer_exit(self, cpu: Cpu, fields: str) -> bool:
        self._completion(cpu, perf_text.parse_vector(fields), "timer")
        return True

    def _handler_entry(self, cpu: Cpu, fields: str) -> bool:
        number, name = perf_text.parse_handler(fields)
        self._interrupts[number] = name
        self._interrupt(cpu, number, name)
        cpu.interrupts += 1
        return True

    def _handler_exit(self, cpu: Cpu, fields: str) -> bool:
        number, _ = perf_text.parse_handler(fields)
        self._completion(cpu, number, self._interrupts.get(number, f"irq {number}"))
        return True

    def _vector_entry(self, vector: str, cpu: Cpu, fields: str) -> bool:
        """Another vector, such as an interprocessor interrupt: it completes at once unless the file tells when."""
        number = perf_text.parse_vector(fields)
        self._interrupt(cpu, number, "ipi")
        completions = self.guesses.completions
        guess = completions.setdefault(vector, FIRST_COMPLETION_GUESS - len(completions))
        cpu.event_at_last_row(guess, number, self._device("ipi"))
        return True

    def _vector_exit(self, vector: str, cpu: Cpu, fields: str) -> bool:
        number = perf_text.parse_vector(fields)
        self.guesses.vectors_with_exit.add(vector)
        cpu.event(INTERRUPT_COMPLETION, number, self._device("ipi"))
        return True

    def _softirq_entry(self, cpu: Cpu, _fields: str) -> bool:
        cpu.enter_interrupt()
        return False

    def _softirq_exit(self, cpu: Cpu, _fields: str) -> bool:
        """Deferred work is done, and the task goes on; in a file with such lines, no interrupt lasts until the next."""
        self.guesses.softirqs_end = True
        if not cpu.interrupts:
            cpu.interrupt_context = False
        return False

    # Devices and registers.

    def _device(self, name: str) -> int:
        if name not in self.devices and len(self.devices) > MOST_DEVICES:
            raise ValueError(name)
        return self.devices.setdefault(name, len(self.devices))

    def _issue(self, cpu: Cpu, fields: str) -> bool:
        request = perf_text.parse_issue(fields)
        cpu.event(DISK_REQUEST, device=self._device(f"disk {request.disk}"), size=request.size)
        self.causes.issue(cpu, request.disk, request.sector)
        return True

    def _complete(self, cpu: Cpu, fields: str) -> bool:
        request = perf_text.parse_complete(fields)
        self.causes.complete(cpu, request.disk, request.sector)
        return False

    def _msr(self, kind: int, cpu: Cpu, fields: str) -> bool:
        cpu.event(kind, perf_text.parse_msr(fields))
        return True


def nothing(_cpu: Cpu, _fields: str) -> bool:
    """Read a line of a tracepoint that is not known."""
    return False
