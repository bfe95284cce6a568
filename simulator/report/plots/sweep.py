"""Totals of a sweep: lines over one parameter, or heat maps over two; a panel for each workload."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from simulator.report.plots.data import NothingToDrawError
from simulator.report.plots.figure import Sheet, axes_at, log_ticks
from simulator.report.plots.scale import WIDE, Scale
from simulator.report.plots.style import (
    BLUE,
    DOUBLE_COLUMN,
    GREEN,
    INK,
    LINE,
    ORANGE,
    PURPLE,
    SINGLE_COLUMN,
    SKY,
    VERMILION,
)
from simulator.report.plots.text import lines, widest, wrap
from simulator.report.tables import time_unit
from simulator.result import TotalsRow
from simulator.stream import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

_MAX_PANELS = 12
_MARKED = 40  # points on a line up to which each has a mark
_COLOURS = (INK, BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY)
_DASHES: tuple[Any, ...] = ("-", "--", "-", "-.", ":", "--", "-", ":", "-", "--", "-.")
_MARKERS = "os^DvPX<*>p"
_HEIGHT, _LEAST_HEIGHT = 1.7, 0.9  # inches of axes, less where there are many
_RIGHT, _BAR = 0.1, 0.7  # inches to the right of axes, and for a bar of colours
_BESIDE = 3  # panels side by side


@dataclass(frozen=True)
class SweepPlot:
    """What there is to draw: the totals of points, the coordinates of each point, and the parameters that vary."""

    title: str
    totals: Sequence[TotalsRow]
    coordinates: Mapping[str, Mapping[str, str]]
    over: Mapping[str, Sequence[str]]
    zipped: bool

    def draw(self) -> tuple[Figure, list[str]]:
        """Draw lines over one parameter (the first of several that vary together), or heat maps over two.

        Values that are names stand one below the other, in lines of their own. Returned with the figure are notes on
        what it leaves out.

        Raises:
            NothingToDrawError: more than two parameters vary each by itself.
        """
        varying = [path for path, values in self.over.items() if len(values) > 1] or list(self.over)[:1]
        if self.zipped or len(varying) == 1:
            scale = Scale.of(varying[0], self.over[varying[0]])
            more = f"; others with it: {len(varying) - 1}" if len(varying) > 1 else ""
            scale = replace(scale, label=scale.label + more)
            shown: Sequence[str] = self._workloads()[:_MAX_PANELS]
            figure, shown = self._rows(scale, shown) if scale.named else self._lines(scale, shown)
            return figure, self._left_out("workloads", shown, self._workloads())
        if len(varying) == 2:
            down, across = (Scale.of(path, self.over[path]) for path in varying)
            if widest(across.names) > widest(down.names):
                down, across = across, down
            return self._maps(down, across)
        raise NothingToDrawError(f"{len(varying)} parameters vary, and a plot shows one or two")

    @staticmethod
    def _left_out(what: str, shown: Sequence[str], every: Sequence[str]) -> list[str]:
        return [f"the plot shows {len(shown)} of {len(every)} {what}"] if len(shown) < len(every) else []

    def _workloads(self) -> list[str]:
        return list(dict.fromkeys(row.workload for row in self.totals))

    def _models(self) -> list[str]:
        return list(dict.fromkeys(row.model for row in self.totals))

    def _varying_models(self) -> list[str]:
        """Return the models whose totals differ between points; all, if none do."""
        totals: dict[tuple[str, str], set[Decimal]] = {}
        for row in self.totals:
            totals.setdefault((row.model, row.workload), set()).add(row.total_seconds)
        varying = {model for (model, _), found in totals.items() if len(found) > 1}
        return [model for model in self._models() if model in varying or not varying]

    def _sheet(self, panels: int, looks: Mapping[str, dict[str, Any]]) -> Sheet:
        legend = [Line2D([], [], label=model, **look) for model, look in looks.items()]
        return Sheet(SINGLE_COLUMN if panels == 1 else DOUBLE_COLUMN, f"{self.title} – total time", legend)

    def _points(
        self, workload: str, scale: Scale, looks: Mapping[str, dict[str, Any]]
    ) -> tuple[dict[str, list[tuple[float, float]]], str]:
        """Return the places on the axis of the parameter, with times, of each model, and the unit of the times."""
        rows = [row for row in self.totals if row.workload == workload]
        power, unit = time_unit(max(row.total_seconds for row in rows))
        places = dict(zip(scale.values, scale.places, strict=True))
        points: dict[str, list[tuple[float, float]]] = {model: [] for model in looks}
        for row in rows:
            place = places[self.coordinates[row.point][scale.path]]
            points[row.model].append((place, float(row.total_seconds.scaleb(-power))))
        return {model: sorted(each) for model, each in points.items()}, unit

    def _lines(self, across: Scale, workloads: Sequence[str]) -> tuple[Figure, Sequence[str]]:
        """Draw a line for each model over a parameter that is a number.

        Returned with the figure are the workloads that a page has room for.
        """
        marked = len(across.values) <= _MARKED
        looks = {model: _line(index, marked) for index, model in enumerate(self._models())}
        sheet = self._sheet(len(workloads), looks)
        columns = min(len(workloads), _BESIDE)
        left = 0.6
        width = sheet.width / columns - left - _RIGHT
        head, foot = _head(workloads, width), across.foot(width, width)
        workloads = workloads[: columns * _fitting(sheet, head + _LEAST_HEIGHT + foot)]
        rows = math.ceil(len(workloads) / columns)
        height = min(_HEIGHT, max(_LEAST_HEIGHT, sheet.room / rows - head - foot))
        figure = sheet.figure(rows * (head + height + foot))
        for index, workload in enumerate(workloads):
            row, column = divmod(index, columns)
            bottom = (rows - 1 - row) * (head + height + foot) + foot
            axes = axes_at(figure, left + column * (left + width + _RIGHT), bottom, width, height)
            points, unit = self._points(workload, across, looks)
            for model, each in points.items():
                axes.plot([x for x, _ in each], [y for _, y in each], **looks[model])
            if across.log:
                axes.set_xscale("log")
            across.dress_across(axes.xaxis, width)
            axes.set_xlabel(wrap(across.title, width))
            _time_axis(axes, "y", points, unit)
            axes.set_title(wrap(workload, width), pad=3)
            axes.grid(visible=True)
        return figure, workloads

    def _rows(self, down: Scale, workloads: Sequence[str]) -> tuple[Figure, Sequence[str]]:
        """Draw a mark for each model in the row of each name: between names there is nothing, so nothing joins them.

        Returned with the figure are the workloads that a page has room for.
        """
        looks = {model: _mark(index) for index, model in enumerate(self._models())}
        sheet = self._sheet(len(workloads), looks)
        columns = min(len(workloads), _BESIDE)
        height = down.high(_HEIGHT)
        left = down.left(height)
        width = (sheet.width - left) / columns - _RIGHT
        head, foot = _head(workloads, width), 0.4
        workloads = workloads[: columns * _fitting(sheet, head + height + foot)]
        rows = math.ceil(len(workloads) / columns)
        figure = sheet.figure(rows * (head + height + foot))
        for index, workload in enumerate(workloads):
            row, column = divmod(index, columns)
            bottom = (rows - 1 - row) * (head + height + foot) + foot
            axes = axes_at(figure, left + column * (width + _RIGHT), bottom, width, height)
            points, unit = self._points(workload, down, looks)
            for model, each in points.items():
                axes.plot([y for _, y in each], [x for x, _ in each], **looks[model], clip_on=False)
            down.dress_up(axes.yaxis, height)
            axes.set_ylim(len(down.names) - 0.5, -0.5)
            if column:
                axes.set_yticklabels([])
                axes.set_ylabel("")
            _time_axis(axes, "x", points, unit)
            axes.set_title(wrap(workload, width), pad=3)
            axes.grid(visible=True)
        return figure, workloads

    def _maps(self, down: Scale, across: Scale) -> tuple[Figure, list[str]]:
        """Draw a map for each workload under each model that varies; those of one workload share their colours.

        Of the workloads as many are shown as a page has room for; of the models, if it has not enough for one workload.
        """
        models, workloads = self._varying_models()[:_MAX_PANELS], self._workloads()
        columns = min(len(models), _BESIDE)
        sheet = Sheet(DOUBLE_COLUMN, f"{self.title} – total time", [])
        high = down.high(_HEIGHT)
        least = high if down.named else _LEAST_HEIGHT
        left = down.left(least)
        width = (sheet.width - left - _BAR) / columns - _RIGHT
        whole = columns * (width + _RIGHT) - _RIGHT
        head, foot = _head([f"{w}, {m}" for w in workloads for m in models], width), across.foot(width, whole)
        fitting = _fitting(sheet, head + least + foot)
        models = models[: columns * fitting]
        rows = math.ceil(len(models) / columns)
        workloads = workloads[: fitting // rows]
        if not down.named:
            high = min(high, max(least, sheet.room / (rows * len(workloads)) - head - foot))
        pitch = head + high + foot
        figure = sheet.figure(len(workloads) * rows * pitch)
        for block, workload in enumerate(workloads):
            maps = {model: self._map(workload, model, down, across) for model in models}
            power, unit = time_unit(max(float(np.nanmax(values)) for values in maps.values()))
            maps = {model: values / 10.0**power for model, values in maps.items()}
            ends = min(float(np.nanmin(v)) for v in maps.values()), max(float(np.nanmax(v)) for v in maps.values())
            for index, (model, values) in enumerate(maps.items()):
                row, column = divmod(index, columns)
                bottom = ((len(workloads) - block) * rows - 1 - row) * pitch + foot
                axes = axes_at(figure, left + column * (width + _RIGHT), bottom, width, high)
                drawn = axes.pcolormesh(
                    across.edges, down.edges, values,
                    cmap="viridis", vmin=ends[0], vmax=max(ends[1], ends[0] * 1.001), rasterized=True,
                )  # fmt: skip
                axes.set_title(wrap(f"{workload}, {model}", width), pad=3)
                self._dress_map(axes, (down, across), (width, high, whole), is_first=not column)
                if not column:
                    colours = axes_at(figure, sheet.width - _BAR + 0.05, bottom, 0.1, high)
                    figure.colorbar(drawn, cax=colours, label=f"total time ({unit})")
        return figure, [
            *self._left_out("workloads", workloads, self._workloads()),
            *self._left_out("models", models, self._varying_models()),
        ]

    @staticmethod
    def _dress_map(axes: Axes, scales: tuple[Scale, Scale], sizes: tuple[float, float, float], is_first: bool) -> None:
        """Give a map its axes; the first of a row has the label for all, below their middle."""
        (down, across), (width, high, whole) = scales, sizes
        if down.log:
            axes.set_yscale("log")
        if across.log:
            axes.set_xscale("log")
        if down.named:
            axes.invert_yaxis()
        across.dress_across(axes.xaxis, width)
        if not is_first:
            axes.set_yticks([])
            axes.minorticks_off()
            return
        down.dress_up(axes.yaxis, high)
        axes.set_xlabel(wrap(across.title, whole))
        axes.xaxis.set_label_coords(whole / 2 / width, -across.ticks(width) / high)

    def _map(self, workload: str, model: str, down: Scale, across: Scale) -> Array:
        values = np.full((len(down.values), len(across.values)), np.nan)
        at = [{value: i for i, value in enumerate(scale.values)} for scale in (down, across)]
        for row in self.totals:
            if row.workload == workload and row.model == model:
                where = self.coordinates[row.point]
                values[at[0][where[down.path]], at[1][where[across.path]]] = float(row.total_seconds)
        order = (np.argsort(down.places), np.argsort(across.places))
        return values[order[0]][:, order[1]]


def _fitting(sheet: Sheet, pitch: float) -> int:
    """Return how many rows of panels, so many inches each, a page has room for; one is shown in any case."""
    return max(1, int(sheet.room / pitch))


def _head(titles: Sequence[str], room: float) -> float:
    """Return the inches that the titles of panels need."""
    return 0.1 + LINE * lines(wrap(title, room) for title in titles)


def _line(index: int, marked: bool) -> dict[str, Any]:
    """Return how the model at a place is drawn: no two are alike in colour, dashes and mark."""
    colour, dashes = _COLOURS[index % len(_COLOURS)], _DASHES[index % len(_DASHES)]
    line = {"color": colour, "linestyle": dashes, "linewidth": 1.0}
    return {**line, "marker": _MARKERS[index % len(_MARKERS)], "markersize": 2.5} if marked else line


def _mark(index: int) -> dict[str, Any]:
    """Return how the model at a place is drawn where nothing joins its values."""
    return {**_line(index, marked=True), "linestyle": "", "markersize": 4}


def _time_axis(axes: Axes, name: str, points: Mapping[str, Sequence[tuple[float, float]]], unit: str) -> None:
    """Give the axis of times its scale, its ticks and its label."""
    seconds = [time for each in points.values() for _, time in each]
    axis: Axis = getattr(axes, f"{name}axis")
    log = min(seconds) > 0 and max(seconds) > WIDE * min(seconds)
    if log:
        axes.set(**{f"{name}scale": "log"})
        log_ticks(axis, 4)
        axis.set_minor_locator(NullLocator())
    else:
        axes.set(**{f"{name}lim": (0, 1.08 * max(seconds) or 1)})
        axis.set_major_locator(MaxNLocator(4))
    axis.set_label_text(f"total time ({unit}{', log scale' if log else ''})")
