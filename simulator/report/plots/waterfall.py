"""A waterfall: from one total to another in named steps, as horizontal bars on one axis of time."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from simulator.report.plots.figure import Sheet, axes_at, dress_across, handles, span, text_beside
from simulator.report.plots.panels import difference_text
from simulator.report.plots.style import (
    BAR_PITCH,
    BLUE,
    FOOT,
    GAP,
    INK,
    LIGHT_GREY,
    SINGLE_COLUMN,
    VERMILION,
    Style,
    settings,
)
from simulator.report.plots.text import inches, lines, typographic, widest, wrap
from simulator.report.tables import human_seconds, time_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Named = tuple[str, Fraction]

_NAME = 1.6  # inches for a line of the name of a step
_CUT = 4  # the axis begins at zero unless the totals are so many times what the steps reach over
_TOTAL, _LONGER, _SHORTER = Style(LIGHT_GREY), Style(VERMILION, "////"), Style(BLUE)


def waterfall(title: str, ends: tuple[Named, Named], steps: Sequence[Named], of: str) -> Figure:
    """Draw a waterfall from the first of two totals to the second; all are seconds, and the steps add up.

    Where the steps could not be seen beside the totals, the axis does not begin at zero, and says so.
    """
    names = [wrap(name, _NAME) for name in (ends[0][0], *(name for name, _ in steps), ends[1][0])]
    levels = list(accumulate((seconds for _, seconds in steps), initial=ends[0][1]))
    low, high = min(levels), max(levels)
    cut = low > _CUT * (high - low)
    origin = low - (high - low) / 2 if cut else Fraction(0)
    power, unit = time_unit(high or 1)
    left = widest(names) + 0.1
    across, height = SINGLE_COLUMN - left - GAP, BAR_PITCH * lines(names) * len(names)
    with settings():
        legend = handles({"total": _TOTAL, "takes longer": _LONGER, "saves time": _SHORTER})
        figure = Sheet(SINGLE_COLUMN, title, legend).figure(height + FOOT + 0.05)
        axes = axes_at(figure, left, FOOT, across, height)
        scaled = [float(level / Fraction(10) ** power) for level in (*levels, origin)]
        *tops, start = scaled
        texts = [human_seconds(ends[0][1]), *(difference_text(s) for _, s in steps), human_seconds(ends[1][1])]
        axes.set_xlim(span(start, max(tops), across, after=max(map(inches, texts)) + 0.1))
        axes.set_ylim(len(names) - 0.4, -0.6)
        _bars(axes, start, tops, [typographic(text) for text in texts])
        axes.set_yticks(range(len(names)), names)
        dress_across(axes, start)
        axes.set_xlabel(f"{of} time ({unit}{', axis cut' if cut else ''})")
    return figure


def _bars(axes: Axes, start: float, tops: Sequence[float], texts: Sequence[str]) -> None:
    """Draw the first total, a bar from each level to the next, and the last total; lines lead from bar to bar."""
    axes.barh(0, tops[0] - start, 0.72, left=start, **_TOTAL.bar)
    text_beside(axes, tops[0], 0, texts[0], before=False)
    for row, (level, following) in enumerate(pairwise(tops), 1):
        style = _LONGER if following > level else _SHORTER
        axes.barh(row, following - level, 0.72, left=level, **style.bar)
        axes.plot([level, level], [row - 1.36, row + 0.36], color=INK, linewidth=0.5)
        text_beside(axes, max(level, following), row, texts[row], before=False)
    axes.barh(len(tops), tops[-1] - start, 0.72, left=start, **_TOTAL.bar)
    text_beside(axes, tops[-1], len(tops), texts[-1], before=False)
