"""What the importers have in common: one way to call them, for the command line and for those who test them all.

Some know each row when they have read its line, and write it at once (``Importer``). Others know it only at the end of
the file, and return the stream (``Reading``); ``written`` makes the first of the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from pathlib import Path
from typing import Protocol

from simulator.stream import EventStream, Header, write_parquet
from simulator.workload.importers.perf import ImportReport
from simulator.workload.importers.settle import COLUMNS
from simulator.workload.importers.text import Progress


class Importer(Protocol):
    """Reads ``path``, writes the stream to ``target``; returns its header and what became of each line.

    Raises:
        StreamError: the file is not what it should be; the message names file, line, what was expected and found.
    """

    def __call__(
        self,
        path: Path,
        target: Path,
        title: str | None = None,
        provenance: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> tuple[Header, ImportReport]:
        """Import a recording."""


class Reading(Protocol):
    """Reads ``path``; returns the stream and what became of each line.

    Raises:
        StreamError: as ``Importer``.
    """

    def __call__(
        self,
        path: Path,
        title: str | None = None,
        provenance: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> tuple[EventStream, ImportReport]:
        """Read a recording."""


def written(reading: Reading) -> Importer:
    """Return what reads a recording and writes its stream."""

    @wraps(reading)
    def importer(
        path: Path,
        target: Path,
        title: str | None = None,
        provenance: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> tuple[Header, ImportReport]:
        stream, report = reading(path, title, provenance, progress)
        write_parquet(stream, target, COLUMNS)
        return stream.header, report

    return importer
