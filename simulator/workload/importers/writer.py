"""Writes a stream while it is being read: rows of several virtual CPUs as they come, in memory that does not grow."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simulator.stream import COLUMN, HEADER_KEY, ROWS_PER_BATCH, Array, Batch, Header

_MOST_ROWS_HELD = 8 * ROWS_PER_BATCH
"""When so many rows of all virtual CPUs wait for their row groups to fill, all are written."""


class StreamWriter:
    """A stream's Parquet file while it is written; a row group holds rows of one virtual CPU, in their order.

    Use it in a ``with`` statement and call ``finish``: the file takes its name there, when it is whole, and a file that
    was not finished is removed. ``vcpus`` and ``rows`` count what was added so far.
    """

    def __init__(self, path: Path, columns: tuple[str, ...] = tuple(COLUMN)) -> None:
        self.path = path
        self.vcpus = 0
        self.rows = 0
        self._columns = columns
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        self._schema = pa.schema([("vcpu", pa.int32()), *((name, COLUMN[name].dtype) for name in columns)])
        self._held: dict[int, list[Batch]] = {}
        self._rows_held: dict[int, int] = {}
        self._all_held = 0
        options: dict[str, Any] = {"compression": "zstd", "use_dictionary": False, "write_page_checksum": True}
        self._writer = pq.ParquetWriter(self._partial, self._schema, **options)

    def __enter__(self) -> StreamWriter:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file; remove it if it was not finished."""
        self._writer.close()
        self._partial.unlink(missing_ok=True)

    def add(self, vcpu: int, batch: Batch) -> None:
        """Append rows to a virtual CPU; its number counts from 0, and there is none that it leaves out at the end."""
        self.vcpus = max(self.vcpus, vcpu + 1)
        self.rows += len(batch)
        self._held.setdefault(vcpu, []).append(batch)
        self._rows_held[vcpu] = self._rows_held.get(vcpu, 0) + len(batch)
        self._all_held += len(batch)
        if self._rows_held[vcpu] >= ROWS_PER_BATCH:
            self._write(vcpu)
        elif self._all_held >= _MOST_ROWS_HELD:
            for each in list(self._held):
                self._write(each)

    def finish(self, header: Header) -> None:
        """Write what is left, and the header; give the file its name."""
        for vcpu in sorted(self._held):
            self._write(vcpu)
        self._writer.add_key_value_metadata({HEADER_KEY: header.to_json().encode()})
        self._writer.close()
        self._partial.replace(self.path)

    def _write(self, vcpu: int) -> None:
        """Write the rows held of one virtual CPU as a row group."""
        batches, rows = self._held.pop(vcpu), self._rows_held.pop(vcpu)
        self._all_held -= rows
        columns: Mapping[str, Array] = {
            name: np.concatenate([batch.column(name) for batch in batches]) for name in self._columns
        }
        arrays = [np.full(rows, vcpu, dtype="int32"), *columns.values()]
        table = pa.table(
            [pa.array(values, field.type) for values, field in zip(arrays, self._schema, strict=True)],
            schema=self._schema,
        )
        for first in range(0, rows, ROWS_PER_BATCH):
            self._writer.write_table(table.slice(first, ROWS_PER_BATCH), row_group_size=ROWS_PER_BATCH)
