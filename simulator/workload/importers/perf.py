"""Imports recordings of Linux ``perf``: the text of ``perf script --ns -F comm,pid,tid,cpu,time,event,trace``.

What each tracepoint becomes stands in ``perf_reader``, page tables and address spaces in ``address_spaces``, waits and
what ends them in ``causes``.

**Time.** The gap before a row is the time since the previous row of the same CPU, split by mode. A gap belongs to user
mode if a system call or a fault from user mode ends it, or an interrupt while the task was last known in user mode; to
the idle task if that runs; else to the kernel. A task never seen in user mode is in the kernel. So the gaps of a CPU
add up exactly to the time from the recording's first line to the CPU's last row.

**Page tables.** Page-table writes are told from the memory counters of ``kmem:rss_stat``: growth is entries set,
shrinking entries cleared. A fault on a present page rewrites one entry, unless the counters tell of it. At a fork the
kernel also write-protects the parent's anonymous entries. All that were copied are the upper bound; an entry that is
write-protected already is not written again, so the number here is the smaller of that and of the distinct pages that
faulted for writing in the parent's space since its previous fork. The report's notes tell both numbers.

**Torn-down spaces.** An address space ends (``space_destroy``) after the last entry that was cleared, and after it was
unloaded, in the exit of its last known task or in the exec by which that left it. What a vforked child leaves is still
its parent's; an exit or exec that the file does not hold to its end ends none.

**Lost lines.** A CPU that comes to another task with no ``sched:sched_switch`` line keeps its times and makes no event;
the report's notes count such places.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulator.errors import StreamError
from simulator.events import BY_CODE, INTERRUPT_COMPLETION
from simulator.stream import Header, MemoryStream
from simulator.workload.importers import text
from simulator.workload.importers.causes import BY_KERNEL, Cpu
from simulator.workload.importers.perf_handlers import SPACE_DESTROY, SPACE_SWITCH, SPACE_SWITCH_GUESS
from simulator.workload.importers.perf_reader import Reader
from simulator.workload.importers.rows import Matrix
from simulator.workload.importers.text import Progress

UNREADABLE = "unreadable line"
_UNREADABLE_SHARE = 100
_TEXT_SHOWN = 80
_MICROSECONDS = re.compile(r"\s\d+\.\d{6}:\s")


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of each line of a recording.

    ``with_event``, ``without_event`` (known tracepoints that carry no event of their own, or none this time) and
    ``unknown`` (by tracepoint, or under 'unreadable line') count lines, and together are all ``lines``. ``events``
    counts events by kind; ``derived`` those among them that no line of their own tells. ``waits`` counts rows that
    wait, by what ends the wait.
    """

    lines: int
    events: Mapping[str, int]
    derived: Mapping[str, int]
    with_event: Mapping[str, int]
    without_event: Mapping[str, int]
    unknown: Mapping[str, int]
    first_unreadable_line: int | None
    waits: Mapping[str, int]
    notes: tuple[str, ...]


