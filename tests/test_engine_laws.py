"""The laws of accounting, over generated streams, devices, timers, physical CPUs and time slices."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import K, replay, simple_model, stream

from simulator.costs import price
from simulator.engine.base import Outcome
from simulator.events import COMPUTE_KINDS
from simulator.model import Device
from simulator.stream import ASYNCHRONOUS, BLOCKING, MemoryStream

pytestmark = pytest.mark.usefixtures("each_engine")

COSTS = {
    "syscall": "7 cycles",
    "rdtsc": "0.5 cycles",
    "wake": "0 cycles",
    "halt": "2 cycles",
    "disk_request": "11 cycles",
    "interrupt": "3 cycles",
    "interrupt_completion": "1.25 cycles",
}
_GAPS = st.integers(0, 60)


@st.composite
def rows(draw: st.DrawFn) -> dict[str, int]:
    kind = draw(st.sampled_from(["syscall", "rdtsc", "user_compute", "disk_request", "halt"]))
    row = {"kind": K[kind], "user_ns": draw(_GAPS), "kernel_ns": draw(_GAPS)}
    if kind in ("syscall", "rdtsc", "disk_request"):
        row["count"] = draw(st.integers(1, 3))
    if kind == "disk_request":
        row |= {
            "device": 0,
            "size": draw(st.integers(0, 50)),
            "completion": draw(st.sampled_from([ASYNCHRONOUS, BLOCKING])),
        }
    return row


@st.composite
def programs(draw: st.DrawFn) -> list[list[dict[str, int]]]:
    """Rows for some virtual CPUs, with signals that always point forward in one global order, so none waits in a circle."""
    vcpus: list[list[dict[str, int]]] = [[] for _ in range(draw(st.integers(1, 4)))]
    posted: list[int] = []
    for number in range(draw(st.integers(1, 25))):
        row = draw(rows())
        if draw(st.booleans()) and posted:
            row |= {"waits": draw(st.sampled_from(posted)), "wait_latency_ns": draw(_GAPS)}
        if draw(st.booleans()):
            row |= {"posts": number + 1, "post_delay_ns": draw(_GAPS)}
            posted.append(number + 1)
        draw(st.sampled_from(vcpus)).append(row)
    return [vcpu or [{"kind": K["user_compute"]}] for vcpu in vcpus]


def sleeping(rows: list[dict[str, int]]) -> list[dict[str, int]]:
    """Let each halt of a virtual CPU sleep for which a request before it is left that completes asynchronously."""
    left, made = 0, []
    for row in rows:
        if row.get("completion") == ASYNCHRONOUS:
            left += row["count"]
        elif row["kind"] == K["halt"] and left:
            left -= 1
            made.append({**row, "completion": BLOCKING})
            continue
        made.append(row)
    return made


worlds = st.fixed_dictionaries(
    {
        "physical_cpus": st.none() | st.integers(1, 3),
        "time_slice_ns": st.integers(1, 100),
        "devices": st.builds(lambda s, n: {"disk": Device(s, n, 10**9)}, st.integers(0, 200), st.integers(1, 2)),
    }
)
timers = st.none() | st.sampled_from([Fraction(10**6), Fraction(10**7), Fraction(22_000_000)])


def run(events: MemoryStream, world: dict[str, Any], timer: Fraction | None) -> Outcome:
    return replay(events, simple_model(COSTS, mhz=1500, **world), timer)


@settings(max_examples=300, deadline=None)
@given(programs(), worlds, timers)
def test_accounts_add_up(program: list[list[dict[str, int]]], world: dict[str, Any], timer: Fraction | None) -> None:
    outcome = run(stream(*program, devices=["disk"]), world, timer)
    for cpu in outcome.vcpus:
        assert cpu.busy + cpu.waiting + cpu.idle == cpu.end
        assert min(cpu.busy, cpu.waiting, cpu.idle) >= 0
    for cpu in outcome.physical_cpus:
        assert cpu.busy + cpu.idle == outcome.makespan == cpu.end
        assert min(cpu.busy, cpu.idle) >= 0
    assert sum(cpu.busy for cpu in outcome.physical_cpus) == outcome.busy
    model = simple_model(COSTS, mhz=1500, **world)
    assert sum(share.ticks for share in price(outcome.counts, model.costs)) == outcome.busy


@settings(max_examples=200, deadline=None)
@given(programs(), worlds, timers)
def test_every_event_is_counted_once(
    program: list[list[dict[str, int]]], world: dict[str, Any], timer: Fraction | None
) -> None:
    counts = run(stream(*program, devices=["disk"]), world, timer).counts
    expected: Counter[int] = Counter()
    nanoseconds = 0
    for row in (row for vcpu in program for row in vcpu):
        if row["kind"] not in COMPUTE_KINDS:
            expected[row["kind"]] += row.get("count", 1)
        nanoseconds += row.get("user_ns", 0)
    served = Counter({kind: n for kind, n in counts.events.items() if kind not in COMPUTE_KINDS})
    interrupts = served.pop(K["interrupt"], 0)
    assert served.pop(K["interrupt_completion"], 0) == interrupts
    assert served == expected
    assert counts.actions[K["user_compute"], "user_compute"] == nanoseconds
    if timer is None:
        assert interrupts == expected[K["disk_request"]]
    else:
        assert interrupts >= expected[K["disk_request"]]


@settings(max_examples=150, deadline=None)
@given(programs(), worlds, st.integers(0, 500))
def test_without_a_timer_and_state_waits_move_no_count(
    program: list[list[dict[str, int]]], world: dict[str, Any], cost: int
) -> None:
    """What ``why_recount`` relies on: whatever prices make a virtual CPU wait for, it takes the same actions.

    Halts sleep where they can, and end under all prices.
    """
    events = stream(*map(sleeping, program), devices=["disk"])
    dearer = simple_model({**COSTS, "syscall": f"{cost} cycles", "interrupt": f"{cost} cycles"}, mhz=1500, **world)
    assert replay(events, dearer).vcpu_counts == run(events, world, None).vcpu_counts


@settings(max_examples=150, deadline=None)
@given(programs(), worlds, timers, st.lists(st.integers(0, 25)))
def test_cutting_a_stream_changes_nothing(
    program: list[list[dict[str, int]]], world: dict[str, Any], timer: Fraction | None, cuts: list[int]
) -> None:
    whole = run(stream(*program, devices=["disk"]), world, timer)
    assert run(stream(*program, devices=["disk"], cuts=cuts), world, timer) == whole


@settings(max_examples=100, deadline=None)
@given(programs(), worlds)
def test_a_dearer_event_never_ends_the_run_sooner_where_nothing_is_shared(
    program: list[list[dict[str, int]]], world: dict[str, Any]
) -> None:
    """Without requests (whose completions may fall elsewhere), a delay can only spread along signals."""
    program = [
        [{**row, "kind": K["rdtsc"], "completion": 0} if "device" in row else row for row in rows] for rows in program
    ]
    world = {**world, "physical_cpus": None}
    cheap = run(stream(*program, devices=["disk"]), world, None)
    model = simple_model({**COSTS, "syscall": "9 cycles"}, mhz=1500, **world)
    dear = replay(stream(*program, devices=["disk"]), model)
    assert dear.busy - cheap.busy == cheap.counts.actions[K["syscall"], "syscall"] * 2000
    assert all(later.end >= sooner.end for later, sooner in zip(dear.vcpus, cheap.vcpus, strict=True))
