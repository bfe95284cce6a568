"""With an earlier result, a run replays only what does not follow from it, and its result is the same to the byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import refused, vmmsim
from support import K, stream

import simulator
from simulator.earlier import code_hash
from simulator.errors import InputError
from simulator.report.reader import load_result
from simulator.report.writer import write_result
from simulator.result import Result
from simulator.run import run_experiment
from simulator.spec.build import load_experiment
from simulator.spec.library import find
from simulator.stream import MemoryStream, write_parquet

MODEL = """\
document: cost-model
title: small
machine:
  name: m
  clock: 1 GHz
  devices: {disk: {service_time: 10 us, source: test}}
mechanisms:
  direct_execution:
    events:
      {syscall: {syscall: 2}, rdtsc: {rdtsc: 1}, user_compute: {compute: 1}, interrupt: {irq: 1},
       interrupt_completion: {irq: 1}, disk_request: {disk: 1}}
costs:
  compute: {cost: 1 ns, source: definition, status: published}
  syscall: {cost: 10 cycles, source: test, status: assumed}
  rdtsc: {cost: 3.5 cycles, source: test, status: assumed}
  irq: {cost: 1 cycles, source: test, status: assumed}
  disk: {cost: 7 cycles, source: test, status: assumed}
"""
EXPERIMENT = """\
document: experiment
title: small
workloads:
  plain:
    document: workload
    title: plain
    description: runs on three virtual CPUs
    vcpus:
      - {copies: 2, events: [{syscall: 1000}, {user_compute: 1 us}]}
      - {events: [{rdtsc: 5}]}
  drawn: {document: workload, title: drawn, events: [{mix: {counts: {syscall: 20, rdtsc: 30}}}]}
  waiting:
    document: workload
    title: waiting
    events: [{syscall: 3}, {disk_request: {device: disk, blocking: true}}]
  recorded: rows.parquet
models: [m.yaml, n.yaml]
baseline: m
references:
  - {quantity: relative_to_baseline, status: predicted, source: test, values: {plain: {n: 2 x}, waiting: {n: 2 x}}}
