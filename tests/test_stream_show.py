"""What `vmmsim show` tells of a recording: numbers against plain sums over its rows, and the same in bars and a plot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plot_texts import assert_apart
from support import K, stream

from simulator.errors import InputError, StreamError
from simulator.events import BY_CODE, COMPUTE_KINDS, KINDS
from simulator.report.plots import style
from simulator.report.plots.timeline import PARTS, timeline, write_timeline
from simulator.report.streams import COLUMNS, merged, sparkline, stream_view, timeline_text
from simulator.spec.library import root
from simulator.stream import MemoryStream, ParquetStream
from simulator.workload.summary import BINS, GROUPS, MODES, Summary

Row = Mapping[str, int]


def recording(
    *vcpus: Sequence[Row], length: int | None = None, tasks: Mapping[int, str] | None = None, cuts: Sequence[int] = ()
) -> MemoryStream:
    made = stream(*vcpus, devices=["disk", "net"], cuts=cuts)
    longest = max(sum(row.get(mode, 0) for row in rows for mode in MODES) for rows in vcpus)
    return replace(made, header=replace(made.header, recorded_ns=length or longest or 1, tasks=tasks or {}))


_KINDS = ["syscall", "page_fault", "pte_set", "space_destroy", "disk_request", "user_compute", "interrupt"]
rows = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from([K[name] for name in _KINDS]),
            "count": st.integers(1, 5) | st.just(2**62),
            "space": st.integers(-1, 3),
            "device": st.integers(-1, 1),
            "size": st.integers(-1, 10),
            **dict.fromkeys(MODES, st.integers(0, 10) | st.integers(0, 3000)),
        }
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(rows, min_size=1, max_size=3), st.lists(st.integers(0, 20)))
def test_every_number_is_a_plain_sum_over_the_rows(vcpus: list[list[dict[str, int]]], cuts: list[int]) -> None:
    summary = Summary.of(recording(*vcpus, cuts=cuts))
    every = [row for rows in vcpus for row in rows]
    events = [row for row in every if row["kind"] not in COMPUTE_KINDS]
    expected: Counter[str] = Counter()
    for row in events:
        expected[BY_CODE[row["kind"]].name] += row["count"]
    assert summary.events == expected
    assert summary.rows == len(every)
    for cpu, rows in zip(summary.cpus, vcpus, strict=True):
        assert {mode: cpu.times[mode] for mode in MODES} == {mode: sum(row[mode] for row in rows) for mode in MODES}
    for number, space in summary.spaces.items():
        mine = [row for row in every if row["space"] == number]
        of = {name: sum(row["count"] for row in mine if row["kind"] == K[name]) for name in _KINDS}
        assert space.events == sum(row["count"] for row in mine)
        assert (space.page_faults, space.page_table_writes) == (of["page_fault"], of["pte_set"])
        assert space.torn_down == of["space_destroy"]
    for index, name in enumerate(("disk", "net")):
        requests = [row for row in every if row["device"] == index and row["kind"] == K["disk_request"]]
        assert summary.devices[name].bytes == sum(max(row["size"], 0) * row["count"] for row in requests)


@settings(max_examples=200, deadline=None)
@given(st.lists(rows, min_size=1, max_size=3), st.lists(st.integers(0, 20)))
def test_a_timeline_adds_up(vcpus: list[list[dict[str, int]]], cuts: list[int]) -> None:
    summary = Summary.of(recording(*vcpus, cuts=cuts))
    over_time = summary.timeline
    assert over_time is not None
    assert {name: sum(parts) for name, parts in over_time.by_name().items()} == summary.events
    assert {mode: sum(over_time.times[mode].tolist()) for mode in MODES} == summary.times
    lengths = over_time.edges[1:] - over_time.edges[:-1]
    assert (sum(over_time.times.values()) <= lengths * len(vcpus)).all(), "no part holds more time than it is long"
    assert over_time.beyond_ns <= 0


def test_events_and_time_fall_where_they_happened() -> None:
    rows = [
        {"kind": K["syscall"]},
        {"kind": K["page_fault"], "kernel_ns": 1000, "user_ns": 1000, "idle_ns": 400},
    ]
    over_time = Summary.of(recording(rows)).timeline
    assert over_time is not None
    assert over_time.group("syscalls") == [1] + [0] * (BINS - 1)
    assert over_time.group("faults") == [0] * (BINS - 1) + [1], "the last moment is in the last part"
    assert over_time.times["kernel_ns"].tolist() == [10] * 100 + [0] * 140
    assert over_time.times["user_ns"].tolist() == [0] * 100 + [10] * 100 + [0] * 40
    assert over_time.times["idle_ns"].tolist() == [0] * 200 + [10] * 40


def test_rows_beyond_the_recorded_time_are_said() -> None:
    summary = Summary.of(recording([{"kind": K["syscall"], "user_ns": 700}], length=500))
    assert "warning: the rows reach 200 ns beyond the recorded time" in str(stream_view("t", "", summary).parts[0])
    with pytest.raises(StreamError, match="more than 10\\^16 ns"):
        Summary.of(recording([{"kind": K["syscall"], "user_ns": 2**62}], length=500))


def test_each_kind_of_event_is_in_one_group() -> None:
    grouped = Counter(name for names in GROUPS.values() for name in names)
    assert grouped == Counter(kind.name for kind in KINDS if kind.code not in COMPUTE_KINDS)


def test_computation_belongs_to_the_task_that_ran() -> None:
    rows = [
        {"kind": K["syscall"], "task": 1, "user_ns": 5},
        {"kind": K["context_switch"], "task": 2, "kernel_ns": 7},
        {"kind": K["wake"], "task": 1, "user_ns": 11},
        {"kind": K["context_switch"], "task": 1, "user_ns": 13},
        {"kind": K["syscall"], "task": 1, "user_ns": 17},
    ]
    for cuts in ([], [1], [2, 3], [1, 2, 3, 4]):
        tasks = Summary.of(recording(rows, tasks={1: "sh", 2: "cc"}, cuts=cuts)).tasks
        assert tasks == {"sh": Counter(user_ns=22, kernel_ns=7), "cc": Counter(user_ns=24)}


def test_bars() -> None:
    assert sparkline([0] * 5) == " " * 5
    assert sparkline([1, 10**9]) == "▁█"
    assert len(sparkline(merged(list(range(BINS)), COLUMNS))) == COLUMNS
    whole = ParquetStream.open(root() / "workloads" / "recorded" / "forkwait-500.parquet")
    summary = Summary.of(whole)
    assert summary.timeline is not None
    lines = timeline_text(summary.timeline, 2).splitlines()
    assert max(map(len, lines)) <= 80, "it fits into a terminal"
    assert any(line.startswith("pte writes") and line.endswith("M/s") for line in lines)


def test_the_plot_is_fit_for_print() -> None:
    for name in ("forkwait-500", "compile-2files-j2"):
        summary = Summary.of(ParquetStream.open(root() / "workloads" / "recorded" / f"{name}.parquet"))
        with style.settings():
            figure = timeline(summary, name)
            assert_apart(figure)
            rates, shares = figure.axes
            assert rates.get_ylabel() == "events per second (log scale)", "the rates span more than a factor of 20"
            assert shares.get_ylabel() == "CPU time (%)"
            assert shares.get_xlabel() in {"recorded time (s)", "recorded time (ms)"}
            drawn = {path.get_label() for path in rates.patches}
            assert len(rates.patches) == 9, drawn
            assert all(len(path.get_data().edges) == PARTS + 1 for path in rates.patches)  # type: ignore[attr-defined]


def test_a_plot_of_little_is_linear() -> None:
    summary = Summary.of(recording([{"kind": K["syscall"], "user_ns": 1000} for _ in range(9)]))
    with style.settings():
        figure = timeline(summary, "a")
        assert figure.axes[0].get_ylabel() == "events per second"
        assert_apart(figure)


def test_a_plot_without_an_event_is_drawn_all_the_same() -> None:
    summary = Summary.of(recording([{"kind": K["user_compute"], "user_ns": 1000}]))
    with style.settings():
        assert_apart(timeline(summary, "only computation"))


@pytest.mark.parametrize("length", [1, 5, 239, 10**16])
def test_recordings_of_any_length_are_shown_and_drawn(length: int) -> None:
    rows = [{"kind": K["syscall"], "user_ns": length}, {"kind": K["page_fault"], "count": 10**6}]
    summary = Summary.of(recording(rows))
    assert summary.timeline is not None
    assert timeline_text(summary.timeline, 1).count("█") >= 2
    with style.settings():
        assert_apart(timeline(summary, "a"))


def test_the_same_recording_gives_the_same_bytes(tmp_path: Path) -> None:
    summary = Summary.of(recording([{"kind": K["syscall"], "user_ns": 1000}]))
    for suffix in (".png", ".svg"):
        one, other = tmp_path / f"one{suffix}", tmp_path / f"other{suffix}"
        write_timeline(summary, "a", one)
        write_timeline(summary, "a", other)
        assert one.read_bytes() == other.read_bytes()
    with pytest.raises(InputError, match="no recorded time to draw over"):
        write_timeline(Summary.of(stream([{"kind": K["syscall"]}])), "a", tmp_path / "none.png")
