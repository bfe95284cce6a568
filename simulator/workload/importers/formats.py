"""What every importer that writes its stream as it reads is: one signature for the command line and the fuzzer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from simulator.stream import Header
from simulator.workload.importers.perf import ImportReport
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
