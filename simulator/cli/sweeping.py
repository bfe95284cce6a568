"""`vmmsim sweep`: an experiment at many points."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli.console import console, watched
from simulator.cli.options import NONE_GIVEN, AsJson, ExperimentName, Jobs, PlotsAndReport, Settings, app, exit_codes
from simulator.errors import Fault, InputError, SpecError

if TYPE_CHECKING:
    from simulator.executors import Where
    from simulator.spec.sweep import SweepSpec
    from simulator.sweep.sweeping import Swept

_EXECUTORS = ("auto", "in-process", "processes", "dask")


@app.command()
@exit_codes
def sweep(
    experiment: ExperimentName,
    *,
    over: Annotated[
        list[str],
        typer.Option(
            "--over",
            metavar="PATH=VALUES",
            help="What to vary, in place of the experiment's section `sweep`: '1, 2, 3 cycles', "
            "'500..2000 cycles in 16', '1 us..1000 us in 7 log', '0..10 step 2'.",
        ),
    ] = NONE_GIVEN,
    zipped: Annotated[
        bool, typer.Option("--zip", help="Take first values together, then second ones; not each with each.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write; default results/NAME.sweep.")] = None,
    store: Annotated[
        Path | None, typer.Option("--store", help="Where replays are kept; default the name of --out with .store.")
    ] = None,
    settings: Settings = NONE_GIVEN,
    jobs: Jobs = None,
    executor: Annotated[
        str, typer.Option("--executor", help="auto, in-process, processes, or dask for a cluster.")
    ] = "auto",
    scheduler: Annotated[str, typer.Option("--scheduler", help="Address of the Dask scheduler.")] = "",
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first point that fails.")] = False,
    breakdown: Annotated[
        bool | None,
        typer.Option(
            "--breakdown/--no-breakdown", help="Keep breakdown and counts of each point; default: up to 2,000 outcomes."
        ),
    ] = None,
    plots: PlotsAndReport = True,
    as_json: AsJson = False,
) -> None:
    """Run an experiment at many points: where only costs differ, price or time again along waits, else replay."""
    from simulator.report.sweep import write_sweep
    from simulator.report.writer import check_target, totals_as_json
    from simulator.spec.build import load_experiment
    from simulator.spec.library import find
    from simulator.sweep.store import Store
    from simulator.sweep.sweeping import Options, sweep_experiment

    where = _where(executor, jobs, scheduler)
    path = find(experiment, "experiment", Path())
    target = out or Path("results") / f"{path.stem}.sweep"
    check_target(target)
    loaded = load_experiment(path, settings)
    wanted = _wanted(loaded.spec.sweep, over, zipped)
    kept = Store(store or target.with_name(f"{target.name}.store"))
    with watched() as progress:
        swept = sweep_experiment(
            loaded,
            wanted,
            kept,
            Options(where, fail_fast, breakdown),
            progress=progress,
            failed=lambda point, error: print(f"failed: {point.name}: {error}", file=sys.stderr),
        )
        if progress:
            progress("writing", 0, 0)
        notes = write_sweep(swept.result, target, plots, experiment)
    for warning in (*swept.result.warnings, *(f"{path}: was damaged, and replayed" for path in kept.damaged)):
        print(f"warning: {warning}", file=sys.stderr)
    account = swept.result.metadata["sweep"]
    if as_json:
        data = {"out": str(target), "store": str(kept.folder), **_numbers(swept), "failed": account["failed"]}
        print(json.dumps({**data, "notes": swept.result.notes, "totals": totals_as_json(swept.result)}, indent=1))
    else:
        _print(swept, target, kept.folder, notes)
    if swept.failed:
        raise typer.Exit(1)


def _where(executor: str, jobs: int | None, scheduler: str) -> Where:
    from typing import get_args

    from simulator.errors import did_you_mean
    from simulator.executors import NO_SCHEDULER, Kind, Where

    if executor not in get_args(Kind):
        near = did_you_mean(executor, _EXECUTORS)
        raise InputError(f"--executor {executor}: expected one of {', '.join(_EXECUTORS)}{near}")
    if scheduler and executor != "dask":
        raise InputError(f"--scheduler {scheduler}: only the executor dask has a scheduler: add --executor dask")
    if executor == "dask" and not scheduler:
        raise InputError(NO_SCHEDULER)
    return Where(executor, jobs, scheduler)  # type: ignore[arg-type]


def _wanted(section: SweepSpec | None, over: Sequence[str], zipped: bool) -> SweepSpec:
    from simulator.spec.sweep import SWEEP_FILE, sweep_of

    if not over:
        if section is None:
            raise InputError(
                "nothing to vary: the experiment has no section `sweep`; write one, or add "
                "--over 'models.NAME.costs.ACTION=500..2000 cycles in 16'"
            )
        if zipped:
            raise InputError("--zip goes with --over: the section `sweep` says `combine: zip` itself")
        return section
    texts: dict[str, str] = {}
    for each in over:
        path, equals, values = each.partition("=")
        if not equals or path.strip() in texts:
            message = "stands twice" if equals else "expected PATH=VALUES, such as 'seed=1, 2, 3'"
            raise SpecError([Fault(SWEEP_FILE, 0, 0, path.strip(), message)])
        texts[path.strip()] = values.strip()
    return sweep_of(texts, "zip" if zipped else "grid")


def _numbers(swept: Swept) -> Mapping[str, Any]:
    account = swept.result.metadata["sweep"]
    return {"points": len(account["points"]), **account["outcomes"], "stored": swept.stored}


def _print(swept: Swept, target: Path, store: Path, notes: Sequence[str]) -> None:
    from simulator.report.sweep import sweep_table

    terminal, number = console(), _numbers(swept)
    terminal.print(sweep_table(swept.result))
    for note in (*swept.result.notes, *notes):
        terminal.print(f"note: {note}", style="dim", markup=False, highlight=False)
    failed = f", {len(swept.failed)} failed" if swept.failed else ""
    stored = f" ({swept.stored:,} of them before, in {store}/)" if swept.stored else f" (kept in {store}/)"
    ways = {
        f"replayed{stored}": number["replayed"],
        "priced again": number["repriced"],
        "timed again along their waits": number["retimed"],
        "as at another point": number["unchanged"],
    }
    outcomes = ", ".join(f"{n:,} {how}" for how, n in ways.items() if n)
    terminal.print(f"{number['points']:,} points{failed}; outcomes: {outcomes}", markup=False, highlight=False)
    written = sorted(path.name + "/" * path.is_dir() for path in target.iterdir())
    terminal.print(f"{target}/: {', '.join(written)}", markup=False, highlight=False)
