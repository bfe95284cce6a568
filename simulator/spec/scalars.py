"""Scalars by the core schema of YAML 1.2, with exact numbers.

``NO``, ``1:30`` and ``1_000`` are text, ``010`` is ten, ``1e3`` is the integer 1000, and ``0.1`` is a ``Decimal``. See
https://yaml.org/spec/1.2.2/#103-core-schema.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TypeAlias

MAX_DIGITS = 30

Scalar: TypeAlias = str | int | bool | Decimal | None

_CLIP = 60
NULLS = ("", "~", "null", "Null", "NULL")
_WORDS: dict[str, bool | None] = (
    dict.fromkeys(NULLS)
    | dict.fromkeys(("true", "True", "TRUE"), True)
    | dict.fromkeys(("false", "False", "FALSE"), False)
)
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE]([-+]?)([0-9]+))?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def shown(text: str) -> str:
    """Return ``text`` in quotes, on one line, and cut if it is long.

    >>> shown("two\\nlines")
    "'two\\\\nlines'"
    """
    return repr(text if len(text) <= _CLIP else text[: _CLIP - 3] + "...")


def scalar(text: str) -> Scalar:
    """Read an unquoted scalar by the core schema of YAML 1.2, with exact numbers.

    >>> scalar("010"), scalar("0o10"), scalar("1e3"), scalar("0.10"), scalar("NO")
    (10, 8, 1000, Decimal('0.10'), 'NO')

    Raises:
        ValueError: infinities, not-a-number, and numbers that need more than 30 digits.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"expected a finite number, found '{text}'")
    if _DECIMAL.fullmatch(text):
        _refuse_long(len(text.lstrip("+-")), text)
        return int(text)
    if _BASED.fullmatch(text):
        _refuse_long(len(text) - 2, text)
        based = int(text, 0)
        _refuse_long(len(str(based)), text)
        return based
    match = _FLOAT.fullmatch(text)
    return _decimal(text, *match.groups()) if match else text


def _decimal(text: str, mantissa: str, sign: str | None, power: str | None) -> int | Decimal:
    """Return a number in float syntax: an integer where it is whole, otherwise a Decimal."""
    power = (power or "").lstrip("0")
    _refuse_long(len(mantissa.replace(".", "")), text)
    _refuse_long(MAX_DIGITS + 1 if len(power) > 3 else 0, text)
    fraction = len(mantissa.partition(".")[2]) - int(f"{sign or ''}{power or 0}")
    digits = len(mantissa.replace(".", ""))
    _refuse_long(max(digits - fraction, 1) + max(fraction, 0), text)
    number = Decimal(text)
    return int(number) if number == int(number) else number


def _refuse_long(digits: int, text: str) -> None:
    if digits > MAX_DIGITS:
        raise ValueError(f"expected a number of at most {MAX_DIGITS} digits, found {shown(text)}")
