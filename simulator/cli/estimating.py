"""`vmmsim estimate`: what a run will take."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.console import print_view, watched
from simulator.cli.options import AsJson, Settings, app, exit_codes


@app.command()
@exit_codes
def estimate(
    experiment: Annotated[str, typer.Argument(help="An experiment: a YAML file, or a name that `vmmsim list` shows.")],
    *,
    settings: Settings = [],  # noqa: B006 (typer wants a literal default)
    as_json: AsJson = False,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="With plots and report.html, as in a run.")] = True,
) -> None:
    """Say what a run will take, before it runs: events, rows, time, memory and disk, from samples of its workloads."""
    from simulator.estimate.estimate import estimate as estimated
    from simulator.estimate.show import estimate_view
    from simulator.spec.build import load_experiment
    from simulator.spec.library import find

    loaded = load_experiment(find(experiment, "experiment", Path()), settings)
    with watched() as progress:
        found = estimated(loaded, plots=plots, started=time.process_time(), progress=progress)
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print_view(estimate_view(found), as_json)
