"""All experiments of a folder in one go: one table, one index, and what happens to those that fail."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote

import pytest
from command_line import MODEL, WORKLOAD, refused, table, vmmsim
from test_report import Outline

from simulator.errors import InputError
from simulator.report.collection import collecting
from simulator.spec import library
from simulator.spec.folder import experiments_in

EXPERIMENT = """\
document: experiment
title: small & <b>
workloads: [w.yaml]
models: [m.yaml, v.yaml]
baseline: m
references:
  - quantity: percent_of_baseline
    status: predicted
    source: made up
    note: it is <i>made up</i>
    values: {w: {v: 67.4 %}}
  - {quantity: overhead_seconds, event: syscall, status: predicted, source: made up, values: {w: {v: -1 us}}}
""".replace("-1 us", "-0.000001 s")
ODD = "b & <i>#1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder ``set`` with two experiments, and documents of other kinds beside them."""
    inside = tmp_path / "set"
    inside.mkdir()
    (inside / "m.yaml").write_text(MODEL)
    (inside / "v.yaml").write_text(MODEL.replace("10 cycles", "15 cycles"))
    (inside / "w.yaml").write_text(WORKLOAD)
    for name in (ODD, "a"):
        (inside / f"{name}.yaml").write_text(EXPERIMENT)
    return tmp_path


def break_one(folder: Path) -> None:
    (folder / "set/broken.yaml").write_text(EXPERIMENT.replace("w.yaml", "nowhere.yaml"))


def test_every_experiment_of_a_folder_runs_and_there_is_one_table(folder: Path) -> None:
    done = vmmsim("run", "set", "--no-plots", cwd=folder, COLUMNS="160")
    assert (done.returncode, done.stderr) == (0, "")
    out = folder / "results/set"
    assert {path.name for path in out.iterdir()} == {"a", ODD, "collection.json", "comparison.csv", "index.html"}
    rows = table(out / "comparison.csv")
    assert [row["experiment"] for row in rows] == ["a", "a", ODD, ODD]
    assert rows[0] == {"experiment": "a"} | table(out / "a/comparison.csv")[0]
    for text in (
        "67.4 %",
        "67.7 %",
        "+0.3 points",
        "-1.00 µs",
        "10.0 µs",
        "+11.0 µs",
        "note: a: w, percent of baseline",
    ):
        assert text in done.stdout
    assert done.stdout.count("Compared with published figures") == 1
    assert "2 experiments" in done.stdout


def test_show_prints_what_run_printed(folder: Path) -> None:
    (folder / "set/a.yaml").write_text(EXPERIMENT + "plots: [cost-per-event]\n")
    printed = vmmsim("run", "set/a.yaml", "--out", "out", cwd=folder).stdout
    shown = vmmsim("show", "out", cwd=folder).stdout
    for line in printed.splitlines()[:-1]:
        assert line in shown, "all but the names of the files that were written"
    assert "source: made up" in shown
    assert "note: w, percent of baseline: it is <i>made up</i>" in shown
    assert "note: plot 'cost-per-event' is left out" in shown


def test_the_index_links_the_reports_and_escapes_names(folder: Path) -> None:
    break_one(folder)
    (folder / "set/a.yaml").write_text(EXPERIMENT + "plots: [cost-per-event, slowdown]\n")
    assert vmmsim("run", "set/", cwd=folder).returncode == 1
    page = (folder / "results/set/index.html").read_text()
    outline = Outline(page)
    links = [resource for resource in outline.resources if not resource.startswith(("#", "data:"))]
    assert [unquote(link) for link in links] == ["./a/report.html", "./a/report.html", f"./{ODD}/report.html"]
    assert outline.tags.count("img") == 1, "the first plot that was drawn, linked too"
    anchors = {resource[1:] for resource in outline.resources if resource.startswith("#")}
    assert anchors <= set(outline.ids) and len(outline.ids) == len(set(outline.ids))
    assert page.count("made up</li>") == 1, "a source is named once"
    assert all((folder / "results/set" / unquote(link)).is_file() for link in links)
    assert "i" not in outline.tags and "b" not in outline.tags
    assert "it is &lt;i&gt;made up&lt;/i&gt;" in page
    assert "no workload &#39;nowhere.yaml&#39;" in page
    assert "it is &lt;i&gt;made up&lt;/i&gt;" in (folder / "results/set/a/report.html").read_text()


