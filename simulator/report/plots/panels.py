"""Panels side by side, a workload each: named horizontal bars on an axis of time that begins at zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from simulator.report.plots.data import Case
from simulator.report.plots.figure import Sheet, axes_at, dress_across, pages, span
from simulator.report.plots.style import BAR_PITCH, DOUBLE_COLUMN, FOOT, GAP, LINE, PAGE_HEIGHT, SINGLE_COLUMN
from simulator.report.plots.text import inches, lines, typographic, widest
from simulator.report.tables import human_seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BETWEEN = 0.6  # bars that would fit between two groups of bars


@dataclass(frozen=True)
class Panels:
    """The sizes, in inches, of panels side by side, a workload each; ``each`` is how many bars stand at a name."""

    cases: Sequence[Case]
    names: Sequence[str]
    each: int = 1

    @property
    def columns(self) -> int:
        """Panels side by side."""
        return 1 if len(self.cases) == 1 else 2 if len(self.cases) < 5 else 3

    @property
    def width(self) -> float:
        """The width of the figure."""
        return SINGLE_COLUMN if self.columns == 1 else DOUBLE_COLUMN

    @property
    def left(self) -> float:
        """The room for the names of the bars."""
        return widest(self.names) + 0.1

    @property
    def across(self) -> float:
        """The width of one panel's axes."""
        return (self.width - self.left - GAP * self.columns) / self.columns

    @property
    def head(self) -> float:
        """The room for the title of a panel."""
        return 0.08 + LINE * lines(case.label(self.across) for case in self.cases)

    @property
    def bars(self) -> float:
        """The height of one panel's axes."""
        return self.pitch * max(2 if self.each == 1 else 1, len(self.names))

    @property
    def pitch(self) -> float:
        """The height of one name and its bars."""
        return BAR_PITCH * max(lines(self.names), self.each + _BETWEEN if self.each > 1 else 1)

    @property
    def height(self) -> float:
        """The height of one panel with its title and labels."""
        return self.head + self.bars + FOOT

    @property
    def step(self) -> float:
        """From one bar to the next at the same name, as a part of the way to the next name."""
        return BAR_PITCH / self.pitch

    def pages(self) -> list[Sequence[Case]]:
        """Return the cases that share a figure."""
        rows = max(1, int((PAGE_HEIGHT - 0.8) / self.height))
        return pages(self.cases, [1] * len(self.cases), self.columns * rows)

    def axes(self, sheet: Sheet, count: int) -> tuple[Figure, list[Axes]]:
        """Return a figure with so many panels, the bars named in those on the left."""
        rows = math.ceil(count / self.columns)
        figure = sheet.figure(rows * self.height)
        panels = []
        for index in range(count):
            row, column = divmod(index, self.columns)
            left = self.left + column * (self.across + GAP)
            axes = axes_at(figure, left, (rows - 1 - row) * self.height + FOOT, self.across, self.bars)
            axes.set_yticks(range(len(self.names)), [""] * len(self.names) if column else self.names)
            axes.set_ylim(len(self.names) - (0.4 if self.each == 1 else 0.5), -0.6 if self.each == 1 else -0.5)
            panels.append(axes)
        return figure, panels


def difference_text(seconds: Fraction | None) -> str:
    """Return seconds with their sign, as they stand beside a bar; None is a run that is missing.

    >>> difference_text(Fraction(1, 2)), difference_text(Fraction(-1, 2)), difference_text(Fraction(0))
    ('+500 ms', '−500 ms', '0 s')
    """
    if seconds is None:
        return "not run"
    return "+" * (seconds > 0) + typographic(human_seconds(seconds))


def finish(axes: Axes, room: float, low: float, high: float, beside: Sequence[tuple[bool, str]]) -> None:
    """Give a panel of ``room`` inches its limits and ticks; ``beside`` has the texts (before, or after) of its bars."""
    before, after = (
        max((inches(text) + 0.08 for side, text in beside if side == left), default=0.0) for left in (True, False)
    )
    axes.set_xlim(span(low, high, room, before, after))
    dress_across(axes, 0)
