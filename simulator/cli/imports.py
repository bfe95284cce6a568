"""Runs an importer for a command of `vmmsim import`: where it writes, what it tells meanwhile and afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.cli.console import print_view, watched
from simulator.cli.importing import key_and_text

if TYPE_CHECKING:
    from simulator.workload.importers.formats import Importer


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
            dict(map(key_and_text, about)),
            lambda done, total: progress(f"reading {file.name}", done, total) if progress else None,
        )
    print_view(import_report(report, header, target), as_json)
