"""Opens a recording and splits it into columns; a large one in a process of its own, while this one reads the lines.

The process gives blocks through a pipe, each with how much of the file has been read.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from simulator.errors import RunError, StreamError
from simulator.workload.importers.perf_columns import Block, Columns
from simulator.workload.importers.text import Progress, read_blocks

LARGE_BYTES = 1 << 24
"""A file of which starting another process costs less than it saves, as it is on disk."""

_PIPE_BYTES = 1 << 20


def split(path: Path, progress: Progress | None = None) -> Generator[Block, None, None]:
    """Give the lines of a file, split into columns.

    Raises:
        StreamError: as ``text.read_blocks``.
        RunError: the process that splits has ended before it was done.
    """
    if path.is_file() and path.stat().st_size >= LARGE_BYTES and (os.cpu_count() or 1) > 1:
        yield from _split_apart(path, progress)
    else:
        yield from map(Columns().split, read_blocks(path, progress))


def _split_apart(path: Path, progress: Progress | None) -> Iterator[Block]:
    command = [sys.executable, "-m", __name__, str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        bufsize=_PIPE_BYTES,
        pipesize=_PIPE_BYTES,
        env=environment,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            while (message := _receive(process.stdout, path)) is not None:
                block, done, total = message
                yield block
                if progress is not None:
                    progress(done, total)
        finally:
            process.kill()


def _receive(pipe: Any, path: Path) -> tuple[Block, int, int] | None:
    try:
        message = pickle.load(pipe)
    except (EOFError, pickle.UnpicklingError) as error:
        raise RunError(f"{path}: the process that reads it has ended before it was done") from error
    if isinstance(message, StreamError):
        raise message
    received: tuple[Block, int, int] | None = message
    return received


def main() -> None:
    """Split the file named on the command line into standard output: blocks, then None, or the error."""
    path, columns, read = Path(sys.argv[1]), Columns(), (0, 0)

    def told(done: int, total: int) -> None:
        nonlocal read
        read = done, total

    def send(message: Any) -> None:
        pickle.dump(message, sys.stdout.buffer, protocol=pickle.HIGHEST_PROTOCOL)
        sys.stdout.buffer.flush()

    with suppress(BrokenPipeError):
        try:
            for data in read_blocks(path, told):
                send((columns.split(data), *read))
            send(None)
        except StreamError as error:
            send(error)


if __name__ == "__main__":
    main()
