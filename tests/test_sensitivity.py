"""Sensitivity by its own definition: derivatives are finite differences of replays, variances those of samples."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest
import support
from command_line import EXPERIMENT as EXPERIMENT_OF_ONE
from command_line import MODEL, WORKLOAD
from hypothesis import given, settings
from hypothesis import strategies as st
from support import K, simple_model, stream
from test_reprice import FULL, KINDS, programs, workload

from simulator.analysis.evaluate import Evaluator, with_costs
from simulator.analysis.parameter import parameter
from simulator.analysis.sensitivity import derivatives, sensitivity, uncertain
from simulator.analysis.sobol import sobol
from simulator.errors import InputError
from simulator.model import CostModel
from simulator.result import Replayed
from simulator.run import replay
from simulator.spec.build import Experiment, Workload, load_experiment
from simulator.uncertainty import bounds, forms, ratio, total

EXPERIMENT = """
document: experiment
title: uncertain
workloads:
  w:
    document: workload
    title: w
    %s
    events: [{user_compute: 20 us}, {syscall: 40}, {pte_modify: {count: 3, page: 7}}, {port_in: 5}, {cpuid: 3}]
models: [pentium4-672/native, pentium4-672/hardware-vmm]
baseline: native
"""
SPREAD = (
    "models.hardware-vmm.costs.vm_exit=1931 ± 500 cycles",
    "models.hardware-vmm.costs.emulate_port_in=8997 ± 4000 cycles",
    "models.*.costs.syscall=242 ± 100 cycles",
)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Experiment]:
    def written(timer: str = "") -> Experiment:
        path = tmp_path / "e.yaml"
        path.write_text(EXPERIMENT % timer)
        return load_experiment(path, SPREAD)

    return written


def replayed(work: Workload, model: CostModel) -> Replayed:
    return replay(support.engine, work, model).replayed


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FULL)), programs, st.integers(1, 10**7))
def test_finite_differences_of_replays_are_the_derivatives(name: str, program: list[dict[str, int]], step: int) -> None:
    """Exactly, for steps of any size: the total is a straight line of each cost."""
    work, model = workload(stream(program)), FULL[name]
    base = replayed(work, model)
    for derivative in derivatives(base)[:4]:
        more = replayed(work, with_costs(model, {derivative.action: base.ticks[derivative.action] + step}))
        assert more.outcome.makespan - base.outcome.makespan == derivative.count * step
    if base.outcome.makespan:
        assert sum(derivative.elasticity for derivative in derivatives(base)) == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(programs, min_size=2, max_size=4), st.integers(1, 10**7))
def test_of_several_virtual_cpus_the_total_grows_at_least_as_its_derivative_says(
    vcpus: list[list[dict[str, int]]], step: int
) -> None:
    """It is the greatest of straight lines, so it lies above each; a small step changes it by the derivative."""
    work = workload(stream(*vcpus))
    model = simple_model(dict.fromkeys(KINDS, "3 cycles") | {"user_compute": "1 ns"})
    base = replayed(work, model)
    for derivative in derivatives(base):
        more = replayed(work, with_costs(model, {derivative.action: base.ticks[derivative.action] + step}))
        assert more.outcome.makespan - base.outcome.makespan >= derivative.count * step


def test_where_something_waits_derivatives_are_of_the_busy_time(write: Callable[..., Experiment]) -> None:
    evaluator = Evaluator(write("timer: 100000 Hz"), "w")
    found = sensitivity(evaluator, "hardware-vmm")
    assert (found.of, found.corner, found.variance) == ("busy", None, None)
    assert "timer" in found.why_busy
    outcome = evaluator.base("hardware-vmm").outcome
    counts = {each.action: each.count for each in found.derivatives}
    assert counts["vm_exit"] == sum(n for (_, action), n in outcome.counts.actions.items() if action == "vm_exit")
    swing = next(each for each in found.swings if each.action == "vm_exit")
    ends = [with_costs(evaluator.experiment.models["hardware-vmm"], {"vm_exit": t}) for t in (1_431_000, 2_431_000)]
    times = [Fraction(evaluator.run(model).outcome.makespan, 3_800_000_000_000) for model in ends]
    assert [swing.low, swing.high] == times


def test_swings_and_corners_are_replays_at_the_bounds(write: Callable[..., Experiment]) -> None:
    evaluator = Evaluator(write(), "w")
    found, model = sensitivity(evaluator, "hardware-vmm"), evaluator.experiment.models["hardware-vmm"]
    used = uncertain(model, evaluator.base("hardware-vmm"))
    assert {"vm_exit", "emulate_port_in", "syscall"} <= used.keys() | {"syscall"}
    for swing in found.swings:
        for seconds, ticks in zip((swing.low, swing.high), used[swing.action], strict=True):
            again = evaluator.run(with_costs(model, {swing.action: ticks})).outcome.makespan
            assert seconds == Fraction(again, 3_800_000_000_000)
    assert found.corner is not None
    for end, seconds in enumerate((found.corner.low, found.corner.high)):
        all_at = with_costs(model, {action: ends[end] for action, ends in used.items()})
        assert seconds == Fraction(evaluator.run(all_at).outcome.makespan, 3_800_000_000_000)
    assert [each.width for each in found.swings] == sorted((each.width for each in found.swings), reverse=True)


def test_samples_agree_with_the_analytic_variance(write: Callable[..., Experiment]) -> None:
    """Sobol's sequence has less error than independent samples, whose 4-sigma bound is taken: a kurtosis below 3."""
    evaluator = Evaluator(write(), "w")
    exact = sensitivity(evaluator, "hardware-vmm")
    assert exact.variance is not None
    found = sobol(evaluator, "hardware-vmm", 512, seed=3)
    assert found is not None
    assert found.replays == 0
    assert abs(found.deviation**2 / float(exact.variance) - 1) < 4 * math.sqrt(2 / 512)
    for index in found.indices:
        swing = next(each for each in exact.swings if each.action == index.name)
        part = float(swing.width**2 / 12 / exact.variance)
        assert abs(index.first - part) <= 2 * index.first_confidence + 0.01
        assert abs(index.whole - part) <= 2 * index.whole_confidence + 0.01
    assert sobol(evaluator, "hardware-vmm", 512, seed=3) == found


