"""The free values of a fit: where they stand, between which bounds, and how a number becomes their text."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Context, Decimal

from simulator.spec.build import Experiment
from simulator.spec.fit import Amount, FitParameterSpec
from simulator.spec.node import Node, Where, dotted
from simulator.spec.overrides import places

Values = tuple[Decimal, ...]
"""One value for each parameter, in their order."""

_DIGITS = Context(prec=6)
_STEP = 1e-3  # of a finite difference, relative to the value (log) or to the distance of the bounds (linear)
_CYCLES = {"cycle": Decimal("0.001"), "cycles": Decimal("0.001"), "kcycles": Decimal("0.000001")}
_NANOSECONDS = {name: Decimal(10) ** -power for name, power in (("ns", 0), ("us", 3), ("µs", 3), ("ms", 6), ("s", 9))}
_BYTES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_MEGAHERTZ = {"MHz": Decimal(1), "GHz": Decimal("0.001")}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A free value. ``paths`` are the places that it sets; those of a cost lead to its whole entry.

    ``grid``: what every value is a multiple of, in ``unit``; None: nothing. ``scaled`` values, in which the search
    goes, are logarithms, or values over the distance of the bounds.
    """

    name: str
    paths: tuple[Where, ...]
    low: Decimal
    high: Decimal
    start: Decimal
    unit: str
    grid: Decimal | None
    is_log: bool

    def text(self, value: Decimal) -> str:
        """Return a value as a document has it, with its unit."""
        plain = f"{value:f}"
        return str(Amount(Decimal(plain.rstrip("0").rstrip(".") if "." in plain else plain), self.unit))

    def scaled(self, value: Decimal) -> float:
        """Return a value on the scale of the search."""
        return math.log(value) if self.is_log else float(value / (self.high - self.low))

    def slope(self, value: Decimal) -> float:
        """Return by how much the value changes, in its unit, for each unit of the scale."""
        return float(value if self.is_log else self.high - self.low)

    def value(self, scaled: float) -> Decimal:
        """Return the value nearest to a place on the scale, rounded to what a document can hold."""
        number = math.exp(scaled) if self.is_log else scaled * float(self.high - self.low)
        return self.rounded(Decimal(repr(float(number))))

    def rounded(self, value: Decimal) -> Decimal:
        """Return a value with 6 digits, on the grid, and within the bounds."""
        value = _DIGITS.plus(value)
        if self.grid is not None:
            value = (value / self.grid).to_integral_value() * self.grid
        return min(max(value, self.low), self.high)

    def stepped(self, value: Decimal) -> Decimal:
        """Return a value near another, as far off as a finite difference needs; below it where above is no room."""
        size = abs(value) if self.is_log else self.high - self.low
        step = max(size * Decimal(_STEP), self.grid or Decimal(0))
        tried = (self.rounded(value + step), self.rounded(value - step), self.high, self.low)
        return next(near for near in tried if near != value)

    def neighbours(self, value: Decimal) -> Iterator[Decimal]:
        """Yield what is worth a try beside a solution: a bound that is near, and the next whole numbers."""
        near = 2 * Decimal(_STEP) * (self.high - self.low)
        yield from (bound for bound in (self.low, self.high) if 0 < abs(value - bound) <= near)
        if self.grid == 1 and not self.unit:
            yield from (other for other in (value - 1, value + 1) if self.low <= other <= self.high)

    def settings(self, value: Decimal, source: str) -> Iterator[str]:
        """Yield the ``path=value`` settings of a value; a cost is set with its bounds, its status and its source."""
        text = self.text(value)
        entry = {"cost": text, "source": source, "status": "fitted"}
        bounds = {"low": self.text(self.low), "high": self.text(self.high)}
        whole = json.dumps(entry | bounds, ensure_ascii=False)
        for path in self.paths:
            yield f"{dotted(path)}={whole if path[-2] == 'costs' else text}"


def parameters(experiment: Experiment) -> tuple[Parameter, ...]:
    """Return the free values that the section `fit` of an experiment declares."""
    fit = experiment.spec.fit
    assert fit is not None, "the caller has checked that there is a section fit"
    return tuple(_parameter(experiment.tree, i, spec) for i, spec in enumerate(fit.parameters))


def _parameter(tree: Node, index: int, spec: FitParameterSpec) -> Parameter:
    found = dict.fromkeys(_entry(place) for path in spec.path for place in places(tree, path))
    low, high, unit = spec.low.value, spec.high.value, spec.low.unit
    grid = _grid(next(iter(found)), unit, _looks_whole(tree, index))
    parameter = Parameter(spec.path[0], tuple(found), low, high, low, unit, grid, spec.is_log)
    middle = (low * high).sqrt() if low > 0 else (low + high) / 2
    return replace(parameter, start=parameter.rounded(middle if spec.start is None else spec.start.value))


def _entry(path: Where) -> Where:
    """Return the place of the whole entry where a path leads to the cost in it."""
    return path[:-1] if path[-1] == "cost" and path[-3:-2] == ("costs",) else path


def _looks_whole(tree: Node, index: int) -> bool:
    """Tell whether the bounds are written as whole numbers without a unit."""
    section = tree.child("fit")
    entries = section.child("parameters") if section is not None else None
    spec = entries.child(index) if entries is not None else None
    written = [spec.child(key) for key in ("low", "high", "start")] if spec is not None else []
    return all(node.source.lstrip("+-").isdigit() for node in written if node is not None)


def _grid(path: Where, unit: str, is_whole: bool) -> Decimal | None:
    """Return what a value at a path is a multiple of: ticks for a cost, whole nanoseconds for a duration, and so on."""
    if not unit:
        return Decimal(1) if is_whole else None
    if unit in _BYTES or unit.removesuffix("/s") in _BYTES:
        return Decimal(1) / _BYTES[unit.removesuffix("/s")]
    if path[-1] == "clock":
        return _MEGAHERTZ.get(unit)
    return _CYCLES.get(unit) if path[-2] == "costs" else _NANOSECONDS.get(unit)
