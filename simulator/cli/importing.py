"""`vmmsim import`: recordings become event streams."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.console import print_view, watched
from simulator.cli.options import AsJson, app, exit_codes
from simulator.errors import InputError

importers = typer.Typer(help="Turn a recording into an event stream.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(importers, name="import")


@importers.command()
@exit_codes
def perf(
    file: Annotated[
        Path,
        typer.Argument(help="Text of `perf script --ns -F comm,pid,tid,cpu,time,event,trace`; .gz, .xz and .zst too."),
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
    with watched() as progress:
        stream, report = import_perf(
            file,
            title,
            provenance=dict(_key_and_text(entry) for entry in about),
            progress=lambda done, total: progress(f"reading {file.name}", done, total) if progress else None,
        )
    write_parquet(stream, target)
    view = import_report(report, stream.header, target)
    print_view(view, as_json)


def _key_and_text(entry: str) -> tuple[str, str]:
    key, equals, text = entry.partition("=")
    if not (key and equals and text):
        raise InputError(f"--about {entry}: expected KEY=TEXT, such as machine='Linux 6.18 on a laptop'")
    return key, text
