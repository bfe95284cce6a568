"""What lines about memory mean: page faults, the kernel's memory counters, and TLB flushes.

Error codes of faults are those of x86-64.
"""

from __future__ import annotations

from simulator.events import kind_code
from simulator.workload.importers.address_spaces import ANONYMOUS, root
from simulator.workload.importers.causes import Cpu
from simulator.workload.importers.perf_state import State
from simulator.workload.importers.perf_text import CounterHead
from simulator.workload.importers.rows import NO_WRITE, PAGE_FAULT, PTE_CLEAR, PTE_MODIFY, PTE_SET, TLB_FLUSH_PAGE
from simulator.workload.importers.settle import SPACE_SWITCH

TLB_FLUSH_ALL = kind_code("tlb_flush_all")

FAULT_PRESENT = 1
FAULT_WRITE = 2
FLUSH_ON_SWITCH, FLUSH_REMOTE_RECEIVED, FLUSH_LOCAL, FLUSH_LOCAL_MM = range(4)
FLUSHED_HERE = frozenset({FLUSH_REMOTE_RECEIVED, FLUSH_LOCAL, FLUSH_LOCAL_MM})
SWAPPED = "MM_SWAPENTS"


class MemoryHandlers(State):
    """Handlers of lines about memory; see ``perf_handlers``."""

    def _fault(self, cpu: Cpu, page: int, end: tuple[int, int]) -> bool:
        site, code = end
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

    def _counter(self, cpu: Cpu, size: int, head: CounterHead) -> bool:
        """A memory counter: the change of its ``size`` (bytes) is the number of page-table entries set or cleared."""
        _, current, counter = head
        cpu.interrupt_context = False
        if counter == SWAPPED:
            return False
        task = cpu.task
        counters, pages = self.spaces.change(task, head, size)
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

    def _flush(self, cpu: Cpu, flush: tuple[int, int], _b: int) -> bool:
        """A TLB flush: on a switch of spaces, or of pages (-1: all); sending one to another CPU is no event here."""
        pages, reason = flush
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
