"""Reads the lines of strace in order: what its tasks do, and when they run; and writes it as ``perf script`` would."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

from simulator.errors import StreamError
from simulator.workload.importers import strace_calls as calls
from simulator.workload.importers.perf_text import CLONE
from simulator.workload.importers.strace_cpus import Cpus, Task
from simulator.workload.importers.strace_text import NOBODY, Line, Sort, TimesError, parse_line
from simulator.workload.importers.syscalls import NUMBERS, UNNUMBERED
from simulator.workload.importers.unreadable import Unreadable

SHORTEST_SLEEP_NS = 50_000
"""A call that may sleep and took less did not: under strace, going to sleep and waking take about as long."""
FIRST_TASK = 1
"""The number of a task that the text does not number: the only one traced, or the first."""
MOST_TASKS_AT_ONCE = 4096
LONGEST_NS = 10**9 * 10**9
"""How long a recording may be: 30 years."""
_PAGE = 4096
_CUT_BY_MESSAGE = re.compile(r"(.+?)(?:strace: )?Process \d{1,9} attached$")
_LENGTH = {
    "mmap": re.compile(r"[^,]*, (\d{1,18}),"),
    "munmap": re.compile(r"[^,]*, (\d{1,18})$"),
    "mprotect": re.compile(r"[^,]*, (\d{1,18}),"),
}

_DOES = calls.FORKS | calls.EXECS | calls.KILLS | calls.DESCRIPTORS | _LENGTH.keys()
"""Calls that do something that matters here."""


class Tracer:
    """Reads the lines of strace in order, and writes those of perf."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        self.cpus = Cpus()
        self.with_event: defaultdict[str, int] = defaultdict(int)
        self.without_event: defaultdict[str, int] = defaultdict(int)
        self.unreadable = Unreadable()
        self.timed = self.untimed = self.sleeps = self.guessed_parents = self.overlaps = self.no_number = 0
        self.pages: Counter[str] = Counter()
        self._tasks: dict[int, Task] = {}
        self._numbered = False
        self._whole: tuple[Task, Line] | None = None
        self._latest = 0
        self._cut = ""

    def read(self, lines: list[str]) -> None:
        """Read some lines, without their newlines.

        Raises:
            StreamError: times that cannot be used, or that run backward.
        """
        for number, text in enumerate(lines, self.lines + 1):
            cut = _CUT_BY_MESSAGE.fullmatch(text) if text.endswith(" attached") else None
            if cut is not None and not cut[1].startswith("strace: "):
                self._cut += cut[1]
                self._message()
                continue
            try:
                line = parse_line(self._cut + text)
            except TimesError as error:
                raise StreamError(f"{self.path}:{number}: {error}") from None
            self._cut = ""
            if line is None:
                self.unreadable.add(number, text)
            elif line.sort is Sort.ATTACHED:
                self._message()
            else:
                self._forward(number, line)
                self._line(line, number)
        self.lines += len(lines)

    def _message(self) -> None:
        """Note that strace follows children, as it said that it attached to one."""
        self._numbered = True
        self.without_event["message of strace"] += 1

    def _forward(self, number: int, line: Line) -> None:
        if line.time < self._latest:
            raise StreamError(
                f"{self.path}:{number}: time runs backward: {_seconds(line.time)} s after {_seconds(self._latest)} s "
                "(was the clock set while strace ran?)"
            )
        if self.cpus.number and line.time - self.cpus.start >= LONGEST_NS:
            raise StreamError(
                f"{self.path}:{number}: expected a time within {LONGEST_NS // 10**9:,} s of the first, found "
                f"{_seconds(line.time)} s after {_seconds(self.cpus.start)} s"
            )
        self._latest = line.time

    # Tasks.

    def _task(self, line: Line) -> Task:
        """Return the task of a line; one not seen before is a child whose fork is not done, or was attached."""
        if line.task == NOBODY:
            first = self._tasks.get(FIRST_TASK)
            return first or (next(iter(self._tasks.values())) if len(self._tasks) == 1 else self._first(FIRST_TASK))
        self._numbered = True
        task = self._tasks.get(line.task)
        if task is not None:
            return task
        parents = [each for each in self._tasks.values() if self._may_have_forked(each)]
        if parents:
            self.guessed_parents += len(parents) > 1
            return self._fork(min(parents, key=lambda each: each.since), line.task, line.time)
        first = self._tasks.pop(FIRST_TASK, None)
        if first is not None:  # strace numbers the lines of its first task only while there are others
            self._tasks[line.task] = first
            return first
        return self._first(line.task)

    @staticmethod
    def _may_have_forked(task: Task) -> bool:
        return task.call in calls.FORKS and task.child is None

    def _first(self, tid: int) -> Task:
        """Return a task whose making is not in the file."""
        task = self._tasks[tid] = Task(tid, tid, f"task-{tid}")
        if self.cpus.number:
            self.cpus.take(task, self._latest)
        else:
            self.cpus.begin(task, self._latest)
        return task

    def _fork(self, parent: Task, tid: int, time: int) -> Task:
        """Make a child of a task that is in a call that forks; it runs from now on."""
        thread = "CLONE_THREAD" in parent.arguments
        files = parent.files if "CLONE_FILES" in parent.arguments else set(parent.files)
        child = Task(tid, parent.process if thread else tid, parent.comm, files)
        parent.child = self._tasks[tid] = child
        self.cpus.line(parent, time, "sched:sched_process_fork", (child.comm, tid))
        self.cpus.line(parent, time, "sched:sched_wakeup_new", (child.comm, tid, parent.cpu))
        if calls.is_vfork(parent.call, parent.arguments):
            self._sleep(parent, time)
        self.cpus.take(child, time)
        return child

    # Lines.

    def _line(self, line: Line, number: int) -> None:
        self._end_whole_call(line.time)
        task = self._task(line)
        if self.cpus.number > MOST_TASKS_AT_ONCE:
            raise StreamError(
                f"{self.path}:{number}: more than {MOST_TASKS_AT_ONCE:,} tasks seem to run at once; expected the text "
                "of one run of strace, with the ends of its tasks"
            )
        match line.sort:
            case Sort.CALL:
                self._enter(task, line)
                self._whole = (task, line)
            case Sort.ENTRY:
                self._enter(task, line)
                if calls.may_sleep(line.name, line.arguments, task.files):
                    self._sleep(task, line.time)
            case Sort.RETURN:
                self._return(task, line)
            case Sort.SIGNAL:
                self.without_event[f"signal {line.name}"] += 1
            case Sort.END:
                self.without_event["end of a task"] += 1
                self._end(task, line.time)

    def _enter(self, task: Task, line: Line) -> None:
        if task.cpu < 0:
            self.cpus.take(task, line.time)
        task.since, task.call, task.arguments = line.time, line.name, line.arguments
        task.slept, task.child = False, None
        number = NUMBERS.get(line.name, UNNUMBERED)
        shares = False
        if line.name in calls.FORKS:
            shares = calls.shares_space(line.name, line.arguments)
            number = CLONE if line.name == "clone3" else number  # which is clone with its flags elsewhere
        self.no_number += number == UNNUMBERED
        self.with_event[line.name] += 1
        self.cpus.syscall(task, line.time, "raw_syscalls:sys_enter", number, shares)

    def _end_whole_call(self, limit: int) -> None:
        """End the call of the line before, if that was a whole one; ``limit`` is the time of the line after it."""
        if self._whole is None:
            return
        task, line = self._whole
        self._whole = None
        sleeps = calls.may_sleep(line.name, line.arguments, task.files)
        if line.took is None:
            self.untimed += line.name not in calls.EXITS
            end = limit if sleeps and limit - line.time >= SHORTEST_SLEEP_NS else line.time
        else:
            self.timed += 1
            end = line.time + line.took
            self.overlaps += end > limit
            end = min(end, limit)
        if sleeps and end - line.time >= SHORTEST_SLEEP_NS:
            self._sleep(task, line.time)
        self._leave(task, line, end)

    def _return(self, task: Task, line: Line) -> None:
        """End a call whose beginning is a line of its own, or is not in the file."""
        self.without_event["end of a call"] += 1
        if task.call != line.name:
            self.cpus.take(task, line.time)
            return
        self.timed += line.took is not None
        self.untimed += line.took is None and line.name not in calls.EXITS
        self._leave(task, line, line.time, task.arguments)

    def _leave(self, task: Task, line: Line, time: int, begun: str = "") -> None:
        """Do what a call did, and end it; ``begun`` is what an earlier line told of its arguments."""
        if task.cpu < 0:
            self.cpus.take(task, time)
        if line.name in _DOES and line.result is not None and line.result >= 0:
            self._did(task, line._replace(arguments=begun + line.arguments) if begun else line, time)
        if line.name not in calls.EXITS:
            number = NUMBERS.get(line.name, UNNUMBERED)
            self.cpus.syscall(task, time, "raw_syscalls:sys_exit", number)
        task.call, task.since = "", -1

    def _did(self, task: Task, line: Line, time: int) -> None:
        """Do what a call did that succeeded."""
        calls.note_descriptors(line.name, line.arguments, line.result, task.files)
        if line.name in calls.FORKS and line.result and self._numbered and task.child is None:
            self._fork(task, line.result, time)
        elif line.name in calls.EXECS:
            self.cpus.line(task, time, "sched:sched_process_exec", None)
            self.cpus.rename(task, calls.program(line.arguments))
        elif line.name in calls.KILLS:
            self._wake(task, self._tasks.get(calls.killed(line.arguments)), time)
        elif line.name in _LENGTH:
            length = _LENGTH[line.name].match(line.arguments)
            if length is not None:
                self.pages[line.name] += -(-int(length[1]) // _PAGE)

    def _sleep(self, task: Task, time: int) -> None:
        if task.cpu >= 0:
            self.sleeps += 1
            task.slept = True
            self.cpus.leave(task, time, "S")

    def _wake(self, waker: Task, woken: Task | None, time: int) -> None:
        if woken is not None and woken.slept and woken.cpu < 0:
            meaning = woken.comm, woken.tid, max(woken.last_cpu, 0)
            self.cpus.line(waker, time, "sched:sched_waking", meaning)

    def _end(self, task: Task, time: int) -> None:
        """End a task, and wake who waits for its process."""
        self.cpus.take(task, time)
        self._tasks = {tid: each for tid, each in self._tasks.items() if each is not task}
        last = not any(each.process == task.process for each in self._tasks.values())
        self.cpus.line(task, time, "sched:sched_process_exit", last)
        for each in self._tasks.values():
            if last and each.call in calls.WAITS_FOR_CHILD:
                self._wake(task, each, time)
        self.cpus.leave(task, time, "Z")

    def finish(self) -> None:
        """End what is under way at the end of the file.

        Raises:
            StreamError: more than one line in a hundred cannot be read.
        """
        if self._whole is not None:
            self._end_whole_call(self._latest + (self._whole[1].took or 0))
        self.cpus.flush()
        self.unreadable.refuse(self.path, self.lines, "the text of `strace -f -ttt -T`")


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"
