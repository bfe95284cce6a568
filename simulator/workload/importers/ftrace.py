"""Imports recordings of ftrace: the ``trace`` file of tracefs, and the text of ``trace-cmd report``.

They hold the tracepoints that ``perf`` records, too. So each line is written as ``perf script`` would write it, and the
importer of those lines reads it: what an event means is said in one place.

What differs: a line does not name the tracepoint's system, nor, unless ``record-tgid`` is set, the process; times have
microseconds (``trace-cmd report -t`` has nanoseconds); and trace-cmd's plugins write some fields in their own way.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from simulator.errors import StreamError
from simulator.workload.importers.guess import looks_like
from simulator.workload.importers.perf import UNREADABLE, ImportReport, read_recording
from simulator.workload.importers.perf_columns import Columns
from simulator.workload.importers.perf_handlers import Handlers
from simulator.workload.importers.perf_reader import Reader
from simulator.workload.importers.settle import Recording
from simulator.workload.importers.text import Progress, read_lines
from simulator.workload.importers.trace_text import UNKNOWN_PROCESS, Line, lost_events, parse_ftrace

_UNREADABLE_SHARE = 100
_TEXT_SHOWN = 80
_NO_SYSTEM = "trace"
"""What stands for the system of a tracepoint that is not known."""
_IDLE = "<idle>"
_SWITCH = re.compile(r"(.*):(\d{1,9}) \[-?\d+\] (\S+) ==> (.*):(\d{1,9}) \[-?\d+\]")
_WAKE = re.compile(r"(.*):(\d{1,9}) \[-?\d+\](?: success=\d)? CPU:(\d{1,9})")
_FLUSH = re.compile(r"pages=(-?\d+) reason=(.*)")


class Converter:
    """Gives the lines of a trace to a reader as perf would have written them; counts what is no line of an event."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        self.lost = self.imprecise = self.without_process = 0
        self.others: Counter[str] = Counter()
        self.unreadable = 0
        self.first_unreadable: int | None = None
        self.first_unreadable_text = ""
        self._latest = -1
        self._columns = Columns()
        handlers = Handlers()
        self._names = {name.partition(":")[2]: name for name in (*handlers.table(), *handlers.numbers_table())}

    def feed(self, lines: list[str], reader: Reader) -> None:
        """Give some lines to a reader.

        Raises:
            StreamError: time runs backward.
        """
        run: list[str] = []
        for number, text in enumerate(lines, self.lines + 1):
            line = parse_ftrace(text)
            if line is None:
                self._give(run, reader)
                run = []
                reader.lines += 1
                self._other(number, text)
                continue
            if line.time < self._latest:
                self._refuse_backward(number, line)
            self._latest = line.time
            self.imprecise += not line.precise
            self.without_process += line.process == UNKNOWN_PROCESS and line.tid != 0
            run.append(self._as_perf(line))
        self._give(run, reader)
        self.lines += len(lines)

    def _give(self, lines: list[str], reader: Reader) -> None:
        if lines:
            reader.read(self._columns.split("".join(f"{line}\n" for line in lines).encode()))

    def _other(self, number: int, text: str) -> None:
        lost = lost_events(text)
        if lost is not None:
            self.lost += lost
            self.others["lost events"] += 1
        elif not text.strip() or text.startswith(("#", "cpus=")):
            self.others["comment"] += 1
        else:
            self._unreadable(1, number, text)

    def _unreadable(self, lines: int, first: int, text: str) -> None:
        self.unreadable += lines
        if self.first_unreadable is None or first < self.first_unreadable:
            self.first_unreadable = first
            self.first_unreadable_text = text

    def take_over_unreadable(self, reader: Reader) -> None:
        """Add the lines that the reader could not read."""
        if reader.first_unreadable is not None:
            self._unreadable(reader.unreadable, reader.first_unreadable, reader.first_unreadable_text)

    def _refuse_backward(self, number: int, line: Line) -> None:
        raise StreamError(
            f"{self.path}:{number}: time runs backward on CPU {line.cpu}: {_seconds(line.time)} s after "
            f"{_seconds(self._latest)} s (the trace clock must be one for all CPUs, such as `mono`)"
        )

    def _as_perf(self, line: Line) -> str:
        idle = line.tid == 0
        comm = "swapper" if idle and line.comm == _IDLE else line.comm
        process = line.tid if idle or line.process == UNKNOWN_PROCESS else line.process
        place = f"{comm:>16} {process:>7}/{line.tid:<7} [{line.cpu:03}]"
        return f"{place} {_seconds(line.time):>20}: {self._name(line):>38}: {_fields(line)}"

    def _name(self, line: Line) -> str:
        """Return the name of a tracepoint with its system; vectors of interrupts are told by their field."""
        name = self._names.get(line.event)
        if name is not None:
            return name
        vector = line.event.endswith(("_entry", "_exit")) and line.fields.startswith("vector=")
        return f"{'irq_vectors' if vector else _NO_SYSTEM}:{line.event}"

    def refuse_unreadable(self) -> None:
        """Refuse a file of which more than one line in a hundred cannot be read.

        Raises:
            StreamError: it is so.
        """
        if self.unreadable * _UNREADABLE_SHARE > self.lines:
            raise StreamError(
                f"{self.path}:{self.first_unreadable}: {self.unreadable:,} of {self.lines:,} lines cannot be read, "
                f"this one first: {self.first_unreadable_text.strip()[:_TEXT_SHOWN]!r}; expected the `trace` file of "
                f"tracefs, or the text of `trace-cmd report`{looks_like(self.first_unreadable_text)}"
            )


