"""Reads the result of a run back, exactly as it was written; what is wrong with its files is said in words."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from simulator.errors import InputError
from simulator.replays import from_document
from simulator.report.writer import RESULT_FILE, as_json, columns
from simulator.result import (
    SCHEMA_VERSION,
    BreakdownRow,
    ComparisonRow,
    Replayed,
    Result,
    TotalsRow,
    UncertaintyRow,
    exact_cycles,
)
from simulator.workload.untold import FALSE_TIMES

R = TypeVar("R", TotalsRow, BreakdownRow, ComparisonRow, UncertaintyRow)

_OF_ITS_OWN = ("warnings", "notes", "remarks", "sources", "totals", "totals_sha256", "replays")
"""The keys of result.json that are no metadata."""


def load_result(directory: Path) -> Result:
    """Read a result back; those written before the counts of replays were kept (version 1) have no ``replays``.

    Plots and report.html are not read. ``notes`` are with those on plots.

    Raises:
        InputError: the directory holds no result, one of a newer version, or files that are corrupt, cut or foreign.
    """
    document = _document(directory)
    try:
        result = _result(directory, document)
        agrees = _has_totals(directory, document, result)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        what = f"the key {error} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{directory / RESULT_FILE}: not the result of a run, or damaged: {what}") from error
    if not agrees or (result.replays and not _agree(result)):
        raise InputError(f"{directory}: totals.csv and {RESULT_FILE} are not of one run: their totals differ")
    return result


def _has_totals(directory: Path, document: Mapping[str, Any], result: Result) -> bool:
    """Tell whether totals.csv holds the totals of result.json, where very many stand for their SHA-256 alone."""
    if "totals_sha256" in document:
        return bool(sha256((directory / "totals.csv").read_bytes()).hexdigest() == document["totals_sha256"])
    return bool([as_json(row) for row in result.totals] == document["totals"])


def _agree(result: Result) -> bool:
    """Tell whether each replay is that of its row of the totals."""
    rows = [(row.workload, row.model, row.point, row.total_cycles) for row in result.totals]
    return rows == [(r.workload, r.model, r.point, exact_cycles(r.outcome.makespan)) for r in result.replays]


def _document(directory: Path) -> dict[str, Any]:
    path = directory / RESULT_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{directory}: not the result of a run: it has no {RESULT_FILE}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if type(version) is not int:
        raise InputError(f"{path}: not the result of a run: it has no schema_version")
    if version > SCHEMA_VERSION:
        raise InputError(f"{path}: schema version {version}, this vmmsim reads up to {SCHEMA_VERSION}: use a newer one")
    return dict(document)


def _result(directory: Path, document: Mapping[str, Any]) -> Result:
    experiment = document["experiment"]
    compared, bounded = directory / "comparison.csv", directory / "uncertainty.csv"
    if not isinstance(document.get(FALSE_TIMES, {}), dict):
        raise ValueError(f"{FALSE_TIMES} is no mapping")
    return Result(
        title=str(experiment["title"]),
        description=str(experiment.get("description", "")),
        baseline=experiment.get("baseline"),
        plots=tuple(experiment.get("plots", ())),
        totals=tuple(_rows(directory / "totals.csv", TotalsRow)),
        breakdown=tuple(_rows(directory / "breakdown.csv", BreakdownRow)),
        comparison=tuple(_rows(compared, ComparisonRow)) if compared.exists() else (),
        warnings=tuple(document["warnings"]),
        notes=tuple(document["notes"]),
        remarks=tuple(document.get("remarks", ())),
        sources={name: tuple(kinds) for name, kinds in document.get("sources", {}).items()},
        replays=tuple(_replays(directory, document)),
        metadata={key: value for key, value in document.items() if key not in _OF_ITS_OWN},
        uncertainty=tuple(_rows(bounded, UncertaintyRow)) if bounded.exists() else (),
    )


def _replays(directory: Path, document: Mapping[str, Any]) -> Iterator[Replayed]:
    if document["schema_version"] == 1:
        return
    for number, entry in enumerate(document["replays"]):
        try:
            yield from_document(entry)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{directory / RESULT_FILE}: replays.{number}: damaged: {error!r}") from error


def _rows(path: Path, kind: type[R]) -> Iterator[R]:
    """Read a CSV file, whose columns must be those of a kind of row."""
    types, header = get_type_hints(kind), columns(kind)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file, strict=True)
            found = next(reader, [])
            if found != header:
                raise InputError(f"{path}:1: expected the columns {', '.join(header)}; found {', '.join(found)}")
            for cells in reader:
                where = f"{path}:{reader.line_num}"
                if len(cells) != len(header):
                    raise InputError(f"{where}: expected {len(header)} cells, found {len(cells)}")
                named = zip(header, cells, strict=True)
                row: dict[str, Any] = {name: _cell(where, name, types[name], text) for name, text in named}
                yield kind(**row)
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def _cell(where: str, name: str, kind: Any, text: str) -> str | int | Decimal | None:
    """Read a cell; an empty one stands for None where the column may lack a value."""
    if kind is str:
        return text
    if not text and kind == Decimal | None:
        return None
    try:
        number = int(text) if kind is int else Decimal(text)
    except (ValueError, InvalidOperation):
        number = Decimal("NaN")
    if not Decimal(number).is_finite():
        raise InputError(f"{where}: {name}: expected a number, found '{text}'")
    return number
