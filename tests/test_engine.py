"""The reference engine against closed forms, ties included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from support import K, cost_table, replay, simple_model, stream

from simulator.costs import price
from simulator.engine.base import CpuTime, Outcome
from simulator.errors import ModelError, RunError
from simulator.mechanisms import BY_NAME, Event, Mechanism, Parameters
from simulator.mechanisms.base import Emit
from simulator.model import Device
from simulator.stream import ASYNCHRONOUS, BLOCKING

INTERRUPTS = {"interrupt": "3 cycles", "interrupt_completion": "2 cycles"}
CYCLE = 1000


pytestmark = pytest.mark.usefixtures("each_engine")


def cycles(cpu: CpuTime) -> tuple[int, int, int, int]:
    """Busy, waiting, idle and end of a CPU whose times are whole cycles."""
    assert not any(value % CYCLE for value in (cpu.busy, cpu.waiting, cpu.idle, cpu.end))
    return cpu.busy // CYCLE, cpu.waiting // CYCLE, cpu.idle // CYCLE, cpu.end // CYCLE


def test_events_and_computation_add_up() -> None:
    rows = [{"kind": K["syscall"], "count": 3, "user_ns": 10}, {"kind": K["rdtsc"], "kernel_ns": 5}]
    outcome = replay(stream(rows), simple_model({"syscall": "11.4 cycles", "rdtsc": "100 cycles"}, mhz=2000))
    assert outcome.makespan == (10 + 5) * 2000 + 3 * 11_400 + 100_000
    assert outcome.counts.actions[K["user_compute"], "user_compute"] == 10
    assert outcome.counts.actions[K["syscall"], "syscall"] == 3
    assert outcome.counts.events == {K["user_compute"]: 1, K["kernel_compute"]: 1, K["syscall"]: 3, K["rdtsc"]: 1}


def test_totals_are_exact_beyond_64_bits() -> None:
    rows = [{"kind": K["syscall"], "count": 10**12, "user_ns": 10**16}] * 2000
    outcome = replay(stream(rows), simple_model({"syscall": "17020.001 cycles"}, mhz=3800))
    assert outcome.counts.actions[K["syscall"], "syscall"] == 2000 * 10**12
    assert outcome.counts.actions[K["user_compute"], "user_compute"] == 2000 * 10**16
    assert outcome.makespan == outcome.busy == 2000 * (10**12 * 17_020_001 + 10**16 * 3800)


def test_a_row_of_computation_is_not_an_event_of_its_own() -> None:
    outcome = replay(stream([{"kind": K["user_compute"], "user_ns": 7}]), simple_model())
    assert outcome.counts.events == {K["user_compute"]: 1}
    assert outcome.makespan == 7 * CYCLE


def test_a_wait_begins_when_the_signal_and_its_latency_have_passed() -> None:
    waker = [{"kind": K["wake"], "user_ns": 100, "posts": 1, "post_delay_ns": 20}]
    sleeper = [{"kind": K["syscall"], "user_ns": 10, "waits": 1, "wait_latency_ns": 5}]
    outcome = replay(stream(waker, sleeper), simple_model({"wake": "1 cycles", "syscall": "4 cycles"}))
    assert cycles(outcome.vcpus[0]) == (101, 0, 0, 101)
    assert cycles(outcome.vcpus[1]) == (14, 0, 101 + 20 + 5 - 10, 130)


def test_a_late_waiter_does_not_wait() -> None:
    waker = [{"kind": K["wake"], "posts": 1}]
    late = [{"kind": K["syscall"], "user_ns": 50, "waits": 1, "wait_latency_ns": 49}]
    outcome = replay(stream(waker, late), simple_model({"wake": "1 cycles", "syscall": "1 cycles"}))
    assert cycles(outcome.vcpus[1]) == (51, 0, 0, 51)


def test_waits_for_the_start_of_the_run() -> None:
    outcome = replay(
        stream([{"kind": K["syscall"], "waits": 0, "wait_latency_ns": 30}]), simple_model({"syscall": "1 cycles"})
    )
    assert cycles(outcome.vcpus[0]) == (1, 0, 30, 31)


def test_several_may_wait_for_one_signal() -> None:
    waker = [{"kind": K["wake"], "user_ns": 9, "posts": 7}]
    sleeper = [{"kind": K["syscall"], "waits": 7}]
    outcome = replay(stream(sleeper, waker, sleeper), simple_model({"wake": "0 cycles", "syscall": "1 cycles"}))
    assert [cpu.end for cpu in outcome.vcpus] == [10 * CYCLE, 9 * CYCLE, 10 * CYCLE]


def test_a_signal_that_is_never_posted_is_an_error_that_names_it() -> None:
    with pytest.raises(RunError, match="virtual CPU 1 waits, in row 0, for signal 4, which is never posted"):
        replay(
            stream([{"kind": K["syscall"]}], [{"kind": K["syscall"], "waits": 4}]),
            simple_model({"syscall": "1 cycles", **INTERRUPTS}),
            timer=100,
        )


def test_a_circle_of_waits_is_an_error() -> None:
    first = [{"kind": K["syscall"], "waits": 1, "posts": 2}]
    second = [{"kind": K["syscall"], "waits": 2, "posts": 1}]
    with pytest.raises(RunError, match=r"virtual CPU 0 waits.*; virtual CPU 1 waits"):
        replay(stream(first, second), simple_model({"syscall": "1 cycles"}))


def test_a_blocking_request_waits_for_the_device_and_takes_its_interrupt() -> None:
    rows = [{"kind": K["disk_request"], "device": 0, "size": 100, "completion": BLOCKING}, {"kind": K["syscall"]}]
    model = simple_model(
        {"disk_request": "10 cycles", "syscall": "1 cycles", **INTERRUPTS},
        devices={"disk": Device(service_ns=500, bytes_per_second=10**9)},
    )
    outcome = replay(stream(rows, devices=["disk"]), model)
    assert cycles(outcome.vcpus[0]) == (10 + 5 + 1, 600, 0, 616)
    assert outcome.counts.events[K["interrupt"]] == outcome.counts.events[K["interrupt_completion"]] == 1


def test_an_asynchronous_request_interrupts_the_computation_that_hides_it() -> None:
    request = {"kind": K["disk_request"], "device": 0, "completion": ASYNCHRONOUS}
    model = simple_model({"disk_request": "10 cycles", "syscall": "1 cycles", **INTERRUPTS}, devices={"d": Device(100)})
    hidden = replay(stream([request, {"kind": K["syscall"], "user_ns": 200}], devices=["d"]), model)
    assert cycles(hidden.vcpus[0]) == (10 + 200 + 5 + 1, 0, 0, 216)
    drained = replay(stream([request], devices=["d"]), model)
    assert cycles(drained.vcpus[0]) == (15, 0, 100, 115)


def test_requests_queue_first_come_first_served() -> None:
    requests = [{"kind": K["disk_request"], "device": 0, "completion": ASYNCHRONOUS, "count": 3}]
    model = simple_model({"disk_request": "0 cycles", **INTERRUPTS}, devices={"d": Device(100)})
    assert replay(stream(requests, devices=["d"]), model).makespan == (300 + 5) * CYCLE
    wide = simple_model({"disk_request": "0 cycles", **INTERRUPTS}, devices={"d": Device(100, servers=3)})
    assert replay(stream(requests, devices=["d"]), wide).makespan == (100 + 3 * 5) * CYCLE


def test_a_device_that_the_machine_lacks_is_an_error_that_names_it() -> None:
    rows = [{"kind": K["disk_request"], "device": 0, "completion": BLOCKING}]
    model = simple_model({"disk_request": "1 cycles"}, devices={"disk": Device(1)})
    with pytest.raises(ModelError, match=r"'dsk'.*did you mean 'disk'"):
        replay(stream(rows, devices=["dsk"]), model)


@pytest.mark.parametrize(("computed", "ticks"), [(999, 0), (1000, 1), (1990, 1), (1995, 2), (5000, 5)])
def test_timer_ticks_at_and_around_their_period(computed: int, ticks: int) -> None:
    """A tick every 1000 ns takes 5 ns, which lengthen the run: 1995 ns of computation and one tick reach the second."""
    rows = [{"kind": K["user_compute"], "user_ns": computed}]
    outcome = replay(stream(rows), simple_model(INTERRUPTS), timer=10**6)
    assert outcome.counts.events[K["interrupt"]] == ticks
    assert cycles(outcome.vcpus[0]) == (computed + 5 * ticks, 0, 0, computed + 5 * ticks)


def test_ticks_grow_in_number_as_the_run_dilates() -> None:
    rows = [{"kind": K["syscall"], "count": 1}] * 100
    slow = replay(stream(rows), simple_model({"syscall": "500 cycles", **INTERRUPTS}), timer=10**6)
    fast = replay(stream(rows), simple_model({"syscall": "50 cycles", **INTERRUPTS}), timer=10**6)
    assert (slow.counts.events[K["interrupt"]], fast.counts.events[K["interrupt"]]) == (50, 5)


def test_ticks_wake_an_idle_virtual_cpu_for_as_long_as_they_take() -> None:
    rows = [{"kind": K["syscall"], "waits": 0, "wait_latency_ns": 2500}]
    outcome = replay(stream(rows), simple_model({"syscall": "1 cycles", **INTERRUPTS}), timer=10**6)
    assert cycles(outcome.vcpus[0]) == (11, 0, 2490, 2501)


def test_a_timer_that_leaves_no_time_is_refused() -> None:
    with pytest.raises(RunError, match="a timer tick takes 0.000001000000 s"):
        replay(
            stream([{"kind": K["halt"]}]),
            simple_model({"halt": "1 cycles", "interrupt": "1000 cycles", "interrupt_completion": "0 cycles"}),
            timer=10**6,
        )


def test_a_halt_sleeps_until_the_next_interrupt() -> None:
    rows = [{"kind": K["halt"], "completion": BLOCKING}, {"kind": K["syscall"]}]
    outcome = replay(stream(rows), simple_model({"halt": "7 cycles", "syscall": "1 cycles", **INTERRUPTS}), timer=10**6)
    assert cycles(outcome.vcpus[0]) == (7 + 5 + 1, 0, 993, 1006)


def test_a_halt_that_nothing_interrupts_is_an_error() -> None:
    with pytest.raises(RunError, match="virtual CPU 0 halts, in row 0, and nothing will interrupt it"):
        replay(stream([{"kind": K["halt"], "completion": BLOCKING}]), simple_model({"halt": "1 cycles"}))


@pytest.mark.parametrize(
    ("slice_ns", "ends"), [(100, (100, 200)), (50, (150, 200)), (99, (199, 200)), (101, (100, 200))]
)
def test_two_virtual_cpus_share_a_physical_one_in_slices(slice_ns: int, ends: tuple[int, int]) -> None:
    rows = [{"kind": K["user_compute"], "user_ns": 100}]
    outcome = replay(stream(rows, rows), simple_model(physical_cpus=1, time_slice_ns=slice_ns))
    assert [cpu.end // CYCLE for cpu in outcome.vcpus] == list(ends)
    assert [cycles(cpu)[1] for cpu in outcome.vcpus] == [ends[0] - 100, 100]
    assert cycles(outcome.physical_cpus[0]) == (200, 0, 0, 200)


@pytest.mark.parametrize("halts", [1, 2, 5])
def test_so_many_halts_end_at_so_many_ticks(halts: int) -> None:
    rows = [{"kind": K["halt"], "count": halts, "completion": BLOCKING}]
    outcome = replay(stream(rows), simple_model({"halt": "1 cycles", **INTERRUPTS}), timer=10**6)
    assert outcome.counts.events[K["interrupt"]] == halts
    assert outcome.makespan == (halts * 1000 + 5) * CYCLE


def test_a_halt_ends_with_a_request_that_is_under_way() -> None:
    rows = [
        {"kind": K["disk_request"], "device": 0, "completion": ASYNCHRONOUS},
        {"kind": K["halt"], "completion": BLOCKING},
    ]
    model = simple_model({"disk_request": "0 cycles", "halt": "1 cycles", **INTERRUPTS}, devices={"d": Device(100)})
    assert cycles(replay(stream(rows, devices=["d"]), model).vcpus[0]) == (6, 0, 99, 105)


def test_the_interrupt_of_a_second_request_comes_before_what_is_posted_after_it() -> None:
    """Requests end at 100 and 250; the row that posts computes until 305 with the first interrupt, 310 with both."""
    request = {"kind": K["disk_request"], "device": 0, "completion": ASYNCHRONOUS}
    poster = [request, {"kind": K["user_compute"], "user_ns": 140}, {"kind": K["user_compute"], "user_ns": 10}, request]
    poster += [{"kind": K["user_compute"], "user_ns": 150}, {"kind": K["wake"], "posts": 1}]
    waiter = [{"kind": K["syscall"], "waits": 1}]
    costs = {"disk_request": "0 cycles", "wake": "0 cycles", "syscall": "1 cycles", **INTERRUPTS}
    outcome = replay(stream(poster, waiter, devices=["d"]), simple_model(costs, devices={"d": Device(100)}))
    assert cycles(outcome.vcpus[0]) == (140 + 10 + 150 + 2 * 5, 0, 0, 310)
    assert outcome.vcpus[1].end == 311 * CYCLE


def test_physical_cpus_are_taken_by_the_lowest_number() -> None:
    """At 20 both physical CPUs are free, 1 for longer; at 60 they are again: each time number 0 is taken."""
    first = [{"kind": K["user_compute"], "user_ns": 10}, {"kind": K["syscall"], "waits": 0, "wait_latency_ns": 60}]
    second = [{"kind": K["user_compute"], "user_ns": 10}, {"kind": K["syscall"], "waits": 0, "wait_latency_ns": 20}]
    third = [{"kind": K["user_compute"], "user_ns": 5}]
    events = stream(third, first, second)
    outcome = replay(events, simple_model({"syscall": "30 cycles"}, physical_cpus=2))
    assert [cpu.busy // CYCLE for cpu in outcome.physical_cpus] == [5 + 10 + 30 + 30, 10]
    assert sum(cpu.busy for cpu in outcome.physical_cpus) == outcome.busy


def test_the_time_of_a_transfer_is_rounded_up() -> None:
    assert Device(0, bytes_per_second=3).request_ns(1) == 333_333_334
    assert Device(7).request_ns(10**9) == 7


REQUEST = {"kind": K["disk_request"], "device": 0, "completion": ASYNCHRONOUS}
HALT = {"kind": K["halt"], "completion": BLOCKING}


def with_a_disk(rows: Sequence[Mapping[str, int]], timer: int | None = None) -> Outcome:
    """Replay rows on one virtual CPU, with a disk that takes 100 ns."""
    model = simple_model({"disk_request": "0 cycles", "halt": "1 cycles", **INTERRUPTS}, devices={"d": Device(100)})
    return replay(stream(rows, devices=["d"]), model, timer)


@pytest.mark.parametrize("computed", [50, 200])
def test_a_halt_for_a_request_is_over_if_the_request_completed_before_it(computed: int) -> None:
    rows = [REQUEST, {**HALT, "user_ns": computed}]
    outcome = with_a_disk(rows)
    assert cycles(outcome.vcpus[0]) == (computed + 1 + 5, 0, max(0, 100 - computed - 1), max(100, computed + 1) + 5)
    with pytest.raises(RunError, match="halts, in row 2, and nothing will interrupt it"):
        with_a_disk([*rows, HALT])


@pytest.mark.parametrize("computed", [0, 10, 50, 94, 95, 99, 100, 101, 150, 195, 200, 205, 1000])
def test_so_many_requests_end_so_many_halts(computed: int) -> None:
    """However long the guest computes between its requests: a completion that came early is not forgotten."""
    rows = [REQUEST, {**REQUEST, "user_ns": computed}, HALT, {**HALT, "user_ns": 40}]
    outcome = with_a_disk(rows)
    assert outcome.counts.events[K["interrupt"]] == 2
    assert outcome.counts.events[K["halt"]] == 2
    with pytest.raises(RunError, match="halts, in row 4, and nothing will interrupt it"):
        with_a_disk([*rows, HALT])


def test_a_halt_does_not_sleep_for_a_request_that_completed_before_it() -> None:
    """The first request is done at 100, the second at 250; what is computed between the halts does not wait for it."""
    outcome = with_a_disk([REQUEST, {**REQUEST, "user_ns": 150}, HALT, {**HALT, "user_ns": 60}])
    assert cycles(outcome.vcpus[0]) == (150 + 5 + 1 + 60 + 1 + 5, 0, 255 - 217, 260)


def test_a_request_that_blocks_has_waited_for_its_completion() -> None:
    blocking = {**REQUEST, "completion": BLOCKING, "count": 2}
    with pytest.raises(RunError, match="halts, in row 1, and nothing will interrupt it"):
        with_a_disk([blocking, HALT])
    assert with_a_disk([REQUEST, blocking, HALT]).counts.events[K["interrupt"]] == 3


def test_with_a_timer_a_halt_ends_with_a_tick_or_a_completion_that_came() -> None:
    early = with_a_disk([REQUEST, {**HALT, "user_ns": 200}], timer=10**6)
    assert early.vcpus[0].idle == 0
    twice = with_a_disk([REQUEST, {**HALT, "user_ns": 200}, HALT], timer=10**6)
    assert cycles(twice.vcpus[0]) == (200 + 5 + 1 + 1 + 5, 0, 1000 - 207, 1005)


@pytest.mark.parametrize("signal", [0, 5])
def test_a_signal_is_posted_once(signal: int) -> None:
    rows = [{"kind": K["syscall"], "posts": 5}, {"kind": K["syscall"], "posts": signal}]
    with pytest.raises(RunError, match=f"signal {signal} is posted a second time"):
        replay(stream(rows), simple_model({"syscall": "1 cycles"}))


def test_a_sleeping_virtual_cpu_leaves_its_physical_cpu_to_others() -> None:
    sleeper = [{"kind": K["user_compute"], "user_ns": 10}, {"kind": K["syscall"], "waits": 0, "wait_latency_ns": 100}]
    worker = [{"kind": K["user_compute"], "user_ns": 80}]
    outcome = replay(stream(sleeper, worker), simple_model({"syscall": "1 cycles"}, physical_cpus=1))
    assert cycles(outcome.vcpus[0]) == (11, 0, 90, 101)
    assert cycles(outcome.vcpus[1]) == (80, 10, 0, 90)


def test_ties_go_to_the_lower_number_and_to_the_first_in_the_queue() -> None:
    """Three virtual CPUs on one physical CPU, all ready at time 0: they run in the order of their numbers."""
    rows = [{"kind": K["user_compute"], "user_ns": 10}]
    outcome = replay(stream(rows, rows, rows), simple_model(physical_cpus=1))
    assert [cpu.end // CYCLE for cpu in outcome.vcpus] == [10, 20, 30]


@pytest.mark.parametrize(("worker", "sleeper"), [(0, 1), (1, 0)])
@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_at_one_moment_the_lower_number_goes_first_however_its_rows_are_cut(
    worker: int, sleeper: int, pieces: int
) -> None:
    """At 110 a worker's slice ends, just as a sleeper wakes up and wants the physical CPU: the lower number is first.

    A worker looks whether anybody wants its physical CPU; it goes on for another slice if nobody does yet.
    """
    begin = {"kind": K["wake"], "waits": 0, "wait_latency_ns": 10}
    rows = {
        worker: [begin, *[{"kind": K["user_compute"], "user_ns": 200 // pieces}] * pieces],
        sleeper: [{"kind": K["syscall"], "waits": 0, "wait_latency_ns": 110}],
    }
    model = simple_model({"syscall": "1 cycles", "wake": "0 cycles"}, physical_cpus=1, time_slice_ns=100)
    outcome = replay(stream(rows[0], rows[1]), model)
    ends = {number: outcome.vcpus[number].end // CYCLE for number in (worker, sleeper)}
    assert ends == ({worker: 211, sleeper: 111} if sleeper < worker else {worker: 210, sleeper: 211})


def test_an_event_without_a_recipe_is_an_error_that_names_it() -> None:
    with pytest.raises(ModelError, match="'simple' has no recipe for the event 'cpuid'"):
        replay(stream([{"kind": K["cpuid"]}]), simple_model({"syscall": "1 cycles"}))


class PageCache(Mechanism):
    """Reads page faults; remembers pages; emits `first` for a page seen first, else `again`. A mechanism with state."""

    name = "page_cache"
    schema = Parameters

    def __init__(self, parameters: Parameters) -> None:
        self._seen: set[int] = set()

    def reads(self) -> frozenset[int]:
        return frozenset({K["page_fault"]})

    def emits(self) -> frozenset[str]:
        return frozenset({"first", "again"})

    def serve(self, event: Event, emit: Emit) -> None:
        new = event.page not in self._seen
        self._seen.add(event.page)
        emit("first", int(new))
        emit("again", event.count - int(new))


def test_a_mechanism_with_state_is_asked_row_by_row_and_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BY_NAME, PageCache.name, PageCache)
    simple = simple_model({"syscall": "1 cycles"})
    costs = cost_table(
        {
            "syscall": "1 cycles",
            "user_compute": "1 ns",
            "kernel_compute": "1 ns",
            "first": "100 cycles",
            "again": "10 cycles",
        }
    )
    model = replace(simple, mechanisms={**simple.mechanisms, "page_cache": Parameters()}, costs=costs)
    rows = [
        {"kind": K["page_fault"], "page": 1, "count": 3},
        {"kind": K["syscall"], "count": 5},
        {"kind": K["page_fault"], "page": 2, "user_ns": 7},
        {"kind": K["page_fault"], "page": 1},
    ]
    for cuts in ([], [1, 2, 3]):
        outcome = replay(stream(rows, cuts=cuts), model)
        assert outcome.counts.actions[K["page_fault"], "first"] == 2
        assert outcome.counts.actions[K["page_fault"], "again"] == 3
        assert outcome.counts.events[K["page_fault"]] == 5
        assert cycles(outcome.vcpus[0]) == (2 * 100 + 3 * 10 + 5 + 7, 0, 0, 242)
        assert sum(share.ticks for share in price(outcome.counts, costs)) == outcome.busy


@pytest.mark.parametrize(("action", "n"), [("frist", 1), ("first", -1)])
def test_a_mechanism_may_only_take_actions_that_it_declares(
    monkeypatch: pytest.MonkeyPatch, action: str, n: int
) -> None:
    monkeypatch.setitem(BY_NAME, PageCache.name, PageCache)
    monkeypatch.setattr(PageCache, "serve", lambda self, event, emit: emit(action, n))
    costs = cost_table({"user_compute": "1 ns", "kernel_compute": "1 ns", "first": "1 cycles", "again": "1 cycles"})
    simple = simple_model()
    model = replace(simple, mechanisms={**simple.mechanisms, "page_cache": Parameters()}, costs=costs)
    with pytest.raises(ModelError, match=f"took {n} of '{action}', which it does not declare"):
        replay(stream([{"kind": K["page_fault"]}]), model)


def test_no_mechanism_with_state_may_serve_computation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BY_NAME, PageCache.name, PageCache)
    monkeypatch.setattr(PageCache, "reads", lambda self: frozenset({K["user_compute"]}))
    costs = cost_table({"user_compute": "1 ns", "kernel_compute": "1 ns", "first": "1 cycles", "again": "1 cycles"})
    simple = simple_model()
    model = replace(simple, mechanisms={**simple.mechanisms, "page_cache": Parameters()}, costs=costs)
    with pytest.raises(ModelError, match="'user_compute' is priced by the nanosecond"):
        replay(stream([{"kind": K["user_compute"], "user_ns": 1}]), model)
