"""Total time relative to the baseline's as horizontal bars: a group a workload, a bar a model, the value beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

from matplotlib.ticker import NullLocator

from simulator.report.plots.data import Bars, Bounds, Case, Inputs, published_slowdown, relative_totals
from simulator.report.plots.figure import (
    PUBLISHED,
    WHISKER,
    Picture,
    Sheet,
    around,
    axes_at,
    dress_across,
    handles,
    is_in_the_way,
    log_span,
    log_ticks,
    pages,
    published_handle,
    span,
    text_beside,
    whisker_handle,
)
from simulator.report.plots.style import BAR_PITCH, FOOT, GAP, PAGE_HEIGHT, SINGLE_COLUMN, Style, model_style, settings
from simulator.report.plots.text import inches, lines, widest
from simulator.report.tables import human_ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from simulator.analysis.compare import Compared

Place = Literal["beside", "inside", "beyond"]
"""Where the value of a bar stands: beside its end, in its end, or beyond the mark of a published value."""

_CLEAR = 0.04  # inches around the value of a bar
_TOUCH = 0.03  # inches from the end of a bar to a mark that seems to be at it
_NAME = 1.2  # inches for the name of a group
_BETWEEN = 0.6  # bars that would fit between two groups of bars
_WIDE = 20  # a linear axis shows no more than this ratio between its largest and its smallest value


def slowdown(inputs: Inputs) -> Picture:
    """Total time relative to the baseline's; published values as marks."""
    ratios = relative_totals(inputs.totals, inputs.baseline)
    styles = inputs.styles(inputs.present(ratios))
    marks = published_slowdown(inputs, ratios)
    bounds = inputs.bounds("relative_low", "relative_high")
    legend = [*handles(styles), *([published_handle()] if any(marks.values()) else [])]
    legend += [whisker_handle()] if any(bounds.get(case) for case in ratios) else []
    sheet = Sheet(SINGLE_COLUMN, f"{inputs.title} – total time", legend)
    bars = _Slowdown(sheet, ratios, marks, bounds, styles, inputs.baseline or "the baseline")
    sizes = [bars.size(case) for case in ratios]
    shared = pages(list(ratios), sizes, (PAGE_HEIGHT - 1.2) / BAR_PITCH)
    return Picture([partial(bars.draw, cases) for cases in shared])


def compared(title: str, found: Compared) -> list[Figure]:
    """Draw the total times of several results over those of the first, a group for each workload under each model.

    Runs that take the same time in all are left out, and the title says how many; without others there is no plot.
    """
    ratios: Bars = {}
    for row in found.rows:
        if row.result != found.labels[0] and row.relative_to_first is not None:
            case = Case(row.workload, ", ".join(filter(None, (row.model, row.point))))
            ratios.setdefault(case, {})[row.result] = float(row.relative_to_first)
    differing = {case: bars for case, bars in ratios.items() if any(ratio != 1 for ratio in bars.values())}
    if alike := len(ratios) - len(differing):
        title += f" ({alike} of {len(ratios)} runs take the same time, and are left out)"
    if not differing:
        return []
    ratios = differing
    styles = {label: model_style(n) for n, label in enumerate(found.labels) if n}
    bars = _Slowdown(Sheet(SINGLE_COLUMN, title, handles(styles)), ratios, {}, {}, styles, found.labels[0])
    with settings():
        sizes = [bars.size(case) for case in ratios]
        return [bars.draw(cases) for cases in pages(list(ratios), sizes, (PAGE_HEIGHT - 1.2) / BAR_PITCH)]


