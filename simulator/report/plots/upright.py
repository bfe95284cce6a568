"""Vertical bars: a group a case, a bar a model, its value above it, upright, and a published value across it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from simulator.report.plots.data import Bars, Bounds, Case
from simulator.report.plots.figure import (
    PUBLISHED,
    WHISKER,
    Sheet,
    around,
    axes_at,
    handles,
    is_in_the_way,
    pages,
    published_handle,
    whisker_handle,
)
from simulator.report.plots.style import DOUBLE_COLUMN, LINE, SINGLE_COLUMN, WHITE, Style
from simulator.report.plots.text import breaks_words, inches, lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEIGHT = 1.8  # inches of the axes
_PITCH = 0.135  # inches from one vertical bar to the next: a rotated value fits
_WIDEST = 0.3  # inches that a bar is wide at most
_LEFT, _RIGHT = 0.56, 0.04  # inches for the ticks and the label of the axis, and to the right of it
_NEAR = 0.05  # inches around the value of a bar that its text keeps clear
_TOUCH = 0.01  # inches from a value to a mark that cannot be told from it
_RIM = 0.03  # inches from the end of a bar that a text in it leaves free
_ABOVE, _ABOVE_CAP, _INSIDE = 2, 4.5, 3.5  # points from the end of a bar, or of its whisker, to its text
_INSIDE_BOX: Mapping[str, Any] = {"facecolor": WHITE, "linewidth": 0, "pad": 0.8}
_SLANT = 35  # degrees that names are aslant which do not fit side by side
_SLANTED = 1.4  # inches that a line of such a name is long at most
_UPRIGHT_LINES = 3  # of names side by side


@dataclass(frozen=True)
class UprightBars(ABC):
    """What the pages show; all have the same axis, so that they can be compared."""

    title: str
    bars: Bars
    published: Bars
    styles: dict[str, Style]
    bounds: Bounds
    text_box: ClassVar[dict[str, Any] | None] = None

    @abstractmethod
    def text(self, value: float | None) -> str:
        """Return a value as it stands above its bar; None is a run that is missing."""

    @abstractmethod
    def span(self, axes: Axes) -> float:
        """Set scale, limits, ticks and label of the axis; return where bars begin."""

    def pages(self) -> list[Sequence[Case]]:
        """Return the cases that share a figure."""
        return pages(list(self.bars), [self._least] * len(self.bars), DOUBLE_COLUMN - _LEFT - _RIGHT)

    @property
    def _least(self) -> float:
        """The inches that a group needs."""
        return _PITCH * (len(self.styles) + 1)

    def longest_text(self) -> float:
        """Return the inches that the values above bars need."""
        texts = [self.text(bars.get(model)) for bars in self.bars.values() for model in self.styles]
        return max(map(inches, texts)) + 0.05

    def values(self) -> list[float]:
        """Return all values that have a place on the axis."""
        bars = (*self.bars.values(), *self.published.values())
        ends = (end for case in self.bars for pair in self.bounds.get(case, {}).values() for end in pair)
        return [
            *(value for models in bars for value in models.values() if value > 0),
            *(end for end in ends if end > 0),
        ]

    def draw(self, cases: Sequence[Case]) -> Figure:
        """Draw a page."""
        names = Names.fitting(cases, self._least)
        legend = handles(self.styles)
        if any(case in self.published for case in cases):
            legend.append(published_handle())
        if any(self.bounds.get(case) for case in cases):
            legend.append(whisker_handle())
        sheet = Sheet(names.width, self.title, legend)
        figure = sheet.figure(names.bottom + HEIGHT + 0.08)
        axes = axes_at(figure, names.left, names.bottom, names.across, HEIGHT)
        floor = self.span(axes)
        step = min(1 / (len(self.styles) + 1), _WIDEST / names.across * len(cases))
        inward = any(self._is_blocked(axes, floor, (case, model)) for case in cases for model in self.styles)
        for group, case in enumerate(cases):
            for index, model in enumerate(self.styles):
                self._bar(axes, group + (index - (len(self.styles) - 1) / 2) * step, step, floor, (case, model), inward)
        names.write(axes)
        return figure

    def _is_blocked(self, axes: Axes, floor: float, run: tuple[Case, str]) -> bool:
        """Whether a published value stands where the bar's own would, above it."""
        case, model = run
        value, mark = self.bars[case].get(model), self.published.get(case, {}).get(model)
        end, across = (_height(axes, place or floor) for place in (value, mark))
        return is_in_the_way(across, end, _TOUCH, inches(self.text(value)) + _NEAR)

    def _bar(  # noqa: PLR0917 - where it stands, what it is, and which way its text goes
        self, axes: Axes, x: float, width: float, floor: float, run: tuple[Case, str], inward: bool
    ) -> None:
        """Draw a bar, the published value across it, and its own above it, upright; or in its top if that is free."""
        case, model = run
        value, mark = self.bars[case].get(model), self.published.get(case, {}).get(model)
        if value:
            axes.bar(x, value - floor, width, bottom=floor, **self.styles[model].bar)
        if mark:
            axes.plot([x - width / 2, x + width / 2], [mark, mark], **PUBLISHED)
        ends = self.bounds.get(case, {}).get(model)
        if ends and value:
            axes.errorbar(x, value, yerr=around(value, (max(min(ends), floor), max(ends))), **WHISKER)
        text, top = self.text(value), max(value or floor, *(ends or (floor,)))
        need = inches(text) + _NEAR
        start, end, across = (_height(axes, place) for place in (floor, top, mark or floor))
        above = is_in_the_way(across, end, _TOUCH, need)
        inside = not ends and (above or inward) and end - start >= need and not is_in_the_way(end, across, _RIM, need)
        if above and not inside:  # a bar too short for its text
            top = mark or floor
        axes.annotate(
            text,
            (x, top),
            (0, -_INSIDE if inside else _ABOVE_CAP if ends else _ABOVE),
            textcoords="offset points",
            ha="center",
            va="top" if inside else "bottom",
            rotation=90,
            bbox=_INSIDE_BOX if inside else self.text_box,
        )


def _height(axes: Axes, place: float) -> float:
    """Return how many inches a place is above the lower end of the axes, whose limits are set."""
    bottom, up = (float(axes.transData.transform((0, y))[1]) for y in (axes.get_ylim()[0], place))
    return (up - bottom) / axes.figure.dpi


@dataclass(frozen=True)
class Names:
    """The names of groups below the axes: side by side if they fit, aslant if not; and the sizes that follow."""

    labels: list[str]
    width: float
    slanted: bool

    @classmethod
    def fitting(cls, cases: Sequence[Case], least: float) -> Names:
        """Choose the narrowest figure in which groups of ``least`` inches fit with their names upright."""
        for width in (SINGLE_COLUMN, DOUBLE_COLUMN):
            pitch = (width - _LEFT - _RIGHT) / len(cases)
            room = pitch - 0.05
            labels = [case.label(room) for case in cases]
            broken = any(breaks_words(text, room) for case in cases for text in case)
            if pitch >= least and lines(labels) <= _UPRIGHT_LINES and not broken:
                return cls(labels, width, slanted=False)
        labels = [case.label(_SLANTED) for case in cases]
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
