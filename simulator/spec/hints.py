"""What may have gone wrong between the YAML that was written and the value that was read."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal

from simulator.spec.node import Mark, Node
from simulator.spec.scalars import MAX_DIGITS, Scalar, scalar

_SAYS_FALSE = ("no", "n", "off")
_SAYS_TRUE = ("yes", "y", "on")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9]{1,9}(:[0-5]?[0-9]){1,4}")
_UNDERSCORES = re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*")
_BINARY = re.compile(r"0b[01]{1,90}")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")

Expected = Literal["", "bool", "number", "text"]


def hint(value: Node | Scalar, expected: Expected = "") -> str:
    """Return what may have gone wrong between the YAML that was written and the value that was read, or ``''``.

    ``expected`` narrows the hint to values that were to be true or false, numbers, or text.

    >>> hint("NO")
    'YAML 1.2 reads NO as text; write false'
    >>> hint("1:30", "number")
    'YAML 1.2 reads 1:30 as text, not as 90'
    """
    node = value if isinstance(value, Node) else Node(value, Mark("", 0, 0), source="" if value is None else str(value))
    if isinstance(node.value, str):
        return _of_text(node.value, node.quoted, expected)
    if expected == "text":
        return f'write "{node.source}" for text' if node.is_scalar and node.value is not None else ""
    if isinstance(node.value, int) and _LEADING_ZERO.fullmatch(node.source):
        return _of_leading_zero(node.source, node.value)
    return ""


def _of_text(text: str, quoted: bool, expected: Expected) -> str:
    if expected in ("", "bool") and text.lower() in _SAYS_FALSE + _SAYS_TRUE:
        return f"YAML 1.2 reads {text} as text; write {'false' if text.lower() in _SAYS_FALSE else 'true'}"
    if expected == "bool" and quoted and text.lower() in ("true", "false"):
        return f"the quotes make it text; write {text.lower()} without them"
    return _of_number_as_text(text, quoted) if expected in ("", "number") else ""


def _of_number_as_text(text: str, quoted: bool) -> str:
    if _SEXAGESIMAL.fullmatch(text):
        return f"YAML 1.2 reads {text} as text, not as {_base_sixty(text)}"
    if _UNDERSCORES.fullmatch(text) and len(text) <= 2 * MAX_DIGITS:
        return f"YAML 1.2 reads {text} as text; write {text.replace('_', '')}"
    if _BINARY.fullmatch(text):
        return f"YAML 1.2 reads {text} as text; write {int(text, 2)}"
    return f"the quotes make it text; write {text} without them" if quoted and _is_number(text) else ""


def _base_sixty(text: str) -> int:
    """Return what YAML 1.1 would have read in ``1:30``."""
    total = 0
    for digits in text.lstrip("+-").split(":"):
        total = total * 60 + int(digits)
    return -total if text.startswith("-") else total


def _is_number(text: str) -> bool:
    try:
        value = scalar(text)
    except ValueError:
        return False
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _of_leading_zero(source: str, value: int) -> str:
    says = f"{source} is {'ten' if value == 10 else value}"
    octal = source.lstrip("+-").lstrip("0")
    return says if value <= 7 or set("89") & set(octal) else f"{says}; {int(octal, 8)} is written 0o{octal}"
