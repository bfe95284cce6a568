"""Imports a perf.data file: ``perf script`` itself turns it into text, which is read as it comes, through a pipe."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from simulator.errors import InputError, StreamError
from simulator.workload.importers.perf import ImportReport, import_blocks
from simulator.workload.importers.perf_columns import Columns
from simulator.workload.importers.settle import Recording
from simulator.workload.importers.text import BLOCK_BYTES, whole_lines

FIELDS = "comm,pid,tid,cpu,time,event,trace"
MAGICS = (b"PERFILE2", b"2ELIFREP")
"""The first bytes of a perf.data file, as written by a machine of either byte order."""

_INSTALL = "linux-perf on Debian, linux-tools-$(uname -r) on Ubuntu, perf on Fedora and Arch"
_NOISE = " Ignoring."  # 'trace' not valid for hardware events. Ignoring.


def import_perf_data(
    path: Path, title: str | None = None, provenance: Mapping[str, str] | None = None
) -> tuple[Recording, ImportReport]:
    """Read a perf.data file; return its event stream and what became of each line of its text.

    What ``perf script`` warns of, such as lost events, is among the report's notes.

    Raises:
        InputError: ``perf`` is not installed.
        StreamError: no such file, or none of perf's; ``perf script`` fails, with its own message; and as
            ``import_perf``, with the line of perf's text.
    """
    if not path.is_file():
        raise StreamError(f"{path}: no such file")
    with path.open("rb") as file:
        if file.read(len(MAGICS[0])) not in MAGICS:
            raise StreamError(
                f"{path}: not a file of `perf record`, which begins with {MAGICS[0].decode()}; "
                "for the text of `perf script` there is `vmmsim import perf`"
            )
    perf = shutil.which("perf")
    if perf is None:
        raise InputError(f"{path}: `perf` is not on the PATH, and it alone reads its files; install {_INSTALL}")
    warnings: list[str] = []
    with closing(_script(perf, path, warnings)) as chunks:
        blocks = map(Columns().split, whole_lines(chunks, f"{path}, text of perf script"))
        recording, report = import_blocks(blocks, path, title, provenance)
    return recording, replace(report, notes=(*report.notes, *(f"perf script: {line}" for line in warnings)))


def _script(perf: str, path: Path, warnings: list[str]) -> Generator[bytes, None, None]:
    """Give what ``perf script`` writes, in pieces; add its warnings when it is done."""
    command = [perf, "script", "--ns", "-F", FIELDS, "-i", str(path.absolute())]
    environment = {**os.environ, "LC_ALL": "C"}
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environment
        ) as process,
    ):
        assert process.stdout is not None
        try:
            while data := process.stdout.read(BLOCK_BYTES):
                yield data
            code = process.wait()
        finally:
            process.kill()
        errors.seek(0)
        said = errors.read().decode("utf-8", errors="backslashreplace").splitlines()
        said = [line.strip() for line in said if line.strip() and not line.endswith(_NOISE)]
        if code:
            raise StreamError(f"{path}: `perf script` failed with exit code {code}: {'; '.join(said) or 'no message'}")
        warnings += said
