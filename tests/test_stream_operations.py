"""Windows of recordings, and recordings put together: what each does to counts and to when a replay ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import COSTS, HOST, recordings
from support import K, batch, replay, simple_model, stream
from test_engine_laws import COSTS as LAW_COSTS
from test_engine_laws import programs

from simulator.engine.base import Outcome
from simulator.errors import StreamError
from simulator.events import BY_CODE, COMPUTE_KINDS
from simulator.model import Device
from simulator.spec.build import load_model, load_workload
from simulator.spec.library import root
from simulator.stream import (
    ASYNCHRONOUS,
    Batch,
    EventStream,
    Header,
    MemoryStream,
    ParquetStream,
    check_batch,
    content_hash,
    write_parquet,
)
from simulator.workload.batches import gathered
from simulator.workload.combine import concat, mix, scale
from simulator.workload.cut import cut
from simulator.workload.history import with_history
from simulator.workload.recorded import Clipping, WithoutHostCosts

pytestmark = pytest.mark.usefixtures("each_engine")

CELLS = ("user_ns", "kernel_ns", "idle_ns")


def recording(vcpus: Sequence[Sequence[dict[str, int]]], devices: Sequence[str] = (), **more: Any) -> MemoryStream:
    """A stream of rows whose header says how long it was recorded."""
    made = stream(*vcpus, devices=devices, **more)
    length = max(sum(row.get(name, 0) for row in rows for name in CELLS) for rows in vcpus)
    return replace(made, header=replace(made.header, recorded_ns=length))


@st.composite
def streams(draw: st.DrawFn) -> MemoryStream:
    """A recording with address spaces, tasks and devices, in batches of some size."""
    vcpus = [
        [{**row, "space": draw(st.integers(-1, 3)), "task": draw(st.integers(-1, 5)), "device": 0} for row in rows]
        for rows in draw(recordings())
    ]
    made = recording(vcpus, [draw(st.sampled_from("ab"))], cuts=draw(st.lists(st.integers(0, 9))))
    return replace(made, header=replace(made.header, tasks={0: "swapper", 7: "sh"}))


def rows(events: EventStream) -> list[tuple[int, Batch, int]]:
    return [
        (vcpu, part, row)
        for vcpu in range(events.header.vcpus)
        for part in events.batches(vcpu)
        for row in range(len(part))
    ]


def counts(events: EventStream) -> Counter[str]:
    """Return events by kind, and nanoseconds by mode."""
    found: Counter[str] = Counter()
    for _, part, row in rows(events):
        kind = part.cell("kind", row)
        found[BY_CODE[kind].name] += part.cell("count", row) if kind not in COMPUTE_KINDS else 0
        for name in CELLS:
            found[name] += part.cell(name, row)
    return +found


def distinct(events: EventStream, column: str, least: int = 0) -> set[int]:
    return {part.cell(column, row) for _, part, row in rows(events) if part.cell(column, row) >= least}


def under_own_costs(events: EventStream) -> tuple[Outcome, Clipping]:
    """Replay a recording under the costs of the machine that made it."""
    taken = WithoutHostCosts.of(events, HOST)
    return replay(taken, simple_model(COSTS)), taken.clipping


def checked(events: EventStream) -> None:
    for vcpu in range(events.header.vcpus):
        for part in events.batches(vcpu):
            check_batch(part, events.header, "here")


def served(events: MemoryStream, begin: int, end: int) -> list[int]:
    """Return when the last event of a window has been served on each virtual CPU, from the window's beginning."""
    ends = []
    for vcpu in range(events.header.vcpus):
        now = done = 0
        for part in events.batches(vcpu):
            for row in range(len(part)):
                gap = sum(part.cell(name, row) for name in CELLS)
                now += gap
                if begin <= now and (now < end or end == events.header.recorded_ns):
                    done = max(done, now - begin) + HOST[part.cell("kind", row)]
        ends.append(done)
    return ends


