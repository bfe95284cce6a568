"""`vmmsim record`: a program at work becomes an event stream."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simulator.cli.console import print_view, watched
from simulator.cli.importing import key_and_text
from simulator.cli.options import NONE_GIVEN, AsJson, app, exit_codes
from simulator.errors import InputError

if TYPE_CHECKING:
    from simulator.replaying import Progress
    from simulator.workload.importers.text import Progress as BytesProgress

_UNITS = {"ms": Fraction(1, 1000), "s": Fraction(1), "min": Fraction(60), "m": Fraction(60), "h": Fraction(3600)}
_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(ms|s|min|m|h)?")
_SHARE = re.compile(r"(\d+(?:\.\d+)?) ?%")
_BUFFER = re.compile(r"\d+[KMG]?")
_METHODS = ("probe", "twice", "none")


@app.command(context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False})
@exit_codes
def record(  # noqa: PLR0917 (typer takes options from parameters)
    context: typer.Context,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[-- COMMAND ...]", help="The program to run and to record.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The Parquet file; default COMMAND's name, in this folder.")
    ] = None,
    all_cpus: Annotated[
        bool, typer.Option("--all-cpus", help="Record everybody on all CPUs, not the command's tasks alone.")
    ] = False,
    duration: Annotated[
        str | None, typer.Option("--duration", help="Stop after this time, such as 10s; a command is then ended.")
    ] = None,
    pid: Annotated[
        list[int], typer.Option("--pid", help="Record this process, its threads and what it forks; may be repeated.")
    ] = NONE_GIVEN,
    overhead: Annotated[
        str,
        typer.Option(
            "--overhead",
            help="How the cost of a recorded line is measured: probe (a loop of system calls), twice (the command runs "
            "twice, first unrecorded), or none (nothing is taken off).",
        ),
    ] = "probe",
    keep_awake: Annotated[
        bool,
        typer.Option("--keep-awake", help="Let no CPU sleep, on kernels that do not trace how it wakes."),
    ] = False,
    buffer: Annotated[str, typer.Option("--buffer", help="Memory for perf on each CPU.")] = "8M",
    most_lost: Annotated[
        str, typer.Option("--most-lost", help="Refuse a recording that lost more than this share of its events.")
    ] = "0.1%",
    title: Annotated[str | None, typer.Option("--title", help="What was recorded.")] = None,
    about: Annotated[
        list[str], typer.Option("--about", metavar="KEY=TEXT", help="Say more of it; kept in the file's header.")
    ] = NONE_GIVEN,
    as_json: AsJson = False,
) -> None:
    """Record a program with perf, and make an event stream of it.

    The exit code is the command's. With --json, the command's own output goes to standard error.
    """
    from simulator.report.recording import recording_view
    from simulator.stream import check_stream_target, write_parquet
    from simulator.workload.recorder.overhead import Method
    from simulator.workload.recorder.record import Request
    from simulator.workload.recorder.record import record as record_program

    words = list(command or ())
    _warn_of_own_options(context, words)
    target = out or Path(_name(words, pid) + ".parquet")
    request = Request(
        command=words,
        pids=pid,
        all_cpus=all_cpus,
        seconds=_seconds(duration) if duration else None,
        method=Method(_one_of("--overhead", overhead, _METHODS)),
        buffer=_matching("--buffer", buffer, _BUFFER, "such as 8M"),
        most_lost=_share(most_lost),
        output=sys.stderr.fileno() if as_json else None,
        keep_awake=keep_awake,
    )
    if not (words or pid or all_cpus):
        raise InputError("nothing to record: give a command after --, or --pid P, or --all-cpus")
    check_stream_target(target)
    sys.stdout.flush()
    with watched() as progress:
        recording = record_program(request, title, dict(map(key_and_text, about)), _reading(progress))
    write_parquet(recording.stream, target)
    print_view(recording_view(recording, target), as_json)
    raise typer.Exit(recording.exit_code)


def _warn_of_own_options(context: typer.Context, words: Sequence[str]) -> None:
    """Say so where options of ``vmmsim record`` stand among the words of the command, with no ``--`` that means it."""
    if not words or sys.argv[-len(words) - 1] == "--":
        return
    own = {name for parameter in context.command.params for name in parameter.opts}
    for word in words:
        if word.startswith("--") and (option := word.partition("=")[0]) in own:
            print(
                f"warning: {option} stands behind the command, so it is {words[0]}'s: vmmsim's own stand before it, as "
                f"in `vmmsim record {option} ... -- {words[0]}`",
                file=sys.stderr,
            )


def _reading(progress: Progress | None) -> BytesProgress | None:
    if progress is None:
        return None
    return lambda done, total: progress("reading the recording", done, total)


def _name(words: Sequence[str], pids: Sequence[int]) -> str:
    if words:
        return Path(words[0]).name
    return f"process-{pids[0]}" if pids else "all-cpus"


def _seconds(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None or not Fraction(match[1]):
        raise InputError(f"--duration {text}: expected a time such as 10s, 500ms or 2min")
    return float(Fraction(match[1]) * _UNITS[match[2] or "s"])


def _share(text: str) -> Fraction:
    return Fraction(_matching("--most-lost", text, _SHARE, "such as 0.1%").rstrip("% ")) / 100


def _matching(option: str, text: str, pattern: re.Pattern[str], example: str) -> str:
    if not pattern.fullmatch(text):
        raise InputError(f"{option} {text}: expected a value {example}")
    return text


def _one_of(option: str, text: str, known: Sequence[str]) -> str:
    from simulator.errors import did_you_mean

    if text not in known:
        raise InputError(f"{option} {text}: expected one of {', '.join(known)}{did_you_mean(text, known)}")
    return text
