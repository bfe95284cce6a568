"""Whose lines a recording keeps: those of a program, seen as if nobody else were on the machine.

Only a recording of all CPUs tells what a program waits for and when its CPUs are idle, so all CPUs are recorded, and
the others are taken out of the text of ``perf script`` afterwards:

- **The program** is the command, from its ``execve`` on, or the processes named, with all that they fork; and the
  kernel's own threads while they work for it, from when it wakes them, or the completion of a disk request does, until
  they sleep. What the kernel does in the background goes by the clock and not by the program's progress.
- **Everybody else**, the recorder included, becomes the idle task: their lines are left out, a switch to one of them is
  a switch to idle, and where one of them wakes a task of the program, an idle CPU does. So what they took from the
  program is time in which its CPU was idle (see ``others``). Interrupts that do not find the program at work are kept
  if they wake it, or complete one of its disk requests.
- **Stand-ins** of the idle task (see ``awake``) are the idle task.
- A load of the page-table base on the way to a task that becomes idle is left out, and on the way back too, where the
  CPU comes back to the process that it left.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator

from simulator.workload.importers import perf_text
from simulator.workload.importers.perf_tasks import DEAD_STATES
from simulator.workload.recorder.heads import read_head
from simulator.workload.recorder.kept import IDLE, Cpu, Kept, Line, Who

_LOST = re.compile(r" PERF_RECORD_LOST(?:_SAMPLES)? lost (\d+)")
_PREVIOUS = re.compile(r"prev_comm=.* prev_pid=\d+ prev_prio=-?\d+ prev_state=\S+ ==> ")
_NO_NUMBER = "/-1 "
_REAPED = re.compile(r"-?\d+/-1 +(?=\[(\d+)\])(.*)")
_GIVES_UP = re.compile(r"sched:sched_switch: prev_comm=(.*) prev_pid=(\d+) ")
_NEXT = re.compile(r"next_comm=.* next_pid=\d+ next_prio=-?\d+")
_IDLE_PREVIOUS = "prev_comm=swapper/{0} prev_pid=0 prev_prio=120 prev_state=R ==> "
_IDLE_NEXT = "next_comm=swapper/{0} next_pid=0 next_prio=120"
_FLUSH_ON_SWITCH = "(0)"
_EXEC = tuple(f"NR {number} (" for number in (59, 322, 221, 281))  # execve and execveat of x86-64 and of arm64
_DURING_SWITCH = frozenset({"sched:sched_switch", "tlb:tlb_flush", "msr:read_msr", "msr:write_msr"})
_SOFTIRQ = "irq:softirq_entry"
_RESCHEDULE = "irq_vectors:reschedule_entry"
_TICK, _END_OF_TICK = "irq_vectors:local_timer_entry", "irq_vectors:local_timer_exit"
_AT_WORK = ("raw_syscalls:", "exceptions:", "kmem:", "sched:sched_switch", "sched:sched_process")
_INTERRUPTS = ("irq:", "irq_vectors:")


class Program:
    """Keeps the lines of one program; ``kept`` tells about them when all have been read, ``seen`` whose they are.

    Lines outside the ``window`` (first and last moment, ns) are left out, and those before the first that is about the
    program itself.
    """

    def __init__(self, who: Who, window: tuple[int, int]) -> None:
        self.kept = Kept()
        self.seen: set[int] = set()
        self._everyone = who.tasks is None
        self._command = who.command
        self._at_edges = {who.command}  # tasks whose program is not loaded yet, or that end
        self._own = set(who.tasks or ())
        self._kernel = set(who.kernel)
        self._working = set(who.kernel) if who.tasks is None else set()
        self._recorder = {*who.recorder, *([who.command] if who.command else [])}
        self._stand_ins = set(who.stand_ins)
        self._since, self._until = window
        self._begun = False
        self._cpus: dict[int, Cpu] = {}
        self._processes: dict[int, int] = {}
        self._can_run: dict[int, int] = {}  # tasks that could run and do not, and since when
        self._reaped: dict[str, str] = {}
        self._requests: set[tuple[str, int]] = set()
        self._handlers = {
            "sched:sched_switch": self._switch,
            "sched:sched_waking": self._wake,
            "sched:sched_wakeup_new": self._wake,
            "sched:sched_process_fork": self._fork,
            "sched:sched_process_exec": self._exec,
            "sched:sched_process_exit": self._exit,
            "raw_syscalls:sys_enter": self._syscall,
            "tlb:tlb_flush": self._flush,
            "block:block_rq_issue": self._issue,
            "block:block_rq_complete": self._complete,
        }

    def lines(self, lines: Iterable[str]) -> Iterator[str]:
        """Give the lines that are kept, without newlines; one that cannot be read is given as it is."""
        for text in lines:
            self.kept.read += 1
            try:
                text = self._named(text) if _NO_NUMBER in text else text  # noqa: PLW2901
                head = read_head(text)
                if head.tid != head.pid:
                    self._join(head.tid, head.pid)
                now = head.now
                line = Line(
                    text, head.cpu, head.tid, now, head.tracepoint, text[head.fields :], head.place_end, head.time_end
                )
                other = self._interrupt if head.tracepoint.startswith(_INTERRUPTS) else self._any
                found = self._handlers.get(head.tracepoint, other)(line)
                cpu = self._cpu(line)
                cpu.last = now
                cpu.interrupted = cpu.interrupted and not head.tracepoint.startswith(_AT_WORK)
            except ValueError:
                lost = _LOST.search(text)
                if lost is None:
                    yield text
                else:
                    self.kept.read -= 1
                    self.kept.lost += int(lost[1])
                continue
            if found and self._since <= now <= self._until and self._is_begun(line):
                yield from self._counted(line, found)

    def _named(self, text: str) -> str:
        """Return a line of a task that has no number any more, by which it gives up its CPU for good, with its number.

        The kernel may forget a thread before its last switch; the switch itself names it.
        """
        reaped = _REAPED.search(text)
        if reaped is None:
            return text
        cpu, rest = reaped.groups()
        switch = _GIVES_UP.search(rest)
        if switch is not None:
            comm, tid = switch.groups()
            process = self._processes.get(int(tid), int(tid))
            self._reaped[cpu] = f"{comm:>16} {process:>5}/{tid:<5} "
        return self._reaped[cpu] + rest if cpu in self._reaped else text

    def _is_begun(self, line: Line) -> bool:
        self._begun = self._begun or self._is_own(line.tid)
        return self._begun

    def _counted(self, line: Line, found: list[str]) -> list[str]:
        self.seen.add(line.tid)
        self.kept.lines += len(found)
        if self._is_own(line.tid):
            self.kept.own_lines += 1
            self._follow(line)
        self.kept.times.setdefault(line.cpu, array("q")).extend([line.now] * len(found))
        return found

    def _follow(self, line: Line) -> None:
        """Count a task that a CPU is not known to have come to; it runs there from now on."""
        cpu = self._cpu(line)
        before, after = cpu.switch
        leaving = line.tid == before and line.tracepoint in _DURING_SWITCH
        if line.tid != after and not leaving:
            self.kept.unseen += 1
            cpu.switch = (line.tid, line.tid)

    # Who is who.

    def _is_own(self, tid: int) -> bool:
        """Whether a task is the program's own."""
        if self._everyone:
            return tid not in self._recorder and not self._is_idle(tid) and tid not in self._kernel
        return tid in self._own

    def _is_idle(self, tid: int) -> bool:
        return tid == IDLE or tid in self._stand_ins

    def _is_kept(self, tid: int) -> bool:
        """Whether lines of a task are kept as they are."""
        return tid == IDLE or tid in self._working or self._is_own(tid)

    def _join(self, tid: int, pid: int) -> None:
        """Note that a task is a thread of a process."""
        self._processes[tid] = pid
        if pid in self._recorder:
            self._recorder.add(tid)
        elif pid in self._own:
            self._own.add(tid)

    # What is kept of a line: its text, nothing, or more than one text.

    def _any(self, line: Line) -> list[str]:
        return [line.text] if self._is_kept(line.tid) else []

    def _interrupt(self, line: Line) -> list[str]:
        """An interrupt that does not find the program at work waits until it wakes it."""
        cpu, stands_in = self._cpu(line), line.tid in self._stand_ins
        begins = line.tracepoint.endswith("_entry") and line.tracepoint != _SOFTIRQ
        cpu.completes = cpu.completes and not begins
        cpu.interrupted = not line.tracepoint.endswith("_exit")
        if self._is_own(line.tid) or line.tid in self._working or (self._everyone and line.tid == IDLE):
            return [line.text]
        if begins:
            cpu.pending, cpu.in_tick = [], False
            if stands_in and cpu.last >= 0:
                self.kept.idle.setdefault(line.cpu, []).append((cpu.last, line.now))
        if line.tracepoint == _END_OF_TICK:
            kept, cpu.pending, cpu.in_tick = cpu.in_tick, [], False
            return [line.idle()] if kept else []
        if self._everyone and stands_in and line.tracepoint != _TICK:
            return [line.idle()]
        if line.tracepoint.startswith("irq:") or line.tracepoint in (_TICK, _RESCHEDULE):
            cpu.pending.append((line.tracepoint, line.fields))
        return []

    def _pending(self, line: Line, only: str = "") -> list[str]:
        """Return what waited for an interrupt to wake somebody, which it now does."""
        cpu = self._cpu(line)
        wanted = [pending for pending in cpu.pending if pending[0].startswith(only)]
        cpu.in_tick = cpu.in_tick or any(tracepoint == _TICK for tracepoint, _ in wanted)
        cpu.pending = []
        return [line.idle_at_same_time(*pending) for pending in wanted]

    def _cpu(self, line: Line) -> Cpu:
        return self._cpus.setdefault(line.cpu, Cpu())

    def _issue(self, line: Line) -> list[str]:
        if self._is_kept(line.tid):
            request = perf_text.parse_issue(line.fields)
            self._requests.add((request.disk, request.sector))
        return self._any(line)

    def _complete(self, line: Line) -> list[str]:
        """The completion of a request of the program's, on whatever CPU; that of another one tells nothing of it."""
        request = perf_text.parse_complete(line.fields)
        if (request.disk, request.sector) not in self._requests:
            return []
        self._requests.discard((request.disk, request.sector))
        self._cpu(line).completes = True
        return [*self._pending(line), line.text if self._is_kept(line.tid) else line.idle()]

    def _switch(self, line: Line) -> list[str]:
        switch = perf_text.parse_switch(line.fields)
        before, after = switch.prev_pid, switch.next_pid
        cpu = self._cpu(line)
        cpu.switch = (before, after)
        from_idle, to_idle = (tid == IDLE or not self._is_kept(tid) for tid in (before, after))
        is_others = to_idle and not self._is_idle(after)
        self._note_others(line, cpu, is_others)
        if self._is_own(before) and self._begun and self._since <= line.now <= self._until:
            self.kept.switches += 1
            self.kept.ends += switch.prev_state.startswith(DEAD_STATES)
            self.kept.at_edges += before in self._at_edges and not switch.prev_state.startswith(DEAD_STATES)
            self.kept.preempted += is_others and switch.prev_state.startswith("R")
            cpu.process = self._processes.get(before, before)
        if switch.prev_state.startswith("R"):
            self._can_run[before] = line.now
        self._note_delay(line, after)
        if not (self._everyone or switch.prev_state.startswith("R")):
            self._working.discard(before)
        roused = self._pending(line, only=_RESCHEDULE)
        cpu.in_tick = cpu.completes = False
        if from_idle and to_idle:
            return []
        text = line.text
        if to_idle and after != IDLE:
            text = _NEXT.sub(_IDLE_NEXT.format(line.cpu), text)
        if from_idle and before != IDLE:
            text = _PREVIOUS.sub(_IDLE_PREVIOUS.format(line.cpu), line.idle())
        return [*(roused if from_idle else []), text]

    def _note_others(self, line: Line, cpu: Cpu, is_others: bool) -> None:
        begin = max(cpu.others_since, self._since)
        if cpu.others_since >= 0 and self._begun and begin < line.now <= self._until:
            self.kept.others.setdefault(line.cpu, []).append((begin, line.now))
        cpu.others_since = line.now if is_others else -1

    def _note_delay(self, line: Line, task: int) -> None:
        """Note for how long others kept a CPU while a task of the program, which now comes to it, could run."""
        since = self._can_run.pop(task, line.now)
        if not self._is_own(task):
            return
        delay = 0
        for begin, end in reversed(self.kept.others.get(line.cpu, [])):
            if end <= since:
                break
            delay += end - max(begin, since)
        if delay:
            self.kept.delays.setdefault(line.cpu, []).append((line.now, delay))

    def _wake(self, line: Line) -> list[str]:
        """A waking of one's own task counts whoever does it, that of another only where the program does it."""
        _, woken, _ = perf_text.parse_wake(line.fields)
        self._can_run.setdefault(woken, line.now)
        by_program = self._is_own(line.tid) or (line.tid in self._working and line.tid != IDLE)
        cpu = self._cpu(line)
        if woken in self._kernel and (cpu.completes or (by_program and not cpu.interrupted)):
            self._working.add(woken)
        if by_program:
            return [line.text]
        if not (self._is_own(woken) or woken in self._working):
            return []
        return [*self._pending(line), line.text if self._is_kept(line.tid) else line.idle()]

    def _fork(self, line: Line) -> list[str]:
        """A child of the program is the program's; the number of anybody else's child is no longer one of its own."""
        _, child = perf_text.parse_fork(line.fields)
        self._processes.pop(child, None)
        self._at_edges.discard(child)
        if self._is_own(line.tid):
            self._own.add(child)
        else:
            self._own.discard(child)
        return self._any(line)

    def _exec(self, line: Line) -> list[str]:
        self._at_edges.discard(line.tid)
        return self._any(line)

    def _exit(self, line: Line) -> list[str]:
        self._at_edges.add(line.tid)
        return self._any(line)

    def _syscall(self, line: Line) -> list[str]:
        """Before the command is told to execute its program it is a part of the recorder."""
        if line.tid == self._command and line.tid in self._recorder and line.fields.startswith(_EXEC):
            self._own.add(line.tid)
            self._recorder.discard(line.tid)
        return self._any(line)

    def _flush(self, line: Line) -> list[str]:
        """A flush on a switch comes while the CPU still counts as the former task's."""
        cpu = self._cpus.get(line.cpu)
        if cpu is None or cpu.switch[0] != line.tid or not line.fields.rstrip().endswith(_FLUSH_ON_SWITCH):
            return self._any(line)
        before, after = cpu.switch
        if not self._is_kept(after):
            return []
        if self._is_kept(before):
            return [line.text]
        return [] if self._processes.get(after, after) == cpu.process else [line.idle()]
