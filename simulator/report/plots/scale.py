"""The axis of a parameter of a sweep: where each of its values stands, and what it is called."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from simulator.report.plots.figure import log_ticks
from simulator.report.plots.style import BAR_PITCH, LINE, PAGE_HEIGHT
from simulator.report.plots.text import breaks_words, lines, parameter_words, tails, widest, wrap
from simulator.spec.overrides import entry_named
from simulator.units import split_quantity

if TYPE_CHECKING:
    from matplotlib.axis import Axis

WIDE = 20
"""A linear axis shows no more than this ratio between its largest and its smallest value."""
_NAME = 1.6  # inches that a line of a name is long at most
_SIDE_BY_SIDE = 3  # lines of names below an axis, beyond which they stand upright
_NUMBERS = 0.42  # inches for numbers to the left of an axis
_MOST_HIGH = PAGE_HEIGHT - 2.0  # inches of an axis of names


@dataclass(frozen=True)
class Scale:
    """Numbers of one unit where they belong, anything else (``named``) side by side, in the order given."""

    path: str
    values: Sequence[str]
    places: Sequence[float]
    label: str
    log: bool
    names: Sequence[str] = ()

    @classmethod
    def of(cls, path: str, values: Sequence[str]) -> Scale:
        """Lay out an axis; models and workloads lose the folders that they have in common."""
        words, numbers = parameter_words(path), _numbers(values)
        if numbers is None:
            names = tails(values) if entry_named(path) else values
            return cls(path, values, range(len(values)), words, log=False, names=names)
        amounts, unit = numbers
        label = f"{words} ({unit})" if unit else words
        log = min(amounts) > 0 and max(amounts) > WIDE * min(amounts)
        return cls(path, values, [float(amount) for amount in amounts], label, log)

    @property
    def named(self) -> bool:
        """Whether the values are names."""
        return bool(self.names)

    @property
    def title(self) -> str:
        """What stands at the axis."""
        return f"{self.label}{', log scale' if self.log else ''}"

    @property
    def _rows(self) -> list[str]:
        return [wrap(name, _NAME) for name in self.names]

    def high(self, otherwise: float) -> float:
        """Return how many inches an upright axis takes: each name has its lines."""
        if not self.named:
            return otherwise
        return min(BAR_PITCH * (lines(self._rows) + 0.2) * len(self.names), _MOST_HIGH)

    def left(self, high: float) -> float:
        """Return the inches that ticks and label need to the left of an axis so high."""
        ticks = widest(self._rows) + 0.1 if self.named else _NUMBERS
        return ticks + LINE * lines([wrap(self.title, high)]) + 0.1

    def foot(self, wide: float, label: float) -> float:
        """Return the inches that ticks and label need below an axis so wide, whose label has more room."""
        return self.ticks(wide) + LINE * lines([wrap(self.title, label)]) + 0.1

    def ticks(self, wide: float) -> float:
        """Return the inches that ticks need below an axis so wide."""
        return self._ticks(wide)[0]

    def _ticks(self, wide: float) -> tuple[float, list[str], bool]:
        """Return the inches of names below an axis, the names, and whether they stand upright."""
        each = 0.92 * wide / max(len(self.names), 1)
        names = [wrap(name, each) for name in self.names]
        if not names:
            return 0.2, names, False
        if lines(names) <= _SIDE_BY_SIDE and not any(breaks_words(name, each) for name in self.names):
            return 0.08 + LINE * lines(names), names, False
        return widest(self._rows) + 0.1, self._rows, True

    def dress_across(self, axis: Axis, wide: float) -> None:
        """Give an axis below a plot its ticks."""
        if self.named:
            _, names, upright = self._ticks(wide)
            axis.set_ticks(range(len(names)), names, rotation=90 if upright else 0)
        else:
            self._number(axis)

    def dress_up(self, axis: Axis, high: float) -> None:
        """Give an axis beside a plot its ticks and its label."""
        if self.named:
            step = math.ceil(LINE * lines(self._rows) * len(self.names) / high)
            axis.set_ticks(range(0, len(self.names), step), self._rows[::step])
        else:
            self._number(axis)
        axis.set_label_text(wrap(self.title, high))

    def _number(self, axis: Axis) -> None:
        if self.log:
            log_ticks(axis, 4)
            axis.set_minor_locator(NullLocator())
        else:
            axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))

    @property
    def edges(self) -> list[float]:
        """The edges of cells around the places: half-way between them, in ratios on a logarithmic axis."""
        places = sorted(math.log(place) if self.log else float(place) for place in self.places)
        between = [(a + b) / 2 for a, b in pairwise(places)]
        first, last = (between[0] - places[0], places[-1] - between[-1]) if between else (0.5, 0.5)
        edges = [places[0] - first, *between, places[-1] + last]
        return [math.exp(edge) for edge in edges] if self.log else edges


def _numbers(values: Sequence[str]) -> tuple[list[Decimal], str] | None:
    """Return values as numbers of one unit; None where they are something else."""
    try:
        parts = [split_quantity(value) for value in values]
    except ValueError:
        return None
    units = {unit for _, unit in parts}
    return ([number for number, _ in parts], units.pop()) if len(units) == 1 else None