def moment(data: st.DataObject, events: EventStream) -> int:
    return data.draw(st.integers(0, events.header.recorded_ns))


# Cut.


@settings(max_examples=300, deadline=None)
@given(st.data(), streams())
def test_a_window_ends_when_it_ended_under_the_recorders_own_costs(data: st.DataObject, whole: MemoryStream) -> None:
    begin, end = sorted((moment(data, whole), moment(data, whole)))
    if begin == end:
        return
    window = cut(whole, begin, end)
    checked(window)
    outcome, clipping = under_own_costs(window)
    done = served(whole, begin, end)
    assert outcome.makespan == max(end - begin, *done) * 1000
    assert clipping.gaps <= sum(last > end - begin for last in done), "only what reaches beyond the window is clipped"
    for cpu, last in zip(outcome.vcpus, done, strict=True):
        assert last * 1000 <= cpu.end <= max(end - begin, *done) * 1000


@settings(max_examples=300, deadline=None)
@given(st.data(), streams())
def test_windows_that_touch_hold_everything_once(data: st.DataObject, whole: MemoryStream) -> None:
    between = moment(data, whole)
    if not 0 < between < whole.header.recorded_ns:
        return
    first, second = cut(whole, 0, between), cut(whole, between)
    assert counts(first) + counts(second) == counts(whole)
    again = concat([first, second])
    checked(again)
    assert again.header.recorded_ns == whole.header.recorded_ns
    measured, expected = counts(again), counts(whole)
    assert measured.pop("idle_ns", 0) >= expected.pop("idle_ns", 0), "a virtual CPU may have ended before the recording"
    assert measured == expected


@settings(max_examples=100, deadline=None)
@given(streams())
def test_the_whole_as_a_window_is_the_recording(whole: MemoryStream) -> None:
    if whole.header.recorded_ns:
        assert content_hash(cut(whole, 0)) == content_hash(whole)


@settings(max_examples=100, deadline=None)
@given(st.data(), streams())
def test_a_window_of_a_window_is_a_window(data: st.DataObject, whole: MemoryStream) -> None:
    begin, first, last, end = sorted(moment(data, whole) for _ in range(4))
    if first == last:
        return
    once, twice = cut(whole, first, last), cut(cut(whole, begin, end), first - begin, last - begin)
    assert counts(once) == counts(twice)
    assert under_own_costs(once)[0].makespan == under_own_costs(twice)[0].makespan


def test_a_gap_is_divided_at_both_edges_kernel_time_first() -> None:
    rows = [{"kind": K["syscall"], "task": 4}, {"kind": K["context_switch"], "task": 9, "kernel_ns": 10, "user_ns": 20}]
    whole = recording([[*rows, {"kind": K["syscall"], "user_ns": 30, "task": 9}]])
    (part,) = cut(whole, 5, 40).batches(0)
    assert part.columns["kind"].tolist() == [K["user_compute"], K["context_switch"], K["user_compute"]]
    assert part.column("kernel_ns").tolist() == [5, 0, 0]
    assert part.column("user_ns").tolist() == [20, 0, 10]
    assert part.column("task").tolist() == [4, 9, 9], "computation belongs to the task that ran"
    (part,) = cut(whole, 11, 29).batches(0)
    assert part.columns["kind"].tolist() == [K["user_compute"]]
    assert part.column("user_ns").tolist() == [18]


PING = [
    [{"kind": K["wake"], "user_ns": 100, "posts": 1, "post_delay_ns": 50}, {"kind": K["wake"], "user_ns": 900}],
    [{"kind": K["wake"], "idle_ns": 170, "waits": 1, "wait_latency_ns": 20}, {"kind": K["wake"], "kernel_ns": 30}],
]


