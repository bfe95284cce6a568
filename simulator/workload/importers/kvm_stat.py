"""Reads the table that ``perf kvm stat report`` prints: exits of guests by reason, with what each took.

A table has counts and no order, so it becomes a workload in YAML and not a stream: a few lines that one can read and
change, whose counts are exact, and to which one may add what the table does not tell. ``kvm_reasons`` says what a
reason means; where that needs numbers that a table does not have, the likelier event is taken and the workload says so.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from simulator.errors import StreamError
from simulator.events import BY_CODE, BY_NAME
from simulator.workload.importers import kvm_reasons as guest
from simulator.workload.importers.kvm_reasons import (
    CR3_READ,
    NONE,
    NOT_EXITING,
    REASONS,
    VMM_FAULTS,
    WHOSE_FAULTS,
    Event,
    Info,
    reason_name,
)
from simulator.workload.importers.text import read_lines, sha256
from simulator.workload.untold import LAID_OUT, UNTOLD

MARK = "# written by `vmmsim import perf-kvm-stat`"
"""The first line of what is written, by which a file is known to be no one's work."""
ROUNDS = 1000
"""Into so many rounds the events are laid out, so that those of one kind do not all stand together."""
MOST_ROWS = 100_000
EXITS = "VM-EXIT"
"""The table of all exits; the others are of some."""
_ORDER = "the order of exits, the times between them, whose they were (virtual CPU, task, address space)"
_SHOWN = 80

_HEAD = re.compile(r"\s*(VM-EXIT|IO Port Access|MMIO Access|MSR Access)\s+Samples\s+Samples%\s+Time%.*")
_ROW = re.compile(
    r"\s*([!-~](?:[ -~]{0,60}[!-~])?)\s+(\d{1,18})\s+\d+\.\d+%\s+(?:\d+\.\d+|-?nan)%\s+(?:\d+\.\d+us\s+\d+\.\d+us\s+)?"
    r"(\d{1,15}\.\d\d)us \( \+-\s*(?:\d+\.\d+|-?nan)% \)\s*"
)
_TOTAL = re.compile(r"\s*Total Samples:(\d{1,18}), Total events handled time:(\d{1,18}\.\d\d)us\.\s*")
_LOST = re.compile(r"\s*Lost events: (\d{1,18})\s*")
_ABOUT = re.compile(r"\s*Analyze events for .*")
_ACCESS = re.compile(r"(?:0x)?([0-9a-f]{1,16}):(PIN|POUT|R|W)")
_ACCESSES = {
    ("IO Port Access", "PIN"): guest.PORT_IN,
    ("IO Port Access", "POUT"): guest.PORT_OUT,
    ("MMIO Access", "R"): guest.MMIO_READ,
    ("MMIO Access", "W"): guest.MMIO_WRITE,
    ("MSR Access", "R"): guest.MSR_READ,
    ("MSR Access", "W"): guest.MSR_WRITE,
}


class Exits(NamedTuple):
    """One row of the table: what it is called, how many there were, and what one took on average, in microseconds."""

    name: str
    samples: int
    each_us: Decimal


@dataclass(frozen=True, slots=True)
class KvmStat:
    """A table: ``kind`` is what it counts, ``handled_us`` the time of all in microseconds."""

    path: Path
    kind: str
    rows: tuple[Exits, ...]
    handled_us: Decimal
    lost: int

    def events(self) -> list[tuple[Exits, Event | None]]:
        """Return what the guest did, by row; None where the name of the row is not known."""
        return [(row, self._event(row.name)) for row in self.rows]

    def _event(self, name: str) -> Event | None:
        if self.kind == EXITS:
            reason = REASONS.get(reason_name(name))
            return reason.read(Info()) if reason is not None else None
        match = _ACCESS.fullmatch(name)
        kind = _ACCESSES.get((self.kind, match[2])) if match is not None else None
        return Event(kind) if kind is not None else None


