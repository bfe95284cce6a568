"""Streams in Parquet files: a file explains itself, and is read and written a few batches at a time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from simulator.errors import StreamError, did_you_mean
from simulator.stream.columns import COLUMN, COLUMNS, ROWS_PER_BATCH, Array, Batch
from simulator.stream.event_stream import EventStream, check_batch
from simulator.stream.header import FORMAT_VERSION, Header

HEADER_KEY = b"vmmsim"
_NO_HEADER = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
_READ_AHEAD = 2
_CELLS_AT_ONCE = 2**19
"""Where few columns are read, several row groups are read at once, up to so many cells (4 MiB)."""


class ParquetStream:
    """A stream in a Parquet file, read a row group at a time.

    Raises:
        StreamError: the file is missing, truncated, corrupt, or no event stream.
    """

    def __init__(
        self,
        path: Path,
        header: Header,
        rows: int,
        groups: Sequence[Sequence[int]],
        columns: Collection[str],
    ) -> None:
        self.path = path
        self.rows = rows
        self._header = header
        self._groups = groups
        self._columns = columns

    def __getstate__(self) -> dict[str, Any]:
        """Return what goes to another process: the rows stay in their file, whose whole path is told."""
        return {**vars(self), "path": self.path.resolve()}

    @classmethod
    def open(cls, path: Path) -> ParquetStream:
        """Open a file and check its header; rows are read, and checked, as they are asked for."""
        if not path.is_file():
            raise StreamError(f"{path}: no such file")
        try:
            with pq.ParquetFile(path) as file:
                metadata = file.metadata.metadata or {}
                if HEADER_KEY not in metadata:
                    raise StreamError(f"{path}: a Parquet file, but not an event stream: it has no vmmsim header")
                header = Header.from_json(metadata[HEADER_KEY].decode())
                if header.version > FORMAT_VERSION:
                    raise StreamError(
                        f"{path}: format version {header.version}, this vmmsim reads up to {FORMAT_VERSION}"
                    )
                _check_columns(path, file.schema_arrow)
                rows, names = file.metadata.num_rows, set(file.schema_arrow.names) - {"vcpu"}
                groups = _groups_by_vcpu(path, file.metadata, header.vcpus)
        except (pa.ArrowException, OSError, *_NO_HEADER) as error:
            if isinstance(error, StreamError):
                raise
            raise StreamError(
                f"{path}: not a readable event stream, truncated or corrupt ({_first_line(error)})"
            ) from error
        return cls(path, header, rows, groups, names)

    @property
    def header(self) -> Header:
        """What the file says of itself."""
        return self._header

    @property
    def columns(self) -> Collection[str]:
        """The columns that batches have."""
        return self._columns

    def narrowed(self, columns: Collection[str]) -> ParquetStream:
        """Return the stream without the columns that are not named, which are not checked then; see ``Narrowable``."""
        names = [name for name in columns if name in self._columns]
        return ParquetStream(self.path, self._header, self.rows, self._groups, names)

    def batches(self, vcpu: int) -> Iterator[Batch]:
        """Read the rows of one virtual CPU, a row group or a few of them at a time, checking each.

        The next ones are read by other threads while one is at work.
        """
        if not self._groups[vcpu]:
            return
        try:
            metadata, row = pq.read_metadata(self.path), 0
            waiting: deque[Future[Batch]] = deque()
            with ThreadPoolExecutor(_READ_AHEAD, "row groups") as readers:
                for groups in self._at_once(metadata, self._groups[vcpu]):
                    waiting.append(readers.submit(self._read, metadata, vcpu, groups, row))
                    row += sum(metadata.row_group(group).num_rows for group in groups)
                    if len(waiting) > _READ_AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
        except (pa.ArrowException, OSError) as error:
            raise StreamError(f"{self.path}: the rows are truncated or corrupt ({_first_line(error)})") from error

    def _at_once(self, metadata: pq.FileMetaData, groups: Sequence[int]) -> Iterator[list[int]]:
        """Give the row groups of one virtual CPU, those together that are read at once."""
        together: list[int] = []
        cells = 0
        for group in groups:
            more = metadata.row_group(group).num_rows * len(self._columns)
            if together and cells + more > _CELLS_AT_ONCE:
                yield together
                together, cells = [], 0
            together.append(group)
            cells += more
        yield together

    def _read(self, metadata: pq.FileMetaData, vcpu: int, groups: list[int], first_row: int) -> Batch:
        names = [name for name in COLUMN if name in self._columns]
        with pq.ParquetFile(self.path, metadata=metadata, page_checksum_verification=True) as file:
            batch = _batch_from_table(file.read_row_groups(groups, columns=names, use_threads=False))
        check_batch(batch, self._header, f"{self.path}: virtual CPU {vcpu}", first_row)
        return batch


def check_stream_target(path: Path) -> None:
    """Refuse to replace anything but an event stream; worth doing before a long import.

    Raises:
        StreamError: the name does not end in .parquet, or the file exists and is something else.
    """
    if path.suffix != ".parquet":
        raise StreamError(f"{path}: expected a name that ends in .parquet")
    if path.exists():
        try:
            ParquetStream.open(path)
        except StreamError as error:
            raise StreamError(f"{error}; it is not replaced: remove it, or choose another name") from None


def write_parquet(stream: EventStream, path: Path, columns: Iterable[str] = ()) -> None:
    """Write a stream; each row group holds rows of one virtual CPU, which is what lets a reader stream each CPU.

    The same stream gives the same bytes (with the same version of the Parquet library). The file takes its name when it
    is whole. ``columns`` are those that the stream has; if they are not told, it is read once more to find them. One
    batch is written while the next is made.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        _write(stream, partial, set(columns))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _write(stream: EventStream, path: Path, used: set[str]) -> None:
    vcpus = range(stream.header.vcpus)
    used = used or {"kind"} | {name for vcpu in vcpus for batch in stream.batches(vcpu) for name in batch.columns}
    names = [column.name for column in COLUMNS if column.name in used]
    columns = [("vcpu", "int32"), *((name, COLUMN[name].dtype) for name in names)]
    schema = pa.schema([pa.field(name, dtype, nullable=False) for name, dtype in columns])  # empty cells cost time, too
    schema = schema.with_metadata({HEADER_KEY: stream.header.to_json().encode()})
    # read three to four times as fast as plain numbers and zstd; numbers drawn take equal room, recordings up to twice
    options: dict[str, Any] = {
        "compression": "lz4",
        "use_dictionary": ["kind"],
        "column_encoding": dict.fromkeys([name for name in names if name != "kind"], "DELTA_BINARY_PACKED"),
        "write_page_checksum": True,
    }
    with pq.ParquetWriter(path, schema, **options) as writer, ThreadPoolExecutor(1) as beside:
        written: Future[None] | None = None
        for vcpu in vcpus:
            for batch in stream.batches(vcpu):
                arrays = [np.full(len(batch), vcpu, dtype="int32"), *(batch.column(name) for name in names)]
                table = pa.Table.from_arrays(list(map(_arrow, arrays, schema.types)), schema=schema)
                if written is not None:
                    written.result()
                written = beside.submit(writer.write_table, table, row_group_size=ROWS_PER_BATCH)
        if written is not None:
            written.result()


