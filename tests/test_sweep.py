"""Sweeps: each point is the run that ``--set`` would give; what was done stays done; what fails, fails alone."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import VMMSIM, table, vmmsim
from support import K, stream

from simulator.errors import InputError, RunError, SimulatorError, SpecError
from simulator.executors import Where
from simulator.jobs import Job, carry_out
from simulator.report.reader import load_result
from simulator.report.sweep import write_sweep
from simulator.run import run_experiment
from simulator.spec.build import load_experiment
from simulator.spec.sweep import Combine, sweep_of
from simulator.stream import BLOCKING, write_parquet
from simulator.sweep import sweeping
from simulator.sweep.plan import Point
from simulator.sweep.store import Store
from simulator.sweep.sweeping import Options, Swept, sweep_experiment

MODEL = """\
document: cost-model
title: small
machine: {name: m, clock: 1 GHz, devices: {disk: {service_time: 20 us, source: test}}}
mechanisms:
  direct_execution:
    events:
      syscall: {syscall: 2}
      rdtsc: {rdtsc: 1}
      disk_request: {syscall: 1}
      interrupt: {interrupt: 1}
      interrupt_completion: {interrupt: 1}
      user_compute: {compute: 1}
costs:
  compute: {cost: 1 ns, source: definition, status: published}
  syscall: {cost: 10 cycles, source: test, status: assumed, low: 1 cycles, high: 99 cycles}
  rdtsc: {cost: 3.5 cycles, source: test, status: assumed}
  interrupt: {cost: 7 cycles, source: test, status: assumed}
"""
QUIET = """\
document: workload
title: quiet
parameters: {n: 10}
events:
  - syscall: $n
  - rdtsc: 3
  - user_compute: 1 us
"""
WAITS = """\
document: workload
title: waits
timer: 100 kHz
events:
  - repeat: {times: 20, events: [{syscall: 5}, {disk_request: {device: disk, size: 4 KiB, blocking: true}}]}
  - mix: {counts: {syscall: 20, rdtsc: 30}}
"""
EXPERIMENT = """\
document: experiment
title: small
workloads: {quiet: quiet.yaml, waits: waits.yaml}
models: {native: m.yaml, other: m.yaml}
baseline: native
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"m": MODEL, "quiet": QUIET, "waits": WAITS, "e": EXPERIMENT}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    fast = MODEL.replace("10 cycles", "2 cycles").replace("title: small", "title: fast")
    (tmp_path / "fast.yaml").write_text(fast)
    return tmp_path


def swept(
    folder: Path, over: dict[str, str], combine: Combine = "grid", options: Options | None = None, **more: Any
) -> Swept:
    experiment = load_experiment(folder / "e.yaml")
    where = options or Options(Where("in-process"))
    return sweep_experiment(experiment, sweep_of(over, combine), Store(folder / "store"), where, **more)


def outcomes(found: Swept) -> dict[str, int]:
    return dict(found.result.metadata["sweep"]["outcomes"])


SWEEPS: dict[str, tuple[dict[str, str], Combine]] = {
    "a cost": ({"models.other.costs.syscall": "1..99 cycles in 4"}, "grid"),
    "a cost of every model": ({"models.*.costs.rdtsc.cost": "0.5, 2 cycles"}, "grid"),
    "costs together": ({"models.*.costs.syscall": "5, 6 cycles", "models.other.costs.interrupt": "5, 9 cycles"}, "zip"),
    "the clock": ({"models.other.machine.clock": "1, 2 GHz", "models.other.costs.compute": "1, 0.3 ns"}, "grid"),
    "a mechanism": ({"models.other.mechanisms.direct_execution.events.syscall.syscall": "1, 2"}, "grid"),
    "a workload and a cost": (
        {"workloads.quiet.parameters.n": "1, 7", "models.native.costs.syscall": "3, 4 cycles"},
        "grid",
    ),
    "a bound and a cost": (
        {"models.other.costs.syscall.high": "200 cycles", "models.other.costs.syscall": "150 cycles"},
        "grid",
    ),
    "seeds and timers": ({"seed": "1, 2", "workloads.waits.timer": "10, 50 kHz"}, "grid"),
    "whole models and a cost": (
        {"models.other.costs.rdtsc": "1, 2 cycles", "models.other": "{m}, {fast}"},
        "grid",
    ),
}


