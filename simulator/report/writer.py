"""Writes the results of a run: a directory that is complete, or is not there at all."""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, fields
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import Any

from simulator.errors import InputError
from simulator.replays import as_document
from simulator.report.blame import COLUMNS, blame
from simulator.report.exits import exits_for_totals, exits_grid, without_exits
from simulator.result import BreakdownRow, ComparisonRow, Result, Row, TotalsRow, UncertaintyRow, frame
from simulator.workload.untold import times_notes

RESULT_FILE = "result.json"
NO_TIMES_DRAWN = "plots are left out: all of them show times"
"""What a result says that has no plots as its times mean nothing."""
_JSON_WIDTH = 120
_WRITTEN = {RESULT_FILE, "totals.csv", "breakdown.csv", "blame.csv", "comparison.csv", "uncertainty.csv"}
_WRITTEN |= {"plots", "report.html"}


def write_result(
    result: Result, directory: Path, resolved_yaml: str, plots: bool = True, experiment: str | None = None
) -> None:
    """Write result.json, the CSV files and, unless told otherwise, plots and report.html.

    ``experiment`` is how the user named it, for commands that the report shows.

    Raises:
        InputError: the directory exists and is something else than an earlier result.
    """
    with whole_directory(directory, check_target) as folder:
        write_csv(folder / "totals.csv", columns(TotalsRow), map(cells_of(TotalsRow), result.totals))
        write_csv(folder / "breakdown.csv", columns(BreakdownRow), map(cells_of(BreakdownRow), result.breakdown))
        if blamed := blame(result.totals, result.breakdown, result.baseline):
            write_csv(folder / "blame.csv", COLUMNS, map(astuple, blamed))
        if result.comparison:
            write_csv(folder / "comparison.csv", columns(ComparisonRow), map(astuple, result.comparison))
        if result.uncertainty:
            write_csv(folder / "uncertainty.csv", columns(UncertaintyRow), map(astuple, result.uncertainty))
        drawn = _write_report(result, folder, resolved_yaml, experiment) if plots else []
        document = {
            **result.metadata,
            "warnings": result.warnings,
            "notes": list(dict.fromkeys([*result.notes, *drawn])),
            "remarks": result.remarks,
            "sources": result.sources,
            "totals": totals_as_json(result),
            "replays": [as_document(replayed) for replayed in result.replays],
        }
        (folder / RESULT_FILE).write_text(compact_json(document) + "\n", encoding="utf-8")


def compact_json(value: Any, indent: str = "", before: int = 0) -> str:
    """Return JSON with a line for each entry of what does not fit on one.

    ``before`` is how many characters stand before the value on its line.
    """
    flat = json.dumps(value)
    if not isinstance(value, Mapping | list | tuple) or len(indent) + before + len(flat) <= _JSON_WIDTH:
        return flat
    inner = indent + " "
    if isinstance(value, Mapping):
        keys = [(f"{json.dumps(str(key))}: ", entry) for key, entry in value.items()]
        lines = [key + compact_json(entry, inner, len(key) + 1) for key, entry in keys]
    else:
        lines = [compact_json(entry, inner, 1) for entry in value]
    begin, end = "{}" if isinstance(value, Mapping) else "[]"
    entries = ",\n".join(inner + line for line in lines)
    return f"{begin}\n{entries}\n{indent}{end}"


def totals_as_json(result: Result) -> list[dict[str, Any]]:
    """Return the totals for JSON: exact numbers are text."""
    return [as_json(row) for row in result.totals]


def as_json(row: Row) -> dict[str, Any]:
    """Return a row for JSON: exact numbers are text."""
    cells = zip(columns(type(row)), cells_of(type(row))(row), strict=True)
    return {name: cell if isinstance(cell, int | None) else _cell(cell) for name, cell in cells}


def check_target(directory: Path) -> None:
    """Refuse to replace anything but an earlier result; worth doing before a long run.

    Raises:
        InputError: the directory exists and is no result, or is not a directory.
    """
    check_directory(directory)
    if directory.is_dir():
        names = {path.name for path in directory.iterdir()}
        if names and RESULT_FILE not in names:
            raise InputError(f"{directory}: exists and holds no {RESULT_FILE}: choose another --out, or remove it")
        if names - _WRITTEN:
            foreign = ", ".join(sorted(names - _WRITTEN))
            raise InputError(f"{directory}: holds files that are no part of a result, and would be lost: {foreign}")