def test_one_that_fails_is_reported_and_the_others_go_on(folder: Path) -> None:
    break_one(folder)
    done = vmmsim("run", "set", "--json", "--no-plots", "--out", "out", cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("broken failed: set/broken.yaml:3:13: workloads.0: no workload 'nowhere.yaml'")
    data = json.loads(done.stdout)
    assert data["out"] == "out"
    assert [(entry["name"], bool(entry["error"])) for entry in data["experiments"]] == [
        ("a", False), (ODD, False), ("broken", True),
    ]  # fmt: skip
    assert [row["published"] for row in data["comparison"]] == ["67.4", "-0.000001"] * 2
    assert not (folder / "out/broken").exists()


def test_a_run_that_cannot_end_is_no_input_error(folder: Path) -> None:
    (folder / "set/w.yaml").write_text(WORKLOAD.replace("syscall: 1000", "halt: 1"))
    for name in "mv":
        (folder / f"set/{name}.yaml").write_text(MODEL.replace("rdtsc: {rdtsc: 1}", "halt: {rdtsc: 1}"))
    done = vmmsim("run", "set", cwd=folder)
    assert done.returncode == 1
    assert "halts" in done.stderr
    assert not (folder / "results/set").exists(), "where all failed, nothing is written"


def test_an_input_error_of_all_exits_with_2_and_keeps_what_was_there(folder: Path) -> None:
    assert vmmsim("run", "set", "--no-plots", "--set", "models.v.costs.syscall=20 cycles", cwd=folder).returncode == 0
    before = (folder / "results/set/comparison.csv").read_bytes()
    message = refused(vmmsim("run", "set", "--no-plots", "--set", "models.v.costs.sycsall=9 cycles", cwd=folder))
    assert message.count("did you mean 'models.v.costs.syscall'") == 2
    assert (folder / "results/set/comparison.csv").read_bytes() == before
    assert b"51.2" in before, "21 of 41 us"


def test_a_collection_replaces_nothing_but_a_collection(folder: Path) -> None:
    assert vmmsim("run", "set/a.yaml", "--no-plots", "--out", "out", cwd=folder).returncode == 0
    assert "holds no collection.json" in refused(vmmsim("run", "set", "--out", "out", cwd=folder))
    for _ in range(2):
        assert vmmsim("run", "set", "--no-plots", "--out", "both", cwd=folder).returncode == 0
    assert "holds no result.json" in refused(vmmsim("run", "set/a.yaml", "--out", "both", cwd=folder))
    (folder / "both/a/mine.txt").write_text("mine")
    assert "would be lost: mine.txt" in refused(vmmsim("run", "set", "--out", "both", cwd=folder))
    (folder / "both/a/mine.txt").rename(folder / "both/mine.txt")
    assert "would be lost: mine.txt" in refused(vmmsim("run", "set", "--out", "both", cwd=folder))
    assert "is not a directory" in refused(vmmsim("run", "set", "--out", "set/a.yaml", cwd=folder))


def test_validate_checks_all_experiments_of_a_folder(folder: Path) -> None:
    done = vmmsim("validate", "set", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"set/a.yaml: a valid experiment\nset/{ODD}.yaml: a valid experiment\n"
    break_one(folder)
    assert "set/broken.yaml:3:13" in refused(vmmsim("validate", "set", cwd=folder))
    (folder / "empty").mkdir()
    assert "no experiments in this directory" in refused(vmmsim("validate", "empty", cwd=folder))


def test_a_file_that_cannot_be_read_counts_and_two_of_one_name_do_not(folder: Path) -> None:
    (folder / "set/unread.yaml").write_text("document: [")
    assert [path.stem for path in experiments_in(folder / "set")] == ["a", ODD, "unread"]
    (folder / "set/a.yml").write_text(EXPERIMENT)
    with pytest.raises(InputError, match="two experiments of the name a"):
        experiments_in(folder / "set")


def test_folders_of_the_library_have_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "experiments").mkdir()
    (folder / "set").rename(folder / "experiments/paper")
    monkeypatch.setattr(library, "root", lambda: folder)
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert library.find_folder("paper") == folder / "experiments/paper"
    assert library.find_folder("experiments/paper") == folder / "experiments/paper"
    assert library.find_folder("papers") is None
    assert library.find_folder("") is None
    assert {"paper/a", f"paper/{ODD}"} <= set(library.names("experiment"))
    assert library.find("paper/a", "experiment", Path()) == folder / "experiments/paper/a.yaml"


def test_a_crash_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), collecting(tmp_path / "out", "t") as collection:
        collection.fail("a", "")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
