"""The command line: parse, call, print. The only place that prints, and the only one that exits."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from simulator import __version__
from simulator.errors import InputError, SimulatorError

if TYPE_CHECKING:
    from simulator.report.collection import Collection
    from simulator.result import Result
    from simulator.run import Progress

_PIPED_WIDTH = 160
_WRONG_PATH = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)

F = TypeVar("F", bound=Callable[..., None])

app = typer.Typer(
    help="vmmsim: what a workload costs under native, software-VMM and hardware-VMM execution, event by event.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
importers = typer.Typer(help="Turn a recording into an event stream.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(importers, name="import")
calibrate = typer.Typer(help="Find values that no source gives.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(calibrate, name="calibrate")

Settings = Annotated[list[str], typer.Option("--set", metavar="PATH=VALUE", help="Override a parameter by its path.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def _exit_codes(command: F) -> F:
    """Turn errors into a message and an exit code: 2 the input is wrong, 1 the run failed."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise typer.Exit(130) from None
        except BrokenPipeError:
            raise
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            print(f"{where}{error.strerror or error}", file=sys.stderr)
            raise typer.Exit(2 if isinstance(error, _WRONG_PATH) else 1) from None
        except SimulatorError as error:
            print(
                f"{error}" if "\n" in str(error) or isinstance(error, InputError) else f"error: {error}",
                file=sys.stderr,
            )
            raise typer.Exit(2 if isinstance(error, InputError) else 1) from None

    return wrapped  # type: ignore[return-value]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"vmmsim {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """vmmsim: what a workload costs under native, software-VMM and hardware-VMM execution, event by event."""