def check_directory(path: Path) -> None:
    """Refuse what exists and is not a directory, and what cannot be made.

    Raises:
        InputError: says so.
    """
    if (path.exists() or path.is_symlink()) and not path.is_dir():
        raise InputError(f"{path}: exists and is not a directory: choose another --out")
    there = next(folder for folder in path.resolve().parents if folder.exists())
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=there):
            pass
    except OSError as error:
        why = error.strerror or str(error)
        raise InputError(f"{path}: cannot be made in {there}: {why}: choose another --out") from None


def columns(kind: type[Row]) -> list[str]:
    """Return the names of the columns of a kind of row."""
    return [field.name for field in fields(kind)]


def cells_of(kind: type[Row]) -> Callable[[Row], tuple[Any, ...]]:
    """Return what gives the cells of a row of a kind."""
    return attrgetter(*columns(kind))


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows as CSV: decimals in full, nothing for None."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([_cell(cell) for cell in row] for row in rows)


def _cell(value: str | int | Decimal | None) -> str:
    if value is None:
        return ""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _write_report(result: Result, folder: Path, resolved_yaml: str, experiment: str | None) -> list[str]:
    """Draw the plots and write report.html; return notes on plots that had nothing to show."""
    from simulator.report import html, live, plots

    frames = (
        frame(result.totals, TotalsRow),
        frame(result.breakdown, BreakdownRow),
        frame(result.comparison, ComparisonRow),
    )
    uncertain = frame(result.uncertainty, UncertaintyRow)
    (folder / "plots").mkdir()
    alone = exits_for_totals(result)
    wanted = () if alone else result.plots
    drawn, notes = plots.bundle(
        *frames, result.baseline, result.title, wanted, folder / "plots", result.sources, uncertain
    )
    if len(wanted) < len(result.plots):
        notes = [NO_TIMES_DRAWN]
    exits = exits_grid(result.breakdown)
    page = html.render(
        result.title,
        result.description,
        *frames,
        resolved_yaml,
        [*result.notes, *notes],
        [path for path in drawn if path.suffix == ".svg"],
        provenance(result.metadata),
        result.baseline,
        result.remarks,
        uncertain,
        None if alone else live.live_data(result, experiment or live.UNKNOWN),
        warnings=result.warnings,
        exits=html.ExitsPart(exits, without_exits(result, exits), alone=alone),
        about_times=list(times_notes(result.false_times)),
    )
    (folder / "report.html").write_text(page, encoding="utf-8")
    return notes


def provenance(metadata: Mapping[str, Any]) -> dict[str, str]:
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
        **_taken_over(metadata),
        "host": _host(metadata["host"]),
    }


def _host(host: Mapping[str, str]) -> str:
    names = {"python": "Python ", "numpy": "NumPy "}
    return ", ".join(names.get(key, "") + value for key, value in host.items())


def _taken_over(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return what the result owes to an earlier one; nothing if it stands alone."""
    if "earlier" not in metadata:
        return {}
    earlier = metadata["earlier"]
    number = f"{earlier['unchanged']} unchanged, {earlier['repriced']} priced again, {earlier['replayed']} replayed"
    return {"replays, against those of an earlier result": number, "earlier, sha256": earlier["experiment_sha256"]}


@contextmanager
def whole_directory(target: Path, check: Callable[[Path], None]) -> Iterator[Path]:
    """Give a folder to write in that takes the target's name when, and only when, all is written.

    ``check`` refuses a target that must not be replaced. If nothing is written, the target stays as it is.
    An earlier result of that name gives way at the last moment. A crash leaves at most a hidden folder beside the
    target, named after the process that made it; the next run for the same target clears away those of dead processes.
    """
    check(target)
    target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(target)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.{os.getpid()}.", dir=target.parent))
    try:
        new = folder / "new"
        new.mkdir()
        yield new
        if any(new.iterdir()):
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
