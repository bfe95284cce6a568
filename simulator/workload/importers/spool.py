"""Rows that wait for the end of a recording: in memory while they are few, then in a temporary file.

What is known of a row only later is kept apart from it (``Later``), so that rows once appended never change.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from struct import Struct
from typing import Any

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.int64]

BUFFER_BYTES = 1 << 23
"""What all rows of a recording may take of memory before the rest goes to the file."""


class Spool:
    """A temporary file, made when it is first needed; it goes when this does."""

    def __init__(self) -> None:
        self._file: Any = None

    def write(self, data: memoryview) -> int:
        """Append bytes; return where they begin."""
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the rows)
            weakref.finalize(self, self._file.close)
        begin = int(self._file.seek(0, 2))
        self._file.write(data)
        return begin

    def read(self, begin: int, size: int) -> bytearray:
        """Return bytes that were written before."""
        assert self._file is not None
        data = bytearray(size)
        self._file.seek(begin)
        self._file.readinto(data)
        return data


class Table:
    """Rows of whole numbers, appended as packed bytes to ``buffer``; all but the last may move to a spool.

    ``spooled`` is the number of those that have moved.
    """

    __slots__ = ("_parts", "_row_bytes", "buffer", "spooled")

    def __init__(self, row_bytes: int) -> None:
        self.buffer = bytearray()
        self._row_bytes = row_bytes
        self.spooled = 0
        self._parts: list[tuple[int, int]] = []

    def spill(self, spool: Spool) -> None:
        """Move all rows but the last, which may still change, to the spool."""
        size = len(self.buffer) - self._row_bytes
        if size <= 0:
            return
        with memoryview(self.buffer) as view:
            self._parts.append((spool.write(view[:size]), size))
        del self.buffer[:size]
        self.spooled += size // self._row_bytes

    def parts(self, spool: Spool) -> Iterator[Matrix]:
        """Give all rows in order, some at a time, one row of the matrix each; they are copies."""
        width = self._row_bytes // 8
        for begin, size in self._parts:
            yield np.frombuffer(spool.read(begin, size), np.int64).reshape(-1, width)
        yield np.frombuffer(bytearray(self.buffer), np.int64).reshape(-1, width)


class Later:
    """What becomes known of rows after they were appended: numbers by row; of two for one row, the later counts."""

    __slots__ = ("_data", "_pack", "_width")

    def __init__(self, width: int) -> None:
        self._data = bytearray()
        self._pack = Struct(f"{width}q").pack
        self._width = width

    def add(self, row: int, *values: int) -> None:
        """Note ``values``, one less than the width, for a row."""
        self._data += self._pack(row, *values)

    def in_order(self) -> Matrix:
        """Return all that was noted by row, the row first; entries of one row stay in the order in which they came."""
        noted = np.frombuffer(self._data, np.int64).reshape(-1, self._width)
        return noted[np.argsort(noted[:, 0], kind="stable")]
