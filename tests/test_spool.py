"""Rows in memory and in a file, what is noted of them later, and how little memory a long recording takes."""

from __future__ import annotations

import gc
import re
import tracemalloc
from functools import partial
from pathlib import Path
from struct import pack

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.workload.importers import perf_reader, text
from simulator.workload.importers.perf import import_perf
from simulator.workload.importers.spool import Later, Spool, Table

SAMPLE = Path(__file__).parent / "data" / "forkwait-middle.perf-script.txt"
PARENT = 2965


@settings(deadline=None)
@given(rows=st.lists(st.tuples(*[st.integers(-(2**63), 2**63 - 1)] * 2)), spills=st.sets(st.integers(0, 20)))
def test_rows_come_back_in_order_however_often_they_moved(rows: list[tuple[int, int]], spills: set[int]) -> None:
    table, spool = Table(16), Spool()
    for number, row in enumerate(rows):
        table.buffer += pack("2q", *row)
        if number in spills:
            table.spill(spool)
            assert len(table.buffer) == 16, "the last row may still change"
    for _ in range(2):
        assert np.concatenate(list(table.parts(spool))).tolist() == list(map(list, rows))


def test_of_what_is_noted_of_one_row_the_last_comes_last() -> None:
    later = Later(2)
    for row, value in ((7, 1), (3, 2), (7, 3), (3, 4)):
        later.add(row, value)
    assert later.in_order().tolist() == [[3, 2], [3, 4], [7, 1], [7, 3]]
    assert Later(3).in_order().shape == (0, 3)


def whole_iterations() -> list[str]:
    """Return the lines of a sample in which each child is forked and ends: from one return to the parent to another."""
    lines = SAMPLE.read_text(encoding="utf-8").splitlines(keepends=True)
    ends = [number for number, line in enumerate(lines) if "prev_state=Z" in line]
    own = [number for number, line in enumerate(lines) if f" {PARENT}/{PARENT} " in line]
    first, last = (next(number for number in own if number > end) for end in (ends[0], ends[-1]))
    return lines[first:last]


def again(lines: list[str], times: int) -> str:
    """Return them several times over: later each time, and with other children of the one parent."""
    told = re.compile(r"(\d+)/(\d+)(\s+\[\d+\]\s+)(\d+)(\.\d{9}:)|(?<=pid=)(\d+)")

    def later(pid: str, turn: int) -> str:
        return str(int(pid) + 100 * turn if int(pid) > PARENT else pid)

    def other(match: re.Match[str], turn: int) -> str:
        pid, tid, cpu, seconds, ns, named = match.groups()
        return later(named, turn) if named else f"{later(pid, turn)}/{later(tid, turn)}{cpu}{int(seconds) + turn}{ns}"

    return "".join(told.sub(partial(other, turn=turn), line) for turn in range(times) for line in lines)


def test_memory_does_not_grow_with_the_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times as many forks, exits and waits."""
    monkeypatch.setattr(text, "BLOCK_BYTES", 40_000)
    monkeypatch.setattr(perf_reader, "BUFFER_BYTES", 40_000)
    lines = whole_iterations()
    least, path = [], tmp_path / "recording.txt"
    import_perf(SAMPLE)
    for times in (10, 100):
        path.write_text(again(lines, times), encoding="utf-8")
        least.append(min(peak_of_import(path, times * len(lines)) for _ in range(3)))  # garbage comes and goes
    assert least[1] < 1.5 * least[0]


def peak_of_import(path: Path, lines: int) -> int:
    """The most bytes that an import held at once."""
    gc.collect()
    tracemalloc.start()
    _, report = import_perf(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.lines == lines
    assert not report.unknown
    return peak