def read_kvm_stat(path: Path) -> KvmStat:
    """Read a table.

    Raises:
        StreamError: no such file; a line that is no part of a table; more than one table, or none; counts that do not
            add up to the total. The message names file and line.
    """
    table = _Table(path)
    number = 0
    for lines in read_lines(path, open_end=True):
        for text in lines:
            number += 1
            table.take(text, f"{path}:{number}")
    return table.whole(f"{path}:{max(number, 1)}")


class _Table:
    """A table while it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kind = ""
        self._rows: list[Exits] = []
        self._handled_us: Decimal | None = None
        self._lost = 0

    def take(self, text: str, where: str) -> None:
        """Take in a line."""
        if not text.strip() or text.startswith("#") or _ABOUT.fullmatch(text):
            return
        head, row, total, lost = (each.fullmatch(text) for each in (_HEAD, _ROW, _TOTAL, _LOST))
        if head is not None:
            if self._kind:
                raise StreamError(f"{where}: a second table; expected one table a file")
            self._kind = head[1]
        elif row is not None and self._kind and self._handled_us is None:
            self._rows.append(Exits(row[1], int(row[2]), Decimal(row[3])))
            if len(self._rows) > MOST_ROWS:
                raise StreamError(f"{where}: more than {MOST_ROWS:,} rows; expected the table of one report")
        elif total is not None and self._kind and self._handled_us is None:
            self._handled_us = Decimal(total[2])
            self._check_total(int(total[1]), where)
        elif lost is not None:
            self._lost += int(lost[1])
        else:
            raise StreamError(f"{where}: {self._expected()}, found {text.strip()[:_SHOWN]!r}")

    def _check_total(self, total: int, where: str) -> None:
        counted = sum(row.samples for row in self._rows)
        if counted != total:
            raise StreamError(
                f"{where}: expected the rows to have the {total:,} samples of the total, found {counted:,}"
            )
        if not counted:
            raise StreamError(f"{where}: the table has no exit")

    def _expected(self) -> str:
        if not self._kind:
            return "expected the table of `perf kvm stat report`, that begins with 'VM-EXIT  Samples  Samples%'"
        return "expected rows of a name, samples, two shares and times in us, and then a total"

    def whole(self, where: str) -> KvmStat:
        """Return the table, if it is whole."""
        if self._handled_us is None:
            raise StreamError(f"{where}: {self._expected()}, found the end of the file")
        return KvmStat(self._path, self._kind, tuple(self._rows), self._handled_us, self._lost)


@dataclass(frozen=True, slots=True)
class KvmStatReport:
    """What became of a table: samples by event kind, without an event and why, and of unknown name."""

    events: dict[str, int]
    without_event: dict[str, int]
    unknown: dict[str, int]
    notes: tuple[str, ...]


def report(stat: KvmStat) -> KvmStatReport:
    """Say what became of each row."""
    events: Counter[str] = Counter()
    without: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    notes = []
    reads = sum(row.samples for row, event in stat.events() if event == CR3_READ)
    for row, event in stat.events():
        if event is None:
            unknown[row.name] += row.samples
        elif event.kind == NONE:
            without[row.name] += row.samples
        else:
            events[BY_CODE[event.kind].name] += row.samples
        if event is not None and not event.sure:
            notes.append(f"{row.samples:,} {row.name} {REASONS[reason_name(row.name)].doubt()}")
    if events["halt"]:
        events["interrupt"] += events["halt"]
        notes.append(f"derived: {events['halt']:,} interrupt (taken to end each halt)")
    flushes = min(reads, events["space_switch"])
    if flushes:
        notes.append(
            f"up to {flushes:,} of {events['space_switch']:,} space_switch may be tlb_flush_all: Linux flushes all by "
            "reading %cr3 and loading it again"
        )
    if events["page_fault"]:
        notes.append(f"{events['page_fault']:,} page_fault: {VMM_FAULTS}")
    if stat.lost:
        notes.append(f"{stat.lost:,} events lost by the recorder, as the table says")
    return KvmStatReport(dict(events.most_common()), dict(without), dict(unknown), tuple(notes))


def computation_ns(stat: KvmStat, duration_ns: int, vcpus: int) -> int:
    """Return how long the guests computed, in nanoseconds: of the time recorded, what exits did not take.

    Raises:
        StreamError: exits took longer than that.
    """
    left = duration_ns * vcpus - int(stat.handled_us * 1000)
    if left < 0:
        raise StreamError(
            f"{stat.path}: exits took {stat.handled_us} us, more than {vcpus} virtual CPUs have in the duration given"
        )
    return left


def workload_text(stat: KvmStat, title: str, computation: int | None) -> str:
    """Return the workload in YAML; ``computation`` is the guest's own, in nanoseconds, None if not known."""
    found = report(stat)
    counts = {name: count for name, count in found.events.items() if count}
    if not counts:
        raise StreamError(f"{stat.path}:1: no row of the table is an event of the guest")
    told = [
        f"# {row.samples:,} {row.name}, {row.each_us} us each under KVM: {_meaning(event)}"
        for row, event in stat.events()
    ]
    computed = (
        f"The guest computed for {Decimal(computation) / 10**9} s in all."
        if computation is not None
        else "How long the guest computed is not told: add user_compute, or see costs alone."
    )
    lines = [
        MARK,
        "document: workload",
        f"title: {json.dumps(title)}",
        f"description: {json.dumps(f'Counts of exits under KVM, in rounds. {computed}')}",
        f"source: {json.dumps(f'perf kvm stat report, {stat.path.name}, SHA-256 {sha256(stat.path)}')}",
        "provenance:",
        *(f"  {key}: {json.dumps(text)}" for key, text in _provenance(stat, counts, computation).items()),
        *told,
        *(f"# note: {note}" for note in found.notes),
        "events:",
        *_program(counts, computation or 0),
    ]
    return "\n".join(lines) + "\n"


