"""The experiments that ship with vmmsim show what they claim."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
from support import replay

from simulator.engine.base import Outcome
from simulator.report.plots import PLOTS
from simulator.result import Result
from simulator.run import run_experiment
from simulator.spec.build import check_document, load_experiment, load_model
from simulator.spec.experiment import Plot
from simulator.spec.library import FOLDERS, root
from simulator.spec.node import plain
from simulator.spec.reader import load
from simulator.spec.schemas import SCHEMAS, json_schema
from simulator.stream import ParquetStream, content_hash

DOCUMENTS = sorted({path for folder in FOLDERS.values() for path in (root() / folder).rglob("*.yaml")})
SCHEMA = {kind: json_schema(kind) for kind in SCHEMAS}

# What `zcat FILE | grep -c` counts in the text of the recordings.
LINES = {
    "forkwait-500": {"syscall": 2041, "page_fault": 7557 + 1504, "context_switch": 1072},
    "compile-2files-j2": {"syscall": 9938, "page_fault": 22409 + 207, "context_switch": 905},
}


@pytest.fixture(scope="module")
def recorded() -> Result:
    return run_experiment(load_experiment(root() / "experiments/recorded.yaml"))


def test_the_plots_that_may_be_named_are_those_that_can_be_drawn() -> None:
    assert set(get_args(Plot)) == set(PLOTS)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(root()).as_posix())
def test_every_document_is_valid_and_without_warnings(path: Path) -> None:
    assert check_document(path)[1] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(root()).as_posix())
def test_every_document_is_valid_under_the_schema_for_editors(path: Path) -> None:
    document = plain(load(path, path.name))
    assert isinstance(document, dict)
    validator = jsonschema.Draft202012Validator(SCHEMA[str(document["document"])])
    assert [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)] == []


def test_the_recordings_have_totals_and_a_breakdown_that_adds_up(recorded: Result) -> None:
    assert len(recorded.totals) == 2 * 5
    for total in recorded.totals:
        cells = [r for r in recorded.breakdown if (r.workload, r.model) == (total.workload, total.model)]
        assert sum(cell.cycles for cell in cells) == total.busy_cycles
        events = {cell.event: cell.events for cell in cells}
        for event, lines in LINES[total.workload].items():
            assert events[event] == lines
        assert total.relative_to_baseline is not None
        assert total.relative_to_baseline >= 1


def test_on_the_forkwait_recording_the_hardware_vmm_is_dearest(recorded: Result) -> None:
    """The order of the paper's forkwait: native, then the software VMM, then the hardware VMM."""
    seconds = {row.model: row.total_seconds for row in recorded.totals if row.workload == "forkwait-500"}
    assert seconds["native"] < seconds["software-vmm"] < seconds["hardware-vmm"]


MODELS = sorted(
    f"{folder}/{path.stem}"
    for folder in ("pentium4-672", "lookahead")
    for path in (root() / "cost_models" / folder).glob("*.yaml")
    if not load_model(path)[0].abstract
)


@pytest.mark.parametrize("model", MODELS)
def test_a_recording_runs_under_every_model(model: str, tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(
        "document: experiment\ntitle: a recording under one model\n"
        f"workloads: [recorded/forkwait-500-assumed]\nmodels: [{model}]\n"
    )
    result = run_experiment(load_experiment(path))
    [total] = result.totals
    assert sum(row.cycles for row in result.breakdown) == total.busy_cycles
    events = {row.event: row.events for row in result.breakdown}
    assert events["page_fault"] == LINES["forkwait-500"]["page_fault"]


CONTENT = {
    "forkwait-500": "08bfff611720e2faf3412fcd53a73a36ff0b9f7f20f29cfa8277dc3bae442194",
    "compile-2files-j2": "c838b34aa1d11782d26afcf9b9cae96a259dd82350c09294e5651e64dd12a82e",
}


@pytest.mark.parametrize("name", sorted(LINES))
def test_the_shipped_recordings_are_those_we_know(name: str) -> None:
    """A golden: it changes only when the importer gives other rows, and then a person reads the difference."""
    stream = ParquetStream.open(root() / f"workloads/recorded/{name}.parquet")
    assert content_hash(stream) == CONTENT[name]
    assert {"source", "file", "sha256", "lines", "machine", "licence"} <= set(stream.header.provenance)


def replay_under_host_costs(name: str) -> tuple[Outcome, int, int, list[int]]:
    """Return the outcome, the recorded wall time, what was clipped, and the recorded idle time by virtual CPU."""
    experiment = load_experiment(root() / "experiments/replay-identity.yaml")
    workload, model = experiment.workloads[name], experiment.models["host"]
    assert workload.recording is not None
    outcome = replay(workload.stream, model)
    idle = [
        sum(int(batch.column("idle_ns").sum()) for batch in workload.recording.batches(vcpu))
        for vcpu in range(workload.recording.header.vcpus)
    ]
    return (
        outcome,
        workload.stream.header.recorded_ns * model.machine.clock.ticks_per_ns,
        workload.clipping.nanoseconds,
        idle,
    )


@pytest.mark.parametrize("name", sorted(LINES))
def test_a_replay_that_adds_nothing_ends_when_the_recording_ended(name: str) -> None:
    outcome, recorded, clipped, _ = replay_under_host_costs(name)
    assert abs(Fraction(outcome.makespan, recorded) - 1) < Fraction(1, 1000)
    if clipped == 0:
        assert outcome.makespan == recorded


@pytest.mark.parametrize("name", sorted(LINES))
def test_a_replay_that_adds_nothing_keeps_every_cpu_as_busy_as_recorded(name: str) -> None:
    outcome, recorded, _, idle = replay_under_host_costs(name)
    for cpu, idle_ns in zip(outcome.vcpus, idle, strict=True):
        busy_recorded = cpu.end - idle_ns * 1000
        assert abs(cpu.busy - busy_recorded) < recorded / 1000


def test_results_are_the_same_bytes_again(tmp_path: Path) -> None:
    """Another hash seed, and one processor instead of all: the same CSV files and plots."""
    outputs = []
    for seed, prefix in (("0", []), ("12345", ["taskset", "-c", "0"] if sys.platform == "linux" else [])):
        out = tmp_path / seed
        command = [*prefix, sys.executable, "-m", "simulator.cli", "run", "recorded", "--out", str(out)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True)
        files = [path for path in sorted(out.rglob("*")) if path.suffix in (".csv", ".png", ".svg")]
        assert len(files) >= 4
        outputs.append({path.relative_to(out): path.read_bytes() for path in files})
    assert outputs[0] == outputs[1]
