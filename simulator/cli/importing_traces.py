"""`vmmsim import`: traces of tools other than perf become event streams."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulator.cli.importing import About, Out, Title, importers
from simulator.cli.imports import import_file
from simulator.cli.options import NONE_GIVEN, AsJson, exit_codes


@importers.command("ftrace", help="The same as trace-cmd.")
@importers.command("trace-cmd")
@exit_codes
def trace_cmd(
    file: Annotated[
        Path, typer.Argument(help="Text of `trace-cmd report`, or the `trace` file of tracefs; packed, too.")
    ],
    out: Out = None,
    title: Title = None,
    about: About = NONE_GIVEN,
    as_json: AsJson = False,
) -> None:
    """Import the text of `trace-cmd report`, or ftrace's own."""
    from simulator.workload.importers.formats import written
    from simulator.workload.importers.ftrace import import_ftrace

    import_file(written(import_ftrace), file, out=out, title=title, about=about, as_json=as_json)


@importers.command()
@exit_codes
def strace(
    file: Annotated[Path, typer.Argument(help="Text of `strace -f -ttt -T -o FILE COMMAND`; packed, too.")],
    out: Out = None,
    title: Title = None,
    about: About = NONE_GIVEN,
    as_json: AsJson = False,
) -> None:
    """Import the system calls that strace saw; it sees no page faults, interrupts or task switches."""
    from simulator.workload.importers.formats import written
    from simulator.workload.importers.strace import import_strace

    import_file(written(import_strace), file, out=out, title=title, about=about, as_json=as_json)


@importers.command()
@exit_codes
def kvm(
    file: Annotated[
        Path,
        typer.Argument(help="Text of perf script, trace-cmd report or the trace file, with kvm_exit and kvm_entry."),
    ],
    out: Out = None,
    title: Title = None,
    about: About = NONE_GIVEN,
    as_json: AsJson = False,
) -> None:
    """Import the exits of guests under KVM, by reason, Intel or AMD."""
    from simulator.workload.importers.kvm import import_kvm

    import_file(import_kvm, file, out=out, title=title, about=about, as_json=as_json)
