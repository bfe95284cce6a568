"""What `vmmsim calibrate fit` prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simulator.calibrate.documents import error_text, estimate_as_data, figure_as_data
from simulator.calibrate.fit import Estimate, Fit
from simulator.report.tables import MISSING, Column, Grid, comparison_table, grid_table
from simulator.report.view import View
from simulator.result import ComparisonRow, frame

_COLUMNS = (
    Column("parameter"),
    Column("start", numeric=True),
    Column("fitted", numeric=True),
    Column("bounds", numeric=True),
    Column("at a bound"),
    Column("standard error", numeric=True),
    Column("relative", numeric=True),
)


def fit_view(fit: Fit, written: Sequence[Path]) -> View:
    """Show what was found for each parameter, the figures that it gives, and what the search took."""
    table = grid_table("Fitted values", Grid(_COLUMNS, [_row(estimate) for estimate in fit.estimates]))
    ends = f"evaluated {fit.evaluations} times, with {fit.replays} replays"
    files = [str(path) for path in written]
    parts = (table, comparison_table(frame(fit.rows, ComparisonRow)), f"{ends}\nwritten: {', '.join(files)}")
    return View(parts, _data(fit, files))


def _row(estimate: Estimate) -> tuple[str, ...]:
    parameter = estimate.parameter
    bounds = f"{parameter.text(parameter.low)} .. {parameter.text(parameter.high)}"
    texts = parameter.name, parameter.text(parameter.start), parameter.text(estimate.value), bounds
    return (*texts, estimate.bound or "no", error_text(estimate), _relative(estimate))


def _relative(estimate: Estimate) -> str:
    if estimate.error is None or not estimate.value:
        return MISSING
    return f"{float(100 * estimate.error / abs(estimate.value)):.2g} %"


def _data(fit: Fit, files: list[str]) -> dict[str, Any]:
    return {
        "written": files,
        "parameters": [estimate_as_data(estimate) for estimate in fit.estimates],
        "references": [figure_as_data(row) for row in fit.rows],
        "evaluations": fit.evaluations,
        "replays": fit.replays,
        "warnings": list(fit.warnings),
    }
