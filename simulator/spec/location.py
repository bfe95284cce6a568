"""A pydantic location, followed through the document and through the types of the model."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, RootModel, Tag
from pydantic.fields import FieldInfo

from simulator.spec.node import Mark, Node


@dataclass
class Location:
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
