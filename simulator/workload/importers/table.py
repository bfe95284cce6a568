"""Streams as tables in text, one row a line, as CSV or JSON lines: their columns, and the checks of every value.

A row has the columns of a stream (``simulator.stream.COLUMNS``) by name, and ``vcpu``, the virtual CPU (0 where left
out). ``kind`` is the name of an event kind, ``device`` the name of a device. A column or a cell that is left out stands
for its default. The rows of one virtual CPU stand in the order in which it runs them; those of several may alternate.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.errors import StreamError, did_you_mean
from simulator.events import BY_CODE, BY_NAME
from simulator.stream import COLUMN, FORMAT_VERSION, Array, Batch, Header, exact_sum
from simulator.workload.importers.perf import ImportReport
from simulator.workload.importers.text import sha256
from simulator.workload.importers.writer import StreamWriter

VCPU = "vcpu"
NAMES = (VCPU, *COLUMN)
TEXT = ("kind", "device")
"""The columns that hold names; all others hold whole numbers."""
MOST_VCPUS = 4096
MOST_DEVICES = 32_767
HOST_COSTS = "recording-host/none"
"""The host costs of rows without a header: their gaps hold computation alone, as the columns say."""
TYPES = {name: pa.string() if name in TEXT else pa.int64() for name in NAMES}
_KINDS = pa.array(list(BY_NAME), pa.string())
_CODES = np.array([kind.code for kind in BY_NAME.values()], dtype=COLUMN["kind"].dtype)
_SHOWN = 60


@dataclass(slots=True)
class TableReader:
    """Takes the rows of a file in blocks, checks every value, and hands them to the writer."""

    path: Path
    writer: StreamWriter
    header: Header | None = None
    rows: int = 0
    events: Counter[str] = field(default_factory=Counter)
    devices: list[str] = field(default_factory=list)

    def take_header(self, text: str, line: int) -> None:
        """Read the header that an export has put into the file.

        Raises:
            StreamError: it is no header of a stream.
        """
        try:
            self.header = Header.from_json(text)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StreamError(
                f"{self.path}:{line}: expected the header of a stream as `vmmsim export` writes it ({error!r})"
            ) from error
        if self.header.version > FORMAT_VERSION:
            found = self.header.version
            raise StreamError(f"{self.path}:{line}: expected a format version up to {FORMAT_VERSION}, found {found}")
        if not 1 <= self.header.vcpus <= MOST_VCPUS:
            raise StreamError(f"{self.path}:{line}: expected 1 to {MOST_VCPUS:,} vcpus, found {self.header.vcpus}")
        self.devices = list(self.header.devices)

    def take(self, table: pa.Table, line: int) -> None:
        """Take in some rows, the first of which stands in ``line``; a null is a cell left out.

        Raises:
            StreamError: a value is out of range or unknown; the message names file and line.
        """
        columns = {name: self._numbers(name, table[name], line) for name in table.column_names}
        if "kind" not in columns:
            raise StreamError(f"{self.path}:{line}: expected a 'kind' in every row, found none")
        vcpus = columns.pop(VCPU, np.zeros(len(table), np.int64))
        self._in_range(VCPU, vcpus, line, least=0, most=MOST_VCPUS - 1, about="a virtual CPU")
        if self.header is not None:
            most = self.header.vcpus - 1
            self._in_range(VCPU, vcpus, line, least=0, most=most, about="a virtual CPU that the header has")
        self._count(columns)
        self.rows += len(table)
        for vcpu in np.unique(vcpus).tolist():
            chosen = vcpus == vcpu
            whole = bool(chosen.all())
            self.writer.add(
                vcpu, Batch({name: values if whole else values[chosen] for name, values in columns.items()})
            )

    def _numbers(self, name: str, column: pa.ChunkedArray, line: int) -> Array:
        """Return a column of the stream, with the default where a cell is left out."""
        if name == "kind":
            return self._kinds(column, line)
        if name == "device":
            return self._device_numbers(column, line)
        default = 0 if name == VCPU else COLUMN[name].default
        values: Array = column.fill_null(default).to_numpy()
        if name == VCPU:
            return values
        known = COLUMN[name]
        most = int(np.iinfo(known.dtype).max)
        self._in_range(name, values, line, least=known.least, most=most, about=known.about)
        return values.astype(known.dtype)

    def _kinds(self, column: pa.ChunkedArray, line: int) -> Array:
        places = pc.index_in(column, value_set=_KINDS)
        if places.null_count:
            row = pc.index(pc.is_null(places), value=True).as_py()
            found = column[row].as_py()
            what = "nothing" if found is None else f"'{found[:_SHOWN]}'{did_you_mean(found, BY_NAME)}"
            raise StreamError(f"{self.path}:{line + row}: column 'kind': expected an event kind, found {what}")
        codes: Array = _CODES[places.to_numpy()]
        return codes

    def _device_numbers(self, column: pa.ChunkedArray, line: int) -> Array:
        """Number devices in the order of the header, then in that of their first row."""
        distinct = column.unique().to_pylist()
        self.devices += [name for name in distinct if name is not None and name not in self.devices]
        if len(self.devices) > MOST_DEVICES:
            raise StreamError(f"{self.path}:{line}: more than {MOST_DEVICES:,} devices by here")
        places = pc.index_in(column, value_set=pa.array(self.devices, pa.string()))
        numbers: Array = places.fill_null(-1).to_numpy().astype(COLUMN["device"].dtype)
        return numbers

    def _in_range(self, name: str, values: Array, line: int, *, least: int, most: int, about: str) -> None:
        wrong = (values < least) | (values > most)
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            bounds = f"{least} to {most:,}" if most < np.iinfo(np.int64).max else f"{least} or more"
            raise StreamError(
                f"{self.path}:{line + row}: column '{name}': expected {bounds} ({about}), found {values[row]:,}"
            )

    def _count(self, columns: Mapping[str, Array]) -> None:
        counts = columns.get("count", np.ones(len(columns["kind"]), np.int64))
        for code in np.unique(columns["kind"]).tolist():
            self.events[BY_CODE[code].name] += exact_sum(counts[columns["kind"] == code])

    def finish(
        self, source: str, title: str | None, provenance: Mapping[str, str] | None, lines: int
    ) -> tuple[Header, ImportReport]:
        """Write the stream's header; return it and what became of the lines.

        Raises:
            StreamError: the file has no row.
        """
        if not self.rows:
            raise StreamError(f"{self.path}:{max(lines, 1)}: the file has no row")
        known = self.header or Header(self.path.name.split(".")[0], provenance={"host_costs": HOST_COSTS})
        tells = {"source": source} if self.header is None else {}
        imported = {"file": self.path.name, "sha256": sha256(self.path), "rows": self.rows}
        header = replace(
            known,
            title=title or known.title,
            version=FORMAT_VERSION,
            vcpus=max(known.vcpus, self.writer.vcpus),
            devices=tuple(self.devices),
            provenance={**tells, **known.provenance, f"imported_{source}": imported, **dict(provenance or {})},
        )
        self.writer.finish(header)
        events = dict(sorted(self.events.items(), key=lambda item: (-item[1], item[0])))
        others = {"header": lines - self.rows} if lines > self.rows else {}
        return header, ImportReport(lines, events, {}, {"row": self.rows}, others, {}, None, {}, ())


def check_names(names: Sequence[str], where: str) -> None:
    """Check the names of columns.

    Raises:
        StreamError: one is unknown or stands twice, or there is no ``kind``; the message begins with ``where``.
    """
    for name in names:
        if name not in NAMES:
            raise StreamError(f"{where}: {unknown_column(name)}")
        if names.count(name) > 1:
            raise StreamError(f"{where}: the column '{name}' stands twice")
    if "kind" not in names:
        raise StreamError(f"{where}: expected a column 'kind', found {', '.join(names)}")


def unknown_column(name: str) -> str:
    """Say that there is no such column, and what there is."""
    return f"unknown column '{name[:_SHOWN]}'{did_you_mean(name, NAMES)}; expected columns of {', '.join(NAMES)}"


def first_fault(lines: Sequence[str], number: int, fault: Callable[[str], str | None]) -> Iterator[tuple[int, str]]:
    """Give the lines (by number, the first of them ``number``) that have a fault, each with its message."""
    for line, text in enumerate(lines, number):
        message = fault(text)
        if message is not None:
            yield line, message


def number_fault(name: str, value: object) -> str | None:
    """Say what is wrong with a cell of a column of whole numbers; None if nothing is."""
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return None
    return f"column '{name}': expected a whole number, found {_shown(value)}"


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=repr)
    return f"'{text[:_SHOWN]}'" if isinstance(value, str) else text[:_SHOWN]
