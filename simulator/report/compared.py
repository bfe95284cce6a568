"""Results side by side, for people and programs: a table, CSV, and a plot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, fields
from decimal import Decimal
from itertools import groupby
from pathlib import Path

from rich.table import Table

from simulator.analysis.compare import Compared, ComparedRow
from simulator.errors import InputError
from simulator.report.tables import MISSING, Column, Grid, grid_table, human_ratio, human_seconds
from simulator.report.view import View
from simulator.report.writer import check_directory, whole_directory, write_csv

COMPARED_FILE = "compared.csv"
_HEADER = [field.name for field in fields(ComparedRow)]


def view(found: Compared) -> View:
    """Show results side by side, and the same as data: exact numbers are text."""
    parts: tuple[str | Table, ...] = (
        grid_table(f"Total time, relative to {found.labels[0]}", _grid(found), grouped=True),
        *(f"note: {note}" for note in found.notes),
    )
    rows = [dict(_cells(row)) for row in found.rows]
    return View(parts, {"results": list(found.labels), "rows": rows, "notes": list(found.notes)})


def _cells(row: ComparedRow) -> Iterator[tuple[str, str | None]]:
    for name, cell in zip(_HEADER, astuple(row), strict=True):
        yield name, f"{cell:f}" if isinstance(cell, Decimal) else cell


def _grid(found: Compared) -> Grid:
    pointed = any(row.point for row in found.rows)
    columns = [Column("workload"), Column("model"), *([Column("point")] if pointed else [])]
    columns += [Column(label, numeric=True) for label in found.labels]
    rows = []
    for (workload, model, point), runs in groupby(found.rows, lambda row: (row.workload, row.model, row.point)):
        cells = {run.result: _cell(run, run.result == found.labels[0]) for run in runs}
        texts = (workload, model, *([point] if pointed else []))
        rows.append((*texts, *(cells.get(label, MISSING) for label in found.labels)))
    return Grid(columns, rows)


def _cell(run: ComparedRow, is_first: bool) -> str:
    seconds = human_seconds(run.total_seconds)
    return seconds if is_first or run.relative_to_first is None else f"{seconds} {human_ratio(run.relative_to_first)}"


def write(found: Compared, directory: Path) -> list[str]:
    """Write compared.csv and the plot; return the names of what was written.

    Raises:
        InputError: the directory exists and is something else than an earlier comparison.
    """
    from simulator.report.plots import save
    from simulator.report.plots.slowdown import compared

    with whole_directory(directory, _check) as folder:
        write_csv(folder / COMPARED_FILE, _HEADER, map(astuple, found.rows))
        for number, figure in enumerate(compared("Results compared", found), 1):
            save(figure, folder / ("compared" if number == 1 else f"compared-{number}"))
    return sorted(path.name for path in directory.iterdir())


def _check(directory: Path) -> None:
    check_directory(directory)
    if directory.is_dir() and any(directory.iterdir()) and not (directory / COMPARED_FILE).is_file():
        raise InputError(f"{directory}: exists and holds no {COMPARED_FILE}: choose another --out, or remove it")
