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
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from simulator.errors import StreamError
from simulator.stream import Header
from simulator.workload.importers import text
from simulator.workload.importers.causes import BY_KERNEL, Cpu
from simulator.workload.importers.perf_block import Block
from simulator.workload.importers.perf_process import received, splitting
from simulator.workload.importers.perf_reader import Reader
from simulator.workload.importers.settle import Findings, Recording, Survey, survey
from simulator.workload.importers.text import Progress
from simulator.workload.untold import UNTOLD

_REFUSED_SHARE = 100
_TELLING = {
    "exceptions:page_fault": "page faults",
    "kmem:rss_stat": "page-table writes but those that faults imply",
    "tlb:tlb_flush": "TLB flushes",
}
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
    splitter: IO[bytes] | None = None,
) -> tuple[Recording, ImportReport]:
    """Read a recording; return its event stream and what became of each line.

    ``title`` is the stream's (the file's name by default), ``provenance`` is added to what the file itself tells, and
    ``progress`` is told the bytes read so far and all of them. ``splitter`` is from ``perf_process.splitting``, if that
    was started for this file before.

    Raises:
        StreamError: no such file; cut in the middle of a line; packed data truncated or corrupt; time runs backward; no
            event in it. The message names file and line.
    """
    with nullcontext(splitter) if splitter is not None else splitting(path) as pipe:
        blocks = received(pipe, path, progress) if pipe is not None else _split(path, progress)
        return import_blocks(blocks, path, title, provenance)


def _split(path: Path, progress: Progress | None) -> Iterator[Block]:
    from simulator.workload.importers.perf_split import split  # noqa: PLC0415 (not loaded where another process splits)

    return split(path, progress)


def import_blocks(
    blocks: Iterable[Block], path: Path, title: str | None = None, provenance: Mapping[str, str] | None = None
) -> tuple[Recording, ImportReport]:
    """Read a recording that was made from the file ``path`` and comes in blocks.

    Raises:
        StreamError: as ``import_perf``.
    """

    def feed(reader: Reader) -> None:
        for block in blocks:
            reader.read(block)
        _refuse_unreadable(reader)
        _refuse_disorder(reader)

    return read_recording(path, feed, title, {"source": "perf script"}, provenance)


def read_recording(
    path: Path,
    feed: Callable[[Reader], None],
    title: str | None,
    source: Mapping[str, object],
    provenance: Mapping[str, str] | None,
) -> tuple[Recording, ImportReport]:
    """Read a recording of any format whose lines ``feed`` gives to a reader as ``perf script`` would write them.

    ``source`` says in the header where the lines come from. Returns the stream and what became of each line.

    Raises:
        StreamError: whatever ``feed`` raises; no event in the file.
    """
    reader = Reader(path)
    with ThreadPoolExecutor(1) as beside:
        digest = beside.submit(text.sha256, path)
        feed(reader)
    findings = _findings(reader)
    cpus = _in_order(reader)
    found = survey(cpus, findings, reader.spool)
    if not found.events:
        exits = sum(each.lines for each in reader.tracepoints.values() if each.name.endswith(":kvm_exit"))
        remedy = f"; it has {exits:,} exits of guests, which `vmmsim import kvm` reads" if exits else ""
        raise StreamError(f"{reader.path}:{max(reader.lines, 1)}: the file has no event{remedy}")
    header = Header(
        title=title or path.name.split(".")[0],
        vcpus=len(reader.cpus),
        recorded_ns=reader.latest - reader.start,
        devices=tuple(reader.devices),
        tasks={0: "swapper"} | reader.tasks.names,
        provenance={**_untold(reader), **source, **_provenance(path, reader, digest.result()), **(provenance or {})},
    )
    return Recording(header, cpus, findings, reader.spool, found), _report(reader, found)


def _refuse_unreadable(reader: Reader) -> None:
    """Refuse a file of which more than one line in a hundred cannot be read."""
    in_microseconds = _MICROSECONDS.search(reader.unreadable.text.strip())
    reader.unreadable.refuse(
        reader.path,
        reader.lines,
        "the text of `perf script --ns -F comm,pid,tid,cpu,time,event,trace`",
        " (its time stamps are in microseconds: add --ns)" if in_microseconds else "",
    )


def _refuse_disorder(reader: Reader) -> None:
    """Refuse a file of which more than one line in a hundred stands behind its time: who caused what would mislead."""
    if reader.late * _REFUSED_SHARE > reader.lines:
        raise StreamError(
            f"{reader.path}:{reader.lines}: {reader.late:,} of {reader.lines:,} lines stand after lines of other CPUs "
            "with later times; expected the text of `perf script`, which sorts them"
        )


def _in_order(reader: Reader) -> list[Cpu]:
    return [cpu for _, cpu in sorted(reader.cpus.items())]


def _provenance(path: Path, reader: Reader, sha256: str) -> dict[str, object]:
    tracepoints = {tracepoint.name: tracepoint.lines for tracepoint in reader.tracepoints.values()}
    return {
        "file": path.name,
        "sha256": sha256,
        "lines": reader.lines,
        "tracepoints": dict(sorted(tracepoints.items())),
    }


def _untold(reader: Reader) -> dict[str, str]:
    """Return what a header says of tracepoints that no recording of a process is without, and this one is."""
    names = list(reader.tracepoints)
    lacking = [what for begin, what in _TELLING.items() if not any(name.startswith(begin) for name in names)]
    return {UNTOLD: ", ".join(lacking)} if lacking else {}


def _findings(reader: Reader) -> Findings:
    """Close all rows at the end of the file; return what the whole of it told."""
    for cpu in _in_order(reader):
        cpu.write_implied()
        cpu.elapse(reader.latest, BY_KERNEL)
        if cpu.is_idle and not cpu.woken:
            cpu.sleep()
    guesses = reader.guesses
    return Findings(
        spaces=reader.spaces.numbering(),
        completions=[kind for vector, kind in guesses.completions.items() if vector not in guesses.vectors_with_exit],
        users=None if guesses.switch_lines else reader.tasks.users(),
    )


def _report(reader: Reader, found: Survey) -> ImportReport:
    derived = {
        "halt": found.events.get("halt", 0),
        "interrupt_completion": found.completions,
        "pte_modify": found.events.get("pte_modify", 0),
        "space_switch": found.switches,
        "space_destroy": found.events.get("space_destroy", 0),
    }
    derived = {name: count for name, count in derived.items() if count}
    known = [tracepoint for tracepoint in reader.tracepoints.values() if tracepoint.known]
    unknown = {tracepoint.name: tracepoint.lines for tracepoint in reader.tracepoints.values() if not tracepoint.known}
    return ImportReport(
        lines=reader.lines,
        events=found.events,
        derived=derived,
        with_event={t.name: t.events for t in known if t.events},
        without_event={t.name: t.lines - t.events for t in known if t.lines > t.events},
        unknown={**unknown, **reader.unreadable.counted()},
        first_unreadable_line=reader.unreadable.first,
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
        f"lines stand up to {reader.most_late_ns:,} ns late, after lines of other CPUs, and count as of their times": (
            reader.late
        ),
        "memory counters with an unknown base: their first change makes no event": reader.spaces.unknown_bases,
        "times a CPU came to another task without a sched_switch line": reader.unannounced,
        "disk requests issued again before their completion: each issue is an event": reader.causes.reissued,
        "disk requests issued and not completed in the recording": reader.causes.open_requests,
    }
    notes += [f"{count} {text}" for text, count in numbers.items() if count]
    return (*notes, *reader.unreadable.notes())