def import_perf(
    path: Path,
    title: str | None = None,
    provenance: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> tuple[MemoryStream, ImportReport]:
    """Read a recording; return its event stream and what became of each line.

    ``title`` is the stream's (the file's name by default), ``provenance`` is added to what the file itself tells, and
    ``progress`` is told the bytes read so far and all of them.

    Raises:
        StreamError: no such file; cut in the middle of a line; gzip data truncated or corrupt; time runs backward; no
            event in it. The message names file and line.
    """
    reader = Reader(path)
    for lines in text.read_lines(path, progress):
        reader.read(lines)
    _refuse_unreadable(reader)
    derived = _finish(reader)
    report = _report(reader, derived)
    header = Header(
        title=title or path.name.split(".")[0],
        vcpus=len(reader.cpus),
        recorded_ns=reader.latest - reader.start,
        devices=tuple(reader.devices),
        tasks={0: "swapper"} | {tid: task.comm for tid, task in reader.tasks.items()},
        provenance=_provenance(path, reader) | dict(provenance or {}),
    )
    return MemoryStream(header, [cpu.batches() for cpu in _in_order(reader)]), report


def _refuse_unreadable(reader: Reader) -> None:
    """Refuse a file of which more than one line in a hundred cannot be read: its gaps and counts would mislead."""
    if reader.unreadable * _UNREADABLE_SHARE <= reader.lines:
        return
    line = reader.first_unreadable_text.strip()
    microseconds = " (its time stamps are in microseconds: add --ns)" if _MICROSECONDS.search(line) else ""
    raise StreamError(
        f"{reader.path}:{reader.first_unreadable}: {reader.unreadable:,} of {reader.lines:,} lines cannot be read, "
        f"this one first: {line[:_TEXT_SHOWN]!r}{microseconds}; expected the text of "
        "`perf script --ns -F comm,pid,tid,cpu,time,event,trace`"
    )


def _in_order(reader: Reader) -> list[Cpu]:
    return [cpu for _, cpu in sorted(reader.cpus.items())]


def _provenance(path: Path, reader: Reader) -> dict[str, object]:
    tracepoints = {tracepoint.name: tracepoint.lines for tracepoint in reader.tracepoints.values()}
    return {
        "source": "perf script",
        "file": path.name,
        "sha256": text.sha256(path),
        "lines": reader.lines,
        "tracepoints": dict(sorted(tracepoints.items())),
    }


def _finish(reader: Reader) -> dict[str, int]:
    """Close all rows at the end of the file; return the number of derived events by kind."""
    cpus = _in_order(reader)
    for cpu in cpus:
        cpu.write_implied()
        cpu.elapse(reader.latest, BY_KERNEL)
        if cpu.is_idle and not cpu.woken:
            cpu.sleep()
        cpu.finish()
    spaces = reader.spaces.numbering()
    users = [task.tid for task in reader.tasks.values() if task.seen_in_user_mode]
    completions = switches = 0
    for cpu in cpus:
        cpu.column("space")[:] = spaces[cpu.column("space")]
        completions += _settle_completions(reader, cpu)
        switches += _settle_switches(reader, cpu, users)
        cpu.keep(cpu.column("kind") > 0)
    _settle_ends(cpus, len(spaces))
    if not any(len(cpu.column("kind")) for cpu in cpus):
        raise StreamError(f"{reader.path}:{max(reader.lines, 1)}: the file has no event")
    _number_densely([cpu.column("space") for cpu in cpus])
    events = _events(cpus)
    derived = {
        "halt": events.get("halt", 0),
        "interrupt_completion": completions,
        "pte_modify": events.get("pte_modify", 0),
        "space_switch": switches,
        "space_destroy": events.get("space_destroy", 0),
    }
    return {name: count for name, count in derived.items() if count}


def _settle_completions(reader: Reader, cpu: Cpu) -> int:
    """Confirm the guessed completions of interrupts whose vectors have no tracepoint for it; return how many."""
    kinds = cpu.column("kind")
    confirmed = [
        guess for vector, guess in reader.guesses.completions.items() if vector not in reader.guesses.vectors_with_exit
    ]
    rows = np.isin(kinds, confirmed)
    kinds[rows] = INTERRUPT_COMPLETION
    return int(rows.sum())


def _settle_switches(reader: Reader, cpu: Cpu, users: Sequence[int]) -> int:
    """Confirm guessed space switches, between tasks of different spaces that ran in user mode; return how many."""
    if reader.guesses.switch_lines:
        return 0
    kinds, spaces = cpu.column("kind"), cpu.column("space")
    rows = np.flatnonzero((kinds == SPACE_SWITCH_GUESS) & np.isin(cpu.column("task"), users))
    changed = np.diff(spaces[rows], prepend=-2) != 0
    kinds[rows[changed]] = SPACE_SWITCH
    return int(changed.sum())


def _settle_ends(cpus: Sequence[Cpu], spaces: int) -> None:
    """Leave out the end of a space that was used again later, by a task that was not known to share it."""
    last_used = np.zeros(spaces, np.int64)  # the last stands for no space
    for cpu in cpus:
        np.maximum.at(last_used, cpu.column("space"), _times(cpu))
    for cpu in cpus:
        space, row = cpu.column("space"), np.arange(len(cpu.column("space")))
        last_row = np.zeros(spaces, np.int64)
        np.maximum.at(last_row, space, row)
        used_later = (row < last_row[space]) | (_times(cpu) < last_used[space])
        cpu.keep((cpu.column("kind") != SPACE_DESTROY) | ~used_later)


def _times(cpu: Cpu) -> Matrix:
    """Return the time of each row since the first line, nanoseconds."""
    return np.cumsum(cpu.column("user_ns") + cpu.column("kernel_ns") + cpu.column("idle_ns"))


def _number_densely(columns: Sequence[Matrix]) -> None:
    """Number the spaces that occur from 0, in the order of their making; -1 stays."""
    used = np.zeros(max(int(column.max(initial=-1)) for column in columns) + 2, dtype=bool)
    for column in columns:
        used[column + 1] = True
    used[0] = False
    numbers = np.where(used, np.cumsum(used) - 1, -1)
    for column in columns:
        column[:] = numbers[column + 1]


def _events(cpus: Sequence[Cpu]) -> dict[str, int]:
    """Count the events of all rows by kind; only kinds that occur."""
    counts = dict.fromkeys(BY_CODE, 0)
    for cpu in cpus:
        kinds, numbers = cpu.column("kind"), cpu.column("count")
        for code in np.flatnonzero(np.bincount(kinds)).tolist():
            counts[code] += int(numbers[kinds == code].sum())
    return {BY_CODE[code].name: count for code, count in counts.items() if count}


def _report(reader: Reader, derived: Mapping[str, int]) -> ImportReport:
    known = [tracepoint for tracepoint in reader.tracepoints.values() if tracepoint.known]
    unknown = {tracepoint.name: tracepoint.lines for tracepoint in reader.tracepoints.values() if not tracepoint.known}
    if reader.unreadable:
        unknown[UNREADABLE] = reader.unreadable
    return ImportReport(
        lines=reader.lines,
        events=_events(_in_order(reader)),
        derived=derived,
        with_event={t.name: t.lines - t.without_event for t in known if t.lines > t.without_event},
        without_event={t.name: t.without_event for t in known if t.without_event},
        unknown=unknown,
        first_unreadable_line=reader.first_unreadable,
        waits=dict(sorted(reader.causes.waits.items())),
        notes=_notes(reader, derived),
    )


def _notes(reader: Reader, derived: Mapping[str, int]) -> tuple[str, ...]:
    """Say in words what the importer derived, could not know, or found odd."""
    about = {
        "halt": "the idle task has no tracepoint: a CPU sleeps where its idle time passes",
        "interrupt_completion": "of interrupts that have no exit line: at the same moment",
        "pte_modify": f"{reader.protected} in the parents of forks, the others after faults on present pages",
        "space_switch": "from sched_switch, as no tlb_flush line tells of any",
        "space_destroy": "at the end of exits and execs that left a space to no known task",
    }
    notes = [f"derived: {count} {name} ({about[name]})" for name, count in derived.items()]
    if reader.copied:
        notes.append(
            f"forks copied {reader.copied} anonymous entries, of which {reader.protected} were written in the parents "
            "(write-protected): those whose pages had a write fault since the space's previous fork"
        )
    numbers = {
        "lines repeat the line before exactly, to the nanosecond: each is an event, though none can have happened": (
            reader.repeated
        ),
        "memory counters with an unknown base: their first change makes no event": reader.spaces.unknown_bases,
        "times a CPU came to another task without a sched_switch line": reader.unannounced,
        "disk requests issued again before their completion: each issue is an event": reader.causes.reissued,
        "disk requests issued and not completed in the recording": reader.causes.open_requests,
    }
    notes += [f"{count} {text}" for text, count in numbers.items() if count]
    if reader.first_unreadable is not None:
        notes.append(f"{reader.unreadable} lines unreadable, the first is line {reader.first_unreadable}")
    return tuple(notes)
