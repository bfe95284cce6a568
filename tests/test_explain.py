"""Explanations: contributions add up to the difference, to the tick, for any two replays."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import support
from command_line import EXPERIMENT, MODEL, WORKLOAD, vmmsim
from hypothesis import given, settings
from hypothesis import strategies as st
from plot_texts import assert_apart
from support import K, simple_model, stream
from test_reprice import FULL, KINDS, prices, programs, tables, with_costs, workload

from simulator.analysis.differences import differences
from simulator.analysis.explain import Explanation, Side, Total, explain, side
from simulator.analysis.shapley import shapley
from simulator.errors import InputError
from simulator.model import CostModel
from simulator.report import explained
from simulator.report.plots.waterfall import waterfall
from simulator.report.reader import load_result
from simulator.run import replay, run_experiment
from simulator.spec.build import load_experiment
from simulator.stream import MemoryStream

TOTALS: tuple[Total, ...] = ("total", "busy")


def replayed(events: MemoryStream, model: CostModel, **inputs: Any) -> Side:
    found = replay(support.engine, workload(events, interacts=True), model).replayed
    costs = {action: model.costs.entries[action].cost for action in found.ticks}
    return Side(model.name, found, costs, {"model": inputs, "workload": {}, "seed": 1})


@st.composite
def priced(draw: st.DrawFn) -> CostModel:
    """Any shipped model with state, or a simple one with fewer physical CPUs, at any prices and clock."""
    chosen = draw(st.sampled_from([*sorted(FULL), "simple", "simple with one CPU"]))
    few = 1 if chosen == "simple with one CPU" else None
    costs = dict.fromkeys(KINDS, "3 cycles") | {"user_compute": "1 ns"}
    model = FULL.get(chosen) or simple_model(costs, physical_cpus=few)
    return with_costs(model, draw(tables(sorted(model.start().ticks))))


@settings(max_examples=60, deadline=None)
@given(st.lists(programs, min_size=1, max_size=3), st.lists(programs, min_size=1, max_size=3), priced(), priced())
def test_contributions_add_up_for_any_two_models_and_workloads(
    first: list[list[dict[str, int]]], second: list[list[dict[str, int]]], one: CostModel, other: CostModel
) -> None:
    before, after = replayed(stream(*first), one), replayed(stream(*second), other)
    for of in TOTALS:
        found, back = explain(before, after, of), explain(after, before, of)
        _adds_up(found, before, after)
        assert {(p.event, p.action): -p.seconds for p in back.contributions} == {
            (p.event, p.action): p.seconds for p in found.contributions
        }
        assert {p.parameter: -p.seconds for p in back.parameters} == {p.parameter: p.seconds for p in found.parameters}
        assert explain(before, before, of).contributions == ()


def _adds_up(found: Explanation, before: Side, after: Side) -> None:
    outcomes = before.replayed.outcome, after.replayed.outcome
    ends = [each.busy if found.of == "busy" else each.makespan for each in outcomes]
    rates = [each.replayed.clock.ticks_per_second for each in (before, after)]
    difference = Fraction(ends[1], rates[1]) - Fraction(ends[0], rates[0])
    assert sum(part.seconds for part in found.contributions) == difference == found.difference
    assert sum(part.seconds for part in found.parameters) == difference
    assert all(part.of_counts + part.of_prices == part.seconds for part in found.contributions)
    if rates[0] == rates[1]:
        assert all((part.seconds * rates[0]).denominator == 1 for part in found.contributions)


@settings(max_examples=50, deadline=None)
@given(programs, prices, st.sampled_from(KINDS[:5]))
def test_a_changed_cost_has_the_whole_difference_which_is_count_times_change(
    program: list[dict[str, int]], cost: Any, action: str
) -> None:
    model = simple_model(dict.fromkeys(KINDS, "3 cycles") | {"user_compute": "1 ns"})
    entries = dict(model.costs.entries)
    entries[action] = replace(entries[action], cost=cost)
    before = replayed(stream(program), model)
    after = replayed(stream(program), with_costs(model, replace(model.costs, entries=entries)))
    found = explain(before, after)
    count = sum(n for (_, taken), n in before.counts("total").actions.items() if taken == action)
    expected = Fraction(count * (cost.ticks(model.costs.clock) - 3000), model.costs.clock.ticks_per_second)
    assert [p.seconds for p in found.parameters] == ([expected] if expected else [])
    assert all(p.parameter == f"costs.{action}" for p in found.parameters)


def test_where_one_parameter_differs_idle_time_is_its_own_too() -> None:
    costs = {"syscall": "1000 cycles", "rdtsc": "10 cycles"}
    rows = [{"kind": K["syscall"]}]
    before = replayed(stream(rows, rows), simple_model(costs), costs={"syscall": {"cost": "1000 cycles"}})
    shared = simple_model({**costs, "syscall": "3000 cycles"}, physical_cpus=1)
    after = replayed(stream(rows, rows), shared, costs={"syscall": {"cost": "3000 cycles"}})
    found = explain(before, after)
    assert [(p.event, p.action) for p in found.contributions] == [("", "waiting"), ("syscall", "syscall")]
    (share,) = found.parameters
    assert (share.parameter, share.before, share.after) == ("costs.syscall", "1000 cycles", "3000 cycles")
    assert share.seconds == found.difference == Fraction(5, 10**6)


def test_a_faster_clock_leaves_computation_in_nanoseconds_alone() -> None:
    model = simple_model({"syscall": "1000 cycles"})
    faster = with_costs(model, replace(model.costs, clock=replace(model.costs.clock, mhz=2000)))
    rows = [{"kind": K["syscall"], "user_ns": 500}] * 4
    found = explain(replayed(stream(rows), model), replayed(stream(rows), faster))
    assert [(p.parameter, p.before, p.after, p.seconds) for p in found.parameters] == [
        ("machine.clock", "1000 MHz", "2000 MHz", Fraction(-2, 10**6))
    ]
    assert [(p.event, p.action) for p in found.contributions] == [("syscall", "syscall")]


def test_price_changes_that_cancel_each_have_a_share() -> None:
    """Half the clock makes an action take twice as long, half its cycles half as long: neither is nothing."""
    model, rows = (
        simple_model({"syscall": "242 cycles"}, mhz=3800, name="fast"),
        [{"kind": K["syscall"], "count": 1000}],
    )
    halved = simple_model({"syscall": "121 cycles"}, mhz=1900, name="slow")
    before, after = (
        replayed(stream(rows), each, clock=each.machine.clock.mhz, costs=each.name) for each in (model, halved)
    )
    found, back = explain(before, after), explain(after, before)
    assert found.difference == 0
    assert found.contributions == ()
    of_clock = (Fraction(242, 1900) - Fraction(242, 3800) + Fraction(121, 1900) - Fraction(121, 3800)) / 2 / 1000
    assert {p.parameter: p.seconds for p in found.parameters} == {"machine.clock": of_clock, "costs.syscall": -of_clock}
    assert {p.parameter: -p.seconds for p in back.parameters} == {p.parameter: p.seconds for p in found.parameters}
    assert explained.sentence(found) == (
        "w: slow takes as long as fast (63.7 µs against 63.7 µs), action by action, though not for the same reasons: "
        "-47.8 µs costs.syscall, +47.8 µs machine.clock."
    )
    assert len(explained.view([found]).parts) == 2


def test_settings_that_cancel_are_told(folder: Path) -> None:
    """Also by their Shapley values, which need replays."""
    settings = ("--set", "models.m.machine.clock=500 MHz", "--set", "models.m.costs.syscall=5 cycles")
    done = vmmsim("explain", "e.yaml", "m", *settings, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert found["seconds"] == "0"
    assert {p["seconds"] for p in found["parameters"]} == {"0.000015", "-0.000015"}
    shown = vmmsim("explain", "e.yaml", "m", *settings, "--out", "cancelled", cwd=folder)
    assert "take the same" not in shown.stdout
    assert "Shapley" in shown.stdout
    assert (folder / "cancelled" / "waterfall-by-parameter.svg").exists()
    assert not (folder / "cancelled" / "waterfall.svg").exists()


def test_what_counts_hang_on_is_named_alike_from_both_sides() -> None:
    model = simple_model({"syscall": "10 cycles"})
    rows = [{"kind": K["syscall"]}]
    mechanisms = {name: {"n": 1} for name in ("d", "b", "a", "c", "e")}
    before = replayed(stream(rows), model, mechanisms={name: {"n": 2} for name in mechanisms}, costs="x")
    after = replayed(stream(rows * 2), model, mechanisms=dict(reversed(mechanisms.items())), costs="y")
    for found in (explain(before, after), explain(after, before)):
        (share,) = found.parameters
        assert share.parameter == "counts of actions (" + ", ".join(f"mechanisms.{name}" for name in "abcde") + ")"
        assert explained.brief(share) == "counts of actions (mechanisms.a, mechanisms.b, mechanisms.c and 2 more)"
        assert explained.steps(found, by_parameter=True)[0][0] == explained.brief(share)


def test_waits_and_idle_time_are_contributions_of_the_virtual_cpu_that_ends_last() -> None:
    model = simple_model({"syscall": "1000 cycles"}, name="two CPUs")
    shared = simple_model({"syscall": "1000 cycles"}, physical_cpus=1, time_slice_ns=10**6, name="one CPU")
    rows = [{"kind": K["syscall"], "count": 3}]
    before, after = (replayed(stream(rows, rows), each) for each in (model, shared))
    found = explain(before, after)
    assert [(p.event, p.action, p.seconds) for p in found.contributions] == [("", "waiting", Fraction(3, 10**6))]
    assert "virtual CPU 0 before, 1 after" in found.remark
    assert explain(before, after, "busy").contributions == ()
    assert "+3.00 µs waiting for a device or a physical CPU" in explained.sentence(found)


def test_the_sentence_names_the_three_largest() -> None:
    costs = {"syscall": "10 cycles", "rdtsc": "10 cycles", "cpuid": "10 cycles", "halt": "10 cycles"}
    dearer = {"syscall": "40 cycles", "rdtsc": "30 cycles", "cpuid": "5 cycles", "halt": "11 cycles"}
    rows = [{"kind": K[name]} for name in ("syscall", "rdtsc", "cpuid")]
    rows.append({"kind": K["rdtsc"], "count": 1})
    before, after = (replayed(stream(rows), simple_model(c, name=n)) for n, c in (("a", costs), ("b", dearer)))
    assert explained.sentence(explain(before, after)) == (
        "w: b takes 65.0 ns longer than a (105 ns against 40.0 ns): +40.0 ns rdtsc, +30.0 ns system calls, -5.00 ns cpuid."
    )
    assert explained.sentence(explain(after, before)).startswith("w: a takes 65.0 ns less than b")
    assert "take the same" in explained.sentence(explain(before, before))


OLD: Mapping[str, Any] = {"model": {"costs": {"x": {"cost": "1 ns", "source": "a"}}, "mechanisms": {"m": {"n": 1}}}}
NEW: Mapping[str, Any] = {"model": {"costs": {"x": {"cost": "2 ns", "source": "b"}}, "mechanisms": {"m": {"n": [1]}}}}


def test_differences_leave_out_what_no_replay_reads() -> None:
    found = list(differences(OLD, NEW))
    assert [(d.name, d.before, d.after, d.is_price) for d in found] == [
        ("costs.x", "1 ns", "2 ns", True),
        ("mechanisms.m.n", "1", "...", False),
    ]
    assert found[1].part == "mechanisms.m"


@pytest.mark.parametrize("scale", [1, 100])
def test_the_waterfall_says_when_its_axis_is_cut(scale: int) -> None:
    ends = (("a", Fraction(scale)), ("b", Fraction(scale) + Fraction(1, 2)))
    figure = waterfall("w: total time", ends, [("more", Fraction(1)), ("less", Fraction(-1, 2))], "total")
    (axes,) = figure.axes
    assert axes.get_xlabel() == "total time (s)" if scale == 1 else "total time (s, axis cut)"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "more", "less", "b"]
    assert_apart(figure)
    assert axes.get_xlim()[0] == (0 if scale == 1 else 99.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("explain")
    for name, text in (("m", MODEL), ("n", MODEL.replace("10 cycles", "14 cycles, low: 12 cycles")), ("w", WORKLOAD)):
        (path / f"{name}.yaml").write_text(text)
    (path / "e.yaml").write_text(EXPERIMENT.replace("[m.yaml]", "[m.yaml, n.yaml]"))
    for out, more in (("one", ()), ("two", ("--set", "models.m.costs.syscall=11 cycles"))):
        done = vmmsim("run", "e.yaml", "--out", out, "--no-plots", *more, cwd=path)
        assert done.returncode == 0, done.stderr
    return path


FORMS: list[tuple[Sequence[str], list[tuple[str, str, str]]]] = [
    (["e.yaml", "m", "n"], [("m", "n", "0.000008")]),
    (["one", "m", "n", "--workload", "w"], [("m", "n", "0.000008")]),
    (["one", "n", "m"], [("n", "m", "-0.000008")]),
    (["e.yaml", "m", "n", "--set", "models.m.costs.syscall=13 cycles"], [("m", "n", "0.000002")]),
    (
        ["e.yaml", "m", "--set", "models.m.costs.syscall=13 cycles"],
        [("m", "m with models.m.costs.syscall=13 cycles", "0.000006")],
    ),
    (["one", "two"], [("m in one", "m in two", "0.000002"), ("n in one", "n in two", "0")]),
    (["one", "two", "--model", "n", "--of", "busy"], [("n in one", "n in two", "0")]),
]


@pytest.mark.parametrize(("arguments", "expected"), FORMS, ids=lambda value: " ".join(map(str, value))[:60])
def test_what_can_be_explained(folder: Path, arguments: Sequence[str], expected: list[tuple[str, str, str]]) -> None:
    done = vmmsim("explain", *arguments, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(each["before"], each["after"], each["seconds"]) for each in found] == expected
    for each in found:
        assert sum(Fraction(p["exact_seconds"]) for p in each["contributions"]) == Fraction(each["exact_seconds"])


FAULTS = [
    (["one", "elsewhere"], "'elsewhere' is not the directory of a result: expected two results"),
    (["one", "m", "o"], "has no model 'o'"),
    (["e.yaml", "m", "o"], "no model 'o' there; there is m, n"),
    (["e.yaml", "m", "n", "--workload", "v"], "no workload 'v' there"),
    (["one", "two", "--model", "nn"], "no model 'nn' there (did you mean 'n'?); there is m, n"),
    (["one", "m", "n@fast"], "has no point 'fast'"),
    (["one", "m", "--set", "models.m.costs.syscall=1 ns"], "a result is not run again"),
    (["e.yaml", "m", "n", "--model", "m"], "--model is for two results"),
    (["one", "two", "--of", "idle"], "--of: expected total or busy, found 'idle'"),
    (["nowhere.yaml", "m", "n"], "no experiment 'nowhere.yaml'"),
]


@pytest.mark.parametrize(("arguments", "message"), FAULTS, ids=lambda value: " ".join(value)[:40])
def test_what_cannot_be_explained(folder: Path, arguments: Sequence[str], message: str) -> None:
    done = vmmsim("explain", *arguments, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_files_are_written_whole_and_only_over_earlier_ones(folder: Path) -> None:
    for _ in range(2):
        done = vmmsim("explain", "one", "two", "--out", "why", cwd=folder)
        assert done.returncode == 0, done.stderr
    names = {path.name for path in (folder / "why").iterdir()}
    assert names == {"explanation.json", "contributions.csv", "parameters.csv", "waterfall.png", "waterfall.svg"}
    with (folder / "why" / "contributions.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["action"], row["actions_after"], row["difference_seconds"]) == ("syscall", "2000", "0.000002")
    assert vmmsim("explain", "one", "two", "--out", ".", cwd=folder).returncode == 2


def test_a_result_without_counts_is_refused(folder: Path) -> None:
    found = load_result(folder / "one")
    with pytest.raises(InputError, match="kept no counts: run it again"):
        side(replace(found, replays=()), "w", "m")


def test_a_sweep_point_has_its_own_prices(folder: Path) -> None:
    """The amount of a cost is that of the replay, its unit that of the document."""
    result = run_experiment(load_experiment(folder / "e.yaml"))
    moved = tuple(replace(r, ticks={**r.ticks, "syscall": 12_000, "compute": 2000}) for r in result.replays)
    found = side(replace(result, replays=moved), "w", "m").costs
    assert (str(found["syscall"]), str(found["compute"])) == ("12 cycles", "2 ns")


@given(st.integers(0, 4), st.data())
def test_shapley_values_add_up_and_know_neither_order_nor_idlers(changes: int, data: st.DataObject) -> None:
    values: dict[tuple[int, ...], Fraction] = {}

    def value(made: tuple[int, ...]) -> Fraction:
        """The first change has no effect; the others have any, alone and together."""
        acting = tuple(each for each in made if each)
        return values.setdefault(acting, Fraction(data.draw(st.integers(-(10**9), 10**9))))

    shares = shapley(changes, value)
    everything = tuple(range(1, changes))
    assert sum(shares) == values[everything] - values[()]
    assert shares[:1] in ([], [0])
    backwards = shapley(changes, lambda made: value(tuple(sorted(changes - 1 - each for each in made))))
    assert backwards == shares[::-1]


def test_several_settings_are_told_apart_by_replays(folder: Path) -> None:
    """2000 actions of 10 cycles at 1 GHz become 3000 of 14: 12 us and 10 us alone, 22 us together, at means of orders."""
    events = "models.m.mechanisms.direct_execution.events.syscall.syscall=3"
    cost = "models.m.costs.syscall=14 cycles"
    done = vmmsim("explain", "e.yaml", "m", "--set", events, "--set", cost, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert [(p["parameter"], p["seconds"]) for p in found["parameters"]] == [(events, "0.000012"), (cost, "0.00001")]
    assert found["seconds"] == "0.000022"
    assert "Shapley" in found["method"]
    low = ("--set", "models.n.costs.syscall.low=8 cycles", "--set", "models.n.costs.syscall=9 cycles")
    done = vmmsim("explain", "e.yaml", "n", *low, cwd=folder)
    assert done.returncode == 2
    assert "runs with some of them, of which one fails" in done.stderr
