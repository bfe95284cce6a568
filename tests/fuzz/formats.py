"""The importers that are fuzzed, and what must hold of each of them. To add one is one line in ``FORMATS``."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from types import FrameType

from simulator.errors import InputError
from simulator.spec.build import load_workload
from simulator.stream import EventStream, ParquetStream, check_batch
from simulator.workload.importers.csv_rows import import_csv
from simulator.workload.importers.formats import Importer
from simulator.workload.importers.ftrace import import_ftrace
from simulator.workload.importers.jsonl import import_jsonl
from simulator.workload.importers.kvm import import_kvm
from simulator.workload.importers.kvm_stat import read_kvm_stat, report, workload_text
from simulator.workload.importers.perf import ImportReport, import_perf
from simulator.workload.importers.strace import import_strace
from simulator.workload.importers.text import read_blocks

from .mutate import case

SECONDS = 10
DATA = Path(__file__).parent.parent / "data"
SAMPLES = Path(__file__).parent.parent / "samples"


@dataclass(frozen=True, slots=True)
class Format:
    """One importer, and the samples in tests/data or tests/samples (a pattern) that are damaged for it."""

    samples: str
    read: Callable[[Path], tuple[EventStream, ImportReport]]


def _stored(importer: Importer) -> Callable[[Path], tuple[EventStream, ImportReport]]:
    """Return an importer that writes its stream as one that returns it."""

    def read(path: Path) -> tuple[EventStream, ImportReport]:
        target = path.with_suffix(".parquet")
        _, report = importer(path, target)
        return ParquetStream.open(target), report

    return read


def _kvm_stat(path: Path) -> tuple[EventStream, ImportReport]:
    """Import a table of exits, and load the workload that it becomes; all of its lines count as one table."""
    target = path.with_suffix(".yaml")
    stat = read_kvm_stat(path)
    target.write_text(workload_text(stat, "a case", None))
    _, workload, _ = load_workload(target)
    lines = sum(block.count(b"\n") for block in read_blocks(path, open_end=True))
    return workload.stream, ImportReport(lines, report(stat).events, {}, {"table": lines}, {}, {}, None, {}, ())


FORMATS: dict[str, Format] = {
    "perf": Format("*.perf-script.txt", import_perf),
    "ftrace": Format("spin.[ft]*.txt", import_ftrace),
    "strace": Format("*.strace*.txt", import_strace),
    "kvm": Format("kvm-*.*.txt", _stored(import_kvm)),
    "perf-kvm-stat": Format("kvm-stat-*.txt", _kvm_stat),
    "csv": Format("*.csv", _stored(import_csv)),
    "jsonl": Format("*.jsonl", _stored(import_jsonl)),
}


class HangError(AssertionError):
    """An import that takes longer than any file of this size can."""


@cache
def _samples(pattern: str) -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in (*sorted(DATA.glob(pattern)), *sorted(SAMPLES.glob(pattern))))


def data_of(name: str, seed: int, number: int) -> bytes:
    """Return the bytes of one case."""
    draw = Random(f"{name} {seed} {number}")
    return case(draw.choice(_samples(FORMATS[name].samples)), draw)


def run(name: str, path: Path, data: bytes) -> str:
    """Import damaged data, written to ``path``; return how it ended: ``imported`` or ``refused``.

    Raises:
        AssertionError: a law is broken. Any other exception than InputError: the importer crashed.
    """
    path.write_bytes(data)
    with _limited():
        try:
            stream, report = FORMATS[name].read(path)
        except InputError as error:
            assert str(error).startswith(str(path)), f"the message does not name the file: {error}"
            return "refused"
        counted = sum(sum(lines.values()) for lines in (report.with_event, report.without_event, report.unknown))
        assert counted == report.lines, f"{report.lines} lines, {counted} of them accounted for"
        lines = sum(block.count(b"\n") for block in read_blocks(path, open_end=True))
        assert report.lines == lines, f"{lines} lines, {report.lines} of them read"
        events = 0
        for vcpu in range(stream.header.vcpus):
            for batch in stream.batches(vcpu):
                check_batch(batch, stream.header, str(path))
                events += sum(batch.column("count").tolist())
        assert events == sum(report.events.values())
    return "imported"


@contextmanager
def _limited() -> Iterator[None]:
    def refuse(_signal: int, _frame: FrameType | None) -> None:
        raise HangError(f"no end after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, refuse)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