@pytest.mark.parametrize("name", SWEEPS)
def test_each_point_is_the_run_that_set_gives(name: str, folder: Path) -> None:
    over, combine = SWEEPS[name]
    over = {path: text.format(m=folder / "m.yaml", fast=folder / "fast.yaml") for path, text in over.items()}
    found = swept(folder, over, combine)
    assert found.failed == []
    left = {row.point for row in found.result.totals}
    for entry in found.result.metadata["sweep"]["points"]:
        settings = sorted((f"{p}={v}" for p, v in entry["coordinates"].items()), key=lambda text: text.count("."))
        run = run_experiment(load_experiment(folder / "e.yaml", settings))
        of_point = [row for row in found.result.totals if row.point == entry["point"]]
        assert [(*_cells(row),) for row in of_point] == [(*_cells(row),) for row in run.totals]
        shares = [row for row in found.result.breakdown if row.point == entry["point"]]
        assert [(*_cells(row),) for row in shares] == [(*_cells(row),) for row in run.breakdown]
        replays = [each for each in found.result.replays if each.point == entry["point"]]
        assert [each.outcome for each in replays] == [each.outcome for each in run.replays]
        assert [each.ticks for each in replays] == [each.ticks for each in run.replays]
        left.remove(entry["point"])
    assert not left


def _cells(row: Any) -> list[Any]:
    return [getattr(row, name) for name in row.__slots__ if name != "point"]


def test_it_says_how_each_outcome_came_about(folder: Path) -> None:
    """Two models alike, but for a cost of one; one of two workloads waits, the other is replayed but once."""
    found = swept(folder, {"models.other.costs.syscall": "1..99 cycles in 4"})
    assert outcomes(found) == {"replayed": 1 + 1 + 4, "repriced": 4, "retimed": 0, "unchanged": 2 * 3}
    assert found.stored == 0
    assert swept(folder, {"models.other.costs.syscall": "1..99 cycles in 4"}).stored == 6
    finer = swept(folder, {"models.other.costs.syscall": "1, 2, 99 cycles"})
    assert finer.stored == 1 + 1 + 2, "a second sweep repeats nothing that is the same"


SIGNALS = """\
document: experiment
title: two virtual CPUs that wait for each other
workloads: {recorded: {document: workload, title: recorded, recording: r.parquet, host_costs: host.yaml}}
models: {native: m.yaml, other: m.yaml}
baseline: native
"""


@pytest.fixture
def waiting(folder: Path) -> Path:
    """An experiment on a recording in which two virtual CPUs wake each other ten times."""
    rows: list[list[dict[str, int]]] = [[], []]
    for number in range(1, 21):
        mine = rows[number % 2]
        mine.append({"kind": K["syscall"], "user_ns": 40 * number, "count": number, "posts": number})
        mine[-1] |= {"waits": number - 1, "wait_latency_ns": 25}
        mine.append({"kind": K["rdtsc"], "user_ns": 300})
    write_parquet(stream(*rows), folder / "r.parquet")
    (folder / "host.yaml").write_text(
        MODEL.replace("10 cycles", "0 cycles")
        .replace("3.5 cycles", "0 cycles")
        .replace("low: 1 cycles", "low: 0 cycles")
    )
    (folder / "e.yaml").write_text(SIGNALS)
    return folder


def test_prices_are_timed_again_where_virtual_cpus_wait_for_each_other(waiting: Path) -> None:
    over = {"models.other.costs.syscall": "1..99 cycles in 12"}
    found = swept(waiting, over)
    assert outcomes(found) == {"replayed": 1, "repriced": 0, "retimed": 12, "unchanged": 11}
    assert sum(row.idle_cycles for row in found.result.totals) > 0, "else nothing waits"
    for entry in found.result.metadata["sweep"]["points"]:
        run = run_experiment(load_experiment(waiting / "e.yaml", [entry["point"]]))
        assert [_cells(row) for row in found.result.totals if row.point == entry["point"]] == list(
            map(_cells, run.totals)
        )
        shares = [_cells(row) for row in found.result.breakdown if row.point == entry["point"]]
        assert shares == list(map(_cells, run.breakdown))
        replays = [each for each in found.result.replays if each.point == entry["point"]]
        assert [replace(each, point="") for each in replays] == list(run.replays)
    again = swept(waiting, over)
    assert (again.result, again.stored) == (found.result, 1)


def test_a_graph_that_is_damaged_is_made_again(waiting: Path) -> None:
    over = {"models.other.costs.syscall": "1..99 cycles in 12"}
    found = swept(waiting, over)
    paths = [path for path in (waiting / "store").glob("*/*.json") if "awaited" in path.read_text()]
    assert len(paths) == 1
    paths[0].write_text(paths[0].read_text().replace('"awaited"', '"a"'))
    assert swept(waiting, over).result == found.result
    assert '"awaited"' in paths[0].read_text()


