"""The columnar event stream: what a workload is to the engines, in memory and as Parquet.

A stream gives, for each virtual CPU, batches of rows in the order in which that CPU runs them. A row is one event, or
``count`` alike in a row. Before its event a row may compute (``user_ns``, ``kernel_ns``), and before that wait for a
*signal* which another row posts. Signals carry the causes of a recording: who woke whom, which request ended which
wait. A reader holds a few batches per virtual CPU at a time, so memory does not grow with the stream.

The order within one row is: compute, wait for the signal, the event, post the signal, block.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from simulator.errors import StreamError, did_you_mean
from simulator.events import BY_CODE
from simulator.units import MOST_NANOSECONDS

FORMAT_VERSION = 1
HEADER_KEY = b"vmmsim"
_NO_HEADER = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
ROWS_PER_BATCH = 65_536
_READ_AHEAD = 2
_CELLS_AT_ONCE = 2**19
"""Where few columns are read, several row groups are read at once, up to so many cells (4 MiB)."""

Array = npt.NDArray[Any]

AS_RECORDED, ASYNCHRONOUS, BLOCKING = 0, 1, 2
"""Values of ``completion``: the times are in the recording, so the row just goes on; a request goes to the machine's
device and interrupts when done; the virtual CPU waits for the request, or after a halt for the next interrupt."""

START_SIGNAL = 0
"""The signal that is posted when the run begins: waits for it with a latency are waits until a moment of the run."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, the value that an absent column stands for, the least value allowed, and its meaning."""

    name: str
    dtype: str
    default: int
    least: int
    about: str


# fmt: off
COLUMNS: tuple[Column, ...] = (
    Column("kind", "int16", 0, 1, "code of the event kind"),
    Column("count", "int64", 1, 1, "how many events alike in a row"),
    Column("user_ns", "int64", 0, 0, "user computation before the event, native, nanoseconds"),
    Column("kernel_ns", "int64", 0, 0, "kernel computation before the event, native, nanoseconds"),
    Column("idle_ns", "int64", 0, 0, "idle time before the event as recorded, nanoseconds; not replayed"),
    Column("task", "int32", -1, -1, "task that is running; for context_switch and wake: the task switched to or woken"),
    Column("space", "int64", -1, -1, "address space"),
    Column("page", "int64", -1, -1, "virtual page number (address / 4096); of several, the first"),
    Column("site", "int64", -1, -1, "code address of the instruction"),
    Column("size", "int64", -1, -1, "bytes of a request, or instructions of a piece of code"),
    Column("device", "int16", -1, -1, "index into the header's list of devices"),
    Column("number", "int64", -1, -1, "number of the system call, port, register or vector"),
    Column("completion", "int8", 0, 0, "how a request or halt ends: 0 as recorded, 1 asynchronously, 2 it blocks"),
    Column("waits", "int64", -1, -1, "signal awaited before the event; 0 is the start of the run"),
    Column("wait_latency_ns", "int64", 0, 0, "time from the awaited signal to the event, nanoseconds"),
    Column("posts", "int64", -1, -1, "signal posted when the event has been served"),
    Column("post_delay_ns", "int64", 0, 0, "time from the end of the event to the posted signal, nanoseconds"),
)
# fmt: on
COLUMN: dict[str, Column] = {column.name: column for column in COLUMNS}


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one virtual CPU, as columns of equal length; an absent column stands for its default."""

    columns: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.columns["kind"])

    def column(self, name: str) -> Array:
        """Return a column, filled with its default if absent."""
        if name in self.columns:
            return self.columns[name]
        return np.full(len(self), COLUMN[name].default, dtype=COLUMN[name].dtype)

    def cell(self, name: str, row: int) -> int:
        """Return one cell, or the column's default if the column is absent."""
        return int(self.columns[name][row]) if name in self.columns else COLUMN[name].default

    def total(self, name: str) -> int:
        """Return the sum of a column, exact however large it is."""
        return exact_sum(self.columns[name]) if name in self.columns else len(self) * COLUMN[name].default

    def gaps(self) -> Array:
        """Return the recorded time before each row, computation and idle time, in nanoseconds."""
        gaps: Array = self.column("user_ns") + self.column("kernel_ns") + self.column("idle_ns")
        return gaps

    def part(self, first: int, end: int) -> Batch:
        """Return the rows from ``first`` on, up to and without ``end``."""
        return Batch({name: values[first:end] for name, values in self.columns.items()})


