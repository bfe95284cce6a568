"""Imports streams from JSON lines: one object a row, with the columns of a stream by name (``table``).

The first line may be the stream's header, as ``vmmsim export`` writes it: an object with the one key ``vmmsim``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.json as pajson

from simulator.errors import StreamError
from simulator.stream import Header
from simulator.workload.importers.perf import ImportReport
from simulator.workload.importers.table import (
    NAMES,
    TEXT,
    TYPES,
    TableReader,
    first_fault,
    number_fault,
    unknown_column,
)
from simulator.workload.importers.text import Progress, read_blocks
from simulator.workload.importers.writer import StreamWriter

HEADER_KEY = "vmmsim"
_HEADER_BEGIN = b'{"vmmsim":'
_SCHEMA = pa.schema(list(TYPES.items()))
_SHOWN = 60


def import_jsonl(
    path: Path,
    target: Path,
    title: str | None = None,
    provenance: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> tuple[Header, ImportReport]:
    """Read rows, write their stream to ``target``; return its header and what became of the lines.

    Raises:
        StreamError: no such file; cut in the middle of a line; packed data truncated or corrupt; a line that is no
            object; a key that is no column; a value that is none of its column. The message names file and line.
    """
    with StreamWriter(target) as writer:
        reader = TableReader(path, writer)
        lines = 0
        for block in read_blocks(path, progress, open_end=True):
            rest = block
            if not lines and rest.replace(b" ", b"")[: len(_HEADER_BEGIN)] == _HEADER_BEGIN:
                text, _, rest = rest.partition(b"\n")
                lines = 1
                reader.take_header(_header(path, text), 1)
            if rest:
                reader.take(_table(path, rest, lines + 1), lines + 1)
                lines += rest.count(b"\n")
        return reader.finish("jsonl", title, provenance, lines)


def _header(path: Path, text: bytes) -> str:
    try:
        return json.dumps(json.loads(text)[HEADER_KEY])
    except (ValueError, KeyError, RecursionError) as error:
        raise StreamError(f"{path}:1: expected the header of a stream as JSON ({error!r})") from error


def _table(path: Path, block: bytes, line: int) -> pa.Table:
    """Read rows as columns; the first stands in ``line``."""
    fault: Exception | None = None
    try:
        block.decode("utf-8")  # which pyarrow does not look at
    except UnicodeDecodeError as error:
        number = line + block[: error.start].count(b"\n")
        found = block[error.start]
        raise StreamError(f"{path}:{number}: expected text in UTF-8, found the byte {found:#04x}") from error
    try:
        table = pajson.read_json(
            pa.BufferReader(block),
            pajson.ReadOptions(block_size=len(block) + 1, use_threads=False),
            pajson.ParseOptions(explicit_schema=_SCHEMA, unexpected_field_behavior="error"),
        )
        if len(table) == block.count(b"\n"):
            return table.drop_columns([name for name in NAMES if table[name].null_count == len(table)])
    except pa.ArrowInvalid as error:
        fault = error
    lines = block.decode("utf-8", errors="backslashreplace").removesuffix("\n").split("\n")
    for number, message in first_fault(lines, line, _fault):
        raise StreamError(f"{path}:{number}: {message}") from fault
    raise StreamError(f"{path}:{line}: these rows, or one soon after, cannot be read ({fault})") from fault


def _fault(text: str) -> str | None:
    """Say what is wrong with a line; None if nothing is."""
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"expected a JSON object ({error}), found '{text[:_SHOWN]}'"
    if not isinstance(row, dict):
        return f"expected a JSON object, found '{text[:_SHOWN]}'"
    for name, value in row.items():
        if name not in NAMES:
            return unknown_column(name)
        if value is None:
            continue
        if name in TEXT and not isinstance(value, str):
            return f"column '{name}': expected a name, found '{json.dumps(value)[:_SHOWN]}'"
        message = None if name in TEXT else number_fault(name, value)
        if message is not None:
            return message
    return None
