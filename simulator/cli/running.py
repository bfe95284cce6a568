"""`vmmsim run`: one experiment, or all of a folder."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli.console import console, watched
from simulator.cli.options import (
    NONE_GIVEN,
    WRONG_PATH,
    AsJson,
    EngineName,
    Jobs,
    PlotsAndReport,
    Settings,
    app,
    exit_codes,
)
from simulator.errors import InputError, SimulatorError

if TYPE_CHECKING:
    from simulator.replaying import Progress
    from simulator.report.collection import Collection
    from simulator.result import Result

_ANY_RECORDING = "any-recording"
_IMPORTED = ("csv", "jsonl")
"""The suffixes of files that one may take for recordings, each the name of its importer."""


@app.command()
@exit_codes
def run(
    experiment: Annotated[
        str,
        typer.Argument(
            help="An experiment: a YAML file, or a name that `vmmsim list` shows; or a directory: all that are in it; "
            "or a recording in Parquet: the experiment `any-recording` with it."
        ),
    ],
    *,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write; default results/NAME.")] = None,
    settings: Settings = NONE_GIVEN,
    jobs: Jobs = None,
    as_json: AsJson = False,
    plots: PlotsAndReport = True,
    earlier: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RESULT",
            help="An earlier result: where only prices have changed since, and nothing waits, its counts are priced "
            "again, without a replay.",
        ),
    ] = None,
    engine: EngineName = "fast",
) -> None:
    """Run an experiment and write result.json, CSV files, plots and report.html."""
    from simulator.report.writer import check_target, totals_as_json, write_result

    if experiment.endswith(".parquet"):
        path, recording = _experiment_or_folder(_ANY_RECORDING), experiment
    else:
        path, recording = _experiment_or_folder(experiment), None
    target = out or Path("results") / Path(recording or path).stem
    asked = _Asked(settings, earlier, engine, jobs, recording)
    if path.is_dir():
        _run_folder(path, out, asked, as_json=as_json, plots=plots)
        return
    check_target(target)
    lost = [] if plots else _report_in(target)
    with watched() as progress:
        result, resolved_yaml = _replayed(path, asked, progress)
        if progress and plots and result.plots:
            progress("drawing plots", 0, 0)
        write_result(result, target, resolved_yaml, plots, experiment)
    for warning in result.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    _warn_of_lost(target, lost)
    if as_json:
        account = {"earlier": result.metadata["earlier"]} if earlier else {}
        told = {"warnings": result.warnings, "notes": result.notes}
        data = {"out": str(target), "totals": totals_as_json(result), **told, **account}
        print(json.dumps(data, indent=1))
    else:
        _print_result(result, target)
        if earlier:
            _print_account(earlier, {"": result.metadata["earlier"]})


def _report_in(target: Path) -> list[str]:
    """Return which parts of a report an earlier result has; without plots they are not written again."""
    return [name for name in ("plots", "report.html") if (target / name).exists()]


def _warn_of_lost(target: Path, lost: Sequence[str]) -> None:
    if lost:
        what = " and ".join(lost)
        message = f"{target}: {what} went with the result that was there: this run was asked for none"
        print(f"warning: {message}", file=sys.stderr)


def _experiment_or_folder(reference: str) -> Path:
    """Find an experiment, or a folder of experiments; a slash at the end asks for a folder."""
    from simulator.spec.library import find, find_folder

    folder = find_folder(reference)
    if folder is not None and reference.endswith(os.sep):
        return folder
    try:
        return find(reference, "experiment", Path())
    except InputError as error:
        if folder is None:
            raise _with_way(error, reference) from None
        return folder


def _with_way(error: InputError, reference: str) -> InputError:
    """Return why something is no experiment, with the command by which it becomes one, or a part of one."""
    from simulator.spec.library import names

    path = Path(reference)
    if path.suffix.lstrip(".") in _IMPORTED and path.is_file():
        format_ = path.suffix.lstrip(".")
        return InputError(
            f"'{reference}' is no experiment, and no recording in Parquet; import it first: "
            f"vmmsim import {format_} {reference} --out {path.with_suffix('.parquet')}"
        )
    if reference in names("workload"):
        return InputError(f"{error}; alone: vmmsim run {_ANY_RECORDING} --set workloads.recording={reference}")
    return error


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked of each experiment: overrides, an earlier result to begin from, the engine, how many processes.

    ``recording`` is the only workload, in place of those that the experiment names.
    """

    settings: Sequence[str]
    earlier: Path | None
    engine: str
    jobs: int | None
    recording: str | None = None


