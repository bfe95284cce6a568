"""`vmmsim run`: one experiment, or all of a folder."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli.console import console, watched
from simulator.cli.options import WRONG_PATH, AsJson, Jobs, Settings, app, exit_codes
from simulator.errors import InputError, SimulatorError

if TYPE_CHECKING:
    from simulator.report.collection import Collection
    from simulator.result import Result
    from simulator.run import Progress


@app.command()
@exit_codes
def run(
    experiment: Annotated[
        str,
        typer.Argument(
            help="An experiment: a YAML file, or a name that `vmmsim list` shows; or a directory: all that are in it."
        ),
    ],
    *,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write; default results/NAME.")] = None,
    settings: Settings = [],  # noqa: B006 (typer wants a literal default)
    jobs: Jobs = None,
    as_json: AsJson = False,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Draw plots and write report.html.")] = True,
    earlier: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RESULT",
            help="An earlier result: where only prices have changed since, and nothing waits, its counts are priced "
            "again, without a replay.",
        ),
    ] = None,
) -> None:
    """Run an experiment and write result.json, CSV files, plots and report.html."""
    from simulator.report.writer import check_target, totals_as_json, write_result

    path = _experiment_or_folder(experiment)
    if path.is_dir():
        _run_folder(path, out, settings, jobs, as_json=as_json, plots=plots, earlier=earlier)
        return
    target = out or Path("results") / path.stem
    check_target(target)
    with watched() as progress:
        result, resolved_yaml = _replayed(path, settings, progress, earlier, jobs)
        if progress and plots and result.plots:
            progress("drawing plots", 0, 0)
        write_result(result, target, resolved_yaml, plots)
    for warning in result.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if as_json:
        account = {"earlier": result.metadata["earlier"]} if earlier else {}
        data = {"out": str(target), "totals": totals_as_json(result), "warnings": result.warnings, **account}
        print(json.dumps(data, indent=1))
    else:
        _print_result(result, target)
        if earlier:
            _print_account(earlier, {"": result.metadata["earlier"]})


def _experiment_or_folder(reference: str) -> Path:
    """Find an experiment, or a folder of experiments; a slash at the end asks for a folder."""
    from simulator.spec.library import find, find_folder

    folder = find_folder(reference)
    if folder is not None and reference.endswith(os.sep):
        return folder
    try:
        return find(reference, "experiment", Path())
    except InputError:
        if folder is None:
            raise
        return folder


def _replayed(
    path: Path, settings: Sequence[str], progress: Progress | None, earlier: Path | None, jobs: int | None
) -> tuple[Result, str]:
    """Load and run an experiment; return its result, and its input with all that it refers to."""
    from simulator.executors import Where
    from simulator.report.reader import load_result
    from simulator.run import run_experiment
    from simulator.spec.build import load_experiment
    from simulator.spec.node import plain, readable

    found = load_result(earlier) if earlier else None
    loaded = load_experiment(path, settings)
    result = run_experiment(loaded, progress=progress, earlier=found, where=Where(jobs=jobs))
    return result, json.dumps(readable(plain(loaded.tree)), indent=2)


def _run_folder(
    folder: Path,
    out: Path | None,
    settings: Sequence[str],
    jobs: int | None,
    *,
    as_json: bool,
    plots: bool,
    earlier: Path | None,
) -> None:
    """Run all experiments of a folder; one that fails is reported, and the others go on."""
    from simulator.report.collection import collecting
    from simulator.spec.build import experiments_in

    paths = experiments_in(folder)
    name = folder.resolve().name
    target = out or Path("results") / name
    faults: list[Exception] = []
    accounts: dict[str, Mapping[str, Any]] = {}
    with collecting(target, name, settings) as collection, watched() as progress:
        for number, path in enumerate(paths, 1):
            part = _part(progress, path.stem, number, len(paths))
            try:
                before = earlier / path.stem if earlier else None
                result, resolved_yaml = _replayed(path, settings, part, before, jobs)
                collection.add(path.stem, result, resolved_yaml, plots)
                accounts[path.stem] = result.metadata.get("earlier", {})
            except (SimulatorError, OSError) as error:
                faults.append(error)
                collection.fail(path.stem, str(error))
                print(f"{path.stem} failed: {error}", file=sys.stderr)
        for entry in collection.entries:
            for warning in entry.warnings:
                print(f"warning: {entry.name}: {warning}", file=sys.stderr)
    _print_collection(collection, target, as_json)
    if earlier and not as_json:
        _print_account(earlier, accounts)
    if faults:
        refused = len(faults) == len(paths) and all(isinstance(e, (InputError, *WRONG_PATH)) for e in faults)
        raise typer.Exit(2 if refused else 1)


def _part(progress: Progress | None, name: str, number: int, of: int) -> Progress | None:
    """Return a callback for one experiment of several: it advances the bar of all, where each has the same part."""
    if progress is None:
        return None

    def advance(_: str, done: int, total: int) -> None:
        progress(f"experiment {number} of {of}: {name}", 1000 * (number - 1) + 1000 * done // (total or 1), 1000 * of)

    advance("", 0, 1)
    return advance


def _print_collection(collection: Collection, target: Path, as_json: bool) -> None:
    from simulator.report import tables

    written = collection.failed < len(collection.entries)
    if as_json:
        print(json.dumps({"out": str(target) if written else None, **collection.data()}, indent=1))
        return
    terminal = console()
    if collection.rows:
        terminal.print(tables.comparison_table(collection.comparison, collection.remarks))
    failed = f", {collection.failed} of them failed" if collection.failed else ""
    where = f"{target}/: index.html, comparison.csv; " if written else ""
    terminal.print(f"{where}{len(collection.entries)} experiments{failed}", markup=False, highlight=False)


def _print_account(earlier: Path, accounts: Mapping[str, Mapping[str, Any]]) -> None:
    """Say how many outcomes were taken from an earlier result, by experiment, and why others were replayed."""
    terminal = console()
    for name, account in accounts.items():
        for replayed in account["why_replayed"]:
            where = f"{name}: " if name else ""
            pair = f"{replayed['workload']} under {replayed['model']}"
            terminal.print(f"replayed: {where}{pair}: {replayed['why']}", style="dim", markup=False, highlight=False)
    unchanged, repriced, replays = (
        sum(account[how] for account in accounts.values()) for how in ("unchanged", "repriced", "replayed")
    )
    line = f"against {earlier}/: {unchanged} unchanged, {repriced} priced again, {replays} replayed"
    terminal.print(line, markup=False, highlight=False)


def _print_result(result: Any, target: Path) -> None:
    from simulator.report import tables
    from simulator.result import ComparisonRow, TotalsRow, frame

    terminal = console()
    terminal.print(tables.totals_table(frame(result.totals, TotalsRow), result.baseline))
    if result.comparison:
        terminal.print(tables.comparison_table(frame(result.comparison, ComparisonRow), result.remarks))
    for note in result.notes:
        terminal.print(f"note: {note}", style="dim", markup=False, highlight=False)
    written = sorted(path.name + "/" * path.is_dir() for path in target.iterdir())
    terminal.print(f"{target}/: {', '.join(written)}", markup=False, highlight=False)
