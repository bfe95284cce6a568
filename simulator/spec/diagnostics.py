"""Faults and warnings of a tree that is rewritten before it is validated, at the places that people wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from simulator.errors import Fault
from simulator.spec.node import Mark, Where, dotted

_MOST_STEPS = 20_000


@dataclass(frozen=True)
class Place:
    """Where a step stands: its path in the expanded tree, and the path that people are shown."""

    real: Where
    shown: Where

    @classmethod
    def of(cls, where: Where) -> Place:
        """Return the place of what is shown where it is."""
        return cls(where, where)

    def __truediv__(self, part: str | int) -> Place:
        return Place((*self.real, part), (*self.shown, part))


@dataclass
class Diagnostics:
    """What is found while the workloads of one tree are expanded."""

    faults: list[Fault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _moved: list[Place] = field(default_factory=list)
    _steps: int = 0

    def settled(self, faults: list[Fault]) -> list[Fault]:
        """Return all faults of a tree, from those of its validation: at one place only the first, on shown paths."""
        if self._steps >= _MOST_STEPS:
            return self.faults
        known = set(map(_spot, self.faults))
        origins = {dotted(place.real): dotted(place.shown) for place in self._moved} if faults else {}
        shown_faults = (replace(fault, path=_original(fault.path, origins)) for fault in faults)
        return [*self.faults, *(fault for fault in shown_faults if _spot(fault) not in known)]

    def fault(self, mark: Mark, where: Where, message: str) -> None:
        """Note what is wrong at a place, the first time: an operation may be expanded often."""
        fault = mark.fault(where, message)
        if _spot(fault) not in map(_spot, self.faults):
            self.faults.append(fault)

    def moved(self, place: Place) -> None:
        """Note that an expanded path is shown as another."""
        self._moved.append(place)

    def count_step(self, mark: Mark, where: Where) -> bool:
        """Count one expanded step; False, and a fault, where there are too many."""
        self._steps += 1
        if self._steps == _MOST_STEPS:
            self.fault(mark, where, f"more than {_MOST_STEPS:,} steps once operations are expanded: use 'times'")
        return self._steps < _MOST_STEPS


def _original(path: str, origins: Mapping[str, str]) -> str:
    """Return the path that people are shown for one of the expanded tree."""
    known = [real for real in origins if path == real or path.startswith(f"{real}.")]
    longest = max(known, key=len, default="")
    return origins[longest] + path[len(longest) :] if known else path


def _spot(fault: Fault) -> tuple[str, int, int, str]:
    """Return where a fault is; what was set on the command line stands in no line, so there the path tells."""
    return fault.file, fault.line, fault.column, "" if fault.line else fault.path
