"""Results side by side: what is refused, and what is told apart."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from command_line import EXPERIMENT, MODEL, WORKLOAD, vmmsim

from simulator.analysis.compare import compare
from simulator.errors import InputError
from simulator.report.plots.slowdown import compared
from simulator.result import Result
from simulator.run import run_experiment
from simulator.spec.build import load_experiment


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compare")
    for name, text in (("m", MODEL), ("n", MODEL), ("w", WORKLOAD), ("v", WORKLOAD.replace("1000", "500"))):
        (path / f"{name}.yaml").write_text(text)
    for name, workloads in (("e", "[w.yaml, v.yaml]"), ("f", "[v.yaml]"), ("g", "{u: w.yaml}")):
        text = EXPERIMENT.replace("[w.yaml]", workloads).replace("[m.yaml]", "[m.yaml, n.yaml]")
        (path / f"{name}.yaml").write_text(text)
    return path


def ran(folder: Path, name: str, *settings: str) -> Result:
    return run_experiment(load_experiment(folder / f"{name}.yaml", settings))


def test_times_are_relative_to_the_first_result_that_has_the_run(folder: Path) -> None:
    dearer = ran(folder, "e", "models.m.costs.syscall=20 cycles", "models.m.machine.clock=2 GHz")
    found = compare({"v alone": ran(folder, "f"), "both": ran(folder, "e"), "dearer": dearer})
    assert [(r.workload, r.model, r.result) for r in found.rows if r.workload == "v" and r.model == "m"] == [
        ("v", "m", label) for label in found.labels
    ]
    assert {(r.workload, r.result): r.relative_to_first for r in found.rows if r.model == "m"} == {
        ("v", "v alone"): Decimal(1),
        ("v", "both"): Decimal(1),
        ("v", "dearer"): Decimal(1),
        ("w", "both"): Decimal(1),
        ("w", "dearer"): Decimal(1),
    }
    (note,) = found.notes
    assert note == (
        "m in dearer is not that in v alone: machine.clock 1 GHz -> 2 GHz; costs.syscall 10 cycles -> 20 cycles"
    )


def with_metadata(result: Result, **more: Any) -> Result:
    return replace(result, metadata={**result.metadata, **more})


def on(device: str) -> dict[str, Any]:
    """The inputs of a result whose recordings have equal rows, and are of some device."""
    return {"experiment_sha256": "", "recordings_sha256": {"w": "rows", "v": "rows"}, "headers_sha256": {"w": device}}


def test_what_cannot_be_compared_is_refused_with_every_reason(folder: Path) -> None:
    one = ran(folder, "e")
    inputs = {"experiment_sha256": "", "recordings_sha256": {"w": "other rows"}}
    old = with_metadata(one, schema_version=1)
    cases = [
        ({"a": one}, "expected two results or more"),
        ({"a": one, "b": ran(folder, "g")}, "b has no workload of those before it: it has u, they have w, v"),
        (
            {"a": one, "b": ran(folder, "e", "workloads.v.events.0.syscall=7")},
            "the workload 'v' differs: workload.events.0.syscall is 500 in a, 7 in b",
        ),
        ({"a": one, "b": ran(folder, "e", "seed=2")}, "the seed is 1 in a and 2 in b, and 'w' is no recording"),
        ({"a": one, "b": with_metadata(one, inputs=inputs)}, "the workload 'w' is of another recording in b than in a"),
        (
            {"a": with_metadata(one, inputs=on("disk")), "b": with_metadata(one, inputs=on("ssd"))},
            "the workload 'w' is of another recording in b than in a: their headers differ",
        ),
        ({"a": one, "b": old}, "a is of schema version 2, b of 1: run the older one again"),
    ]
    for results, message in cases:
        with pytest.raises(InputError) as caught:
            compare(results)
        assert message in str(caught.value)


def test_a_recording_has_no_seed(folder: Path) -> None:
    one, two = ran(folder, "e"), ran(folder, "e", "seed=2")
    inputs = {"experiment_sha256": "", "recordings_sha256": {"w": "rows", "v": "rows"}}
    found = compare({"a": with_metadata(one, inputs=inputs), "b": with_metadata(two, inputs=inputs)})
    assert {row.relative_to_first for row in found.rows} == {Decimal(1)}


def test_other_code_is_said(folder: Path) -> None:
    one = ran(folder, "e")
    found = compare({"a": one, "b": with_metadata(one, tool={**one.metadata["tool"], "code_sha256": "else"})})
    assert found.notes == ("other code of vmmsim made b than a: differences may be its doing",)


def test_the_plot_has_a_group_for_each_workload_under_each_model(folder: Path) -> None:
    results = {"a": ran(folder, "e"), "b": ran(folder, "e", "models.*.costs.syscall=20 cycles"), "c": ran(folder, "f")}
    (figure,) = compared("Compared", compare(results))
    (axes,) = figure.axes
    assert axes.get_xlabel() == "total time over a (×)"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["w\nm", "w\nn", "v\nm", "v\nn"]


def test_the_command_prints_and_writes(folder: Path) -> None:
    for out, setting in (("one", "10 cycles"), ("two", "20 cycles")):
        done = vmmsim(
            "run", "e.yaml", "--no-plots", "--out", out, "--set", f"models.m.costs.syscall={setting}", cwd=folder
        )
        assert done.returncode == 0, done.stderr
    done = vmmsim("compare", "one", "two", "--out", "both", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "Total time, relative to one" in done.stdout
    assert "costs.syscall 10 cycles -> 20 cycles" in done.stdout
    assert {path.name for path in (folder / "both").iterdir()} == {"compared.csv", "compared.png", "compared.svg"}
    data = json.loads(vmmsim("compare", "one", "two", "--json", cwd=folder).stdout)
    with (folder / "both" / "compared.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == data["rows"]
    for arguments, message in (
        (["one"], "expected two results or more"),
        (["one", "one"], "a result is named twice"),
        (["one", "e.yaml"], "not the result of a run"),
        (["one", "two", "--out", "."], "exists and holds no compared.csv"),
    ):
        done = vmmsim("compare", *arguments, cwd=folder)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)
        assert message in done.stderr
