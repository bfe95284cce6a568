"""Estimates: counts within a factor of two of the run, scaling by an injected clock, samples that can be replayed."""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import EXPERIMENT, MODEL, WORKLOAD, refused, vmmsim
from hypothesis import given
from hypothesis import strategies as st
from support import K, simple_model, stream

from simulator.engine import ENGINES
from simulator.engine.base import Engine, Outcome, Progress, Replay
from simulator.errors import RunError, SimulatorError
from simulator.estimate import fixed
from simulator.estimate.estimate import RunEstimate, estimate, peak_memory
from simulator.estimate.measure import FIRST_ROWS, MOST_ROWS, further_growth, memory, replaying
from simulator.estimate.sample import Sample
from simulator.events import ACTIVITY_KINDS, REQUEST_KINDS
from simulator.report import plots
from simulator.report.writer import write_result
from simulator.run import run_experiment
from simulator.spec.build import Experiment, Workload, load_experiment, load_model, load_workload
from simulator.spec.library import find, names
from simulator.stream import AS_RECORDED, BLOCKING, START_SIGNAL, EventStream, Header, MemoryStream

REFERENCE, FAST = ENGINES["reference"], ENGINES["fast"]


class Clocked(Engine):
    """An engine, and a clock that stands still but for the rows that the engine replays."""

    name = "clocked"

    def __init__(self, seconds_per_row: float, inner: Engine = FAST) -> None:
        self.now = 0.0
        self._inner = inner
        self._seconds_per_row = seconds_per_row

    def clock(self) -> float:
        return self.now

    def run(self, replay: Replay, progress: Progress | None = None) -> Outcome:
        rows = sum(len(batch) for v in range(replay.stream.header.vcpus) for batch in replay.stream.batches(v))
        self.now += rows * self._seconds_per_row
        return self._inner.run(replay, progress)


def estimated(experiment: Experiment, seconds_per_row: float = 1e-4, plots: bool = False) -> RunEstimate:
    engine = Clocked(seconds_per_row)
    return estimate(experiment, engine, plots=plots, clock=engine.clock)


def shipped(name: str, *settings: str) -> Experiment:
    return load_experiment(find(name, "experiment", Path()), settings)


def within_two(estimate: float, actual: float) -> bool:
    return actual / 2 <= estimate <= 2 * actual


# --- events, rows and disk: within a factor of two of the run ----------------------------------------------------------

EXPERIMENTS = (
    "replay-identity",
    "paper/rdtsc",
    "paper/forkwait",
    "paper/figure4-nanobenchmarks",
    "paper/figure3-macro",
)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_events_and_disk_are_those_of_the_run_within_a_factor_of_two(name: str, tmp_path: Path) -> None:
    experiment = shipped(name)
    result = run_experiment(experiment, FAST)
    write_result(result, tmp_path / "out", json.dumps(result.metadata["experiment"], indent=2))
    found = estimated(experiment, plots=True)
    for each, row in zip(found.replays, result.totals, strict=True):
        assert (each.workload, each.model) == (row.workload, row.model)
        assert within_two(each.events, row.events)
    written = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert within_two(found.disk, written)
    assert any(each.sampled < each.rows for each in found.replays) or name != "replay-identity", (
        "recordings are sampled"
    )


def test_disk_without_plots_is_that_of_the_tables(tmp_path: Path) -> None:
    experiment = shipped("paper/figure2-spec")
    write_result(run_experiment(experiment, FAST), tmp_path / "out", "", plots=False)
    written = sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    assert estimated(experiment).disk == pytest.approx(written, rel=0.1)


def test_every_plot_has_a_cost() -> None:
    assert fixed.PLOTS.keys() == plots.PLOTS.keys()


def counted(events: EventStream) -> tuple[int, int]:
    """Return rows, and events with the interrupts of completed requests, of a whole stream."""
    rows = total = 0
    for batch in (batch for vcpu in range(events.header.vcpus) for batch in events.batches(vcpu)):
        rows += len(batch)
        kinds, counts = batch.columns["kind"], batch.column("count")
        total += int(counts[~np.isin(kinds, list(ACTIVITY_KINDS))].sum())
        asking = (batch.column("completion") != AS_RECORDED) & np.isin(kinds, list(REQUEST_KINDS))
        total += 2 * int(counts[asking].sum())
    return rows, total


