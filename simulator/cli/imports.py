"""What the commands of `vmmsim import` share: their options, and running an importer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.console import print_view, watched
from simulator.errors import InputError

if TYPE_CHECKING:
    from simulator.workload.importers.formats import Importer

Out = Annotated[Path | None, typer.Option("--out", help="The Parquet file; default FILE's name, in this folder.")]
Title = Annotated[str | None, typer.Option("--title", help="What was recorded.")]
About = Annotated[
    list[str],
    typer.Option("--about", metavar="KEY=TEXT", help="Say where and how it was recorded; kept in the file's header."),
]
NO_TEXT: list[str] = []


def import_file(
    importer: Importer, file: Path, *, out: Path | None, title: str | None, about: Sequence[str], as_json: bool
) -> None:
    """Run an importer, and print what became of the file."""
    from simulator.report.imported import import_report
    from simulator.stream import check_stream_target

    target = out or Path(file.name.split(".")[0] + ".parquet")
    check_stream_target(target)
    with watched() as progress:
        header, report = importer(
            file,
            target,
            title,
            dict(map(_key_and_text, about)),
            lambda done, total: progress(f"reading {file.name}", done, total) if progress else None,
        )
    print_view(import_report(report, header, target), as_json)


def _key_and_text(entry: str) -> tuple[str, str]:
    key, equals, text = entry.partition("=")
    if not (key and equals and text):
        raise InputError(f"--about {entry}: expected KEY=TEXT, such as machine='Linux 6.18 on a laptop'")
    return key, text
