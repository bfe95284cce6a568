"""Times under other prices, along the graph of waits: where it holds, the outcome is that of a replay."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import K, simple_model, stream
from test_engine_equality import changed, faults, models, programs, shipped

from simulator.engine import ENGINES
from simulator.engine.base import Outcome, Replay
from simulator.engine.tracing import Graph, is_traceable, trace
from simulator.model import CostModel
from simulator.replays import graph_as_document, graph_from_document
from simulator.retime import Times, retime
from simulator.spec.build import load_workload
from simulator.spec.library import find
from simulator.stream import AS_RECORDED, BLOCKING, START_SIGNAL, EventStream
from simulator.units import TICKS_PER_CYCLE, Cost

Prices = Mapping[str, int]
"""What some actions cost, in cycles."""


def at_prices(model: CostModel, prices: Prices) -> CostModel:
    entries = {
        action: replace(entry, cost=Cost(Fraction(prices[action]), in_cycles=True), low=None, high=None)
        if action in prices
        else entry
        for action, entry in model.costs.entries.items()
    }
    return replace(model, costs=replace(model.costs, entries=entries))


def retimed(graph: Graph, several: list[CostModel]) -> Times:
    ticks = [[model.start().ticks[action] for action in graph.actions] for model in several]
    per_ns = np.array([model.machine.clock.ticks_per_ns for model in several], dtype=object)
    return retime(graph, np.array(ticks, dtype=object).reshape(len(several), len(graph.actions)), per_ns)


def replayed(events: EventStream, model: CostModel) -> Outcome:
    return ENGINES["reference"].run(Replay(events, model))


def are_replays_where_they_hold(events: EventStream, several: list[CostModel]) -> None:
    """Hold the times along the graph of the first model's replay equal to replays, at all prices at which they hold."""
    outcome, graph = trace(Replay(events, several[0]))
    assert graph is not None
    times = retimed(graph, several)
    for row, priced in enumerate(several):
        if times.holds[row]:
            assert times.outcome(row, outcome) == replayed(events, priced)


@settings(max_examples=300, deadline=None)
@given(programs() | faults(), models(), st.data())
def test_where_it_holds_it_is_the_replay(
    program: list[list[dict[str, int]]], model: CostModel, data: st.DataObject
) -> None:
    """Rows of up to three virtual CPUs that meet in spaces, tables, sites and caches so small that they overflow."""
    events = stream(*[[{**row, "completion": AS_RECORDED} for row in rows] for rows in program], devices=["disk"])
    model = replace(model, machine=replace(model.machine, physical_cpus=None))
    prices = st.dictionaries(st.sampled_from(sorted(model.start().ticks)), st.integers(0, 3000), max_size=5)
    several = [model, *(at_prices(model, each) for each in data.draw(st.lists(prices, min_size=3, max_size=6)))]
    outcome, graph = trace(Replay(events, model))
    assert outcome == replayed(events, model)
    if graph is None:
        return
    times = retimed(graph, several)
    for row, priced in enumerate(several):
        if times.holds[row]:
            assert times.outcome(row, outcome) == replayed(events, priced)


TOUCHES = st.fixed_dictionaries(
    {
        "kind": st.just(K["touch"]),
        "space": st.sampled_from([1, 1, 1, 2]),
        "page": st.integers(0, 2),
        "user_ns": st.integers(0, 1000),
    }
)
"""Look-ups of one virtual CPU, most of them in a space of its own."""


@settings(max_examples=200, deadline=None)
@given(
    st.lists(TOUCHES, min_size=4, max_size=12),
    st.integers(2, 3),
    st.lists(st.integers(0, 20_000), min_size=8, max_size=8),
)
def test_where_it_holds_a_dead_space_frees_what_it_freed(
    touches: list[dict[str, int]], entries: int, prices: list[int]
) -> None:
    """The other virtual CPU destroys a space, sooner or later, that a small TLB may have lost before.

    In a space that both look up rows meet so often that it does not show whether those of a dead one are known to meet.
    """
    events = stream([{"kind": K["rdtsc"]}, {"kind": K["space_destroy"], "space": 2}], touches)
    model = changed("pentium4-672/native", {"tlb": {"entries": entries, "tagged": True}})
    several = [at_prices(model, {"rdtsc": cycles}) for cycles in (10**6, *prices)]
    are_replays_where_they_hold(events, several)


