"""Opens a recording and splits it into columns; as a program, for another process (``perf_process``)."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from simulator.errors import StreamError
from simulator.workload.importers.perf_block import Block
from simulator.workload.importers.perf_columns import Columns
from simulator.workload.importers.text import Progress, read_blocks


def split(path: Path, progress: Progress | None = None) -> Iterator[Block]:
    """Give the lines of a file, split into columns.

    Raises:
        StreamError: as ``text.read_blocks``.
    """
    return map(Columns().split, read_blocks(path, progress))


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
