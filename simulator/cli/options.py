"""What the commands share: the application, its exit codes, and options that several have."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from simulator import __version__
from simulator.errors import InputError, SimulatorError

WRONG_PATH = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)

F = TypeVar("F", bound=Callable[..., None])

VERBS = (
    "run",
    "sweep",
    "estimate",
    "compare",
    "explain",
    "breakeven",
    "sensitivity",
    "record",
    "import",
    "export",
    "stream",
    "validate",
    "show",
    "list",
    "calibrate",
    "schema",
)
"""The commands in the order in which `vmmsim --help` lists them."""


class _InOrder(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=VERBS.index)


app = typer.Typer(
    cls=_InOrder,
    help="vmmsim: what a workload costs under native, software-VMM and hardware-VMM execution, event by event.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
NONE_GIVEN: list[Any] = []
"""The default of options that may be given several times."""

ExperimentName = Annotated[str, typer.Argument(help="An experiment: a YAML file, or a name that `vmmsim list` shows.")]
WorkloadNames = Annotated[
    list[str], typer.Option("--workload", metavar="NAME", help="A workload; default all. May be given several times.")
]
PlotsAndReport = Annotated[bool, typer.Option("--plots/--no-plots", help="Draw plots and write report.html.")]
Settings = Annotated[list[str], typer.Option("--set", metavar="PATH=VALUE", help="Override a parameter by its path.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        min=1,
        help="Processes to replay in; default: as many as CPUs where that pays. The result is the same.",
    ),
]
EngineName = Annotated[
    str, typer.Option("--engine", help="fast; or reference, event by event, which is the definition of correct.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def exit_codes(command: F) -> F:
    """Turn errors into a message and an exit code: 2 the input is wrong, 1 the run failed."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise typer.Exit(130) from None
        except BrokenPipeError:
            raise
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            print(f"{where}{error.strerror or error}", file=sys.stderr)
            raise typer.Exit(2 if isinstance(error, WRONG_PATH) else 1) from None
        except SimulatorError as error:
            print(
                f"{error}" if "\n" in str(error) or isinstance(error, InputError) else f"error: {error}",
                file=sys.stderr,
            )
            raise typer.Exit(2 if isinstance(error, InputError) else 1) from None

    return wrapped  # type: ignore[return-value]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"vmmsim {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """vmmsim: what a workload costs under native, software-VMM and hardware-VMM execution, event by event."""
