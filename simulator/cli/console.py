"""What the terminal shows: tables, JSON, and a bar while one waits."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.replaying import Progress

_PIPED_WIDTH = 160


def print_view(view: Any, as_json: bool) -> None:
    """Print a view (`report.show.View`): its tables, or its data as JSON."""
    if as_json:
        print(json.dumps(view.data, indent=1))
        return
    terminal = console()
    for part in view.parts:
        terminal.print(part, markup=False, highlight=False)


def console() -> Any:
    """Return a rich console for standard output; lines are wrapped for a terminal only."""
    from rich.console import Console

    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPED_WIDTH
    return Console(soft_wrap=not sys.stdout.isatty(), width=wide)


@contextmanager
def watched() -> Iterator[Progress | None]:
    """Give a progress callback that draws a bar once a second has passed; None where nobody is watching.

    A bar whose total is not known, which is then 0, moves to and fro.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from threading import Timer

    from rich import progress as rich
    from rich.console import Console

    bar = rich.Progress(
        rich.TextColumn("{task.description}", markup=False),
        rich.BarColumn(),
        rich.TimeElapsedColumn(),
        rich.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task("", total=None)
    timer = Timer(1, bar.start)  # not at the first call after a second: a first evaluation may take minutes
    timer.daemon = True
    timer.start()

    def advance(text: str, done: int, total: int) -> None:
        bar.update(task, description=text, completed=done)
        bar.tasks[0].total = total or None

    try:
        yield advance
    finally:
        timer.cancel()
        timer.join()
        bar.stop()


def labels(directories: Sequence[Path]) -> list[str]:
    """Return what to call results: the names of their directories, or the whole paths if two have the same name."""
    names = [path.resolve().name for path in directories]
    return names if len(set(names)) == len(names) else [str(path) for path in directories]
