"""Workloads as people think of them: parameters, arithmetic, operations, ranges, bodies that arrive, and `extends`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import K

import simulator.workload.arrivals
import simulator.workload.steps
from simulator.errors import SpecError
from simulator.events import BY_CODE, COMPUTE_KINDS, HALT, KINDS, REQUEST_KINDS
from simulator.report.show import document
from simulator.spec.build import check_document, load_experiment, load_operations, load_workload
from simulator.spec.node import plain
from simulator.spec.schemas import json_schema
from simulator.spec.steps import EXAMPLES, StepSpec, synthetic
from simulator.stream import ASYNCHRONOUS, Batch, EventStream, content_hash
from simulator.workload.arrivals import Bodies
from simulator.workload.batches import joined
from simulator.workload.synthetic import Range, SyntheticStream

OPERATIONS = """\
document: operations
title: a small kernel
operations:
  fork:
    about: a process makes another
    parameters: {copied: 3, scale: 2}
    events:
      - syscall: {number: 57}
      - pte_set: $copied
      - page_fault: {product: [$copied, $scale, 0.5]}
      - repeat: {times: $copied, events: [{tlb_flush_page: 1}]}
  exec:
    about: a process becomes another
    parameters: {pages: 4}
    events:
      - fork: {copied: {product: [$pages, 2]}}
      - space_switch: 1
