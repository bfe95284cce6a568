"""The values that a sweep gives a parameter: a list, or a range, written as one text; exact decimals, never floats."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

from simulator.units import split_quantity

MOST_VALUES = 1_000_000

_RANGE = re.compile(r"(.+?)\.\.(.+?)\s+(?:in\s+(\d{1,7})(\s+log)?|step\s+(.+))")
_BRACKETED = re.compile(r"\[\s*([^][]*?)\s*\]\s*([^][]*)")
_PLACES = 3
"""Digits behind the point of what lies between two ends: a thousandth of a cycle, a nanosecond in microseconds."""
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_FORMS = "'1, 2, 3 cycles', '500..2000 cycles in 16', '1 us..1000 us in 7 log' or '0..10 step 2'"


def parse_values(text: str) -> tuple[str, ...]:
    """Read the values that a text stands for, each as it would stand after ``--set PATH=``.

    A bare number takes the unit of the last value. Values between the ends of ``in N`` are rounded to three digits
    behind the point, half to even; to whole numbers where the ends have neither a unit nor a point.

    >>> parse_values("500, 1000 cycles")
    ('500 cycles', '1000 cycles')
    >>> parse_values("1..2 us in 4"), parse_values("1..1000 in 4 log")
    (('1 us', '1.333 us', '1.667 us', '2 us'), ('1', '10', '100', '1000'))
    >>> parse_values("0..1 step 0.5")
    ('0', '0.5', '1')

    Raises:
        ValueError: says what was expected.
    """
    bracketed = _BRACKETED.fullmatch(text.strip())
    if bracketed:
        raise ValueError(f"write the values without brackets: {' '.join(filter(None, bracketed.groups()))}")
    match = _RANGE.fullmatch(text.strip())
    if match:
        low, high, number, log, step = match.groups()
        ends = _with_unit([low, high])
        return _stepped(ends, step) if step else _divided(ends, int(number), log=bool(log))
    if ".." in text:
        raise ValueError(f"expected values such as {_FORMS}; found '{text}'")
    return listed(text.split(","))


def listed(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the values of a list; those that are bare numbers take the unit of the last.

    Raises:
        ValueError: a value is empty, or stands twice.
    """
    values = [text.strip() for text in texts]
    if "" in values:
        raise ValueError(f"expected values such as {_FORMS}; found an empty one")
    return _distinct(_with_unit(values))


def _with_unit(values: Sequence[str]) -> list[str]:
    """Give bare numbers the unit of the last value, if that is a number with one."""
    parts = [_split(value) for value in values]
    last = parts[-1]
    unit = last[1] if last else ""
    return [
        f"{part[0]:f} {unit}" if unit and part and not part[1] else value.strip()
        for value, part in zip(values, parts, strict=True)
    ]


def _split(value: str) -> tuple[Decimal, str] | None:
    try:
        return split_quantity(value)
    except ValueError:
        return None


def _amounts(texts: Sequence[str], what: str) -> tuple[list[Decimal], str]:
    """Return numbers and the one unit that all of them have."""
    parts = [split_quantity(text) for text in texts]
    units = list(dict.fromkeys(unit for _, unit in parts))
    if len(units) > 1:
        raise ValueError(f"expected one unit for {what}, found {' and '.join(map(repr, units))}")
    return [number for number, _ in parts], units[0]


def _ends(numbers: Sequence[Decimal]) -> tuple[Decimal, Decimal]:
    low, high = numbers[:2]
    if low >= high:
        raise ValueError(f"expected a range from low to high, found {low:f}..{high:f}")
    return low, high


def _stepped(ends: Sequence[str], step: str) -> tuple[str, ...]:
    (*both, by), unit = _amounts(_with_unit([*ends, _with_unit([step, ends[-1]])[0]]), "both ends and the step")
    low, high = _ends(both)
    if by <= 0:
        raise ValueError(f"expected a step above 0, found {by:f}")
    number = int((Fraction(high) - Fraction(low)) / Fraction(by)) + 1
    _check_number(number)
    return tuple(_written(_EXACT.add(low, _EXACT.multiply(by, Decimal(i))), unit) for i in range(number))


def _divided(ends: Sequence[str], number: int, *, log: bool) -> tuple[str, ...]:
    numbers, unit = _amounts(ends, "both ends")
    low, high = _ends(numbers)
    _check_number(number)
    if number < 2:
        raise ValueError(f"expected two values or more between {low:f} and {high:f}, found {number}")
    if log and low <= 0:
        raise ValueError(f"expected a low end above 0 for a logarithmic range, found {low:f}")
    whole = not unit and "." not in "".join(ends)
    place = Decimal(1).scaleb(0 if whole else -_PLACES)
    between = (
        _between(low, high, i, number - 1, log=log).quantize(place, context=_EXACT) for i in range(1, number - 1)
    )
    values = (low, *between, high)
    if whole and len(set(values)) < number:
        raise ValueError(
            f"expected fewer values: between {low:f} and {high:f}, which have no unit and no point, all are whole "
            f"numbers; add a unit, or write {low:f}.0..{high:f}.0; found {number}"
        )
    return _distinct([_written(value, unit) for value in values])


def _between(low: Decimal, high: Decimal, i: int, of: int, *, log: bool) -> Decimal:
    """Return the value after ``i`` of ``of`` steps, to 60 digits, the same on every machine."""
    part = _EXACT.divide(Decimal(i), Decimal(of))
    if not log:
        return _EXACT.add(low, _EXACT.multiply(_EXACT.subtract(high, low), part))
    ratio = _EXACT.ln(_EXACT.divide(high, low))
    return _EXACT.multiply(low, _EXACT.exp(_EXACT.multiply(ratio, part)))


def _written(number: Decimal, unit: str) -> str:
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{text} {unit}".strip()


def _check_number(number: int) -> None:
    if not 1 <= number <= MOST_VALUES:
        raise ValueError(f"expected at most {MOST_VALUES:,} values, and at least one; found {number:,}")


def _distinct(values: Sequence[str]) -> tuple[str, ...]:
    twice = list(_repeated(values))
    if twice:
        raise ValueError(f"the value {twice[0]} stands twice: take fewer values, or write more digits at the ends")
    return tuple(values)


def _repeated(values: Sequence[str]) -> Iterator[str]:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            yield value
        seen.add(value)