@app.command()
@_exit_codes
def run(
    experiment: Annotated[
        str,
        typer.Argument(
            help="An experiment: a YAML file, or a name that `vmmsim list` shows; or a directory: all that are in it."
        ),
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Where to write; default results/NAME.")] = None,
    settings: Settings = [],  # noqa: B006 (typer wants a literal default)
    as_json: AsJson = False,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Draw plots and write report.html.")] = True,
) -> None:
    """Run an experiment and write result.json, CSV files, plots and report.html."""
    from simulator.report.writer import check_target, totals_as_json, write_result

    path = _experiment_or_folder(experiment)
    if path.is_dir():
        _run_folder(path, out, settings, as_json, plots)
        return
    target = out or Path("results") / path.stem
    check_target(target)
    with _progress() as progress:
        result, resolved_yaml = _replayed(path, settings, progress)
        if progress and plots and result.plots:
            progress("drawing plots", 0, 0)
        write_result(result, target, resolved_yaml, plots)
    for warning in result.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if as_json:
        print(json.dumps({"out": str(target), "totals": totals_as_json(result), "warnings": result.warnings}, indent=1))
    else:
        _print_result(result, target)


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


def _replayed(path: Path, settings: Sequence[str], progress: Progress | None) -> tuple[Result, str]:
    """Load and run an experiment; return its result, and its input with all that it refers to."""
    from simulator.run import readable, run_experiment
    from simulator.spec.build import load_experiment
    from simulator.spec.node import plain

    loaded = load_experiment(path, settings)
    result = run_experiment(loaded, progress=progress)
    return result, json.dumps(readable(plain(loaded.tree)), indent=2)


def _run_folder(folder: Path, out: Path | None, settings: Sequence[str], as_json: bool, plots: bool) -> None:
    """Run all experiments of a folder; one that fails is reported, and the others go on."""
    from simulator.report.collection import collecting
    from simulator.spec.build import experiments_in

    paths = experiments_in(folder)
    name = folder.resolve().name
    target = out or Path("results") / name
    faults: list[Exception] = []
    with collecting(target, name, settings) as collection, _progress() as progress:
        for number, path in enumerate(paths, 1):
            part = _part(progress, path.stem, number, len(paths))
            try:
                collection.add(path.stem, *_replayed(path, settings, part), plots)
            except (SimulatorError, OSError) as error:
                faults.append(error)
                collection.fail(path.stem, str(error))
                print(f"{path.stem} failed: {error}", file=sys.stderr)
        for entry in collection.entries:
            for warning in entry.warnings:
                print(f"warning: {entry.name}: {warning}", file=sys.stderr)
    _print_collection(collection, target, as_json)
    if faults:
        refused = len(faults) == len(paths) and all(isinstance(e, (InputError, *_WRONG_PATH)) for e in faults)
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
    console = _console()
    if collection.rows:
        console.print(tables.comparison_table(collection.comparison, collection.remarks))
    failed = f", {collection.failed} of them failed" if collection.failed else ""
    where = f"{target}/: index.html, comparison.csv; " if written else ""
    console.print(f"{where}{len(collection.entries)} experiments{failed}", markup=False, highlight=False)


def _print_result(result: Any, target: Path) -> None:
    from simulator.report import tables
    from simulator.result import ComparisonRow, TotalsRow, frame

    console = _console()
    console.print(tables.totals_table(frame(result.totals, TotalsRow), result.baseline))
    if result.comparison:
        console.print(tables.comparison_table(frame(result.comparison, ComparisonRow), result.remarks))
    for note in result.notes:
        console.print(f"note: {note}", style="dim", markup=False, highlight=False)
    written = sorted(path.name + "/" * path.is_dir() for path in target.iterdir())
    console.print(f"{target}/: {', '.join(written)}", markup=False, highlight=False)


@app.command()
@_exit_codes
def validate(
    files: Annotated[
        list[str],
        typer.Argument(help="Documents of any kind: files, or library names; or directories of experiments."),
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
@_exit_codes
def show(
    what: Annotated[
        str, typer.Argument(help="A cost model, a workload, operations, an event stream, or the directory of a result.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show what a cost model charges, what a workload holds, or what came out of a run."""
    from simulator.report import show as views

    path = Path(what)
    view = views.result(path) if (path / "result.json").is_file() else views.document(_any_document(what))
    _print_view(view, as_json)


@app.command(name="list")
@_exit_codes
def list_library(as_json: AsJson = False) -> None:
    """List the experiments, workloads, operations and cost models that ship with vmmsim."""
    from simulator.report.show import library

    view = library()
    _print_view(view, as_json)


@app.command()
@_exit_codes
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


@importers.command()
@_exit_codes
def perf(
    file: Annotated[
        Path, typer.Argument(help="Text of `perf script --ns -F comm,pid,tid,cpu,time,event,trace`; .gz too.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="The Parquet file; default FILE's name, in this folder.")
    ] = None,
    title: Annotated[str | None, typer.Option("--title", help="What was recorded.")] = None,
    about: Annotated[
        list[str],
        typer.Option(
            "--about", metavar="KEY=TEXT", help="Say where and how it was recorded; kept in the file's header."
        ),
    ] = [],  # noqa: B006 (typer wants a literal default)
    as_json: AsJson = False,
) -> None:
    """Import the text of `perf script`."""
    from simulator.report.show import import_report
    from simulator.stream import check_stream_target, write_parquet
    from simulator.workload.importers.perf import import_perf

    target = out or Path(file.name.split(".")[0] + ".parquet")
    check_stream_target(target)
    with _progress() as progress:
        stream, report = import_perf(
            file,
            title,
            provenance=dict(_key_and_text(entry) for entry in about),
            progress=lambda done, total: progress(f"reading {file.name}", done, total) if progress else None,
        )
    write_parquet(stream, target)
    view = import_report(report, stream.header, target)
    _print_view(view, as_json)


@calibrate.command()
@_exit_codes
def fit(
    experiment: Annotated[str, typer.Argument(help="An experiment with a section `fit`: a YAML file, or a name.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The YAML file, or a folder for several; default results/NAME.fit.yaml."),
    ] = None,
    settings: Settings = [],  # noqa: B006 (typer wants a literal default)
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
    with _progress() as progress:
        found = fit_experiment(loaded, progress)
    write(found, targets)
    for warning in found.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    _print_view(fit_view(found, list(targets.files.values())), as_json)


def _print_view(view: Any, as_json: bool) -> None:
    if as_json:
        print(json.dumps(view.data, indent=1))
        return
    console = _console()
    for part in view.parts:
        console.print(part, markup=False, highlight=False)


def _key_and_text(entry: str) -> tuple[str, str]:
    key, equals, text = entry.partition("=")
    if not (key and equals and text):
        raise InputError(f"--about {entry}: expected KEY=TEXT, such as machine='Linux 6.18 on a laptop'")
    return key, text


def _documents(references: Sequence[str], faults: list[str]) -> Iterator[tuple[str, Path]]:
    """Yield documents with their names, of directories the experiments; what cannot be found is a fault."""
    from simulator.spec.build import experiments_in
    from simulator.spec.library import find_folder

    for reference in references:
        folder = find_folder(reference)
        try:
            if folder is None or not reference.endswith(os.sep):
                yield reference, _any_document(reference)
                continue
        except InputError as error:
            if folder is None:
                faults.append(str(error))
                continue
        try:
            yield from ((str(path), path) for path in experiments_in(folder))
        except InputError as error:
            faults.append(str(error))


def _any_document(reference: str) -> Path:
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


def _console() -> Any:
    from rich.console import Console

    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPED_WIDTH
    return Console(soft_wrap=not sys.stdout.isatty(), width=wide)


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Give a progress callback that draws a bar once a second has passed; None where nobody is watching.

    A bar whose total is not known, which is then 0, moves to and fro.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from threading import Timer

    from rich import progress as rich
    from rich.console import Console

    bar = rich.Progress(
        rich.TextColumn("{task.description}", markup=False),
        rich.BarColumn(),
        rich.TimeElapsedColumn(),
        rich.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task("", total=None)
    timer = Timer(1, bar.start)  # not at the first call after a second: a first evaluation may take minutes
    timer.daemon = True
    timer.start()

    def advance(text: str, done: int, total: int) -> None:
        bar.update(task, description=text, completed=done)
        bar.tasks[0].total = total or None

    try:
        yield advance
    finally:
        timer.cancel()
        timer.join()
        bar.stop()


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
