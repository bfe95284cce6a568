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
    "B": {"name", "pid", "tid", "ts"},
    "E": {"pid", "tid", "ts"},
    "i": {"name", "pid", "tid", "ts", "s"},
    "C": {"name", "pid", "ts", "args"},
    "M": {"name", "pid", "tid", "args"},
}
"""The keys that the format asks for, by phase (Trace Event Format, Google, sections 'Event Descriptions')."""
KEYS: dict[str, tuple[type, ...]] = {
    **{"name": (str,), "cat": (str,), "ph": (str,), "s": (str,)},
    **{"pid": (int,), "tid": (int,), "ts": (int, float), "args": (dict,)},
}
"""The types of the keys that it knows, of those that are written here; times are microseconds."""
METADATA = {"process_name", "process_labels", "process_sort_index", "thread_name", "thread_sort_index"}
DOCUMENT = {"traceEvents", "displayTimeUnit", "systemTraceEvents", "otherData", "stackFrames", "samples"}


def exported(events: EventStream, folder: Path, most: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Export a timeline; whatever is in it, it has the keys that the format asks for."""
    count, about = export_chrome_trace(events, folder / "trace.json", most)
    document = json.loads((folder / "trace.json").read_text())
    assert document["otherData"] == {"title": events.header.title, "sampling": about}
    found: list[dict[str, Any]] = document["traceEvents"]
    assert len(found) == count <= most
    assert document.keys() <= DOCUMENT
    assert document["displayTimeUnit"] in ("ms", "ns")
    for event in found:
        assert event.keys() >= REQUIRED[event["ph"]]
        assert all(type(value) in KEYS[key] for key, value in event.items())
        if event["ph"] == "C":
            assert all(isinstance(value, int) for value in event["args"].values())
        if event["ph"] == "i":
            assert event["s"] in ("g", "p", "t")
        if event["ph"] == "M":
            assert event["name"] in METADATA
            assert event["args"].keys() == {event["name"].partition("_")[2]}
        assert event.get("ts", 0) >= 0
    return found, document


def slices_of(found: list[dict[str, Any]]) -> list[tuple[int, str, float, float]]:
    """Return track, name, beginning and end of each slice, in the order of the file; none is nested in another."""
    edges = [event for event in found if event["ph"] in "BE"]
    assert [event["ph"] for event in edges] == ["B", "E"] * (len(edges) // 2)
    pairs = list(zip(edges[::2], edges[1::2], strict=True))
    assert all((begin["tid"], begin["name"]) == (end["tid"], end["name"]) for begin, end in pairs)
    return [(begin["tid"], begin["name"], begin["ts"], end["ts"]) for begin, end in pairs]


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
    assert slices_of(found) == [
        (0, "user", 0, 1.5),
        (0, "kernel", 1.5, 1.52),
        (0, "idle", 1.52, 4.52),
        (0, "user", 4.52, 4.53),
    ]
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
    """As the numbers stand in the file: nothing is added up that could be rounded."""
    found, _ = exported(ParquetStream.open(RECORDING), tmp_path, 20_000)
    ends: dict[int, float] = {}
    touching = 0
    for track, _, begin, end in slices_of(found):
        assert ends.get(track, 0) <= begin < end
        touching += ends.get(track) == begin
        ends[track] = end
    assert touching > 1000


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=5), st.integers(LEAST_EVENTS, 4000), st.integers(0, 2))
def test_no_more_than_asked_for(tmp_path: Path, vcpus: list[int], most: int, gaps: int) -> None:
    row = {"kind": K["syscall"], **dict.fromkeys(["user_ns", "idle_ns"][:gaps], 5)}
    events = stream(*([row] * rows for rows in vcpus))
    found, _ = exported(events, tmp_path, most)
    shown = sum(event["ph"] == "i" for event in found)
    total = sum(vcpus)
    assert shown == total or shown * (1 + 2 * gaps) >= most // 4 - 500 or shown >= min(total, len(vcpus))


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