def test_a_signal_from_before_the_window_becomes_the_moment_at_which_it_came() -> None:
    window = cut(recording(PING), 120)
    (part,) = window.batches(1)
    assert part.column("waits").tolist() == [0, -1]
    assert part.column("wait_latency_ns").tolist() == [50, 0]
    assert part.column("idle_ns").tolist() == [50, 0]
    (part,) = cut(recording(PING), 180).batches(1)
    assert part.column("waits").tolist() == [-1, -1], "the wait is over"


def test_idle_time_at_the_end_waits_for_what_ends_it() -> None:
    (posting,), (waiting,) = (list(cut(recording(PING), 0, 130).batches(vcpu)) for vcpu in (0, 1))
    assert posting.column("post_delay_ns").tolist() == [30, 0], "no later than the window ends"
    assert (waiting.cell("waits", 0), waiting.cell("wait_latency_ns", 0)) == (1, 0)
    (waiting,) = cut(recording(PING), 110, 130).batches(1)
    assert (waiting.cell("waits", 0), waiting.cell("wait_latency_ns", 0)) == (0, 20), "its post is outside"


def test_idle_time_at_the_end_is_still_behind_a_slower_event() -> None:
    """What ends the idle time stands in the window, so that it comes later if that does."""
    window = WithoutHostCosts.of(cut(recording(PING), 0, 160), HOST)
    slow = replay(window, simple_model({**COSTS, "wake": "400 ns"}))
    assert slow.vcpus[1].end == (100 + 400 + 60) * 1000


def test_windows_that_are_none() -> None:
    whole = recording(PING)
    with pytest.raises(StreamError, match=r"ends at 0.000002 s, and the recording at 0.000001 s already"):
        cut(whole, 0, 2000)
    with pytest.raises(StreamError, match="begins at 0.000001 s, and the recording ends at 0.000001 s"):
        cut(whole, 1000)
    with pytest.raises(StreamError, match="the window is empty: it begins at 0.00000003 s"):
        cut(whole, 30, 30)
    with pytest.raises(StreamError, match="'test' has no recorded time to cut by: it is a synthetic stream"):
        cut(stream(PING[0]), 0, 10)
    rows = [{"kind": K["halt"], "user_ns": 10}, {"kind": K["disk_request"], "completion": ASYNCHRONOUS, "user_ns": 10}]
    with pytest.raises(StreamError, match="'test', virtual CPU 0, row 1: its completion takes what time"):
        cut(recording([rows]), 0, 15)
    silent = replace(whole, header=replace(whole.header, recorded_ns=5000))
    with pytest.raises(StreamError, match="nothing was recorded from 0.000002 s to 0.000003 s"):
        cut(silent, 2000, 3000)


# Put together.


@settings(max_examples=100, deadline=None)
@given(streams(), st.integers(1, 4))
def test_copies_end_when_the_original_does_and_hold_as_many_times_as_much(whole: MemoryStream, copies: int) -> None:
    scaled = scale(whole, copies)
    checked(scaled)
    assert counts(scaled) == Counter({name: n * copies for name, n in counts(whole).items()})
    alone, _ = under_own_costs(whole)
    together, _ = under_own_costs(scaled)
    assert together.vcpus == alone.vcpus * copies
    for column, least in (("space", 0), ("task", 0), ("posts", 1)):
        assert len(distinct(scaled, column, least)) == copies * len(distinct(whole, column, least))
    assert scaled.header.devices == whole.header.devices
    assert Counter(scaled.header.tasks.values()) == dict.fromkeys(whole.header.tasks.values(), copies)


@given(streams())
def test_one_copy_is_the_stream_itself(whole: MemoryStream) -> None:
    once = scale(whole, 1)
    assert once.header == whole.header
    assert content_hash(once) == content_hash(whole)


