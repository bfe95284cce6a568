"""A process that splits the lines of a large recording into columns, while this one reads them (``perf_split``).

It gives blocks through a pipe, each with how much of the file has been read. Nothing large is loaded here, so that a
command can start the process first, and load its own half of the importer while the process loads the other.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from simulator.errors import RunError, StreamError

if TYPE_CHECKING:
    from simulator.workload.importers.perf_block import Block

LARGE_BYTES = 1 << 24
"""A file of which starting another process costs less than it saves, as it is on disk."""

FEW_THREADS = {"OPENBLAS_NUM_THREADS": "1"}
"""The environment in which NumPy starts no threads: an importer uses none, and they are a quarter of loading it."""
SPLITTER = "simulator.workload.importers.perf_split"
_PIPE_BYTES = 1 << 20


@contextmanager
def splitting(path: Path) -> Iterator[IO[bytes] | None]:
    """Give the pipe of a process that splits a file; None if the file is small or not there, or the processor alone.

    The process ends with the block that uses it.
    """
    if not (path.is_file() and path.stat().st_size >= LARGE_BYTES and (os.cpu_count() or 1) > 1):
        yield None
        return
    with subprocess.Popen(
        [sys.executable, "-m", SPLITTER, str(path)],
        stdout=subprocess.PIPE,
        bufsize=_PIPE_BYTES,
        pipesize=_PIPE_BYTES,
        env={**os.environ, **FEW_THREADS, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.kill()


def received(pipe: IO[bytes], path: Path, progress: Callable[[int, int], None] | None = None) -> Iterator[Block]:
    """Give the blocks of a file that come through the pipe of the process that splits it.

    Raises:
        StreamError: what the process met in the file.
        RunError: it has ended before it was done.
    """
    while (message := _receive(pipe, path)) is not None:
        block, done, total = message
        yield block
        if progress is not None:
            progress(done, total)


def _receive(pipe: IO[bytes], path: Path) -> tuple[Block, int, int] | None:
    try:
        message = pickle.load(pipe)
    except (EOFError, pickle.UnpicklingError) as error:
        raise RunError(f"{path}: the process that reads it has ended before it was done") from error
    if isinstance(message, StreamError):
        raise message
    block: tuple[Block, int, int] | None = message
    return block