def import_ftrace(
    path: Path,
    title: str | None = None,
    provenance: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> tuple[Recording, ImportReport]:
    """Read a trace; return its event stream and what became of each line.

    Raises:
        StreamError: as ``import_perf``; and more than one line in a hundred unreadable.
    """
    converter = Converter(path)

    def feed(reader: Reader) -> None:
        for lines in read_lines(path, progress):
            converter.feed(lines, reader)
        converter.take_over_unreadable(reader)
        converter.refuse_unreadable()
        if converter.imprecise:
            reader.repeated = 0  # two lines of one microsecond are no line that is there twice

    recording, report = read_recording(path, feed, title, {"source": "ftrace"}, provenance)
    return recording, _whole_report(report, converter)


def _whole_report(report: ImportReport, converter: Converter) -> ImportReport:
    """Return the report of the lines that a reader was given, with those that it was not."""
    unknown = {name.removeprefix(f"{_NO_SYSTEM}:"): count for name, count in report.unknown.items()}
    if converter.unreadable:
        unknown[UNREADABLE] = converter.unreadable
    numbers = {
        "events lost by the recorder, as the file says": converter.lost,
        "lines with times in microseconds: shorter stretches are rounded": converter.imprecise,
        "lines that tell a thread and not its process (record-tgid was off): a thread whose making is not in the file "
        "counts as a process of its own": converter.without_process,
    }
    notes = [f"{count:,} {text}" for text, count in numbers.items() if count]
    return replace(
        report,
        without_event={**report.without_event, **converter.others},
        unknown=unknown,
        first_unreadable_line=converter.first_unreadable,
        notes=(*(note for note in report.notes if "lines unreadable" not in note), *notes),
    )


def _fields(line: Line) -> str:
    """Return the fields of a line as the kernel prints them, where a plugin of trace-cmd has its own way."""
    text = line.fields
    if line.event == "sched_switch":
        match = _SWITCH.fullmatch(text)
        if match is not None:
            comm, pid, state, next_comm, next_pid = match.groups()
            return (
                f"prev_comm={comm} prev_pid={pid} prev_prio=0 prev_state={state} ==> "
                f"next_comm={next_comm} next_pid={next_pid} next_prio=0"
            )
    elif line.event in ("sched_waking", "sched_wakeup_new"):
        match = _WAKE.fullmatch(text)
        if match is not None:
            comm, pid, cpu = match.groups()
            return f"comm={comm} pid={pid} prio=0 target_cpu={cpu}"
    elif line.event == "tlb_flush":
        match = _FLUSH.fullmatch(text)
        if match is not None:
            return f"pages:{match[1]} reason:{match[2]}"
    return text


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"
