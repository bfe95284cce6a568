"""Imports streams from CSV, as ``vmmsim export`` writes them, or as anyone may.

The first line names the columns (``table``). Before it may stand lines that begin with ``#``, of which one that
``vmmsim export`` writes, ``# vmmsim`` and the stream's header as JSON, is read.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv

from simulator.errors import StreamError
from simulator.stream import Header
from simulator.workload.importers.perf import ImportReport
from simulator.workload.importers.table import TEXT, TYPES, TableReader, check_names, first_fault, number_fault
from simulator.workload.importers.text import Progress, read_blocks
from simulator.workload.importers.writer import StreamWriter

HEADER_MARK = "# vmmsim "
_NUMBER = re.compile(r"\s*(?:(-?\d{1,19})|0[xX]([0-9a-fA-F]{1,16}))\s*")


def import_csv(
    path: Path,
    target: Path,
    title: str | None = None,
    provenance: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> tuple[Header, ImportReport]:
    """Read rows, write their stream to ``target``; return its header and what became of the lines.

    Raises:
        StreamError: no such file; cut in the middle of a line; packed data truncated or corrupt; a column unknown or
            missing; a value that is none of its column. The message names file and line.
    """
    with StreamWriter(target) as writer:
        reader = TableReader(path, writer)
        names: list[str] = []
        lines = 0
        for block in read_blocks(path, progress, open_end=True):
            rest = block
            while rest and not names:
                text, _, rest = rest.partition(b"\n")
                lines += 1
                names = _first_line(reader, text.decode("utf-8", errors="backslashreplace"), lines)
            if rest:
                reader.take(_table(path, rest, names, lines + 1), lines + 1)
                lines += rest.count(b"\n")
        return reader.finish("csv", title, provenance, lines)


def _first_line(reader: TableReader, text: str, line: int) -> list[str]:
    """Read a line before the rows: return the names of the columns, none if it is a comment."""
    if text.startswith(HEADER_MARK):
        reader.take_header(text.removeprefix(HEADER_MARK), line)
        return []
    if text.startswith("#"):
        return []
    where = f"{reader.path}:{line}"
    try:
        names = [name.strip() for name in next(csv.reader([text], strict=True), [])]
    except csv.Error as error:
        raise StreamError(f"{where}: expected the names of columns ({error})") from error
    check_names(names, where)
    return names


def _table(path: Path, block: bytes, names: Sequence[str], line: int) -> pa.Table:
    """Read rows as columns; the first stands in ``line``."""
    try:
        return pacsv.read_csv(
            pa.BufferReader(block),
            pacsv.ReadOptions(column_names=names, block_size=len(block) + 1, use_threads=False),
            pacsv.ParseOptions(ignore_empty_lines=False),
            pacsv.ConvertOptions(
                column_types={name: TYPES[name] for name in names}, null_values=[""], strings_can_be_null=True
            ),
        )
    except pa.ArrowInvalid as error:
        lines = block.decode("utf-8", errors="backslashreplace").removesuffix("\n").split("\n")
        for number, message in first_fault(lines, line, lambda text: _fault(text, names)):
            raise StreamError(f"{path}:{number}: {message}") from error
        raise StreamError(f"{path}:{line}: these rows, or one soon after, cannot be read ({error})") from error


def _fault(text: str, names: Sequence[str]) -> str | None:
    """Say what is wrong with a line; None if nothing is."""
    try:
        cells = next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        return f"expected comma-separated cells ({error})"
    if len(cells) != len(names):
        return f"expected {len(names)} cells ({', '.join(names)}), found {len(cells)}"
    for name, cell in zip(names, cells, strict=True):
        if name not in TEXT and cell:
            message = number_fault(name, _number(cell))
            if message is not None:
                return message
    return None


def _number(cell: str) -> int | str:
    """Return the number in a cell, as pyarrow reads it; the cell itself if it is none."""
    match = _NUMBER.fullmatch(cell)
    if match is None:
        return cell
    return int(match[1]) if match[1] else int(match[2], 16)