@settings(max_examples=200, deadline=None)
@given(st.lists(streams(), min_size=2, max_size=3))
def test_one_after_the_other_the_ends_add_up(parts: list[MemoryStream]) -> None:
    together = concat(parts)
    checked(together)
    measured, expected = counts(together), sum(map(counts, parts), Counter())
    assert measured.pop("idle_ns", 0) >= expected.pop("idle_ns", 0)
    assert measured == expected
    outcome, clipping = under_own_costs(together)
    alone = [under_own_costs(part)[0] for part in parts]
    assert clipping == Clipping()
    assert outcome.makespan == sum(part.makespan for part in alone)
    assert outcome.counts.events == sum((part.counts.events for part in alone), Counter())
    assert together.header.recorded_ns == sum(part.header.recorded_ns for part in parts)


@settings(max_examples=200, deadline=None)
@given(st.lists(streams(), min_size=2, max_size=3), st.sampled_from(sorted(COSTS)), st.integers(0, 500))
def test_one_after_the_other_under_any_costs(parts: list[MemoryStream], dearer: str, ns: int) -> None:
    """The ends add up also where events take longer or shorter than when they were recorded."""
    model = simple_model({**COSTS, dearer: f"{ns} ns"})
    ends = [replay(WithoutHostCosts.of(part, HOST), model).makespan for part in parts]
    assert replay(WithoutHostCosts.of(concat(parts), HOST), model).makespan == sum(ends)


@settings(max_examples=100, deadline=None)
@given(st.lists(streams(), min_size=2, max_size=3))
def test_side_by_side_each_ends_as_it_does_alone(parts: list[MemoryStream]) -> None:
    together = mix(parts)
    checked(together)
    assert counts(together) == sum(map(counts, parts), Counter())
    outcome, _ = under_own_costs(together)
    alone = [under_own_costs(part)[0] for part in parts]
    assert outcome.vcpus == tuple(cpu for part in alone for cpu in part.vcpus)
    assert set(together.header.devices) == {name for part in parts for name in part.header.devices}


@settings(max_examples=50, deadline=None)
@given(streams(), st.integers(2, 3))
def test_copies_on_fewer_physical_cpus_take_no_less_and_do_the_same(whole: MemoryStream, copies: int) -> None:
    few = replay(WithoutHostCosts.of(scale(whole, copies), HOST), simple_model(COSTS, physical_cpus=1))
    many = replay(WithoutHostCosts.of(scale(whole, copies), HOST), simple_model(COSTS))
    assert few.busy == many.busy
    assert few.makespan >= many.makespan


def test_devices_are_merged_by_name() -> None:
    one = stream([{"kind": K["disk_request"], "device": 1}, {"kind": K["halt"]}], devices=["disk", "net"])
    other = stream([{"kind": K["disk_request"], "device": 0}], devices=["net", "tape"])
    for together in (mix([one, other]), concat([one, other])):
        assert together.header.devices == ("disk", "net", "tape")
        used = [part.cell("device", row) for _, part, row in rows(together)]
        assert [index for index in used if index >= 0] == [1, 1]


def test_numbers_that_no_column_holds_are_refused() -> None:
    with pytest.raises(StreamError, match="the column 'task' would have to hold 2,999,999,9"):
        scale(recording([[{"kind": K["wake"], "task": 10**9 - 1}]]), 3)
    with pytest.raises(StreamError, match="expected 1 copy or more, found 0"):
        scale(recording(PING), 0)


def test_a_stream_that_waits_and_posts_may_follow_itself_in_a_wider_one() -> None:
    """Each has its own number of virtual CPUs, and one of them none that the other needs."""
    narrow, wide = recording([PING[0]]), recording(PING)
    for parts in ([narrow, wide, narrow], [wide, narrow, wide]):
        together = concat(parts)
        assert together.header.vcpus == 2
        assert under_own_costs(together)[0].makespan == sum(under_own_costs(part)[0].makespan for part in parts)


