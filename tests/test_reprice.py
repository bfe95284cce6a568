"""Re-pricing: where nothing waits, a replay priced again is the replay that other prices would have given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st
from support import K, simple_model, stream

from simulator.costs import CostEntry, CostTable
from simulator.errors import InputError, ModelError
from simulator.model import CostModel
from simulator.reprice import Repricer, exact_product, reprice, why_recount, why_replay
from simulator.result import Replayed
from simulator.run import replay
from simulator.spec.build import Workload, load_model, load_workload
from simulator.spec.library import root
from simulator.stream import BLOCKING, START_SIGNAL, MemoryStream, write_parquet
from simulator.units import Clock, Cost

pytestmark = pytest.mark.usefixtures("each_engine")

FULL = {
    name: load_model(root() / "cost_models" / f"{name}.yaml")[1]
    for name in ("pentium4-672/hardware-vmm", "pentium4-672/software-vmm", "lookahead/nested-paging")
}
"""Models with state: shadow pages, a TLB, a translation cache, sites that adapt."""
GAPS = st.integers(0, 5000)
KINDS = (
    "syscall",
    "page_fault",
    "pte_set",
    "pte_clear",
    "space_switch",
    "touch",
    "kernel_code",
    "user_compute",
    "rdtsc",
)


def workload(events: MemoryStream, timer: Fraction | None = None, interacts: bool = False) -> Workload:
    batches = (batch for vcpu in range(events.header.vcpus) for batch in events.batches(vcpu))
    kinds = {int(kind) for batch in batches for kind in batch.columns["kind"]} | {K["user_compute"]}
    return Workload("w", events, timer, frozenset(kinds), frozenset(), 0, 0, interacts=interacts)


def replayed(work: Workload, model: CostModel) -> Replayed:
    return replay(support.engine, work, model).replayed


def with_costs(model: CostModel, costs: CostTable) -> CostModel:
    return replace(model, costs=costs, machine=replace(model.machine, clock=costs.clock))


@st.composite
def rows(draw: st.DrawFn) -> dict[str, int]:
    kind = draw(st.sampled_from(KINDS))
    row = {"kind": K[kind], "user_ns": draw(GAPS), "kernel_ns": draw(GAPS)}
    if kind != "user_compute":
        row["count"] = draw(st.integers(1, 3))
    if kind in ("touch", "page_fault", "pte_set", "pte_clear", "space_switch"):
        row |= {"space": draw(st.integers(0, 2)), "page": draw(st.integers(0, 8))}
    if kind in ("pte_set", "pte_clear", "kernel_code"):
        row["site"] = draw(st.integers(0, 3))
    if kind == "kernel_code":
        row["size"] = draw(st.integers(1, 200))
    return row


programs = st.lists(rows(), min_size=1, max_size=30)
prices = st.one_of(
    st.integers(0, 10**8).map(lambda n: Cost(Fraction(n, 1000), in_cycles=True)),
    st.integers(0, 10**5).map(lambda n: Cost(Fraction(n, 10), in_cycles=False)),
)


@st.composite
def tables(draw: st.DrawFn, actions: Sequence[str]) -> CostTable:
    clock = Clock(draw(st.integers(1, 6000)))
    return CostTable({action: CostEntry(draw(prices), "drawn", "assumed") for action in actions}, clock)


@settings(max_examples=100, deadline=None)
@given(st.lists(programs, min_size=1, max_size=4), st.data())
def test_without_state_any_number_of_virtual_cpus_is_priced_again_exactly(
    vcpus: list[list[dict[str, int]]], data: st.DataObject
) -> None:
    model = simple_model(dict.fromkeys(KINDS, "3 cycles") | {"user_compute": "1 ns"})
    _check_law(workload(stream(*vcpus)), model, data)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(FULL)), programs, st.data())
def test_with_state_one_virtual_cpu_is_priced_again_exactly(
    name: str, program: list[dict[str, int]], data: st.DataObject
) -> None:
    _check_law(workload(stream(program)), FULL[name], data)


def _check_law(work: Workload, model: CostModel, data: st.DataObject) -> None:
    """One by one, and in a batch, equal (==) to replays of their own."""
    assert why_replay(work, model) == ""
    found = replayed(work, model)
    changed = data.draw(st.lists(tables(sorted(found.ticks)), min_size=1, max_size=3))
    expected = [replayed(work, with_costs(model, costs)) for costs in changed]
    assert [reprice(found, costs) for costs in changed] == expected
    repricer = Repricer.of(found)
    ticks = repricer.ticks(changed)
    assert repricer.busy(ticks).tolist() == [[cpu.busy for cpu in each.outcome.vcpus] for each in expected]
    assert repricer.makespans(ticks).tolist() == [each.outcome.makespan for each in expected]


ROW: dict[str, int] = {"kind": K["syscall"]}
SHARED: list[tuple[Mapping[str, Any], dict[str, Any], str]] = [
    ({"timer": Fraction(100)}, {}, "a longer run has more ticks of its timer"),
    ({"interacts": True}, {}, "rows wait for signals, requests or interrupts"),
    ({}, {"physical_cpus": 1}, "2 virtual CPUs wait for 1 physical"),
    ({}, {"physical_cpus": 2}, ""),
    ({}, {"physical_cpus": 3}, ""),
]


@pytest.mark.parametrize(("more", "machine", "why"), SHARED)
def test_why_other_prices_need_a_replay(more: Mapping[str, Any], machine: dict[str, Any], why: str) -> None:
    work = workload(stream([ROW], [ROW]), **more)
    model = simple_model(
        {"syscall": "3 cycles", "interrupt": "1 cycles", "interrupt_completion": "1 cycles"}, **machine
    )
    assert why_replay(work, model) == why
    found = replayed(work, model)
    if why:
        for again in (lambda: reprice(found, model.costs), lambda: Repricer.of(found)):
            with pytest.raises(InputError, match=f"workload 'w' under 'simple': other prices need a replay: {why}"):
                again()
    else:
        assert reprice(found, model.costs) == found


def test_state_that_several_virtual_cpus_meet_needs_a_replay_if_the_workload_has_such_events() -> None:
    model = FULL["pentium4-672/hardware-vmm"]
    faults = [{"kind": K["page_fault"], "space": 1, "page": 1}]
    why = why_replay(workload(stream(faults, faults)), model)
    assert why == "the order in which 2 virtual CPUs meet the state of shadow_paging hangs on time"
    assert why_replay(workload(stream([ROW], [ROW])), model) == ""
    assert why_replay(workload(stream(faults)), model) == ""
    assert why_recount(workload(stream(faults, faults)), model) == why
    assert why_recount(workload(stream(faults)), model) == ""


def test_what_only_waits_is_counted_as_before() -> None:
    model = FULL["pentium4-672/hardware-vmm"]
    assert why_recount(workload(stream([ROW]), interacts=True), model) == ""
    assert (
        why_recount(workload(stream([ROW]), timer=Fraction(100)), model) == "a longer run has more ticks of its timer"
    )
    requests = replace(
        workload(stream([{"kind": K["page_fault"], "space": 1, "page": 1}])), devices=frozenset({"disk"})
    )
    assert "rows and the interrupts of requests meet the state of shadow_paging" in why_recount(requests, model)
    assert why_recount(requests, simple_model({"page_fault": "1 cycles"})) == ""


def test_an_action_without_a_cost_is_an_error() -> None:
    found = replayed(workload(stream([ROW])), simple_model({"syscall": "3 cycles"}))
    costs = CostTable({name: found_cost(name) for name in found.ticks if name != "syscall"}, Clock(1000))
    with pytest.raises(ModelError, match="the action 'syscall' has no cost"):
        reprice(found, costs)


def found_cost(name: str) -> CostEntry:
    return CostEntry(Cost.parse("1 cycles"), name, "assumed")


integers = st.integers(0, 2**20) | st.integers(0, 2**70)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(0, 5), st.data())
def test_the_matrix_product_is_exact_however_large(tables: int, vcpus: int, actions: int, data: st.DataObject) -> None:
    def matrix(height: int) -> list[list[int]]:
        row = st.lists(integers, min_size=actions, max_size=actions)
        return data.draw(st.lists(row, min_size=height, max_size=height))

    ticks, counts = matrix(tables), matrix(vcpus)
    expected = [[sum(a * b for a, b in zip(x, y, strict=True)) for y in counts] for x in ticks]
    given = np.array(ticks, dtype=object).reshape(tables, actions)
    assert exact_product(given, counts).tolist() == expected


@pytest.mark.parametrize(
    ("ticks", "counts", "dtype"),
    [(2**31, 2**32 - 1, "int64"), (2**31, 2**32, "object"), (2**53, 2**40, "object"), (2**63, 1, "object")],
)
def test_64_bits_are_used_where_it_is_certain_that_they_fit(ticks: int, counts: int, dtype: str) -> None:
    product = exact_product(np.array([[ticks]], dtype=object), [[counts]])
    assert product.dtype == dtype
    assert product.tolist() == [[ticks * counts]]


def test_a_matrix_of_the_wrong_shape_or_of_floats_is_refused() -> None:
    repricer = Repricer(("a", "b"), ((1, 2),))
    assert repricer.busy(np.array([[1, 2]], dtype=np.uint8)).tolist() == [[5]]
    with pytest.raises(InputError, match="expected a matrix with 2 columns"):
        repricer.busy(np.array([[1]]))
    for floats in (np.array([[1.0, 2.0]]), np.array([[1.5, 2]], dtype=object)):
        with pytest.raises(InputError, match="whole ticks"):
            repricer.busy(floats)


@pytest.mark.parametrize(
    ("step", "interacts"),
    [
        ("{syscall: 3}", False),
        ("{mix: {counts: {syscall: 2, rdtsc: 1}}}", False),
        ("{disk_request: {device: disk, blocking: true}}", True),
        ("{network_request: {device: net, blocking: false}}", True),
        ("{halt: {count: 1, blocking: false}}", False),
        ("{repeat: {times: 3, events: [{rdtsc: 1}, {repeat: {times: 2, events: [{halt: 1}]}}]}}", True),
        ("{arrivals: {count: 5, rates: {syscall: 1 kHz}, of: [{rate: 1 Hz, events: [{halt: 1}]}]}}", True),
    ],
)
def test_a_synthetic_workload_knows_whether_it_interacts(tmp_path: Path, step: str, interacts: bool) -> None:
    path = tmp_path / "w.yaml"
    path.write_text(f"document: workload\ntitle: w\ntimer: 1 Hz\nevents:\n  - {step}\n")
    assert load_workload(path)[1].interacts is interacts


@pytest.mark.parametrize(
    ("row", "interacts"),
    [
        ({}, False),
        ({"idle_ns": 5}, False),
        ({"posts": 1}, True),
        ({"waits": START_SIGNAL}, True),
        ({"kind": K["halt"], "completion": BLOCKING}, True),
        ({"kind": K["halt"]}, False),
    ],
)
def test_a_recording_knows_whether_it_interacts(tmp_path: Path, row: dict[str, int], interacts: bool) -> None:
    path = tmp_path / "w.parquet"
    write_parquet(stream([ROW, {**ROW, **row}]), path)
    assert load_workload(path)[1].interacts is interacts
