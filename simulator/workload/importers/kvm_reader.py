"""Reads a trace of exits line by line: who is in the guest since when, and the rows that the exits make."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from simulator.errors import StreamError
from simulator.events import BY_CODE, HALT, INTERRUPT
from simulator.workload.importers.kvm_details import DETAILS
from simulator.workload.importers.kvm_reasons import (
    CR3_READ,
    NONE,
    REASONS,
    SPACE_SWITCH,
    TLB_FLUSH_ALL,
    Event,
    Info,
    reason_name,
)
from simulator.workload.importers.packed import PackedRows, Row
from simulator.workload.importers.perf_text import Memo
from simulator.workload.importers.trace_text import Line, ftrace_parser, lost_events, perf_parser
from simulator.workload.importers.unreadable import Unreadable
from simulator.workload.importers.writer import StreamWriter

_HALF = 1 << 63  # the addresses of the kernel have this bit

_EXIT = re.compile(
    r"(?:vcpu (?P<vcpu>\d{1,9}) )?reason (?P<reason>.{1,64}?)(?: rip (?P<rip>0x[0-9a-f]{1,16}))?"
    r"(?: info1 0x(?P<info1>[0-9a-f]{1,16}) info2 0x(?P<info2>[0-9a-f]{1,16})| info (?P<old1>[0-9a-f]{1,16}) "
    r"(?P<old2>[0-9a-f]{1,16}))?(?: intr_info 0x(?P<interrupt>[0-9a-f]{1,8}))?(?: error_code .*)?(?: vcpu \d+)?\s*$"
)
_ENTRY = re.compile(r"vcpu (?P<vcpu>\d{1,9})(?:, rip (?P<rip>0x[0-9a-f]{1,16}))?")
_VIRQ = re.compile(r"(?:IRQ |irq |Soft/INTn )(0x[0-9a-f]{1,2}|\d{1,3})\b")


@dataclass(slots=True, eq=False)
class Vcpu:
    """One virtual CPU while its trace is read.

    ``entered`` is when it last entered the guest, -1 while it is out of it, and ``rip`` where, -1 if not told;
    ``exited`` the time and the reason of the exit before, if any; ``user`` and ``kernel`` are computation since the
    last row, and ``pending`` is the event of the exit, to which lines of detail may add. ``read_cr3`` is whether the
    exit before read %cr3, and ``at_once`` whether this one followed it with no instruction in between.
    """

    number: int
    comm: str
    tid: int
    entered: int = -1
    rip: int = -1
    exited: tuple[int, str] | None = None
    user: int = 0
    kernel: int = 0
    pending: Event | None = None
    reason: str = ""
    read_cr3: bool = False
    at_once: bool = False
    interrupts: list[int] = field(default_factory=list)
    rows: PackedRows = field(default_factory=PackedRows)


class Reader:
    """Reads the lines of a trace in order, and hands rows to the writer."""

    def __init__(self, path: Path, writer: StreamWriter) -> None:
        self.path = path
        self.lines = 0
        self.start = self.latest = -1
        self.vcpus: dict[int, Vcpu] = {}
        self.exits: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self.host_ns: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self.derived: Counter[str] = Counter()
        self.with_event: Counter[str] = Counter()
        self.without_event: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.unsure: Counter[str] = Counter()
        self.lost = self.unpaired = self.signals = self.imprecise = 0
        self.unreadable = Unreadable()
        self._writer = writer
        self._parsers = perf_parser(), ftrace_parser()
        self._reason_names = Memo(reason_name)

    def read(self, lines: list[str]) -> None:
        """Read some lines, without their newlines.

        Raises:
            StreamError: time runs backward for a virtual CPU.
        """
        for number, text in enumerate(lines, self.lines + 1):
            line = self._parsers[0].parse(text) or self._other(text)
            if line is None:
                self._no_event_line(number, text)
                continue
            self.imprecise += not line.precise
            if self.start < 0:
                self.start = line.time
            self.latest = max(self.latest, line.time)
            try:
                self._line(line, number)
            except ValueError as error:
                if isinstance(error, StreamError):
                    raise
                self.unreadable.add(number, text)
        self.lines += len(lines)

    def _other(self, text: str) -> Line | None:
        """Read a line in the other of the two ways, and keep to that way from now on."""
        line = self._parsers[1].parse(text)
        if line is not None:
            self._parsers = self._parsers[::-1]
        return line

    def _no_event_line(self, number: int, text: str) -> None:
        lost = lost_events(text)
        if lost is not None:
            self.lost += lost
            self.without_event["lost events"] += 1
        elif not text.strip() or text.startswith(("#", "cpus=")):
            self.without_event["comment"] += 1
        else:
            self.unreadable.add(number, text)

    def _line(self, line: Line, number: int) -> None:
        if line.event == "kvm_entry":
            self._enter(line, number)
        elif line.event == "kvm_exit":
            self._exit(line, number)
        elif not line.event.startswith(("kvm_", "vcpu_")):
            self.unknown[line.event] += 1
        else:
            self._detail(line)

    def _enter(self, line: Line, number: int) -> None:
        match = _ENTRY.match(line.fields)
        if match is None:
            raise ValueError(line.fields)
        vcpu = self.vcpus.get(line.tid)
        if vcpu is None:
            vcpu = self.vcpus[line.tid] = Vcpu(len(self.vcpus), line.comm, line.tid)
        if vcpu.exited is not None:
            exited, reason = vcpu.exited
            self._forward(number, line, vcpu, exited)
            self.served[reason] += 1
            self.host_ns[reason] += line.time - exited
            self._end_exit(vcpu, line.time - exited)
        elif vcpu.entered >= 0:
            self.unpaired += 1
            vcpu.read_cr3 = False
            self._forward(number, line, vcpu, vcpu.entered)
        vcpu.entered, vcpu.exited = line.time, None
        vcpu.rip = _rip(match)
        self.without_event["kvm_entry"] += 1

    def _exit(self, line: Line, number: int) -> None:
        match = _EXIT.match(line.fields)
        if match is None:
            raise ValueError(line.fields)
        vcpu = self.vcpus.get(line.tid)
        if vcpu is None:
            vcpu = self.vcpus[line.tid] = Vcpu(len(self.vcpus), line.comm, line.tid)
        if vcpu.entered >= 0:
            self._forward(number, line, vcpu, vcpu.entered)
            rip = _rip(match)
            vcpu.at_once = rip == vcpu.rip or -1 in (rip, vcpu.rip)
            if min(rip, vcpu.rip) >= _HALF:
                vcpu.kernel += line.time - vcpu.entered
            else:
                vcpu.user += line.time - vcpu.entered
        else:
            self.unpaired += 1
            if vcpu.exited is not None:
                self._forward(number, line, vcpu, vcpu.exited[0])
                self._end_exit(vcpu, 0)
            vcpu.at_once = False
        name = self._reason_names[match["reason"]]
        vcpu.entered, vcpu.exited = -1, (line.time, name)
        self.exits[name] += 1
        reason = REASONS.get(name)
        if reason is None:
            self.unknown[f"exit reason {match['reason'].strip()}"] += 1
            return
        vcpu.reason = name
        vcpu.pending = reason.read(_info(match))

    def _end_exit(self, vcpu: Vcpu, host_ns: int) -> None:
        """Append what the exit and the lines after it told; the guest goes on, or wakes from a halt."""
        event = _resolved(vcpu)
        vcpu.read_cr3 = event == CR3_READ
        halted = -1
        if event is not None:
            line = f"kvm_exit {vcpu.reason}"
            if not event.sure:
                self.unsure[vcpu.reason] += 1
            if event.kind == NONE:
                self.without_event[line] += 1
            else:
                self.with_event[line] += 1
                if event.kind == HALT:
                    self.signals += 1
                    halted = self.signals
                posts = (halted, host_ns) if halted >= 0 else (-1, 0)
                self._append(vcpu, Row(event.kind, vcpu.user, vcpu.kernel, event.page, event.number, *posts))
                vcpu.user = vcpu.kernel = 0
            vcpu.pending = None
        if halted >= 0 and not vcpu.interrupts:
            self.derived["interrupt"] += 1
            vcpu.interrupts.append(-1)
        for vector in vcpu.interrupts:
            idle = host_ns if halted >= 0 else 0
            self._append(vcpu, Row(INTERRUPT, vcpu.user, vcpu.kernel, -1, vector, waits=halted, idle_ns=idle))
            vcpu.user = vcpu.kernel = 0
            halted = -1
        vcpu.interrupts.clear()

    def _append(self, vcpu: Vcpu, row: Row) -> None:
        self.events[BY_CODE[row.kind].name] += 1
        if vcpu.rows.append(row):
            self._writer.add(vcpu.number, vcpu.rows.batch())

    def _detail(self, line: Line) -> None:
        """Read a line of another tracepoint of KVM, that of an exit's detail or of an interrupt."""
        vcpu = self.vcpus.get(line.tid)
        if line.event == "kvm_inj_virq":
            match = _VIRQ.match(line.fields)
            if match is None:
                raise ValueError(line.fields)
            if vcpu is not None and vcpu.exited is not None and not line.fields.endswith("[reinjected]"):
                vcpu.interrupts.append(int(match[1], 0))
                self.with_event[line.event] += 1
            else:
                self.without_event[line.event] += 1
            return
        detail = DETAILS.get(line.event)
        if detail is not None and vcpu is not None and vcpu.pending is not None:
            vcpu.pending = detail(vcpu.pending, line.fields) or vcpu.pending
        self.without_event[line.event] += 1

    def _forward(self, number: int, line: Line, vcpu: Vcpu, since: int) -> None:
        if line.time < since:
            raise StreamError(
                f"{self.path}:{number}: time runs backward on virtual CPU {vcpu.number} (thread {vcpu.tid}): "
                f"{_seconds(line.time)} s after {_seconds(since)} s"
            )

    def finish(self) -> None:
        """Append what is pending at the end of the file; a halt that did not end by then is a halt and nothing more."""
        for vcpu in self.vcpus.values():
            event = _resolved(vcpu)
            if event is not None and event.kind != NONE:
                self.with_event[f"kvm_exit {vcpu.reason}"] += 1
                self._append(vcpu, Row(event.kind, vcpu.user, vcpu.kernel, event.page, event.number))
            elif event is not None:
                self.without_event[f"kvm_exit {vcpu.reason}"] += 1
            for vector in vcpu.interrupts:
                self._append(vcpu, Row(INTERRUPT, 0, 0, -1, vector))
            self._writer.add(vcpu.number, vcpu.rows.batch())


def _resolved(vcpu: Vcpu) -> Event | None:
    """Return the event of the exit after all lines of it: reading %cr3 and loading it again at once flushes the TLB."""
    event = vcpu.pending
    if event is not None and event.kind == SPACE_SWITCH and vcpu.read_cr3 and vcpu.at_once:
        return event._replace(kind=TLB_FLUSH_ALL)
    return event


def _rip(match: re.Match[str]) -> int:
    return int(match["rip"], 16) if match["rip"] else -1


def _info(match: re.Match[str]) -> Info:
    first, second = match["info1"] or match["old1"], match["info2"] or match["old2"]
    return Info(*(int(text, 16) if text else None for text in (first, second, match["interrupt"])))


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"
