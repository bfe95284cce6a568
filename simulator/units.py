"""Quantities with units, and the tick: the one integer unit of time and cost.

A *tick* is a thousandth of a cycle of the model's clock, and a clock is a whole number of MHz. So a cost of 11.4
cycles is a whole number of ticks (11,400), and so is a nanosecond: at M MHz it is exactly M ticks. Totals are Python
integers, which never overflow and never round. Decimals are made only where numbers are printed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

TICKS_PER_CYCLE = 1000
MOST_NANOSECONDS = 10**16

_NUMBER = r"[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_QUANTITY = re.compile(rf"\s*({_NUMBER})\s*([A-Za-zµμ/%]*)\s*")
_SPREAD = re.compile(rf"\s*({_NUMBER})\s*(?:±|\+-|\+/-)\s*({_NUMBER})\s*([A-Za-zµμ/%]*)\s*")

_CYCLES = {"cycle": 1, "cycles": 1, "kcycles": 1000}
_NANOSECONDS = {
    "ps": Fraction(1, 1000),
    "ns": Fraction(1),
    "us": Fraction(10**3),
    "µs": Fraction(10**3),
    "μs": Fraction(10**3),
    "ms": Fraction(10**6),
    "s": Fraction(10**9),
}
_HERTZ = {"Hz": 1, "/s": 1, "kHz": 10**3, "MHz": 10**6, "GHz": 10**9}
_MHZ_FROM = 100
"""From which bare number on a clock is more likely meant in MHz than in GHz."""
_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "GB": 10**9}


def _split(text: str, units: dict[str, int] | dict[str, Fraction], example: str) -> Fraction:
    match = _QUANTITY.fullmatch(text)
    if not match:
        raise ValueError(f"expected a number with a unit, such as '{example}', found '{text}'")
    number, unit = match.groups()
    if not unit:
        raise ValueError(
            f"the unit is missing: write '{number} {example.partition(' ')[2]}' (units: {', '.join(units)})"
        )
    if unit not in units:
        raise ValueError(f"the unit '{unit}' does not fit here: use one of {', '.join(units)}, as in '{example}'")
    return Fraction(Decimal(number.replace("_", ""))) * units[unit]


def split_quantity(text: str) -> tuple[Decimal, str]:
    """Return a number and the unit after it, which may be empty.

    >>> split_quantity("1931 cycles"), split_quantity("0.5")
    ((Decimal('1931'), 'cycles'), (Decimal('0.5'), ''))

    Raises:
        ValueError: it begins with no number.
    """
    match = _QUANTITY.fullmatch(text)
    if not match:
        raise ValueError(f"expected a number, and its unit if it has one, such as '500 cycles'; found '{text}'")
    number, unit = match.groups()
    return Decimal(number.replace("_", "")), unit


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock rate of a machine, in whole MHz.

    >>> Clock(3800).ticks_per_ns, Clock(3800).seconds(3_800_000_000_000)
    (3800, '1.000000000000')
    """

    mhz: int

    @property
    def ticks_per_ns(self) -> int:
        """Ticks in a nanosecond: exactly the clock rate in MHz."""
        return self.mhz

    @property
    def ticks_per_second(self) -> int:
        """Ticks in a second."""
        return self.mhz * 10**9

    def seconds(self, ticks: int) -> str:
        """Return ``ticks`` as seconds: a decimal with 12 places, rounded half to even."""
        scaled = round(Fraction(ticks * 10**12, self.ticks_per_second))
        sign = "-" if scaled < 0 else ""
        whole, part = divmod(abs(scaled), 10**12)
        return f"{sign}{whole}.{part:012d}"

    def __str__(self) -> str:
        return f"{self.mhz} MHz"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one action costs: an exact number of cycles, or of nanoseconds where the source gives a time."""

    amount: Fraction
    in_cycles: bool

    @classmethod
    def parse(cls, text: str) -> Cost:
        """Read ``'1931 cycles'``, ``'11.4 cycles'``, ``'.46 us'``; negative costs are refused.

        Raises:
            ValueError: says what was expected.
        """
        match = _QUANTITY.fullmatch(text)
        in_cycles = bool(match) and match.group(2) in _CYCLES if match else False
        known: dict[str, Fraction] = {name: Fraction(n) for name, n in _CYCLES.items()} | _NANOSECONDS
        amount = _split(text, known, "1931 cycles")
        if amount < 0:
            raise ValueError(f"a cost cannot be negative, found '{text}'")
        if in_cycles and (amount * TICKS_PER_CYCLE).denominator != 1:
            raise ValueError(f"a cost is a whole number of thousandths of a cycle, found '{text}'")
        return cls(amount, in_cycles)

    @classmethod
    def parse_spread(cls, text: str) -> tuple[Cost, Cost, Cost] | None:
        """Read ``'1500 ± 200 cycles'`` (or ``+-``) as a cost with its low and its high; None where there is no ±.

        >>> [str(cost) for cost in Cost.parse_spread("1500 ± 200 cycles")]
        ['1500 cycles', '1300 cycles', '1700 cycles']

        Raises:
            ValueError: the low is below zero, the spread is negative, or a part is no cost.
        """
        match = _SPREAD.fullmatch(text)
        if not match:
            return None
        number, spread, unit = match.groups()
        cost, around = (cls.parse(f"{part} {unit}") for part in (number, spread))
        if around.amount > cost.amount:
            raise ValueError(f"a cost cannot be negative, and the low of '{text}' is: give low and high instead")
        low, high = (cls(cost.amount + sign * around.amount, cost.in_cycles) for sign in (-1, 1))
        return cost, low, high

    def ticks(self, clock: Clock) -> int:
        """Return the cost in ticks of ``clock``; one given as a time is rounded to the nearest tick, half to even."""
        amount, divisor = self.amount.as_integer_ratio()
        whole, left = divmod(amount * (TICKS_PER_CYCLE if self.in_cycles else clock.mhz), divisor)
        return whole if 2 * left < divisor else whole + (2 * left > divisor or whole & 1)  # the even one of two as near

    def __str__(self) -> str:
        return f"{_decimal(self.amount)} {'cycles' if self.in_cycles else 'ns'}"


def _decimal(amount: Fraction) -> str:
    """Return an exact decimal without trailing zeros (the amounts here always have one)."""
    if amount.denominator == 1:
        return str(amount.numerator)
    digits = 1
    while (amount * 10**digits).denominator != 1:
        digits += 1
    scaled = int(amount * 10**digits)
    sign = "-" if scaled < 0 else ""
    whole, part = divmod(abs(scaled), 10**digits)
    return f"{sign}{whole}.{part:0{digits}d}"


_BASE_UNITS: dict[str, dict[str, int] | dict[str, Fraction]] = {"ns": _NANOSECONDS, "Hz": _HERTZ, "B": _BYTES}


@dataclass(frozen=True, slots=True)
class Quantity:
    """An exact amount: of nanoseconds (``ns``), hertz (``Hz``) or bytes (``B``), or a mere number (no unit).

    >>> str(Quantity.parse("1.5 kHz")), str(Quantity.parse("3 us")), Quantity.parse("disk")
    ('1500 Hz', '3000 ns', None)
    """

    amount: Fraction
    unit: str = ""

    @classmethod
    def parse(cls, text: str) -> Quantity | None:
        """Read a number, with a unit of time, rate or size or with none; None where the text is something else."""
        match = _QUANTITY.fullmatch(text)
        if match and not match.group(2):
            return cls(Fraction(Decimal(match.group(1).replace("_", ""))))
        for base, units in _BASE_UNITS.items():
            if match and match.group(2) in units:
                return cls(_split(text, units, "10 us"), base)
        return None

    def rounded(self) -> Quantity:
        """Return the nearest whole amount, a half to even; rates stay as they are."""
        return self if self.unit == "Hz" else Quantity(Fraction(round(self.amount)), self.unit)

    def __str__(self) -> str:
        return f"{_decimal(self.amount)} {self.unit}".strip()


def parse_clock(text: str) -> Clock:
    """Read ``'3.8 GHz'``; a clock is a whole number of MHz, which makes a nanosecond a whole number of ticks.

    Raises:
        ValueError: says what was expected.
    """
    bare = Quantity.parse(text)
    hertz = _split(text, _HERTZ, "3800 MHz" if bare and bare.amount >= _MHZ_FROM else "3.8 GHz")
    if hertz <= 0 or (hertz / 10**6).denominator != 1:
        raise ValueError(f"a clock is a whole number of MHz above 0, found '{text}'")
    return Clock(int(hertz / 10**6))


def parse_duration(text: str, example: str = "2 s") -> int:
    """Read ``'10 us'`` and return whole nanoseconds, at least 0; ``example`` is what a message shows.

    Raises:
        ValueError: says what was expected.
    """
    nanoseconds = _split(text, _NANOSECONDS, example)
    if nanoseconds < 0 or nanoseconds.denominator != 1 or nanoseconds > MOST_NANOSECONDS:
        raise ValueError(f"a duration is a whole number of nanoseconds, from 0 to 10^16 (115 days), found '{text}'")
    return int(nanoseconds)


def parse_rate(text: str) -> Fraction:
    """Read ``'100 Hz'`` or ``'5000 /s'`` and return events per second, above 0.

    Raises:
        ValueError: says what was expected.
    """
    rate = _split(text, _HERTZ, "100 Hz")
    if rate <= 0:
        raise ValueError(f"a rate is above 0, found '{text}'")
    return rate


def parse_size(text: str) -> int:
    """Read ``'4 KiB'`` and return whole bytes, at least 0.

    Raises:
        ValueError: says what was expected.
    """
    size = _split(text, _BYTES, "4 KiB")
    if size < 0 or size.denominator != 1:
        raise ValueError(f"a size is a whole number of bytes, 0 or more, found '{text}'")
    return int(size)


def parse_bandwidth(text: str) -> int:
    """Read ``'100 MB/s'`` and return whole bytes a second, at least 0.

    Raises:
        ValueError: says what was expected.
    """
    rate = _split(text, {f"{unit}/s": size for unit, size in _BYTES.items()}, "100 MB/s")
    if rate < 0 or rate.denominator != 1:
        raise ValueError(f"a bandwidth is a whole number of bytes a second, 0 or more, found '{text}'")
    return int(rate)


def cycles(ticks: int) -> str:
    """Return ticks as an exact decimal number of cycles, signed.

    >>> cycles(11_400), cycles(-3_000), cycles(-1)
    ('11.4', '-3', '-0.001')
    """
    whole, part = divmod(abs(ticks), TICKS_PER_CYCLE)
    digits = f"{part:03d}".rstrip("0")
    return f"{'-' if ticks < 0 else ''}{whole}{'.' if digits else ''}{digits}"
