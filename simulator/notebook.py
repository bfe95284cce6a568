"""For notebooks: `simulator.run` gives results as DataFrames, plots and tables.

Numbers in frames are floats, to compute and draw with; the exact ones are in ``Results.exact``, and in the CSV files.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from simulator.analysis.explain import Explanation, Total, explain, side
from simulator.engine import ENGINES
from simulator.errors import InputError, did_you_mean
from simulator.events import BY_CODE
from simulator.report.exits import exits_for_totals, exits_grid
from simulator.report.explained import steps
from simulator.report.tables import Grid, comparison_grid, totals_grid
from simulator.report.writer import write_result
from simulator.result import BreakdownRow, ComparisonRow, Result, TotalsRow, frame
from simulator.run import run_experiment
from simulator.spec.build import Experiment, load_experiment
from simulator.spec.library import find
from simulator.spec.node import plain, readable
from simulator.workload.untold import times_notes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Settings = Sequence[str] | Mapping[str, object]
"""As after --set: ``["models.*.costs.vm_exit=965 cycles"]``, or ``{"models.*.costs.vm_exit": "965 cycles"}``."""


def run(experiment: str | Path, settings: Settings = (), engine: str = "fast") -> Results:
    """Run an experiment: a path, or a name that `vmmsim list` shows; ``engine`` is ``fast`` or ``reference``.

    Raises:
        InputError: there is no such experiment or engine, or something in it or in the settings is wrong.
        RunError: a replay cannot end.
    """
    if engine not in ENGINES:
        raise InputError(f"no engine '{engine}'{did_you_mean(engine, ENGINES)}; there is {', '.join(ENGINES)}")
    path = find(str(experiment), "experiment", Path())
    loaded = load_experiment(path, _listed(settings))
    return Results(run_experiment(loaded, ENGINES[engine]), loaded, path, tuple(_listed(settings)), engine)


def _listed(settings: Settings) -> list[str]:
    if isinstance(settings, str):
        raise InputError(f"settings: expected a list or a mapping, found the text '{settings}'")
    if isinstance(settings, Mapping):
        return [f"{path}={value}" for path, value in settings.items()]
    return list(settings)


@dataclass(frozen=True)
class Results:
    """What came of a run. ``exact`` is the result itself, with integers and decimals; a notebook shows its totals."""

    exact: Result
    experiment: Experiment
    path: Path
    settings: tuple[str, ...]
    engine: str

    @cached_property
    def frames(self) -> Frames:
        """The result as DataFrames."""
        return Frames(self.exact)

    @property
    def plot(self) -> Plots:
        """The plots of the result, as matplotlib figures."""
        return Plots(self.exact)

    def change(self, settings: Settings) -> Results:
        """Run again with further settings; where only prices change and nothing waits, counts are priced again.

        ``exact.metadata["earlier"]`` says how many runs were priced again, and why others were replayed.

        Raises:
            InputError: a setting is wrong.
        """
        every = (*self.settings, *_listed(settings))
        loaded = load_experiment(self.path, every)
        result = run_experiment(loaded, ENGINES[self.engine], earlier=self.exact)
        return Results(result, loaded, self.path, every, self.engine)

    def explain(
        self, workload: str, before: str, after: str, of: Total = "total", other: Results | None = None
    ) -> Explanation:
        """Explain why ``after`` takes longer than ``before``, two models; ``after`` is of ``other`` where it is given.

        Raises:
            InputError: there is no such workload or model.
        """
        return explain(side(self.exact, workload, before), side((other or self).exact, workload, after), of)

    def write(self, directory: str | Path, plots: bool = True) -> None:
        """Write what `vmmsim run` writes.

        Raises:
            InputError: the directory exists and is something else than an earlier result.
        """
        write_result(self.exact, Path(directory), json.dumps(readable(plain(self.experiment.tree)), indent=2), plots)

    def _repr_html_(self) -> str:
        alone = exits_for_totals(self.exact)
        first = exits_grid(self.exact.breakdown) if alone else totals_grid(frame(self.exact.totals, TotalsRow))
        parts = [f"<b>{escape(self.exact.title)}</b>", _table(first)]
        if self.exact.comparison:
            parts.append(_table(comparison_grid(frame(self.exact.comparison, ComparisonRow))))
        parts += [f"<p>warning: {escape(text)}</p>" for text in self.exact.warnings]
        parts += [f"<p>note: {escape(text)}</p>" for text in times_notes(self.exact.false_times)]
        return "\n".join(parts)


@dataclass(frozen=True)
class Frames:
    """A result as tidy DataFrames; the unit of a number stands in the name of its column."""

    _result: Result

    @property
    def totals(self) -> pd.DataFrame:
        """A row for each workload under each model: total, busy, wait and idle time, in cycles and seconds."""
        table = _floats(frame(self._result.totals, TotalsRow))
        rate = [each.clock.mhz * 10**6 for each in self._result.replays]
        for name in ("busy", "wait", "idle"):
            column = list(table.columns).index(f"{name}_cycles")
            table.insert(column + 1, f"{name}_seconds", table[f"{name}_cycles"] / rate)
        return table

    @property
    def breakdown(self) -> pd.DataFrame:
        """A row for each event and action: how many, and what they cost."""
        return _floats(frame(self._result.breakdown, BreakdownRow))

    @property
    def comparison(self) -> pd.DataFrame:
        """Published figures beside modelled ones; the unit is that of the quantity."""
        return _floats(frame(self._result.comparison, ComparisonRow))

    @property
    def counts(self) -> pd.DataFrame:
        """How often each action was taken, by virtual CPU, as whole numbers, and its price in cycles."""
        rows = [
            (each.workload, each.model, each.point, vcpu, BY_CODE[kind].name, action, n, each.ticks[action] / 1000)
            for each in self._result.replays
            for vcpu, counts in enumerate(each.outcome.vcpu_counts)
            for (kind, action), n in sorted(counts.actions.items())
        ]
        names = ["workload", "model", "point", "vcpu", "event", "action", "actions", "cycles_per_action"]
        return pd.DataFrame(rows, columns=names)


_NUMBERS = ("_cycles", "_seconds", "_percent", "_to_baseline", "cycles", "seconds", "published", "modelled")


def _floats(table: pd.DataFrame) -> pd.DataFrame:
    numbers = [name for name in table.columns if name.endswith(_NUMBERS)]
    return table.astype(dict.fromkeys(numbers, float))


@dataclass(frozen=True)
class Plots:
    """The plots of `plots:` in an experiment; each method returns the figure of one page, by default the first."""

    _result: Result

    def time_by_event(self, page: int = 1) -> Figure:
        """Busy time by event kind."""
        return self._page("time-by-event", page)

    def overhead_by_event(self, page: int = 1) -> Figure:
        """Busy time over the baseline by event kind."""
        return self._page("overhead-by-event", page)

    def overhead_by_source(self, page: int = 1) -> Figure:
        """Busy time over the baseline by the sources that references name."""
        return self._page("overhead-by-source", page)

    def slowdown(self, page: int = 1) -> Figure:
        """Total time relative to the baseline's."""
        return self._page("slowdown", page)

    def performance(self, page: int = 1) -> Figure:
        """Performance in percent of the baseline's."""
        return self._page("performance", page)

    def cost_per_event(self, page: int = 1) -> Figure:
        """Busy cycles per event."""
        return self._page("cost-per-event", page)

    def waterfall(self, found: Explanation, by_parameter: bool = False) -> Figure:
        """The steps of an explanation, from one total to the other."""
        from simulator.report.plots.waterfall import waterfall

        ends = ((found.before, found.seconds_before), (found.after, found.seconds_after))
        title = f"{found.workload}: {found.of} time"
        return _shown(waterfall(title, ends, steps(found, by_parameter), found.of))

    def _page(self, name: str, page: int) -> Figure:
        """Draw a plot.

        Raises:
            InputError: the result has nothing to show in it, or no such page.
        """
        from simulator.report.plots import draw

        result = self._result
        frames = frame(result.totals, TotalsRow), frame(result.breakdown, BreakdownRow)
        compared = frame(result.comparison, ComparisonRow)
        found = draw(name, *frames, compared, result.baseline, result.title, result.sources)
        if not 1 <= page <= len(found):
            raise InputError(f"the plot '{name}' has {len(found)} pages, found page={page}")
        return _shown(found[page - 1][1])


def _shown(figure: Any) -> Figure:
    """Let a notebook show a figure, whether pyplot was imported or not."""
    from simulator.report.plots.style import settings

    def png() -> bytes:
        buffer = io.BytesIO()
        with settings():
            figure.savefig(buffer, format="png")
        return buffer.getvalue()

    figure._repr_png_ = png
    shown: Figure = figure
    return shown


def _table(grid: Grid) -> str:
    heads = "".join(f"<th>{escape(column.heading)}</th>" for column in grid.columns)
    aligned = [f'<td style="text-align: {"right" if column.numeric else "left"}">' for column in grid.columns]
    rows = (
        "".join(f"{start}{escape(cell)}</td>" for start, cell in zip(aligned, row, strict=True)) for row in grid.rows
    )
    return f"<table><tr>{heads}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
