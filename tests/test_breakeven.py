"""Break-even by its own definition: at the value found, replays take the same time under both models."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.analysis.breakeven import BreakEven, break_even, closed_in, pair_of
from simulator.analysis.evaluate import Evaluator
from simulator.analysis.frontier import frontier
from simulator.analysis.lines import Line, MaxMin, between, difference
from simulator.analysis.parameter import parameter
from simulator.errors import InputError, SpecError
from simulator.spec.build import Experiment, load_experiment
from simulator.spec.library import root

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