@pytest.mark.parametrize(
    ("name", "action"), [("pentium4-672/hardware-vmm", "vm_exit"), ("pentium4-672/software-vmm", "trap")]
)
def test_it_holds_for_recordings(name: str, action: str) -> None:
    """A compile job on two virtual CPUs under models with state: from a quarter of a price to twice it, all hold."""
    workload = load_workload(find("recorded/compile-2files-j2", "workload", Path()))[1]
    model = shipped(name)
    several = [at_prices(model, {action: cycles}) for cycles in (500, 1931, 4000)]
    outcome, graph = trace(Replay(workload.stream, model))
    assert graph is not None
    times = retimed(graph, several)
    assert times.holds.tolist() == [True] * 3
    fast = ENGINES["fast"].run_all([Replay(workload.stream, each) for each in several])
    assert [times.outcome(row, outcome) for row in range(3)] == fast


SPACE = {"space": 1, "page": 5}
TRACED = {"kind": K["pte_modify"], "space": 3, "page": 600}
KERNEL_CODE = {"kind": K["kernel_code"], "site": 4, "size": 30}
MEETINGS: dict[str, tuple[str, list[dict[str, int]], list[dict[str, int]]]] = {
    "a page of a space": (
        "pentium4-672/hardware-vmm",
        [{"kind": K["touch"], **SPACE}],
        [{"kind": K["touch"], **SPACE}],
    ),
    "a dead space in a TLB": (
        "pentium4-672/native",
        [{"kind": K["touch"], **SPACE}, {"kind": K["cpuid"]}, {"kind": K["touch"], **SPACE, "user_ns": 10**6}],
        [{"kind": K["space_destroy"], "space": 1, "user_ns": 50_000}],
    ),
    "a dead space that a TLB held before it was full": (
        "pentium4-672/native",
        [
            {"kind": K["touch"], "space": 2, "page": 10},
            {"kind": K["touch"], "space": 1, "page": 20},
            {"kind": K["touch"], "space": 2, "page": 100, "count": 62},
            {"kind": K["touch"], "space": 2, "page": 40, "user_ns": 100_000},
            {"kind": K["touch"], "space": 2, "page": 10},
        ],
        [{"kind": K["space_destroy"], "space": 1, "user_ns": 50_000}],
    ),
    "a table of a dead space": (
        "pentium4-672/hardware-vmm",
        [{"kind": K["touch"], "space": 2, "page": 9}, {"kind": K["space_destroy"], "space": 2}],
        [TRACED],
    ),
    "a fault in a space that dies": (
        "lookahead/hardware-vmm-resync",
        [
            {"kind": K["page_fault"], "space": 1, "page": 600},
            {"kind": K["pte_set"], "space": 1, "page": 600, "user_ns": 10**8},
        ],
        [{"kind": K["space_destroy"], "space": 1}],
    ),
    "a piece of code": ("pentium4-672/software-vmm", [KERNEL_CODE], [KERNEL_CODE]),
    "a site": (
        "pentium4-672/software-vmm",
        [{"kind": K["mmio_write"], "site": 7, "count": 3}],
        [{"kind": K["mmio_write"], "site": 7}],
    ),
    "memory in use": (
        "lookahead/nested-paging",
        [{"kind": K["pte_set"], "space": 1, "page": 1, "count": 200_000}],
        [{"kind": K["pte_set"], "space": 2, "page": 1, "count": 200_000}],
    ),
}
"""Who meets where: rows of one virtual CPU, and of another, whose actions hang on who comes first."""


