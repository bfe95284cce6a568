"""Writes the result of a sweep, and shows it: the files are those of a run, with a point in each row."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.table import Table

from simulator.replays import as_document
from simulator.report.tables import Column, Grid, grid_table, human_seconds
from simulator.report.writer import (
    RESULT_FILE,
    cells_of,
    check_target,
    columns,
    compact_json,
    totals_as_json,
    whole_directory,
    write_csv,
)
from simulator.result import BreakdownRow, Result, TotalsRow

MOST_TOTALS = 2000
"""Rows of totals.csv that stand in result.json, too."""


def write_sweep(result: Result, directory: Path, plots: bool = True) -> list[str]:
    """Write result.json, totals.csv, breakdown.csv and, unless told otherwise, a plot; return notes on the plot.

    Nothing that is written hangs on how long the sweep took, or how often it was started again.

    Raises:
        InputError: the directory exists and is something else than an earlier result.
    """
    with whole_directory(directory, check_target) as folder:
        write_csv(folder / "totals.csv", columns(TotalsRow), map(cells_of(TotalsRow), result.totals))
        write_csv(folder / "breakdown.csv", columns(BreakdownRow), map(cells_of(BreakdownRow), result.breakdown))
        notes = _draw(result, folder / "plots") if plots else []
        document = {
            **result.metadata,
            "warnings": result.warnings,
            "notes": [*result.notes, *notes],
            "remarks": result.remarks,
            "sources": result.sources,
            **_totals(result, folder / "totals.csv"),
            "replays": [as_document(replayed) for replayed in result.replays],
        }
        (folder / RESULT_FILE).write_text(compact_json(document) + "\n", encoding="utf-8")
    return notes


def _totals(result: Result, path: Path) -> dict[str, Any]:
    """Return the totals for result.json; of very many only the SHA-256 of their file."""
    if len(result.totals) <= MOST_TOTALS:
        return {"totals": totals_as_json(result)}
    return {"totals_sha256": sha256(path.read_bytes()).hexdigest()}


def _draw(result: Result, folder: Path) -> list[str]:
    from simulator.report.plots import NothingToDrawError, save
    from simulator.report.plots.style import settings
    from simulator.report.plots.sweep import MAX_PANELS, SweepPlot

    about = result.metadata["sweep"]
    coordinates = {entry["point"]: entry["coordinates"] for entry in about["points"]}
    plot = SweepPlot(result.title, result.totals, coordinates, about["over"], about["combine"] == "zip")
    try:
        with settings():
            figure = plot.draw()
    except NothingToDrawError as nothing:
        return [f"no plot: {nothing}"]
    folder.mkdir()
    save(figure, folder / "sweep")
    workloads = len({row.workload for row in result.totals})
    return [f"the plot shows {MAX_PANELS} of {workloads} workloads"] if workloads > MAX_PANELS else []


def sweep_table(result: Result) -> Table:
    """Return a table with the shortest and the longest total of each workload under each model, and where they are."""
    names = ("workload", "model", "shortest", "at", "longest", "at")
    headings = [Column(name, numeric=name.endswith("est")) for name in names]
    return grid_table(result.title, Grid(headings, list(_extremes(result))))


def _extremes(result: Result) -> Iterator[tuple[str, ...]]:
    groups: dict[tuple[str, str], list[TotalsRow]] = {}
    for row in result.totals:
        groups.setdefault((row.workload, row.model), []).append(row)
    for (workload, model), rows in groups.items():
        shortest, longest = (of(rows, key=lambda row: row.total_seconds) for of in (min, max))
        if shortest.total_seconds == longest.total_seconds:
            yield workload, model, human_seconds(shortest.total_seconds), "every point", "", ""
        else:
            least, most = human_seconds(shortest.total_seconds), human_seconds(longest.total_seconds)
            yield workload, model, least, shortest.point, most, longest.point
