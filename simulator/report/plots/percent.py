"""Performance in percent of the baseline's as vertical bars, after Adams & Agesen 2006, Figures 2 and 3."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from matplotlib.ticker import MultipleLocator

from simulator.report.plots.data import Bounds, Inputs, percent_of_baseline, published
from simulator.report.plots.figure import Picture, span
from simulator.report.plots.style import INK, WHITE
from simulator.report.plots.upright import HEIGHT, UprightBars
from simulator.report.tables import human_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def performance(inputs: Inputs) -> Picture:
    """The baseline's total time in percent of each model's: more is better; published values as marks."""
    bars = percent_of_baseline(inputs.totals, inputs.baseline)
    styles = inputs.styles(inputs.present(bars))
    marks = published(inputs.comparison, "percent_of_baseline", bars)
    plot = _Performance(
        f"{inputs.title} – performance", bars, marks, styles, _bounds(inputs), inputs.baseline or "the baseline"
    )
    return Picture([partial(plot.draw, cases) for cases in plot.pages()])


def _bounds(inputs: Inputs) -> Bounds:
    """Return the low and the high of a performance: it is highest where the time is lowest."""
    return {
        case: {
            model: (100 / high, 100 / low)
            for model, (low, high) in models.items()
            if low > 0 and model != inputs.baseline
        }
        for case, models in inputs.bounds("relative_low", "relative_high").items()
    }


@dataclass(frozen=True)
class _Performance(UprightBars):
    """Percent from zero, with a line at the baseline."""

    baseline: str
    text_box: ClassVar[dict[str, Any] | None] = {"facecolor": WHITE, "linewidth": 0, "pad": 1.2}

    def span(self, axes: Axes) -> float:
        """Show zero, the baseline, and the value above the largest bar."""
        top = max([100.0, *self.values()])
        axes.set_ylim(span(0, top, HEIGHT, after=self.longest_text()))
        axes.set_ylabel(f"performance (% of {self.baseline})")
        axes.yaxis.set_major_locator(MultipleLocator(_step(top)))
        axes.grid(axis="y")
        axes.axhline(100, color=INK, linewidth=0.8, linestyle=(0, (4, 2)), zorder=2)
        return 0.0

    def text(self, value: float | None) -> str:
        """Return percent without the sign, which stands at the axis."""
        if value is None:
            return "not run"
        return f"{value:.1f}" if 10 <= value < 1000 else human_count(str(round(value, 6)))


def _step(top: float) -> int:
    """Return how far ticks are apart, such that 100 has one where there are few.

    >>> _step(105), _step(180), _step(2500)
    (20, 50, 400)
    """
    return 20 if top <= 140 else 50 if top <= 300 else 100 * math.ceil(top / 700)
