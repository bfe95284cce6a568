"""What lines about interrupts, devices and registers mean."""

from __future__ import annotations

from simulator.events import INTERRUPT, INTERRUPT_COMPLETION, kind_code
from simulator.workload.importers.causes import Cpu
from simulator.workload.importers.perf_state import State
from simulator.workload.importers.perf_text import Request
from simulator.workload.importers.settle import FIRST_COMPLETION_GUESS

DISK_REQUEST = kind_code("disk_request")


class InterruptHandlers(State):
    """Handlers of lines about interrupts, devices and registers; see ``perf_handlers``."""

    def _interrupt(self, cpu: Cpu, number: int, device: str) -> None:
        if cpu.is_idle:
            cpu.rouse()
        cpu.interrupt_context = True
        cpu.completed = None
        cpu.event(INTERRUPT, number, self.devices[device])

    def _completion(self, cpu: Cpu, number: int, device: str) -> None:
        cpu.event(INTERRUPT_COMPLETION, number, self.devices[device])
        if cpu.interrupts:
            cpu.interrupts -= 1
        if self.guesses.softirqs_end and not cpu.interrupts:
            cpu.interrupt_context = False

    def _timer_entry(self, cpu: Cpu, vector: int, _b: int) -> bool:
        self._interrupt(cpu, vector, "timer")
        cpu.interrupts += 1
        return True

    def _timer_exit(self, cpu: Cpu, vector: int, _b: int) -> bool:
        self._completion(cpu, vector, "timer")
        return True

    def _handler_entry(self, cpu: Cpu, handler: tuple[int, str], _b: int) -> bool:
        number, name = handler
        self._interrupts[number] = name
        self._interrupt(cpu, number, name)
        cpu.interrupts += 1
        return True

    def _handler_exit(self, cpu: Cpu, handler: tuple[int, str], _b: int) -> bool:
        number, _ = handler
        self._completion(cpu, number, self._interrupts.get(number, f"irq {number}"))
        return True

    def _vector_entry(self, vector: str, cpu: Cpu, number: int, _b: int) -> bool:
        """Another vector, such as an interprocessor interrupt: it completes at once unless the file tells when."""
        self._interrupt(cpu, number, "ipi")
        completions = self.guesses.completions
        guess = completions.setdefault(vector, FIRST_COMPLETION_GUESS - len(completions))
        cpu.event_at_last_row(guess, number, self.devices["ipi"])
        return True

    def _vector_exit(self, vector: str, cpu: Cpu, number: int, _b: int) -> bool:
        self.guesses.vectors_with_exit.add(vector)
        cpu.event(INTERRUPT_COMPLETION, number, self.devices["ipi"])
        return True

    def _softirq_entry(self, cpu: Cpu, _a: int, _b: int) -> bool:
        cpu.enter_interrupt()
        return False

    def _softirq_exit(self, cpu: Cpu, _a: int, _b: int) -> bool:
        """Deferred work is done, and the task goes on; in a file with such lines, no interrupt lasts until the next."""
        self.guesses.softirqs_end = True
        if not cpu.interrupts:
            cpu.interrupt_context = False
        return False

    def _issue(self, cpu: Cpu, request: Request, _b: int) -> bool:
        disk, sector, size = request
        cpu.event(DISK_REQUEST, device=self.devices[f"disk {disk}"], size=size)
        self.causes.issue(cpu, disk, sector)
        return True

    def _complete(self, cpu: Cpu, request: Request, _b: int) -> bool:
        disk, sector, _ = request
        self.causes.complete(cpu, disk, sector)
        return False

    def _msr(self, kind: int, cpu: Cpu, number: int, _b: int) -> bool:
        cpu.event(kind, number)
        return True
