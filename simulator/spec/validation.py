"""From a document to a pydantic model, with every error in plain words at its place in the file."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, RootModel, Tag, ValidationError
from pydantic.fields import FieldInfo

from simulator.errors import Fault, SpecError, did_you_mean
from simulator.spec.node import Mark, Node, described, in_order, plain
from simulator.spec.scalars import MAX_DIGITS, Scalar, scalar, shown

M = TypeVar("M", bound=BaseModel)

_KEYS_LISTED = 12


def validate(node: Node, model: type[M]) -> M:
    """Return the document as ``model``.

    Raises:
        SpecError: with one fault for each error of pydantic, in the order of the file. Of the members of a union only
            the one that fits best speaks.
    """
    try:
        return model.model_validate(plain(node))
    except ValidationError as error:
        findings = [_finding(node, model, detail) for detail in error.errors(include_url=False)]
    raise SpecError(in_order([finding.fault() for finding in _settled(findings)]))


# --- hints -----------------------------------------------------------------------------------------------------------

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


# --- where: a pydantic location in the document ----------------------------------------------------------------------


@dataclass
class _Place:
    """How far a pydantic location leads into the document, and the types that the model has there.

    ``labels`` has, for each union passed, the index of its label in the location and the length of the path there.
    """

    node: Node
    types: list[Any]
    path: list[str | int] = field(default_factory=list)
    key_mark: Mark | None = None
    labels: list[tuple[int, int]] = field(default_factory=list)

    def follow(self, loc: Sequence[str | int]) -> None:
        """Take every step of ``loc``; what is neither a label nor in the document is passed over."""
        for index, part in enumerate(loc):
            child = self.node.child(part)
            members = _members(self.types)
            chosen = [member for member in members if part in _labels(member)]
            if len(members) > 1 and (chosen or child is None):
                self.labels.append((index, len(self.path)))
                self.types = chosen or members
            elif child is not None:
                self._enter(part, child)
            else:
                self.types = _inside(self.types, part)

    def _enter(self, part: str | int, child: Node) -> None:
        self.key_mark = self.node.keys.get(part) if isinstance(part, str) else None
        self.types = _inside(self.types, part)
        self.path.append(part)
        self.node = child

    def fields(self) -> list[str]:
        """Return the keys that the models at this place know."""
        models = [member for member in map(_bare, _members(self.types)) if _is_model(member)]
        return list(dict.fromkeys(name for model in models for name in _fields(model)))


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a model by the names that they have in a document."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _bare(annotation: Any) -> Any:
    """Return an annotation without its metadata and aliases."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif hasattr(annotation, "__value__"):
            annotation = annotation.__value__
        elif _is_model(annotation) and issubclass(annotation, RootModel):
            annotation = annotation.model_fields["root"].annotation
        else:
            return annotation


def _members(annotations: Iterable[Any]) -> list[Any]:
    """Return the members of all unions among ``annotations``, without None."""
    found: list[Any] = []
    for annotation in annotations:
        bare = _bare(annotation)
        if get_origin(bare) in (Union, types.UnionType):
            found += _members(get_args(bare))
        elif bare is not type(None):
            found.append(annotation)
    return found


def _labels(member: Any) -> set[Any]:
    """Return what pydantic may call a member of a union in a location: its name or its tag."""
    tags = {item.tag for item in get_args(member)[1:] if isinstance(item, Tag)}
    bare = _bare(member)
    if not _is_model(bare):
        return tags | {getattr(bare, "__name__", "")}
    literals = (info.annotation for info in bare.model_fields.values() if get_origin(info.annotation) is Literal)
    return tags | {bare.__name__} | {tag for literal in literals for tag in get_args(literal)}


def _inside(annotations: Iterable[Any], part: str | int) -> list[Any]:
    """Return the types of the entry ``part`` of values of these types, as far as they are known."""
    return [entry for member in _members(annotations) for entry in _entry_types(_bare(member), part)]


def _entry_types(annotation: Any, part: str | int) -> Iterator[Any]:
    if _is_model(annotation):
        info = _fields(annotation).get(str(part))
        if info is not None:
            yield info.annotation
        return
    args = get_args(annotation)
    if get_origin(annotation) is tuple and isinstance(part, int) and Ellipsis not in args:
        yield from args[part : part + 1]
    elif get_origin(annotation) is not Literal and args:
        yield args[0] if isinstance(part, int) else args[-1]


