"""Break-even by its own definition: at the value found, replays take the same time under both models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from math import ceil, floor
from pathlib import Path

import numpy as np
import pytest
import test_engine_equality
import test_reprice
from hypothesis import given, settings
from hypothesis import strategies as st
from support import K, stream

from simulator.analysis import evaluate
from simulator.analysis.breakeven import BreakEven, break_even, closed_in, pair_of
from simulator.analysis.evaluate import Evaluator, with_costs
from simulator.analysis.frontier import frontier
from simulator.analysis.lines import Line, MaxMin, between, difference
from simulator.analysis.parameter import parameter
from simulator.analysis.planes import Piece, Place, Plane, equal
from simulator.analysis.sensitivity import sensitivity
from simulator.analysis.sobol import sobol
from simulator.costs import CostTable
from simulator.errors import InputError, SpecError
from simulator.report.plots import whatif as pictures
from simulator.spec.build import Experiment, load_experiment
from simulator.spec.library import root
from simulator.stream import AS_RECORDED
from simulator.units import Cost

ROUND_TRIP = "models.hardware-vmm.costs.{vm_exit,vm_entry,vmcb_read}"
VMMS = ("software-vmm", "hardware-vmm")
EXPERIMENT = """
document: experiment
title: break-even
workloads:
  w:
    document: workload
    title: w
    %(timer)s
    parameters: {calls: 40}
    vcpus: %(vcpus)s
