"""Lows and highs of totals: written beside them, read back, shown, and drawn; never where something waits."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from simulator.analysis.explain import explain, side
from simulator.report.reader import load_result
from simulator.report.tables import totals_grid
from simulator.report.writer import write_result
from simulator.result import Result, TotalsRow, UncertaintyRow, frame
from simulator.run import run_experiment
from simulator.spec.build import load_experiment

EXPERIMENT = """
document: experiment
title: uncertain
workloads:
  w:
    document: workload
    title: w
    %s
    events: [{syscall: 40}, {port_in: 5}]
  one:
    document: workload
    title: one
    events: [{port_in: 1000}]
models: [pentium4-672/native, pentium4-672/software-vmm, pentium4-672/hardware-vmm]
baseline: native
plots: [slowdown, cost-per-event, performance]
"""
SPREAD = ("models.hardware-vmm.costs.vm_exit=1931 ± 500 cycles", "models.*.costs.port_in=3209 ± 1000 cycles")
NATIVE = 40 * 242 + 5 * 3209


def run(folder: Path, timer: str = "", settings: tuple[str, ...] = SPREAD) -> Result:
    path = folder / "e.yaml"
    path.write_text(EXPERIMENT % timer)
    return run_experiment(load_experiment(path, settings))


def test_the_interval_is_that_of_all_costs_at_their_bounds(tmp_path: Path) -> None:
    result = run(tmp_path)
    rows = {(row.workload, row.model): row for row in result.uncertainty}
    native, hardware = rows["w", "native"], rows["w", "hardware-vmm"]
    assert [int(native.total_low_cycles), int(native.total_high_cycles)] == [NATIVE - 5000, NATIVE + 5000]
    assert [native.relative_low, native.relative_high] == [Decimal(1), Decimal(1)]
    nominal = next(row for row in result.totals if (row.workload, row.model) == ("w", "hardware-vmm"))
    assert hardware.total_high_cycles - nominal.total_cycles == nominal.total_cycles - hardware.total_low_cycles == 2500
    assert hardware.busy_low_cycles == hardware.total_low_cycles
    software = rows["one", "software-vmm"]
    assert software.costs == 0
    assert software.relative_low is not None
    assert abs(software.relative_low - Decimal(216) / 4209) < Decimal("1e-12")


def test_it_is_written_read_back_and_shown(tmp_path: Path) -> None:
    result = run(tmp_path)
    write_result(result, tmp_path / "out", "{}")
    assert load_result(tmp_path / "out").uncertainty == result.uncertainty
    with (tmp_path / "out" / "uncertainty.csv").open(newline="") as file:
        assert [row["model"] for row in csv.DictReader(file)] == ["native", "software-vmm", "hardware-vmm"] * 2
    grid = totals_grid(frame(result.totals, TotalsRow), frame(result.uncertainty, UncertaintyRow))
    assert [column.heading for column in grid.columns[-2:]] == ["total low–high", "relative low–high"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "relative low–high" in page
    for plot in ("slowdown", "cost-per-event", "performance"):
        assert (tmp_path / "out" / "plots" / f"{plot}.svg").stat().st_size > 0


def test_costs_with_bounds_are_explained(tmp_path: Path) -> None:
    result = run(tmp_path)
    explained = explain(side(result, "w", "native"), side(result, "w", "hardware-vmm"))
    assert sum(each.seconds for each in explained.contributions) == explained.difference != 0


def test_without_bounds_there_is_none(tmp_path: Path) -> None:
    result = run(tmp_path, settings=())
    assert result.uncertainty == ()
    write_result(result, tmp_path / "out", "{}", plots=False)
    assert not (tmp_path / "out" / "uncertainty.csv").exists()


def test_where_something_waits_there_is_none(tmp_path: Path) -> None:
    assert {row.workload for row in run(tmp_path, "timer: 100000 Hz").uncertainty} == {"one"}


@pytest.mark.parametrize("plot", ["slowdown", "cost-per-event", "performance"])
def test_error_bars_are_drawn_only_where_there_are_bounds(tmp_path: Path, plot: str) -> None:
    sizes = []
    for name, settings in (("with", SPREAD), ("without", ())):
        write_result(run(tmp_path, settings=settings), tmp_path / name, "{}")
        sizes.append((tmp_path / name / "plots" / f"{plot}.svg").read_text().count("<use"))
    assert sizes[0] > sizes[1]
