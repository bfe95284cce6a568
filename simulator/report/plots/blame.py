"""A table as a picture: what each model costs each workload, and the event that is most to blame for it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from simulator.report.blame import most_to_blame
from simulator.report.plots.data import Case, Inputs, NothingToDrawError, busy_seconds, over_baseline
from simulator.report.plots.figure import Picture, Sheet, axes_at, handles, pages
from simulator.report.plots.style import BLUE, DOUBLE_COLUMN, INK, LINE, PAGE_HEIGHT, WHITE, event_style
from simulator.report.plots.text import lines, widest, wrap
from simulator.report.tables import human_ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW = 0.2  # inches
_NAME = 1.4
_SWATCH = 0.16
_DARKEST = 0.55  # of the colour, so that black text stays legible


@dataclass(frozen=True)
class _Cell:
    """Busy time over the baseline's, and the event to blame; empty if there is nothing to blame it for."""

    ratio: Fraction
    event: str


def blame(inputs: Inputs) -> Picture:
    """Busy time over the baseline's for each workload and model, with the event that costs most of it."""
    busy = busy_seconds(inputs.breakdown)
    cells = {
        case: {model: _cell(busy[case], more, model, inputs.baseline or "") for model, more in models.items()}
        for case, models in over_baseline(busy, inputs.baseline).items()
        if any(busy[case][inputs.baseline or ""].values())
    }
    if not cells:
        raise NothingToDrawError("no workload is busy under the baseline")
    blamed = dict.fromkeys(cell.event for models in cells.values() for cell in models.values() if cell.event)
    title = f"{inputs.title} – busy time over {inputs.baseline}, and the event that costs most of it"
    sheet = Sheet(DOUBLE_COLUMN, title, handles({event: event_style(event) for event in blamed}))
    table = _Table(sheet, cells, inputs.present(cells))
    sizes = [table.height(case) for case in cells]
    limit = (PAGE_HEIGHT - 1.2) / len(table.blocks) - table.head
    return Picture([partial(table.draw, page) for page in pages(list(cells), sizes, limit)])


def _cell(busy: Mapping[str, Mapping[str, Fraction]], more: Mapping[str, Fraction], model: str, baseline: str) -> _Cell:
    base = sum(busy[baseline].values(), Fraction(0))
    event, _ = most_to_blame(more, base)
    return _Cell(sum(busy[model].values(), Fraction(0)) / base, event)


@dataclass(frozen=True)
class _Table:
    """The cells, and how large they are."""

    sheet: Sheet
    cells: Mapping[Case, Mapping[str, _Cell]]
    models: Sequence[str]

    @property
    def left(self) -> float:
        """The room for the names of the workloads."""
        return widest(case.label(_NAME) for case in self.cells) + 0.12

    @property
    def _columns(self) -> int:
        """How many models stand side by side: as many as have room for their ratios, and alike in each block."""
        room = self.sheet.width - self.left - 0.05
        ratios = (human_ratio(cell.ratio) for models in self.cells.values() for cell in models.values())
        most = max(1, int(room / (_SWATCH + widest(ratios) + 0.11)))
        return math.ceil(len(self.models) / math.ceil(len(self.models) / most))

    @property
    def blocks(self) -> list[Sequence[str]]:
        """The models that stand side by side; the blocks stand one below the other."""
        return [self.models[start : start + self._columns] for start in range(0, len(self.models), self._columns)]

    @property
    def width(self) -> float:
        """The width of a column."""
        return (self.sheet.width - self.left - 0.05) / self._columns

    def names(self, models: Sequence[str]) -> list[str]:
        """Return the names of models, broken to fit their columns."""
        return [wrap(model, self.width - 0.06) for model in models]

    @property
    def head(self) -> float:
        """The room for the names of the models."""
        return LINE * lines(self.names(self.models)) + 0.1

    def height(self, case: Case) -> float:
        """Return how high the row of a case is."""
        return max(_ROW, LINE * lines([case.label(_NAME)]) + 0.06)

    def draw(self, cases: Sequence[Case]) -> Figure:
        """Draw a page."""
        heights = [self.height(case) for case in cases]
        block = sum(heights) + self.head
        figure = self.sheet.figure(block * len(self.blocks) + 0.08)
        for row, models in enumerate(reversed(self.blocks)):
            axes = axes_at(figure, self.left, 0.04 + row * block, self.width * len(models), sum(heights))
            self._draw_block(axes, models, cases, heights)
        return figure

    def _draw_block(self, axes: Axes, models: Sequence[str], cases: Sequence[Case], heights: Sequence[float]) -> None:
        axes.set_xlim(0, self.width * len(models))
        axes.set_ylim(sum(heights), 0)
        top = max(float(cell.ratio) for of in self.cells.values() for cell in of.values())
        y = 0.0
        middles = []
        for case, height in zip(cases, heights, strict=True):
            for column, model in enumerate(models):
                if model in self.cells[case]:
                    self._draw_cell(axes, (column * self.width, y, height), self.cells[case][model], top)
            middles.append(y + height / 2)
            y += height
        axes.set_yticks(middles, [case.label(_NAME) for case in cases])
        axes.set_xticks([(column + 0.5) * self.width for column in range(len(models))], self.names(models))
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)

    def _draw_cell(self, axes: Axes, place: tuple[float, float, float], cell: _Cell, top: float) -> None:
        """Draw a cell, the darker the dearer, with the pattern of its event at its left."""
        x, y, height = place
        share = _DARKEST * math.log(max(float(cell.ratio), 1)) / math.log(top) if top > 1 else 0.0
        colour = tuple(1 - share * (1 - part) for part in to_rgb(BLUE))
        axes.add_patch(Rectangle((x, y), self.width, height, facecolor=colour, edgecolor=WHITE, linewidth=1))
        if cell.event:
            style = event_style(cell.event)
            size = min(_SWATCH, self.width / 4)
            axes.add_patch(Rectangle((x + 0.03, y + 0.035), size, height - 0.07, **style.bar))
        axes.text(
            x + self.width - 0.04, y + height / 2, human_ratio(cell.ratio), ha="right", va="center_baseline", color=INK
        )
