"""`vmmsim stream`: a window of a recording, copies of it, several one after the other or side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulator.cli.console import print_view, watched
from simulator.cli.options import AsJson, app, exit_codes
from simulator.errors import InputError

if TYPE_CHECKING:
    from simulator.stream import EventStream

streams = typer.Typer(
    help="Make a recording of recordings: cut, copy, join.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(streams, name="stream")

_RECORDING = "A recording: a .parquet file, or the name or file of a workload that has one."
Recording = Annotated[str, typer.Argument(metavar="FILE", help=_RECORDING)]
Recordings = Annotated[list[str], typer.Argument(metavar="FILE...", help=f"Two or more. {_RECORDING}")]
Out = Annotated[Path, typer.Option("--out", help="The Parquet file to write.")]
Title = Annotated[str | None, typer.Option("--title", help="What the new stream is called.")]


@streams.command()
@exit_codes
def cut(
    file: Recording,
    out: Out,
    begin: Annotated[
        str, typer.Option("--from", metavar="TIME", help="Where the window begins, such as 1.5 s.")
    ] = "0 s",
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Where it ends; default: where the recording ends.")
    ] = None,
    *,
    title: Title = None,
    as_json: AsJson = False,
) -> None:
    """Take a window of recorded time. Waits for what came before it become waits until it came."""
    from simulator.workload.cut import cut as operation

    first = _duration("--from", begin)
    last = None if end is None else _duration("--to", end)
    parameters = {"from_ns": first} | ({} if last is None else {"to_ns": last})
    _write("cut", parameters, [file], lambda inputs: operation(inputs[0], first, last), out, title, as_json)


@streams.command()
@exit_codes
def scale(
    file: Recording,
    out: Out,
    copies: Annotated[int, typer.Option("--copies", help="How many.")],
    title: Title = None,
    as_json: AsJson = False,
) -> None:
    """Run copies side by side, on as many times the virtual CPUs: the same code, other tasks and address spaces."""
    from simulator.workload.combine import scale as operation

    _write("scale", {"copies": copies}, [file], lambda inputs: operation(inputs[0], copies), out, title, as_json)


@streams.command()
@exit_codes
def concat(files: Recordings, out: Out, title: Title = None, as_json: AsJson = False) -> None:
    """Run recordings one after the other: each begins when that before it has ended on all virtual CPUs."""
    from simulator.workload.combine import concat as operation

    _write("concat", {}, _several(files), operation, out, title, as_json)


@streams.command()
@exit_codes
def mix(files: Recordings, out: Out, title: Title = None, as_json: AsJson = False) -> None:
    """Run recordings side by side, on the virtual CPUs of all."""
    from simulator.workload.combine import mix as operation

    _write("mix", {}, _several(files), operation, out, title, as_json)


def _several(files: list[str]) -> list[str]:
    if len(files) < 2:
        raise InputError(
            f"expected two recordings or more, found only '{files[0]}'; copies of one: vmmsim stream scale"
        )
    return files


def _duration(option: str, text: str) -> int:
    from simulator.units import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise InputError(f"{option} {text}: {error}") from None


def _write(  # noqa: PLR0917 - an operation, what it is done to, and what is made of that
    name: str,
    parameters: Mapping[str, Any],
    files: Sequence[str],
    operation: Callable[[list[EventStream]], EventStream],
    out: Path,
    title: str | None,
    as_json: bool,
) -> None:
    """Open the recordings, put the operation into the header's history, and write what comes of them."""
    from simulator.report.streams import written_view
    from simulator.spec.recordings import open_recording
    from simulator.stream import check_stream_target, write_parquet
    from simulator.workload.history import with_history

    check_stream_target(out)
    with watched() as progress:
        if progress:
            progress(f"writing {out.name}", 0, 0)
        opened = {file: open_recording(file) for file in files}  # one that is named twice is read once
        inputs: list[EventStream] = [opened[file] for file in files]
        write_parquet(with_history(operation(inputs), name, parameters, inputs, title), out)
    view = written_view(out)
    print_view(view, as_json)
