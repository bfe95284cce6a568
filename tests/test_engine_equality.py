"""The fast engine is the reference engine: equal outcomes over generated streams, mechanisms, models, machines, timers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter, pretty
from support import K, stream

from simulator.engine import ENGINES
from simulator.engine.base import Engine, Outcome, Replay
from simulator.engine.compiled.program import NotCompiledError
from simulator.engine.compiled.walker import CompiledMechanisms
from simulator.engine.fast import FastEngine
from simulator.errors import ModelError, RunError, SimulatorError
from simulator.mechanisms import BY_NAME as MECHANISMS
from simulator.mechanisms import Parameters
from simulator.mechanisms.base import OF_EVENTS
from simulator.model import CostModel, Device
from simulator.spec.build import load_model
from simulator.spec.library import find
from simulator.stream import ASYNCHRONOUS, BLOCKING, Batch, Header, MemoryStream

MODELS = (
    "pentium4-672/native",
    "pentium4-672/software-vmm",
    "pentium4-672/hardware-vmm",
    "pentium4-672/trap-and-emulate",
    "lookahead/hybrid-vmm",
    "lookahead/hardware-vmm-resync",
    "lookahead/software-vmm-resync",
    "lookahead/nested-paging",
)
_GAPS = st.integers(0, 40)
_PAGES = st.integers(-1, 12)
_SPACES = st.integers(1, 4)
_SITES = st.integers(-1, 3)


@cache
def shipped(name: str) -> CostModel:
    return load_model(find(name, "cost-model", Path()))[1]


def _structures() -> Mapping[str, st.SearchStrategy[dict[str, Any]]]:
    """Parameters so small that few rows reach every branch."""
    return {
        "shadow_paging": st.fixed_dictionaries(
            {
                "eager_install": st.booleans(),
                "cached_roots": st.integers(1, 3),
                "prevalidated": st.integers(0, 3),
                "recycled_tables": st.integers(0, 3),
                "entries_per_table": st.integers(1, 4),
            }
        ),
        "tlb": st.fixed_dictionaries({"entries": st.integers(1, 5), "tagged": st.booleans()}),
        "translation_cache": st.fixed_dictionaries({"capacity": st.integers(30, 60), "unit": st.integers(1, 9)}),
        "adaptive_translation": st.fixed_dictionaries(
            {"guilty_after": st.integers(1, 4), "innocent_after": st.integers(0, 5)}
        ),
        "nested_paging": st.fixed_dictionaries(
            {"pages_per_violation": st.integers(1, 3), "backed_pages": st.integers(0, 10)}
        ),
        "hybrid": st.fixed_dictionaries({"window": st.integers(1, 5), "change_after": st.integers(1, 50_000)}),
    }


STRUCTURES = _structures()


@dataclass(frozen=True, slots=True)
class Changed(CostModel):
    """A shipped model with other structures and another machine; shown as the call of ``changed`` that makes it.

    The whole of it is some 20,000 characters, and Hypothesis refuses to print several of them.
    """

    call: str = ""

    def __repr__(self) -> str:
        return self.call

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        printer.text(self.call)


def changed(name: str, structures: Mapping[str, Mapping[str, Any]], **machine: Any) -> CostModel:
    model = shipped(name)
    mechanisms: dict[str, Parameters] = {
        mechanism: MECHANISMS[mechanism].schema(**{**parameters.model_dump(), **structures.get(mechanism, {})})
        for mechanism, parameters in model.mechanisms.items()
    }
    call = f"changed({name!r}, {structures!r}, {', '.join(f'{key}={value!r}' for key, value in machine.items())})"
    return Changed(model.name, replace(model.machine, **machine), model.costs, mechanisms, call)


@st.composite
def models(draw: st.DrawFn) -> CostModel:
    name = draw(st.sampled_from(MODELS))
    structures = {each: draw(STRUCTURES[each]) for each in shipped(name).mechanisms if each in STRUCTURES}
    return changed(
        name,
        structures,
        physical_cpus=draw(st.none() | st.integers(1, 3)),
        time_slice_ns=draw(st.sampled_from([1, 50, 2_000, 10**6])),
        devices={"disk": Device(draw(st.integers(0, 3_000)), draw(st.integers(1, 2)), 10**9)},
    )


@settings(max_examples=20)
@given(models())
def test_a_model_of_a_failing_example_is_short(model: CostModel) -> None:
    assert len(repr(model)) < 1_000
    assert pretty(model) == repr(model)


_PLACED = {"space": _SPACES | st.just(-1), "page": _PAGES, "site": _SITES, "count": st.integers(1, 6)}
_COLUMNS: dict[str, dict[str, st.SearchStrategy[int]]] = {
    "syscall": {"count": st.integers(1, 3)},
    "cr8_write": {},
    "user_compute": {},
    "call_ret": {"site": _SITES},
    "port_in": {"count": st.integers(1, 3)},
    "mmio_write": {"site": _SITES},
    "page_fault": _PLACED,
    "pte_set": _PLACED,
    "pte_modify": _PLACED,
    "pte_clear": _PLACED,
    "touch": _PLACED,
    "space_switch": {"space": _SPACES, "count": st.integers(1, 2)},
    "space_destroy": {"space": _SPACES},
    "tlb_flush_page": {"space": _SPACES | st.just(-1), "page": _PAGES, "count": st.integers(1, 3)},
    "tlb_flush_all": {"space": _SPACES | st.just(-1)},
    "tlb_miss": {"count": st.integers(1, 3)},
    "kernel_code": {"site": _SITES, "size": st.integers(1, 30), "count": st.integers(1, 2)},
    "new_code": {"count": st.integers(1, 70)},
    "first_touch": {"page": _PAGES, "count": st.integers(1, 4)},
    "disk_request": {
        "device": st.just(0),
        "size": st.integers(0, 50),
        "count": st.integers(1, 2),
        "completion": st.sampled_from([ASYNCHRONOUS, BLOCKING]),
    },
    "halt": {"completion": st.sampled_from([0, BLOCKING])},
    "cpuid": {},
}


@st.composite
def programs(draw: st.DrawFn) -> list[list[dict[str, int]]]:
    """Rows for some virtual CPUs; most touch nothing shared. Signals point forward in one order, so none waits in a circle."""
    vcpus: list[list[dict[str, int]]] = [[] for _ in range(draw(st.sampled_from([1, 1, 2, 3])))]
    posted: list[int] = []
    for number in range(draw(st.integers(1, 40))):
        kind = draw(st.sampled_from(sorted(_COLUMNS)))
        row = {"kind": K[kind], "user_ns": draw(_GAPS), "kernel_ns": draw(_GAPS)}
        row |= {name: draw(values) for name, values in _COLUMNS[kind].items()}
        if posted and draw(st.integers(0, 5)) == 0:
            row |= {"waits": draw(st.sampled_from(posted)), "wait_latency_ns": draw(_GAPS)}
        if draw(st.integers(0, 5)) == 0:
            row |= {"posts": number + 1, "post_delay_ns": draw(_GAPS)}
            posted.append(number + 1)
        draw(st.sampled_from(vcpus)).append(row)
    return [vcpu or [{"kind": K["user_compute"]}] for vcpu in vcpus]


_AFTER_A_FAULT = ("pte_set", "pte_modify", "pte_modify", "pte_clear", "touch", "touch", "space_switch", "space_destroy")
SHADOWING = ("pentium4-672/hardware-vmm", "lookahead/hardware-vmm-resync")


@st.composite
def faults(draw: st.DrawFn) -> list[list[dict[str, int]]]:
    """Rows so close together that faults are mended, touched, written again, and left behind in dead spaces."""
    first = [{"kind": K["space_switch"], "space": 1}, {"kind": K["touch"], "page": 4}]
    vcpus = [list(first) for _ in range(draw(st.sampled_from([1, 1, 2])))]
    for _ in range(draw(st.integers(1, 8))):
        space, page, vcpu = draw(st.sampled_from([-1, 1, 2])), draw(st.integers(2, 6)), draw(st.sampled_from(vcpus))
        for name in ("page_fault", *draw(st.lists(st.sampled_from(_AFTER_A_FAULT), min_size=1, max_size=4))):
            row = {"kind": K[name], "user_ns": draw(st.sampled_from([0, 5_000]))}
            if name.startswith("space"):
                row |= {"space": draw(st.integers(1, 2))}
            else:
                row |= {
                    "space": space,
                    "page": page + draw(st.sampled_from([0, 0, 1])),
                    "count": draw(st.integers(1, 3)),
                }
            vcpu.append(row)
    return vcpus


_SET_AGAIN: list[list[dict[str, int]]] = [
    [
        {"kind": K["space_switch"], "space": 1},
        {"kind": K["touch"], "page": 4},
        {"kind": K["page_fault"], "page": 5},
        {"kind": K["pte_set"], "page": 5},
        {"kind": K["space_switch"], "space": 2},
        {"kind": K["space_switch"], "space": 1},
        {"kind": K["pte_set"], "page": 5},
    ]
]
"""A fault that a traced write mended, in a space whose shadow is dropped before its page is set again."""
_ONE_ROOT = {
    "eager_install": True,
    "cached_roots": 1,
    "prevalidated": 0,
    "recycled_tables": 0,
    "entries_per_table": 4,
}


timers = st.none() | st.sampled_from([Fraction(1_000), Fraction(20_000)])


REFERENCE = ENGINES["reference"]
FAST: dict[str, Engine] = {"plain": FastEngine(compiled=False), "compiled": FastEngine(compiled=True)}


def outcome(engine: Engine, events: MemoryStream, model: CostModel, timer: Fraction | None) -> Outcome | str:
    """What came of a replay; of one that cannot end, the reason."""
    try:
        return engine.run(Replay(events, model, timer))
    except RunError as error:
        return str(error)


@pytest.mark.parametrize("engine", FAST)
@settings(max_examples=250, deadline=None)
@given(programs(), models(), timers, st.lists(st.integers(0, 40)))
def test_both_engines_agree_on_all_that_can_be_observed(
    engine: str, program: list[list[dict[str, int]]], model: CostModel, timer: Fraction | None, cuts: list[int]
) -> None:
    expected = outcome(REFERENCE, stream(*program, devices=["disk"]), model, timer)
    assert outcome(FAST[engine], stream(*program, devices=["disk"]), model, timer) == expected
    assert outcome(FAST[engine], stream(*program, devices=["disk"], cuts=cuts), model, timer) == expected


@pytest.mark.parametrize("engine", FAST)
@settings(max_examples=250, deadline=None)
@given(faults(), st.sampled_from(SHADOWING), STRUCTURES["shadow_paging"], st.lists(st.integers(0, 30)))
@example(_SET_AGAIN, SHADOWING[0], _ONE_ROOT, [])
def test_both_engines_agree_on_faults_and_how_they_are_mended(
    engine: str, program: list[list[dict[str, int]]], name: str, structure: dict[str, Any], cuts: list[int]
) -> None:
    model = changed(name, {"shadow_paging": structure})
    expected = outcome(REFERENCE, stream(*program), model, None)
    assert outcome(FAST[engine], stream(*program, cuts=cuts), model, None) == expected


@settings(max_examples=150, deadline=None)
@given(programs(), models(), timers)
def test_columns_that_no_mechanism_looks_at_change_nothing(
    program: list[list[dict[str, int]]], model: CostModel, timer: Fraction | None
) -> None:
    seen = model.start().chain.looks_at()

    def narrowed(row: dict[str, int]) -> dict[str, int]:
        keeps_all = row["kind"] == K["disk_request"]  # a device looks at its requests
        return {name: n for name, n in row.items() if keeps_all or name in seen or name not in OF_EVENTS}

    expected = outcome(REFERENCE, stream(*program, devices=["disk"]), model, timer)
    rows = [[narrowed(row) for row in vcpu] for vcpu in program]
    assert outcome(REFERENCE, stream(*rows, devices=["disk"]), model, timer) == expected


def long_stream(seed: int, rows: int) -> MemoryStream:
    """One virtual CPU with many spaces, pages, sites and pieces of code, so that every table of the kernel grows."""
    random = np.random.default_rng(seed)
    names = ["syscall", "page_fault", "pte_set", "pte_clear", "pte_modify", "touch", "space_switch", "space_destroy"]
    names += ["tlb_flush_page", "tlb_flush_all", "kernel_code", "new_code", "mmio_write", "first_touch", "cpuid"]
    kinds = random.choice([K[name] for name in names], rows)
    columns = {
        "kind": kinds.astype("int16"),
        "count": np.where(random.random(rows) < 0.1, random.integers(1, 600, rows), 1),
        "user_ns": random.integers(0, 50, rows),
        "space": random.integers(1, 400, rows),
        "page": random.integers(-1, 3000, rows),
        "site": random.integers(-1, 2000, rows),
        "size": np.where(kinds == K["kernel_code"], random.integers(1, 500, rows), -1),
    }
    batches = [Batch({name: values[i : i + 1500] for name, values in columns.items()}) for i in range(0, rows, 1500)]
    return MemoryStream(Header("long"), [batches])


@pytest.mark.parametrize("name", sorted({*MODELS} - {"lookahead/hybrid-vmm"}))
def test_the_kernel_agrees_on_long_streams(name: str) -> None:

    model = shipped(name)
    assert CompiledMechanisms(model.start(), 1), "the kernel knows all mechanisms of the model"
    replay = Replay(long_stream(len(name), 6_000), model)
    assert FAST["compiled"].run(replay) == REFERENCE.run(replay)


def test_what_the_kernel_does_not_know_is_replayed_the_plain_way() -> None:

    hybrid = shipped("lookahead/hybrid-vmm")
    with pytest.raises(NotCompiledError, match="'hybrid' has no compiled form"):
        CompiledMechanisms(hybrid.start(), 1)
    replay = Replay(long_stream(1, 500), hybrid)
    assert FAST["compiled"].run(replay) == REFERENCE.run(replay)


@pytest.mark.parametrize("engine", FAST)
def test_numbers_beyond_64_bits_are_exact(engine: str) -> None:
    rows = [
        {"kind": K["page_fault"], "count": 10**12, "user_ns": 10**16, "page": 7},
        {"kind": K["port_in"], "count": 10**13},
        {"kind": K["cpuid"], "count": 3},
    ] * 3
    replay = Replay(stream(rows), shipped("pentium4-672/hardware-vmm"))
    assert FAST[engine].run(replay) == REFERENCE.run(replay)


@pytest.mark.parametrize("engine", FAST)
def test_a_piece_of_code_of_a_wrong_size_is_refused_alike(engine: str) -> None:
    events = stream([{"kind": K["kernel_code"], "size": 30}, {"kind": K["kernel_code"], "size": 10**12}])
    replay = Replay(events, shipped("pentium4-672/software-vmm"))
    for each in (FAST[engine], REFERENCE):
        with pytest.raises(ModelError, match="a piece of kernel code has 1000000000000 instructions: expected 1 to"):
            each.run(replay)


@pytest.mark.parametrize("engine", FAST)
def test_what_takes_no_time_is_done_before_others_have_their_turn(engine: str) -> None:
    """The first virtual CPU ends at once, so the second gets its physical CPU, and the third the other one."""
    model = shipped("pentium4-672/hardware-vmm")
    model = replace(model, machine=replace(model.machine, physical_cpus=2, time_slice_ns=1))
    rows = [[{"kind": K[name]}] for name in ("user_compute", "syscall", "cr8_write")]
    expected = REFERENCE.run(Replay(stream(*rows), model))
    assert FAST[engine].run(Replay(stream(*rows), model)) == expected
    assert expected.vcpus[2].waiting == expected.vcpus[2].idle == 0


@settings(max_examples=60, deadline=None)
@given(programs(), st.lists(models(), min_size=2, max_size=3), timers, st.lists(st.integers(0, 40)))
def test_several_models_in_one_pass_are_each_as_alone(
    program: list[list[dict[str, int]]], several: list[CostModel], timer: Fraction | None, cuts: list[int]
) -> None:
    events = stream(*program, devices=["disk"], cuts=cuts)
    replays = [Replay(events, model, timer) for model in several]
    alone = [outcome(REFERENCE, events, model, timer) for model in several]
    for engine in (REFERENCE, *FAST.values()):
        together = engine.run_all(replays)
        assert [str(each) if isinstance(each, SimulatorError) else each for each in together] == alone
