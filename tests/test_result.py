"""A result that is read back is the result that was written; anything else is refused in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import MODEL, WORKLOAD, refused, vmmsim

from simulator.errors import InputError
from simulator.report.reader import load_result
from simulator.report.writer import compact_json, write_result
from simulator.result import SCHEMA_VERSION, Result
from simulator.run import run_experiment
from simulator.spec.build import load_experiment
from simulator.spec.library import find

EXPERIMENT = """\
document: experiment
title: small
description: Two lines,
  with a comma
workloads: [w.yaml]
models: [m.yaml]
baseline: m
references:
  - {quantity: overhead_seconds, event: syscall, label: calls, status: predicted, source: 'a, "b"', values: {w: {m: 0 s}}}
plots: [slowdown, overhead-by-event]
"""  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small")
    (path / "m.yaml").write_text(MODEL)
    (path / "w.yaml").write_text(WORKLOAD)
    (path / "e.yaml").write_text(EXPERIMENT)
    return path


@pytest.fixture(scope="module")
def small(folder: Path) -> Result:
    return run_experiment(load_experiment(folder / "e.yaml"))


@pytest.fixture
def written(small: Result, tmp_path: Path) -> Path:
    write_result(small, tmp_path / "out", "", plots=False)
    return tmp_path / "out"


def test_a_result_is_read_back_as_it_was_written(small: Result, written: Path) -> None:
    assert small.replays and small.comparison and small.sources
    assert load_result(written) == small


def test_a_result_with_state_waits_and_plots_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    result = run_experiment(load_experiment(find("recorded", "experiment", Path())))
    write_result(result, tmp_path / "out", "")
    found = load_result(tmp_path / "out")
    assert replace(found, notes=result.notes) == result
    assert set(result.notes) <= set(found.notes)
    write_result(found, tmp_path / "again", "")
    first, second = ((tmp_path / name / "result.json").read_bytes() for name in ("out", "again"))
    assert first == second


def test_breakdown_and_totals_are_those_of_the_replays(written: Path) -> None:
    result = load_result(written)
    (replayed,) = result.replays
    assert replayed.why_replay == ""
    assert sum(row.cycles for row in result.breakdown) * 1000 == replayed.outcome.busy
    assert replayed.ticks == {"compute": 1000, "rdtsc": 3500, "syscall": 10_000}


def change(written: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = written / "result.json"
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


DAMAGE: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda d: d.update(schema_version=SCHEMA_VERSION + 1), "schema version 3, this vmmsim reads up to 2: use a newer one"),
    (lambda d: d.pop("schema_version"), "it has no schema_version"),
    (lambda d: d.update(schema_version="2"), "it has no schema_version"),
    (lambda d: d.pop("experiment"), "the key 'experiment' is missing"),
    (lambda d: d.pop("replays"), "the key 'replays' is missing"),
    (lambda d: d.update(experiment=[]), "not the result of a run, or damaged"),
    (lambda d: d["totals"][0].update(total_cycles="1"), "totals.csv and result.json are not of one run"),
    (lambda d: d["replays"][0]["vcpus"][0].update(busy=1.5), "replays.0: damaged: .*expected a whole number, 0 or more, found 1.5"),
    (lambda d: d["replays"][0]["vcpus"][0]["events"].update(sycsall=1), "did you mean 'syscall'"),
    (lambda d: d["replays"].append(7), "replays.1: damaged"),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "message"), DAMAGE)
def test_damage_to_result_json_is_said_in_words(
    written: Path, edit: Callable[[dict[str, Any]], object], message: str
) -> None:
    change(written, edit)
    with pytest.raises(InputError, match=message):
        load_result(written)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("totals.csv", "workload,model", "workload,modell", "totals.csv:1: expected the columns workload, model, "),
        ("totals.csv", ",21000,", ",21_000x,", "totals.csv:2: total_cycles: expected a number, found '21_000x'"),
        ("totals.csv", ",21000,", ",NaN,", "total_cycles: expected a number, found 'NaN'"),
        ("totals.csv", ",21000,", ",,", "total_cycles: expected a number, found ''"),
        ("breakdown.csv", ",1000,", ",", "breakdown.csv:2: expected 9 cells, found 8"),
        ("breakdown.csv", "w,m", '"w"x,m', "breakdown.csv: cannot be read"),
        ("result.json", "{", "{{", "result.json: cannot be read: Expecting property name"),
        ("result.json", "{", '"\\ud800"', "result.json: cannot be read"),
    ],
)
def test_damage_to_a_file_is_said_with_its_place(written: Path, file: str, old: str, new: str, message: str) -> None:
    path = written / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        load_result(written)


def test_a_missing_file_is_named(written: Path) -> None:
    (written / "breakdown.csv").unlink()
    with pytest.raises(InputError, match=r"breakdown\.csv: cannot be read"):
        load_result(written)


@pytest.mark.parametrize("name", ["nowhere", "e.yaml", "."])
def test_what_is_no_result_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"not the result of a run: it has no result\.json"):
        load_result(folder / name)


def test_version_1_is_read_without_counts(small: Result, written: Path) -> None:
    change(written, lambda d: [d.update(schema_version=1), d.pop("replays"), d.pop("sources")])
    found = load_result(written)
    assert (found.replays, found.sources, found.totals) == ((), {}, small.totals)


def test_show_says_what_is_wrong_with_a_result(written: Path) -> None:
    (written / "breakdown.csv").unlink()
    assert "breakdown.csv: cannot be read" in refused(vmmsim("show", written, cwd=written.parent))


@pytest.mark.parametrize("value", [{}, [], 5, "x" * 200, {"a": [1, {"b": ["c" * 60, "d" * 60, None]}], "e" * 130: {}}])
def test_compact_json_is_json_within_a_width(value: Any) -> None:
    text = compact_json(value)
    assert json.loads(text) == value
    assert compact_json({"a": 1, "b": [2, 3]}) == '{"a": 1, "b": [2, 3]}'


def test_lines_of_a_written_result_are_short_where_they_can_be(written: Path) -> None:
    lines = (written / "result.json").read_text().splitlines()
    assert max(map(len, lines)) <= 120
    assert '"actions": {"user_compute": {"compute": 1000}, "syscall": {"syscall": 2000}}' in "\n".join(lines)
