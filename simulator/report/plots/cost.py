"""Busy cycles per event as vertical bars on a logarithmic axis, after Adams & Agesen 2006, Figure 4."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from simulator.report.plots.data import Bounds, Inputs, cycles_per_event, published
from simulator.report.plots.figure import Picture, log_span, log_ticks
from simulator.report.plots.text import listed
from simulator.report.plots.upright import HEIGHT, UprightBars
from simulator.report.tables import human_count, records

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def cost_per_event(inputs: Inputs) -> Picture:
    """Busy cycles per event of workloads that are nothing but one kind of event; published values as marks."""
    bars = cycles_per_event(inputs.totals, inputs.mixed)
    styles = inputs.styles(inputs.present(bars))
    marks = published(inputs.comparison, "cycles_per_event", bars)
    plot = _Costs(f"{inputs.title} – cost per event", bars, marks, styles, _bounds(inputs))
    left_out = [str(name) for name in dict.fromkeys(inputs.totals["workload"]) if name in inputs.mixed]
    note = f"{listed(left_out)} (computation or several kinds of events, so no cost of one)" if left_out else ""
    return Picture([partial(plot.draw, cases) for cases in plot.pages()], note)


def _bounds(inputs: Inputs) -> Bounds:
    """Return the low and the high of busy cycles per event."""
    events = {(str(row.workload), str(row.model)): int(row.events) for row in records(inputs.totals)}
    return {
        case: {
            model: (low / events[case.workload, model], high / events[case.workload, model])
            for model, (low, high) in models.items()
            if events[case.workload, model]
        }
        for case, models in inputs.bounds("busy_low_cycles", "busy_high_cycles").items()
    }


class _Costs(UprightBars):
    """Cycles on a logarithmic axis."""

    def span(self, axes: Axes) -> float:
        """Show a decade or more, the smallest bar, and the value above the largest."""
        values = self.values()
        floor = min(min(values) / 2, max(values) / 10)
        axes.set_yscale("log")
        axes.set_ylim(log_span(floor, max(values), HEIGHT, after=self.longest_text()))
        axes.set_autoscaley_on(False)
        axes.set_ylabel("busy cycles per event (log scale)")
        log_ticks(axes.yaxis, 8)
        axes.grid(axis="y")
        return floor

    def text(self, value: float | None) -> str:
        """Return cycles, with a prefix where there are many."""
        if value is None:
            return "not run"
        return human_count(str(round(value, 3))) if value < 1000 or value >= 100_000 else f"{value:,.0f}"
