"""Totals of a sweep: lines over one parameter, or heat maps over two; a panel for each workload."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from simulator.report.plots.data import NothingToDrawError
from simulator.report.plots.figure import Sheet, axes_at, log_ticks
from simulator.report.plots.style import BLUE, DOUBLE_COLUMN, GREEN, INK, ORANGE, PURPLE, SINGLE_COLUMN, SKY, VERMILION
from simulator.report.plots.text import shortened, wrap
from simulator.report.tables import time_unit
from simulator.result import TotalsRow
from simulator.stream import Array
from simulator.units import split_quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

MAX_PANELS = 12
MOST_LABELS = 6  # of an axis whose values are names
_MARKED = 40  # points on a line up to which each has a mark
_WIDE = 20  # a linear axis shows no more than this ratio between its largest and its smallest value
_LINES = (
    (INK, "-", "o"),
    (BLUE, "--", "s"),
    (ORANGE, "-", "^"),
    (GREEN, "-.", "D"),
    (PURPLE, ":", "v"),
    (VERMILION, "--", "P"),
    (SKY, "-", "X"),
)
_HEIGHT, _LEFT, _FOOT, _HEAD, _RIGHT = 1.7, 0.6, 0.5, 0.3, 0.1


@dataclass(frozen=True)
class Scale:
    """The axis of a parameter: where each of its values stands, and what it is called."""

    path: str
    values: Sequence[str]
    places: Sequence[float]
    label: str
    log: bool
    named: bool

    @classmethod
    def of(cls, path: str, values: Sequence[str]) -> Scale:
        """Lay out an axis: numbers of one unit where they belong, anything else side by side."""
        numbers = _numbers(values)
        if numbers is None:
            return cls(path, values, range(len(values)), path, log=False, named=True)
        amounts, unit = numbers
        label = f"{path} ({unit})" if unit else path
        log = min(amounts) > 0 and max(amounts) > _WIDE * min(amounts)
        return cls(path, values, [float(amount) for amount in amounts], label, log, named=False)

    def dress(self, axis: Axis, room: float, label_room: float = 0) -> None:
        """Give an axis of so many inches its ticks, and its label; ``label_room`` is that of one across, 0 upright."""
        if self.named:
            step = math.ceil(len(self.values) / MOST_LABELS)
            shown = range(0, len(self.values), step)
            each = 0.92 * room / len(shown) if label_room else 0.8 * _LEFT
            axis.set_ticks(list(shown), [wrap(self.values[i], each) for i in shown])
        elif self.log:
            log_ticks(axis, 4)
            axis.set_minor_locator(NullLocator())
        else:
            axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
        axis.set_label_text(wrap(f"{self.label}{', log scale' if self.log else ''}", label_room or room))


def _numbers(values: Sequence[str]) -> tuple[list[Decimal], str] | None:
    """Return values as numbers of one unit; None where they are something else."""
    try:
        parts = [split_quantity(value) for value in values]
    except ValueError:
        return None
    units = {unit for _, unit in parts}
    return ([number for number, _ in parts], units.pop()) if len(units) == 1 else None


@dataclass(frozen=True)
class SweepPlot:
    """What is drawn: the totals of points, the coordinates of each point, and the parameters that vary."""

    title: str
    totals: Sequence[TotalsRow]
    coordinates: Mapping[str, Mapping[str, str]]
    over: Mapping[str, Sequence[str]]
    zipped: bool

    def draw(self) -> Figure:
        """Draw lines over one parameter (the first of several that vary together), or heat maps over two.

        Raises:
            NothingToDrawError: more than two parameters vary each by itself.
        """
        varying = [path for path, values in self.over.items() if len(values) > 1] or list(self.over)[:1]
        if self.zipped or len(varying) == 1:
            across = Scale.of(varying[0], self.over[varying[0]])
            more = f"; others with it: {len(varying) - 1}" if len(varying) > 1 else ""
            return self._lines(replace(across, label=across.label + more))
        if len(varying) == 2:
            return self._maps(*(Scale.of(path, self.over[path]) for path in varying))
        raise NothingToDrawError(f"{len(varying)} parameters vary, and a plot shows one or two")

    def _workloads(self) -> list[str]:
        return list(dict.fromkeys(row.workload for row in self.totals))[:MAX_PANELS]

    def _models(self) -> list[str]:
        return list(dict.fromkeys(row.model for row in self.totals))

    def _varying_models(self) -> list[str]:
        """Return the models whose totals differ between points; all, if none do."""
        totals: dict[tuple[str, str], set[Decimal]] = {}
        for row in self.totals:
            totals.setdefault((row.model, row.workload), set()).add(row.total_seconds)
        varying = {model for (model, _), found in totals.items() if len(found) > 1}
        return [model for model in self._models() if model in varying or not varying]

    def _at(self, row: TotalsRow, scale: Scale, places: Mapping[str, float]) -> float:
        return places[self.coordinates[row.point][scale.path]]

    def _lines(self, across: Scale) -> Figure:
        workloads, models = self._workloads(), self._models()
        looks = {
            model: _line(_LINES[i % len(_LINES)], across.named, len(across.values) <= _MARKED)
            for i, model in enumerate(models)
        }
        sheet = Sheet(
            SINGLE_COLUMN if len(workloads) == 1 else DOUBLE_COLUMN,
            f"{self.title} – total time",
            [Line2D([], [], label=model, **looks[model]) for model in models],
        )
        columns = min(len(workloads), 3)
        width = sheet.width / columns - _LEFT - _RIGHT
        rows = math.ceil(len(workloads) / columns)
        foot = _FOOT + 0.15 * across.named
        figure = sheet.figure(rows * (_HEIGHT + foot + _HEAD) + 0.1)
        places = dict(zip(across.values, across.places, strict=True))
        for index, workload in enumerate(workloads):
            row, column = divmod(index, columns)
            bottom = (rows - 1 - row) * (_HEIGHT + foot + _HEAD) + foot
            axes = axes_at(figure, _LEFT + column * (width + _LEFT + _RIGHT), bottom, width, _HEIGHT)
            self._panel(axes, workload, across, places, looks)
            across.dress(axes.xaxis, width, width)
        return figure

    def _panel(
        self,
        axes: Axes,
        workload: str,
        across: Scale,
        places: Mapping[str, float],
        looks: Mapping[str, dict[str, Any]],
    ) -> None:
        rows = [row for row in self.totals if row.workload == workload]
        power, unit = time_unit(max(row.total_seconds for row in rows))
        seconds: list[float] = []
        for model, look in looks.items():
            points = [
                (self._at(row, across, places), float(row.total_seconds.scaleb(-power)))
                for row in rows
                if row.model == model
            ]
            points.sort()
            axes.plot([x for x, _ in points], [y for _, y in points], **look)
            seconds += [y for _, y in points]
        if across.log:
            axes.set_xscale("log")
        if across.named:
            axes.set_xlim(-0.5, len(across.values) - 0.5)
        if min(seconds) > 0 and max(seconds) > _WIDE * min(seconds):
            axes.set_yscale("log")
            log_ticks(axes.yaxis, 4)
            axes.yaxis.set_minor_locator(NullLocator())
        else:
            axes.set_ylim(0, 1.08 * max(seconds) or 1)
            axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.set_title(shortened(workload, 2), loc="left", pad=3)
        axes.set_ylabel(f"total time ({unit}{', log scale' if axes.get_yscale() == 'log' else ''})")
        axes.grid(True)

    def _maps(self, down: Scale, across: Scale) -> Figure:
        """Draw a map for each workload under each model that varies; those of one workload share their colours."""
        models = self._varying_models()
        workloads = self._workloads()[: max(1, MAX_PANELS // len(models))]
        bar = 0.7
        sheet = Sheet(DOUBLE_COLUMN, f"{self.title} – total time", [])
        width = (sheet.width - _LEFT - 0.2 - bar) / len(models) - _RIGHT
        pitch = _HEIGHT + _FOOT + _HEAD
        figure = sheet.figure(len(workloads) * pitch + 0.1)
        for row, workload in enumerate(workloads):
            bottom = (len(workloads) - 1 - row) * pitch + _FOOT
            maps = {model: self._map(workload, model, down, across) for model in models}
            most = max(float(np.nanmax(values)) for values in maps.values())
            least = min(float(np.nanmin(values)) for values in maps.values())
            power, unit = time_unit(most)
            for column, (model, values) in enumerate(maps.items()):
                left = _LEFT + 0.2 + column * (width + _RIGHT)
                axes = axes_at(figure, left, bottom, width, _HEIGHT)
                drawn = axes.pcolormesh(
                    _edges(across), _edges(down), values / 10.0**power,
                    cmap="viridis", vmin=least / 10.0**power, vmax=max(most, least * 1.001) / 10.0**power,
                    rasterized=True,
                )  # fmt: skip
                axes.set_title(wrap(f"{workload}, {model}", width), loc="left", pad=3)
                for scale, axis, name in ((across, axes.xaxis, "x"), (down, axes.yaxis, "y")):
                    if scale.log:
                        (axes.set_xscale if name == "x" else axes.set_yscale)("log")
                    across_all = len(models) * (width + _RIGHT) - _RIGHT
                    scale.dress(axis, *((width, across_all) if name == "x" else (_HEIGHT,)))
                if column:
                    axes.set_yticks([])
                    axes.set_ylabel("")
                    axes.set_xlabel("")
                else:  # one label for all maps of a row, below the middle
                    middle = (len(models) * (width + _RIGHT) - _RIGHT) / 2
                    lines = max(label.get_text().count("\n") for label in axes.get_xticklabels()) if across.named else 0
                    axes.xaxis.set_label_coords(middle / width, -(0.25 + 0.12 * lines) / _HEIGHT)
            colours = axes_at(figure, sheet.width - bar + 0.05, bottom, 0.1, _HEIGHT)
            figure.colorbar(drawn, cax=colours, label=f"total time ({unit})")
        return figure

    def _map(self, workload: str, model: str, down: Scale, across: Scale) -> Array:
        values = np.full((len(down.values), len(across.values)), np.nan)
        at = [{value: i for i, value in enumerate(scale.values)} for scale in (down, across)]
        for row in self.totals:
            if row.workload == workload and row.model == model:
                where = self.coordinates[row.point]
                values[at[0][where[down.path]], at[1][where[across.path]]] = float(row.total_seconds)
        order = (np.argsort(down.places), np.argsort(across.places))
        return values[order[0]][:, order[1]]


def _line(style: tuple[str, str, str], named: bool, marked: bool) -> dict[str, Any]:
    """Return how a model is drawn; between values that are names there is nothing, so nothing joins them."""
    colour, dashes, marker = style
    if named:
        return {"color": colour, "linestyle": "", "marker": marker, "markersize": 4}
    line = {"color": colour, "linestyle": dashes, "linewidth": 1.0}
    return {**line, "marker": marker, "markersize": 2.5} if marked else line


def _edges(scale: Scale) -> list[float]:
    """Return the edges of cells around the places of an axis: half-way between them, in ratios on a logarithmic one."""
    places = sorted(math.log(place) if scale.log else float(place) for place in scale.places)
    between = [(a + b) / 2 for a, b in pairwise(places)]
    first, last = (between[0] - places[0], places[-1] - between[-1]) if between else (0.5, 0.5)
    edges = [places[0] - first, *between, places[-1] + last]
    return [math.exp(edge) for edge in edges] if scale.log else edges