def _arrow(values: Array, of: pa.DataType) -> pa.Array:
    """Return numbers as Arrow holds them; where it can, without ``pa.array``, which loads pandas."""
    if values.dtype != of.to_pandas_dtype():
        return pa.array(values).cast(of)
    return pa.Array.from_buffers(of, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def _check_columns(path: Path, schema: pa.Schema) -> None:
    if "kind" not in schema.names or "vcpu" not in schema.names:
        raise StreamError(
            f"{path}: an event stream needs the columns 'kind' and 'vcpu', found {', '.join(schema.names)}"
        )
    for found in schema:
        if found.name != "vcpu" and found.name not in COLUMN:
            raise StreamError(f"{path}: unknown column '{found.name}'{did_you_mean(found.name, COLUMN)}")
        if not pa.types.is_integer(found.type):
            raise StreamError(f"{path}: column '{found.name}' holds {found.type}, expected whole numbers")


def _groups_by_vcpu(path: Path, metadata: pq.FileMetaData, vcpus: int) -> list[list[int]]:
    """Sort row groups by the one virtual CPU that each holds, by their statistics."""
    position = metadata.schema.names.index("vcpu")
    groups: list[list[int]] = [[] for _ in range(vcpus)]
    for index in range(metadata.num_row_groups):
        statistics = metadata.row_group(index).column(position).statistics
        if statistics is None or statistics.min != statistics.max or not 0 <= statistics.min < vcpus:
            raise StreamError(
                f"{path}: row group {index} does not hold the rows of one virtual CPU of 0 to {vcpus - 1}"
            )
        groups[statistics.min].append(index)
    return groups


def _batch_from_table(table: pa.Table) -> Batch:
    columns = {}
    for name in table.column_names:
        if name == "vcpu":
            continue
        if table[name].null_count:
            raise StreamError(f"column '{name}' has empty cells")
        columns[name] = table[name].cast(COLUMN[name].dtype).combine_chunks().to_numpy(zero_copy_only=False)
    return Batch(columns)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