@pytest.mark.parametrize("name", MEETINGS)
def test_rows_that_meet_are_known_to(name: str) -> None:
    """The second virtual CPU comes late, or first, as what it does before its rows is dear or free."""
    model_name, first, second = MEETINGS[name]
    model = shipped(model_name)
    (before,) = model.start().recipe(K["rdtsc"]) or {}
    late, early = (at_prices(model, {before: cycles}) for cycles in (20_000_000, 0))
    events = stream([{"kind": K["user_compute"], "user_ns": 1000}, *first], [{"kind": K["rdtsc"]}, *second])
    outcome, graph = trace(Replay(events, late))
    assert replayed(events, early).vcpu_counts != outcome.vcpu_counts, "else there is nothing to know"
    assert graph is not None
    assert retimed(graph, [late, early]).holds.tolist() == [True, False]


def two_in_one_space(first_ns: int) -> EventStream:
    """Two virtual CPUs that touch one page of one space, with nothing to say who comes first but their times."""
    touch = {"kind": K["touch"], "space": 1, "page": 5}
    return stream([{**touch, "user_ns": first_ns}], [{"kind": K["cpuid"]}, {**touch, "user_ns": 500}])


def test_it_does_not_hold_where_rows_that_meet_would_change_places() -> None:
    model = shipped("pentium4-672/hardware-vmm")
    several = [at_prices(model, {"emulate_instruction": 0, "handle_other_exit": cycles}) for cycles in (0, 10**6)]
    outcome, graph = trace(Replay(two_in_one_space(100_000), several[0]))
    assert graph is not None
    assert len(graph.before) == 1
    times = retimed(graph, several)
    assert times.holds.tolist() == [True, False]
    assert replayed(two_in_one_space(100_000), several[1]).vcpu_counts != outcome.vcpu_counts


def free(model: CostModel) -> CostModel:
    return at_prices(model, dict.fromkeys(model.start().ticks.keys() - {"compute"}, 0))


def test_of_rows_that_meet_at_one_moment_the_lower_number_goes_first() -> None:
    """At all prices, if it came there by itself: so copies side by side are timed again."""
    rows = [{"kind": K["touch"], "space": 1, "page": 5, "user_ns": 100}, {"kind": K["cpuid"], "count": 3}]
    events, model = stream(rows, rows, rows), shipped("pentium4-672/hardware-vmm")
    several = [model, free(model), *(at_prices(model, {"vm_exit": cycles}) for cycles in (0, 777, 10**5))]
    outcome, graph = trace(Replay(events, model))
    assert graph is not None
    assert len(graph.before) > 0
    times = retimed(graph, several)
    assert times.holds.all()
    for row, priced in enumerate(several):
        assert times.outcome(row, outcome) == replayed(events, priced)


def test_one_that_a_wait_brought_to_a_moment_is_not_known_to_go_first() -> None:
    """The second posts at 500, where all three are; the first looks its page up when it has been woken, last of all."""
    touch = {"kind": K["touch"], "space": 1, "page": 5}
    first = [{**touch, "waits": 1}]
    events = stream(first, [{**touch, "user_ns": 500}], [{"kind": K["cpuid"], "user_ns": 500, "posts": 1}])
    model = free(shipped("pentium4-672/hardware-vmm"))
    late = at_prices(model, {"handle_other_exit": 1})
    outcome, graph = trace(Replay(events, late))
    assert graph is not None
    assert retimed(graph, [late, model]).holds.tolist() == [True, False]
    assert replayed(events, late) == retimed(graph, [late]).outcome(0, outcome)
    swapped = stream([{**touch, "user_ns": 500}], first, [{"kind": K["cpuid"], "user_ns": 500, "posts": 1}])
    outcome, graph = trace(Replay(swapped, late))
    assert graph is not None
    times = retimed(graph, [late, model])
    assert times.holds.all()
    assert times.outcome(1, outcome) == replayed(swapped, model)


