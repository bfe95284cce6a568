"""`vmmsim estimate`: what a run will take."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.console import print_view, watched
from simulator.cli.options import NONE_GIVEN, AsJson, EngineName, ExperimentName, Settings, app, exit_codes
from simulator.errors import InputError


@app.command()
@exit_codes
def estimate(
    experiment: ExperimentName,
    *,
    settings: Settings = NONE_GIVEN,
    as_json: AsJson = False,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="With plots and report.html, as in a run.")] = True,
    engine: EngineName = "fast",
) -> None:
    """Say what a run will take, before it runs: events, rows, time, memory and disk, from samples of its workloads."""
    from simulator.engine import engine_named
    from simulator.estimate.estimate import estimate as estimated
    from simulator.estimate.show import estimate_view
    from simulator.spec.build import load_experiment

    chosen = engine_named(engine)
    loaded = load_experiment(_one_experiment(experiment), settings)
    with watched() as progress:
        found = estimated(loaded, chosen, plots=plots, started=time.process_time(), progress=progress)
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print_view(estimate_view(found), as_json)


def _one_experiment(reference: str) -> Path:
    """Find an experiment; a folder of experiments is refused."""
    from simulator.spec.library import find, find_folder

    try:
        return find(reference, "experiment", Path())
    except InputError as error:
        if find_folder(reference) is None:
            raise
        raise InputError(f"'{reference}' is a directory: name one experiment, each is estimated by itself") from error
