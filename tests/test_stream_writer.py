"""A stream that is written while it is read is the stream that was read, and no file is left of one that was not whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import K, batch, stream

from simulator.stream import Header, ParquetStream, content_hash
from simulator.workload.importers import writer
from simulator.workload.importers.writer import StreamWriter


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), max_size=30), st.integers(1, 12), st.integers(1, 30))
def test_rows_come_back_in_order_however_they_were_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: list[tuple[int, int]], per_group: int, held: int
) -> None:
    monkeypatch.setattr(writer, "ROWS_PER_BATCH", per_group)
    monkeypatch.setattr(writer, "_MOST_ROWS_HELD", held)
    rows: list[list[dict[str, int]]] = [[] for _ in range(4)]
    with StreamWriter(tmp_path / "s.parquet") as target:
        for number, (vcpu, count) in enumerate(parts):
            part = [{"kind": K["syscall"], "user_ns": 100 * number + each} for each in range(count)]
            rows[vcpu] += part
            target.add(vcpu, batch(part))
        target.finish(Header("a title", vcpus=4))
    back = ParquetStream.open(tmp_path / "s.parquet")
    assert content_hash(back) == content_hash(stream(*rows))
    assert back.header.title == "a title"
    assert [path.name for path in tmp_path.iterdir()] == ["s.parquet"]


def test_what_is_not_finished_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "s.parquet").write_text("an earlier file")
    with pytest.raises(KeyError), StreamWriter(tmp_path / "s.parquet") as target:
        target.add(0, batch([{"kind": K["syscall"]}]))
        raise KeyError
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("s.parquet", "an earlier file")]