models: [pentium4-672/native, pentium4-672/software-vmm, pentium4-672/hardware-vmm]
baseline: native
"""
ONE = "[{events: [{user_compute: 20 us}, {syscall: $calls}, {pte_modify: {count: 3, page: 7}}, {port_in: 1}]}]"
TWO = "[{events: [{syscall: 30}, {cr8_write: 2}]}, {events: [{syscall: 3}, {cr8_write: 400}]}]"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Experiment]:
    def written(vcpus: str = ONE, timer: str = "", *, settings: tuple[str, ...] = ()) -> Experiment:
        path = tmp_path / "e.yaml"
        path.write_text(EXPERIMENT % {"vcpus": vcpus, "timer": timer})
        return load_experiment(path, settings)

    return written


def found(experiment: Experiment, path: str, low: str, high: str, workload: str = "w") -> BreakEven:
    moved = parameter(experiment, path, (low, high))
    return break_even(Evaluator(experiment, workload, [moved]), VMMS)


def gap(experiment: Experiment, workload: str, path: str, between: tuple[str, str], value: Fraction) -> Fraction:
    """Replay both models at a value, from scratch; the difference in ticks."""
    moved = parameter(experiment, path, between)
    fresh = Evaluator(experiment, workload, [moved])
    ends = [fresh.run(moved.priced(experiment.models[name], value)).outcome.makespan for name in VMMS]
    return Fraction(ends[0] - ends[1])


@pytest.mark.parametrize(
    ("path", "low", "high"),
    [
        ("models.hardware-vmm.costs.emulate_port_in", "0 cycles", "900000 cycles"),
        ("models.hardware-vmm.costs.emulate_port_in", "0 us", "200 us"),
        ("models.software-vmm.costs.enter_and_leave_translated_code", "0 x", "3 x"),
        (ROUND_TRIP, "0 x", "100 x"),
    ],
)
def test_replays_at_the_value_take_the_same_time(
    write: Callable[..., Experiment], path: str, low: str, high: str
) -> None:
    experiment = write()
    result = found(experiment, path, low, high)
    assert result.why_replayed == ""
    (crossing,) = result.crossings
    assert crossing.low == crossing.high
    ticks = gap(experiment, "w", path, (low, high), crossing.value)
    assert abs(ticks) <= result.events
    assert ticks == crossing.gap_seconds * 3_800_000_000_000


def test_the_difference_is_the_line_that_was_said(write: Callable[..., Experiment]) -> None:
    experiment = write()
    path, ends = "models.hardware-vmm.costs.vm_exit", ("0 cycles", "8000 cycles")
    result = found(experiment, path, *ends)
    for end, value in ((0, Fraction(0)), (-1, Fraction(8000))):
        assert gap(experiment, "w", path, ends, value) == result.difference(end) * 3_800_000_000_000
    assert result.slope is not None
    assert result.difference(-1) - result.difference(0) == 8000 * result.slope


def test_of_several_virtual_cpus_the_longest_makes_the_total(write: Callable[..., Experiment]) -> None:
    experiment = write(TWO)
    path, ends = "models.hardware-vmm.costs.guest_mode_cr8_write", ("0 cycles", "3000 cycles")
    result = found(experiment, path, *ends)
    assert (result.why_replayed, result.slope) == ("", None)
    (crossing,) = result.crossings
    assert abs(gap(experiment, "w", path, ends, crossing.value)) <= result.events


def test_a_model_that_waits_and_does_not_change_has_its_waits(write: Callable[..., Experiment]) -> None:
    """Two virtual CPUs share one physical CPU under the model whose costs stay as they are."""
    experiment = write(TWO, settings=("models.hardware-vmm.machine.physical_cpus=1",))
    path, ends = "models.software-vmm.costs.in_tc_cr8_write", ("0 cycles", "9000 cycles")
    result = found(experiment, path, *ends)
    assert "hardware-vmm" in result.why_replayed
    (crossing,) = result.crossings
    assert gap(experiment, "w", path, ends, crossing.value) == crossing.gap_seconds * 3_800_000_000_000
    assert abs(crossing.gap_seconds) < abs(result.difference(0)) / 100


def test_with_a_timer_the_range_is_scanned_and_closed_in_on(write: Callable[..., Experiment]) -> None:
    experiment = write(timer="timer: 1000 Hz")
    path, ends = "models.hardware-vmm.costs.emulate_port_in", ("0 cycles", "900000 cycles")
    result = found(experiment, path, *ends)
    assert "timer" in result.why_replayed
    assert result.crossings
    for crossing in result.crossings:
        assert crossing.high - crossing.low <= Fraction(1, 1000)
        signs = [gap(experiment, "w", path, ends, value) for value in (crossing.low, crossing.high)]
        assert signs[0] * signs[1] < 0 or signs == [0, 0]
    exact = found(write(), path, *ends)
    assert abs(result.crossings[0].value - exact.crossings[0].value) < 300_000


def test_a_structural_parameter_is_replayed_at_whole_values(write: Callable[..., Experiment]) -> None:
    experiment = write()
    result = found(experiment, "workloads.w.parameters.calls", "1", "40")
    assert result.why_replayed == "workloads.w.parameters.calls is not the cost of an action"
    (crossing,) = result.crossings
    assert crossing.low.denominator == 1
    assert crossing.high - crossing.low in (0, 1)


def test_forkwait_has_no_round_trip_at_which_the_vmms_meet() -> None:
    """Even where exits cost nothing the hardware VMM takes longer, whatever the other costs are within their bounds."""
    experiment = load_experiment(root() / "experiments" / "paper" / "forkwait.yaml")
    result = found(experiment, ROUND_TRIP, "0 x", "4 x", "forkwait")
    assert result.crossings == ()
    assert result.possible == ()
    assert result.difference(0) < 0
    assert result.slope is not None and result.slope < 0


def test_forkwait_with_cheaper_handlers_too() -> None:
    path = "models.hardware-vmm.costs.{emulate_pte_set,emulate_pte_modify,emulate_pte_clear,vm_exit,vm_entry,vmcb_read}"
    experiment = load_experiment(root() / "experiments" / "paper" / "forkwait.yaml")
    result = found(experiment, path, "0 x", "1 x", "forkwait")
    (crossing,) = result.crossings
    assert abs(gap(experiment, "forkwait", path, ("0 x", "1 x"), crossing.value)) <= result.events
    assert result.possible is not None
    ((low, high),) = result.possible
    assert low < crossing.value < high


def test_the_interval_is_reached_at_corners(write: Callable[..., Experiment]) -> None:
    """Set every other cost to the bound that favours one model: break-even is then at an end of the interval."""
    experiment = write(settings=("models.hardware-vmm.costs.vm_exit=1931 ± 500 cycles",))
    path, ends = "models.hardware-vmm.costs.emulate_port_in", ("0 cycles", "900000 cycles")
    wide = found(experiment, path, *ends)
    assert wide.possible is not None
    ((low, high),) = wide.possible
    assert low <= wide.crossings[0].low <= high
    for vm_exit in ("1431 cycles", "2431 cycles"):
        inner = found(write(settings=(f"models.hardware-vmm.costs.vm_exit={vm_exit}",)), path, *ends)
        assert low <= inner.crossings[0].low <= high


@pytest.mark.parametrize(
    ("path", "ends", "message"),
    [
        ("models.hardware-vmm.costs.vm_exitt", ("0 x", "1 x"), "did you mean"),
        ("models.hardware-vmm.costs.{vm_exit,nothing}", ("0 x", "1 x"), "there is no 'nothing'"),
        ("models.hardware-vmm.costs.vm_exit", ("0", "1"), "the unit is missing"),
        ("models.hardware-vmm.costs.vm_exit", ("0 x", "1 cycles"), "bounds in one unit"),
        ("models.hardware-vmm.costs.vm_exit", ("2 x", "1 x"), "from low to high"),
        ("models.hardware-vmm.costs.vm_exit", ("-1 cycles", "1 cycles"), "a cost cannot be negative"),
        ("workloads.w.parameters.calls", ("0 x", "1 x"), "a factor scales costs"),
        ("models.native.costs.syscall", ("0 x", "1 x"), "is no parameter of software-vmm nor of hardware-vmm"),
    ],
)
def test_what_is_refused(write: Callable[..., Experiment], path: str, ends: tuple[str, str], message: str) -> None:
    with pytest.raises((InputError, SpecError), match=message):
        found(write(), path, *ends)


def test_which_models_are_meant(write: Callable[..., Experiment]) -> None:
    experiment = write()
    assert pair_of(experiment, None) == VMMS
    assert pair_of(experiment, ("native", "software-vmm")) == ("native", "software-vmm")
    with pytest.raises(InputError, match="no model 'x'"):
        pair_of(experiment, ("native", "x"))


numbers = st.integers(-50, 50).map(lambda n: Fraction(n, 7))
functions = st.lists(st.lists(st.builds(Line, numbers, numbers), min_size=1, max_size=3), min_size=1, max_size=3)
LOW, HIGH = Fraction(-10), Fraction(10)


@settings(max_examples=200, deadline=None)
@given(functions, st.lists(st.integers(-100, 100).map(lambda n: Fraction(n, 10)), min_size=2, max_size=10))
def test_zeros_are_all_zeros(rows: list[list[Line]], places: list[Fraction]) -> None:
    function = MaxMin(rows)
    zeros = function.zeros(LOW, HIGH)
    assert all(function.at(x) == 0 for a, b in zeros for x in (a, (a + b) / 2, b))
    for x in places:
        if function.at(x) == 0:
            assert any(a <= x <= b for a, b in zeros)
    first, last = min(places), max(places)
    if function.at(first) * function.at(last) < 0:
        assert any(first < a and b < last for a, b in zeros)


@settings(max_examples=100, deadline=None)
@given(functions, numbers.map(abs), st.integers(-100, 100).map(lambda n: Fraction(n, 10)))
def test_between_has_exactly_the_places_where_zero_lies_between(
    rows: list[list[Line]], wide: Fraction, x: Fraction
) -> None:
    lower = MaxMin(rows)
    upper = MaxMin([[Line(line.start + wide, line.slope) for line in row] for row in rows])
    intervals = between(lower, upper, LOW, HIGH)
    assert (lower.at(x) <= 0 <= upper.at(x)) == any(a <= x <= b for a, b in intervals)


@settings(max_examples=100, deadline=None)
@given(st.integers(-(10**6), 10**6), st.integers(1, 10**6), st.integers(1, 3))
def test_a_change_of_sign_is_closed_in_on_in_few_steps(zero: int, away: int, power: int) -> None:
    tried = set()

    def difference(k: int) -> Fraction:
        tried.add(k)
        return Fraction(2 * (k - zero) - 1) ** (2 * power - 1)

    assert closed_in(difference, zero - away, zero + 2 * away) == (zero, zero + 1)
    assert len(tried) <= 2 + 2 * (3 * away).bit_length()


FR = """
document: experiment
title: two CPUs, nothing waits
workloads:
  w: {document: workload, title: w, vcpus: [{events: [{syscall: 1000}]}, {events: [{cr8_write: 1300}]}]}
