"""Exports a stream as a table in text, CSV or JSON lines, that the importers of the same names read back exactly.

The same rows come back: ``content_hash`` is equal, and so is the header, which stands in the first line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from simulator.errors import StreamError
from simulator.events import BY_CODE
from simulator.stream import COLUMN, Batch, EventStream
from simulator.workload.exporters.files import whole_file
from simulator.workload.importers.csv_rows import HEADER_MARK
from simulator.workload.importers.jsonl import HEADER_KEY
from simulator.workload.importers.table import VCPU

_KIND_NAMES = np.array([BY_CODE[code].name if code in BY_CODE else "" for code in range(max(BY_CODE) + 1)])


def export_csv(stream: EventStream, path: Path) -> int:
    """Write a stream as CSV; cells that are not told (-1) are left empty. Returns the number of rows."""
    names = _columns(stream)
    _refuse_lines_in_names(stream, path)

    def rows(file: BinaryIO, tables: Iterator[pa.Table]) -> int:
        file.write(f"{HEADER_MARK}{stream.header.to_json()}\n{','.join(names)}\n".encode())
        plain = not any(mark in name for name in stream.header.devices for mark in '",')
        options = pacsv.WriteOptions(include_header=False, quoting_style="none" if plain else "needed")
        count = 0
        for table in tables:
            pacsv.write_csv(table, file, options)
            count += len(table)
        return count

    return _export(stream, path, names, rows)


def export_jsonl(stream: EventStream, path: Path) -> int:
    """Write a stream as JSON lines; cells that are not told (-1) are left out. Returns the number of rows."""

    def rows(file: BinaryIO, tables: Iterator[pa.Table]) -> int:
        file.write(f'{{"{HEADER_KEY}": {stream.header.to_json()}}}\n'.encode())
        count = 0
        for table in tables:
            for row in table.to_pylist():
                told = {name: value for name, value in row.items() if value is not None}
                file.write(json.dumps(told).encode() + b"\n")
            count += len(table)
        return count

    return _export(stream, path, _columns(stream), rows)


def _export(
    stream: EventStream, path: Path, names: list[str], rows: Callable[[BinaryIO, Iterator[pa.Table]], int]
) -> int:
    tables = (
        _table(stream, vcpu, batch, names) for vcpu in range(stream.header.vcpus) for batch in stream.batches(vcpu)
    )
    with whole_file(path) as file:
        return rows(file, tables)


def _columns(stream: EventStream) -> list[str]:
    """Return the names of the columns that any batch has, in the order of the table of columns."""
    used = {name for vcpu in range(stream.header.vcpus) for batch in stream.batches(vcpu) for name in batch.columns}
    return [VCPU, *(name for name in COLUMN if name in used or name == "kind")]


def _table(stream: EventStream, vcpu: int, batch: Batch, names: list[str]) -> pa.Table:
    columns: dict[str, pa.Array] = {VCPU: pa.array(np.full(len(batch), vcpu))}
    for name in names[1:]:
        values = batch.column(name)
        if name == "kind":
            columns[name] = pa.array(_KIND_NAMES[values])
        elif name == "device":
            devices = np.array([*stream.header.devices, ""])
            columns[name] = pa.array(devices[values], mask=values < 0)
        else:
            columns[name] = pa.array(values, mask=values == -1)
    return pa.table(columns)


def _refuse_lines_in_names(stream: EventStream, path: Path) -> None:
    for name in stream.header.devices:
        if "\n" in name or "\r" in name or not name:
            raise StreamError(f"{path}: the device {name!r} cannot be written as CSV, as its name is no single line")
