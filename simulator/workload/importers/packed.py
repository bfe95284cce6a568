"""The rows of one virtual CPU, packed as they are made, until there are enough of them for a batch."""

from __future__ import annotations

from struct import Struct
from typing import ClassVar, NamedTuple

import numpy as np

from simulator.stream import COLUMN, Batch


class Row(NamedTuple):
    """One row: the columns that an importer of exits fills."""

    kind: int
    user_ns: int
    kernel_ns: int
    page: int = -1
    number: int = -1
    posts: int = -1
    post_delay_ns: int = 0
    waits: int = -1
    idle_ns: int = 0


_ENOUGH = 4096
"""So many rows make a batch: few, as there may be thousands of virtual CPUs."""


class PackedRows:
    """Rows of nine numbers each; small, and fast to append to."""

    COLUMNS: ClassVar[tuple[str, ...]] = Row._fields
    _ROW: ClassVar[Struct] = Struct(f"{len(Row._fields)}q")

    def __init__(self) -> None:
        self._data = bytearray()

    def append(self, row: Row) -> bool:
        """Append a row; return whether there are enough for a batch."""
        self._data += self._ROW.pack(*row)
        return len(self._data) >= _ENOUGH * self._ROW.size

    def batch(self) -> Batch:
        """Return the rows so far, which are no longer held."""
        matrix = np.frombuffer(bytes(self._data), np.int64).reshape(-1, len(self.COLUMNS))
        self._data.clear()
        columns = zip(self.COLUMNS, matrix.T, strict=True)
        return Batch({name: values.astype(COLUMN[name].dtype) for name, values in columns})
