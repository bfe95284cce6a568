"""What each tracepoint of a recording means: its handler appends the line's rows and keeps the state.

``Handlers.handler`` knows the tracepoints. What a line without an event tells goes into the state: the mode of a task,
its address space, the interrupt under way, who woke whom.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from simulator.events import kind_code
from simulator.workload.importers.causes import BY_INTERRUPT, BY_KERNEL, BY_UNKNOWN, BY_USER, Cpu
from simulator.workload.importers.perf_interrupts import InterruptHandlers
from simulator.workload.importers.perf_memory import MemoryHandlers
from simulator.workload.importers.perf_tasks import TaskHandlers
from simulator.workload.importers.perf_text import vector_edge

MSR_READ = kind_code("msr_read")
MSR_WRITE = kind_code("msr_write")

Handler = Callable[[Cpu, Any, Any], bool]
"""Takes the CPU and the fields of a line, and returns whether the line carried an event.

The fields are what ``perf_text.PARSERS`` make of them: two things, or one and nothing (``perf_text.PAIRS``).
"""


class Handlers(TaskHandlers, MemoryHandlers, InterruptHandlers):
    """The state of a recording while it is read, and what each tracepoint does to it."""

    def table(self) -> dict[str, tuple[Handler, int]]:
        """Return, for each known tracepoint but vectors of interrupts, its handler and what its lines end."""
        return {
            "raw_syscalls:sys_enter": (self._syscall_enter, BY_USER),
            "raw_syscalls:sys_exit": (self._syscall_exit, BY_KERNEL),
            "exceptions:page_fault_user": (self._fault, BY_USER),
            "exceptions:page_fault_kernel": (self._fault, BY_KERNEL),
            "kmem:rss_stat": (self._counter, BY_KERNEL),
            "tlb:tlb_flush": (self._flush, BY_KERNEL),
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

    def handler(self, name: str) -> tuple[Handler, int]:
        """Return what handles the lines of a tracepoint, and what they end; nothing, if it is not known."""
        known = self.table().get(name)
        if known is not None:
            return known
        vector, edge = vector_edge(name) or ("", "")
        if edge == "entry":
            return partial(self._vector_entry, vector), BY_INTERRUPT
        if edge == "exit":
            return partial(self._vector_exit, vector), BY_KERNEL
        return nothing, BY_UNKNOWN


def nothing(_cpu: Cpu, _a: Any, _b: Any) -> bool:
    """Read a line of a tracepoint that is not known."""
    return False