@dataclass(frozen=True, slots=True)
class Header:
    """What a stream says of itself.

    ``recorded_ns`` is the wall time of the recording (0 for synthetic streams), ``provenance`` says where and how it
    was made, ``history`` what was done with it since (``workload.history``), ``tasks`` names tasks by number,
    ``devices`` are the names that the column ``device`` indexes.
    """

    title: str
    vcpus: int = 1
    recorded_ns: int = 0
    devices: tuple[str, ...] = ()
    tasks: Mapping[int, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    version: int = FORMAT_VERSION
    history: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> str:
        """Return the header as JSON, with the dictionaries of event kinds and columns: a file explains itself."""
        document = asdict(self)
        document["tasks"] = {str(number): name for number, name in sorted(self.tasks.items())}
        document["clock"] = "1 GHz: durations are whole nanoseconds"
        document["kinds"] = {str(code): kind.name for code, kind in BY_CODE.items()}
        document["columns"] = {column.name: column.about for column in COLUMNS}
        return json.dumps(document)

    @classmethod
    def from_json(cls, text: str) -> Header:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: the text is something else.
        """
        document = json.loads(text)
        if not 0 <= int(document["recorded_ns"]) <= MOST_NANOSECONDS:
            raise ValueError(f"recorded_ns is {document['recorded_ns']}, expected 0 to 10^16")
        return cls(
            title=str(document["title"]),
            vcpus=int(document["vcpus"]),
            recorded_ns=int(document["recorded_ns"]),
            devices=tuple(map(str, document["devices"])),
            tasks={int(number): str(name) for number, name in document["tasks"].items()},
            provenance=dict(document["provenance"]),
            version=int(document["version"]),
            history=_checked_history(document.get("history", ())),
        )


def _checked_history(entries: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Return a history if its entries have what ``workload.history`` says."""
    for entry in entries:
        str(entry["operation"]), str(entry["tool"]), dict(entry["parameters"])
        for source in entry["inputs"]:
            str(source["title"]), str(source["content_sha256"]), dict(source.get("provenance", {}))
            _checked_history(source.get("history", ()))
    return tuple(map(dict, entries))


def exact_sum(values: Array) -> int:
    """Return the sum of whole numbers, exact however large it is."""
    if not len(values):
        return 0
    fits = max(abs(int(values.max())), abs(int(values.min()))) <= (2**63 - 1) // len(values)
    return int(values.sum()) if fits else sum(values.tolist())


class EventStream(Protocol):
    """What engines read: a header, and batches of rows for each virtual CPU, as often as asked."""

    @property
    def header(self) -> Header:
        """What the stream says of itself."""

    def batches(self, vcpu: int) -> Iterator[Batch]:
        """Give the rows of one virtual CPU, in order, from the beginning."""


@runtime_checkable
class Narrowable(EventStream, Protocol):
    """A stream that can leave out columns that nobody needs."""

    @property
    def columns(self) -> Collection[str]:
        """The columns that batches have."""

    def narrowed(self, columns: Collection[str]) -> EventStream:
        """Return the stream without the columns that are not named, which then take no time to read."""


@dataclass(frozen=True, slots=True)
class MemoryStream:
    """A stream held in memory: a sequence of batches for each virtual CPU."""

    header: Header
    rows: Sequence[Sequence[Batch]]

    @classmethod
    def of(cls, stream: EventStream) -> MemoryStream:
        """Hold another stream in memory."""
        return cls(stream.header, [list(stream.batches(vcpu)) for vcpu in range(stream.header.vcpus)])

    def batches(self, vcpu: int) -> Iterator[Batch]:
        """Give the rows of one virtual CPU, in order."""
        return iter(self.rows[vcpu])


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
    schema = pa.schema([("vcpu", pa.int32()), *((name, COLUMN[name].dtype) for name in names)])
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
                table = pa.table(list(map(pa.array, arrays)), schema=schema)
                if written is not None:
                    written.result()
                written = beside.submit(writer.write_table, table, row_group_size=ROWS_PER_BATCH)
        if written is not None:
            written.result()


def content_hash(stream: EventStream) -> str:
    """Return a SHA-256 over the rows alone: the same rows give the same hash however they are cut into batches."""
    total = hashlib.sha256()
    for vcpu in range(stream.header.vcpus):
        parts = {column.name: hashlib.sha256() for column in COLUMNS}
        for batch in stream.batches(vcpu):
            for column in COLUMNS:
                parts[column.name].update(np.ascontiguousarray(batch.column(column.name), dtype=column.dtype).tobytes())
        for column in COLUMNS:
            total.update(parts[column.name].digest())
    return total.hexdigest()


def check_batch(batch: Batch, header: Header, where: str, first_row: int = 0) -> None:
    """Check every value of a batch against the table of columns.

    Raises:
        StreamError: names the row (from 0), the column, the value and what was expected.
    """
    for name, values in batch.columns.items():
        column = COLUMN[name]
        if int(values.min(initial=column.least)) < column.least:
            row = int(np.argmax(values < column.least))
            raise StreamError(
                f"{where}, row {first_row + row}, column '{name}': {int(values[row])} is out of range, "
                f"expected {column.least} or more ({column.about})"
            )
    for name, known, expected in (
        ("kind", range(1, max(BY_CODE) + 1), "the code of an event kind of this version"),
        ("device", range(-1, len(header.devices)), f"one of the header's {len(header.devices)} devices"),
    ):
        values = batch.columns.get(name, np.zeros(0, dtype="int16"))
        if int(values.max(initial=known.start)) >= known.stop:
            row = int(np.argmax(values >= known.stop))
            raise StreamError(f"{where}, row {first_row + row}, column '{name}': {int(values[row])} is not {expected}")


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
