"""What a run takes whatever it replays: measured once on a machine, and scaled by how fast this one is.

All figures come from `benchmarks/estimate.py`, which measures them, and prints this table anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from simulator.estimate.sample import Clock
from simulator.events import COMPUTE_KINDS
from simulator.spec.build import Experiment
from simulator.spec.experiment import Plot

YARDSTICK_SECONDS = 0.00135
"""What ``yardstick`` took on the machine that all seconds here were measured on."""
LOADING_SECONDS = 1.5
"""The most that is owed to an engine's loading its compiler, whose work is kept on disk once it is done."""
PRINTING_SECONDS = 0.17
"""Importing what prints tables, and printing."""
DRAWING_SECONDS = 0.43
"""Importing what draws plots and makes the page."""
DRAWING_BYTES = 30 * 2**20
"""Memory of what draws plots."""
PAGE_BYTES = 14_000
PAGE_BYTES_PER_ROW = 234
"""Size of report.html, with a row of the breakdown; plots stand in it as text, which takes 4 bytes for 3."""


@dataclass(frozen=True, slots=True)
class PlotCost:
    """What one plot takes, with no bar and for each bar: seconds, and bytes of its two files.

    ``most_bars`` is about how many fit on the pages that are drawn.
    """

    seconds: float
    seconds_per_bar: float
    svg: int
    svg_per_bar: int
    png: int
    png_per_bar: int
    most_bars: int


PLOTS: Mapping[Plot, PlotCost] = MappingProxyType(
    {
        "time-by-event": PlotCost(0.074, 0.018, 43_000, 3500, 29_000, 3300, 320),
        "overhead-by-event": PlotCost(0.078, 0.017, 54_000, 3000, 32_000, 3400, 320),
        "overhead-by-source": PlotCost(0.11, 0.043, 44_000, 9600, 28_000, 15_000, 120),
        "slowdown": PlotCost(0.065, 0.0060, 26_000, 1600, 13_000, 2600, 190),
        "performance": PlotCost(0.059, 0.0075, 27_000, 1900, 20_000, 2600, 190),
        "cost-per-event": PlotCost(0.051, 0.017, 27_000, 3800, 14_000, 5200, 160),
        "blame": PlotCost(0.065, 0.0041, 38_000, 1120, 25_000, 1780, 1300),
    }
)


@dataclass(frozen=True, slots=True)
class Drawing:
    """What all plots of an experiment take, and the page that they stand in."""

    seconds: float
    svg: int
    png: int


def drawing(experiment: Experiment) -> Drawing:
    """Return what the plots of an experiment take, on the machine of the figures above."""
    costs = [(PLOTS[plot], bars(plot, experiment)) for plot in dict.fromkeys(experiment.spec.plots)]
    return Drawing(
        DRAWING_SECONDS + sum(cost.seconds + cost.seconds_per_bar * number for cost, number in costs),
        sum(cost.svg + cost.svg_per_bar * number for cost, number in costs),
        sum(cost.png + cost.png_per_bar * number for cost, number in costs),
    )


def bars(plot: Plot, experiment: Experiment) -> int:
    """Return about how many bars a plot has: workloads of one kind of event alone have no breakdown, but a cost."""
    workloads = list(experiment.workloads.values())
    mixed = [workload for workload in workloads if len(workload.kinds) > 1 or workload.kinds & COMPUTE_KINDS]
    shown = len(workloads)
    if plot in ("time-by-event", "overhead-by-event"):
        shown = len(mixed) or len(workloads)
    elif plot == "cost-per-event":
        shown = len(workloads) - len(mixed)
    return min(shown * len(experiment.models), PLOTS[plot].most_bars)


def yardstick(clock: Clock) -> float:
    """Return how long a fixed piece of Python takes, in seconds: the least of some times, as others may be working."""
    times = []
    for _ in range(5):
        begin = clock()
        counts: dict[int, int] = {}
        for i in range(20_000):
            counts[i & 255] = counts.get(i & 255, 0) + i
        times.append(clock() - begin)
    return min(times)