@settings(max_examples=100, deadline=None)
@given(st.lists(programs(), min_size=2, max_size=3), st.integers(0, 200))
def test_requests_to_devices_are_joined_too(parts: list[list[list[dict[str, int]]]], service_ns: int) -> None:
    """They take what time the machine gives them, so that only counts add up."""
    model = simple_model(LAW_COSTS, devices={"disk": Device(service_ns, 1, 10**9)})
    alone = [stream(*part, devices=["disk"]) for part in parts]
    expected = sum((replay(part, model).counts.actions for part in alone), Counter())
    for together in (mix(alone), concat(alone)):
        checked(together)
        assert replay(together, model).counts.actions == expected


# What all share.


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), min_size=1), min_size=1))
def test_small_batches_are_joined(parts: list[list[int]]) -> None:
    made = [batch([{"kind": 3, "number": n, **({"page": 7} if n % 2 else {})} for n in part]) for part in parts]
    (whole,) = gathered(made)
    assert whole.column("number").tolist() == [n for part in parts for n in part]
    assert whole.column("page").tolist() == [7 if n % 2 else -1 for part in parts for n in part]


def test_the_history_grows_and_keeps_what_was_put_together(tmp_path: Path) -> None:
    first = MemoryStream(Header("one", provenance={"machine": "a"}), stream(PING[0]).rows)
    once = with_history(scale(first, 2), "scale", {"copies": 2}, [first])
    twice = with_history(scale(once, 3), "scale", {"copies": 3}, [once], title="six")
    assert [entry["parameters"]["copies"] for entry in twice.header.history] == [2, 3]
    assert twice.header.history[1]["inputs"] == [{"title": "2 copies of one", "content_sha256": content_hash(once)}]
    assert twice.header.provenance == {"machine": "a"}
    both = with_history(mix([twice, first]), "mix", {}, [twice, first])
    (entry,) = both.header.history
    assert [source["provenance"] for source in entry["inputs"]] == [{"machine": "a"}] * 2
    assert entry["inputs"][0]["history"] == list(twice.header.history)
    write_parquet(both, tmp_path / "both.parquet")
    again = ParquetStream.open(tmp_path / "both.parquet")
    assert again.header == both.header
    assert content_hash(again) == content_hash(both)


@pytest.mark.parametrize("name", ["forkwait-500", "compile-2files-j2"])
def test_windows_of_shipped_recordings_end_when_they_ended(name: str) -> None:
    """To the nanosecond, but for the gaps that were shorter than the host's costs say."""
    _, workload, _ = load_workload(root() / "workloads" / "recorded" / f"{name}.yaml")
    _, model, _ = load_model(root() / "cost_models" / "recording-host" / "native.yaml")
    assert workload.recording is not None and isinstance(workload.stream, WithoutHostCosts)
    costs = {kind: int(ns) for kind, ns in enumerate(workload.stream.costs.tolist()) if ns >= 0}
    length = workload.recording.header.recorded_ns
    windows = [cut(workload.recording, length * n // 10, length * (n + 2) // 10) for n in (1, 4, 7)]
    ticks = model.machine.clock.ticks_per_ns
    for window in windows:
        taken = WithoutHostCosts.of(window, costs)
        late = replay(taken, model).makespan - window.header.recorded_ns * ticks
        assert 0 <= late <= taken.clipping.nanoseconds * ticks
    taken = WithoutHostCosts.of(concat(windows), costs)
    late = replay(taken, model).makespan - sum(window.header.recorded_ns for window in windows) * ticks
    assert 0 <= late <= taken.clipping.nanoseconds * ticks


@pytest.mark.parametrize("name", ["forkwait-500", "compile-2files-j2"])
def test_windows_of_shipped_recordings_hold_everything_once(name: str) -> None:
    whole = ParquetStream.open(root() / "workloads" / "recorded" / f"{name}.parquet")
    edges = np.linspace(0, whole.header.recorded_ns, 4).astype(int).tolist()
    parts = [cut(whole, begin, end) for begin, end in pairwise(edges)]
    assert sum(map(counts, parts), Counter()) == counts(whole)
    assert counts(mix(parts)) == counts(whole)
