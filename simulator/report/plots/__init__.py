"""Plots of a result, for print: the same input always gives the same bytes, and nothing global is touched.

Import this package only where plots are drawn: it loads matplotlib.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG

from simulator.errors import InputError, did_you_mean
from simulator.report.plots.blame import blame
from simulator.report.plots.cost import cost_per_event
from simulator.report.plots.data import Inputs, NothingToDrawError
from simulator.report.plots.figure import Picture
from simulator.report.plots.percent import performance
from simulator.report.plots.slowdown import slowdown
from simulator.report.plots.sources import overhead_by_source
from simulator.report.plots.stacked import overhead_by_event, time_by_event
from simulator.report.plots.style import settings

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["MAX_PAGES", "PLOTS", "Bundle", "NothingToDrawError", "bundle", "draw", "save"]

PLOTS: Mapping[str, Callable[[Inputs], Picture]] = MappingProxyType(
    {
        "time-by-event": time_by_event,
        "overhead-by-event": overhead_by_event,
        "overhead-by-source": overhead_by_source,
        "slowdown": slowdown,
        "performance": performance,
        "cost-per-event": cost_per_event,
        "blame": blame,
    }
)
MAX_PAGES = 4
"""Pages of one plot that are drawn; nobody looks at more, and the tables hold all of it."""


class Bundle(NamedTuple):
    """What was written, and what was left out, with the reason."""

    paths: list[Path]
    notes: list[str]


def draw(  # noqa: PLR0917 - the parts of a result, in the order of its files
    name: str,
    totals: pd.DataFrame,
    breakdown: pd.DataFrame,
    comparison: pd.DataFrame,
    baseline: str | None,
    title: str,
    sources: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> list[tuple[str, Figure]]:
    """Draw one plot: figures with the stem of the file each belongs in; more than one where a page is too small.

    ``sources`` are the kinds of event by the name that references to overhead give them together.

    Raises:
        InputError: no such plot; the message names the nearest.
        NothingToDrawError: the result has no data for this plot.
    """
    _check_name(name)
    inputs = Inputs(totals, breakdown, comparison, baseline, title, sources)
    with settings():
        return _draw(name, PLOTS[name](inputs))


def _check_name(name: str) -> None:
    if name not in PLOTS:
        raise InputError(f"no plot '{name}'{did_you_mean(name, PLOTS)}: the plots are {', '.join(PLOTS)}")


def _draw(name: str, picture: Picture) -> list[tuple[str, Figure]]:
    figures = [page() for page in picture.pages[:MAX_PAGES]]
    return [(name if page == 1 else f"{name}-{page}", figure) for page, figure in enumerate(figures, 1)]


def save(figure: Figure, stem: Path) -> tuple[Path, Path]:
    """Write ``stem``.png and ``stem``.svg; the same figure gives the same bytes on any day."""
    png, svg = (stem.with_name(stem.name + suffix) for suffix in (".png", ".svg"))
    dpi = figure.dpi
    with settings():
        agg: Any = FigureCanvasAgg(figure)
        vector: Any = FigureCanvasSVG(figure)  # not Figure.savefig, which draws everything twice
        agg.print_png(png, metadata={"Software": None})
        vector.print_svg(svg, metadata={"Date": None, "Creator": None})
    figure.dpi = dpi
    return png, svg


def bundle(  # noqa: PLR0917 - the same, then what is wanted of them
    totals: pd.DataFrame,
    breakdown: pd.DataFrame,
    comparison: pd.DataFrame,
    baseline: str | None,
    title: str,
    plots: Sequence[str],
    directory: Path,
    sources: Mapping[str, Collection[str]] = MappingProxyType({}),
    uncertainty: pd.DataFrame | None = None,
) -> Bundle:
    """Draw and save the named plots into ``directory``; what is not drawn has a note that says why.

    Raises:
        InputError: no such plot; nothing has been written.
    """
    for name in plots:
        _check_name(name)
    inputs = Inputs(totals, breakdown, comparison, baseline, title, sources, uncertainty)
    written = Bundle([], [])
    for name in dict.fromkeys(plots):
        try:
            with settings():
                picture = PLOTS[name](inputs)
                figures = _draw(name, picture)
        except NothingToDrawError as nothing:
            written.notes.append(f"plot '{name}' is left out: {nothing}")
            continue
        if picture.note:
            written.notes.append(f"plot '{name}' leaves out {picture.note}")
        if rest := picture.pages[MAX_PAGES:]:
            written.notes.append(f"plot '{name}' leaves out {len(rest)} of {len(picture.pages)} pages: too many bars")
        for stem, figure in figures:
            written.paths.extend(save(figure, directory / stem))
    return written
