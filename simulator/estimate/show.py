"""What `vmmsim estimate` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from simulator.estimate.estimate import ReplayEstimate, RunEstimate
from simulator.report.tables import Column, Grid, grid_table, human_count, human_seconds
from simulator.report.view import View

_COLUMNS = (
    Column("workload"),
    Column("model"),
    Column("rows", numeric=True),
    Column("events", numeric=True),
    Column("time", numeric=True),
    Column("memory", numeric=True),
    Column("sampled", numeric=True),
)
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def estimate_view(found: RunEstimate) -> View:
    """Show what each replay and the whole run will take, and what that is based on."""
    rows = [_row(each) for each in found.replays]
    table = grid_table("What a run will take, within a factor of two", Grid(_COLUMNS, rows), grouped=True)
    spent = " + ".join(f"{name} {human_seconds(seconds)}" for name, seconds in found.seconds.items() if seconds)
    lines = (
        f"in all: {human_count(found.rows)} rows, {human_count(found.events)} events",
        f"time: {human_seconds(found.total_seconds)} = {spent}",
        f"memory: {human_bytes(found.memory)} at the peak",
        f"disk: {human_bytes(found.disk)}",
        f"Based on samples: the first rows of each virtual CPU, replayed by the engine '{found.engine}' in "
        f"{human_seconds(found.took)}, and scaled by rows.",
    )
    return View((table, "\n".join(lines)), _data(found))


def _row(each: ReplayEstimate) -> tuple[str, ...]:
    sampled = "all" if each.sampled == each.rows else f"{100 * each.sampled / each.rows:.2g} %"
    return (
        each.workload,
        each.model,
        human_count(each.rows),
        human_count(each.events),
        human_seconds(each.seconds),
        human_bytes(each.memory),
        sampled,
    )


def _data(found: RunEstimate) -> dict[str, Any]:
    return {
        "engine": found.engine,
        "rows": found.rows,
        "events": found.events,
        "seconds": {"total": found.total_seconds, **found.seconds},
        "memory_bytes": found.memory,
        "disk_bytes": found.disk,
        "replays": [asdict(each) for each in found.replays],
        "took_seconds": found.took,
    }


def human_bytes(size: float) -> str:
    """Return bytes with three significant digits.

    >>> human_bytes(900), human_bytes(1536), human_bytes(2**30), human_bytes(123_456_789)
    ('900 B', '1.5 KiB', '1 GiB', '118 MiB')
    """
    power = 0
    while size >= 1024 and power < len(_UNITS) - 1:
        size, power = size / 1024, power + 1
    return f"{size:.3g} {_UNITS[power]}" if size < 1000 else f"{size:.0f} {_UNITS[power]}"
