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
from simulator.stream import EventStream, check_batch
from simulator.workload.importers.perf import ImportReport, import_perf
from simulator.workload.importers.text import read_blocks

from .mutate import case

SECONDS = 10
DATA = Path(__file__).parent.parent / "data"


@dataclass(frozen=True, slots=True)
class Format:
    """One importer, and the samples in tests/data (a pattern of their names) that are damaged for it."""

    samples: str
    read: Callable[[Path], tuple[EventStream, ImportReport]]


FORMATS: dict[str, Format] = {
    "perf": Format("*.perf-script.txt", import_perf),
}


class HangError(AssertionError):
    """An import that takes longer than any file of this size can."""


@cache
def _samples(pattern: str) -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in sorted(DATA.glob(pattern)))


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