def _replayed(path: Path, asked: _Asked, progress: Progress | None) -> tuple[Result, str]:
    """Load and run an experiment; return its result, and its input with all that it refers to."""
    from simulator.engine import engine_named
    from simulator.executors import Where
    from simulator.report.reader import load_result
    from simulator.run import run_experiment
    from simulator.spec.build import load_experiment
    from simulator.spec.node import plain, readable

    engine = engine_named(asked.engine)
    found = load_result(asked.earlier) if asked.earlier else None
    loaded = load_experiment(path, asked.settings, asked.recording)
    result = run_experiment(loaded, engine, progress=progress, earlier=found, where=Where(jobs=asked.jobs))
    return result, json.dumps(readable(plain(loaded.tree)), indent=2)


def _run_folder(folder: Path, out: Path | None, asked: _Asked, *, as_json: bool, plots: bool) -> None:
    """Run all experiments of a folder; one that fails is reported, and the others go on."""
    from simulator.report.collection import collecting
    from simulator.spec.folder import experiments_in
    from simulator.spec.library import shown

    paths = experiments_in(folder)
    name = folder.resolve().name
    target = out or Path("results") / name
    lost = {} if plots else {path.stem: _report_in(target / path.stem) for path in paths}
    faults: list[Exception] = []
    accounts: dict[str, Mapping[str, Any]] = {}
    with collecting(target, name, asked.settings) as collection, watched() as progress:
        for number, path in enumerate(paths, 1):
            part = _part(progress, path.stem, number, len(paths))
            try:
                before = asked.earlier / path.stem if asked.earlier else None
                result, resolved_yaml = _replayed(path, replace(asked, earlier=before), part)
                collection.add(path.stem, result, resolved_yaml, plots, shown(path))
                accounts[path.stem] = result.metadata.get("earlier", {})
            except (SimulatorError, OSError) as error:
                faults.append(error)
                collection.fail(path.stem, str(error))
                print(f"{path.stem} failed: {error}", file=sys.stderr)
        for entry in collection.entries:
            for warning in entry.warnings:
                print(f"warning: {entry.name}: {warning}", file=sys.stderr)
    for stem, names in lost.items():
        _warn_of_lost(target / stem, names)
    _print_collection(collection, target, as_json)
    if asked.earlier and not as_json:
        _print_account(asked.earlier, accounts)
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
    from simulator.report import blame, tables
    from simulator.report.exits import exits_for_totals
    from simulator.report.show import totals_or_exits
    from simulator.result import ComparisonRow, frame

    terminal = console()
    if "blame" in result.plots and not exits_for_totals(result):
        rows = blame.blame(result.totals, result.breakdown, result.baseline)
        terminal.print(blame.blame_table(rows, result.baseline))
    else:
        terminal.print(totals_or_exits(result))
    if result.comparison:
        terminal.print(tables.comparison_table(frame(result.comparison, ComparisonRow), result.remarks))
    for note in result.notes:
        terminal.print(f"note: {note}", style="dim", markup=False, highlight=False)
    written = sorted(path.name + "/" * path.is_dir() for path in target.iterdir())
    terminal.print(f"{target}/: {', '.join(written)}", markup=False, highlight=False)