"""
ROWS = [{"kind": K["syscall"], "user_ns": 500}, {"kind": K["rdtsc"], "kernel_ns": 100}]
HOST = "{document: workload, title: recorded, recording: rows.parquet, host_costs: host.yaml}"
PAIRS = [(workload, model) for workload in ("plain", "drawn", "waiting", "recorded") for model in ("m", "n")]
WAITS = "rows wait for signals, requests or interrupts"


def rows(*more: Mapping[str, int]) -> MemoryStream:
    return stream([*ROWS, *more])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("earlier")
    text = MODEL.replace(
        "rdtsc: {rdtsc: 1}, user_compute", "rdtsc: {rdtsc: 1}, kernel_compute: {compute: 1}, user_compute"
    )
    for name in ("m", "n", "host"):
        (path / f"{name}.yaml").write_text(text.replace("3.5 cycles", "3 cycles") if name == "host" else text)
    write_parquet(rows(), path / "rows.parquet")
    (path / "e.yaml").write_text(EXPERIMENT.replace("recorded: rows.parquet", f"recorded: {HOST}"))
    write_result(run_experiment(load_experiment(path / "e.yaml")), path / "out", "", plots=False)
    return path


def run(folder: Path, *settings: str, earlier: Result | None = None) -> Result:
    return run_experiment(load_experiment(folder / "e.yaml", settings), earlier=earlier)


def judged(result: Result) -> dict[tuple[str, str], str]:
    """Return why each replay was needed."""
    account: list[dict[str, str]] = result.metadata["earlier"]["why_replayed"]
    return {(each["workload"], each["model"]): each["why"] for each in account}


def same(first: Result, second: Result) -> None:
    """Compare all but how the results came about."""
    assert replace(first, metadata={}) == replace(second, metadata={})


WHY: list[tuple[str, int, int, dict[tuple[str, str], str]]] = [
    ("title=other", 8, 0, {}),
    ("workloads.plain.description=other", 8, 0, {}),
    ("models.n.machine.name=other", 8, 0, {}),
    ("models.n.machine.clock=1000 MHz", 8, 0, {}),
    ("models.n.costs.syscall=10.0 cycles", 8, 0, {}),
    ("models.n.costs.syscall=10 ns", 8, 0, {}),
    ("models.n.costs.syscall=11 cycles", 4, 3, {("waiting", "n"): WAITS}),
    ("models.n.machine.clock=1.2 GHz", 4, 3, {("waiting", "n"): WAITS}),
    ("models.*.costs.compute=2 ns", 0, 6, {("waiting", "m"): WAITS, ("waiting", "n"): WAITS}),
    (
        "models.n.mechanisms.direct_execution.events.rdtsc.rdtsc=2",
        4,
        0,
        {(w, "n"): "models.n.mechanisms.direct_execution.events.rdtsc.rdtsc differs" for w, m in PAIRS if m == "n"},
    ),
    (
        "models.n.machine.devices.disk.service_time=11 us",
        4,
        0,
        {(w, "n"): "models.n.machine.devices.disk.service_time differs" for w, m in PAIRS if m == "n"},
    ),
    ("models.n.machine.devices.disk.source=another", 8, 0, {}),
    (
        "workloads.plain.vcpus.1.events.0.rdtsc=6",
        6,
        0,
        {("plain", m): "workloads.plain.vcpus.1.events.0.rdtsc differs" for m in ("m", "n")},
    ),
    ("seed=2", 6, 0, {("drawn", m): "the seed was 1" for m in ("m", "n")}),
    ("workloads.drawn.title=else", 6, 0, {("drawn", m): "workloads.drawn.title differs" for m in ("m", "n")}),
    (
        "workloads.recorded.host_costs.costs.syscall=2 ns",
        6,
        0,
        {("recorded", m): "workloads.recorded.host_costs.costs.syscall.cost differs" for m in ("m", "n")},
    ),
]


@pytest.mark.parametrize(("setting", "unchanged", "repriced", "why"), WHY, ids=[case[0] for case in WHY])
def test_what_follows_from_an_earlier_result_is_not_replayed(
    folder: Path, setting: str, unchanged: int, repriced: int, why: dict[tuple[str, str], str]
) -> None:
    found = run(folder, setting, earlier=load_result(folder / "out"))
    same(found, run(folder, setting))
    assert judged(found) == why
    account = found.metadata["earlier"]
    assert (account["unchanged"], account["repriced"], account["replayed"]) == (unchanged, repriced, len(why))


EXPERIMENTS = ("quickstart", "paper/figure3-macro", "paper/figure5-xp-boot")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_shipped_experiments_come_out_the_same(name: str) -> None:
    """Costs of two models and a clock change; mechanisms with state, timers and recordings are among what is run."""
    path = find(name, "experiment", Path())
    settings = ["models.hardware-vmm.costs.vm_exit=965.5 cycles", "models.software-vmm.costs.callout=0.3 us"]
    with_earlier = run_experiment(load_experiment(path, settings), earlier=run_experiment(load_experiment(path)))
    same(with_earlier, run_experiment(load_experiment(path, settings)))
    account = with_earlier.metadata["earlier"]
    assert account["unchanged"] >= 1
    assert account["repriced"] + account["replayed"] >= 2


def test_what_is_new_is_replayed(folder: Path) -> None:
    before = load_result(folder / "out")
    fewer = replace(before, replays=tuple(each for each in before.replays if each.workload != "plain"))
    found = run(folder, earlier=fewer)
    assert judged(found) == {("plain", m): "the earlier result does not have it" for m in ("m", "n")}
    same(found, before)


def test_another_recording_of_the_name_is_replayed(folder: Path) -> None:
    try:
        write_parquet(rows(*ROWS), folder / "rows.parquet")
        found = run(folder, earlier=load_result(folder / "out"))
    finally:
        write_parquet(rows(), folder / "rows.parquet")
    assert judged(found) == {("recorded", m): "the rows of the recording differ" for m in ("m", "n")}


def test_a_recording_with_other_devices_is_replayed(folder: Path) -> None:
    """Its rows are the same: which devices their numbers stand for is in the header."""
    try:
        write_parquet(replace(rows(), header=replace(rows().header, devices=("disk",))), folder / "rows.parquet")
        found = run(folder, earlier=load_result(folder / "out"))
    finally:
        write_parquet(rows(), folder / "rows.parquet")
    why = "the header of the recording differs: its devices, or its recorded time"
    assert judged(found) == {("recorded", m): why for m in ("m", "n")}


def test_a_result_that_does_not_tell_the_header_is_not_taken_over(folder: Path) -> None:
    before = load_result(folder / "out")
    inputs = {key: value for key, value in before.metadata["inputs"].items() if key != "headers_sha256"}
    found = run(folder, earlier=replace(before, metadata={**before.metadata, "inputs": inputs}))
    assert list(judged(found)) == [("recorded", "m"), ("recorded", "n")]


@pytest.mark.parametrize(
    ("section", "key", "why", "replayed"),
    [
        ("tool", "code_sha256", "other code of vmmsim made the earlier result", 8),
        ("host", "numpy", "random numbers were drawn by NumPy other", 2),
    ],
)
def test_what_another_program_counted_is_replayed(
    folder: Path, section: str, key: str, why: str, replayed: int
) -> None:
    before = load_result(folder / "out")
    told = {**before.metadata, section: {**before.metadata[section], key: "other"}}
    reasons = judged(run(folder, earlier=replace(before, metadata=told)))
    assert len(reasons) == replayed
    assert all(reason.startswith(why) for reason in reasons.values())


def test_the_code_that_counts_has_a_hash(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def package_hash(name: str, text: str) -> str:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
        return code_hash.__wrapped__()

    monkeypatch.setattr(simulator, "__file__", str(tmp_path / "__init__.py"))
    hashes = [
        package_hash("engine/fast.py", "1"),
        package_hash("report/plots.py", "1"),
        package_hash("report/plots.py", "2"),
    ]
    assert len(set(hashes)) == 1
    assert package_hash("engine/fast.py", "2") not in hashes


def test_an_earlier_result_of_another_experiment_is_refused(folder: Path) -> None:
    other = run_experiment(load_experiment(find("paper/rdtsc", "experiment", Path())))
    with pytest.raises(InputError, match="is of another experiment, .*; expected some of plain, drawn, .* under m, n"):
        run(folder, earlier=other)


def test_an_earlier_result_without_counts_is_refused(folder: Path) -> None:
    before = load_result(folder / "out")
    old = replace(before, replays=(), metadata={**before.metadata, "schema_version": 1})
    with pytest.raises(InputError, match="'small', is of a vmmsim that kept no counts: run it again"):
        run(folder, earlier=old)


DAMAGE: list[Callable[[dict[str, Any]], object]] = [
    lambda d: d["experiment"]["models"]["m"].pop("mechanisms"),
    lambda d: d["experiment"].pop("workloads"),
    lambda d: d.pop("host"),
    lambda d: d["experiment"].update(models=[]),
]


@pytest.mark.parametrize("edit", DAMAGE)
def test_a_damaged_earlier_result_is_refused(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    before = load_result(folder / "out")
    document = json.loads(json.dumps(before.metadata))
    edit(document)
    with pytest.raises(InputError, match="'small', is damaged: "):
        run(folder, earlier=replace(before, metadata=document))


# --- the command line -----------------------------------------------------------------------------------------------

SETTINGS = ("--set", "models.n.costs.syscall=11 cycles")


def test_run_from_gives_the_same_files(folder: Path) -> None:
    plain = vmmsim("run", "e.yaml", "--out", "a", "--no-plots", *SETTINGS, cwd=folder)
    done = vmmsim("run", "e.yaml", "--from", "out", "--out", "b", *SETTINGS, cwd=folder, COLUMNS="200")
    assert (plain.returncode, done.returncode, done.stderr) == (0, 0, "")
    for name in ("totals.csv", "breakdown.csv", "comparison.csv"):
        assert (folder / "a" / name).read_bytes() == (folder / "b" / name).read_bytes()
    assert f"replayed: waiting under n: {WAITS}\nagainst out/: 4 unchanged, 3 priced again, 1 replayed\n" in done.stdout
    assert "4 unchanged, 3 priced again, 1 replayed" in (folder / "b/report.html").read_text()
    told = json.loads((folder / "b/result.json").read_text())["earlier"]
    assert told["why_replayed"] == [{"workload": "waiting", "model": "n", "why": WAITS}]
    assert told["overrides"] == []


def test_run_from_a_result_that_was_itself_priced_again(folder: Path) -> None:
    """What counts is what --set gives now; what the earlier result was run with is undone."""
    vmmsim("run", "e.yaml", "--from", "out", "--out", "c", "--no-plots", *SETTINGS, cwd=folder)
    done = vmmsim("run", "e.yaml", "--from", "c", "--out", "c", "--no-plots", "--json", cwd=folder)
    told = json.loads(done.stdout)["earlier"]
    assert (told["unchanged"], told["repriced"], told["overrides"]) == (4, 3, [SETTINGS[1]])
    for name in ("totals.csv", "breakdown.csv", "comparison.csv"):
        assert (folder / "out" / name).read_bytes() == (folder / "c" / name).read_bytes()


def test_run_from_nowhere_is_refused_before_anything_runs(folder: Path) -> None:
    message = refused(vmmsim("run", "e.yaml", "--from", "nowhere", "--out", "d", cwd=folder))
    assert message == "nowhere: not the result of a run: it has no result.json\n"
    assert not (folder / "d").exists()


def test_a_folder_is_run_from_the_results_of_a_folder(folder: Path, tmp_path: Path) -> None:
    first = vmmsim("run", f"{folder}/", "--out", "set", "--no-plots", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    done = vmmsim("run", f"{folder}/", "--from", "set", "--out", "again", "--no-plots", *SETTINGS, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"replayed: e: waiting under n: {WAITS}" in done.stdout.replace("\n", "")
    assert "against set/: 4 unchanged, 3 priced again, 1 replayed" in done.stdout
