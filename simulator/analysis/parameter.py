"""A parameter that is moved: its path as after ``--set``, and the range and the unit in which it moves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from simulator.costs import CostTable
from simulator.errors import InputError, SpecError
from simulator.model import CostModel
from simulator.spec.build import Experiment
from simulator.spec.node import dotted
from simulator.spec.overrides import places, without_flag
from simulator.units import TICKS_PER_CYCLE, Cost, split_quantity

FACTOR = "x"
_DIGITS = 6
_STEPS = {
    "ns": Fraction(1), "us": Fraction(1, 10**3), "µs": Fraction(1, 10**3), "ms": Fraction(1, 10**6),
    "s": Fraction(1, 10**9), "MHz": Fraction(1), "GHz": Fraction(1, 10**3),
    "B": Fraction(1), "kB": Fraction(1, 10**3), "KiB": Fraction(1, 2**10), "MB": Fraction(1, 10**6),
    "MiB": Fraction(1, 2**20),
}  # fmt: skip
"""The least step, in its unit, of what is a whole number of nanoseconds, MHz or bytes."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """What moves. Values are in ``unit``; in the unit ``x`` each place holds so many times what it holds now.

    ``places`` has every place of the experiment that is set, ``step`` the resolution of its values: of a cost a tick of
    the dearest place, of whole things one.
    """

    path: str
    places: tuple[tuple[str | int, ...], ...]
    low: Fraction
    high: Fraction
    unit: str
    step: Fraction

    @property
    def is_cost(self) -> bool:
        """Whether every place is the cost of an action of a model."""
        return all(_is_cost(place) for place in self.places)

    def touches(self, model: str) -> bool:
        """Tell whether a model, or what is run under it, changes with the parameter."""
        return any(place[0] != "models" or place[1] == model for place in self.places)

    def actions(self, model: str) -> frozenset[str]:
        """Return the actions of a model whose cost it is."""
        return frozenset(str(place[3]) for place in self.places if place[:2] == ("models", model) and _is_cost(place))

    def ticks_per_unit(self, model: CostModel, action: str) -> Fraction:
        """Return by how many ticks the cost of an action grows with each unit of the parameter; it begins at zero."""
        if self.unit == FACTOR:
            return Fraction(model.costs.ticks(action))
        one = Cost.parse(f"1 {self.unit}")
        return one.amount * (TICKS_PER_CYCLE if one.in_cycles else model.costs.clock.ticks_per_ns)

    def priced(self, model: CostModel, value: Fraction) -> CostModel:
        """Return a model with its costs at a value of the parameter, to the nearest tick."""
        entries = dict(model.costs.entries)
        for action in self.actions(model.name):
            ticks = round(value * self.ticks_per_unit(model, action))
            cost = Cost(Fraction(ticks, TICKS_PER_CYCLE), in_cycles=True)
            entries[action] = replace(entries[action], cost=cost, low=None, high=None)
        return replace(model, costs=CostTable(entries, model.costs.clock))

    def setting(self, value: Fraction) -> str:
        """Return a value of something else than costs as a ``path=value`` setting."""
        return f"{self.path}={self.text(value)}"

    def text(self, value: Fraction) -> str:
        """Return a value with its unit, with as many digits as its step has."""
        return f"{decimal(value, self.step)} {self.unit}".strip()


def parameter(experiment: Experiment, path: str, between: tuple[str, str]) -> Parameter:
    """Read a parameter and its range.

    Raises:
        InputError: the path leads nowhere, or the bounds are no range of values for it.
    """
    try:
        found = places(experiment.tree, path)
    except SpecError as error:
        raise without_flag(error) from None
    (low, unit), (high, other) = (_bound(path, text) for text in between)
    if unit != other:
        raise InputError(f"{path}: expected bounds in one unit, found '{between[0]}' and '{between[1]}'")
    if low >= high:
        raise InputError(f"{path}: expected a range from low to high, found '{between[0]}' to '{between[1]}'")
    moved = Parameter(path, found, low, high, unit, Fraction(1))
    if moved.is_cost:
        if low < 0:
            raise InputError(f"{path}: a cost cannot be negative, found '{between[0]}'")
        if unit != FACTOR:
            _check_cost(path, between[0])
        return replace(moved, step=_finest(experiment, moved))
    if unit == FACTOR:
        raise InputError(f"{path}: a factor scales costs, and {dotted(found[0])} is none: give values as it has them")
    return replace(moved, step=_step(unit, low, high))


def decimal(value: Fraction, step: Fraction) -> str:
    """Return a value as a decimal fine enough to tell its steps apart, without trailing zeros.

    >>> decimal(Fraction(2, 3), Fraction(1, 1000)), decimal(Fraction(1200), Fraction(1))
    ('0.667', '1200')
    """
    places_ = 0
    while step * 10**places_ < 1:
        places_ += 1
    text = f"{Decimal(round(value * 10**places_)).scaleb(-places_):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _is_cost(place: tuple[str | int, ...]) -> bool:
    return len(place) == 5 and place[0] == "models" and place[2] == "costs" and place[4] == "cost"


def _bound(path: str, text: str) -> tuple[Fraction, str]:
    try:
        number, unit = split_quantity(text)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None
    return Fraction(number), unit


def _check_cost(path: str, text: str) -> None:
    try:
        Cost.parse(text)
    except ValueError as error:
        raise InputError(f"{path}: {error}; or a factor, such as '0.5 x', of what it costs now") from None


def _finest(experiment: Experiment, moved: Parameter) -> Fraction:
    """Return by how much the parameter moves when its dearest cost moves by one tick."""
    most = max(
        moved.ticks_per_unit(model, action)
        for model in experiment.models.values()
        for action in moved.actions(model.name)
    )
    if not most:
        raise InputError(
            f"{moved.path}: costs nothing now, and no factor changes that: give a cost, such as '1 cycles'"
        )
    return 1 / most


def _step(unit: str, low: Fraction, high: Fraction) -> Fraction:
    if unit in _STEPS:
        return _STEPS[unit]
    if not unit and low.denominator == high.denominator == 1:
        return Fraction(1)
    step = Fraction(1)
    while step * 10**_DIGITS > high - low:
        step /= 10
    return step
