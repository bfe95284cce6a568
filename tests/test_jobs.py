"""Replays as messages: a recording is hashed once, and is the same where it is replayed, or refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from support import K, simple_model, stream

from simulator import recordings
from simulator.errors import RunError
from simulator.jobs import Job, carry_out
from simulator.recordings import recording_hash
from simulator.spec.build import Workload, load_workload
from simulator.stream import EventStream, Header, MemoryStream, StreamHash, content_hash, header_hash, write_parquet

CUT = """\
document: workload
title: a window of a recording, twice
recording: r.parquet
host_costs: recording-host/none
cut: {from: 1 us, to: 9 us}
copies: 2
"""
MODEL = simple_model({"syscall": "3 cycles"})


def record(path: Path, n: int) -> None:
    rows = [{"kind": K["syscall"], "user_ns": 700, "count": 1 + (i == n)} for i in range(20)]
    write_parquet(MemoryStream(Header("r", recorded_ns=14_000), stream(rows).rows), path)


@pytest.fixture(params=["whole", "cut"])
def workload(request: pytest.FixtureRequest, tmp_path: Path) -> Workload:
    record(tmp_path / "r.parquet", 3)
    (tmp_path / "w.yaml").write_text(CUT if request.param == "cut" else CUT.partition("cut:")[0])
    return load_workload(tmp_path / "w.yaml")[1]


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[EventStream]:
    """What is hashed from now on."""
    found: list[EventStream] = []

    def noted(events: EventStream) -> StreamHash:
        found.append(events)
        return StreamHash(content_hash(events), header_hash(events.header))

    monkeypatch.setattr(StreamHash, "of", noted)
    monkeypatch.setattr(recordings, "_HASHES", {})
    return found


def test_a_recording_is_hashed_once_for_all_its_jobs(workload: Workload, hashed: list[EventStream]) -> None:
    sent = [pickle.dumps(Job.of(workload, [MODEL], "fast")) for _ in range(3)]
    assert recording_hash(workload) == (content_hash(hashed[0]), header_hash(hashed[0].header))
    outcomes = [carry_out(pickle.loads(each)) for each in sent]
    assert outcomes[0] == outcomes[2]
    assert len(hashed) == 1


def test_a_worker_on_another_machine_hashes_it_again(
    workload: Workload, hashed: list[EventStream], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = pickle.dumps(Job.of(workload, [MODEL], "fast"))
    monkeypatch.setattr(recordings, "_machine", lambda: "another")
    monkeypatch.setattr(recordings, "_HASHES", {})
    for _ in range(2):
        carry_out(pickle.loads(sent))
    assert len(hashed) == 2, "once here, once there"


def test_another_recording_under_the_same_path_is_refused(workload: Workload, tmp_path: Path) -> None:
    sent = pickle.dumps(Job.of(workload, [MODEL], "fast"))
    record(tmp_path / "r.parquet", 5)
    with pytest.raises(RunError, match="the worker has another recording under the same path"):
        carry_out(pickle.loads(sent))
