"""`vmmsim calibrate`: values that no source gives."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.console import print_view, watched
from simulator.cli.options import NONE_GIVEN, AsJson, Settings, app, exit_codes

calibrate = typer.Typer(help="Find values that no source gives.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(calibrate, name="calibrate")


@calibrate.command()
@exit_codes
def fit(
    experiment: Annotated[str, typer.Argument(help="An experiment with a section `fit`: a YAML file, or a name.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The YAML file, or a folder for several; default results/NAME.fit.yaml."),
    ] = None,
    settings: Settings = NONE_GIVEN,
    as_json: AsJson = False,
) -> None:
    """Fit the free values of an experiment to its references, and write them down as a model or a workload."""
    from simulator.calibrate.documents import Targets, write
    from simulator.calibrate.fit import check_fit, fit_experiment
    from simulator.calibrate.show import fit_view
    from simulator.spec.build import load_experiment
    from simulator.spec.library import find

    path = find(experiment, "experiment", Path())
    loaded = load_experiment(path, settings)
    check_fit(loaded)
    targets = Targets(path, loaded, out)
    with watched() as progress:
        found = fit_experiment(loaded, progress)
    write(found, targets)
    for warning in found.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    print_view(fit_view(found, list(targets.files.values())), as_json)
