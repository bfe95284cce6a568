"""Plots of what-ifs: times over a parameter with break-even marked, the frontier of two parameters, and tornados."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from simulator.report.plots.figure import Sheet, axes_at, span, text_beside
from simulator.report.plots.style import BLUE, GAP, INK, LINE, ORANGE, POINTS, SINGLE_COLUMN, WHITE, settings
from simulator.report.plots.text import inches, lines, parameter_words, typographic, widest, wrap
from simulator.report.tables import time_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from simulator.analysis.breakeven import BreakEven, Point
    from simulator.analysis.frontier import Frontier
    from simulator.analysis.parameter import Parameter
    from simulator.analysis.sensitivity import Sensitivity

_LEFT, _FOOT, _HEIGHT = 0.62, 0.54, 1.9
_SQUARE, _SCALE = 2.3, 0.78  # inches that a frontier is high, and that its scale takes
_COLOURS: tuple[tuple[str, Any], ...] = ((BLUE, "-"), (ORANGE, (0, (4, 1.5))))
_MARK: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 4, "color": INK, "markeredgecolor": WHITE}
_BAR = 0.16  # inches from one bar of a tornado to the next
_BARS = 12  # of a tornado: those after them could hardly be seen
_UNSEEN = 0.005  # what part of the widest swing is too short a bar to be seen
_CONTOURS = 7


def break_even(found: BreakEven) -> Figure:
    """Draw the times of the two models over the parameter, break-even marked, and where it can lie."""
    with settings():
        legend: list[Any] = [
            Line2D([], [], color=colour, linestyle=dashes, label=model)
            for model, (colour, dashes) in zip(found.models, _COLOURS, strict=True)
        ]
        has_band = any(point.spread and any(a != b for a, b in point.spread) for point in found.curve)
        if has_band:
            legend.append(Patch(facecolor=INK, alpha=0.15, label="other costs low to high"))
        if found.crossings:
            legend.append(Line2D([], [], label="break-even", **_MARK))
        if found.possible:
            legend.append(Patch(facecolor=INK, label="where it can be"))
        sheet = Sheet(SINGLE_COLUMN, f"{found.workload} – break-even", legend)
        label = _named(found.parameter, SINGLE_COLUMN - _LEFT)
        foot = _foot(label)
        figure = sheet.figure(foot + _HEIGHT + 0.1)
        axes = axes_at(figure, _LEFT, foot, SINGLE_COLUMN - _LEFT - GAP, _HEIGHT)
        top = max(max(_highest(point)) for point in found.curve)
        power, unit = time_unit(top)
        _times(axes, found, 10.0**-power)
        axes.set_ylim(0, float(top) * 10.0**-power * 1.04 or 1)
        axes.set_ylabel(f"total time ({unit})")
        _value_axis(axes, found.parameter, label)
        return figure


def _times(axes: Axes, found: BreakEven, scale: float) -> None:
    values = [float(point.value) for point in found.curve]
    for i, (colour, dashes) in enumerate(_COLOURS):
        axes.plot(values, [float(point.seconds[i]) * scale for point in found.curve], color=colour, linestyle=dashes)
        spreads = [point.spread[i] for point in found.curve if point.spread]
        if len(spreads) == len(values):
            low, high = zip(*((float(a) * scale, float(b) * scale) for a, b in spreads), strict=True)
            axes.fill_between(values, low, high, color=colour, alpha=0.15, linewidth=0)
    for low_end, high_end in found.possible or ():
        axes.axvspan(float(low_end), float(high_end), ymax=0.03, color=INK, linewidth=0)
    for crossing in found.crossings:
        nearest = min(found.curve, key=lambda point: abs(point.value - crossing.value))
        x, y = float(crossing.value), float(nearest.seconds[0]) * scale
        if nearest.value != crossing.value:
            y = _interpolated(found.curve, crossing.value) * scale
        axes.axvline(x, color=INK, linewidth=0.6, linestyle=(0, (1, 1.5)))
        axes.plot([x], [y], **_MARK)


def _interpolated(curve: Sequence[Point], x: Fraction) -> float:
    before = max((point for point in curve if point.value <= x), key=lambda point: point.value)
    after = min((point for point in curve if point.value >= x), key=lambda point: point.value)
    way = (x - before.value) / (after.value - before.value)
    return float(before.seconds[0] + way * (after.seconds[0] - before.seconds[0]))


def _highest(point: Point) -> tuple[Fraction, ...]:
    return tuple(high for _, high in point.spread) if point.spread else point.seconds


def _foot(label: str) -> float:
    """Return the inches below axes: numbers, and a label of so many lines."""
    return 0.3 + LINE * lines([label])


def _value_axis(axes: Axes, parameter: Parameter, label: str) -> None:
    axes.set_xlim(float(parameter.low), float(parameter.high))
    axes.set_xlabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(_tick))
    axes.grid(axis="y")


def _named(parameter: Parameter, room: float) -> str:
    """Return what an axis is called: the path in words, and the unit."""
    unit = {"x": "times what it costs", "": "count"}.get(parameter.unit, parameter.unit)
    words = parameter_words(parameter.path)
    whole = f"{words} ({unit})"
    return whole if inches(whole) <= room else f"{wrap(words, room)}\n({unit})"


def _tick(value: float, _position: int | None = None) -> str:
    return typographic(f"{value:,.10g}")


def frontier(found: Frontier) -> Figure:
    """Draw the ratio of two models' times over two parameters in steps of colour, and where it is one as a line."""
    with settings():
        mine, theirs = found.models
        legend: list[Any] = [Line2D([], [], color=INK, linewidth=1.6, label=f"{mine} = {theirs}")]
        sheet = Sheet(SINGLE_COLUMN, f"{found.workload} – {mine} over {theirs}", legend if found.pieces else [])
        labels = [_named(parameter, room) for parameter, room in zip(found.parameters, (2.8, _SQUARE), strict=True)]
        left, foot = 0.48 + LINE * lines([labels[1]]), _foot(labels[0])
        figure = sheet.figure(foot + _SQUARE + 0.1)
        axes = axes_at(figure, left, foot, SINGLE_COLUMN - left - _SCALE, _SQUARE)
        across, up = ([float(value) for value in values] for values in found.values)
        ratios = [[float(ratio) for ratio in row] for row in found.ratios]
        shades = axes.contourf(across, up, ratios, levels=_CONTOURS, cmap="cividis")
        line = [[(float(x), float(y)) for x, y in piece] for piece in found.pieces]
        for colour, width in ((WHITE, 2.6), (INK, 1.6)):
            axes.add_collection(LineCollection(line, colors=colour, linewidths=width, capstyle="round"))
        beside = axes_at(figure, SINGLE_COLUMN - _SCALE + 0.1, foot, 0.1, _SQUARE)
        bar = figure.colorbar(shades, cax=beside, label="ratio of total times")
        bar.ax.tick_params(length=2)
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}×"))
        axes.set_ylim(up[0], up[-1])
        axes.set_ylabel(labels[1])
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(_tick))
        _value_axis(axes, found.parameters[0], labels[0])
        axes.grid(visible=False)
        return figure