@pytest.mark.parametrize("name", names("workload"))
def test_a_workload_knows_its_rows_and_events(name: str) -> None:
    workload = load_workload(find(name, "workload", Path()))[1]
    rows, events = counted(workload.stream)
    tolerance = 0.2 if workload.is_random else 0
    assert workload.rows == pytest.approx(rows, rel=tolerance, abs=1 if workload.is_random else 0)
    assert workload.events == pytest.approx(events, rel=tolerance, abs=1 if workload.is_random else 0)


LONG = """\
document: workload
title: long
timer: 1 kHz
events:
  - repeat: {times: 50000, events: [{syscall: 3}, {user_compute: 1 us}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    recipes = "rdtsc: {rdtsc: 1}\n      interrupt: {rdtsc: 1}\n      interrupt_completion: {rdtsc: 1}"
    (tmp_path / "m.yaml").write_text(MODEL.replace("rdtsc: {rdtsc: 1}", recipes, 1))
    (tmp_path / "w.yaml").write_text(WORKLOAD)
    (tmp_path / "long.yaml").write_text(LONG)
    (tmp_path / "e.yaml").write_text(EXPERIMENT.replace("[w.yaml]", "[w.yaml, long.yaml]"))
    return tmp_path


def test_the_ticks_of_a_timer_are_scaled_with_the_run(folder: Path) -> None:
    experiment = load_experiment(folder / "e.yaml")
    actual = run_experiment(experiment).totals[1].events
    _, found = estimated(experiment).replays
    assert experiment.workloads["long"].events == 150_000
    assert found.sampled < found.rows == 100_000
    assert found.events > 150_000
    assert found.events == pytest.approx(actual, rel=0.01)


# --- time: by the rows, with a clock that the test moves -----------------------------------------------------------------


def test_time_is_scaled_by_rows(folder: Path) -> None:
    found = estimated(load_experiment(folder / "e.yaml"), seconds_per_row=0.001)
    assert [each.seconds for each in found.replays] == pytest.approx([0.002, 100.0])
    assert [each.sampled for each in found.replays] == [2, FIRST_ROWS]
    assert found.total_seconds == pytest.approx(100.002)
    assert found.rows == 100_002


class InOnePass(Clocked):
    """Several models take twice the time of one."""

    def run_all(self, replays: Sequence[Replay], progress: Progress | None = None) -> list[Outcome | SimulatorError]:
        begin = self.now
        found = super().run_all(replays, progress)
        if len(replays) > 1:
            self.now = begin + 2 * (self.now - begin) / len(replays)
        return found


@pytest.mark.parametrize("models", [2, 3, 8])
def test_what_one_pass_takes_is_shared_out_among_the_models(folder: Path, models: int) -> None:
    names = [f"model{number}.yaml" for number in range(models)]
    for name in names:
        (folder / name).write_text((folder / "m.yaml").read_text())
    text = f"document: experiment\ntitle: one pass\nworkloads: [long.yaml]\nmodels: [{', '.join(names)}]\n"
    (folder / "e.yaml").write_text(text)
    engine = InOnePass(0.001)
    found = estimate(load_experiment(folder / "e.yaml"), engine, plots=False, clock=engine.clock)
    assert [each.seconds for each in found.replays] == pytest.approx([2 * 100 / models] * models)


def test_samples_grow_until_they_take_long_enough(folder: Path) -> None:
    workload = load_experiment(folder / "e.yaml").workloads["long"]
    model = load_model(folder / "m.yaml")[1]
    first = FIRST_ROWS * 1e-5
    for least, expected in (
        (first, FIRST_ROWS),
        (2 * first, 3 * FIRST_ROWS),
        (8 * first, 12 * FIRST_ROWS),
        (9, 100_000),
    ):
        engine = Clocked(1e-5)
        measured = replaying(engine, Sample(workload, engine.clock), [model], least, engine.clock)
        assert measured.rows == pytest.approx(expected, abs=1)
        assert measured.seconds == pytest.approx((measured.rows * 1e-5,))


def test_samples_have_a_largest_size() -> None:
    rows = MemoryStream(Header("w"), [[stream([{"kind": K["syscall"]}] * 4096).rows[0][0]] * 1000])
    workload = Workload("w", rows, None, frozenset({K["syscall"]}), frozenset(), 4_096_000, 4_096_000)
    engine = Clocked(0.0, Silent())
    sample = Sample(workload, engine.clock)
    assert replaying(engine, sample, [simple_model()], 1.0, engine.clock).rows == MOST_ROWS
    assert sample.drawn == MOST_ROWS


class Silent(Engine):
    """An engine that does nothing."""

    name = "silent"

    def run(self, replay: Replay, progress: Progress | None = None) -> Outcome:
        return Outcome((), (), ())


class Slow:
    """A stream whose first batch takes 5 seconds to draw, and every other 1 second."""

    header = Header("w")

    def __init__(self, batches: int) -> None:
        self.now = 0.0
        self._rows = [stream([{"kind": K["syscall"]}] * 100).rows[0][0]] * batches

    def clock(self) -> float:
        return self.now

    def batches(self, vcpu: int):  # type: ignore[no-untyped-def]
        self.now += 4
        for batch in self._rows:
            self.now += 1
            yield batch


@pytest.mark.parametrize(("grown", "seconds"), [(100, 50.0), (101, 14.0), (1000, 14.0)])
def test_drawing_rows_takes_what_comes_first_once_and_then_time_by_the_row(grown: int, seconds: float) -> None:
    slow = Slow(10)
    sample = Sample(Workload("w", slow, None, frozenset(), frozenset(), 1000, 1000), slow.clock)
    sample.grow(grown)
    assert sample.seconds_to_draw() == pytest.approx(seconds)


def test_what_a_run_starts_with_is_added(folder: Path) -> None:
    experiment = load_experiment(folder / "e.yaml")
    engine = Clocked(0.001)
    found = estimate(experiment, engine, plots=False, started=7.0, clock=engine.clock)
    loading = found.seconds["start"] - 7
    assert loading == 0, "a clock that stands still says that this machine takes no time for anything fixed"
    assert found.seconds["replays"] == pytest.approx(100.002)


# --- samples -----------------------------------------------------------------------------------------------------------


def sampled(*vcpus: list[dict[str, int]], rows: int, cuts: tuple[int, ...] = ()) -> MemoryStream:
    events = stream(*vcpus, devices=["disk"], cuts=cuts)
    sample = Sample(Workload("w", events, None, frozenset(), frozenset(), 0, 0), lambda: 0.0)
    sample.grow(rows)
    return sample.stream(rows)


def test_a_sample_has_the_first_rows_of_each_virtual_cpu() -> None:
    rows = [{"kind": K["syscall"], "number": n} for n in range(10)]
    found = sampled(rows, rows[:2], rows=5, cuts=(3, 7))
    numbers = [[int(n) for batch in batches for n in batch.column("number")] for batches in found.rows]
    assert numbers == [[0, 1, 2, 3, 4], [0, 1]]
    assert [len(batch) for batch in found.rows[0]] == [3, 2]


def test_a_sample_in_small_batches_has_the_same_rows() -> None:
    rows = [{"kind": K["syscall"], "number": n} for n in range(10)]
    sample = Sample(Workload("w", stream(rows), None, frozenset(), frozenset(), 0, 0), lambda: 0.0)
    sample.grow(10)
    batches = sample.stream(7, per_batch=3).rows[0]
    assert [batch.column("number").tolist() for batch in batches] == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_sample_does_not_wait_for_what_is_posted_beyond_it() -> None:
    """The first virtual CPU would wait for the tenth row of the second; what is posted within is waited for."""
    waiting = [
        {"kind": K["syscall"], "waits": 7},
        {"kind": K["syscall"], "waits": 8},
        {"kind": K["syscall"], "waits": START_SIGNAL, "wait_latency_ns": 50},
    ]
    posting = [{"kind": K["syscall"], "posts": 8}, *[{"kind": K["syscall"]}] * 9, {"kind": K["syscall"], "posts": 7}]
    found = sampled(waiting, posting, rows=5)
    assert found.rows[0][0].column("waits").tolist() == [-1, 8, START_SIGNAL]
    outcome = REFERENCE.run(Replay(found, simple_model({"syscall": "3 cycles"})))
    assert [cpu.busy for cpu in outcome.vcpus] == [9000, 15_000]


def test_an_estimate_says_what_a_run_would_die_of() -> None:
    halts = stream([{"kind": K["halt"], "completion": BLOCKING}])
    experiment = shipped("paper/rdtsc")
    (name,) = experiment.workloads
    broken = replace(experiment.workloads[name], stream=halts)
    with pytest.raises(RunError, match="nothing will interrupt it"):
        estimate(replace(experiment, workloads={name: broken}))


# --- memory ------------------------------------------------------------------------------------------------------------


@given(st.floats(0.05, 1.0), st.floats(1, 1e6), st.integers(64, 10**6), st.floats(1.01, 1e5))
def test_state_that_grows_by_a_power_of_the_rows_is_extrapolated_exactly(
    power: float, scale: float, rows: int, times: float
) -> None:
    def state(n: float) -> float:
        return scale * float(n**power)

    found = further_growth(state(rows / 2) - state(rows / 4), state(rows) - state(rows / 2), times)
    assert found == pytest.approx(state(rows * times) - state(rows), rel=1e-6)


def test_state_is_never_taken_to_grow_faster_than_the_rows() -> None:
    assert further_growth(1, 100, 11) == further_growth(50, 100, 11) == 2000
    assert further_growth(100, 100, 0.5) == further_growth(100, -5, 9) == 0


@pytest.mark.parametrize("pages", [300, 10**9])
def test_memory_of_shadow_pages_is_that_of_a_replay_within_a_factor_of_two(pages: int) -> None:
    """With pages that come again state fills up; with new ones it grows with the rows."""
    rows = [{"kind": K["pte_set"], "space": 1, "page": n % pages, "site": n % 7} for n in range(30_000)]
    events = stream(rows)
    model = load_model(find("pentium4-672/hardware-vmm", "cost-model", Path()))[1]
    sample = Sample(Workload("w", events, None, frozenset(), frozenset(), len(rows), len(rows)), lambda: 0.0)
    sample.grow(1)
    found = memory(REFERENCE, sample, model, 16_000)
    tracemalloc.start()
    try:
        REFERENCE.run(Replay(events, model))
        assert within_two(found, tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


def test_tracing_that_is_on_stays_on() -> None:
    tracemalloc.start()
    try:
        estimated(shipped("paper/rdtsc"))
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


def test_the_peak_of_this_process_is_at_least_what_it_holds() -> None:
    assert peak_memory() > 10 * 2**20


def test_where_the_system_does_not_tell_the_peak_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    assert peak_memory() == 0


# --- the command line --------------------------------------------------------------------------------------------------


def test_estimate_prints_a_line_for_each_replay_and_for_all(folder: Path) -> None:
    done = vmmsim("estimate", "e.yaml", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "within a factor of two" in done.stdout
    for text in ("long", "100k", "in all: 100k rows", "time: ", " = start ", "memory: ", " at the peak", "disk: "):
        assert text in done.stdout
    assert not (folder / "results").exists()


def test_estimate_as_json_with_settings(folder: Path) -> None:
    setting = "workloads.long.events.0.repeat.times=100000"
    done = vmmsim("estimate", "e.yaml", "--json", "--no-plots", "--set", setting, cwd=folder)
    found = json.loads(done.stdout)
    assert [each["rows"] for each in found["replays"]] == [2, 200_000]
    assert found["seconds"]["plots"] == 0
    assert found["seconds"]["total"] == pytest.approx(sum(v for k, v in found["seconds"].items() if k != "total"))
    assert found["events"] == sum(each["events"] for each in found["replays"]) >= 301_000
    assert found["memory_bytes"] > 10 * 2**20


def test_an_estimate_is_for_the_engine_that_is_named(folder: Path) -> None:
    assert (
        "replayed by the engine 'reference'" in vmmsim("estimate", "e.yaml", "--engine", "reference", cwd=folder).stdout
    )
    assert "no engine 'quick'" in refused(vmmsim("estimate", "e.yaml", "--engine", "quick", cwd=folder))


def test_estimate_refuses_what_run_refuses(folder: Path) -> None:
    assert "'.' is a directory: name one experiment" in refused(vmmsim("estimate", ".", cwd=folder))
    assert "no experiment 'nowhere'" in refused(vmmsim("estimate", "nowhere", cwd=folder))
    assert "did you mean" in refused(vmmsim("estimate", "e.yaml", "--set", "models.m.costs.sycsall=1", cwd=folder))


def test_a_long_workload_is_a_reason_to_ask_for_an_estimate(folder: Path) -> None:
    experiment = load_experiment(folder / "e.yaml", ["workloads.long.events.0.repeat.times=20000000"])
    (warning,) = experiment.warnings
    assert warning == ("workload long has about 40,000,000 rows: `vmmsim estimate` says how long a run takes")