# --- what: an error of pydantic in plain words -----------------------------------------------------------------------

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
class _Finding:
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


def _finding(node: Node, model: type[BaseModel], detail: Any) -> _Finding:
    """Translate one error of pydantic."""
    kind, loc, context = detail["type"], detail["loc"], detail.get("ctx", {})
    if kind in ("extra_forbidden", "missing"):
        return _of_key(node, model, kind, loc)
    place = _Place(node, [model])
    place.follow(loc)
    finding = _Finding(loc, place.labels, place.node.mark, place.path)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        _tell_tag(finding, place, context)
        return finding
    if loc and loc[-1] == "[key]":
        finding.mark = place.key_mark or finding.mark
        place.node = Node(str(place.path[-1]), finding.mark) if place.path else place.node
    _tell(finding, place.node, detail)
    return finding


def _of_key(node: Node, model: type[BaseModel], kind: str, loc: tuple[str | int, ...]) -> _Finding:
    """Translate an unknown or a missing key, the last part of ``loc``."""
    place = _Place(node, [model])
    place.follow(loc[:-1])
    key = str(loc[-1])
    if isinstance(loc[-1], int):
        message = f"the list has no entry {key} (entries count from 0)"
        return _Finding(loc, place.labels, place.node.mark, place.path, message)
    if kind == "missing":
        near = [name for name in place.node.keys if name not in place.fields() and did_you_mean(key, [name])]
        message = f"the key {shown(key)} is missing" + (f" (is {shown(near[0])} meant for it?)" if near else "")
        return _Finding(loc, place.labels, place.node.mark, place.path, message)
    mark = place.node.keys.get(key, place.node.mark)
    message = f"unknown key {shown(key)}{_instead(key, place.fields())}"
    return _Finding(loc, place.labels, mark, [*place.path, key], message)


def _instead(key: str, known: Sequence[str]) -> str:
    """Return what could have been meant by a key that is not known."""
    head, colon, rest = key.partition(":")
    if colon and head in known:
        return f" (a space is missing after ':': write '{head}: {rest}')"
    near = did_you_mean(key, known)
    if near or not known:
        return near
    more = ", ..." if len(known) > _KEYS_LISTED else ""
    return f" (known keys: {', '.join(known[:_KEYS_LISTED])}{more})"


def _tell_tag(finding: _Finding, place: _Place, context: dict[str, Any]) -> None:
    """Say what is wrong with the key that decides between the members of a union."""
    key = str(context["discriminator"]).strip("'")
    child = place.node.child(key)
    if child is None:
        finding.message = f"the key {shown(key)} is missing"
        return
    finding.mark, finding.path = child.mark, [*finding.path, key]
    expected = str(context.get("expected_tags", "another value"))
    finding.message = f"expected {_one_of(expected)}, found {described(child)}{_near(child.value, expected)}"


def _tell(finding: _Finding, node: Node, detail: Any) -> None:
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


# --- which: the errors of a union that matter ------------------------------------------------------------------------


def _settled(findings: list[_Finding], depth: int = 0) -> list[_Finding]:
    """Return the findings that matter, where a union ``depth`` unions down has one set for each of its members."""
    settled: list[_Finding] = []
    unions: dict[tuple[str | int, ...], dict[str | int, list[_Finding]]] = {}
    for finding in findings:
        if len(finding.labels) <= depth:
            settled.append(finding)
            continue
        index, _ = finding.labels[depth]
        unions.setdefault(finding.loc[:index], {}).setdefault(finding.loc[index], []).append(finding)
    for members in unions.values():
        settled += _best([_settled(member, depth + 1) for member in members.values()], depth)
    return settled


def _best(members: list[list[_Finding]], depth: int) -> list[_Finding]:
    """Return the findings of the member with the fewest, of those that the value has the right type for."""
    fitting = [member for member in members if not _is_mismatch(member, depth)]
    if fitting:
        return min(fitting, key=len)
    first = members[0][0]
    first.wanted = " or ".join(dict.fromkeys(member[0].wanted for member in members))
    first.hint = next((member[0].hint for member in members if member[0].hint), "")
    return [first]


def _is_mismatch(member: list[_Finding], depth: int) -> bool:
    finding = member[0]
    return len(member) == 1 and bool(finding.wanted) and len(finding.path) == finding.labels[depth][1]