def tornado(found: Sensitivity) -> Figure:
    """Draw by how many percent a total changes as each cost goes to its low and to its high, the widest on top.

    The numbers stand beside the bars. Costs whose bars could not be seen are left out, and the axis says how many.
    """
    changes = {
        swing.action: (float(100 * (swing.low / found.total - 1)), float(100 * (swing.high / found.total - 1)))
        for swing in found.swings
    }
    most = max(abs(percent) for pair in changes.values() for percent in pair)
    seen = [action for action, pair in changes.items() if max(map(abs, pair)) > most * _UNSEEN][:_BARS]
    seen = seen or list(changes)[:1]
    title = f"{found.workload} under {found.model} – what its costs' bounds do"
    with settings():
        legend: list[Any] = [Patch(facecolor=BLUE, edgecolor=INK, hatch="////", label="cost at its low")]
        legend.append(Patch(facecolor=ORANGE, edgecolor=INK, label="cost at its high"))
        names = [wrap(action, 1.3) for action in seen]
        left = widest(names) + 0.1
        height = _BAR * lines(names) * len(seen)
        figure = Sheet(SINGLE_COLUMN, title, legend).figure(_FOOT + height + 0.06)
        axes = axes_at(figure, left, _FOOT, SINGLE_COLUMN - left - GAP, height)
        percents = [percent for action in seen for percent in changes[action]]
        room = max(inches(_percent(percent)) for percent in percents) + 0.08
        low, high = min(0.0, *percents), max(0.0, *percents)
        axes.set_xlim(span(low, high, SINGLE_COLUMN - left - GAP, room * (low < 0), room * (high > 0)))
        for row, action in enumerate(seen):
            for percent, look in zip(changes[action], legend, strict=True):
                hatch = look.get_hatch()
                axes.barh(row, percent, 0.72, facecolor=look.get_facecolor(), edgecolor=INK, hatch=hatch)
            for end in (min(changes[action]), max(changes[action])):
                if end:
                    text_beside(axes, end, row, _percent(end), before=end < 0)
        axes.axvline(0, color=INK, linewidth=0.6)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(6, min_n_ticks=3))
        axes.xaxis.set_major_formatter(FuncFormatter(_tick))
        rest = len(changes) - len(seen)
        more = f"\n{rest} more cost{'s' * (rest > 1)}: ±{_most(changes, seen)} at most" if rest else ""
        axes.set_xlabel(f"change of the total (%){more}", fontsize=POINTS)
        axes.grid(axis="x")
        return figure


def _most(changes: Mapping[str, tuple[float, float]], seen: Collection[str]) -> str:
    """Return by how many percent costs that are not seen change a total at most."""
    return f"{max(abs(percent) for action, pair in changes.items() if action not in seen for percent in pair):.2g} %"


def _percent(percent: float) -> str:
    """Return a change with two digits and its sign.

    >>> _percent(12.34), _percent(-0.0123)
    ('+12', '\N{MINUS SIGN}0.012')
    """
    return typographic(f"{Decimal(f'{percent:+.2g}'):+f}")
