"""The frames of small results, to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from simulator.report import html, plots

MHZ = 3800
NATIVE_SOFTWARE_HARDWARE = ("native", "software-vmm", "hardware-vmm")
# Adams & Agesen 2006, Figure 4: cycles under the three models.
NANOBENCHMARKS = {
    "syscall": ("syscall", 242, 2308, 246),
    "in": ("port_in", 3209, 216, 15826),
    "ptemod": ("pte_modify", 1, 391, 12733),
}
COLUMNS = {
    "totals": "workload model machine point events total_cycles total_seconds busy_cycles wait_cycles idle_cycles "
    "relative_to_baseline",
    "breakdown": "workload model point event action events actions cycles seconds",
    "comparison": "workload model quantity published modelled error_percent status source",
}

Row = tuple[str, str, str, str, int]
"""Workload, model, point, event, and the cycles of each of 1000 events."""


class Frames:
    """The three frames of a result, from its breakdown."""

    def __init__(self, rows: Sequence[Row], comparison: Sequence[Sequence[Any]] = (), baseline: str = "native") -> None:
        breakdown = [
            (workload, model, point, event, "step", 1000, 1000, Fraction(cost * 1000), Fraction(cost, MHZ * 1000))
            for workload, model, point, event, cost in rows
        ]
        self.breakdown = pd.DataFrame(breakdown, columns=COLUMNS["breakdown"].split())
        busy: dict[tuple[str, str, str], Fraction] = {}
        for workload, model, point, _, cost in rows:
            busy[workload, model, point] = busy.get((workload, model, point), Fraction(0)) + cost * 1000
        totals = []
        for (workload, model, point), cycles in busy.items():
            base = busy.get((workload, baseline, point))
            seconds, ratio = cycles / (MHZ * 10**6), cycles / base if base else None
            totals.append((workload, model, "p4", point, 1000, cycles, seconds, cycles, 0, 0, ratio))
        self.totals = pd.DataFrame(totals, columns=COLUMNS["totals"].split(), dtype=object)
        self.comparison = pd.DataFrame(comparison, columns=COLUMNS["comparison"].split(), dtype=object)

    def draw(self, name: str, baseline: str | None = "native") -> list[tuple[str, Figure]]:
        return plots.draw(name, self.totals, self.breakdown, self.comparison, baseline, "A title")

    def draw_sources(self, sources: Mapping[str, Sequence[str]]) -> list[tuple[str, Figure]]:
        frames = self.totals, self.breakdown, self.comparison
        return plots.draw("overhead-by-source", *frames, "native", "A title", sources)

    def bundle(self, names: Sequence[str], directory: Path, baseline: str | None = "native") -> plots.Bundle:
        frames = self.totals, self.breakdown, self.comparison
        return plots.bundle(*frames, baseline, "A title", names, directory)

    def page(self, **changes: Any) -> str:
        given: dict[str, Any] = {
            "title": "A title",
            "description": "What it is",
            "totals": self.totals,
            "breakdown": self.breakdown,
            "comparison": self.comparison,
            "baseline": "native",
            "resolved_yaml_text": "seed: 1",
            "notes": [],
            "plots": [],
            "provenance": {"seed": 1},
        }
        return html.render(**given | changes)


def nanobenchmarks(models: Sequence[str] = NATIVE_SOFTWARE_HARDWARE) -> Frames:
    rows: list[Row] = []
    comparison = []
    for workload, (event, *costs) in NANOBENCHMARKS.items():
        for model, cost in zip(NATIVE_SOFTWARE_HARDWARE, costs, strict=True):
            if model in models:
                rows.append((workload, model, "", event, cost))
                figure = (workload, model, "cycles_per_event", cost, cost, 0, "input", "Adams & Agesen 2006, Figure 4")
                comparison.append(figure)
    return Frames(rows, comparison)


def many(workloads: int = 20, models: int = 8) -> Frames:
    names = ["native", *(f"hardware-vmm-core{index}" for index in range(1, models))]
    return Frames(
        [
            (f"compile-{workload}files-j{workload}", model, "", "syscall", 3 ** (index + workload % 7))
            for workload in range(workloads)
            for index, model in enumerate(names)
        ]
    )
