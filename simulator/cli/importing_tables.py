"""`vmmsim import`: tables become event streams, or a workload of counts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.console import print_view
from simulator.cli.importing import About, Out, Title, importers
from simulator.cli.imports import import_file
from simulator.cli.options import NONE_GIVEN, AsJson, exit_codes
from simulator.errors import InputError


@importers.command("perf-kvm-stat")
@exit_codes
def perf_kvm_stat(
    file: Annotated[Path, typer.Argument(help="The table that `perf kvm stat report` prints.")],
    *,
    out: Annotated[Path | None, typer.Option("--out", help="The YAML file; default FILE's name, here.")] = None,
    title: Title = None,
    duration: Annotated[
        str | None, typer.Option("--duration", help="How long was recorded, such as '10 s': tells computation.")
    ] = None,
    vcpus: Annotated[int, typer.Option("--vcpus", min=1, help="How many virtual CPUs were recorded.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Make a workload in YAML of a table of exits by reason."""
    from simulator.report.imported import kvm_stat_report
    from simulator.units import parse_duration
    from simulator.workload.exporters.files import whole_file
    from simulator.workload.importers.kvm_stat import MARK, computation_ns, read_kvm_stat, workload_text

    target = out or Path(file.name.split(".")[0] + ".yaml")
    if target.suffix not in (".yaml", ".yml"):
        raise InputError(f"{target}: expected a name that ends in .yaml")
    if target.exists() and not target.read_text(encoding="utf-8", errors="replace").startswith(MARK):
        raise InputError(f"{target}: it is there, and not from here: remove it, or choose another name with --out")
    stat = read_kvm_stat(file)
    try:
        computed = computation_ns(stat, parse_duration(duration), vcpus) if duration else None
    except ValueError as error:
        raise error if isinstance(error, InputError) else InputError(f"--duration {duration}: {error}") from error
    text = workload_text(stat, title or file.name.split(".")[0], computed)
    with whole_file(target) as written:
        written.write(text.encode())
    print_view(kvm_stat_report(stat, target, computed), as_json)


@importers.command("csv")
@exit_codes
def csv_rows(
    file: Annotated[
        Path, typer.Argument(help="Rows with the columns of a stream, named in the first line; packed, too.")
    ],
    out: Out = None,
    title: Title = None,
    about: About = NONE_GIVEN,
    as_json: AsJson = False,
) -> None:
    """Import a table of events in CSV: of your own, or as `vmmsim export` writes it."""
    from simulator.workload.importers.csv_rows import import_csv

    import_file(import_csv, file, out=out, title=title, about=about, as_json=as_json)


@importers.command()
@exit_codes
def jsonl(
    file: Annotated[Path, typer.Argument(help="A JSON object a line, with the columns of a stream; packed, too.")],
    out: Out = None,
    title: Title = None,
    about: About = NONE_GIVEN,
    as_json: AsJson = False,
) -> None:
    """Import events as JSON lines: of your own, or as `vmmsim export` writes them."""
    from simulator.workload.importers.jsonl import import_jsonl

    import_file(import_jsonl, file, out=out, title=title, about=about, as_json=as_json)