"""


def workload(text: str) -> str:
    return f"document: workload\ntitle: t\n{text}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(OPERATIONS)
    return tmp_path


def write(folder: Path, text: str, name: str = "w.yaml") -> Path:
    path = folder / name
    path.write_text(workload(text))
    return path


def rows(stream: EventStream) -> list[tuple[str, int]]:
    """The events of a stream and their counts, with gaps written as nanoseconds of their own."""
    listed: list[tuple[str, int]] = []
    for batch in stream.batches(0):
        for row in range(len(batch)):
            gap = batch.cell("user_ns", row) + batch.cell("kernel_ns", row)
            if gap:
                listed.append(("ns", gap))
            if batch.cell("kind", row) not in COMPUTE_KINDS:
                listed.append((BY_CODE[batch.cell("kind", row)].name, batch.cell("count", row)))
    return listed


def rows_of(folder: Path, text: str) -> list[tuple[str, int]]:
    return rows(load_workload(write(folder, text))[1].stream)


def faults(folder: Path, text: str, name: str = "w.yaml") -> list[str]:
    """The faults of a document, without the folder."""
    path = folder / name
    path.write_text(workload(text) if name == "w.yaml" else text)
    with pytest.raises(SpecError) as caught:
        check_document(path)
    return [str(fault).replace(f"{folder}/", "") for fault in caught.value.faults]


def stream_of(events: list[dict[str, Any]], seed: int = 1) -> SyntheticStream:
    return synthetic("t", [[StepSpec.model_validate(event) for event in events]], seed)


def all_rows(stream: EventStream) -> Batch:
    return joined(list(stream.batches(0)))


# --- columns ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.code not in COMPUTE_KINDS], ids=lambda kind: kind.name)
def test_an_event_has_the_keys_of_its_columns(kind: Any) -> None:
    keys = {"page": 4, "site": 16, "number": 3, "size": 300, "space": 2, "task": 1}
    wanted: dict[str, Any] = {name: value for name, value in keys.items() if name in {*kind.columns, "space", "task"}}
    if kind.code in REQUEST_KINDS:
        wanted |= {"device": "disk", "size": "300 B", "blocking": False}
    batch = all_rows(stream_of([{kind.name: {"count": 2, **wanted}}]))
    for name in wanted.keys() & keys.keys():
        assert batch.column(name).tolist() == [keys[name]]
    for name in {"page", "site", "number"} - set(kind.columns):
        with pytest.raises(ValueError, match=name):
            stream_of([{kind.name: {**wanted, name: 1}}])
    assert batch.column("completion").tolist() == [2 if kind.code == HALT else int(kind.code in REQUEST_KINDS)]


# --- ranges ----------------------------------------------------------------------------------------------------------


def test_a_range_gives_successive_values_in_a_circle() -> None:
    events = [{"repeat": {"times": 5, "events": [{"touch": {"page": {"range": [7, 10]}, "count": 2}}, {"syscall": 1}]}}]
    batch = all_rows(stream_of(events))
    assert batch.column("page").tolist() == [7, -1, 8, -1, 9, -1, 7, -1, 8, -1]
    assert batch.column("count").tolist() == [2, 1] * 5


def test_ranges_go_on_over_batches_and_blocks() -> None:
    number = 200_000
    page = {"range": [0, 4097]}
    step = {
        "repeat": {"times": number // 4, "events": [{"repeat": {"times": 4, "events": [{"touch": {"page": page}}]}}]}
    }
    pages = np.concatenate([batch.column("page") for batch in stream_of([step]).batches(0)])
    assert np.array_equal(pages, np.arange(number) % 4097)


def test_each_step_has_a_range_of_its_own_and_each_virtual_cpu_begins_anew() -> None:
    step = StepSpec.model_validate({"pte_set": {"page": {"range": [0, 9]}, "site": {"range": [5, 7]}}})
    stream = synthetic("t", [[step, step], [step]], 1)
    assert all_rows(stream).column("page").tolist() == [0, 0]
    assert joined(list(stream.batches(1))).column("site").tolist() == [5]


def test_uniform_ranges_are_drawn_from_the_whole_range_by_the_seed() -> None:
    step = {"space_switch": {"space": {"range": [10, 14], "order": "uniform"}}}
    events = [{"repeat": {"times": 40_000, "events": [step]}}]
    stream = stream_of(events)
    drawn = all_rows(stream).column("space")
    assert stream.is_random
    assert np.abs(np.bincount(drawn)[10:] - 10_000).max() < 5 * (40_000 * 3 / 16) ** 0.5
    assert (drawn.min(), drawn.max()) == (10, 13)
    assert content_hash(stream) == content_hash(stream_of(events)) != content_hash(stream_of(events, seed=2))


def test_ranges_in_mixes_and_arrivals() -> None:
    touch = {"touch": {"page": {"range": [0, 1000]}}}
    of = [{"rate": "1 kHz", "events": [touch, {"syscall": 1}]}]
    mixed = all_rows(stream_of([{"mix": {"counts": {**{"touch": {"count": 50, **touch["touch"]}}, "syscall": 50}}}]))
    arrived = all_rows(stream_of([{"arrivals": {"count": 50, "of": of}}]))
    for batch in (mixed, arrived):
        assert batch.column("page")[batch.column("kind") == K["touch"]].tolist() == list(range(50))


@given(
    st.integers(0, 100), st.integers(1, 70), st.sampled_from(["sequential", "uniform"]), st.lists(st.integers(0, 90))
)
def test_cutting_changes_no_value_of_a_range(first: int, span: int, order: Any, cuts: Sequence[int]) -> None:
    values = Range(first, first + span, order)
    whole = values.values(np.random.default_rng(1), 0, 90)
    random = np.random.default_rng(1)
    edges = [0, *sorted(cuts), 90]
    parts = [values.values(random, begin, end - begin) for begin, end in pairwise(edges)]
    assert np.concatenate(parts).tolist() == whole.tolist()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "{range: [4, 4]}",
            "w.yaml:4:17: events.0.touch.page: expected a range from a number to a greater one, found [4, 4]",
        ),
        ("{range: [4]}", "w.yaml:4:25: events.0.touch.page.range: expected 2 or more entries, found a list with 1"),
        ("{range: [0, 4], order: random}", "expected 'sequential' or 'uniform', found the text 'random'"),
        ("four", "w.yaml:4:17: events.0.touch.page: expected a whole number, found the text 'four'"),
    ],
)
def test_faults_of_ranges(folder: Path, value: str, message: str) -> None:
    (fault,) = faults(folder, f"events:\n- touch: {{page: {value}}}")
    assert message in fault


# --- parameters ------------------------------------------------------------------------------------------------------


def test_parameters_stand_for_values(folder: Path) -> None:
    text = """\
