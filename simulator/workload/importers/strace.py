"""Imports the text of ``strace -f -ttt``, best with ``-T``: the system calls of a program and its children.

strace tells of each task when its calls began and how long they took. It tells no CPUs, no page faults, no interrupts
and no task switches. So CPUs are given to tasks (``strace_cpus``), what happened is put into the lines that ``perf
script`` would have written (``perf_lines``), and the importer of those reads them: one place says what a call, a fork,
an exec, an exit and a switch mean.

**Time.** Between calls a task computes. In a call it is in the kernel, for as long as ``-T`` says; without ``-T`` that
time cannot be told from the computation after it, and counts as that. A call that may sleep (``strace_calls``) slept if
another task's line stands within it or if it took ``SHORTEST_SLEEP_NS`` or longer; the task then gives up its CPU for
as long. What strace itself took stands in all of this.

**What ends a sleep.** A child's exit wakes the parent that waits for it, a signal the task that it is sent to. All
other sleeps end after the time that they took.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from simulator.workload.importers.perf import ImportReport, read_recording
from simulator.workload.importers.perf_reader import Reader
from simulator.workload.importers.settle import Recording
from simulator.workload.importers.strace_tracer import Tracer
from simulator.workload.importers.syscalls import UNNUMBERED
from simulator.workload.importers.text import Progress, read_lines
from simulator.workload.untold import UNTOLD

_UNTOLD = "page faults, page-table writes, TLB flushes, interrupts, disk requests, switches of tasks that do not sleep"


def import_strace(
    path: Path,
    title: str | None = None,
    provenance: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> tuple[Recording, ImportReport]:
    """Read what strace wrote; return its event stream and what became of each line.

    Raises:
        StreamError: no such file; cut in the middle of a line; packed data truncated or corrupt; times that are not
            absolute, or run backward; more than one line in a hundred unreadable; no call in it.
    """
    tracer = Tracer(path)

    def feed(reader: Reader) -> None:
        for lines in read_lines(path, progress):
            tracer.read(lines)
            reader.read(tracer.cpus.lines.take())
        tracer.finish()
        reader.read(tracer.cpus.lines.take())
        assert not reader.unreadable.lines, "what is written here can be read"

    recording, report = read_recording(path, feed, title, {"source": "strace", UNTOLD: _UNTOLD}, provenance)
    return recording, _report(report, tracer)


def _report(report: ImportReport, tracer: Tracer) -> ImportReport:
    """Return the report of the lines of strace, in place of that of the lines made of them."""
    names = ("context_switch", "space_switch", "halt", "wake")
    derived = {name: report.events[name] for name in names if name in report.events}
    return replace(
        report,
        lines=tracer.lines,
        derived={**derived, **report.derived},
        with_event=_by_number(tracer.with_event),
        without_event=_by_number(tracer.without_event),
        unknown=tracer.unreadable.counted(),
        first_unreadable_line=tracer.unreadable.first,
        notes=tuple(_notes(tracer, derived)),
    )


def _by_number(lines: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(lines.items(), key=lambda item: -item[1]))


def _notes(tracer: Tracer, derived: Mapping[str, int]) -> list[str]:
    notes = [
        f"up to {tracer.cpus.number} tasks ran at once, so there are as many virtual CPUs: strace tells none. On a "
        "machine with fewer, some of the computation is waiting for a CPU in truth",
        "not in strace's text: page faults, page-table writes, interrupts, TLB flushes; and each call holds the time "
        "that strace took for it, tens of microseconds",
    ]
    if derived:
        told = ", ".join(f"{count:,} {name}" for name, count in derived.items())
        notes.append(f"derived: {told}: from the sleeps of tasks, and the CPUs that they were given")
    numbers = {
        "calls slept: waiting by their names, and longer than 50 us or with another task's line within": tracer.sleeps,
        "calls without the time that they took: it counts as computation (add -T)": tracer.untimed,
        "calls that seem to end after the next line: they end there": tracer.overlaps,
        "children whose parent is a guess, as several tasks were forking": tracer.guessed_parents,
        f"calls that x86-64 has no number for: {UNNUMBERED} stands for it": tracer.no_number,
        "pages were mapped (mmap): page-table entries are set when they are touched, which is not told": tracer.pages[
            "mmap"
        ],
        "pages were unmapped (munmap): so many page-table entries at most were cleared": tracer.pages["munmap"],
        "pages were protected anew (mprotect): so many entries at most were changed": tracer.pages["mprotect"],
    }
    notes += [f"{count:,} {text}" for text, count in numbers.items() if count]
    return [*notes, *tracer.unreadable.notes()]
