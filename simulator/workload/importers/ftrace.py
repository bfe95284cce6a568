"""Imports recordings of ftrace: the ``trace`` file of tracefs, and the text of ``trace-cmd report``.

They hold the tracepoints that ``perf`` records, too. So each line is written as ``perf script`` would write it, and the
importer of those lines reads it: what an event means is said in one place.

What differs: a line does not name the tracepoint's system, nor, unless ``record-tgid`` is set, the process; times have
microseconds (``trace-cmd report -t`` has nanoseconds); and trace-cmd's plugins write some fields in their own way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from simulator.errors import StreamError
from simulator.workload.importers.ftrace_columns import NO_EVENT, NO_SYSTEM, Rewriter, Rewritten
from simulator.workload.importers.perf import ImportReport, read_recording
from simulator.workload.importers.perf_columns import Columns
from simulator.workload.importers.perf_reader import Reader
from simulator.workload.importers.settle import Recording
from simulator.workload.importers.text import Progress, read_blocks
from simulator.workload.importers.trace_text import lost_events


class Converter:
    """Gives the lines of a trace to a reader as perf would have written them; counts what is no line of an event."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lost = self.imprecise = self.without_process = 0
        self.others: Counter[str] = Counter()
        self._latest = -1
        self._columns = Columns()
        self._rewriter = Rewriter()

    def feed(self, block: bytes, reader: Reader) -> None:
        """Give some whole lines to a reader.

        Raises:
            StreamError: time runs backward.
        """
        rewritten = self._rewriter.rewrite(block)
        self._refuse_backward(rewritten, reader.lines)
        self.imprecise += rewritten.imprecise
        self.without_process += rewritten.without_process
        begin = 0
        for number in np.flatnonzero(rewritten.times == NO_EVENT).tolist():
            self._give(rewritten.run(begin, number), reader)
            reader.lines += 1
            self._other(reader, rewritten.text(number))
            begin = number + 1
        self._give(rewritten.run(begin, len(rewritten.times)), reader)

    def _give(self, lines: bytes, reader: Reader) -> None:
        if lines:
            reader.read(self._columns.split(lines))

    def _other(self, reader: Reader, text: str) -> None:
        lost = lost_events(text)
        if lost is not None:
            self.lost += lost
            self.others["lost events"] += 1
        elif not text.strip() or text.startswith(("#", "cpus=")):
            self.others["comment"] += 1
        else:
            reader.unreadable.add(reader.lines, text)

    def _refuse_backward(self, rewritten: Rewritten, lines: int) -> None:
        events = np.flatnonzero(rewritten.times != NO_EVENT)
        times = np.concatenate(([self._latest], rewritten.times[events]))
        backward = np.flatnonzero(np.diff(times) < 0)
        if len(backward):
            number, (before, time) = int(events[backward[0]]), times[backward[0] :][:2].tolist()
            line = self._rewriter.parser.parse(rewritten.text(number))
            cpu = line.cpu if line is not None else "?"
            raise StreamError(
                f"{self.path}:{lines + number + 1}: time runs backward on CPU {cpu}: {_seconds(time)} s after "
                f"{_seconds(before)} s (the trace clock must be one for all CPUs, such as `mono`)"
            )
        self._latest = int(times[-1])


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
        for block in read_blocks(path, progress):
            converter.feed(block, reader)
        reader.unreadable.refuse(path, reader.lines, "the `trace` file of tracefs, or the text of `trace-cmd report`")
        if converter.imprecise:
            reader.repeated = 0  # two lines of one microsecond are no line that is there twice

    recording, report = read_recording(path, feed, title, {"source": "ftrace"}, provenance)
    return recording, _whole_report(report, converter)


def _whole_report(report: ImportReport, converter: Converter) -> ImportReport:
    """Return the report of the lines that a reader was given, with those that it was not."""
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
        unknown={name.removeprefix(f"{NO_SYSTEM}:"): count for name, count in report.unknown.items()},
        notes=(*report.notes, *notes),
    )


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"
