"""``--set path=value``: parameters changed by their path in the YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from simulator.errors import Fault, InputError, SpecError, did_you_mean, listed
from simulator.spec.node import Node, Where, described, dotted, in_order, walk
from simulator.spec.reader import parse_value
from simulator.spec.scalars import NULLS, shown

FILE = "--set"
SECTIONS = ("workloads", "models")
"""The sections of an experiment whose entries are documents."""

_SEGMENT = re.compile(r'("(?:[^"\\]|\\.)*")|([^."]+)')
_NAMES = re.compile(r'((?:"(?:[^"\\]|\\.)*"|[^"{}])*?\.)\{([^{}"]*)\}(.*)', re.DOTALL)
_INDEX = re.compile(r"[0-9]{1,9}")


class Overridden(NamedTuple):
    """A document after an override, and the path of each value that was set, without any ``*``."""

    root: Node
    paths: tuple[Where, ...]


class _Segment(NamedTuple):
    """One step of a path; a ``*`` without quotes stands for every entry."""

    text: str
    every: bool = False

    def within(self, node: Node) -> Iterator[tuple[str | int, Node]]:
        """Yield the entries of ``node`` that this step leads to."""
        if self.every:
            yield from node.children()
            return
        index = isinstance(node.value, list) and _INDEX.fullmatch(self.text)
        part = int(self.text) if index else self.text
        child = node.child(part)
        if child is not None:
            yield part, child


def override(root: Node, path: str, text: str) -> Overridden:
    """Return the document with the values at ``path`` replaced by ``text``, read as YAML.

    Steps of the path are keys, indices of lists, ``*`` for every entry, or ``{a,b}`` for those named; a key with dots
    or braces in it is quoted: ``costs."a.b"``. Behind a ``*``, entries without the rest of the path are left alone. A
    scalar set on a mapping that has the key ``cost`` sets that key.

    Raises:
        SpecError: the path leads nowhere, the text is not one value, or a scalar would replace a list or a mapping.
    """
    value, paths = _value(path, text), []
    for one in _alternatives(path):
        segments = _split(one)
        setter = _Setter(path, value)
        changed = setter.apply(root, segments, ())
        if setter.faults:
            raise SpecError(setter.faults)
        if changed is None:
            raise _error(one, _nowhere(root, segments, one))
        root = changed
        paths += setter.paths
    return Overridden(root, tuple(dict.fromkeys(paths)))


def named_document(path: str, text: str) -> tuple[str, str] | None:
    """Return section and label where a setting names another document: ``workloads.LABEL=NAME``, ``models.LABEL=NAME``.

    None where it sets a value inside one, or is not one plain text.

    Raises:
        SpecError: it is no path, or the text is ``null``, which would leave the document out.
    """
    where = None if text[:1] in ("", "[", "{", "&", "!") else entry_named(path)
    if where and text in NULLS:
        raise _error(path, "--set cannot leave an entry out: write an experiment without it")
    return where


def entry_named(path: str) -> tuple[str, str] | None:
    """Return section and label where a path leads to a whole workload or model; None where it leads elsewhere.

    Raises:
        SpecError: it is no path.
    """
    segments = _split(path)
    if len(segments) != 2 or segments[1].every or segments[0].text not in SECTIONS:
        return None
    return segments[0].text, segments[1].text


def places(root: Node, path: str) -> tuple[Where, ...]:
    """Return each place that a single value set at ``path`` would go to, without any ``*``.

    Raises:
        SpecError: the path leads nowhere, or to a list or a mapping.
    """
    return override(root, path, "0").paths


def without_flag(error: SpecError) -> InputError:
    """Return an error with the same faults, of values that nobody gave after ``--set``."""
    texts = (f"{fault.path}: {fault.message}" if fault.file == FILE else str(fault) for fault in error.faults)
    return InputError("\n".join(texts))


def exchanged(root: Node, where: tuple[str, str], entry: Node) -> Node:
    """Return the document with another model or workload in place of one."""
    section, label = where
    entries = root.child(section)
    assert entries is not None, "the caller has found the entry"
    return root.with_entries({section: entries.with_entries({label: entry})})


def _alternatives(path: str) -> list[str]:
    """Return the paths that a path with ``{a,b}`` in it stands for.

    >>> _alternatives("costs.{a, b}.cost"), _alternatives('costs."{a,b}"')
    (['costs.a.cost', 'costs.b.cost'], ['costs."{a,b}"'])
    """
    match = _NAMES.match(path)
    if not match:
        return [path]
    before, names, after = match.groups()
    return [one for name in names.split(",") for one in _alternatives(f"{before}{name.strip()}{after}")]


def _error(path: str, message: str) -> SpecError:
    return SpecError([Fault(FILE, 0, 0, path, message)])


def _split(path: str) -> list[_Segment]:
    """Read a dotted path."""
    segments: list[_Segment] = []
    position = 0
    while True:
        match = _SEGMENT.match(path, position)
        if not match or path[match.end() : match.end() + 1] not in ("", "."):
            message = f"expected a key, an index or '*' at column {position + 1} of the path, as in costs.\"a.b\".cost"
            raise _error(path, message)
        segments.append(_segment(path, *match.groups()))
        if match.end() == len(path):
            return segments
        position = match.end() + 1


def _segment(path: str, quoted: str | None, bare: str | None) -> _Segment:
    if quoted is None:
        return _Segment(bare or "", every=bare == "*")
    try:
        return _Segment(str(json.loads(quoted, strict=False)))
    except ValueError:
        raise _error(path, f"the quoted key {quoted} has an escape that is not known") from None


def _value(path: str, text: str) -> Node:
    """Read the text of the new value: a scalar, or a list or a mapping in brackets."""
    try:
        node = parse_value(text, FILE)
    except SpecError as error:
        faults = [replace(fault, path=f"{path}.{fault.path}" if fault.path else path) for fault in error.faults]
        raise SpecError(in_order(faults)) from None
    if node is None or (node.value is None and not node.source):
        raise _error(path, "expected a value after '=': write null for none, or \"\" for empty text")
    if not node.is_scalar and text.lstrip()[0] not in "[{&!":
        raise _error(path, f"expected one value, found {described(node)}: write it in brackets, or the text in quotes")
    return node


@dataclass
class _Setter:
    """Rebuilds a tree with a new value in it, and notes where it went."""

    path: str
    value: Node
    paths: list[Where] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def apply(self, node: Node, rest: list[_Segment], at: Where) -> Node | None:
        """Return ``node`` changed, or None where the rest of the path leads nowhere."""
        if not rest:
            return self._replaced(node, at)
        changed: dict[str | int, Node] = {}
        for part, child in rest[0].within(node):
            new = self.apply(child, rest[1:], (*at, part))
            if new is not None:
                changed[part] = new
        return node.with_entries(changed) if changed else None

    def _replaced(self, node: Node, at: Where) -> Node:
        cost = node.child("cost")
        if node.is_scalar or not self.value.is_scalar:
            self.paths.append(at)
            return self.value
        if cost is not None:
            return node.with_entries({"cost": self._replaced(cost, (*at, "cost"))})
        message = f"'{dotted(at)}' is {described(node)}, not one value: {_inside(node)}"
        self.faults.append(Fault(FILE, 0, 0, self.path, message))
        return node


def _inside(node: Node) -> str:
    """Return what can be set inside a list or a mapping."""
    names = [dotted([part]) for part, _ in node.children()]
    if not names:
        return "it is empty"
    if isinstance(node.value, list):
        return f"set an entry, 0 to {len(names) - 1}, or write the whole list in brackets"
    return f"set one of its keys ({listed(names)})"


def _nowhere(root: Node, segments: list[_Segment], path: str) -> str:
    """Return why a path leads nowhere: the step that failed, and the nearest path that exists."""
    places: list[tuple[Where, Node]] = [((), root)]
    for segment in segments:
        further = [((*at, part), child) for at, node in places for part, child in segment.within(node)]
        if not further:
            return _failed(root, places, segment, path)
        places = further
    return "the path leads nowhere"


def _failed(root: Node, places: list[tuple[Where, Node]], segment: _Segment, path: str) -> str:
    at, node = places[0]
    where = f"'{dotted(at)}'" if at else "the document"
    if len(places) > 1:
        where += f" or the {len(places) - 1} other places that the path leads to"
    near = _nearest(root, at, node, segment, path)
    if segment.every:
        return f"'*' finds nothing in {where}{near}"
    if len(places) == 1 and isinstance(node.value, list) and node.value:
        near = f", whose entries are 0 to {len(node.value) - 1}"
    elif len(places) == 1 and not isinstance(node.value, dict):
        where += f", which is {described(node)}"
    return f"there is no {shown(segment.text)} in {where}{near}"


def _nearest(root: Node, at: Where, node: Node, segment: _Segment, path: str) -> str:
    """Suggest what the path is the end of, else a sibling with nearly the same name, else any path of the document."""
    if whole := _whole(root, path):
        return f" (did you mean '{whole}'?)"
    siblings = [part for part, _ in node.children()]
    if did_you_mean(segment.text, map(str, siblings)):
        return did_you_mean(dotted((*at, segment.text)), [dotted((*at, part)) for part in siblings])
    return did_you_mean(path, [dotted(found) for found, _ in walk(root) if found])


def _whole(root: Node, path: str) -> str:
    """Return the path whose end ``path`` is, with ``*`` where it leads into several models or workloads, or ``''``."""
    end = tuple(segment.text for segment in _split(path))
    for section in reversed(SECTIONS):
        inside = root.child(section)
        found = [part for part, entry in inside.children() if _has(entry, end)] if inside is not None else []
        if found:
            return ".".join([section, dotted(found) if len(found) == 1 else "*", path])
    return ""


def _has(node: Node, path: Where) -> bool:
    for part in path:
        child = node.child(part)
        if child is None:
            return False
        node = child
    return True
