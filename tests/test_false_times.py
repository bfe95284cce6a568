"""Of a recording whose times are those of no machine, everything says so, and shows counts where it would show times."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import vmmsim
from rich.table import Table
from support import K, stream

from simulator.analysis.compare import compare
from simulator.errors import InputError
from simulator.notebook import run
from simulator.report.exits import exits_grid
from simulator.report.reader import load_result
from simulator.report.sweep import sweep_table, write_sweep
from simulator.report.writer import write_result
from simulator.result import BreakdownRow, Result, exact_cycles
from simulator.run import run_experiment
from simulator.run.experiment import notes_on
from simulator.spec.build import load_experiment
from simulator.spec.sweep import sweep_of
from simulator.stream import Header, MemoryStream, write_parquet
from simulator.sweep.store import Store
from simulator.sweep.sweeping import Options, sweep_experiment
from simulator.workload.combine import concat
from simulator.workload.cut import cut
from simulator.workload.history import with_history
from simulator.workload.untold import whose_times

EMULATED = {"false_times": "an emulator's"}
NOTE = "times of a, b are an emulator's: compare counts alone"


def recording(provenance: Mapping[str, str], faults: int = 3) -> MemoryStream:
    rows = [{"kind": K["page_fault"], "page": page, "user_ns": 1000} for page in range(faults)]
    made = stream([*rows, {"kind": K["tlb_flush_all"], "kernel_ns": 500}])
    return replace(made, header=Header("test", recorded_ns=10_000, provenance=provenance))


def experiment(folder: Path, parts: Mapping[str, Mapping[str, str]], more: str = "") -> Path:
    """An experiment with a recording for each of the parts, of which it gives the provenance."""
    for faults, (name, provenance) in enumerate(parts.items(), 3):
        write_parquet(recording(provenance, faults), folder / f"{name}.parquet")
    workloads = "".join(f"  {name}: {name}.parquet\n" for name in parts)
    models = "  - pentium4-672/native\n  - pentium4-672/hardware-vmm\n  - lookahead/nested-paging\n"
    path = folder / "e.yaml"
    path.write_text(f"document: experiment\ntitle: e\nworkloads:\n{workloads}models:\n{models}baseline: native\n{more}")
    return path


def ran(folder: Path, parts: Mapping[str, Mapping[str, str]], more: str = "") -> Result:
    return run_experiment(load_experiment(experiment(folder, parts, more)))


def test_one_note_names_all_workloads_whose_times_are_the_same_ones(tmp_path: Path) -> None:
    parts = {"a": EMULATED, "b": EMULATED, "c": {}, "d": {"false_times": "a model's"}}
    notes = list(notes_on(load_experiment(experiment(tmp_path, parts))))
    assert notes == [NOTE, "times of d are a model's: compare counts alone"]


def test_a_stream_made_of_others_has_their_times() -> None:
    emulated, true = recording(EMULATED), recording({"source": "s"})
    both = with_history(concat([emulated, emulated]), "concat", {}, [emulated, emulated])
    assert whose_times(both.header) == "an emulator's"
    mixed = with_history(concat([true, both]), "concat", {}, [true, both])
    assert whose_times(mixed.header) == "in part an emulator's"
    window = with_history(cut(emulated, 0, 2000), "cut", {}, [emulated])
    assert whose_times(window.header) == "an emulator's"
    assert not whose_times(true.header)


def test_the_importer_is_told_whose_times_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("vcpu,kind,user_ns,page\n0,page_fault,100,7\n")
    about = ("--about", "false_times=an emulator's", "--out", "a.parquet")
    assert vmmsim("import", "csv", "a.csv", *about, cwd=tmp_path).returncode == 0
    shown = vmmsim("show", "a.parquet", cwd=tmp_path).stdout
    assert "note: its times are an emulator's: compare counts alone" in shown
    told = json.loads(vmmsim("show", "a.parquet", "--json", cwd=tmp_path).stdout)
    assert told["provenance"]["false_times"] == "an emulator's"
    assert told["notes"] == ["its times are an emulator's: compare counts alone"]


def test_show_tells_the_description_of_a_workload(tmp_path: Path) -> None:
    text = "{document: workload, title: t, description: It faults once., events: [{page_fault: 1}]}"
    (tmp_path / "w.yaml").write_text(text)
    shown = vmmsim("show", "w.yaml", cwd=tmp_path)
    assert "It faults once." in shown.stdout, shown.stderr
    told = json.loads(vmmsim("show", "w.yaml", "--json", cwd=tmp_path).stdout)
    assert told["description"] == "It faults once."
    assert not told["notes"]


def test_a_result_says_it_wherever_it_is_read(tmp_path: Path) -> None:
    write_result(ran(tmp_path, {"a": EMULATED, "b": EMULATED}), tmp_path / "out", "")
    document = json.loads((tmp_path / "out/result.json").read_text())
    assert document["false_times"] == {"a": "an emulator's", "b": "an emulator's"}
    assert document["notes"] == [NOTE]
    assert load_result(tmp_path / "out").counts_alone
    page = (tmp_path / "out/report.html").read_text()
    assert page.count(NOTE.replace("'", "&#39;")) == 1


def test_a_damaged_result_is_refused(tmp_path: Path) -> None:
    write_result(ran(tmp_path, {"a": EMULATED}), tmp_path / "out", "", plots=False)
    path = tmp_path / "out/result.json"
    path.write_text(path.read_text().replace('"false_times": {"a": "an emulator\'s"}', '"false_times": 5'))
    with pytest.raises(InputError, match=r"damaged: false_times is no mapping"):
        load_result(tmp_path / "out")


def test_a_result_of_true_times_says_nothing_of_them(tmp_path: Path) -> None:
    result = ran(tmp_path, {"a": {"source": "s"}})
    assert not result.counts_alone
    assert "false_times" not in result.metadata
    assert not any("counts alone" in note for note in result.notes)


def test_with_a_true_recording_beside_it_times_are_shown_and_the_note_stands_above_them(tmp_path: Path) -> None:
    result = ran(tmp_path, {"a": EMULATED, "b": {}})
    assert not result.counts_alone
    write_result(result, tmp_path / "out", "")
    page = (tmp_path / "out/report.html").read_text()
    assert page.index("times of a are an emulator") < page.index('id="totals-table"')


def test_a_page_of_counts_alone_has_neither_totals_nor_plots_nor_prices_to_set(tmp_path: Path) -> None:
    result = ran(tmp_path, {"a": EMULATED}, "plots: [slowdown]\n")
    write_result(result, tmp_path / "out", "")
    page = (tmp_path / "out/report.html").read_text()
    assert 'id="exits"' in page
    assert page.index("times of a are an emulator") < page.index("<caption>Exits")
    assert not any(
        part in page for part in ('id="totals"', 'href="#totals"', "live-data", "×</td>", "<figure>", "busy</h3>")
    )
    assert ">actions</th>" in page and ">time</th>" not in page and ">share</th>" not in page
    assert not list((tmp_path / "out/plots").iterdir())
    assert "plots are left out: all of them show times" in result_notes(tmp_path / "out")


def result_notes(folder: Path) -> list[str]:
    return list(json.loads((folder / "result.json").read_text())["notes"])


def test_the_page_of_any_run_has_its_exits(tmp_path: Path) -> None:
    write_result(ran(tmp_path, {"a": {}}), tmp_path / "out", "")
    page = (tmp_path / "out/report.html").read_text()
    assert 'id="totals"' in page and 'id="exits"' in page


def row(model: str, event: str, action: str, actions: int) -> BreakdownRow:
    return BreakdownRow("w", model, "", event, action, 10, actions, exact_cycles(1000), exact_cycles(1000))


def test_exits_are_counted_by_event_and_model_the_most_first() -> None:
    rows = [
        row("native", "page_fault", "fault", 10),
        row("vmm", "page_fault", "vm_exit", 10),
        row("vmm", "page_fault", "vm_entry", 10),
        row("vmm", "cpuid", "vm_exit", 2000),
        row("translated", "page_fault", "callout", 7),
        row("translated", "page_fault", "trap", 1),
    ]
    grid = exits_grid(rows)
    assert [column.heading for column in grid.columns] == ["workload", "event", "vmm", "translated"]
    assert grid.rows == [("w", "cpuid", "2,000", "0"), ("w", "page_fault", "10", "8"), ("w", "all", "2,010", "8")]


def test_what_never_exits_has_no_rows() -> None:
    assert exits_grid([row("native", "page_fault", "fault", 10)]).rows == []


@pytest.fixture
def printed(tmp_path: Path) -> tuple[Path, str]:
    experiment(tmp_path, {"a": EMULATED, "b": EMULATED}, "plots: [blame]\n")
    return tmp_path, vmmsim("run", "e.yaml", "--out", "out", "--no-plots", cwd=tmp_path).stdout


def test_run_and_show_print_exits_and_not_times(printed: tuple[Path, str]) -> None:
    folder, text = printed
    shown = vmmsim("show", "out", cwd=folder).stdout
    for said in (text, shown):
        lines = [line.split() for line in said.splitlines()]
        assert ["workload", "event", "hardware-vmm"] in lines
        assert f"note: {NOTE}" in said
        assert "×" not in said and " ms" not in said and "µs" not in said
        assert "none under native, nested-paging" in said
    told = json.loads((folder / "out/result.json").read_text())
    exits = sum(int(cells[-1].replace(",", "")) for cells in map(str.split, text.splitlines()) if "all" in cells[:2])
    counted = run_experiment(load_experiment(folder / "e.yaml")).breakdown
    assert exits == sum(each.actions for each in counted if each.action == "vm_exit") > 0
    assert told["notes"] == [NOTE]


def test_where_nothing_exits_run_says_so(tmp_path: Path) -> None:
    path = experiment(tmp_path, {"a": EMULATED})
    path.write_text(path.read_text().replace("  - pentium4-672/hardware-vmm\n", ""))
    text = vmmsim("run", "e.yaml", cwd=tmp_path).stdout
    assert "no exits under native, nested-paging" in text
    assert "No exits under native, nested-paging." in (tmp_path / "results/e/report.html").read_text()


def test_run_for_programs_has_the_note(tmp_path: Path) -> None:
    experiment(tmp_path, {"a": EMULATED, "b": EMULATED})
    told = json.loads(vmmsim("run", "e.yaml", "--json", "--no-plots", cwd=tmp_path).stdout)
    assert told["notes"] == [NOTE]


def swept(folder: Path, parts: Mapping[str, Mapping[str, str]], details: bool = True) -> Result:
    loaded = load_experiment(experiment(folder, parts))
    points = sweep_of({"models.hardware-vmm.costs.vm_exit": "100 cycles, 200 cycles"}, "grid")
    return sweep_experiment(loaded, points, Store(folder / "store"), Options(details=details)).result


def test_a_sweep_with_a_true_recording_has_the_note_above_its_totals(tmp_path: Path) -> None:
    write_sweep(swept(tmp_path, {"a": EMULATED, "b": {}}), tmp_path / "out")
    page = (tmp_path / "out/report.html").read_text()
    assert page.index("times of a are an emulator") < page.index('id="totals-table"') < page.index('id="points"')
    assert (tmp_path / "out/plots/sweep.svg").is_file()


def test_the_page_of_a_sweep_of_counts_alone_has_exits_and_no_times(tmp_path: Path) -> None:
    write_sweep(swept(tmp_path, {"a": EMULATED, "b": EMULATED}), tmp_path / "out")
    page = (tmp_path / "out/report.html").read_text()
    assert page.index("times of a, b are an emulator") < page.index("<caption>Exits")
    assert not any(
        part in page for part in ("totals-table", 'id="points"', "#points", "live-data", "<figure>", "busy</")
    )
    assert "At the point <code>models.hardware-vmm.costs.vm_exit=100 cycles</code>" in page
    assert not (tmp_path / "out/plots").exists()
    assert {NOTE, "plots are left out: all of them show times"} <= set(result_notes(tmp_path / "out"))


def test_a_sweep_that_keeps_totals_alone_shows_them_below_the_note(tmp_path: Path) -> None:
    result = swept(tmp_path, {"a": EMULATED, "b": EMULATED}, details=False)
    write_sweep(result, tmp_path / "out")
    page = (tmp_path / "out/report.html").read_text()
    assert page.index("times of a, b are an emulator") < page.index('id="totals-table"')
    assert isinstance(sweep_table(result), Table)


def test_sweep_and_show_print_exits_once_for_all_points_that_have_the_same(tmp_path: Path) -> None:
    experiment(tmp_path, {"a": EMULATED, "b": EMULATED})
    over = "models.hardware-vmm.costs.vm_exit=100 cycles, 200 cycles"
    text = vmmsim("sweep", "e.yaml", "--over", over, "--out", "out", cwd=tmp_path).stdout
    for said in (text, vmmsim("show", "out", cwd=tmp_path).stdout):
        lines = [line.split() for line in said.splitlines()]
        assert ["workload", "point", "event", "hardware-vmm"] in lines, said
        assert sum("every point" in line for line in said.splitlines()) >= 2
        assert "shortest" not in said and " ms" not in said and "µs" not in said
        assert f"note: {NOTE}" in said


def test_exits_that_differ_between_points_stand_at_each() -> None:
    same = [replace(row("vmm", "cpuid", "vm_exit", 5), workload="v", point=point) for point in ("p=1", "p=2")]
    rows = [*same, *(replace(row("vmm", "cpuid", "vm_exit", int(p)), point=f"p={p}") for p in "12")]
    none = replace(row("vmm", "cpuid", "emulate", 1), workload="u", point="p=1")
    some = replace(row("vmm", "cpuid", "vm_exit", 1), workload="u", point="p=2")
    found = [cells for cells in exits_grid([*rows, none, some]).rows if cells[2] == "cpuid"]
    assert found == [
        ("v", "every point", "cpuid", "5"),
        ("w", "p=1", "cpuid", "1"),
        ("w", "p=2", "cpuid", "2"),
        ("u", "p=2", "cpuid", "1"),
    ]


def test_what_is_asked_of_times_has_the_note(tmp_path: Path) -> None:
    experiment(tmp_path, {"a": EMULATED, "b": {}})
    param = ("--param", "models.hardware-vmm.costs.vm_exit", "--between", "100 cycles", "200 cycles")
    second = ("--param", "models.hardware-vmm.costs.vm_entry", "--between", "100 cycles", "200 cycles")
    pair = ("--models", "native", "hardware-vmm", "--no-plots")
    asked = {
        "explain": ("explain", "e.yaml", "native", "hardware-vmm"),
        "breakeven": ("breakeven", "e.yaml", *param, *pair),
        "frontier": ("breakeven", "e.yaml", *param, *second, *pair),
        "sensitivity": ("sensitivity", "e.yaml", "--no-plots"),
    }
    note = "times of a are an emulator's: compare counts alone"
    for command in asked.values():
        text = vmmsim(*command, cwd=tmp_path)
        assert text.stdout.count(note) == 1, (text.stdout, text.stderr)
        data = json.loads(vmmsim(*command, "--json", cwd=tmp_path).stdout)
        entries = data if isinstance(data, list) else [data]
        assert [each["notes"].count(note) for each in entries] == [1, 0][: len(entries)]
        true = vmmsim(*command, "--workload", "b", cwd=tmp_path)
        assert not true.returncode and "counts alone" not in true.stdout


def test_results_side_by_side_have_the_note(tmp_path: Path) -> None:
    result = ran(tmp_path, {"a": EMULATED, "b": EMULATED})
    assert compare({"x": result, "y": result}).notes == (NOTE,)


def test_a_notebook_shows_exits_and_the_note(tmp_path: Path) -> None:
    html = run(experiment(tmp_path, {"a": EMULATED, "b": EMULATED}))._repr_html_()
    assert "note: times of a, b are an emulator" in html
    assert "<th>event</th>" in html and "×" not in html