@st.composite
def alike(draw: st.DrawFn) -> list[list[dict[str, int]]]:
    """Virtual CPUs that do nearly the same, so that rows of several stand at one moment; some wait for each other."""
    few, spaces, pages = st.sampled_from([0, 0, 10]), st.integers(1, 2), st.integers(0, 2)
    kinds, mostly = st.sampled_from(["touch", "touch", "cpuid", "pte_set", "space_destroy"]), st.integers(0, 4)
    vcpus: list[list[dict[str, int]]] = [[] for _ in range(draw(st.integers(2, 3)))]
    posted: list[int] = []
    for number in range(1, draw(st.integers(2, 8))):
        row = {"kind": K[draw(kinds)], "user_ns": draw(few), "space": draw(spaces), "page": draw(pages)}
        for rows in vcpus:
            if draw(mostly):
                rows.append(row)
        if posted and draw(mostly) < 2:
            woken = {"kind": K["touch"], "space": 1, "page": 1, "waits": draw(st.sampled_from(posted))}
            draw(st.sampled_from(vcpus)).append({**woken, "wait_latency_ns": draw(few)})
        if draw(mostly) < 2:
            poster = {"kind": K["cpuid"], "posts": number, "post_delay_ns": draw(few)}
            draw(st.sampled_from(vcpus)).append(poster)
            posted.append(number)
    return [rows or [{"kind": K["cpuid"]}] for rows in vcpus]


@settings(max_examples=400, deadline=None)
@given(alike(), st.sampled_from(["native", "hardware-vmm", "software-vmm"]), st.data())
def test_where_it_holds_at_one_moment_it_is_the_replay(
    program: list[list[dict[str, int]]], name: str, data: st.DataObject
) -> None:
    events = stream(*program)
    model = free(changed(f"pentium4-672/{name}", {"tlb": {"entries": 2}}))
    prices = st.dictionaries(st.sampled_from(sorted(model.start().ticks)), st.sampled_from([0, 38, 76]), max_size=4)
    several = [at_prices(model, each) for each in data.draw(st.lists(prices, min_size=4, max_size=6))]
    are_replays_where_they_hold(events, several)


def test_of_rows_after_a_change_the_first_of_each_virtual_cpu_is_checked() -> None:
    """The others come after the first in any case, as all before the last before the change did."""
    touch = {"kind": K["touch"], "space": 1, "page": 5, "user_ns": 1000}
    events = stream(
        [touch, *[{**touch, "space": 2}] * 100], [{"kind": K["space_destroy"], "space": 1, "user_ns": 3000}]
    )
    _, graph = trace(Replay(events, shipped("pentium4-672/native")))
    assert graph is not None
    assert len(graph.before) == 3, "the look-up of the space, the last row before it was torn down, the first after"


def test_a_wait_settles_who_comes_first() -> None:
    touch = {"kind": K["touch"], "space": 1, "page": 5}
    events = stream([{**touch, "posts": 1, "post_delay_ns": 7}], [{**touch, "waits": 1, "wait_latency_ns": 3}])
    model = shipped("pentium4-672/hardware-vmm")
    outcome, graph = trace(Replay(events, model))
    assert graph is not None
    assert len(graph.before) == 0
    assert retimed(graph, [model]).outcome(0, outcome) == replayed(events, model)


def test_rows_that_leave_an_adapted_site_as_it_is_may_change_places() -> None:
    """The first row adapts the site, and the wait settles that; after it two virtual CPUs write there, either first."""
    write = {"kind": K["mmio_write"], "site": 7}
    first = [{**write, "count": 3, "posts": 1}, {"kind": K["rdtsc"], "count": 9}, {**write, "user_ns": 400}]
    events = stream(first, [{**write, "waits": 1, "user_ns": 1}, {**write, "user_ns": 500}])
    model = shipped("pentium4-672/software-vmm")
    several = [at_prices(model, {"execute_rdtsc": cycles, "rdtsc": cycles}) for cycles in (0, 90, 10**4)]
    outcome, graph = trace(Replay(events, several[0]))
    assert graph is not None
    assert len(graph.before) == 0
    assert [retimed(graph, several).outcome(row, outcome) for row in range(3)] == [replayed(events, m) for m in several]
    traps = [{**write, "posts": 1}, {**write, "user_ns": 400}]
    _, graph = trace(Replay(stream(traps, [{**write, "waits": 1}, {**write, "user_ns": 500}]), model))
    assert graph is not None
    assert len(graph.before) > 0, "the second trap adapts it, whoever comes second"