def _provenance(stat: KvmStat, counts: dict[str, int], computation: int | None) -> dict[str, str]:
    """Return what the workload says of its source: what that tells nothing of, and what of the events it does tell."""
    others = [] if stat.kind == EXITS else ["other exits"]
    computed = [] if computation is not None else ["the guest's own computation"]
    faults = f"; {WHOSE_FAULTS}" if "page_fault" in counts else ""
    details = ", nor their pages, registers and ports" if stat.kind == EXITS else ""
    return {
        "source": "perf kvm stat report",
        UNTOLD: "; ".join([*computed, *others, NOT_EXITING]),
        LAID_OUT: _ORDER + details + faults,
    }


def _meaning(event: Event | None) -> str:
    if event is None:
        return "not known"
    if event.kind == NONE:
        return "no event" if event.sure else "not told"
    return BY_CODE[event.kind].name


def _program(counts: dict[str, int], computation: int) -> list[str]:
    """Lay events out in rounds, and after them what does not go into rounds evenly."""
    rounds = {name: count // ROUNDS for name, count in counts.items() if count >= ROUNDS}
    rest = {name: count % ROUNDS for name, count in counts.items() if count % ROUNDS}
    each, left = divmod(computation, ROUNDS)
    lines = []
    if rounds or each:
        lines += [f"  - repeat:\n      times: {ROUNDS}\n      events:"]
        lines += [f"        - {step}" for step in _steps(rounds, each)]
    return lines + [f"  - {step}" for step in _steps(rest, left)]


def _steps(counts: dict[str, int], computation: int) -> Sequence[str]:
    steps = [f"user_compute: {computation} ns"] if computation else []
    for name, count in counts.items():
        assert name in BY_NAME
        steps.append(f"halt: {{count: {count}, blocking: false}}" if name == "halt" else f"{name}: {count}")
    return steps