def test_a_graph_of_another_replay_is_refused(waiting: Path) -> None:
    over = {"models.other.costs.syscall": "1..99 cycles in 12"}
    swept(waiting, over)
    path = next(path for path in (waiting / "store").glob("*/*.json") if "awaited" in path.read_text())
    document = json.loads(path.read_text())
    document["graph"]["offsets_ns"][2] += 10**6
    path.write_text(json.dumps(document))
    with pytest.raises(RunError, match="its graph of waits gives other times than its replay"):
        swept(waiting, over)


@pytest.mark.parametrize("details", [True, False])
def test_a_sweep_is_read_back_as_it_was_written(details: bool, folder: Path) -> None:
    options = Options(Where("in-process"), details=details)
    found = swept(folder, {"models.other.costs.syscall": "1, 2 cycles"}, options=options)
    write_sweep(found.result, folder / "out", plots=False)
    read = load_result(folder / "out")
    assert read.totals == found.result.totals
    assert read.breakdown == found.result.breakdown
    assert read.replays == found.result.replays
    assert bool(read.replays) == details
    assert read.metadata["sweep"] == json.loads(json.dumps(found.result.metadata["sweep"]))


def test_a_point_that_fails_is_shown_at_once_and_the_others_go_on(folder: Path) -> None:
    shown: list[tuple[str, str]] = []
    found = swept(
        folder,
        {"models.other.costs.syscall": "50, 100, 60 cycles"},
        failed=lambda point, error: shown.append((point.name, str(error))),
    )
    assert [name for name, _ in shown] == ["models.other.costs.syscall=100 cycles"]
    assert "expected low <= cost <= high" in shown[0][1]
    assert {row.point for row in found.result.totals} == {
        "models.other.costs.syscall=50 cycles",
        "models.other.costs.syscall=60 cycles",
    }
    assert [entry["point"] for entry in found.result.metadata["sweep"]["failed"]] == [shown[0][0]]


def test_a_replay_that_fails_fails_its_points(folder: Path) -> None:
    """A tick that takes longer than its period: the guest would do nothing else."""
    over = {"models.other.costs.interrupt": "5, 6000 cycles", "models.native.costs.rdtsc": "1, 2 cycles"}
    found = swept(folder, over)
    assert [point.coordinates["models.other.costs.interrupt"] for point, _ in found.failed] == ["6000 cycles"] * 2
    assert all("a timer tick takes" in str(error) for _, error in found.failed)
    with pytest.raises(RunError, match="a timer tick takes"):
        swept(folder, over, options=Options(Where("in-process"), fail_fast=True))
    with pytest.raises(RunError, match="all 1 points of the sweep failed; the first: .*a timer tick takes"):
        swept(folder, {"models.other.costs.interrupt": "6000 cycles"})