def test_the_closed_form_of_a_wait() -> None:
    """One virtual CPU ends at a + 3c, the other waits for it, d + l later, or for itself, b; then it takes c more."""
    a, b, d, l = 100, 190, 20, 30  # noqa: E741 (latency)
    events = stream(
        [{"kind": K["syscall"], "count": 3, "user_ns": a, "posts": 1, "post_delay_ns": d}],
        [{"kind": K["syscall"], "user_ns": b, "waits": 1, "wait_latency_ns": l}],
    )
    model = simple_model({"syscall": "1 cycles"})
    _, graph = trace(Replay(events, model))
    assert graph is not None
    several = [at_prices(model, {"syscall": c}) for c in (0, 13, 14, 100)]
    ns = model.machine.clock.ticks_per_ns
    found = retimed(graph, several)
    assert found.ends.tolist() == [[(a + 3 * c) * ns, (max(a + 3 * c + d + l, b) + c) * ns] for c in (0, 13, 14, 100)]
    assert found.busy.tolist() == [[(a + 3 * c) * ns, (b + c) * ns] for c in (0, 13, 14, 100)]


def test_what_may_be_beyond_64_bits_does_not_hold() -> None:
    events = stream([{"kind": K["syscall"], "count": 10**9}])
    model = simple_model({"syscall": "1 cycles"})
    _, graph = trace(Replay(events, model))
    assert graph is not None
    cycles = 2**62 // TICKS_PER_CYCLE // 10**9
    several = [at_prices(model, {"syscall": each}) for each in (cycles, cycles + 1)]
    assert [retimed(graph, [each]).holds.tolist() for each in several] == [[True], [False]]
    huge = stream([{"kind": K["syscall"], "count": 2**62}])
    assert trace(Replay(huge, model))[1] is None
    faults = stream([{"kind": K["page_fault"], "count": 2**62}])
    assert trace(Replay(faults, shipped("pentium4-672/hardware-vmm")))[1] is None


def test_the_order_of_all_rows_matters_where_shadows_are_dropped() -> None:
    events = stream([{"kind": K["space_switch"], "space": space} for space in range(1, 20)], [{"kind": K["cpuid"]}])
    assert trace(Replay(events, shipped("pentium4-672/hardware-vmm")))[1] is None


@pytest.mark.parametrize(
    ("rows", "timer", "physical_cpus", "expected"),
    [
        ([{"waits": START_SIGNAL}], None, None, True),
        ([{"waits": START_SIGNAL}], Fraction(100), None, False),
        ([{"waits": START_SIGNAL}], None, 1, False),
        ([{"kind": K["disk_request"], "completion": BLOCKING}], None, None, False),
        ([], None, None, False),
    ],
)
def test_only_signals_are_traced(
    rows: list[dict[str, int]], timer: Fraction | None, physical_cpus: int | None, expected: bool
) -> None:
    events = stream([{"kind": K["syscall"]}], [{"kind": K["syscall"], **row} for row in rows], devices=["disk"])
    model = simple_model({"syscall": "1 cycles"}, physical_cpus=physical_cpus)
    assert is_traceable(Replay(events, model, timer)) == expected


def test_a_graph_is_read_back_as_it_was_written() -> None:
    _, graph = trace(Replay(two_in_one_space(100), shipped("pentium4-672/hardware-vmm")))
    assert graph is not None
    written = json.dumps(graph_as_document(graph))
    assert json.dumps(graph_as_document(graph_from_document(json.loads(written)))) == written
