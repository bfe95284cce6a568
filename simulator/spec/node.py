"""The tree of a document: values that know where they stand, paths through them, and one tree laid over another."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import sha256
from typing import Any, TypeAlias

from simulator.errors import Fault, SpecError
from simulator.spec.scalars import Scalar, shown

Plain: TypeAlias = "Scalar | list[Plain] | dict[str, Plain]"
Where: TypeAlias = tuple[str | int, ...]
"""A path through a tree: keys of mappings and indices of lists."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def fault(self, path: Sequence[str | int], message: str) -> Fault:
        """Return the fault that ``message`` describes, at this place and on this path."""
        return Fault(self.file, self.line, self.column, dotted(path), message)


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a document, and where it stands. Nodes are shared by aliases and never changed once parsed.

    ``keys`` has the mark of each key of a mapping. ``source`` is the text that a scalar was read from, without quotes;
    ``quoted`` tells whether it had them (or was a block of text).
    """

    value: Scalar | list[Node] | dict[str, Node]
    mark: Mark
    keys: dict[str, Mark] = field(default_factory=dict)
    source: str = ""
    quoted: bool = False

    @property
    def is_scalar(self) -> bool:
        """Whether the value is neither a list nor a mapping."""
        return not isinstance(self.value, list | dict)

    def children(self) -> Iterator[tuple[str | int, Node]]:
        """Yield the key or the index of each entry with its node; nothing for a scalar."""
        if isinstance(self.value, dict):
            yield from self.value.items()
        elif isinstance(self.value, list):
            yield from enumerate(self.value)

    def child(self, part: str | int) -> Node | None:
        """Return the entry under a key or an index, or None where there is none."""
        if isinstance(self.value, dict):
            return self.value.get(part) if isinstance(part, str) else None
        if isinstance(self.value, list) and isinstance(part, int) and 0 <= part < len(self.value):
            return self.value[part]
        return None

    def with_entries(self, changed: Mapping[Any, Node]) -> Node:
        """Return the node with some of its entries exchanged, by key or index; keys that a mapping lacks are added."""
        if isinstance(self.value, dict):
            return replace(self, value={**self.value, **changed})
        if isinstance(self.value, list):
            return replace(self, value=[changed.get(index, child) for index, child in enumerate(self.value)])
        return self


_BARE = re.compile(r'[^\s."\\]+')


def dotted(path: Sequence[str | int]) -> str:
    """Return a path as users write it after ``--set``; keys that would be misread are quoted.

    >>> dotted(["costs", "a.b", 0])
    'costs."a.b".0'
    """
    return ".".join(_segment(str(part)) for part in path)


def _segment(part: str) -> str:
    if part != "*" and part.isprintable() and _BARE.fullmatch(part):
        return part
    return json.dumps(part, ensure_ascii=not part.isprintable())


def walk(node: Node, path: Where = ()) -> Iterator[tuple[Where, Node]]:
    """Yield every node with its path, parents before children, in the order of the document."""
    yield path, node
    for part, child in node.children():
        yield from walk(child, (*path, part))


def paths(node: Node) -> Iterator[str]:
    """Yield the dotted path of every leaf: scalars, and lists and mappings that are empty."""
    return (dotted(path) for path, found in walk(node) if not found.value or found.is_scalar)


def locate(node: Node, path: Sequence[str | int]) -> Mark:
    """Return the mark of the deepest node reached on ``path``; parts that are no key or index there are skipped."""
    for part in path:
        node = node.child(part) or node
    return node.mark


def node_at(node: Node, path: Sequence[str | int]) -> Node:
    """Return the node at a path.

    Raises:
        KeyError: the path leads nowhere.
    """
    for part in path:
        child = node.child(part)
        if child is None:
            raise KeyError(dotted(path))
        node = child
    return node


def plain(node: Node) -> Plain:
    """Return the values alone, as new dicts and lists."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def fingerprint(node: Node) -> str:
    """Return the SHA-256 of a tree's values, whatever the order of its keys."""
    return sha256(json.dumps(readable(plain(node)), sort_keys=True).encode()).hexdigest()


def readable(value: Plain) -> Any:
    """Return a plain tree for JSON: decimals become text, which keeps them exact."""
    if isinstance(value, dict):
        return {key: readable(child) for key, child in value.items()}
    if isinstance(value, list):
        return [readable(child) for child in value]
    return str(value) if isinstance(value, Decimal) else value


def described(value: object) -> str:
    """Return what a value is, for "expected ..., found ..."; a number of a node is named as it was written.

    >>> described(True), described([1]), described(Decimal("0.5"))
    ('true', 'a list', 'the number 0.5')
    """
    if isinstance(value, Node):
        number = isinstance(value.value, int | Decimal) and not isinstance(value.value, bool)
        return f"the number {value.source}" if number else described(value.value)
    match value:
        case None:
            words = "nothing (null)"
        case bool():
            words = "true" if value else "false"
        case str():
            words = f"the text {shown(value)}"
        case int() | Decimal() | float():
            words = f"the number {value}"
        case dict():
            words = "a mapping"
        case list() | tuple():
            words = "a list"
        case _:
            words = f"a {type(value).__name__}"
    return words


def in_order(faults: list[Fault]) -> list[Fault]:
    """Return faults sorted by file and position, each once."""
    return sorted(dict.fromkeys(faults), key=lambda fault: (fault.file, fault.line, fault.column))


def merge(base: Node, child: Node) -> Node:
    """Return ``base`` with ``child`` laid over it: the rule of ``extends``.

    Mappings merge key by key, at every depth; anything else is replaced by the child's. A ``null`` that the child
    writes out removes the key of the base. Each mark names the file its value came from.

    Raises:
        SpecError: the child leaves a key of the base empty, which could mean either to keep or to remove it.
    """
    faults: list[Fault] = []
    merged = _merged(base, child, (), faults)
    if faults:
        raise SpecError(in_order(faults))
    return merged


def _merged(base: Node, child: Node, path: tuple[str, ...], faults: list[Fault]) -> Node:
    if not isinstance(base.value, dict) or not isinstance(child.value, dict):
        return child
    value, keys = dict(base.value), base.keys | child.keys
    for key, over in child.value.items():
        under = base.value.get(key)
        if under is None:
            value[key] = over
        elif over.value is None and not over.source:
            message = f"the value is empty: write null to remove {shown(key)}, or leave the line out to keep it"
            faults.append(over.mark.fault((*path, key), message))
        elif over.value is None:
            del value[key], keys[key]
        else:
            value[key] = _merged(under, over, (*path, key), faults)
    return Node(value, child.mark, keys)
