"""One error of pydantic, in plain words at its place in the document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from simulator.errors import Fault, did_you_mean, listed
from simulator.spec.hints import Expected, hint
from simulator.spec.location import Location
from simulator.spec.node import Mark, Node, described, plain
from simulator.spec.scalars import Scalar, shown

_WANTED = {
    "a whole number": ("int_type", "int_from_float", "int_parsing", "int_parsing_size"),
    "a number": ("float_type", "float_parsing", "decimal_type", "decimal_parsing", "finite_number"),
    "text": ("string_type", "string_sub_type"),
    "true or false": ("bool_type", "bool_parsing"),
    "a list": ("list_type", "tuple_type", "set_type", "frozen_set_type", "iterable_type"),
    "a mapping (key: value)": (
        "dict_type",
        "model_type",
        "model_attributes_type",
        "mapping_type",
        "dataclass_type",
    ),
    "null": ("none_required",),
}
_WANTED_BY_TYPE = {name: words for words, names in _WANTED.items() for name in names}
_HINTED: dict[str, Expected] = {
    "a whole number": "number",
    "a number": "number",
    "text": "text",
    "true or false": "bool",
}
_CLASSES = {
    "Decimal": "a number",
    "Fraction": "a number",
    "Cost": "a number with a unit, such as '1931 cycles'",
    "Clock": "a number with a unit, such as '3800 MHz'",
}

_BOUNDS = {
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "string_too_short": "text of at least {min_length} characters",
    "string_too_long": "text of at most {max_length} characters",
    "string_pattern_mismatch": "text that matches {pattern}",
    "too_short": "{min_length} or more entries",
    "too_long": "at most {max_length} entries",
}


@dataclass
class Finding:
    """One error of pydantic at its place; ``wanted`` is set where the value has the wrong type altogether."""

    loc: tuple[str | int, ...]
    labels: list[tuple[int, int]]
    mark: Mark
    path: list[str | int]
    message: str = ""
    wanted: str = ""
    found: str = ""
    hint: str = ""

    def fault(self) -> Fault:
        """Return the error as the fault of the document that it is."""
        if not self.wanted:
            return self.mark.fault(self.path, self.message)
        tail = f" ({self.hint})" if self.hint else ""
        return self.mark.fault(self.path, f"expected {self.wanted}, found {self.found}{tail}")


def finding_of(node: Node, model: type[BaseModel], detail: Any) -> Finding:
    """Translate one error of pydantic."""
    kind, loc, context = detail["type"], detail["loc"], detail.get("ctx", {})
    if kind in ("extra_forbidden", "missing"):
        return _of_key(node, model, kind, loc)
    place = Location(node, [model])
    place.follow(loc)
    finding = Finding(loc, place.labels, place.node.mark, place.path)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        _tell_tag(finding, place, context)
        return finding
    if loc and loc[-1] == "[key]":
        finding.mark = place.key_mark or finding.mark
        place.node = Node(str(place.path[-1]), finding.mark) if place.path else place.node
    _tell(finding, place.node, detail)
    return finding


def _of_key(node: Node, model: type[BaseModel], kind: str, loc: tuple[str | int, ...]) -> Finding:
    """Translate an unknown or a missing key, the last part of ``loc``."""
    place = Location(node, [model])
    place.follow(loc[:-1])
    key = str(loc[-1])
    if isinstance(loc[-1], int):
        message = f"the list has no entry {key} (entries count from 0)"
        return Finding(loc, place.labels, place.node.mark, place.path, message)
    if kind == "missing":
        near = [name for name in place.node.keys if name not in place.fields() and did_you_mean(key, [name])]
        message = f"the key {shown(key)} is missing" + (f" (is {shown(near[0])} meant for it?)" if near else "")
        return Finding(loc, place.labels, place.node.mark, place.path, message)
    mark = place.node.keys.get(key, place.node.mark)
    message = f"unknown key {shown(key)}{_instead(key, place.fields())}"
    return Finding(loc, place.labels, mark, [*place.path, key], message)


def _instead(key: str, known: Sequence[str]) -> str:
    """Return what could have been meant by a key that is not known."""
    head, colon, rest = key.partition(":")
    if colon and head in known:
        return f" (a space is missing after ':': write '{head}: {rest}')"
    near = did_you_mean(key, known)
    if near or not known:
        return near
    return f" (known keys: {listed(known)})"


def _tell_tag(finding: Finding, place: Location, context: dict[str, Any]) -> None:
    """Say what is wrong with the key that decides between the members of a union."""
    key = str(context["discriminator"]).strip("'")
    child = place.node.child(key)
    if child is None:
        finding.message = f"the key {shown(key)} is missing"
        return
    finding.mark, finding.path = child.mark, [*finding.path, key]
    expected = str(context.get("expected_tags", "another value"))
    finding.message = f"expected {_one_of(expected)}, found {described(child)}{_near(child.value, expected)}"


def _tell(finding: Finding, node: Node, detail: Any) -> None:
    """Say what is wrong with a value."""
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    written = node if type(node.value) is type(value) and plain(node) == value else value
    known = written if isinstance(written, Node | str | int | Decimal) else None
    finding.found = described(written)
    if "error" in context:
        finding.message = str(context["error"])
    elif kind in _BOUNDS:
        finding.message = _out_of_bounds(kind, context, finding.found, known)
    elif kind in ("literal_error", "enum"):
        finding.wanted = _one_of(str(context["expected"]))
        finding.hint = _near(value, finding.wanted).strip(" ()") or hint(known, "text")
    elif kind in _WANTED_BY_TYPE or kind in ("is_instance_of", "dataclass_exact_type"):
        name = str(context.get("class", context.get("class_name", "")))
        finding.wanted = _WANTED_BY_TYPE.get(kind) or _CLASSES.get(name, f"a value of the type {name}")
        finding.hint = hint(known, _HINTED[finding.wanted]) if finding.wanted in _HINTED else ""
    else:
        finding.message = f"{detail['msg'][:1].lower()}{detail['msg'][1:]}, found {finding.found}"


def _out_of_bounds(kind: str, context: dict[str, Any], found: str, value: Node | Scalar) -> str:
    bounds = {name: int(n) if isinstance(n, float) and n.is_integer() else n for name, n in context.items()}
    length = f" with {bounds['actual_length']}" if "actual_length" in bounds else ""
    note = "" if kind.startswith("string") else hint(value, "number")
    return f"expected {_BOUNDS[kind].format(**bounds)}, found {found}{length}" + (f" ({note})" if note else "")


def _one_of(listed: str) -> str:
    """Return ``'a', 'b' or 'c'`` for pydantic's ``'a', 'b', 'c'``."""
    head, comma, last = listed.rpartition(", ")
    return f"{head} or {last}" if comma and " or " not in listed else listed


def _near(value: object, listed: str) -> str:
    return did_you_mean(value, re.findall(r"'([^']*)'", listed)) if isinstance(value, str) else ""
