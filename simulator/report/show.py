"""What `vmmsim show` and `list` print: a view has parts for people, and the same as data for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.table import Table

from simulator.errors import InputError, SimulatorError
from simulator.events import BY_CODE, BY_NAME, COMPUTE_KINDS
from simulator.report.exits import exits_for_totals, exits_table
from simulator.report.reader import load_result
from simulator.report.streams import stream_view
from simulator.report.tables import (
    Column,
    Grid,
    comparison_table,
    grid_table,
    totals_table,
)
from simulator.report.view import View
from simulator.report.writer import RESULT_FILE
from simulator.result import ComparisonRow, Result, TotalsRow, UncertaintyRow, frame
from simulator.spec.build import load_experiment, load_model, load_operations, load_workload
from simulator.spec.cost_model import CostModelSpec
from simulator.spec.library import FOLDERS, DocumentKind, find, names, shown
from simulator.spec.reader import load
from simulator.spec.resolve import Resolver
from simulator.stream import EventStream, ParquetStream
from simulator.units import cycles
from simulator.workload.summary import Summary

Plot = Callable[[Summary, str], None]
"""Draws what a stream holds, under a title; handed in, since what draws is slow to load."""
_EVENTS_TITLE = "What an event costs; [a mechanism]: what it adds depends on its state"


def document(path: Path, plot: Plot | None = None) -> View:
    """Show a document of any kind, by what it says it is; ``plot`` draws a recording over time.

    Raises:
        InputError: it cannot be read, or there is nothing to plot.
    """
    views: dict[DocumentKind, Callable[[Path], View]] = {
        "cost-model": _model,
        "operations": _operations,
        "experiment": _experiment,
    }
    kind = Resolver().kind(path)
    if kind == "workload":
        return _workload(path, plot)
    if plot is not None:
        raise InputError(f"--plot draws a recording over time, and '{shown(path)}' is of the kind '{kind}'")
    return views[kind](path)


def _model(path: Path) -> View:
    """Show what each event costs under a model, by action, and where each cost comes from."""
    spec, model, _ = load_model(path)
    title = f"{spec.title} ({spec.machine.name}, {spec.machine.clock})"
    if spec.abstract:
        about = f"{spec.description.strip()}\n\nAbstract: other cost models extend it, and only they can be run."
        return View((title, about.strip(), _costs(spec)), {"title": spec.title, "costs": _costs_data(spec)})
    pricing = model.start()
    unfolded = {BY_CODE[kind].name: pricing.unfold(kind) for kind in pricing.kinds()}
    events = [
        (
            name,
            " + ".join([*(f"{n} {a}" if n > 1 else a for a, n in recipe.items()), *(f"[{m}]" for m in stateful)]),
            _event_cost(name, recipe, pricing.ticks) if recipe or not stateful else "",
        )
        for name, (recipe, stateful) in unfolded.items()
    ]
    table = Grid((Column("event"), Column("actions"), Column("cycles", numeric=True)), events)
    parts = (title, spec.description.strip(), grid_table(_EVENTS_TITLE, table), _costs(spec))
    recipes = {name: recipe for name, (recipe, _) in unfolded.items()}
    stateful = {name: mechanisms for name, (_, mechanisms) in unfolded.items() if mechanisms}
    return View(parts, {"title": spec.title, "recipes": recipes, "stateful": stateful, "costs": _costs_data(spec)})


def _event_cost(name: str, recipe: Mapping[str, int], ticks: Mapping[str, int]) -> str:
    total = cycles(sum(n * ticks[action] for action, n in recipe.items()))
    return f"{total} per ns" if BY_NAME[name].code in COMPUTE_KINDS else total


def _costs(spec: CostModelSpec) -> Table:
    rows = [
        (name, str(c.cost), f"{c.low or ''} .. {c.high or ''}" if c.low or c.high else "", c.status, c.source)
        for name, c in spec.costs.items()
    ]
    columns = (Column("action"), Column("cost", numeric=True), Column("bounds"), Column("status"), Column("source"))
    return grid_table("What an action costs", Grid(columns, rows))


def _costs_data(spec: CostModelSpec) -> dict[str, dict[str, str | None]]:
    return {
        name: {
            "cost": str(c.cost),
            "low": str(c.low) if c.low else None,
            "high": str(c.high) if c.high else None,
            "status": c.status,
            "source": c.source,
        }
        for name, c in spec.costs.items()
    }


def _workload(path: Path, plot: Plot | None) -> View:
    """Show what a workload holds; of a bare recording, without asking what its events cost anywhere."""
    if path.suffix == ".parquet":
        recording = ParquetStream.open(path)
        title, source, description, summary = recording.header.title, "", "", Summary.of(recording)
    else:
        spec, workload, _ = load_workload(path)
        title, source, description = spec.title, spec.source, spec.description.strip()
        summary = Summary.of(workload.recording or workload.stream)
    if plot is not None:
        plot(summary, title)
    return stream_view(title, source, summary, description)


def _operations(path: Path) -> View:
    """Show operations: their parameters, and the events of one of each with the defaults."""
    spec, _ = load_operations(path)
    events = {name: _counts(operation.stream(name)) for name, operation in spec.operations.items()}
    rows = [
        (
            name,
            operation.about,
            ", ".join(f"{key}: {value}" for key, value in operation.parameters.items()),
            ", ".join(f"{n:,} {kind}" for kind, n in events[name].items()),
        )
        for name, operation in spec.operations.items()
    ]
    columns = (Column("operation"), Column("what it is"), Column("parameters"), Column("events, by default"))
    data = {
        name: {
            "about": operation.about,
            "source": operation.source,
            "parameters": {key: str(value) for key, value in operation.parameters.items()},
            "events": events[name],
        }
        for name, operation in spec.operations.items()
    }
    parts = (spec.title, spec.description.strip(), grid_table("Operations", Grid(columns, rows)))
    return View(parts, {"title": spec.title, "operations": data})


def _counts(stream: EventStream) -> dict[str, int]:
    """Return events by kind, most frequent first."""
    events = Summary.of(stream).events
    return dict(sorted(events.items(), key=lambda item: (-item[1], item[0])))


def _experiment(path: Path) -> View:
    """Show what an experiment would run."""
    experiment = load_experiment(path)
    spec = experiment.spec
    rows = [(name, f"{w.rows:,}", spec.workloads[name].title) for name, w in experiment.workloads.items()]
    workloads = grid_table("Workloads", Grid((Column("name"), Column("rows", numeric=True), Column("title")), rows))
    models = grid_table(
        "Models", Grid((Column("name"), Column("title")), [(n, m.title) for n, m in spec.models.items()])
    )
    data = {
        "title": spec.title,
        "workloads": list(spec.workloads),
        "models": list(spec.models),
        "baseline": spec.baseline,
    }
    return View((spec.title, spec.description.strip(), workloads, models), data)


def result(directory: Path) -> View:
    """Show what a run printed: its totals, the comparison, warnings and notes; and what was overridden in it.

    Raises:
        InputError: the directory holds something else.
    """
    found = load_result(directory)
    overrides = [f"--set {text}" for text in found.metadata["overrides"]]
    parts: list[str | Table] = ["\n".join([found.title, *overrides]), totals_or_exits(found)]
    if found.comparison:
        parts.append(comparison_table(frame(found.comparison, ComparisonRow), found.remarks))
    parts += [f"warning: {text}" for text in found.warnings]
    parts += [f"note: {text}" for text in found.notes]
    return View(tuple(parts), json.loads((directory / RESULT_FILE).read_text(encoding="utf-8")))


def totals_or_exits(found: Result) -> Table | str:
    """Return the totals of a result for the terminal; where times mean nothing, the exits in their place."""
    if exits_for_totals(found):
        return exits_table(found)
    return totals_table(frame(found.totals, TotalsRow), found.baseline, frame(found.uncertainty, UncertaintyRow))


def library() -> View:
    """List all documents of the library by kind, with their titles."""
    parts: list[str | Table] = []
    data: dict[str, dict[str, str]] = {}
    for kind, folder in FOLDERS.items():
        heading = folder.rpartition("/")[2]
        titles = {name: _title(find(name, kind, Path())) for name in names(kind)}
        data[heading] = titles
        if titles:
            parts.append(grid_table(heading, Grid((Column("name"), Column("title")), list(titles.items()))))
    return View(tuple(parts), data)


def _title(path: Path) -> str:
    """Return the title of a document; one that cannot be read is listed with what is wrong."""
    try:
        if path.suffix == ".parquet":
            return ParquetStream.open(path).header.title
        child = load(path).child("title")
    except SimulatorError as error:
        return f"(cannot be read: {error})"
    return str(child.value) if child else ""
