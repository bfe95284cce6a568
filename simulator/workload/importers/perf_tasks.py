"""What lines about tasks mean: switches and wakings, forks, execs, exits, and system calls.

System-call numbers are those of x86-64.
"""

from __future__ import annotations

from simulator.events import CONTEXT_SWITCH, WAKE
from simulator.workload.importers.address_spaces import EXECS, NO_SYSCALL, Task
from simulator.workload.importers.causes import Cpu
from simulator.workload.importers.perf_state import State
from simulator.workload.importers.perf_text import Switch
from simulator.workload.importers.rows import PTE_MODIFY, SYSCALL, Post
from simulator.workload.importers.settle import SPACE_SWITCH_GUESS

DEAD_STATES = ("Z", "X")
RUNNABLE = "R"


class TaskHandlers(State):
    """Handlers of lines about tasks; see ``perf_handlers``."""

    def _switch(self, cpu: Cpu, switch: Switch, _b: int) -> bool:
        """A context switch; a change of space has its own line (``tlb:tlb_flush``), or else see ``Guesses``."""
        prev_pid, prev_state, next_comm, next_pid = switch
        idle_task = cpu.idle_task
        if prev_pid != cpu.task.tid:
            self._resume(cpu, self.tasks.find(prev_pid, "") if prev_pid else idle_task, cpu.now)
        if cpu.implied:
            cpu.write_implied()
        before = cpu.task
        if cpu.task_before.dead:  # no line can be of it any more
            self._forget(cpu.task_before)
        state = prev_state[0]
        if state in DEAD_STATES and before is not idle_task:
            self._destroy(cpu, before, self.spaces.end_exit(before))
            before.dead = True
        task = self.tasks.find(next_pid, next_comm) if next_pid else idle_task
        self.causes.switch(cpu, task)
        cpu.task_event(CONTEXT_SWITCH, next_pid)
        if before is not idle_task:
            before.left = Post(cpu, cpu.next_row - 1, cpu.now)
            before.preempted = state == RUNNABLE
        cpu.run(task, announced=True)
        cpu.place = None
        if task is not idle_task:
            space = task.space or self.spaces.of(task)
            if not self.guesses.switch_lines:
                cpu.memory_event_at_last_row(SPACE_SWITCH_GUESS, space.number)
        return True

    def _wake(self, cpu: Cpu, wake: tuple[str, int, int], _b: int) -> bool:
        comm, pid, target = wake
        woken = self.tasks.find(pid, comm)
        cpu.task_event(WAKE, pid)
        self.causes.wake(cpu, woken, target)
        return True

    def _process_fork(self, cpu: Cpu, made: tuple[str, int], _b: int) -> bool:
        """The child is complete: it has its space, and the parent's entries that were copied are write-protected."""
        comm, pid = made
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

    def _write_protect(self, cpu: Cpu, parent: Task) -> None:
        space = self.spaces.of(parent)
        count = min(parent.copied, len(self.spaces.written.pop(space.number, ())))
        if count:
            cpu.memory_event(PTE_MODIFY, count, space.number)
        self.copied += parent.copied
        self.protected += count
        parent.filling = None
        parent.copied = 0

    def _process_exec(self, cpu: Cpu, _a: int, _b: int) -> bool:
        """A new program: a new space, or if the system call began before the recording, the one already entered."""
        cpu.leave_interrupt()
        if cpu.task.syscall in EXECS:
            self.spaces.enter_exec(cpu.task)
            self._end_exec(cpu)
        else:
            self.spaces.of(cpu.task).new = True
        return False

    def _process_exit(self, cpu: Cpu, last_of_process: bool, _b: int) -> bool:
        """The space is torn down after this line."""
        cpu.leave_interrupt()
        self._end_exec(cpu)
        self.spaces.begin_exit(cpu.task, last_of_process)
        return False

    def _syscall_enter(self, cpu: Cpu, number: int, shares_space: int) -> bool:
        task = cpu.task
        task.syscall = number
        task.user_mode = False
        task.shares_space = bool(shares_space)
        cpu.event(SYSCALL, number)
        return True

    def _syscall_exit(self, cpu: Cpu, _number: int, _shares_space: int) -> bool:
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
