"""Parse events to a tree of nodes: what YAML calls composing.

Events come one at a time, so that depth and size are bounded before anything is composed, every fault is found in one
reading, and no object is ever constructed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import yaml

from simulator.errors import Fault, SpecError, did_you_mean
from simulator.spec.node import Mark, Node, described, in_order
from simulator.spec.scalars import Scalar, scalar, shown

MAX_NODES = 100_000
MAX_DEPTH = 64
CONTROL = yaml.reader.Reader.NON_PRINTABLE
"""Matches one of the characters that no text may hold."""

_CORE = "tag:yaml.org,2002:"
_TAGGED: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, Decimal),
    "bool": (bool,),
    "null": (type(None),),
    "map": (dict,),
    "seq": (list,),
}


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been read yet."""

    node: Node
    anchor: str | None
    counted: int
    height: int = 1
    key: str | None = None


@dataclass(frozen=True, slots=True)
class _Anchored:
    """What an anchor stands for, and how many nodes and levels an alias to it adds; no node while it is open."""

    mark: Mark
    node: Node | None = None
    size: int = 0
    height: int = 0


class Composer:
    """Builds the tree from parse events and collects every fault on the way."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Node | None = None
        self.faults: list[Fault] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._counted = 0
        self._documents = 0

    def mark(self, place: Any) -> Mark:
        """Return PyYAML's mark as ours."""
        return Mark(self.file, place.line + 1, place.column + 1)

    def stop(self, mark: Mark, message: str) -> SpecError:
        """Return the error to raise where reading cannot go on: all faults so far, and this one."""
        self._fault(mark, message)
        return SpecError(in_order(self.faults))

    def feed(self, event: yaml.Event) -> None:
        """Take the next parse event."""
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                self._open(event)
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._close()
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise self.stop(self.mark(event.start_mark), "expected one document in the file, found another")

    def _fault(self, mark: Mark, message: str) -> None:
        self.faults.append(mark.fault(self._path(), message))

    def _path(self) -> list[str | int]:
        path: list[str | int] = []
        for frame in self._stack:
            if isinstance(frame.node.value, list):
                path.append(len(frame.node.value))
            elif frame.key is not None:
                path.append(frame.key)
        return path

    @property
    def _awaits_key(self) -> bool:
        frame = self._stack[-1] if self._stack else None
        return frame is not None and isinstance(frame.node.value, dict) and frame.key is None

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        mark = self.mark(event.start_mark)
        quoted = event.style is not None
        self._count(mark, 1)
        node = Node(self._read(event, mark, quoted), mark, source=event.value, quoted=quoted)
        self._anchor(event.anchor, _Anchored(mark, node, size=1))
        self._place(node)

    def _read(self, event: yaml.ScalarEvent, mark: Mark, quoted: bool) -> Scalar:
        """Return the value of a scalar; after a fault, its text."""
        text: str = event.value
        control = CONTROL.search(text)
        if control:
            self._fault(mark, f"the text holds {character(control.group())}, which is not allowed even as an escape")
        wanted = self._tag(event.tag, mark)
        if wanted == (str,) or (event.tag is None and quoted):
            return text
        try:
            value = scalar(text)
        except ValueError as error:
            self._fault(mark, str(error))
            return text
        self._fits(value, wanted, event.tag, mark)
        return value

    def _tag(self, tag: str | None, mark: Mark) -> tuple[type, ...]:
        """Return the types that a tag allows, or nothing where there is none or it is refused."""
        if tag is None:
            return ()
        name = tag.removeprefix(_CORE)
        if tag != name and name in _TAGGED:
            return _TAGGED[name]
        known = ", ".join(f"!!{core}" for core in _TAGGED)
        self._fault(mark, f"the tag {shown(_short(tag))} is not allowed: leave it out (known tags: {known})")
        return ()

    def _fits(self, value: object, wanted: tuple[type, ...], tag: str | None, mark: Mark) -> None:
        if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)):
            self._fault(mark, f"the tag {_short(tag or '')} does not fit {described(value)}")

    def _alias(self, event: yaml.AliasEvent) -> None:
        mark, name = self.mark(event.start_mark), event.anchor or ""
        target = self._anchors.get(name)
        node = Node(None, mark)
        if target is None:
            near = did_you_mean(name, self._anchors)
            self._fault(mark, f"the alias {shown('*' + name)} has no anchor before it{near}")
        elif target.node is None:
            self._fault(mark, f"the alias {shown('*' + name)} stands inside its own anchor (line {target.mark.line})")
        else:
            node = replace(target.node, mark=mark) if self._awaits_key else target.node
            self._count(mark, target.size)
            self._deepen(mark, target.height)
        self._place(node, target.height if target else 0)

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        mark = self.mark(event.start_mark)
        self._count(mark, 1)
        self._deepen(mark, 1)
        node = Node([] if isinstance(event, yaml.SequenceStartEvent) else {}, mark)
        self._fits(node.value, self._tag(event.tag, mark), event.tag, mark)
        self._anchor(event.anchor, _Anchored(mark))
        self._stack.append(_Open(node, event.anchor, self._counted - 1))

    def _close(self) -> None:
        frame = self._stack.pop()
        if frame.anchor is not None:
            size = self._counted - frame.counted
            self._anchors[frame.anchor] = _Anchored(frame.node.mark, frame.node, size, frame.height)
        self._place(frame.node, frame.height)

    def _anchor(self, name: str | None, anchored: _Anchored) -> None:
        if name is None:
            return
        first = self._anchors.setdefault(name, anchored)
        if first is not anchored:
            self._fault(anchored.mark, f"the anchor {shown('&' + name)} stands twice (first at line {first.mark.line})")

    def _place(self, node: Node, height: int = 0) -> None:
        """Put a finished node where it belongs: in the innermost open list or mapping, or at the top."""
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        frame.height = max(frame.height, height + 1)
        if isinstance(frame.node.value, list):
            frame.node.value.append(node)
        elif isinstance(frame.node.value, dict):
            if frame.key is None:
                self._key(frame, node)
            else:
                frame.node.value.setdefault(frame.key, node)
                frame.key = None

    def _key(self, frame: _Open, node: Node) -> None:
        """Take a node as the next key of a mapping."""
        frame.key = node.value if isinstance(node.value, str) else node.source or "?"
        if not isinstance(node.value, str):
            self._fault(node.mark, _bad_key(node))
        elif node.value == "<<" and not node.quoted:
            self._fault(node.mark, "the merge key '<<' is not read: use 'extends'")
        elif node.value in frame.node.keys:
            first = frame.node.keys[node.value].line
            self._fault(node.mark, f"the key {shown(node.value)} stands twice (first at line {first})")
        else:
            frame.node.keys[node.value] = node.mark

    def _count(self, mark: Mark, nodes: int) -> None:
        """Count values (not keys) as if aliases were copies."""
        if self._awaits_key:
            return
        self._counted += nodes
        if self._counted > MAX_NODES:
            raise self.stop(mark, f"expected at most {MAX_NODES:,} values, aliases counted in full; there are more")

    def _deepen(self, mark: Mark, levels: int) -> None:
        if len(self._stack) + levels > MAX_DEPTH:
            raise self.stop(mark, f"expected at most {MAX_DEPTH} levels of nesting; there are more")


def character(char: str) -> str:
    """Return the name of a character that is not allowed."""
    return "a NUL character" if char == "\0" else f"the control character U+{ord(char):04X}"


def _short(tag: str) -> str:
    return f"!!{tag.removeprefix(_CORE)}" if tag.startswith(_CORE) else tag


def _bad_key(node: Node) -> str:
    if not node.is_scalar:
        return f"expected text as a key, found {described(node)}"
    example = f'write "{node.source}"' if node.source else "write it in quotes"
    return f"expected text as a key, found {described(node)}: {example}"
