"""Imports the exits of guests under KVM: ``kvm:kvm_exit`` and ``kvm:kvm_entry`` as text of perf or of ftrace.

**Virtual CPUs.** Each host thread that enters a guest is one, in the order in which they first do.

**Time.** From an entry to the next exit the guest computes: in its kernel if it was there both times (the upper half of
the addresses of x86-64, where the lines tell ``rip``), else in user mode. From an exit to the next entry the VMM and
the host serve it; that time is no part of the stream, which is what the guest did by itself. It is kept by reason in
the header's provenance (``exits``). After a halt it is the guest's idle time instead: the halt posts a signal after it,
and the interrupt that ended the halt waits for that. On AMD before Linux 6.5 the line of an exit comes late, after host
interrupts are enabled again, so the guest's computation is too long there.

**Events.** ``kvm_reasons`` says what the guest did by the reason of its exit. Other tracepoints of KVM, where recorded,
tell more: ports (``kvm_pio``), registers (``kvm_msr``, ``kvm_cr``), device memory (``kvm_mmio``, ``kvm_fast_mmio``),
pages of guest memory (``kvm_page_fault``), completions of interrupts (``kvm_eoi``), interrupts (``kvm_inj_virq``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from simulator.errors import StreamError
from simulator.stream import Header
from simulator.workload.importers.kvm_reader import Reader
from simulator.workload.importers.kvm_reasons import NOT_EXITING, REASONS, VMM_FAULTS, WHOSE_FAULTS
from simulator.workload.importers.packed import PackedRows
from simulator.workload.importers.perf import ImportReport
from simulator.workload.importers.text import Progress, read_lines, sha256
from simulator.workload.importers.writer import StreamWriter
from simulator.workload.untold import LAID_OUT, UNTOLD

HOST_COSTS = "recording-host/none"
"""The cost model for what a stream's gaps hold of its events: nothing, since what an exit takes is left out of them."""


def import_kvm(
    path: Path,
    target: Path,
    title: str | None = None,
    provenance: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> tuple[Header, ImportReport]:
    """Read a trace of exits, write its stream to ``target``; return the header and what became of each line.

    ``title`` is the stream's (the file's name by default), ``provenance`` is added to what the file itself tells, and
    ``progress`` is told the bytes read so far and all of them.

    Raises:
        StreamError: no such file; cut in the middle of a line; packed data truncated or corrupt; time runs backward;
            more than one line in a hundred unreadable; no exit in it. The message names file and line.
    """
    with StreamWriter(target, PackedRows.COLUMNS) as writer:
        reader = Reader(path, writer)
        for lines in read_lines(path, progress):
            reader.read(lines)
        _refuse(reader)
        reader.finish()
        exits = {
            name: {"exits": n, "served": reader.served[name], "host_ns": reader.host_ns[name]}
            for name, n in reader.exits.most_common()
        }
        header = Header(
            title=title or path.name.split(".")[0],
            vcpus=len(reader.vcpus),
            recorded_ns=reader.latest - reader.start,
            provenance={
                "source": "exits under KVM",
                UNTOLD: NOT_EXITING,
                **({LAID_OUT: WHOSE_FAULTS} if reader.events["page_fault"] else {}),
                "file": path.name,
                "sha256": sha256(path),
                "lines": reader.lines,
                "host_costs": HOST_COSTS,
                "vcpus": {str(vcpu.number): f"{vcpu.comm} (thread {vcpu.tid})" for vcpu in reader.vcpus.values()},
                "exits": exits,
                **dict(provenance or {}),
            },
        )
        writer.finish(header)
    return header, _report(reader)


def _refuse(reader: Reader) -> None:
    """Refuse a file with more than one unreadable line in a hundred, and one without an event."""
    reader.unreadable.refuse(
        reader.path,
        reader.lines,
        "the text of `perf script -F comm,pid,tid,cpu,time,event,trace`, of `trace-cmd report`, or of the `trace` "
        "file, with kvm_exit and kvm_entry",
    )
    if not any(count for name, count in reader.exits.items() if name in REASONS):
        raise StreamError(
            f"{reader.path}:{max(reader.lines, 1)}: the file has no kvm_exit line with a known reason; record with "
            "-e kvm:kvm_exit -e kvm:kvm_entry on the host"
        )


def _report(reader: Reader) -> ImportReport:
    halts = reader.derived["interrupt"]
    ended = "taken to end each halt for which no kvm_inj_virq line tells of one"
    notes = [f"derived: {halts:,} interrupt ({ended})"] if halts else []
    numbers = {
        "exits or entries without the other before them: the time between is left out": reader.unpaired,
        "events lost by the recorder, as the file says": reader.lost,
        "lines with times in microseconds: shorter stretches are rounded": reader.imprecise,
    }
    notes += [f"{count:,} {text}" for text, count in numbers.items() if count]
    for name, count in sorted(reader.unsure.items()):
        notes.append(f"{count:,} exits {name} that no number or line of detail explains, {REASONS[name].doubt()}")
    if reader.events["page_fault"]:
        notes.append(f"{reader.events['page_fault']:,} page_fault: {VMM_FAULTS}")
    return ImportReport(
        lines=reader.lines,
        events=dict(reader.events.most_common()),
        derived={name: count for name, count in reader.derived.items() if count},
        with_event=dict(reader.with_event),
        without_event=dict(reader.without_event),
        unknown={**reader.unknown, **reader.unreadable.counted()},
        first_unreadable_line=reader.unreadable.first,
        waits={"halt": reader.signals} if reader.signals else {},
        notes=(*notes, *reader.unreadable.notes()),
    )
