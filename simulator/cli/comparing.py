"""`vmmsim compare`: several results in one table and one plot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.console import labels, print_view
from simulator.cli.options import AsJson, app, exit_codes
from simulator.errors import InputError


@app.command()
@exit_codes
def compare(
    directories: Annotated[list[Path], typer.Argument(help="Directories of results.", metavar="RESULT...")],
    *,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write compared.csv and the plot.")] = None,
    as_json: AsJson = False,
) -> None:
    """Set results side by side, relative to the first; what cannot be compared is refused, with the reason."""
    from simulator.analysis.compare import compare as compared
    from simulator.report import compared as report
    from simulator.report.reader import load_result

    if len({path.resolve() for path in directories}) < len(directories):
        raise InputError(f"a result is named twice: {', '.join(map(str, directories))}")
    named = zip(labels(directories), directories, strict=True)
    found = compared({label: load_result(path) for label, path in named})
    if out:
        report.write(found, out)
    print_view(report.view(found), as_json)
