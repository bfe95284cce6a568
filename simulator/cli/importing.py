"""`vmmsim import`: recordings become event streams."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.console import print_view, watched
from simulator.cli.options import AsJson, app, exit_codes
from simulator.errors import InputError

if TYPE_CHECKING:
    from simulator.workload.importers.formats import Importer

importers = typer.Typer(help="Turn a recording into an event stream.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(importers, name="import")

Out = Annotated[Path | None, typer.Option("--out", help="The Parquet file; default FILE's name, in this folder.")]
Title = Annotated[str | None, typer.Option("--title", help="What was recorded.")]
About = Annotated[
    list[str],
    typer.Option("--about", metavar="KEY=TEXT", help="Say where and how it was recorded; kept in the file's header."),
]
NO_TEXT: list[str] = []


@importers.command()
@exit_codes
def perf(
    file: Annotated[
        Path,
        typer.Argument(
            help="Text of `perf script --ns -F comm,pid,tid,cpu,time,event,trace`; packed with gzip, xz or zstd, too."
        ),
    ],
    out: Out = None,
    title: Title = None,
    about: About = NO_TEXT,
    as_json: AsJson = False,
) -> None:
    """Import the text of `perf script`."""
    from simulator.workload.importers.formats import written
    from simulator.workload.importers.perf import import_perf

    _import(written(import_perf), file, out=out, title=title, about=about, as_json=as_json)


@importers.command("ftrace", help="The same as trace-cmd.")
@importers.command("trace-cmd")
@exit_codes
def trace_cmd(
    file: Annotated[
        Path, typer.Argument(help="Text of `trace-cmd report`, or the `trace` file of tracefs; packed, too.")
    ],
    out: Out = None,
    title: Title = None,
    about: About = NO_TEXT,
    as_json: AsJson = False,
) -> None:
    """Import the text of `trace-cmd report`, or ftrace's own."""
    from simulator.workload.importers.formats import written
    from simulator.workload.importers.ftrace import import_ftrace

    _import(written(import_ftrace), file, out=out, title=title, about=about, as_json=as_json)


@importers.command()
@exit_codes
def strace(
    file: Annotated[Path, typer.Argument(help="Text of `strace -f -ttt -T -o FILE COMMAND`; packed, too.")],
    out: Out = None,
    title: Title = None,
    about: About = NO_TEXT,
    as_json: AsJson = False,
) -> None:
    """Import the system calls that strace saw; it sees no page faults, interrupts or task switches."""
    from simulator.workload.importers.formats import written
    from simulator.workload.importers.strace import import_strace

    _import(written(import_strace), file, out=out, title=title, about=about, as_json=as_json)


@importers.command()
@exit_codes
def kvm(
    file: Annotated[
        Path,
        typer.Argument(help="Text of perf script, trace-cmd report or the trace file, with kvm_exit and kvm_entry."),
    ],
    out: Out = None,
    title: Title = None,
    about: About = NO_TEXT,
    as_json: AsJson = False,
) -> None:
    """Import the exits of guests under KVM, by reason, Intel or AMD."""
    from simulator.workload.importers.kvm import import_kvm

    _import(import_kvm, file, out=out, title=title, about=about, as_json=as_json)


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
    about: About = NO_TEXT,
    as_json: AsJson = False,
) -> None:
    """Import a table of events in CSV: of your own, or as `vmmsim export` writes it."""
    from simulator.workload.importers.csv_rows import import_csv

    _import(import_csv, file, out=out, title=title, about=about, as_json=as_json)


@importers.command()
@exit_codes
def jsonl(
    file: Annotated[Path, typer.Argument(help="A JSON object a line, with the columns of a stream; packed, too.")],
    out: Out = None,
    title: Title = None,
    about: About = NO_TEXT,
    as_json: AsJson = False,
) -> None:
    """Import events as JSON lines: of your own, or as `vmmsim export` writes them."""
    from simulator.workload.importers.jsonl import import_jsonl

    _import(import_jsonl, file, out=out, title=title, about=about, as_json=as_json)


def _import(
    importer: Importer, file: Path, *, out: Path | None, title: str | None, about: Sequence[str], as_json: bool
) -> None:
    """Run an importer, and print what became of the file."""
    from simulator.report.imported import import_report
    from simulator.stream import check_stream_target

    target = out or _default_target(file)
    check_stream_target(target)
    with watched() as progress:
        header, report = importer(
            file,
            target,
            title,
            _texts(about),
            lambda done, total: progress(f"reading {file.name}", done, total) if progress else None,
        )
    print_view(import_report(report, header, target), as_json)


def _default_target(file: Path) -> Path:
    return Path(file.name.split(".")[0] + ".parquet")


def _texts(about: Sequence[str]) -> dict[str, str]:
    return dict(_key_and_text(entry) for entry in about)


def _key_and_text(entry: str) -> tuple[str, str]:
    key, equals, text = entry.partition("=")
    if not (key and equals and text):
        raise InputError(f"--about {entry}: expected KEY=TEXT, such as machine='Linux 6.18 on a laptop'")
    return key, text
