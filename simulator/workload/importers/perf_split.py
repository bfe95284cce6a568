"""Opens a recording and splits it into columns; a large one in a process of its own, which this module is, too."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from simulator.errors import StreamError
from simulator.workload.importers.perf_columns import Block, Columns
from simulator.workload.importers.perf_process import received, splitting
from simulator.workload.importers.text import Progress, read_blocks


def split(
    path: Path, progress: Progress | None = None, splitter: IO[bytes] | None = None
) -> Generator[Block, None, None]:
    """Give the lines of a file, split into columns, by the process behind ``splitter`` if it is there already.

    Raises:
        StreamError: as ``text.read_blocks``.
        RunError: the process that splits has ended before it was done.
    """
    if splitter is not None:
        yield from received(splitter, path, progress)
        return
    with splitting(path) as pipe:
        if pipe is not None:
            yield from received(pipe, path, progress)
        else:
            yield from map(Columns().split, read_blocks(path, progress))


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
