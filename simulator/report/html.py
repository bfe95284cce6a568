"""The report as one page that works offline: no outside resource, everything from data escaped.

It stands complete as text. With the counts of the replays it has scripts, too, by which tables and plots follow costs
that are set in it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from simulator.report.scripts import scripts
from simulator.report.tables import (
    BREAKDOWN_COLUMNS,
    Grid,
    Section,
    breakdown_sections,
    comparison_grid,
    footnoted,
    human_seconds,
    ranked_totals_grid,
)

if TYPE_CHECKING:
    import pandas as pd

_CODE = re.compile(r"`([^`\n]+)`")
_COUNTS = 4  # columns of a breakdown without cycles and times
TEMPLATE, INDEX_TEMPLATE = "report.html.j2", "index.html.j2"
_SCREEN_PER_PRINT = 1.35  # plots are set for print, with 7 point text; a screen is read from further away
_ALTERNATIVES = {
    "sweep": "Total time over what the sweep varies, a panel for each workload",
    "time-by-event": "Stacked bars of busy time by event kind, a panel for each workload and a bar for each model",
    "overhead-by-event": "Stacked bars of busy time over the baseline by event kind, what is saved to the left of zero",
    "overhead-by-source": "Bars of busy time over the baseline by source and model, what is saved to the left of zero",
    "performance": "Bars of the performance in percent of the baseline's, for each workload and model",
    "slowdown": "Bars of the total time relative to the baseline, for each workload and model",
    "blame": "Busy time relative to the baseline, for each workload and model, with the event that costs most of it",
    "cost-per-event": "Bars of the cycles per event on a logarithmic axis, for each workload and model",
}


class Plot(NamedTuple):
    """An SVG as the page takes it in: a data URI, so that the ids inside several of them cannot meet."""

    uri: str
    alternative: str
    width: int


class SweepPart(NamedTuple):
    """What the page of a sweep has besides that of a run, at whose place it has the ``first`` of its points.

    Where exits stand alone, its tables of times are left out.

    ``note`` says why not every point can be chosen, or none, and what to run; empty if all can.
    """

    first: str
    note: str
    extremes: Grid
    totals: Grid


class ExitsPart(NamedTuple):
    """The exits of a run, and the models without any; ``alone``: in place of totals, as no time means anything."""

    grid: Grid
    without: str
    alone: bool = False


class WorkloadBreakdown(NamedTuple):
    """The breakdowns of one workload's runs."""

    workload: str
    sections: list[Section]


def render(  # noqa: PLR0917 - the parts of the page, from top to bottom
    title: str,
    description: str,
    totals: pd.DataFrame,
    breakdown: pd.DataFrame,
    comparison: pd.DataFrame,
    resolved_yaml_text: str,
    notes: Sequence[str],
    plots: Iterable[Path],
    provenance: Mapping[str, object],
    baseline: str | None = None,
    remarks: Sequence[str] = (),
    uncertainty: pd.DataFrame | None = None,
    live: Mapping[str, Any] | None = None,
    sweep: SweepPart | None = None,
    warnings: Sequence[str] = (),
    exits: ExitsPart | None = None,
    about_times: Sequence[str] = (),
) -> str:
    """Return the page.

    ``warnings`` stand on top, ``notes`` below the totals; in both, and in the description, backticks mark code.
    ``plots`` are SVG files in the order they are shown; ``baseline`` is named where it is given; ``remarks`` stand
    below the comparison; ``uncertainty`` has between what totals lie; ``live`` is what the page prices again
    (``live_data``), without which it has no scripts; with ``sweep``, all but that and the plots is of its first point.
    ``about_times`` are those of the notes that stand above the first table.
    """
    figures, sources = footnoted(comparison_grid(comparison))
    return (
        _environment()
        .get_template(TEMPLATE)
        .render(
            title=title,
            description=description,
            totals=ranked_totals_grid(totals, uncertainty, baseline),
            live=live,
            sweep=sweep,
            scripts=scripts() if live else (),
            baseline=baseline,
            comparison=figures,
            sources=sources,
            remarks=remarks,
            breakdowns=list(_breakdowns(breakdown)),
            breakdown_columns=BREAKDOWN_COLUMNS[:_COUNTS] if exits and exits.alone else BREAKDOWN_COLUMNS,
            resolved_yaml_text=resolved_yaml_text,
            notes=[note for note in notes if note not in about_times],
            exits=exits,
            about_times=about_times,
            warnings=warnings,
            plots=[_plot(path) for path in plots],
            provenance={name: str(value) for name, value in provenance.items()},
        )
    )


class IndexEntry(NamedTuple):
    """An experiment of a collection: where its report is, and why it failed; empty if there is none, if it did not.

    ``plot`` is the SVG file of the plot that stands for it, None if there is none.
    """

    name: str
    title: str
    link: str
    error: str
    plot: Path | None = None


def render_index(title: str, entries: Sequence[IndexEntry], comparison: pd.DataFrame, remarks: Sequence[str]) -> str:
    """Return the page of a collection: its experiments with links to their reports, and all comparisons."""
    template = _environment().get_template(INDEX_TEMPLATE)
    figures, sources = footnoted(comparison_grid(comparison))
    return template.render(
        title=title,
        entries=[{**entry._asdict(), "plot": _plot(entry.plot) if entry.plot else None} for entry in entries],
        failed=sum(bool(entry.error) for entry in entries),
        comparison=figures,
        groups=[(name, list(rows)) for name, rows in groupby(figures.rows, itemgetter(0))],
        sources=sources,
        remarks=remarks,
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["human_seconds"] = human_seconds
    environment.filters["with_code"] = _with_code
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}  # models and actions stand in their order
    return environment


def _with_code(text: str) -> Markup:
    """Return a text for the page, what stands between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def _breakdowns(breakdown: pd.DataFrame) -> Iterator[WorkloadBreakdown]:
    for workload in dict.fromkeys(str(name) for name in breakdown["workload"]):
        yield WorkloadBreakdown(workload, list(breakdown_sections(breakdown, workload)))


def _plot(path: Path) -> Plot:
    """Read an SVG file; its width on the screen follows the width it says it has in print."""
    text = path.read_text(encoding="utf-8")
    points = re.search(r'<svg[^>]*?\bwidth="([\d.]+)pt"', text)
    width = round(float(points.group(1)) * 96 / 72 * _SCREEN_PER_PRINT) if points else 900
    data = base64.b64encode(text.encode()).decode("ascii")
    return Plot(f"data:image/svg+xml;base64,{data}", _alternative(path.stem), width)


def _alternative(stem: str) -> str:
    """Return what a plot shows, in words, from the name of its file.

    >>> _alternative("slowdown-2")
    'Bars of the total time relative to the baseline, for each workload and model (page 2)'
    """
    name, _, page = stem.rpartition("-")
    if page.isdecimal() and name in _ALTERNATIVES:
        return f"{_ALTERNATIVES[name]} (page {page})"
    return _ALTERNATIVES.get(stem, stem)