def test_structural_parameters_are_sampled_by_replays(write: Callable[..., Experiment]) -> None:
    experiment = write()
    reads = parameter(experiment, "models.hardware-vmm.mechanisms.vm_exits.vmcb_reads", ("0", "60"))
    evaluator = Evaluator(experiment, "w", [reads])
    found = sobol(evaluator, "hardware-vmm", 16, seed=1)
    assert found is not None
    assert 2 < found.replays <= 61
    assert reads.path in {index.name for index in found.indices[:2]}


def test_whole_values_are_drawn_alike(tmp_path: Path) -> None:
    """Four numbers of calls, each in a quarter of the samples, their ends included."""
    for name, text in (("m", MODEL), ("w", WORKLOAD), ("e", EXPERIMENT_OF_ONE)):
        (tmp_path / f"{name}.yaml").write_text(text)
    experiment = load_experiment(tmp_path / "e.yaml")
    calls = parameter(experiment, "models.m.mechanisms.direct_execution.events.syscall.syscall", ("1", "4"))
    evaluator = Evaluator(experiment, "w", [calls])
    found = sobol(evaluator, "m", 64, seed=1)
    assert found is not None
    totals = [float(evaluator.seconds("m", (Fraction(n),))) for n in range(1, 5)]
    assert found.mean == pytest.approx(statistics.fmean(totals))
    assert found.deviation == pytest.approx(statistics.pstdev(totals))
    assert found.replays == 4


def test_what_sobol_refuses(write: Callable[..., Experiment]) -> None:
    evaluator = Evaluator(write(), "w")
    with pytest.raises(InputError, match="a power of two"):
        sobol(evaluator, "hardware-vmm", 100, seed=1)
    clock = parameter(evaluator.experiment, "models.hardware-vmm.machine.clock", ("1000.2 MHz", "1000.4 MHz"))
    with pytest.raises(InputError, match=r"clock: no value that can be set lies between 1000\.2 and 1000\.4"):
        sobol(Evaluator(evaluator.experiment, "w", [clock]), "hardware-vmm", 16, seed=1)


@settings(max_examples=60, deadline=None)
@given(st.lists(programs, min_size=1, max_size=2), st.randoms(use_true_random=False))
def test_no_corner_leaves_the_bounds(vcpus: list[list[dict[str, int]]], random: Random) -> None:
    """Of totals, and of ratios of models that share a cost; with one virtual CPU a corner reaches them."""
    work = workload(stream(*vcpus, [{"kind": K["syscall"]}]))
    model = _spread(simple_model(dict.fromkeys(KINDS, "30 cycles") | {"user_compute": "1 ns"}))
    other = _spread(simple_model(dict.fromkeys(KINDS, "30 cycles") | {"rdtsc": "900 cycles"}, name="other"))
    mine, base = (forms(replayed(work, each).outcome, each) for each in (model, other))
    relative, whole = ratio(mine, base), total(mine)
    assert relative is not None
    for _ in range(5):
        shared = {action: random.choice((0, 1, 2)) for action in model.costs.entries}
        times = []
        for each in (model, other):
            ticks = {a: bounds(each.costs.entries[a], each)[end] for a, end in shared.items()}
            times.append(Fraction(replayed(work, with_costs(each, ticks)).outcome.makespan, 10**12))
        assert whole.low <= times[0] <= whole.high
        assert relative.low <= times[0] / times[1] <= relative.high


def _spread(model: CostModel) -> CostModel:
    entries = {}
    for name, entry in model.costs.entries.items():
        low, high = (dataclasses.replace(entry.cost, amount=entry.cost.amount * n) for n in (Fraction(1, 2), 3))
        entries[name] = dataclasses.replace(entry, low=low, high=high)
    return dataclasses.replace(model, costs=dataclasses.replace(model.costs, entries=entries))
