"""`vmmsim import`: recordings become event streams."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.console import print_view, watched
from simulator.cli.options import NONE_GIVEN, AsJson, app, exit_codes
from simulator.errors import InputError

if TYPE_CHECKING:
    from simulator.replaying import Progress
    from simulator.stream import EventStream
    from simulator.workload.importers.perf import ImportReport

importers = typer.Typer(help="Turn a recording into an event stream.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(importers, name="import")


Out = Annotated[Path | None, typer.Option("--out", help="The Parquet file; default FILE's name, in this folder.")]
Title = Annotated[str | None, typer.Option("--title", help="What was recorded.")]
About = Annotated[
    list[str],
    typer.Option("--about", metavar="KEY=TEXT", help="Say where and how it was recorded; kept in the file's header."),
]


@importers.command()
@exit_codes
def perf(
    file: Annotated[
        Path,
        typer.Argument(help="Text of `perf script --ns -F comm,pid,tid,cpu,time,event,trace`, or .gz, .xz, .zst."),
    ],
    out: Out = None,
    title: Title = None,
    about: About = NONE_GIVEN,
    as_json: AsJson = False,
) -> None:
    """Import the text of `perf script`."""
    from simulator.workload.importers.perf_process import FEW_THREADS, splitting

    for name, value in FEW_THREADS.items():
        os.environ.setdefault(name, value)
    with splitting(file) as splitter:  # it loads its modules while this process loads those below
        from simulator.workload.importers.perf import import_perf

        def read(progress: Progress | None) -> tuple[EventStream, ImportReport]:
            tell = partial(progress, f"reading {file.name}") if progress else None
            return import_perf(file, title, dict(map(key_and_text, about)), tell, splitter)

        _import(read, out or Path(file.name.split(".")[0] + ".parquet"), as_json)


@importers.command()
@exit_codes
def perf_data(
    file: Annotated[Path, typer.Argument(help="What `perf record` wrote (perf.data); `perf` itself reads it.")],
    out: Out = None,
    title: Title = None,
    about: About = NONE_GIVEN,
    as_json: AsJson = False,
) -> None:
    """Import a file of `perf record`; needs `perf`."""
    from simulator.workload.importers.perf_data import import_perf_data

    def read(progress: Progress | None) -> tuple[EventStream, ImportReport]:
        if progress:
            progress(f"reading {file.name} through perf script", 0, 0)
        return import_perf_data(file, title, dict(map(key_and_text, about)))

    _import(read, out or Path(file.name.split(".")[0] + ".parquet"), as_json)


def _import(read: Callable[[Progress | None], tuple[EventStream, ImportReport]], target: Path, as_json: bool) -> None:
    """Import with ``read``, write the stream to ``target``, and print what became of each line."""
    from simulator.report.imported import import_report
    from simulator.stream import check_stream_target, write_parquet
    from simulator.workload.importers.settle import COLUMNS

    check_stream_target(target)
    with watched() as progress:
        stream, report = read(progress)
    write_parquet(stream, target, COLUMNS)
    print_view(import_report(report, stream.header, target), as_json)


def key_and_text(entry: str) -> tuple[str, str]:
    """Split what --about says: KEY=TEXT."""
    key, equals, text = entry.partition("=")
    if not (key and equals and text):
        raise InputError(f"--about {entry}: expected KEY=TEXT, such as machine='Linux 6.18 on a laptop'")
    return key, text
