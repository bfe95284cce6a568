from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import K, batch, stream

from simulator.errors import StreamError
from simulator.events import BY_CODE, KINDS
from simulator.stream import (
    COLUMNS,
    Header,
    ParquetStream,
    StreamHash,
    check_batch,
    content_hash,
    header_hash,
    write_parquet,
)

ROWS = [{"kind": K["syscall"], "number": 39, "user_ns": 5}, {"kind": K["pte_set"], "count": 3, "space": 2, "page": 77}]


def test_codes_are_unique_and_never_change() -> None:
    """Codes stand in files: this list may only grow at its end."""
    names = [kind.name for kind in KINDS]
    assert [kind.code for kind in KINDS] == list(range(1, len(KINDS) + 1))
    assert len(set(names)) == len(names)
    assert names[:6] == ["user_compute", "kernel_compute", "syscall", "port_in", "port_out", "mmio_read"]
    assert names[12:16] == ["pte_modify", "pte_clear", "pte_set", "space_switch"]
    assert names[28:31] == ["new_code", "first_touch", "wake"]


def test_columns_of_kinds_exist() -> None:
    assert {column for kind in KINDS for column in kind.columns} <= {column.name for column in COLUMNS}


def written(tmp_path: Path, *vcpus: list[dict[str, int]]) -> Path:
    path = tmp_path / "stream.parquet"
    write_parquet(stream(*vcpus, devices=["disk"]), path)
    return path


def test_a_stream_survives_parquet(tmp_path: Path) -> None:
    path = written(tmp_path, ROWS, [{"kind": K["halt"]}])
    again = ParquetStream.open(path)
    assert again.header == stream(ROWS, ROWS, devices=["disk"]).header
    assert again.rows == 3
    (first,) = again.batches(0)
    assert first.column("page").tolist() == [-1, 77]
    assert first.column("count").tolist() == [1, 3]
    assert [batch.columns["kind"].tolist() for batch in again.batches(1)] == [[K["halt"]]]


def test_the_file_explains_itself(tmp_path: Path) -> None:
    header = json.loads(pq.read_schema(written(tmp_path, ROWS)).metadata[b"vmmsim"])
    assert header["version"] == 1
    assert header["kinds"] == {str(code): kind.name for code, kind in BY_CODE.items()}
    assert header["clock"].startswith("1 GHz")


def test_the_same_stream_gives_the_same_bytes(tmp_path: Path) -> None:
    first = written(tmp_path, ROWS).read_bytes()
    assert written(tmp_path, ROWS).read_bytes() == first


@settings(deadline=None)
@given(st.lists(st.integers(0, 30)), st.lists(st.sampled_from(ROWS), min_size=1, max_size=30))
def test_the_content_hash_knows_rows_and_not_batches(cuts: list[int], rows: list[dict[str, int]]) -> None:
    whole = content_hash(stream(rows))
    assert content_hash(stream(rows, cuts=cuts)) == whole
    changed = [*rows[:-1], {**rows[-1], "count": 99}]
    assert content_hash(stream(changed)) != whole
    assert content_hash(stream([*rows, rows[0]])) != whole


def test_a_stream_is_told_from_one_of_equal_rows() -> None:
    """By all of the header that an outcome may hang on, and by nothing else."""
    plain = Header("plain", vcpus=2, recorded_ns=7, devices=("fast", "slow"), tasks={1: "cc"})
    same = replace(plain, title="other", tasks={1: "ld"}, provenance={"tool": "perf"}, history=({},))
    others = [
        replace(plain, vcpus=3),
        replace(plain, recorded_ns=8),
        replace(plain, devices=("slow", "fast")),
        replace(plain, devices=("fast",)),
    ]
    assert header_hash(same) == header_hash(plain)
    assert header_hash(plain) not in map(header_hash, others)
    two = [replace(stream(ROWS), header=replace(plain, vcpus=1, devices=each)) for each in (("a", "b"), ("b", "a"))]
    first, second = map(StreamHash.of, two)
    assert first.rows == second.rows == content_hash(two[0])
    assert first != second


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"kind": 99}, "row 11, column 'kind': 99 is not the code of an event kind"),
        ({"kind": 0}, "row 11, column 'kind': 0 is out of range"),
        ({"kind": 3, "count": 0}, "row 11, column 'count': 0 is out of range, expected 1 or more"),
        ({"kind": 3, "user_ns": -4}, "row 11, column 'user_ns': -4 is out of range"),
        ({"kind": 27, "device": 1}, "row 11, column 'device': 1 is not one of the header's 1 devices"),
    ],
)
def test_validation_names_row_and_column(row: dict[str, int], message: str) -> None:
    with pytest.raises(StreamError, match=message):
        check_batch(batch([ROWS[0], row]), Header("t", devices=("disk",)), "here", first_row=10)


