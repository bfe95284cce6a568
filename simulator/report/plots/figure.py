"""Parts that the plots have in common: a page with title and legend, axes of a known size, values beside bars."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from simulator.report.plots.data import Case
from simulator.report.plots.style import DPI, INK, LINE, PAGE_HEIGHT, WHITE, Style
from simulator.report.plots.text import inches, typographic, wrap

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

PUBLISHED: Mapping[str, Any] = {
    "color": INK,
    "linewidth": 1.4,
    "solid_capstyle": "butt",
    "path_effects": [withStroke(linewidth=2.0, foreground=WHITE)],
}
"""What the mark of a published value looks like: a line across its bar, with a rim that parts it from a dark one."""
WHISKER: Mapping[str, Any] = {
    "fmt": "none",
    "ecolor": INK,
    "elinewidth": 0.8,
    "capsize": 1.6,
    "capthick": 0.8,
    "zorder": 4,
}
"""What the low and the high of a value look like: a line from end to end."""
_KEY = 0.36  # inches of an entry of a legend beside its text
_LEGEND: Mapping[str, Any] = {
    "frameon": False,
    "borderpad": 0,
    "borderaxespad": 0,
    "labelspacing": 0.4,
    "columnspacing": 1.2,
    "handlelength": 1.8,
    "handleheight": 0.9,
    "handletextpad": 0.5,
}


@dataclass(frozen=True)
class Picture:
    """A plot that is ready to be drawn: what draws each of its pages, and what was left out."""

    pages: Sequence[Callable[[], Figure]]
    note: str = ""


@dataclass(frozen=True)
class Sheet:
    """What the pages of a plot have in common: their width, their title, and their legend, which stand on top."""

    width: float
    title: str
    handles: Sequence[Artist]

    @property
    def _titles(self) -> list[str]:
        return wrap(self.title, 0.75 * self.width).split("\n")

    @property
    def _labels(self) -> list[str]:
        return [wrap(str(handle.get_label()), self.width - _KEY) for handle in self.handles]

    @property
    def _columns(self) -> int:
        if any("\n" in label for label in self._labels):
            return 1
        longest = max(map(inches, self._labels), default=self.width)
        return max(1, min(len(self.handles), int(self.width / (longest + _KEY))))

    @property
    def _legend(self) -> float:
        """The inches of the legend."""
        more = sum(label.count("\n") for label in self._labels)
        return 0.14 * math.ceil(len(self.handles) / self._columns) + LINE * more

    @property
    def _top(self) -> float:
        """The inches of the title."""
        return 0.06 + 0.14 * len(self._titles)

    @property
    def room(self) -> float:
        """The inches that a page has below title and legend."""
        return PAGE_HEIGHT - self._top - self._legend

    def figure(self, height: float) -> Figure:
        """Return a figure with so many inches of room below its title and legend."""
        top = self._top
        whole = height + top + self._legend
        figure = Figure(figsize=(self.width, whole), dpi=DPI)
        FigureCanvasAgg(figure)
        figure.text(0.01, 1 - 0.04 / whole, "\n".join(self._titles), va="top", fontsize=8, fontweight="bold")
        if self.handles:
            figure.legend(
                handles=self.handles,
                labels=self._labels,
                ncols=self._columns,
                loc="upper left",
                bbox_to_anchor=(0.01, 1 - top / whole),
                **_LEGEND,
            )
        return figure


def handles(styles: Mapping[str, Style]) -> list[Artist]:
    """Return the entries of a legend."""
    return [Patch(label=name, **style.bar) for name, style in styles.items()]


def published_handle() -> Artist:
    """Return the entry of a legend for published values."""
    return Line2D([], [], label="published", **PUBLISHED)


def whisker_handle() -> Artist:
    """Return the entry of a legend for lows and highs."""
    return Line2D([], [], label="all costs low to high", color=INK, linewidth=0.8, marker="|", markersize=4)


def around(value: float, ends: tuple[float, float]) -> list[list[float]]:
    """Return the ends of a whisker as distances from a value, as matplotlib wants them."""
    return [[max(0.0, value - min(ends))], [max(0.0, max(ends) - value)]]


def axes_at(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Return axes at a place in inches: it is known beforehand, so no layout has to be searched for."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def pages(cases: Sequence[Case], sizes: Sequence[float], limit: float) -> list[Sequence[Case]]:
    """Return the cases by page: their sizes sum to at most ``limit`` a page; a case alone may exceed it."""
    starts, total = [0], 0.0
    for index, size in enumerate(sizes):
        if index > starts[-1] and total + size > limit:
            starts.append(index)
            total = 0.0
        total += size
    return [cases[start:end] for start, end in zip(starts, [*starts[1:], len(cases)], strict=True)]


def span(low: float, high: float, room: float, before: float = 0.0, after: float = 0.0) -> tuple[float, float]:
    """Return the limits of an axis of ``room`` inches that shows a range and has inches to spare on either side.

    >>> span(0, 10, 3, after=1)
    (0.0, 15.0)
    """
    unit = ((high - low) or 1.0) / max(room - before - after, room / 5)
    return low - before * unit, high + after * unit


def log_span(low: float, high: float, room: float, before: float = 0.0, after: float = 0.0) -> tuple[float, float]:
    """Return the same for a logarithmic axis."""
    ends = span(math.log10(low), math.log10(high), room, before, after)
    return 10 ** ends[0], 10 ** ends[1]


def is_in_the_way(mark: float | None, value: float, before: float, after: float) -> bool:
    """Whether a published value stands where the text of a bar would, in a range that begins at its end.

    A mark at the end itself, or before it, leaves the text alone. All are places in the same unit.

    >>> is_in_the_way(12, 10, 0.5, 5), is_in_the_way(10.2, 10, 0.5, 5), is_in_the_way(16, 10, 0.5, 5)
    (True, False, False)
    """
    return mark is not None and before < mark - value < after


def text_beside(axes: Axes, x: float, y: float, text: str, before: bool) -> None:
    """Write a value beside the end of a horizontal bar."""
    axes.annotate(
        text,
        (x, y),
        (-2 if before else 2, 0),
        textcoords="offset points",
        va="center_baseline",
        bbox={"facecolor": WHITE, "linewidth": 0, "pad": 0.3},
        ha="right" if before else "left",
    )


def dress_across(axes: Axes, origin: float) -> None:
    """Give axes with horizontal bars their line of origin, a grid, and few round ticks."""
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], min_n_ticks=3))
    axes.xaxis.set_major_formatter(FuncFormatter(_tick))
    axes.grid(axis="x")
    axes.axvline(origin, color=INK, linewidth=0.6)


def _tick(value: float, _position: int | None = None) -> str:
    return typographic(f"{value:,.10g}")


def log_ticks(axis: Axis, most: int) -> None:
    """Give a logarithmic axis whose limits are set ticks at decades, and between them where there are few decades."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(FixedLocator(list(_log_places(low, high, most))))
    axis.set_major_formatter(FuncFormatter(short_tick))
    axis.set_minor_formatter(NullFormatter())


def _log_places(low: float, high: float, most: int) -> Iterator[float]:
    """Yield places of ticks: 1 is one of them if it is in the range.

    >>> list(_log_places(0.05, 9e3, 3)), list(_log_places(0.9, 12, 5))
    ([1, 100], [1, 2, 5, 10])
    """
    first, last = math.ceil(math.log10(low)) - 1, math.floor(math.log10(high))
    step = math.ceil((last - first) / most)
    for decade in range(first, last + 1):
        for digit in (1, 2, 5) if high < 200 * low else (1,) if decade % step == 0 else ():
            place = digit * 10**decade
            if low <= place <= high:
                yield place


def short_tick(value: float, _position: int | None = None) -> str:
    """Return what stands beside a tick at 0 or above, thousands as k, millions as M.

    >>> short_tick(0), short_tick(0.5), short_tick(2e7)
    ('0', '0.5', '20M')
    """
    thousands = max(0, math.floor(math.log10(value) + 1e-9) // 3) if value else 0
    return f"{value / 10 ** (3 * thousands):g}{('', 'k', 'M', 'G', 'T', 'P')[thousands]}"