@dataclass(frozen=True)
class _Slowdown:
    """What the pages show; all have the same axis, so that they can be compared."""

    sheet: Sheet
    ratios: Bars
    published: Bars
    bounds: Bounds
    styles: dict[str, Style]
    baseline: str

    @cached_property
    def values(self) -> list[float]:
        """All values that have a place on the axis, and 1."""
        bars = (*self.ratios.values(), *self.published.values())
        ends = [end for case in self.ratios for model in self.styles for end in self._ends(case, model)]
        return [1.0, *(value for models in bars for value in models.values() if value > 0), *ends]

    @cached_property
    def log(self) -> bool:
        """Whether the axis is logarithmic; bars then grow from 1 to both sides."""
        return max(self.values) / min(self.values) > _WIDE

    @cached_property
    def left(self) -> float:
        """The inches for the names of the groups."""
        return widest(case.label(_NAME) for case in self.ratios) + 0.1

    @cached_property
    def across(self) -> float:
        """The width of the axes in inches."""
        return self.sheet.width - self.left - GAP

    def size(self, case: Case) -> float:
        """Return how many bars a group is high, with the gap to the next."""
        return max(len(self.ratios[case]), lines([case.label(_NAME)])) + _BETWEEN

    def draw(self, cases: Sequence[Case]) -> Figure:
        """Draw a page."""
        ends = list(accumulate(self.size(case) for case in cases))
        figure = self.sheet.figure(BAR_PITCH * ends[-1] + FOOT)
        axes = axes_at(figure, self.left, FOOT, self.across, BAR_PITCH * ends[-1])
        self._span(axes)
        if any(self._is_cut(axes, case, model) for case in self.ratios for model in self.ratios[case]):
            self._span(axes, beyond=True)
        middles = [end - self.size(case) / 2 for end, case in zip(ends, cases, strict=True)]
        for middle, case in zip(middles, cases, strict=True):
            self._group(axes, middle, case)
        axes.set_ylim(ends[-1], 0)
        axes.set_yticks(middles, [case.label(_NAME) for case in cases])
        dress_across(axes, 1)
        self._ticks(axes)
        axes.set_xlabel(f"total time over {self.baseline} (×{', log scale' if self.log else ''})")
        return figure

    def _group(self, axes: Axes, middle: float, case: Case) -> None:
        start, bars = 1.0 if self.log else 0.0, self.ratios[case]
        for index, model in enumerate(filter(bars.__contains__, self.styles)):
            y = middle + index - (len(bars) - 1) / 2
            end = max(bars[model], min(self.values)) if self.log else bars[model]
            axes.barh(y, end - start, 0.8, left=start, **self.styles[model].bar)
            mark = self.published.get(case, {}).get(model)
            if mark:
                axes.plot([mark, mark], [y - 0.4, y + 0.4], **PUBLISHED)
            ends = self._ends(case, model)
            if ends:
                axes.errorbar(bars[model], y, xerr=around(bars[model], (min(ends), max(ends))), **WHISKER)
            self._text(axes, y, case, model)

    def _end(self, case: Case, model: str) -> float:
        """Return where a bar ends, with its low and high."""
        value = self.ratios[case][model]
        end = max(value, min(self.values)) if self.log else value
        ends = [end, *self._ends(case, model)]
        return min(ends) if self._before(value) else max(ends)

    def _place(self, axes: Axes, case: Case, model: str) -> Place:
        """Return where the value of a bar goes: beside it, or into its end if a mark is in the way there, or beyond."""
        value, mark = self.ratios[case][model], self.published.get(case, {}).get(model)
        if not mark or model not in self.styles:
            return "beside"
        ends = (1.0 if self.log else 0.0, self._end(case, model), mark)
        start, tip, across = (float(axes.transData.transform((x, 0))[0]) / axes.figure.dpi for x in ends)
        towards, need = -1 if self._before(value) else 1, inches(human_ratio(str(value))) + _CLEAR
        if not is_in_the_way(towards * across, towards * tip, _TOUCH, need):
            return "beside"
        return "inside" if abs(tip - start) >= need + _TOUCH else "beyond"

    def _is_cut(self, axes: Axes, case: Case, model: str) -> bool:
        """Whether the value of a bar stands beyond a mark, and leaves the axes there."""
        if self._place(axes, case, model) != "beyond":
            return False
        mark, value = self.published[case][model], self.ratios[case][model]
        limit = axes.get_xlim()[0 if self._before(value) else 1]
        edge, across = (float(axes.transData.transform((x, 0))[0]) / axes.figure.dpi for x in (limit, mark))
        return abs(edge - across) < inches(self._with_published(human_ratio(str(value)), mark)) + _CLEAR

    def _text(self, axes: Axes, y: float, case: Case, model: str) -> None:
        """Write the value of a bar; beyond a mark, that is named with it, lest the value be taken for the mark's."""
        value, end = self.ratios[case][model], self._end(case, model)
        text, before = human_ratio(str(value)), self._before(value)
        match self._place(axes, case, model):
            case "beside":
                text_beside(axes, end, y, text, before=before)
            case "inside":
                text_beside(axes, end, y, text, before=not before)
            case "beyond":
                mark = self.published[case][model]
                text_beside(axes, mark, y, self._with_published(text, mark), before=before)

    @staticmethod
    def _with_published(text: str, mark: float) -> str:
        return f"{text} (published {human_ratio(str(mark))})"

    def _ends(self, case: Case, model: str) -> tuple[float, ...]:
        """Return the low and the high of a bar, nothing where it has none; a low of zero has no place on a log axis."""
        return tuple(end for end in self.bounds.get(case, {}).get(model, ()) if end > 0)

    def _before(self, value: float) -> bool:
        return self.log and value < 1

    def _span(self, axes: Axes, beyond: bool = False) -> None:
        """Set the limits, with room for the values beside the bars; ``beyond`` a mark, for that in words, too."""
        texts: dict[bool, list[float]] = {True: [0.0], False: [0.0]}
        for case, bars in self.ratios.items():
            for model, value in bars.items():
                text, mark = human_ratio(str(value)), self.published.get(case, {}).get(model)
                if beyond and mark:
                    text = self._with_published(text, mark)
                texts[self._before(value)].append(inches(text) + 0.08)
        before, after = max(texts[True]), max(texts[False])
        low, high = min(self.values), max(self.values)
        if self.log:
            axes.set_xscale("log")
            axes.set_xlim(log_span(low, high, self.across, before, after))
        else:
            axes.set_xlim(span(0, high, self.across, after=after))

    def _ticks(self, axes: Axes) -> None:
        if not self.log:
            return
        log_ticks(axes.xaxis, 5)
        axes.xaxis.set_minor_locator(NullLocator())
