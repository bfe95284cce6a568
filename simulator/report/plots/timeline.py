"""A recording over time: rates of events by group, and below where the time of its virtual CPUs went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from simulator.errors import InputError
from simulator.report.plots.figure import Sheet, axes_at, log_ticks, short_tick
from simulator.report.plots.style import (
    BLUE,
    COMPUTE_STYLES,
    FOOT,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SINGLE_COLUMN,
    SKY,
    VERMILION,
    WHITE,
    settings,
)
from simulator.report.streams import merged
from simulator.report.tables import time_unit
from simulator.workload.summary import GROUPS, Summary, Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PARTS = 80
"""Steps across the plot: each is wide enough to be seen in print."""
_WIDE = 20  # a linear axis shows no more than this ratio between the highest group's peak and the lowest's
_LINES: dict[str, tuple[str, Any]] = dict(
    zip(
        GROUPS,
        (
            (BLUE, "-"),
            (VERMILION, "-"),
            (GREEN, "-"),
            (PURPLE, "-"),
            (ORANGE, "-"),
            (INK, "--"),
            (SKY, "-"),
            (BLUE, ":"),
            (GREEN, ":"),
            (VERMILION, ":"),
        ),
        strict=True,
    )
)
_AREAS = {
    "user_ns": ("user", COMPUTE_STYLES["user_compute"].colour, ""),
    "kernel_ns": ("kernel", COMPUTE_STYLES["kernel_compute"].colour, "////"),
    "idle_ns": ("idle", WHITE, ""),
}
"""Computation has the greys that it has in every plot; no line above has them."""
_LEFT, _RATES, _BETWEEN, _SHARES = 0.57, 1.7, 0.12, 0.6  # inches
_ACROSS = SINGLE_COLUMN - _LEFT - 0.1
_LABEL = 0.14  # inches from the left to where a label of an axis ends


def check_plot_target(path: Path) -> None:
    """Refuse what no plot can be written into; worth doing before a long recording is read.

    Raises:
        InputError: the name ends neither in .png nor in .svg, or its folder does not exist.
    """
    if path.suffix not in {".png", ".svg"}:
        raise InputError(f"--plot {path}: expected a name that ends in .png or .svg")
    if not path.parent.is_dir():
        raise InputError(f"--plot {path}: there is no folder '{path.parent}'")


def write_timeline(summary: Summary, title: str, path: Path) -> None:
    """Draw a recording over time into a file; the same recording gives the same bytes.

    Raises:
        InputError: the stream has no recorded time.
    """
    if summary.timeline is None:
        raise InputError(f"'{title}' has no recorded time to draw over: it is a synthetic stream")
    with settings():
        figure: Any = timeline(summary, title)
        if path.suffix == ".png":
            FigureCanvasAgg(figure).print_png(path, metadata={"Software": None})  # type: ignore[no-untyped-call]
        else:
            FigureCanvasSVG(figure).print_svg(path, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]


def timeline(summary: Summary, title: str) -> Figure:
    """Return the figure of a recording over time; the settings of the plots must be in force."""
    over_time = summary.timeline
    assert over_time is not None
    groups = {name: merged(over_time.group(name), PARTS) for name in GROUPS}
    groups = {name: events for name, events in groups.items() if any(events)}
    legend = [Line2D([], [], label=name, color=_LINES[name][0], linestyle=_LINES[name][1]) for name in groups]
    areas = [
        Patch(label=label, facecolor=colour, hatch=hatch, edgecolor=INK) for label, colour, hatch in _AREAS.values()
    ]
    sheet = Sheet(SINGLE_COLUMN, f"{title} – over time", [*legend, *areas])
    figure = sheet.figure(_RATES + _BETWEEN + _SHARES + FOOT)
    power, unit = time_unit(str(summary.header.recorded_ns / 10**9))
    edges = over_time.edges[:: (len(over_time.edges) - 1) // PARTS] / 10.0 ** (9 + power)
    _rates(axes_at(figure, _LEFT, FOOT + _SHARES + _BETWEEN, _ACROSS, _RATES), groups, over_time, edges)
    below = axes_at(figure, _LEFT, FOOT, _ACROSS, _SHARES)
    _shares(below, over_time, edges)
    below.set_xlabel(f"recorded time ({unit})")
    return figure


def _rates(axes: Axes, groups: dict[str, list[int]], over_time: Timeline, edges: Any) -> None:
    """Draw a line for each group of events; nothing is no line on a logarithmic axis."""
    seconds = float(over_time.edges[-1]) / 10**9 / PARTS
    peaks = [max(events) for events in groups.values()] or [1]
    log = max(peaks) > _WIDE * min(peaks)
    for name, events in groups.items():
        rates = np.array(events) / seconds
        colour, line = _LINES[name]
        shown = np.where(rates > 0, rates, np.nan) if log else rates
        axes.stairs(shown, edges, baseline=None, color=colour, linestyle=line, linewidth=0.9)
    if log:
        least = min(n for events in groups.values() for n in events if n) / seconds
        axes.set_yscale("log")
        axes.set_ylim(least / 1.5, max(peaks) / seconds * 1.5)
        log_ticks(axes.yaxis, 5)
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(0, max(peaks) / seconds * 1.08)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(short_tick))
    axes.set_ylabel(f"events per second{' (log scale)' if log else ''}")
    _over_time(axes, edges)
    axes.tick_params(labelbottom=False)


def _shares(axes: Axes, over_time: Timeline, edges: Any) -> None:
    """Draw where the time of the virtual CPUs went, in percent of what was recorded of them."""
    times = np.array([merged(over_time.times[mode].tolist(), PARTS) for mode in _AREAS], dtype=float)
    total = np.maximum(times.sum(axis=0), 1)
    below = np.zeros(PARTS)
    for (_, colour, hatch), share in zip(_AREAS.values(), 100 * times / total, strict=True):
        axes.stairs(below + share, edges, baseline=below, fill=True, facecolor=colour, hatch=hatch, edgecolor=INK, lw=0)
        below = below + share
    axes.set_ylim(0, 100)
    axes.set_yticks([0, 50, 100])
    axes.set_ylabel("CPU time (%)")
    _over_time(axes, edges)


def _over_time(axes: Axes, edges: Sequence[float]) -> None:
    axes.set_xlim(edges[0], edges[-1])
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(short_tick))
    axes.grid(axis="both")
    axes.yaxis.set_label_coords((_LABEL - _LEFT) / _ACROSS, 0.5)
