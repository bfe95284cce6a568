"""Overhead by source as horizontal bars: a panel a workload, a group a source, after Adams & Agesen 2006, Figure 5."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from simulator.report.plots.data import (
    Case,
    Inputs,
    Stacks,
    busy_seconds,
    by_source,
    over_baseline,
    published_overhead,
    shown_kinds,
)
from simulator.report.plots.figure import PUBLISHED, Picture, Sheet, handles, published_handle, text_beside
from simulator.report.plots.panels import Panels, difference_text, finish
from simulator.report.plots.style import FOOT, OTHER, PAGE_HEIGHT, Style
from simulator.report.plots.text import listed, wrap
from simulator.report.tables import time_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def overhead_by_source(inputs: Inputs) -> Picture:
    """Busy time beyond the baseline's by the sources that references name, or else by event; published values as marks.

    What no reference names is `other`, so that the bars of a model add up to its overhead.
    """
    overhead = over_baseline(busy_seconds(inputs.breakdown), inputs.baseline)
    published = published_overhead(inputs.comparison)
    shown = {case: models for case, models in overhead.items() if case.workload in published} or overhead
    sources = inputs.sources or {kind: [kind] for kind in shown_kinds(shown) if kind != OTHER}
    stacks = {case: {name: by_source(run, sources) for name, run in runs.items()} for case, runs in shown.items()}
    names = list(
        dict.fromkeys([*sources, *(name for runs in stacks.values() for run in runs.values() for name in run)])
    )
    styles = inputs.styles(inputs.present(stacks))
    legend = [*handles(styles), *([published_handle()] if published else [])]
    whole = _panels(list(stacks), names, styles)
    most = max(1, int((PAGE_HEIGHT - 1.2 - whole.head - FOOT) / whole.pitch))
    groups = [names[start : start + most] for start in range(0, len(names), most)]
    sheet = Sheet(whole.width, f"{inputs.title} – overhead by source", legend)
    bars = _SourceBars(sheet, stacks, published, styles, inputs.baseline or "the baseline")
    left_out = dict.fromkeys(case.workload for case in overhead if case not in shown)
    note = f"{listed(left_out)} (no reference gives its overhead by source)" if left_out else ""
    panels = [_panels(list(stacks), group, styles) for group in groups]
    parts = [_Part(each, group, cases) for each, group in zip(panels, groups, strict=True) for cases in each.pages()]
    return Picture([partial(bars.draw, part) for part in parts], note)


def _panels(cases: Sequence[Case], names: Sequence[str], styles: Mapping[str, Style]) -> Panels:
    return Panels(cases, [wrap(name, 1.1) for name in names], len(styles))


class _Part(NamedTuple):
    """What stands on a page: some of the sources, for some of the workloads."""

    panels: Panels
    sources: Sequence[str]
    cases: Sequence[Case]


@dataclass(frozen=True)
class _SourceBars:
    """What the panels show; those of one workload have the same axis on all pages."""

    sheet: Sheet
    stacks: Stacks
    published: Mapping[str, Mapping[str, Mapping[str, Fraction]]]
    styles: Mapping[str, Style]
    baseline: str

    def draw(self, part: _Part) -> Figure:
        """Draw a page."""
        figure, grid = part.panels.axes(self.sheet, len(part.cases))
        for axes, case in zip(grid, part.cases, strict=True):
            unit = self._panel(axes, part, case)
            axes.set_title(case.label(part.panels.across), pad=4)
            axes.set_xlabel(f"busy time over {self.baseline} ({unit})")
        return figure

    def _panel(self, axes: Axes, part: _Part, case: Case) -> str:
        """Draw a group a source and a bar a model, what is saved to the left of zero; return the unit of the axis."""
        runs, marks = self.stacks[case], self.published.get(case.workload, {})
        places = [
            Fraction(0),
            *(seconds for each in (runs, marks) for run in each.values() for seconds in run.values()),
        ]
        power, unit = time_unit(max(abs(place) for place in places))
        scale = Fraction(10) ** -power
        beside = [self._bar(axes, bar, scale, part.panels.step) for bar in self._bars(part, case)]
        finish(axes, part.panels.across, float(min(places) * scale), float(max(places) * scale), beside)
        return unit

    def _bars(self, part: _Part, case: Case) -> Iterator[_Bar]:
        published = self.published.get(case.workload, {})
        for index, model in enumerate(self.styles):
            run, marks = self.stacks[case].get(model), published.get(model, {})
            for group, source in enumerate(part.sources):
                y = group + (index - (len(self.styles) - 1) / 2) * part.panels.step
                seconds = None if run is None else run.get(source, Fraction(0))
                yield _Bar(y, self.styles[model], seconds, marks.get(source))

    @staticmethod
    def _bar(axes: Axes, bar: _Bar, scale: Fraction, width: float) -> tuple[bool, str]:
        """Draw a bar, the published value across it, and its own beyond both; return that text, and if it is before."""
        text = difference_text(bar.seconds)
        value, mark = (float((number or 0) * scale) for number in (bar.seconds, bar.mark))
        if value:
            axes.barh(bar.y, value, width, **bar.style.bar)
        if bar.mark is not None:
            axes.plot([mark, mark], [bar.y - width / 2, bar.y + width / 2], **PUBLISHED)
        before = value < 0
        text_beside(axes, min(value, mark) if before else max(value, mark), bar.y, text, before)
        return before, text


class _Bar(NamedTuple):
    """A place on the axis of names, how the bar looks, its value (None: not run) and the published one."""

    y: float
    style: Style
    seconds: Fraction | None
    mark: Fraction | None