def test_a_sweep_all_of_whose_points_are_wrong_is_wrong_input(folder: Path) -> None:
    with pytest.raises(InputError, match="all 2 points of the sweep failed"):
        swept(folder, {"models.other.costs.syscall": "100, 101 cycles"})


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"models.othr.costs.syscall": "1 cycles"}, "did you mean 'models.other'"),
        ({"models.other.costs": "1 cycles"}, "is a mapping, not one value"),
        ({"title": "a, b", "models.nothing": "m.yaml"}, "there is no 'nothing' in 'models'"),
        ({"document": "experiment"}, "expected a path to what a replay reads"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused_before_anything_is_replayed(
    over: dict[str, str], message: str, folder: Path
) -> None:
    with pytest.raises(SpecError) as caught:
        swept(folder, over)
    assert message in str(caught.value)


def test_recordings_of_equal_rows_and_other_devices_are_not_taken_for_each_other(folder: Path) -> None:
    """A number in a row names a device by the header: a sweep replays again, and a worker refuses."""
    events = stream([{"kind": K["disk_request"], "device": 0, "completion": BLOCKING}, {"kind": K["syscall"]}])
    recorded = "{document: workload, title: w, recording: w.parquet, host_costs: m.yaml}"
    (folder / "e.yaml").write_text(EXPERIMENT.replace("waits: waits.yaml", f"waits: {recorded}"))
    slow = MODEL.replace("3.5 cycles", "3 cycles").replace(
        "devices: {", "devices: {slow: {service_time: 50 ms, source: test}, "
    )
    (folder / "m.yaml").write_text(slow)
    jobs, totals = [], []
    for device in ("disk", "slow"):
        write_parquet(replace(events, header=replace(events.header, devices=(device,))), folder / "w.parquet")
        jobs.append(Job.of(load_experiment(folder / "e.yaml").workloads["waits"], (), "fast"))
        found = swept(folder, {"models.other.costs.syscall": "1, 2 cycles"}).result
        totals.append({row.total_seconds for row in found.totals if row.workload == "waits"})
    assert not totals[0] & totals[1]
    assert carry_out(jobs[1]) == []
    with pytest.raises(RunError, match="'waits': the worker has another recording under the same path"):
        carry_out(jobs[0])


def test_workers_change_nothing(folder: Path) -> None:
    """The same files, whether in this process or in two others."""
    over = {"models.*.costs.syscall": "1..9 cycles in 3", "seed": "1, 2"}
    for name, where in {"here": Where("in-process"), "there": Where("processes", 2)}.items():
        experiment = load_experiment(folder / "e.yaml")
        found = sweep_experiment(experiment, sweep_of(over, "grid"), Store(folder / f"{name}.store"), Options(where))
        write_sweep(found.result, folder / name)
    assert files(folder / "here") == files(folder / "there")
    assert "plots/sweep.png" in files(folder / "here")
    assert files(folder / "here.store") == files(folder / "there.store")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_run_is_the_same_with_any_number_of_jobs(folder: Path) -> None:
    for jobs in ("1", "2"):
        done = vmmsim("run", "e.yaml", "--jobs", jobs, "--out", jobs, "--no-plots", cwd=folder)
        assert done.returncode == 0, done.stderr
    one, two = files(folder / "1"), files(folder / "2")
    results = [json.loads(found.pop("result.json")) for found in (one, two)]
    for result in results:
        del result["wall_seconds"], result["events_per_second"]
    assert one == two
    assert results[0] == results[1]


def test_a_damaged_replay_is_done_again(folder: Path) -> None:
    over = {"models.other.costs.syscall": "1, 2 cycles"}
    before = swept(folder, over).result
    paths = sorted((folder / "store").glob("*/*.json"))
    paths[0].write_text(paths[0].read_text()[:-20])
    paths[1].write_text(paths[2].read_text())
    store = Store(folder / "store")
    after = sweep_experiment(load_experiment(folder / "e.yaml"), sweep_of(over, "grid"), store)
    assert after.result == before
    assert after.stored == len(paths) - 2
    assert sorted(store.damaged) == paths[:2]
    assert [path for path in (folder / "store").rglob("*") if path.suffix == ".tmp"] == []


def test_what_is_no_store_is_left_alone(folder: Path) -> None:
    with pytest.raises(InputError, match="exists and is no store of replays"):
        Store(folder)


def test_leftovers_of_dead_processes_are_cleared_away(folder: Path) -> None:
    Store(folder / "store")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    paths = [folder / "store" / "ab" / f"abc.{pid}.tmp" for pid in (dead.pid, os.getpid())]
    paths[0].parent.mkdir()
    for path in paths:
        path.write_text("{")
    Store(folder / "store")
    assert [path.exists() for path in paths] == [False, True]


SWEEP = ("sweep", "e.yaml", "--over", "models.*.costs.syscall=1..60 cycles in 60", "--no-plots")


def test_killed_at_ten_moments_and_started_again_it_ends_with_the_same_bytes(folder: Path) -> None:
    """Signal 9 to a replaying sweep when so many replays are in the store; nothing of what was stored is done again.

    Every second time it replays in two other processes.
    """
    assert vmmsim(*SWEEP, "--jobs", "1", "--out", "whole", cwd=folder).returncode == 0
    total = len(list((folder / "whole.store").glob("*/*.json")))
    draw = random.Random(1)
    written: dict[Path, int] = {}
    for number, moment in enumerate(sorted(draw.sample(range(1, total), 10))):
        jobs = str(1 + number % 2)
        process = subprocess.Popen(
            [*VMMSIM, *SWEEP, "--jobs", jobs, "--out", "cut"], cwd=folder, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        while process.poll() is None and len(written) < moment:
            time.sleep(0.001)
            written |= {p: p.stat().st_mtime_ns for p in folder.glob("cut.store/*/*.json") if p not in written}
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        written |= {p: p.stat().st_mtime_ns for p in folder.glob("cut.store/*/*.json") if p not in written}
        assert not (folder / "cut").exists(), "what is not whole is not there"
    done = vmmsim(*SWEEP, "--jobs", "2", "--out", "cut", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert f"({len(written)} of them before" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in written} == written, "nothing is repeated"
    assert files(folder / "whole") == files(folder / "cut")
    assert files(folder / "whole.store") == files(folder / "cut.store")


def test_the_command_line(folder: Path) -> None:
    (folder / "s.yaml").write_text(EXPERIMENT + "sweep:\n  over:\n    models.other.costs.syscall: 1..99 cycles in 4\n")
    done = vmmsim("sweep", "s.yaml", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        "4 points; outcomes: 6 replayed (kept in results/s.sweep.store/), 4 priced again, 0 timed again along their waits, 6 as at"
        in done.stdout
    )
    out = folder / "results" / "s.sweep"
    assert sorted(files(out)) == ["breakdown.csv", "plots/sweep.png", "plots/sweep.svg", "result.json", "totals.csv"]
    totals = table(out / "totals.csv")
    assert len(totals) == 4 * 2 * 2
    assert totals[0]["point"] == "models.other.costs.syscall=1 cycles"
    account = json.loads((out / "result.json").read_text())["sweep"]
    assert account["points"][3]["coordinates"] == {"models.other.costs.syscall": "99 cycles"}
    again = vmmsim("sweep", "s.yaml", "--json", cwd=folder)
    assert json.loads(again.stdout)["stored"] == 6
    part = vmmsim("sweep", "s.yaml", "--over", "models.other.costs.syscall=98, 100 cycles", "--json", cwd=folder)
    assert part.returncode == 1
    assert part.stderr.startswith("failed: models.other.costs.syscall=100 cycles: ")
    assert len(json.loads(part.stdout)["totals"]) == 4
    assert vmmsim("run", "s.yaml", "--no-plots", cwd=folder).returncode == 0
    assert vmmsim("show", "results/s.sweep", cwd=folder).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to vary: the experiment has no section `sweep`"),
        (["--over", "seed"], "expected PATH=VALUES"),
        (["--over", "seed=1..3"], "--over: seed: expected values such as"),
        (["--over", "seed=1", "--over", "seed=2"], "--over: seed: stands twice"),
        (["--over", "seed=1, 2", "--over", "models.*.costs.rdtsc=1 cycles", "--zip"], "found 2 of seed, 1 of models"),
        (["--over", "seed=1", "--executor", "daks"], "did you mean 'dask'?"),
        (["--over", "seed=1", "--scheduler", "x"], "add --executor dask"),
        (["--over", "seed=1", "--executor", "dask"], "--scheduler tcp://HOST:8786"),
        (["--over", "sed=1"], "there is no 'sed' in the document (did you mean 'seed'?)"),
    ],
)
def test_what_is_wrong_with_the_command_is_said(arguments: list[str], message: str, folder: Path) -> None:
    done = vmmsim("sweep", "e.yaml", *arguments, cwd=folder)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert message in done.stderr