parameters: {n: 4, gap: 10 us, disk: fast}
events:
- syscall: $n
- user_compute: $gap
- disk_request: {device: $disk, blocking: false}
- repeat: {times: {sum: [$n, -3, 1]}, events: [{syscall: {count: {product: [$n, 0.625]}, number: $n}}]}
"""
    found = load_workload(write(folder, text))[1]
    assert rows(found.stream) == [("syscall", 4), ("ns", 10_000), ("disk_request", 1), ("syscall", 2), ("syscall", 2)]
    assert found.devices == {"fast"}


def test_arithmetic_is_exact_and_rates_stay_exact(folder: Path) -> None:
    text = """\
parameters: {scale: 0.3333333333, base: 1 kHz, both: {sum: [$base, 500 Hz]}}
timer: {product: [$both, $scale]}
events:
- kernel_compute: {product: [10 ns, 0.25]}
- syscall: {product: [$scale, 3]}
"""
    _, found, warnings = load_workload(write(folder, text))
    assert str(found.timer_hz) == "9999999999/20000000"
    assert rows(found.stream) == [("ns", 2), ("syscall", 1)], "2.5 ns is rounded to even"
    assert warnings == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "parameters: {faults: 1}\nevents:\n- syscall: $fault",
            ["w.yaml:5:12: events.0.syscall: no parameter 'fault' (did you mean 'faults'?)"],
        ),
        ("events:\n- syscall: $n", ["w.yaml:4:12: events.0.syscall: no parameter 'n' (known here: none)"]),
        (
            "parameters: {n: many}\nevents:\n- syscall: $n",
            ["w.yaml:3:17: events.0.syscall: expected a whole number, found the text 'many'"],
        ),
        (
            "parameters: {n: many}\nevents:\n- syscall: {product: [$n, 2]}",
            [
                "w.yaml:3:17: events.0.syscall.product.0: expected a number or a quantity, such as '5 kHz', found the text 'many'"
            ],
        ),
        (
            "events:\n- syscall: {product: [1 ms, 2 Hz]}",
            ["w.yaml:4:12: events.0.syscall.product: at most one factor of a product has a unit, found ns, Hz"],
        ),
        (
            "events:\n- syscall: {sum: [1 ms, 2]}",
            ["w.yaml:4:12: events.0.syscall.sum: all terms of a sum have one unit, found ns, none"],
        ),
        (
            "events:\n- syscall: {sum: 3}",
            ["w.yaml:4:12: events.0.syscall.sum: expected a list of numbers and quantities, found the number 3"],
        ),
        (
            "parameters: {n: [1]}\nevents:\n- syscall: $n",
            ["w.yaml:3:17: parameters.n: expected one value, or {product: [...]} or {sum: [...]}, found a list"],
        ),
        (
            "parameters: {n m: 1}\nevents:\n- syscall: 1",
            [
                'w.yaml:3:14: parameters."n m": expected text that matches ^[A-Za-z_][A-Za-z0-9_-]*$, '
                "found the text 'n m'"
            ],
        ),
    ],
)
def test_faults_of_parameters(folder: Path, text: str, found: list[str]) -> None:
    assert faults(folder, text) == found


def test_a_parameter_that_nothing_uses_is_a_warning(folder: Path) -> None:
    warnings = load_workload(write(folder, "parameters: {n: 1, m: 2}\nevents:\n- syscall: $n"))[2]
    assert [warning.replace(f"{folder}/", "") for warning in warnings] == [
        "w.yaml:3:20: parameters.m: nothing uses this parameter: write $m where it is meant"
    ]


def test_parameters_that_nothing_uses_are_named_in_the_order_of_the_file(folder: Path) -> None:
    names = ["zeta", "alpha", "mu", "beta", "omega", "gamma", "pi", "delta"]
    parameters = ", ".join(f"{name}: 1" for name in names)
    warnings = load_workload(write(folder, f"parameters: {{{parameters}}}\nevents:\n- syscall: 1"))[2]
    assert [warning.split(": ")[1] for warning in warnings] == [f"parameters.{name}" for name in names]


def test_set_comes_before_parameters_are_filled_in_and_the_tree_keeps_both(folder: Path) -> None:
    write(
        folder,
        "parameters: {n: 2}\noperations: small\nevents:\n- arrivals: {count: 3, rates: {syscall: $n}}\n- fork: {}",
    )
    experiment = folder / "e.yaml"
    experiment.write_text("document: experiment\ntitle: e\nworkloads: [w.yaml]\nmodels: [pentium4-672/native]\n")
    settings = ["workloads.w.parameters.n=3 kHz", "workloads.w.operations.operations.fork.parameters.copied=5"]
    loaded = load_experiment(experiment, settings)
    assert ("pte_set", 5) in rows(loaded.workloads["w"].stream)
    tree: Any = plain(loaded.tree)
    assert tree["workloads"]["w"]["events"] == [{"arrivals": {"count": 3, "rates": {"syscall": "$n"}}}, {"fork": {}}]
    assert tree["workloads"]["w"]["parameters"] == {"n": "3 kHz"}
    again = folder / "again.yaml"
    again.write_text(json.dumps(tree, default=str))
    assert content_hash(load_experiment(again).workloads["w"].stream) == content_hash(loaded.workloads["w"].stream)
    with pytest.raises(
        SpecError, match=r"^--set:1:1: workloads.w.events.0.arrivals.rates.syscall: the unit is missing"
    ):
        load_experiment(experiment, ["workloads.w.parameters.n=3"])


# --- operations ------------------------------------------------------------------------------------------------------

FORK = [("syscall", 1), ("pte_set", 3), ("page_fault", 3), *[("tlb_flush_page", 1)] * 3]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("fork: {}", FORK),
        ("fork: 2", FORK * 2),
        ("fork: {times: 2}", FORK * 2),
        ("fork: {copied: 1, scale: 6}", [("syscall", 1), ("pte_set", 1), ("page_fault", 3), ("tlb_flush_page", 1)]),
        ("fork: {copied: 0}", [("syscall", 1)]),
        (
            "exec: {pages: 0.5}",
            [("syscall", 1), ("pte_set", 1), ("page_fault", 1), ("tlb_flush_page", 1), ("space_switch", 1)],
        ),
        ("repeat: {times: 2, events: [{fork: {copied: 0}}, {halt: 1}]}", [("syscall", 1), ("halt", 1)] * 2),
    ],
)
def test_operations_expand_into_exactly_their_events(folder: Path, step: str, expected: list[tuple[str, int]]) -> None:
    assert rows_of(folder, f"operations: small\nevents:\n- {step}") == expected


def test_operations_may_stand_in_place_and_are_known_to_each_virtual_cpu(folder: Path) -> None:
    indented = "".join(f"  {line}\n" for line in OPERATIONS.splitlines())
    text = f"operations:\n{indented}vcpus: [{{events: [{{fork: 1}}], copies: 2}}, {{events: [{{exec: 1}}]}}]"
    found = load_workload(write(folder, text))[1]
    assert found.stream.header.vcpus == 3
    assert rows(found.stream) == FORK


@pytest.mark.parametrize(
    ("step", "found"),
    [
        ("forc: 1", "w.yaml:5:3: events.0.forc: unknown key 'forc' (did you mean 'fork'?)"),
        ("sycall: 1", "w.yaml:5:3: events.0.sycall: unknown key 'sycall' (did you mean 'syscall'?)"),
        (
            "zzz: 1",
            "w.yaml:5:3: events.0.zzz: unknown key 'zzz': neither an event kind, nor one of repeat, mix, arrivals, "
            "nor an operation (fork, exec)",
        ),
        ("fork: 0", "w.yaml:5:9: events.0.fork: expected a number of at least 1, found the number 0"),
        ("fork: {times: x}", "w.yaml:5:17: events.0.fork.times: expected a whole number, found the text 'x'"),
        (
            "fork: {copies: 1}",
            "w.yaml:5:10: events.0.fork.copies: the operation 'fork' has no parameter 'copies' (did you mean 'copied'?)",
        ),
        (
            "fork: ",
            "w.yaml:5:8: events.0.fork: expected how often, or parameters in a mapping: write {} for once, with the "
            "defaults",
        ),
        (
            "arrivals: {count: 2, rates: {systemcall: 1 Hz}}",
            "w.yaml:5:32: events.0.arrivals.rates.systemcall: no event kind 'systemcall' that can arrive (did you mean "
            "'syscall'?)",
        ),
        (
            "arrivals: {count: 2, rates: {forc: 1 Hz}}",
            "w.yaml:5:32: events.0.arrivals.rates.forc: no event kind 'forc' that can arrive (did you mean 'fork'?)",
        ),
        (
            "arrivals: {count: 2, rates: {kernel_code: 1 Hz}}",
            "w.yaml:5:32: events.0.arrivals.rates.kernel_code: 'kernel_code' needs a size, in instructions: put it in a "
            "sequence or a mix, or under 'of'",
        ),
        ("fork", "w.yaml:5:3: events.0: expected a mapping: write 'fork: {}'"),
        ("page_fault", "w.yaml:5:3: events.0: expected a mapping: write 'page_fault: 1'"),
        ("user_compute", "w.yaml:5:3: events.0: expected a mapping: write 'user_compute: 10 us'"),
        ("kernel_code: 1", "w.yaml:5:16: events.0.kernel_code: kernel_code needs a size, in instructions"),
        ("space_destroy: 1", "w.yaml:5:18: events.0.space_destroy: space_destroy needs the space that is torn down"),
        (
            "arrivals: {during: 2, rates: {halt: 1 Hz}}",
            "w.yaml:5:22: events.0.arrivals.during: the unit is missing: write '2 us'",
        ),
        ("{fork: 1, halt: 1}", "w.yaml:5:4: events.0: expected one key: an operation is a step of its own"),
        ("arrivals: {count: 2, rates: {fork: 2}}", "w.yaml:5:38: events.0.arrivals.rates.fork: the unit is missing"),
        (
            "arrivals: {count: 2, rates: {fork: 2 Hz, disk_request: 1 Hz}}",
            "w.yaml:5:44: events.0.arrivals.rates.disk_request: 'disk_request' needs a device: put it in a sequence or a mix, or under 'of'",
        ),
    ],
)
def test_faults_of_steps(folder: Path, step: str, found: str) -> None:
    (fault,) = faults(folder, f"operations: small\nevents:\n- {step}")
    assert fault.startswith(found)


@pytest.mark.parametrize(("name", "example"), sorted(EXAMPLES.items()))
def test_the_example_of_a_step_is_one(folder: Path, name: str, example: str) -> None:
    assert faults(folder, f"events:\n- {name}") == [f"w.yaml:4:3: events.0: expected a mapping: write '{example}'"]
    load_workload(write(folder, f"events:\n- {example}\n"))


def test_where_no_operations_are_named_a_fault_says_how(folder: Path) -> None:
    needed = "operations need 'operations: NAME' in the workload"
    assert faults(folder, "events:\n- zzz: 1\n- arrivals: {count: 2, rates: {zzz: 1 Hz, fork: 1 Hz}}") == [
        f"w.yaml:4:3: events.0.zzz: unknown key 'zzz': neither an event kind, nor one of repeat, mix, arrivals, nor an "
        f"operation: {needed}",
        f"w.yaml:5:32: events.1.arrivals.rates.zzz: no event kind 'zzz' that can arrive, nor an operation: {needed}",
        f"w.yaml:5:43: events.1.arrivals.rates.fork: no event kind 'fork' that can arrive, nor an operation: {needed}",
    ]


def test_faults_inside_an_operation_point_to_what_was_given(folder: Path) -> None:
    assert faults(folder, "operations: small\nevents:\n- halt: 1\n- fork: {copied: x, scale: 0}\n- forc: 1") == [
        "w.yaml:6:18: events.1.fork.2.page_fault.product.0: expected a number or a quantity, such as '5 kHz', "
        "found the text 'x'",
        "w.yaml:7:3: events.2.forc: unknown key 'forc' (did you mean 'fork'?)",
    ]


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("- space_switch: 1", "- exec: {}", "o.yaml:17:9: operations.exec.events.1.exec: circular: exec -> exec"),
        ("- syscall: {number: 57}", "- exec: {}", "circular: "),
        ("  fork:", "  halt:", "o.yaml:4:3: operations.halt: 'halt' is taken: choose another name"),
        ("{pages: 4}", "{times: 4}", "'times' says how often an operation is done: choose another name"),
        (
            "{pages: 4}",
            "{page: 4}",
            "o.yaml:16:35: operations.exec.events.0.fork.copied.product.0: no parameter 'pages'",
        ),
        ("tlb_flush_page: 1", "tlb_flush_pag: 1", "unknown key 'tlb_flush_pag' (did you mean 'tlb_flush_page'?)"),
        ("    about: a process makes another\n", "", "o.yaml:5:5: operations.fork: the key 'about' is missing"),
    ],
)
def test_faults_of_operations(folder: Path, before: str, after: str, found: str) -> None:
    assert found in "\n".join(faults(folder, OPERATIONS.replace(before, after), "o.yaml"))


def test_operations_that_grow_without_end_are_refused(folder: Path) -> None:
    double = "".join(f"  op{i}: {{about: x, events: [{{op{i + 1}: 1}}, {{op{i + 1}: 1}}]}}\n" for i in range(30))
    text = f"document: operations\ntitle: t\noperations:\n{double}  op30: {{about: x, events: [{{halt: 1}}]}}\n"
    assert "more than 20,000 steps once operations are expanded: use 'times'" in faults(folder, text, "o.yaml")[0]


def test_a_document_of_operations_by_itself(folder: Path) -> None:
    spec, warnings = load_operations(folder / "small.yaml")
    assert warnings == []
    assert rows(spec.operations["fork"].stream("fork")) == FORK
    assert check_document(folder / "small.yaml") == ("operations", [])
    unused = folder / "unused.yaml"
    unused.write_text(OPERATIONS.replace("scale: 2", "scale: 2, more: 1"))
    assert "parameters.more: nothing uses this parameter" in load_operations(unused)[1][0]


# --- arrivals of bodies ----------------------------------------------------------------------------------------------


def test_bodies_arrive_whole_with_the_gap_before_their_first_row(folder: Path) -> None:
    text = """\
