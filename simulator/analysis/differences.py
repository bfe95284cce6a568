"""What differs between the resolved inputs of two replays, of all that a replay reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from simulator.spec.node import dotted

_SAID = frozenset({"description", "source", "status", "low", "high", "provenance", "abstract", "about"})
"""Keys that say something of a value, and no replay reads."""
_NAMES = frozenset({("model", "title"), ("model", "machine", "name")})
"""Names that no replay reads; the title of a workload is no such name, since random rows are drawn from it."""
_NOTHING = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """A path at which two inputs differ, and both values as text; a missing one is empty."""

    path: tuple[str | int, ...]
    before: str
    after: str

    @property
    def is_price(self) -> bool:
        """Whether it is the cost of an action, or the clock."""
        return self.path[:2] == ("model", "costs") or self.path == ("model", "machine", "clock")

    @property
    def name(self) -> str:
        """The path as users write it, below the model; a cost is named by its action."""
        path = self.path[:-1] if self.path[:2] == ("model", "costs") and self.path[-1] == "cost" else self.path
        return dotted(path[1:] if path[0] == "model" else path)

    @property
    def part(self) -> str:
        """The mechanism, or the part of the workload or of the machine, that differs."""
        path = self.path[1:] if self.path[0] == "model" else self.path
        return dotted(path[:2])


def differences(before: Any, after: Any, path: tuple[str | int, ...] = ()) -> Iterator[Difference]:
    """Yield all that differs between two inputs, as plain values, in the order of the second."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**after, **before}:
            if key not in _SAID and (*path, key) not in _NAMES:
                yield from differences(before.get(key, _NOTHING), after.get(key, _NOTHING), (*path, key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, (*path, index))
    elif type(before) is not type(after) or before != after:
        yield Difference(path, _text(before), _text(after))


def _text(value: Any) -> str:
    if value is _NOTHING or value is None:
        return ""
    return "..." if isinstance(value, dict | list) else str(value)
