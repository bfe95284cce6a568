"""Busy time by event kind as stacked bars: a panel a workload with its own scale, a bar a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from matplotlib.lines import Line2D

from simulator.report.plots.data import (
    Case,
    Inputs,
    Stacks,
    busy_seconds,
    folded,
    over_baseline,
    shown_kinds,
)
from simulator.report.plots.figure import (
    Picture,
    Sheet,
    handles,
    text_beside,
)
from simulator.report.plots.panels import Panels, difference_text, finish
from simulator.report.plots.style import (
    INK,
    WHITE,
    event_style,
)
from simulator.report.plots.text import listed, typographic, wrap
from simulator.report.tables import human_seconds, time_unit

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NET: Mapping[str, Any] = {"linestyle": "", "marker": "D", "markersize": 3, "color": INK, "markeredgecolor": WHITE}


def time_by_event(inputs: Inputs) -> Picture:
    """Busy time by event kind."""
    return _picture(inputs, busy_seconds(inputs.breakdown), "busy time")


def overhead_by_event(inputs: Inputs) -> Picture:
    """Busy time beyond the baseline's by event kind; what is cheaper than the baseline goes to the left of zero."""
    overhead = over_baseline(busy_seconds(inputs.breakdown), inputs.baseline)
    return _picture(inputs, overhead, f"busy time over {inputs.baseline}", signed=True)


def _picture(inputs: Inputs, stacks: Stacks, quantity: str, signed: bool = False) -> Picture:
    """Show the workloads that have something to break down; if none has, all."""
    shown = {case: models for case, models in stacks.items() if case.workload in inputs.mixed} or stacks
    left_out = dict.fromkeys(case.workload for case in stacks if case not in shown)
    models = inputs.present(shown)
    panels = Panels(list(shown), [wrap(model, 1.3) for model in models])
    kinds = shown_kinds(shown)
    legend = handles({kind: event_style(kind) for kind in kinds}) + _net_handle(shown)
    sheet = Sheet(panels.width, f"{inputs.title} – {quantity} by event", legend)
    bars = _StackedBars(sheet, panels, shown, models, kinds, quantity, signed)
    note = f"{listed(left_out)} (events of one kind only, so nothing to break down)" if left_out else ""
    return Picture([partial(bars.draw, cases) for cases in panels.pages()], note)


def _net_handle(stacks: Stacks) -> list[Artist]:
    """Return the legend's entry for the mark of the sum, where a bar goes to both sides."""
    bars = (events.values() for models in stacks.values() for events in models.values())
    both = any(min(parts, default=0) < 0 < max(parts, default=0) for parts in bars)
    return [Line2D([], [], label="net", **_NET)] if both else []


@dataclass(frozen=True)
class _StackedBars:
    """What the panels show."""

    sheet: Sheet
    panels: Panels
    stacks: Stacks
    models: Sequence[str]
    kinds: Sequence[str]
    quantity: str
    signed: bool

    def draw(self, cases: Sequence[Case]) -> Figure:
        """Draw a page."""
        figure, grid = self.panels.axes(self.sheet, len(cases))
        for axes, case in zip(grid, cases, strict=True):
            unit = self._panel(axes, [self.stacks[case].get(model) for model in self.models])
            axes.set_title(case.label(self.panels.across), pad=4)
            axes.set_xlabel(f"{self.quantity} ({unit})")
        return figure

    def _panel(self, axes: Axes, runs: Sequence[dict[str, Fraction] | None]) -> str:
        """Draw a bar a run, negative parts to the left of zero, the sum beside it; return the unit of the axis."""
        stacks = [folded(events or {}, self.kinds) for events in runs]
        power, unit = time_unit(max(max(map(abs, _ends(parts))) for parts in stacks))
        scaled = [{kind: part * 10.0**-power for kind, part in parts.items()} for parts in stacks]
        ends = [_ends(parts) for parts in scaled]
        beside: list[tuple[bool, str]] = []
        for index, (events, parts, (left, right)) in enumerate(zip(runs, scaled, ends, strict=True)):
            _stacked_bar(axes, index, parts)
            before = sum(parts.values()) < 0
            text = self._text(events)
            beside.append((before, text))
            text_beside(axes, left if before else right, index, text, before)
        low, high = min(left for left, _ in ends), max(right for _, right in ends)
        finish(axes, self.panels.across, low, high, beside)
        return unit

    def _text(self, events: Mapping[str, Fraction] | None) -> str:
        if events is None or self.signed:
            return difference_text(None if events is None else sum(events.values(), Fraction(0)))
        return typographic(human_seconds(sum(events.values(), Fraction(0))))


def _ends(parts: Mapping[str, float]) -> tuple[float, float]:
    """Return how far the negative and the positive parts of a bar reach."""
    return sum(part for part in parts.values() if part < 0), sum(part for part in parts.values() if part > 0)


def _stacked_bar(axes: Axes, index: int, parts: Mapping[str, float]) -> None:
    """Draw the parts without edges, which would hide thin ones, and one edge around them all."""
    reach = {True: 0.0, False: 0.0}
    for kind, part in parts.items():
        if part:
            axes.barh(index, part, 0.72, left=reach[part > 0], **event_style(kind).bar, linewidth=0)
            reach[part > 0] += part
    left, right = reach[False], reach[True]
    axes.barh(index, right - left, 0.72, left=left, fill=False, edgecolor=INK)
    if left and right:
        axes.plot([left + right], [index], **_NET)