models: [pentium4-672/native, pentium4-672/software-vmm]
"""


def test_a_frontier_is_where_replays_take_the_same_time(tmp_path: Path) -> None:
    """Of two virtual CPUs that never wait the longer makes the total, so that times have corners inside cells."""
    (tmp_path / "e.yaml").write_text(FR)
    experiment = load_experiment(tmp_path / "e.yaml")
    moved = [
        parameter(experiment, f"models.native.costs.{action}", ("0 cycles", "7000 cycles"))
        for action in ("syscall", "cr8_write")
    ]
    evaluator = Evaluator(experiment, "w", moved)
    models = ("native", "software-vmm")
    result = frontier(evaluator, models)
    assert result.why_replayed == ""
    corner = Fraction(2308), Fraction(23080, 13)
    assert {x == corner[0] or y == corner[1] for x, y in result.crossings} == {True}, "the two sides of a corner"
    assert len(result.crossings) == 11
    for place in result.crossings:
        nearest = tuple(round(value / each.step) * each.step for value, each in zip(place, moved, strict=True))
        first, second = (evaluator.seconds(model, nearest) for model in models)
        assert abs(first - second) * 3_800_000_000_000 <= 1300, "a tick for each event"
    zero = Fraction(0)
    assert result.pieces == (((zero, corner[1]), corner), ((corner[0], zero), corner)), "the corner lies inside a cell"
    [*_, drawn] = pictures.frontier(result).axes[0].collections
    paths = drawn.get_paths()
    assert [np.asarray(path.vertices).tolist() for path in paths] == [
        [list(map(float, end)) for end in p] for p in result.pieces
    ]


PLANES = st.lists(st.builds(Plane, *[st.integers(-9, 9).map(Fraction)] * 3), min_size=1, max_size=4)


@given(PLANES, PLANES, st.integers(0, 6), st.integers(0, 6))
def test_a_frontier_of_planes_is_all_of_it_and_nothing_else(
    mine: list[Plane], theirs: list[Plane], x: int, y: int
) -> None:
    """Each place on a piece is one where the greatest are equal; where signs differ, a piece lies between."""
    low, high = (Fraction(0), Fraction(0)), (Fraction(6), Fraction(6))

    def gap(place: Place) -> Fraction:
        return max(plane.at(place) for plane in mine) - max(plane.at(place) for plane in theirs)

    ways = Fraction(0), Fraction(1, 3), Fraction(1)
    pieces = equal(mine, theirs, low, high)
    for a, b in pieces:
        assert a < b
        assert all(0 <= value <= 6 for value in (*a, *b))
        assert not any(gap((a[0] + w * (b[0] - a[0]), a[1] + w * (b[1] - a[1]))) for w in ways)
    for a, b in pairwise([(Fraction(x), Fraction(n)) for n in range(7)]):
        if gap(a) * gap(b) < 0:
            assert any(_meets_upright(piece, a, b) for piece in pieces)
    for a, b in pairwise([(Fraction(n), Fraction(y)) for n in range(7)]):
        if gap(a) * gap(b) < 0:
            turned = [((p[1], p[0]), (q[1], q[0])) for p, q in pieces]
            assert any(_meets_upright(piece, (a[1], a[0]), (b[1], b[0])) for piece in turned)


def _meets_upright(piece: Piece, a: Place, b: Place) -> bool:
    """Whether a straight piece meets the line between two places one above the other."""
    p, q = sorted(piece)
    if not p[0] <= a[0] <= q[0]:
        return False
    if p[0] == q[0]:
        return p[1] <= b[1] and a[1] <= q[1]
    return a[1] <= p[1] + (q[1] - p[1]) * (a[0] - p[0]) / (q[0] - p[0]) <= b[1]


def test_a_frontier_with_waits_is_closed_in_on_by_replays(write: Callable[..., Experiment]) -> None:
    """Each crossing lies between two neighbouring steps at which replays come out otherwise; pieces join all of them."""
    experiment = waiting(write())
    moved = [
        parameter(experiment, "models.hardware-vmm.costs.emulate_port_in", ("0 x", "20 x")),
        parameter(experiment, "models.software-vmm.costs.{access_virtual_chipset,syscall}", ("0 x", "20 x")),
    ]
    evaluator = Evaluator(experiment, "w", moved)
    models = ("software-vmm", "hardware-vmm")
    result = frontier(evaluator, models, 5)
    assert result.why_replayed
    assert len(result.crossings) > 3

    def gap(x: Fraction, y: Fraction) -> Fraction:
        first, second = (evaluator.seconds(model, (x, y)) for model in models)
        return first - second

    for x, y in result.crossings:
        upright = x in result.values[0]
        step = moved[upright].step
        value = (y if upright else x) / step
        ends = [((x, k * step) if upright else (k * step, y)) for k in (floor(value), ceil(value))]
        assert gap(*ends[0]) * gap(*ends[1]) <= 0
    ends_of_pieces = {end for piece in result.pieces for end in piece}
    assert ends_of_pieces == set(result.crossings)


@given(*[st.lists(st.tuples(st.integers(-20, 20), st.integers(-5, 5)), min_size=1, max_size=4)] * 2, st.integers(1, 30))
def test_the_difference_of_two_greatest_is_that_of_all_lines(
    mine: list[tuple[int, int]], theirs: list[tuple[int, int]], high: int
) -> None:
    """Lines that are left out change nothing in the range."""
    ends = Fraction(0), Fraction(high)
    above, below = ([Line(Fraction(a), Fraction(b)) for a, b in each] for each in (mine, theirs))
    found = difference(above, below, *ends)
    for i in range(41):
        x = ends[1] * i / 40
        assert found.at(x) == max(line.at(x) for line in above) - max(line.at(x) for line in below)


# --- along the graph of waits ----------------------------------------------------------------------------------------

WAITS = [
    [{"kind": K["syscall"], "count": 40, "user_ns": 9000, "posts": 1, "post_delay_ns": 50}, {"kind": K["pte_modify"], "page": 3, "count": 9}],
    [{"kind": K["port_in"], "user_ns": 100}, {"kind": K["syscall"], "waits": 1, "wait_latency_ns": 70}, {"kind": K["port_in"], "count": 2}],
]  # fmt: skip
"""Two virtual CPUs, of which one waits for the other."""


def waiting(experiment: Experiment) -> Experiment:
    """The experiment with that workload, and with bounds for some costs of the hardware VMM."""
    model = experiment.models["hardware-vmm"]
    bounded = {
        action: replace(entry, low=Cost(Fraction(0), in_cycles=True), high=Cost(Fraction(20_000), in_cycles=True))
        for action, entry in model.costs.entries.items()
        if action in ("vm_exit", "vm_entry", "vmcb_read", "emulate_port_in", "syscall")
    }
    model = replace(model, costs=CostTable({**model.costs.entries, **bounded}, model.costs.clock))
    workload = test_reprice.workload(stream(*WAITS), interacts=True)
    return replace(experiment, workloads={"w": workload}, models={**experiment.models, model.name: model})


@pytest.mark.parametrize(
    "path",
    [
        "models.hardware-vmm.costs.emulate_port_in",
        "models.hardware-vmm.costs.{vm_exit,vm_entry}",
        "models.*.costs.syscall",
        "models.software-vmm.costs.access_virtual_chipset",
    ],
)
def test_times_along_waits_are_those_of_replays(
    write: Callable[..., Experiment], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = waiting(write())
    along = found(experiment, path, "0 x", "20 x")
    monkeypatch.setattr(evaluate, "is_traceable", lambda _: False)
    by_replays = found(experiment, path, "0 x", "20 x")
    assert along.retimed > 10 > along.replays
    assert (by_replays.retimed, by_replays.replays > 10) == (0, True)
    assert replace(along, replays=0, retimed=0) == replace(by_replays, replays=0)


@settings(max_examples=60, deadline=None)
@given(
    test_engine_equality.programs(), st.sampled_from(["vm_exit", "emulate_pte_set", "validate_shadow_entry"]), st.data()
)
def test_whatever_is_expected_is_the_replay(
    program: list[list[dict[str, int]]], action: str, data: st.DataObject
) -> None:
    """Prices at which the graph does not hold are replayed, and so are those that nobody expected where there is none."""
    rows = [[{**row, "completion": AS_RECORDED} for row in each] for each in program]
    model = test_engine_equality.shipped("pentium4-672/hardware-vmm")
    work = test_reprice.workload(stream(*rows, devices=["disk"]), interacts=True)
    experiment = replace(_recorded(), workloads={"w": work}, models={model.name: model})
    evaluator = Evaluator(experiment, "w")
    prices = data.draw(st.lists(st.integers(0, 10**7), min_size=8, max_size=12, unique=True))
    evaluator.expect_costs(model.name, [{action: ticks} for ticks in prices])
    for ticks in [*prices, data.draw(st.integers(0, 10**7))]:
        fresh = Evaluator(experiment, "w").run(with_costs(model, {action: ticks}))
        assert evaluator.at_costs(model.name, {action: ticks}).outcome == fresh.outcome
    assert evaluator.replays <= len(prices) + 3


@cache
def _recorded() -> Experiment:
    return load_experiment(root() / "experiments" / "replay-identity.yaml")


def test_swings_along_waits_are_those_of_replays(
    write: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = waiting(write())
    evaluator = Evaluator(experiment, "w")
    along = sensitivity(evaluator, "hardware-vmm")
    assert evaluator.retimed >= len(along.swings) > 3 >= evaluator.replays
    monkeypatch.setattr(evaluate, "is_traceable", lambda _: False)
    again = Evaluator(experiment, "w")
    assert sensitivity(again, "hardware-vmm") == along
    assert again.replays > 3


def test_samples_along_waits_are_those_of_replays(
    write: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = waiting(write())
    along = sobol(Evaluator(experiment, "w"), "hardware-vmm", 4, seed=2)
    monkeypatch.setattr(evaluate, "is_traceable", lambda _: False)
    by_replays = sobol(Evaluator(experiment, "w"), "hardware-vmm", 4, seed=2)
    assert along is not None and by_replays is not None
    assert along.replays == 1 < by_replays.replays
    assert replace(along, replays=0) == replace(by_replays, replays=0)
