"""Fitting: known values are found again, bounds hold, and what the references leave open is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from command_line import vmmsim

from simulator.calibrate.documents import Targets, write
from simulator.calibrate.fit import Estimate, Fit, fit_experiment
from simulator.calibrate.uncertainty import uncertainty
from simulator.errors import InputError, SpecError
from simulator.run import run_experiment
from simulator.spec.build import load_experiment, load_model
from simulator.spec.library import root
from simulator.spec.node import fingerprint

NATIVE = """\
document: cost-model
title: small
machine: {name: m, clock: 1 GHz}
mechanisms:
  direct_execution:
    events:
      syscall: {syscall: 2}
      rdtsc: {rdtsc: 1}
      page_fault: {walk: 1, fault: 1}
      user_compute: {compute: 1}
costs:
  compute: {cost: 1 ns, source: definition, status: published}
  syscall: {cost: 100 cycles, source: test, status: assumed, low: 90 cycles, high: 110 cycles}
  rdtsc: {cost: 30 cycles, source: test, status: assumed}
  walk: {cost: 40 cycles, source: test, status: assumed}
  fault: {cost: 700 cycles, source: test, status: assumed}
"""
MIXES = {"a": (10, 0), "b": (5, 5), "c": (2, 8), "d": (7, 3)}
"""System calls and time-stamp reads of each workload."""

SYSCALL: dict[str, object] = {"path": "models.m.costs.syscall", "low": "10 cycles", "high": "5000 cycles"}
RDTSC: dict[str, object] = {"path": "models.*.costs.rdtsc", "low": "1 cycles", "high": "900 cycles"}
FAULTS: dict[str, list[object]] = {"f": [{"page_fault": 10}], "g": [{"page_fault": 3}, {"page_fault": 4}]}
BOTH: list[dict[str, object]] = [{**SYSCALL, "path": f"models.m.costs.{name}"} for name in ("walk", "fault")]


def workload(events: list[object], **more: object) -> dict[str, object]:
    return {"document": "workload", "title": "small", "events": events, **more}


def experiment(folder: Path, figures: dict[str, str], parameters: list[dict[str, object]], **more: object) -> Path:
    """Write an experiment of which the models are `m.yaml`, and the references these figures for it."""
    mixes: dict[str, list[object]] = {name: [{"syscall": s}] for name, (s, _) in MIXES.items()}
    for name, (_, r) in MIXES.items():
        mixes[name] += [{"rdtsc": r}] * bool(r)
    content = {
        "document": "experiment",
        "title": "small fit",
        "workloads": {name: workload(events) for name, events in (mixes | FAULTS).items() if name in figures},
        "models": ["m.yaml"],
        "references": [
            {
                "quantity": "cycles_per_event",
                "status": "fitted",
                "source": "a made-up figure",
                "values": {name: {"m": text} for name, text in figures.items()},
            }
        ],
        "fit": {"writes": "models.m", "parameters": parameters},
    }
    (folder / "m.yaml").write_text(NATIVE)
    path = folder / "e.yaml"
    path.write_text(yaml.safe_dump(content | more, sort_keys=False))
    return path


def fitted(path: Path) -> Fit:
    return fit_experiment(load_experiment(path))


def by_name(fit: Fit) -> dict[str, Estimate]:
    return {estimate.parameter.name.rpartition(".")[2]: estimate for estimate in fit.estimates}


def shown(estimate: Estimate) -> tuple[str, str]:
    return estimate.bound, estimate.parameter.text(estimate.value)


def figures(syscall: float, rdtsc: float, names: str = "abcd") -> dict[str, str]:
    """What the model gives with these costs; a system call takes its action twice."""
    return {n: f"{(MIXES[n][0] * 2 * syscall + MIXES[n][1] * rdtsc) / 10:.6f} cycles" for n in names}


def test_known_costs_are_found_again(tmp_path: Path) -> None:
    found = by_name(fitted(experiment(tmp_path, figures(1234.5, 67.8), [SYSCALL, RDTSC])))
    assert float(found["syscall"].value) == pytest.approx(1234.5, rel=1e-4)
    assert float(found["rdtsc"].value) == pytest.approx(67.8, rel=1e-4)
    assert not found["syscall"].bound
    assert found["syscall"].error is not None


@pytest.mark.parametrize("scale", ["log", "linear"])
@pytest.mark.parametrize("start", ["10 cycles", "5000 cycles", "12.345678 cycles"])
def test_the_start_and_the_scale_do_not_matter(tmp_path: Path, scale: str, start: str) -> None:
    parameter = {**SYSCALL, "scale": scale, "start": start}
    (found,) = fitted(experiment(tmp_path, figures(432.1, 30, "ab"), [parameter])).estimates
    assert float(found.value) == pytest.approx(432.1, rel=1e-4)


def test_bounds_are_kept_and_said(tmp_path: Path) -> None:
    parameters: list[dict[str, object]] = [{**SYSCALL, "high": "800 cycles"}, {**RDTSC, "low": "70 cycles"}]
    fit = fitted(experiment(tmp_path, figures(1234.5, 67.8), parameters))
    found = by_name(fit)
    assert shown(found["syscall"]) == ("high", "800 cycles")
    assert float(found["rdtsc"].value) >= 70


def test_a_bound_that_is_the_answer(tmp_path: Path) -> None:
    (found,) = fitted(experiment(tmp_path, figures(800, 30, "ab"), [{**SYSCALL, "high": "800 cycles"}])).estimates
    assert shown(found) == ("high", "800 cycles")


def test_what_only_goes_together_is_not_determined(tmp_path: Path) -> None:
    """A page fault takes one walk and one fault: its cost is their sum, and says nothing about either."""
    fit = fitted(experiment(tmp_path, {"f": "900 cycles", "g": "900 cycles", **figures(50, 30, "a")}, [*BOTH, SYSCALL]))
    found = by_name(fit)
    assert found["walk"].note == found["fault"].note == "not determined"
    assert found["walk"].value + found["fault"].value == pytest.approx(900, rel=1e-4)
    assert found["syscall"].note == "no reference to spare"
    (warning,) = fit.warnings
    assert "models.m.costs.walk" in warning
    assert "models.m.costs.fault" in warning
    assert "syscall" not in warning


def test_more_parameters_than_figures(tmp_path: Path) -> None:
    fit = fitted(experiment(tmp_path, figures(50, 30, "b"), [SYSCALL, RDTSC]))
    assert {estimate.note for estimate in fit.estimates} == {"not determined"}
    assert "2 parameters are fitted to 1 figures" in fit.warnings[0]
    assert float(fit.rows[0].modelled) == pytest.approx(float(fit.rows[0].published), rel=1e-4)


def test_a_parameter_without_influence_stays_where_it_starts(tmp_path: Path) -> None:
    fit = fitted(experiment(tmp_path, figures(50, 30), [SYSCALL, {**BOTH[0], "start": "77 cycles"}]))
    found = by_name(fit)
    assert shown(found["walk"]) == ("", "77 cycles")
    assert found["walk"].note == "not determined"
    assert fit.warnings == ("not determined: no figure changes with models.m.costs.walk where the search ended",)
    assert found["syscall"].error is not None


def test_whole_numbers_stay_whole(tmp_path: Path) -> None:
    path = "models.m.mechanisms.direct_execution.events.syscall.syscall"
    parameter: dict[str, object] = {"path": path, "low": 1, "high": 40}
    (found,) = fitted(experiment(tmp_path, {"a": "1320 cycles", "b": "672 cycles"}, [parameter])).estimates
    assert str(found.value) == "13"


def test_parameters_of_workloads_are_fitted_separately(tmp_path: Path) -> None:
    """Each workload has its own; durations are whole nanoseconds."""
    names = [f"w{i}" for i in range(6)]
    path = experiment(tmp_path, figures(50, 30, "a"), [SYSCALL])
    content = yaml.safe_load(path.read_text())
    content["workloads"] = {name: workload([{"user_compute": "5 us"}, {"syscall": 10}]) for name in names}
    content["references"][0]["values"] = {name: {"m": f"{200 + 10 * i} cycles"} for i, name in enumerate(names, 1)}
    content["fit"] = {
        "writes": [f"workloads.{name}" for name in names],
        "parameters": [
            {"path": f"workloads.{name}.events.0.user_compute", "low": "0.01 us", "high": "20 us"} for name in names
        ],
    }
    path.write_text(yaml.safe_dump(content))
    fit = fitted(path)
    assert [estimate.parameter.text(estimate.value) for estimate in fit.estimates] == [f"0.{i} us" for i in range(1, 7)]
    assert fit.replays < 20 * len(names)


def test_the_standard_error_is_that_of_the_linear_problem(tmp_path: Path) -> None:
    published = {"a": 2005.0, "b": 1020.0, "c": 455.0, "d": 1400.0}
    texts = {name: f"{value} cycles" for name, value in published.items()}
    found = by_name(fitted(experiment(tmp_path, texts, [SYSCALL, RDTSC])))
    y = np.array(list(published.values()))
    design = np.array([(2 * s / 10, r / 10) for s, r in MIXES.values()]) / y[:, np.newaxis]
    solution, squares, _, _ = np.linalg.lstsq(design, np.ones(4), rcond=None)
    errors = np.sqrt(np.diag(squares[0] / 2 * np.linalg.inv(design.T @ design)))
    for i, name in enumerate(("syscall", "rdtsc")):
        estimate = found[name]
        assert float(estimate.value) == pytest.approx(solution[i], rel=1e-4)
        assert float(estimate.error or 0) == pytest.approx(errors[i], rel=1e-3)


def test_uncertainty_by_singular_values() -> None:
    jacobian = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]]) * [1e-6, 1e6]
    residuals = np.array([0.1, -0.2, 0.05])
    expected = np.sqrt(np.diag(residuals @ residuals * np.linalg.inv(jacobian.T @ jacobian)))
    assert uncertainty(jacobian, residuals).errors == pytest.approx(tuple(expected))


def written(path: Path, out: Path) -> str:
    loaded = load_experiment(path)
    targets = Targets(path, loaded, out)
    write(fit_experiment(loaded), targets)
    return out.read_text()


def test_the_written_document_loads_and_gives_the_fitted_figures(tmp_path: Path) -> None:
    path = experiment(tmp_path, figures(1234.5, 67.8), [SYSCALL, RDTSC])
    text = written(path, tmp_path / "deep" / "m-fitted.yaml")
    spec, _, warnings = load_model(tmp_path / "deep" / "m-fitted.yaml")
    assert warnings == []
    assert "extends: ../m.yaml\n" in text
    assert spec.costs["syscall"].status == "fitted"
    assert spec.costs["syscall"].source == (
        "fitted by `vmmsim calibrate fit e` to cycles_per_event of a under m, b under m, c under m, d under m "
        "(a made-up figure)"
    )
    assert (str(spec.costs["syscall"].low), str(spec.costs["syscall"].high)) == ("10 cycles", "5000 cycles")
    assert spec.provenance["parameters"][0]["low"] == "10 cycles"
    other = yaml.safe_load(path.read_text())
    other["models"] = {"m": "deep/m-fitted.yaml"}
    path.write_text(yaml.safe_dump(other))
    rows = run_experiment(load_experiment(path)).comparison
    assert [f"{row.modelled:f}" for row in rows] == [row["modelled"] for row in spec.provenance["references"]]
    assert all(abs(float(row.error_percent or 0)) < 0.01 for row in rows)


def test_the_same_bytes_twice_and_settings_are_written(tmp_path: Path) -> None:
    experiment(tmp_path, figures(1234.5, 67.8), [SYSCALL])
    command = ["calibrate", "fit", "e.yaml", "--set", "models.m.costs.rdtsc=67.8 cycles", "--json"]
    first = vmmsim(*command, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    data = json.loads(first.stdout)
    assert data["written"] == ["results/e.fit.yaml"]
    assert data["parameters"][0]["fitted"] == "1234.5 cycles"
    once = (tmp_path / "results" / "e.fit.yaml").read_bytes()
    assert b"extends: ../m.yaml" in once
    assert b"cost: 67.8 cycles" in once
    second = vmmsim(*command, cwd=tmp_path)
    assert second.stdout == first.stdout
    assert (tmp_path / "results" / "e.fit.yaml").read_bytes() == once


def test_the_table_and_a_bound(tmp_path: Path) -> None:
    experiment(tmp_path, figures(1234.5, 30), [{**SYSCALL, "high": "800 cycles"}])
    done = vmmsim("calibrate", "fit", "e.yaml", "--out", "x.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "10 cycles .. 800 cycles  high" in done.stdout
    assert "written: x.yaml" in done.stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "models.m.costs.sycall"}, "there is no 'sycall' in 'models.m.costs' (did you mean"),
        ({"low": "9000 cycles"}, "expected low < high, found low 9000 cycles, high 5000 cycles"),
        ({"start": "1 cycles"}, "expected low <= start <= high, found start 1 cycles for 10 cycles .. 5000 cycles"),
        ({"high": "5 us"}, "expected one unit for low, high and start, found 'cycles', 'us'"),
        ({"path": "seed"}, "expected a value of a model or a workload, found seed"),
        ({"path": "workloads.a.events.0.syscall"}, "the path leads into none of fit.writes"),
        ({"low": 0, "high": 1, "scale": "log"}, "expected a low above 0 for the scale log"),
        ({"low": "10 furlongs", "high": "20 furlongs"}, "the unit 'furlongs' does not fit here"),
    ],
)
def test_faults_name_their_place(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = experiment(tmp_path, figures(50, 30), [{**SYSCALL, **change}])
    with pytest.raises(SpecError) as raised:
        fitted(path)
    fault = raised.value.faults[0]
    assert message in fault.message
    assert fault.path.startswith("fit.parameters.0")
    assert fault.line > 1


def test_a_value_is_set_by_one_parameter(tmp_path: Path) -> None:
    with pytest.raises(
        SpecError, match=r"fit.parameters.1.path.*: a second parameter that sets models.m.costs.syscall"
    ):
        fitted(experiment(tmp_path, figures(50, 30), [SYSCALL, {**SYSCALL, "path": "models.*.costs.syscall.cost"}]))


def test_a_fit_that_cannot_begin_writes_nothing(tmp_path: Path) -> None:
    path = experiment(tmp_path, figures(50, 30), [SYSCALL])
    content = yaml.safe_load(path.read_text())
    section = content.pop("fit")
    cases = {
        "e.yaml:1:1: the section 'fit' is missing": content,
        "fit.references: the experiment has no reference with the status 'predicted' to fit to: its references are "
        "fitted": content | {"fit": section | {"references": "predicted"}},
        "fit.writes: expected one of models.m, workloads.a, workloads.b, workloads.c, workloads.d, found 'models.n' "
        "(did you mean 'models.m'?)": content | {"fit": section | {"writes": "models.n"}},
    }
    for message, document in cases.items():
        path.write_text(yaml.safe_dump(document))
        with pytest.raises(SpecError) as raised:
            fitted(path)
        assert message in str(raised.value)
    done = vmmsim("calibrate", "fit", "e.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'models.m'?" in done.stderr
    assert not (tmp_path / "results").exists()


def test_what_is_set_and_not_written_is_a_warning(tmp_path: Path) -> None:
    models = {"m": "m.yaml", "n": "m.yaml"}
    fit = fitted(experiment(tmp_path, figures(50, 30), [SYSCALL, RDTSC], models=models))
    assert fit.warnings == ("models.*.costs.rdtsc is set in models.n too, which is not written: add it to fit.writes",)


def test_other_files_are_not_overwritten(tmp_path: Path) -> None:
    path = experiment(tmp_path, figures(50, 30), [SYSCALL])
    for name in ("m.yaml", "e.yaml"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(InputError, match=f"{name}: exists and is no cost-model that a fit has written"):
            Targets(path, load_experiment(path), tmp_path / name)
        assert (tmp_path / name).read_bytes() == before


def test_the_fitted_documents_that_ship_are_not_stale() -> None:
    """Each was fitted by the calibration that ships: nothing that its experiment refers to has changed since."""
    calibrations = root() / "experiments" / "calibration"
    current: dict[str, str] = {}
    stale = []
    for path in sorted((root() / "workloads" / "paper").glob("fitted*/**/*.yaml")):
        provenance = yaml.safe_load(path.read_text(encoding="utf-8"))["provenance"]
        name = provenance["experiment_file"]
        if name not in current:
            current[name] = fingerprint(load_experiment(calibrations / name).tree)
        if provenance["experiment_sha256"] != current[name]:
            stale.append(f"{path.relative_to(root())}: fit {name} again")
    assert stale == []
