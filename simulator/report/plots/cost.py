"""Busy cycles per event as vertical bars on a logarithmic axis, after Adams & Agesen 2006, Figure 4."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.lines import Line2D

from simulator.report.plots.data import Bars, Case, Inputs, cycles_per_event, published_cycles
from simulator.report.plots.figure import Picture, Sheet, axes_at, handles, log_span, log_ticks, pages
from simulator.report.plots.style import DOUBLE_COLUMN, INK, LINE, SINGLE_COLUMN, Style
from simulator.report.plots.text import inches, lines, listed, shortened
from simulator.report.tables import human_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PITCH = 0.135  # inches from one vertical bar to the next: a rotated value fits
_WIDEST = 0.3  # inches that a bar is wide at most
_LEFT, _RIGHT = 0.56, 0.04  # inches for the ticks and the label of the axis, and to the right of it
_HEIGHT = 1.8  # inches of the axes
_SLANT = 35  # degrees that names are aslant which do not fit side by side
_SLANTED = 1.4  # inches that such a name is long at most
_PUBLISHED: Mapping[str, Any] = {"color": INK, "linewidth": 1.4}


def cost_per_event(inputs: Inputs) -> Picture:
    """Busy cycles per event of workloads that are nothing but one kind of event; published values as marks."""
    bars = cycles_per_event(inputs.totals, inputs.mixed)
    styles = inputs.styles(inputs.present(bars))
    plot = _Costs(f"{inputs.title} – cost per event", bars, published_cycles(inputs.comparison, bars), styles)
    sizes = [_PITCH * (len(styles) + 1)] * len(bars)
    left_out = [str(name) for name in dict.fromkeys(inputs.totals["workload"]) if name in inputs.mixed]
    note = f"{listed(left_out)} (computation or several kinds of events, so no cost of one)" if left_out else ""
    return Picture(pages(list(bars), sizes, DOUBLE_COLUMN - _LEFT - _RIGHT), plot.draw, note)


@dataclass(frozen=True)
class _Costs:
    """What the pages show; all have the same axis, so that they can be compared."""

    title: str
    bars: Bars
    published: Bars
    styles: dict[str, Style]

    def draw(self, cases: Sequence[Case]) -> Figure:
        """Draw a page."""
        names = _Names.fitting(cases, _PITCH * (len(self.styles) + 1))
        legend = handles(self.styles)
        if any(case in self.published for case in cases):
            legend.append(Line2D([], [], label="published", **_PUBLISHED))
        sheet = Sheet(names.width, self.title, legend)
        figure = sheet.figure(names.bottom + _HEIGHT + 0.08)
        axes = axes_at(figure, names.left, names.bottom, names.across, _HEIGHT)
        floor = self._span(axes)
        step = min(1 / (len(self.styles) + 1), _WIDEST / names.across * len(cases))
        for group, case in enumerate(cases):
            for index, model in enumerate(self.styles):
                self._bar(axes, group + (index - (len(self.styles) - 1) / 2) * step, step, floor, (case, model))
        names.write(axes)
        return figure

    def _span(self, axes: Axes) -> float:
        """Show a decade or more, the smallest bar, and the value above the largest; return where the axis begins."""
        bars = (*self.bars.values(), *self.published.values())
        values = [value for models in bars for value in models.values() if value > 0]
        floor = min(min(values) / 2, max(values) / 10)
        texts = [_text(bars.get(model)) for bars in self.bars.values() for model in self.styles]
        axes.set_yscale("log")
        axes.set_ylim(log_span(floor, max(values), _HEIGHT, after=max(map(inches, texts)) + 0.05))
        axes.set_autoscaley_on(False)
        axes.set_ylabel("busy cycles per event (log scale)")
        log_ticks(axes.yaxis, 8)
        axes.grid(axis="y")
        return floor

    def _bar(self, axes: Axes, x: float, width: float, floor: float, run: tuple[Case, str]) -> None:
        """Draw a bar, the published value across it, and its own above it, upright."""
        case, model = run
        value, mark = self.bars[case].get(model), self.published.get(case, {}).get(model)
        if value:
            axes.bar(x, value - floor, width, bottom=floor, **self.styles[model].bar)
        if mark:
            axes.plot([x - width / 2, x + width / 2], [mark, mark], **_PUBLISHED)
        top = max(value or floor, mark or floor)
        axes.annotate(_text(value), (x, top), (0, 2), textcoords="offset points", ha="center", va="bottom", rotation=90)


def _text(cycles: float | None) -> str:
    if cycles is None:
        return "not run"
    return human_count(str(round(cycles, 3))) if cycles < 1000 or cycles >= 100_000 else f"{cycles:,.0f}"


@dataclass(frozen=True)
class _Names:
    """The names of groups below the axes: side by side if they fit, aslant if not; and the sizes that follow."""

    labels: list[str]
    width: float
    slanted: bool

    @classmethod
    def fitting(cls, cases: Sequence[Case], least: float) -> _Names:
        """Choose the narrowest figure in which groups of ``least`` inches fit with their names upright."""
        for width in (SINGLE_COLUMN, DOUBLE_COLUMN):
            pitch = (width - _LEFT - _RIGHT) / len(cases)
            labels = [case.label(pitch - 0.05) for case in cases]
            if pitch >= least and not any("…" in label for label in labels):
                return cls(labels, width, slanted=False)
        labels = ["\n".join(shortened(text, _SLANTED) for text in case if text) for case in cases]
        return cls(labels, DOUBLE_COLUMN, slanted=True)

    @property
    def left(self) -> float:
        """The inches to the left of the axes; a long name aslant may begin there."""
        if not self.slanted:
            return _LEFT
        pitch = (self.width - _LEFT - _RIGHT) / len(self.labels)
        starts = [self._reach(label)[0] - (index + 0.5) * pitch for index, label in enumerate(self.labels)]
        return max(_LEFT, *starts)

    @property
    def bottom(self) -> float:
        """The inches below the axes."""
        if not self.slanted:
            return 0.08 + LINE * lines(self.labels)
        return max(self._reach(label)[1] for label in self.labels) + 0.08

    @property
    def across(self) -> float:
        """The width of the axes in inches."""
        return self.width - self.left - _RIGHT

    @staticmethod
    def _reach(label: str) -> tuple[float, float]:
        """Return how far a name aslant reaches to the left and down."""
        parts = label.split("\n")
        long, high = max(map(inches, parts)), LINE * len(parts)
        sine, cosine = math.sin(math.radians(_SLANT)), math.cos(math.radians(_SLANT))
        return long * cosine + high * sine, long * sine + high * cosine

    def write(self, axes: Axes) -> None:
        """Name the groups."""
        slant: dict[str, Any] = {"rotation": _SLANT, "ha": "right", "rotation_mode": "anchor"} if self.slanted else {}
        axes.set_xticks(range(len(self.labels)), self.labels, **slant)
        axes.set_xlim(-0.5, len(self.labels) - 0.5)
        axes.tick_params(axis="x", length=0)
