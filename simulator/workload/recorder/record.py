"""Records a command, or processes that run already, and makes an event stream of it."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from simulator import __version__
from simulator.errors import RunError
from simulator.stream import MemoryStream
from simulator.workload.importers.perf import ImportReport, import_perf
from simulator.workload.importers.text import Progress
from simulator.workload.recorder import others, overhead, processes
from simulator.workload.recorder.awake import kept_awake
from simulator.workload.recorder.counters import counting
from simulator.workload.recorder.kept import IDLE, Kept, Who
from simulator.workload.recorder.overhead import Correction, Method
from simulator.workload.recorder.permissions import available_tracepoints, find_perf
from simulator.workload.recorder.session import Perf
from simulator.workload.recorder.tasks import Program
from simulator.workload.recorder.tracepoints import missing
from simulator.workload.untold import UNTOLD

_TITLE = 80
_MODEL_NAMES = ("model name", "Hardware", "CPU implementer")


@dataclass(frozen=True, slots=True)
class Request:
    """What to record: a command, processes by number, or all CPUs; for at most so many seconds.

    ``method`` finds the cost of a recorded line. ``buffer`` is the memory of perf for each CPU, as perf writes it. More
    than ``most_lost`` of all events lost is too much. ``output`` is where the command's standard output goes, if
    elsewhere than ours. ``keep_awake``: no CPU sleeps meanwhile, for kernels that do not trace its waking.
    """

    command: Sequence[str] = ()
    pids: Sequence[int] = ()
    all_cpus: bool = False
    seconds: float | None = None
    method: Method = Method.PROBE
    buffer: str = "8M"
    most_lost: Fraction = Fraction(1, 1000)
    output: int | None = None
    keep_awake: bool = False


@dataclass(frozen=True, slots=True)
class Recording:
    """A stream, and what is to be known about it.

    ``missing`` are the tracepoints that the kernel lacks, by what a stream is without them. ``checks`` are what the
    kernel counted of the program and what the stream has, by kind of event; ``unchecked`` says why there are none.
    ``waited_ns`` is what was taken off the waits of the program's tasks for others. ``exit_code`` is that of the
    command, 0 if there was none.
    """

    stream: MemoryStream
    report: ImportReport
    kept: Kept
    correction: Correction
    missing: Mapping[str, Sequence[str]]
    checks: Mapping[str, tuple[int, int]]
    unchecked: Mapping[str, str]
    waited_ns: int
    exit_code: int
    interrupted: bool


@dataclass(slots=True)
class _Run:
    """What happened while perf recorded."""

    program: Program
    kernel: set[int]
    exit_code: int
    interrupted: bool
    correction: Correction
    command_ns: int
    counted: Mapping[str, int]
    uncounted: Mapping[str, str]
    missing: Mapping[str, Sequence[str]] = field(default_factory=dict)
    checks: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def record(
    request: Request,
    title: str | None = None,
    about: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Recording:
    """Record what is asked for. ``about`` is added to what the header tells; ``progress`` watches the conversion.

    Raises:
        RecordError: this machine cannot record, or there is no such command or process.
        RunError: perf failed, too many events were lost, or nothing was recorded.
    """
    perf = find_perf()
    tracepoints = available_tracepoints(perf)
    unrecorded_ns = _run_unrecorded(request) if request.method is Method.TWICE and request.command else 0
    with TemporaryDirectory(prefix="vmmsim-record-") as folder:
        session = Perf(perf, tracepoints, Path(folder) / "perf.data", request.buffer)
        without = overhead.probe()
        with session:
            run = _run(session, request, without)
            session.end()
        text = Path(folder) / "perf-script.txt"
        _write_text(text, session, run.program)
        kept = run.program.kept
        _check(kept, request)
        if request.method is Method.TWICE and request.command:
            run.correction = overhead.by_command(unrecorded_ns, run.command_ns, kept.own_lines)
        imported, report = import_perf(text, title or _title(request), None, progress)
        stream = MemoryStream.of(imported)
    run.checks = _checks(run, report)
    run.missing = {group.without: names for group, names in missing(tracepoints)}
    start = min(times[0] for times in kept.times.values())
    idle = {cpu: kept.others.get(cpu, []) + kept.idle.get(cpu, []) for cpu in kept.times}
    stream, waited_ns = others.undelayed(stream, kept.delays, sorted(kept.times), start)
    stream = others.as_idle(stream, idle, sorted(kept.times), start)
    stream, run.correction = overhead.take_off(stream, kept.times, run.correction)
    told = {**_provenance(request, perf, run), "waits_for_others_taken_off_ns": waited_ns, **(about or {})}
    read = {**stream.header.provenance}
    read.pop(UNTOLD, None)  # tracepoints_missing says it better
    header = replace(stream.header, provenance={**read, **told})
    return Recording(
        stream=MemoryStream(header, stream.rows),
        report=report,
        kept=kept,
        correction=run.correction,
        missing=run.missing,
        checks=run.checks,
        waited_ns=waited_ns,
        unchecked=run.uncounted,
        exit_code=run.exit_code,
        interrupted=run.interrupted,
    )


def _run_unrecorded(request: Request) -> int:
    """Run the command once without a recording; return the CPU time that it took, in nanoseconds."""
    before = overhead.cpu_time_of_children()
    processes.start(request.command, request.output).wait()
    return overhead.cpu_time_of_children() - before


def _run(session: Perf, request: Request, without: int) -> _Run:
    """Let perf record the command, or what runs already, until it ends or the user or the clock says so."""
    session.switch(on=True)
    correction = Correction(Method.NONE, 0, "")
    if request.method is not Method.NONE:
        correction = overhead.by_probe(without, overhead.probe())
    kernel = processes.kernel_threads()
    tasks = processes.with_descendants(request.pids)
    before = overhead.cpu_time_of_children()
    with kept_awake(request.keep_awake) as stand_ins, counting() as counters:
        since = time.monotonic_ns()
        command = processes.start(request.command, request.output) if request.command else None
        waited = [command.pid] if command else request.pids
        interrupted = processes.wait_for(waited, request.seconds)
        until = time.monotonic_ns()
        counted = counters.read() if command and not request.pids and not request.all_cpus else {}
        session.switch(on=False)
        exit_code = processes.end_of(command, interrupted) if command else 0
        used = overhead.cpu_time_of_children() - before
    who = Who(
        tasks=None if request.all_cpus else tasks,
        command=command.pid if command else IDLE,
        kernel=kernel | processes.kernel_threads(),
        recorder=(os.getpid(), session.pid),
        stand_ins=stand_ins,
    )
    program = Program(who, (since, until))
    return _Run(program, kernel, exit_code, interrupted, correction, used, counted, counters.why_not)


def _write_text(path: Path, session: Perf, program: Program) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(f"{line}\n" for line in program.lines(session.text()))


def _check(kept: Kept, request: Request) -> None:
    """Refuse a recording with too many events lost, or without any of the program."""
    events = kept.read + kept.lost
    if kept.lost > request.most_lost * events:
        raise RunError(
            f"{kept.lost:,} of {events:,} events were lost ({_percent(kept.lost, events)}), more than "
            f"{_percent(request.most_lost.numerator, request.most_lost.denominator)}: counts and times would mislead. "
            f"Give perf more memory (--buffer, now {request.buffer} for each CPU), record for a shorter time "
            "(--duration), or allow it (--most-lost)"
        )
    if not kept.lines:
        raise RunError(
            f"nothing of the program was recorded, in {kept.read:,} events of the machine: it did not run in that time"
        )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.3g} %"


def _checks(run: _Run, report: ImportReport) -> dict[str, tuple[int, int]]:
    """Return what the kernel counted of the program, and what the stream has, by kind of event.

    The kernel's counter is gone by the time at which a task gives up its CPU for good.
    """
    kept = run.program.kept
    found = {**report.events, "context_switch": kept.switches - kept.ends}
    return {kind: (number, found.get(kind, 0)) for kind, number in run.counted.items()}


def _title(request: Request) -> str:
    if request.command:
        return shlex.join(request.command)[:_TITLE]
    return "all CPUs" if request.all_cpus else "process " + ", ".join(map(str, request.pids))


def _provenance(request: Request, perf: str, run: _Run) -> dict[str, object]:
    """Return what a stream's header tells of how it was made."""
    kept, correction = run.program.kept, run.correction
    version = subprocess.run([perf, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "source": f"vmmsim {__version__} record, {version}",
        "file": "perf-script.txt",
        "command": shlex.join(request.command),
        "recorded": "all CPUs, everybody" if request.all_cpus else "all CPUs, one program; others are idle time",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} CPUs",
        "cpu": _cpu_model(),
        "exit_code": run.exit_code,
        "interrupted": run.interrupted,
        "kept_awake": request.keep_awake,
        "lost_events": kept.lost,
        "others_ns": kept.others_ns,
        "preempted_by_others": kept.preempted,
        "kernel_threads": sorted(run.kernel & run.program.seen),
        "tracepoints_missing": {name: without for without, names in run.missing.items() for name in names},
        "kernel_counted": {kind: counted for kind, (counted, _) in run.checks.items()},
        "overhead": {
            "method": str(correction.method),
            "measured": correction.measured,
            "ns_per_line": correction.ns_per_line,
            "taken_off_ns": correction.taken_ns,
            "clipped_ns": correction.clipped_ns,
        },
    }


def _cpu_model() -> str:
    """Return how the CPU calls itself, and whether a hypervisor runs it."""
    path = Path("/proc/cpuinfo")
    text = path.read_text(errors="replace") if path.is_file() else ""
    entries: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        entries.setdefault(name.strip(), value.strip())
    model = next((entries[name] for name in _MODEL_NAMES if entries.get(name)), platform.processor() or "not known")
    return f"{model}, in a virtual machine" if "hypervisor" in entries.get("flags", "").split() else model
