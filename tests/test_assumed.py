"""What recordings cannot show: rows of assumed touches and kernel code, where they stand and what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import K, stream

from simulator.stream import COLUMN, EventStream, content_hash
from simulator.workload.assumed import Assumed, Assumptions, code_site

ALL = Assumptions(32, Fraction(20), {K["syscall"]: 300, K["page_fault"]: 250})


def listed(events: EventStream) -> list[dict[str, int]]:
    """The rows of virtual CPU 0, without what has its default value."""
    return [
        {name: batch.cell(name, i) for name in COLUMN if batch.cell(name, i) != COLUMN[name].default}
        for batch in events.batches(0)
        for i in range(len(batch))
    ]


def site(kind: str, number: int = -1) -> int:
    return int(code_site(np.array([K[kind]]), np.array([number]))[0])


def test_touches_stand_before_computation_and_kernel_code_behind_events() -> None:
    rows = [
        {"kind": K["syscall"], "number": 39, "count": 3, "user_ns": 100, "waits": 0, "wait_latency_ns": 5, "posts": 1},
        {"kind": K["space_switch"], "space": 7},
        {"kind": K["page_fault"], "page": 4, "user_ns": 60, "kernel_ns": 40},
        {"kind": K["user_compute"], "user_ns": 10**9},
    ]
    assert listed(Assumed(stream(rows), ALL)) == [
        {"kind": K["touch"], "count": 2},
        rows[0],
        {"kind": K["kernel_code"], "count": 3, "size": 300, "site": site("syscall", 39)},
        rows[1],
        {"kind": K["touch"], "count": 2, "space": 7},
        rows[2],
        {"kind": K["kernel_code"], "size": 250, "site": site("page_fault")},
        {"kind": K["touch"], "count": 32, "space": 7},
        rows[3],
    ]


def test_a_page_fault_corrects_the_space_and_one_without_a_space_does_not() -> None:
    compute = {"kind": K["user_compute"], "user_ns": 1}
    fault = {"kind": K["page_fault"]}
    rows = [compute, {**fault, "space": 5}, compute, fault, compute, {"kind": K["space_switch"]}, compute]
    spaces = [row.get("space", -1) for row in listed(Assumed(stream(rows), ALL)) if row["kind"] == K["touch"]]
    assert spaces == [-1, 5, 5, -1]


@pytest.mark.parametrize(
    ("nanoseconds", "pages"), [(0, 0), (1, 1), (99, 1), (100, 2), (1550, 31), (1600, 32), (10**15, 32)]
)
def test_pages_by_computation(nanoseconds: int, pages: int) -> None:
    """min(working set, max(1, g x pages per microsecond / 1000)), on both sides of each threshold."""
    assert ALL.pages(np.array([nanoseconds])).tolist() == [pages]


@given(st.integers(0, 10**16), st.integers(1, 10**9), st.integers(1, 10**12))
def test_pages_are_exact_at_any_size(nanoseconds: int, working_set: int, millionths: int) -> None:
    assumptions = Assumptions(working_set, Fraction(millionths, 10**6))
    exact = min(working_set, max(1, nanoseconds * millionths // 10**9)) if nanoseconds else 0
    assert assumptions.pages(np.array([nanoseconds])).tolist() == [exact]


def test_each_system_call_has_code_of_its_own() -> None:
    sites = {site(kind, number) for kind in ("syscall", "interrupt") for number in range(-1, 500)}
    assert len(sites) == 2 * 501
    assert min(abs(a - b) for a, b in zip(sorted(sites), sorted(sites)[1:], strict=False)) >= 2**20


def test_without_assumptions_nothing_is_inserted() -> None:
    events = stream([{"kind": K["syscall"], "user_ns": 5}, {"kind": K["halt"], "completion": 2}])
    assert content_hash(Assumed(events, Assumptions())) == content_hash(events)


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(
                [K[name] for name in ("syscall", "page_fault", "space_switch", "halt", "user_compute")]
            )
        },
        optional={
            "user_ns": st.integers(0, 3000),
            "kernel_ns": st.integers(0, 3000),
            "space": st.integers(-1, 3),
            "number": st.integers(0, 3),
            "posts": st.integers(1, 3),
            "completion": st.integers(0, 2),
        },
    ),
    min_size=1,
    max_size=12,
)


@given(ROWS, st.lists(st.integers(0, 12)))
def test_cutting_changes_nothing_and_recorded_rows_stay_as_they_were(rows: Sequence[Any], cuts: list[int]) -> None:
    whole, cut = Assumed(stream(rows), ALL), Assumed(stream(rows, cuts=cuts), ALL)
    assert content_hash(whole) == content_hash(cut)
    kept = [row for row in listed(whole) if row["kind"] not in (K["touch"], K["kernel_code"])]
    assert kept == listed(stream(rows))
    assert whole.rows() == len(listed(whole))
    assert whole.kinds() == {row["kind"] for row in listed(whole)}
