"""Writes the result of a sweep, and shows it: the files are those of a run, with a point in each row."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.table import Table

from simulator.replays import as_document
from simulator.report.exits import exits_for_totals, exits_grid, exits_table, without_exits
from simulator.report.tables import MISSING, Column, Grid, grid_table, human_ratio, human_seconds
from simulator.report.writer import (
    NO_TIMES_DRAWN,
    RESULT_FILE,
    cells_of,
    check_target,
    columns,
    compact_json,
    provenance,
    totals_as_json,
    whole_directory,
    write_csv,
)
from simulator.result import BreakdownRow, ComparisonRow, Result, TotalsRow, frame
from simulator.workload.untold import times_notes

MOST_TOTALS = 2000
"""Rows of totals.csv that stand in result.json, too."""
_MOST_SHOWN = 500
"""Rows of a table over points that stand in report.html."""


def write_sweep(result: Result, directory: Path, plots: bool = True, experiment: str | None = None) -> list[str]:
    """Write result.json, totals.csv, breakdown.csv and, unless told otherwise, a plot and report.html.

    Nothing that is written hangs on how long the sweep took, or how often it was started again. ``experiment`` is how
    the user named it, for commands that the report shows. Returns notes on the plot.

    Raises:
        InputError: the directory exists and is something else than an earlier result.
    """
    with whole_directory(directory, check_target) as folder:
        write_csv(folder / "totals.csv", columns(TotalsRow), map(cells_of(TotalsRow), result.totals))
        write_csv(folder / "breakdown.csv", columns(BreakdownRow), map(cells_of(BreakdownRow), result.breakdown))
        notes = _draw(result, folder / "plots") if plots else []
        if plots:
            (folder / "report.html").write_text(_page(result, folder, notes, experiment), encoding="utf-8")
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


def _page(result: Result, folder: Path, notes: Sequence[str], experiment: str | None) -> str:
    """Return the page: the first point as that of a run, and the others to choose from."""
    from simulator.report import html, live

    first = result.totals[0].point
    name = experiment or live.UNKNOWN
    alone = exits_for_totals(result)
    data = None if alone else live.live_data(result, name)
    exits = exits_grid(result.breakdown)
    at_first = [row.at("") for row in result.totals if row.point == first]
    breakdown = [replace(row, point="") for row in result.breakdown if row.point == first]
    return html.render(
        result.title,
        result.description,
        frame(at_first, TotalsRow),
        frame(breakdown, BreakdownRow),
        frame((), ComparisonRow),
        json.dumps(result.metadata["experiment"], indent=2),
        [*result.notes, *notes],
        sorted((folder / "plots").glob("*.svg")),
        provenance(result.metadata),
        result.baseline,
        live=data,
        warnings=result.warnings,
        exits=html.ExitsPart(_shown(exits, "breakdown.csv"), without_exits(result, exits), alone) if alone else None,
        about_times=list(times_notes(result.false_times)),
        sweep=html.SweepPart(first, _left_out(result, data, name), extremes_grid(result), _totals_grid(result)),
    )


def _left_out(result: Result, data: Mapping[str, Any] | None, experiment: str) -> str:
    """Say which points cannot be chosen on the page, and what to run for one of them; nothing if all can."""
    points = [entry["point"] for entry in result.metadata["sweep"]["points"]]
    there = len(data["points"]) if data else 0
    if there == len(points):
        return ""
    settings = [*result.metadata["overrides"], *points[-1].split("; ")]
    command = " ".join(["vmmsim run", shlex.quote(experiment), *(f"--set {shlex.quote(text)}" for text in settings)])
    if data is None:
        why = f"of {len(points):,} points this sweep keeps totals alone, unless --breakdown asks for more"
    else:
        why = f"{there:,} of {len(points):,} points can be chosen here, since all would make the page too large"
    return f"Sliders: {why}. The page of a run at one point has them: {command}"


def _totals_grid(result: Result) -> Grid:
    """Return the totals of the points."""
    headings = [Column(name) for name in ("point", "workload", "model")]
    headings += [Column(name, numeric=True) for name in ("total", "relative")]
    rows = [
        (
            row.point,
            row.workload,
            row.model,
            human_seconds(row.total_seconds),
            MISSING if row.relative_to_baseline is None else human_ratio(row.relative_to_baseline),
        )
        for row in result.totals
    ]
    return _shown(Grid(headings, rows), "totals.csv")


def _shown(grid: Grid, file: str) -> Grid:
    """Return so many rows of a table that a browser shows them at once, and where all are."""
    left = len(grid.rows) - _MOST_SHOWN
    if left <= 0:
        return grid
    more = (f"{left:,} more rows: {file} has all", *[""] * (len(grid.columns) - 1))
    return Grid(grid.columns, [*grid.rows[:_MOST_SHOWN], more])


def _totals(result: Result, path: Path) -> dict[str, Any]:
    """Return the totals for result.json; of very many only the SHA-256 of their file."""
    if len(result.totals) <= MOST_TOTALS:
        return {"totals": totals_as_json(result)}
    return {"totals_sha256": sha256(path.read_bytes()).hexdigest()}


def _draw(result: Result, folder: Path) -> list[str]:
    if exits_for_totals(result):
        return [NO_TIMES_DRAWN]
    from simulator.report.plots import NothingToDrawError, save
    from simulator.report.plots.style import settings
    from simulator.report.plots.sweep import SweepPlot

    about = result.metadata["sweep"]
    coordinates = {entry["point"]: entry["coordinates"] for entry in about["points"]}
    plot = SweepPlot(result.title, result.totals, coordinates, about["over"], about["combine"] == "zip")
    try:
        with settings():
            figure, notes = plot.draw()
    except NothingToDrawError as nothing:
        return [f"no plot: {nothing}"]
    folder.mkdir()
    save(figure, folder / "sweep")
    return notes


def sweep_table(result: Result) -> Table | str:
    """Return a table with the shortest and the longest total of each workload under each model, and where they are.

    Where times mean nothing, the exits in their place.
    """
    if exits_for_totals(result):
        return exits_table(result)
    return grid_table(result.title, extremes_grid(result))


def extremes_grid(result: Result) -> Grid:
    """Return the shortest and the longest total of each workload under each model, and where they are."""
    names = ("workload", "model", "shortest", "at", "longest", "at")
    headings = [Column(name, numeric=name.endswith("est")) for name in names]
    return Grid(headings, list(_extremes(result)))


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
