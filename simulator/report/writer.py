"""Writes the results of a run: a directory that is complete, or is not there at all."""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from simulator.errors import InputError
from simulator.result import BreakdownRow, ComparisonRow, Result, Row, TotalsRow, frame

RESULT_FILE = "result.json"
_WRITTEN = {RESULT_FILE, "totals.csv", "breakdown.csv", "comparison.csv", "plots", "report.html"}


def write_result(result: Result, directory: Path, resolved_yaml: str, plots: bool = True) -> None:
    """Write result.json, the CSV files and, unless told otherwise, plots and report.html.

    Raises:
        InputError: the directory exists and is something else than an earlier result.
    """
    with _whole_directory(directory) as folder:
        _write_csv(folder / "totals.csv", result.totals, TotalsRow)
        _write_csv(folder / "breakdown.csv", result.breakdown, BreakdownRow)
        if result.comparison:
            _write_csv(folder / "comparison.csv", result.comparison, ComparisonRow)
        notes = list(result.notes)
        if plots:
            notes += _write_report(result, folder, resolved_yaml)
        document = {**result.metadata, "warnings": result.warnings, "notes": notes, "totals": totals_as_json(result)}
        (folder / RESULT_FILE).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def totals_as_json(result: Result) -> list[dict[str, Any]]:
    """Return the totals for JSON: exact numbers are text."""
    names = [field.name for field in fields(TotalsRow)]
    return [
        {
            name: cell if isinstance(cell, int | None) else _cell(cell)
            for name, cell in zip(names, astuple(row), strict=True)
        }
        for row in result.totals
    ]


def check_target(directory: Path) -> None:
    """Refuse to replace anything but an earlier result; worth doing before a long run.

    Raises:
        InputError: the directory exists and is no result, or is not a directory.
    """
    if directory.is_dir():
        names = {path.name for path in directory.iterdir()}
        if names and RESULT_FILE not in names:
            raise InputError(f"{directory}: exists and holds no {RESULT_FILE}: choose another --out, or remove it")
        if names - _WRITTEN:
            foreign = ", ".join(sorted(names - _WRITTEN))
            raise InputError(f"{directory}: holds files that are no part of a result, and would be lost: {foreign}")
    elif directory.exists() or directory.is_symlink():
        raise InputError(f"{directory}: exists and is not a directory: choose another --out")


def _write_csv(path: Path, rows: Sequence[Row], kind: type[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in fields(kind))
        writer.writerows([_cell(cell) for cell in astuple(row)] for row in rows)


def _cell(value: str | int | Decimal | None) -> str:
    if value is None:
        return ""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _write_report(result: Result, folder: Path, resolved_yaml: str) -> list[str]:
    """Draw the plots and write report.html; return notes on plots that had nothing to show."""
    from simulator.report import html, plots

    frames = (
        frame(result.totals, TotalsRow),
        frame(result.breakdown, BreakdownRow),
        frame(result.comparison, ComparisonRow),
    )
    (folder / "plots").mkdir()
    drawn, notes = plots.bundle(*frames, result.baseline, result.title, result.plots, folder / "plots", result.sources)
    page = html.render(
        result.title,
        result.description,
        *frames,
        resolved_yaml,
        [*result.warnings, *result.notes, *notes],
        [path for path in drawn if path.suffix == ".svg"],
        _provenance(result.metadata),
        result.baseline,
        result.remarks,
    )
    (folder / "report.html").write_text(page, encoding="utf-8")
    return notes


def _provenance(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return what a reader needs to make the result again."""
    recordings = metadata["inputs"]["recordings_sha256"]
    return {
        "vmmsim": metadata["tool"]["version"],
        "commit": metadata["tool"]["commit"] or "(installed package)",
        "engine": metadata["engine"],
        "seed": str(metadata["seed"]),
        "overrides": "; ".join(metadata["overrides"]) or "none",
        "experiment, sha256": metadata["inputs"]["experiment_sha256"],
        **{f"{name}, sha256 of its rows": digest for name, digest in recordings.items()},
        "host": ", ".join(metadata["host"].values()),
    }


@contextmanager
def _whole_directory(target: Path) -> Iterator[Path]:
    """Give a folder to write in that takes the target's name when, and only when, all is written.

    An earlier result of that name gives way at the last moment. A crash leaves at most a hidden folder beside the
    target, named after the process that made it; the next run for the same target clears away those of dead processes.
    """
    check_target(target)
    target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(target)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.{os.getpid()}.", dir=target.parent))
    try:
        new = folder / "new"
        new.mkdir()
        yield new
        if target.exists():
            target.rename(folder / "old")
        new.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _clear_leftovers(target: Path) -> None:
    for leftover in target.parent.glob(f".{target.name}.*.*"):
        pid = leftover.name.removeprefix(f".{target.name}.").partition(".")[0]
        if pid.isdigit() and not _is_running(int(pid)):
            shutil.rmtree(leftover, ignore_errors=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