def test_files_that_are_no_event_streams(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(StreamError, match="not an event stream"):
        ParquetStream.open(path)
    path.write_bytes(b"")
    with pytest.raises(StreamError, match="truncated or corrupt"):
        ParquetStream.open(path)
    with pytest.raises(StreamError, match="no such file"):
        ParquetStream.open(tmp_path / "none.parquet")


def read_all(path: Path) -> None:
    opened = ParquetStream.open(path)
    for vcpu in range(opened.header.vcpus):
        for _ in opened.batches(vcpu):
            pass


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    whole = written(tmp_path, ROWS * 50).read_bytes()
    path = tmp_path / "cut.parquet"
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(StreamError):
            read_all(path)


def test_a_flipped_bit_is_refused_or_harmless(tmp_path: Path) -> None:
    """Nothing but a StreamError comes out of a corrupt file, and what is read is either refused or unchanged."""
    path = written(tmp_path, ROWS * 50)
    whole = path.read_bytes()
    original = content_hash(ParquetStream.open(path))
    random = np.random.default_rng(5)
    refused = 0
    for position in random.integers(4, len(whole) * 3 // 4, 150):
        broken = bytearray(whole)
        broken[position] ^= 1 << int(random.integers(8))
        path.write_bytes(bytes(broken))
        try:
            read_all(path)
            assert content_hash(ParquetStream.open(path)) == original
        except StreamError:
            refused += 1
    assert refused > 50


def test_unknown_columns_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, ROWS)
    table = pq.read_table(path)
    renamed = table.rename_columns([name.replace("user_ns", "user_nz") for name in table.column_names])
    pq.write_table(renamed.replace_schema_metadata(table.schema.metadata), path)
    with pytest.raises(StreamError, match=r"unknown column 'user_nz' \(did you mean 'user_ns'"):
        ParquetStream.open(path)


def rewritten(path: Path, table: pa.Table, **header: object) -> None:
    """Write a table as an event stream of one row group, with other values in its header."""
    metadata = json.loads(table.schema.metadata[b"vmmsim"]) | header
    pq.write_table(table.replace_schema_metadata({b"vmmsim": json.dumps(metadata).encode()}), path)


def test_a_newer_format_is_named_before_its_columns(tmp_path: Path) -> None:
    path = written(tmp_path, ROWS)
    table = pq.read_table(path)
    rewritten(path, table.append_column("newer", pa.array([1, 2])), version=2)
    with pytest.raises(StreamError, match="format version 2, this vmmsim reads up to 1"):
        ParquetStream.open(path)


def test_values_that_do_not_fit_their_column_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, ROWS)
    table = pq.read_table(path)
    wide = table.set_column(table.column_names.index("kind"), "kind", pa.array([3, 65_536 + 3]))
    rewritten(path, wide)
    with pytest.raises(StreamError, match="65539"):
        read_all(path)


@pytest.mark.parametrize(
    "header",
    [
        {"recorded_ns": -1},
        {"recorded_ns": 10**17},
        {"history": [{"operation": "cut"}]},
        {"history": [{"operation": "mix", "tool": "t", "parameters": {}, "inputs": ["a"]}]},
        {"history": 3},
    ],
)
def test_headers_that_say_what_cannot_be_are_refused(tmp_path: Path, header: dict[str, object]) -> None:
    path = written(tmp_path, ROWS)
    rewritten(path, pq.read_table(path), **header)
    with pytest.raises(StreamError, match="not a readable event stream"):
        ParquetStream.open(path)


def test_a_header_without_a_history_is_read_as_ever(tmp_path: Path) -> None:
    path = written(tmp_path, ROWS)
    table = pq.read_table(path)
    metadata = json.loads(table.schema.metadata[b"vmmsim"])
    assert metadata.pop("history") == []
    pq.write_table(table.replace_schema_metadata({b"vmmsim": json.dumps(metadata).encode()}), path)
    assert ParquetStream.open(path).header.history == ()


@pytest.mark.parametrize("vcpus", [[0, 7], [7, 7], [-1, -1]])
def test_row_groups_hold_one_virtual_cpu_of_those_there_are(tmp_path: Path, vcpus: list[int]) -> None:
    path = written(tmp_path, ROWS)
    table = pq.read_table(path)
    rewritten(path, table.set_column(table.column_names.index("vcpu"), "vcpu", pa.array(vcpus, pa.int32())))
    with pytest.raises(StreamError, match="row group 0 does not hold the rows of one virtual CPU of 0 to 0"):
        ParquetStream.open(path)


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    broken = stream([{"kind": 3, "count": 2**40}])
    broken.rows[0][0].columns["count"].dtype = np.dtype("float64")  # type: ignore[misc]
    with pytest.raises((pa.ArrowException, ValueError)):
        write_parquet(broken, tmp_path / "x.parquet")
    assert list(tmp_path.iterdir()) == []