operations: small
events:
- arrivals:
    count: 2
    gaps: constant
    of: [{rate: 1 MHz, events: [{user_compute: 50 ns}, {fork: {copied: 0}}, {halt: 1}]}]
"""
    assert rows_of(folder, text) == [("ns", 1050), ("syscall", 1), ("halt", 1)] * 2


def test_operations_arrive_at_rates_beside_events(folder: Path) -> None:
    text = "operations: small\nevents:\n- arrivals: {during: 10 s, rates: {halt: 3 kHz, exec: 1 kHz}}"
    found = load_workload(write(folder, text))[1]
    kinds = np.concatenate([batch.columns["kind"] for batch in found.stream.batches(0)])
    computed = sum(int(batch.column("user_ns").sum()) for batch in found.stream.batches(0))
    number = {name: int((kinds == K[name]).sum()) for name in ("halt", "space_switch", "syscall", "tlb_flush_page")}
    assert computed == 10 * 10**9
    assert abs(number["halt"] - 30_000) < 5 * 30_000**0.5
    assert abs(number["space_switch"] - 10_000) < 5 * 10_000**0.5
    assert number["syscall"] == number["space_switch"] == number["tlb_flush_page"] / 8
    assert abs(found.rows - len(kinds)) < 0.05 * len(kinds)


def test_requests_in_bodies_know_their_device() -> None:
    request = {"disk_request": {"device": "disk", "size": "4 KiB", "blocking": False}}
    stream = stream_of([{"arrivals": {"count": 2, "of": [{"rate": "1 Hz", "events": [request, {"syscall": 1}]}]}}])
    assert stream.header.devices == ("disk",)
    assert all_rows(stream).column("completion").tolist() == [ASYNCHRONOUS, 0] * 2
    assert all_rows(stream).column("device").tolist() == [0, -1] * 2


def test_random_bodies_are_drawn_for_each_arrival() -> None:
    mix = {"mix": {"counts": {"syscall": 3, "halt": 3}}}
    of = [{"rate": "1 MHz", "events": [mix]}, {"rate": "1 MHz", "events": [{"rdtsc": 1}]}]
    batch = all_rows(stream_of([{"arrivals": {"count": 60, "of": of, "gaps": "constant"}}]))
    kinds = batch.columns["kind"]
    bodies = np.count_nonzero(kinds == K["rdtsc"]), np.count_nonzero(kinds == K["halt"]) // 3
    assert sum(bodies) == 60 and min(bodies) > 5
    assert batch.column("user_ns").sum() == 60 * 500
    mixes = kinds[kinds != K["rdtsc"]].reshape(-1, 6)
    assert len({tuple(row) for row in mixes.tolist()}) > 3


def _bodies() -> st.SearchStrategy[list[dict[str, Any]]]:
    event = st.sampled_from(["syscall", "halt", "rdtsc"]).map(lambda name: {name: 1})
    touch = st.builds(
        lambda end, order: {"touch": {"page": {"range": [0, end], "order": order}}},
        st.integers(1, 9),
        st.sampled_from(["sequential", "uniform"]),
    )
    compute = st.integers(1, 99).map(lambda ns: {"user_compute": f"{ns} ns"})
    steps = st.lists(st.one_of(event, touch, compute), min_size=1, max_size=3)
    repeat = st.builds(lambda times, events: [{"repeat": {"times": times, "events": events}}], st.integers(1, 9), steps)
    mix = st.just([{"mix": {"counts": {"syscall": 2, "rdtsc": 2}}}])
    return st.one_of(steps, repeat, mix)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(1, 99), _bodies()), min_size=1, max_size=3),
    st.integers(1, 40),
    st.integers(1, 30),
)
def test_how_a_program_is_cut_changes_nothing(parts: list[tuple[int, list[Any]]], arrivals: int, size: int) -> None:
    """The same rows, whether batches hold a few rows or all, and however often they are asked for."""
    of = [{"rate": f"{rate} kHz", "events": events} for rate, events in parts]
    stream = stream_of([{"arrivals": {"count": arrivals, "of": of, "gaps": "constant"}}, *parts[0][1]])
    bodies = Bodies.of([body for body, _ in stream.programs[0].steps[0].parts], "user")  # type: ignore[attr-defined]
    order = np.arange(arrivals) % len(parts)
    gaps = np.arange(arrivals)

    def laid_out() -> dict[str, list[int]]:
        batch = joined(list(bodies.laid_out(order, gaps, np.random.default_rng(1))))
        return {name: batch.column(name).tolist() for name in ("kind", "count", "user_ns", "page")}

    whole, first = laid_out(), content_hash(stream)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulator.workload.arrivals, "ROWS_PER_BATCH", size)
        patch.setattr(simulator.workload.steps, "ROWS_PER_BATCH", size)
        assert laid_out() == whole
    assert content_hash(stream) == first


# --- extends ---------------------------------------------------------------------------------------------------------


def test_a_workload_extends_another_and_references_keep_their_folder(folder: Path) -> None:
    below = folder / "below"
    below.mkdir()
    (below / "ops.yaml").write_text(OPERATIONS)
    write(
        below, "parameters: {n: 1, m: 2}\noperations: ops\nevents:\n- syscall: $n\n- fork: {copied: $m}\n", "base.yaml"
    )
    write(folder, "extends: below/base.yaml\nparameters: {n: 7}\n", "fitted.yaml")
    experiment = folder / "e.yaml"
    experiment.write_text(
        "document: experiment\ntitle: e\nmodels: [pentium4-672/native]\nworkloads:\n  fitted: fitted.yaml\n"
        "  placed: {document: workload, title: p, extends: fitted.yaml, parameters: {m: 0}}\n"
    )
    found = load_experiment(experiment).workloads
    assert rows(found["fitted"].stream)[:3] == [("syscall", 7), ("syscall", 1), ("pte_set", 2)]
    assert rows(found["placed"].stream) == [("syscall", 7), ("syscall", 1)]


def test_circles_and_wrong_kinds_of_extends(folder: Path) -> None:
    assert "w.yaml:3:10: extends: circular: w.yaml -> w.yaml" in faults(folder, "extends: w.yaml\n")[0].replace(
        str(folder) + "/", ""
    )
    assert "w.yaml:3:10: extends: no workload 'wrong'" in faults(folder, "extends: wrong\n")[0]
    assert "expected 'document: workload'" in faults(folder, "extends: small.yaml\n")[0]


def test_a_recording_may_be_extended_to_state_assumptions(folder: Path) -> None:
    text = "extends: recorded/forkwait-500\nassume: {kernel_code: {syscall: 300}, working_set: 32, pages_per_us: 2.5}\n"
    found = load_workload(write(folder, text))[1]
    plain_found = load_workload(write(folder, "extends: recorded/forkwait-500\n"))[1]
    assert found.kinds - plain_found.kinds == {K["touch"], K["kernel_code"]}
    assert found.rows == sum(len(batch) for vcpu in range(2) for batch in found.stream.batches(vcpu)) > plain_found.rows
    (fault,) = faults(folder, "extends: recorded/forkwait-500\nassume: {kernel_code: {sycall: 300}}\n")
    assert "assume: no event kind 'sycall' that runs kernel code (did you mean 'syscall'?)" in fault
    assert "together they say" in faults(folder, "extends: recorded/forkwait-500\nassume: {working_set: 3}\n")[0]
    assert "assume belongs to a recording" in faults(folder, "events: [{halt: 1}]\nassume: {}\n")[0]


# --- for editors and people ------------------------------------------------------------------------------------------


def test_the_schema_of_workloads_lets_values_be_filled_in_and_steps_be_operations() -> None:
    parts = json_schema("workload")["$defs"]
    filled_in = [name for name in ("SyscallSpec", "RepeatSpec", "ArrivingSpec") if "\\$" in json.dumps(parts[name])]
    assert filled_in == ["SyscallSpec", "RepeatSpec", "ArrivingSpec"]
    assert parts["StepSpec"]["additionalProperties"] is not False
    assert json_schema("operations")["properties"]["document"]["const"] == "operations"


def test_a_document_of_operations_is_shown_with_parameters_and_totals(folder: Path) -> None:
    shown = document(folder / "small.yaml").data["operations"]
    assert shown["fork"]["parameters"] == {"copied": "3", "scale": "2"}
    assert shown["fork"]["events"] == {"page_fault": 3, "pte_set": 3, "tlb_flush_page": 3, "syscall": 1}
    assert shown["exec"]["events"] == {
        "page_fault": 8,
        "pte_set": 8,
        "tlb_flush_page": 8,
        "space_switch": 1,
        "syscall": 1,
    }
