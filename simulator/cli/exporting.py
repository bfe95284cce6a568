"""`vmmsim export`: event streams become files that other programs read."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.options import app, exit_codes
from simulator.errors import InputError

if TYPE_CHECKING:
    from simulator.stream import EventStream


class Format(Enum):
    """The formats that a stream can be written in."""

    CSV = "csv"
    JSONL = "jsonl"
    CHROME_TRACE = "chrome-trace"


_SUFFIXES = {
    form: (suffix, f"{suffix}.gz")
    for form, suffix in ((Format.CSV, ".csv"), (Format.JSONL, ".jsonl"), (Format.CHROME_TRACE, ".json"))
}


@app.command()
@exit_codes
def export(
    workload: Annotated[str, typer.Argument(help="A stream (.parquet), or a workload by path or by name.")],
    form: Annotated[Format, typer.Option("--format", help="csv and jsonl hold every row, and can be imported again.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="The file, plain or .gz; default WORKLOAD's name, in this folder.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", help="Trace events of a chrome-trace at most; default 200,000.")
    ] = None,
) -> None:
    """Write a workload's events as CSV, as JSON lines, or as a timeline that ui.perfetto.dev opens."""
    from simulator.workload.exporters.chrome_trace import LEAST_EVENTS, MOST_EVENTS, export_chrome_trace
    from simulator.workload.exporters.table import export_csv, export_jsonl

    target = out or Path(Path(workload).stem + _SUFFIXES[form][0])
    if not target.name.endswith(_SUFFIXES[form]):
        raise InputError(f"{target}: expected a name that ends in {' or '.join(_SUFFIXES[form])}")
    if limit is not None and (form is not Format.CHROME_TRACE or limit < LEAST_EVENTS):
        raise InputError(f"--limit {limit}: expected {LEAST_EVENTS:,} or more, for a chrome-trace")
    stream = _stream(workload)
    if form is Format.CHROME_TRACE:
        count, about = export_chrome_trace(stream, target, limit or MOST_EVENTS)
        print(f"{target}: {count:,} trace events; {about}")
    else:
        rows = (export_csv if form is Format.CSV else export_jsonl)(stream, target)
        print(f"{target}: {rows:,} rows")


def _stream(reference: str) -> EventStream:
    """Return the rows of a workload: of a recording as recorded, of a synthetic one those of seed 1."""
    from simulator.spec.build import load_workload
    from simulator.spec.library import find
    from simulator.stream import ParquetStream
    from simulator.workload.exporters.synthetic import Synthetic

    path = find(reference, "workload", Path())
    if path.suffix == ".parquet":
        return ParquetStream.open(path)
    _, workload, _ = load_workload(path)
    return workload.recording or Synthetic.of(workload.stream)
