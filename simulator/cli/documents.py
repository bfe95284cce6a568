"""`vmmsim validate`, `show`, `list` and `schema`: documents, and what ships with the program."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.console import print_view, watched
from simulator.cli.options import AsJson, app, exit_codes
from simulator.errors import InputError

if TYPE_CHECKING:
    from simulator.workload.summary import Summary


@app.command()
@exit_codes
def validate(
    files: Annotated[
        list[str],
        typer.Argument(help="Documents of any kind: files, or library names; or directories: all experiments below."),
    ],
) -> None:
    """Check documents and print every fault, as file:line:column: path: message."""
    from simulator.spec.build import check_document

    faults: list[str] = []
    for name, path in _documents(files, faults):
        try:
            kind, warnings = check_document(path)
        except InputError as error:
            faults.append(str(error))
            continue
        for warning in warnings:
            print(f"warning: {warning}", file=sys.stderr)
        print(f"{name}: a valid {kind}")
    if faults:
        raise InputError("\n".join(faults))


@app.command()
@exit_codes
def show(
    what: Annotated[
        str, typer.Argument(help="A cost model, a workload, operations, an event stream, or the directory of a result.")
    ],
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="FILE", help="Draw a recording over time, as PNG or SVG by the file's suffix."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a cost model charges, what a workload or recording holds, or what came out of a run."""
    from simulator.report import show as views

    path = Path(what)
    if (path / "result.json").is_file():
        if plot is not None:
            raise InputError(f"--plot draws a recording over time; the plots of a result are in {path / 'plots'}")
        print_view(views.result(path), as_json)
        return
    with watched() as progress:
        if progress:
            progress(f"reading {what}", 0, 0)
        view = views.document(any_document(what), _drawing(plot) if plot else None)
    print_view(view, as_json)


def _drawing(path: Path) -> Callable[[Summary, str], None]:
    """Return what draws a recording into a file."""
    from simulator.report.plots.timeline import check_plot_target, write_timeline

    check_plot_target(path)
    return partial(write_timeline, path=path)


@app.command(name="list")
@exit_codes
def list_library(as_json: AsJson = False) -> None:
    """List the experiments, workloads, operations and cost models that ship with vmmsim."""
    from simulator.report.show import library

    view = library()
    print_view(view, as_json)


@app.command()
@exit_codes
def schema(
    document: Annotated[str, typer.Argument(help="experiment, workload, operations or cost-model")],
) -> None:
    """Print the JSON Schema of a kind of document, for editors."""
    from simulator.errors import did_you_mean
    from simulator.spec.schemas import SCHEMAS, json_schema

    if document not in SCHEMAS:
        known = ", ".join(SCHEMAS)
        raise InputError(f"no kind of document '{document}'{did_you_mean(document, SCHEMAS)}; expected one of {known}")
    print(json.dumps(json_schema(document), indent=1))


def _documents(references: Sequence[str], faults: list[str]) -> Iterator[tuple[str, Path]]:
    """Yield documents with their names, of directories all experiments below; what cannot be found is a fault."""
    from simulator.spec.folder import experiments_below
    from simulator.spec.library import find_folder

    for reference in references:
        folder = find_folder(reference)
        try:
            if folder is None or not reference.endswith(os.sep):
                yield reference, any_document(reference)
                continue
        except InputError as error:
            if folder is None:
                faults.append(str(error))
                continue
        try:
            yield from ((str(path), path) for path in experiments_below(folder))
        except InputError as error:
            faults.append(str(error))


def any_document(reference: str) -> Path:
    """Find a document of any kind by path, or by name in the library."""
    from simulator.errors import did_you_mean
    from simulator.spec.library import FOLDERS, find, names

    for kind in FOLDERS:
        try:
            return find(reference, kind, Path())
        except InputError:
            continue
    if Path(reference).is_dir():
        raise InputError(f"'{reference}' is a directory, and not the result of a run")
    near = did_you_mean(reference, [name for kind in FOLDERS for name in names(kind)])
    raise InputError(f"no such file, and nothing of that name in the library: '{reference}'{near}")