def test_a_section_that_is_wrong_is_refused_with_its_place(folder: Path) -> None:
    (folder / "s.yaml").write_text(EXPERIMENT + "sweep:\n  over:\n    models.othr.seed: 1..2 in 2\n  combine: both\n")
    done = vmmsim("validate", "s.yaml", cwd=folder)
    assert done.returncode == 2
    assert "s.yaml:9:12: sweep.combine: expected 'grid' or 'zip'" in done.stderr
    (folder / "s.yaml").write_text(EXPERIMENT + "sweep:\n  over:\n    models.othr.seed: 1..2 in 2\n")
    done = vmmsim("validate", "s.yaml", cwd=folder)
    assert done.stderr.startswith("s.yaml:8:")
    assert "did you mean 'models.other'" in done.stderr


def test_many_points_leave_the_breakdown_out_unless_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "MOST_DETAILED", 7)
    over = {"models.other.costs.syscall": "1, 2 cycles"}
    assert swept(folder, over).result.notes == ("the breakdown of 8 outcomes is left out: --breakdown writes it",)
    assert swept(folder, over, options=Options(details=True)).result.breakdown


def test_a_point_has_the_name_that_set_takes() -> None:
    error: SimulatorError = RunError("x")
    assert str(error) == "x"
    assert Point(0, {"seed": "1", "models.m.costs.c": "2 cycles"}).name == "seed=1; models.m.costs.c=2 cycles"
