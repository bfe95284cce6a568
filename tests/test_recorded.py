"""Recorded streams: host costs come off the gaps, and replaying under the host's own costs ends when the recording did."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from recordings import COSTS, HOST, recordings
from support import K, replay, simple_model, stream

from simulator.errors import ModelError
from simulator.workload.recorded import Clipping, WithoutHostCosts

pytestmark = pytest.mark.usefixtures("each_engine")


def test_costs_come_off_kernel_then_user_then_idle_time() -> None:
    rows = [
        {"kind": K["page_fault"], "user_ns": 100},
        {"kind": K["syscall"], "kernel_ns": 20, "user_ns": 50},
        {"kind": K["syscall"], "kernel_ns": 3, "user_ns": 2, "idle_ns": 100},
        {"kind": K["syscall"], "kernel_ns": 5},
    ]
    taken = WithoutHostCosts.of(stream(rows), HOST)
    (batch,) = taken.batches(0)
    assert batch.column("kernel_ns").tolist() == [0, 0, 0, 0]
    assert batch.column("user_ns").tolist() == [100, 40, 0, 0]
    assert taken.clipping == Clipping(gaps=1, nanoseconds=2)
    assert taken.header.recorded_ns == 100 + 70 + 105 + 5 + 7


def test_events_of_one_moment_are_taken_together_off_the_gap_that_follows() -> None:
    rows = [{"kind": K["page_fault"], "user_ns": 5}, {"kind": K["syscall"]}, {"kind": K["wake"], "user_ns": 100}]
    for cuts in ([], [1], [2], [1, 2]):
        taken = WithoutHostCosts.of(stream(rows, cuts=cuts), HOST)
        assert [ns for batch in taken.batches(0) for ns in batch.column("user_ns").tolist()] == [5, 0, 63]
        assert taken.clipping == Clipping()


def test_rows_of_computation_cost_the_host_nothing_of_their_own() -> None:
    rows = [{"kind": K["user_compute"], "user_ns": 9}, {"kind": K["syscall"], "user_ns": 4}]
    (batch,) = WithoutHostCosts.of(stream(rows), HOST).batches(0)
    assert batch.column("user_ns").tolist() == [9, 4]


def test_an_event_without_a_host_cost_is_an_error_that_names_it() -> None:
    with pytest.raises(ModelError, match="what 'cpuid' costs on the machine recorded is not known"):
        WithoutHostCosts.of(stream([{"kind": K["cpuid"]}]), HOST)


def test_a_delay_is_shorter_by_what_came_before_in_the_same_moment() -> None:
    rows = [
        {"kind": K["page_fault"]},
        {"kind": K["syscall"]},
        {"kind": K["disk_request"], "posts": 1, "post_delay_ns": 100},
    ]
    (batch,) = WithoutHostCosts.of(stream(rows), HOST).batches(0)
    assert batch.column("post_delay_ns").tolist() == [0, 0, 100 - 30 - 7 - 11]


def test_delays_count_from_the_end_of_the_event() -> None:
    rows = [{"kind": K["disk_request"], "posts": 1, "post_delay_ns": 50}, {"kind": K["wake"], "posts": 2}]
    (batch,) = WithoutHostCosts.of(stream(rows), HOST).batches(0)
    assert batch.column("post_delay_ns").tolist() == [39, 0]


@settings(max_examples=300, deadline=None)
@given(recordings())
def test_under_the_hosts_own_costs_the_replay_ends_when_the_recording_ended(vcpus: list[list[dict[str, int]]]) -> None:
    taken = WithoutHostCosts.of(stream(*vcpus), HOST)
    outcome = replay(taken, simple_model(COSTS))
    assert taken.clipping == Clipping()
    assert outcome.makespan == taken.header.recorded_ns * 1000
    for number, cpu in enumerate(outcome.vcpus):
        assert cpu.idle == sum(row.get("idle_ns", 0) for row in vcpus[number]) * 1000
