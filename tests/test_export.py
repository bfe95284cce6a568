"""The timeline in the Chrome trace-event format, and the command that exports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import K, stream
from typer.testing import CliRunner

from simulator.cli import __main__  # noqa: F401 (the commands enter themselves)
from simulator.cli.options import app
from simulator.errors import StreamError
from simulator.events import BY_CODE
from simulator.spec.library import root
from simulator.stream import EventStream, ParquetStream
from simulator.workload.exporters.chrome_trace import LEAST_EVENTS, export_chrome_trace

RECORDING = root() / "workloads" / "recorded" / "forkwait-500.parquet"
REQUIRED = {
    "X": {"name", "pid", "tid", "ts", "dur"},
    "i": {"name", "pid", "tid", "ts", "s"},
    "C": {"name", "pid", "ts", "args"},
    "M": {"name", "pid", "tid", "args"},
}
"""The keys that the format asks for, by phase."""


def exported(events: EventStream, folder: Path, most: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Export a timeline; whatever is in it, it has the keys that the format asks for."""
    count, about = export_chrome_trace(events, folder / "trace.json", most)
    document = json.loads((folder / "trace.json").read_text())
    assert document["otherData"] == {"title": events.header.title, "sampling": about}
    found: list[dict[str, Any]] = document["traceEvents"]
    assert len(found) == count <= most
    for event in found:
        assert event.keys() >= REQUIRED[event["ph"]]
        if event["ph"] == "C":
            assert all(isinstance(value, int) for value in event["args"].values())
        if event["ph"] == "i":
            assert event["s"] in ("g", "p", "t")
        for key in ("ts", "dur"):
            assert event.get(key, 0) >= 0
    return found, document


def test_every_row_is_shown_where_there_is_room(tmp_path: Path) -> None:
    events = stream(
        [
            {"kind": K["syscall"], "user_ns": 1500, "kernel_ns": 20, "number": 39},
            {"kind": K["interrupt"], "idle_ns": 3000, "device": 0},
            {"kind": K["user_compute"], "user_ns": 10},
        ],
        [{"kind": K["page_fault"], "page": 7, "count": 3}],
        devices=["timer"],
    )
    found, document = exported(events, tmp_path, LEAST_EVENTS)
    assert document["otherData"]["sampling"].startswith("all 4 rows are shown")
    slices = [(event["tid"], event["name"], event["ts"], event["dur"]) for event in found if event["ph"] == "X"]
    assert slices == [(0, "user", 0, 1.5), (0, "kernel", 1.5, 0.02), (0, "idle", 1.52, 3), (0, "user", 4.52, 0.01)]
    instants = [(event["tid"], event["name"], event["ts"], event["args"]) for event in found if event["ph"] == "i"]
    assert instants == [
        (0, "syscall", 1.52, {"count": 1, "number": 39}),
        (0, "interrupt", 4.52, {"count": 1, "device": "timer"}),
        (1, "page_fault", 0, {"count": 3, "page": 7}),
    ]
    names = [event["args"]["name"] for event in found if event["name"] == "thread_name"]
    assert names == ["virtual CPU 0", "virtual CPU 1"]


@pytest.mark.parametrize("most", [1000, 10_000, 200_000])
def test_counters_count_all_events_however_few_are_shown(tmp_path: Path, most: int) -> None:
    recording = ParquetStream.open(RECORDING)
    found, _ = exported(recording, tmp_path, most)
    counted = dict.fromkeys({event["name"] for event in found if event["ph"] == "C"}, 0)
    for event in found:
        if event["ph"] == "C":
            counted[event["name"]] += event["args"]["events"]
    expected: dict[str, int] = {}
    for batch in (batch for vcpu in range(recording.header.vcpus) for batch in recording.batches(vcpu)):
        for kind, count in zip(batch.columns["kind"].tolist(), batch.column("count").tolist(), strict=True):
            expected[BY_CODE[kind].name] = expected.get(BY_CODE[kind].name, 0) + count
    assert counted == expected


def test_slices_of_a_track_do_not_overlap(tmp_path: Path) -> None:
    found, _ = exported(ParquetStream.open(RECORDING), tmp_path, 20_000)
    ends: dict[int, int] = {}
    for event in found:
        if event["ph"] == "X":
            begin, length = round(event["ts"] * 1000), round(event["dur"] * 1000)
            assert begin >= ends.get(event["tid"], 0)
            ends[event["tid"]] = begin + length


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=5), st.integers(LEAST_EVENTS, 4000), st.integers(0, 2))
def test_no_more_than_asked_for(tmp_path: Path, vcpus: list[int], most: int, gaps: int) -> None:
    row = {"kind": K["syscall"], **dict.fromkeys(["user_ns", "idle_ns"][:gaps], 5)}
    events = stream(*([row] * rows for rows in vcpus))
    found, _ = exported(events, tmp_path, most)
    shown = sum(event["ph"] == "i" for event in found)
    total = sum(vcpus)
    assert shown == total or shown * (1 + gaps) >= most // 4 - 500 or shown >= min(total, len(vcpus))


def test_more_virtual_cpus_than_trace_events_are_refused(tmp_path: Path) -> None:
    events = stream(*([{"kind": K["syscall"]}] for _ in range(63)))
    with pytest.raises(StreamError, match="expected a limit of 1,008 or more for 63 virtual CPUs, found 1,000"):
        export_chrome_trace(events, tmp_path / "trace.json", 1000)
    assert not list(tmp_path.iterdir())


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.output


def test_the_command_exports_and_imports_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("export", "recorded/forkwait-500", "--format", "csv") == (0, "forkwait-500.csv: 45,596 rows\n")
    code, text = run("import", "csv", "forkwait-500.csv", "--title", "again", "--about", "why=a test")
    assert (code, "forkwait-500.parquet: " in text) == (0, True)
    header = ParquetStream.open(Path("forkwait-500.parquet")).header
    assert (header.title, header.provenance["why"]) == ("again", "a test")
    assert run("export", "nanobenchmarks/syscall", "--format", "jsonl", "--out", "x.jsonl.gz")[0] == 0
    assert run("import", "jsonl", "x.jsonl.gz")[0] == 0
    code, text = run("export", "recorded/forkwait-500", "--format", "chrome-trace", "--limit", "5000")
    assert (code, "trace events; of 45,596 rows one in" in text) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "csv", "--out", "x.json"), "x.json: expected a name that ends in .csv or .csv.gz"),
        (("--format", "csv", "--limit", "5000"), "--limit 5000: expected 1,000 or more, for a chrome-trace"),
        (("--format", "chrome-trace", "--limit", "5"), "--limit 5: expected 1,000 or more, for a chrome-trace"),
        (("--format", "xml"), "'xml' is not one of"),
    ],
)
def test_wrong_usage_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = run("export", "recorded/forkwait-500", *arguments)
    assert (code, message in text) == (2, True), text
    assert not list(tmp_path.iterdir())
