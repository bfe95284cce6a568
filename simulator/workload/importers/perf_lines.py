"""Lines that ``perf script`` would have written, made one by one from what another recording tells, in columns."""

from __future__ import annotations

from struct import Struct
from typing import Any

import numpy as np

from simulator.workload.importers.perf_block import COLUMNS, NUMBERS, A, Block
from simulator.workload.importers.perf_text import Place

_pack = Struct(f"{len(COLUMNS)}q").pack


class Lines:
    """Lines in the order of time, gathered until a reader takes them as a block."""

    def __init__(self) -> None:
        self._empty()

    def _empty(self) -> None:
        self._columns = bytearray()
        self._places: dict[Place, int] = {}
        self._names: dict[str, int] = {}
        self._meant: set[str] = set()
        self._meanings: list[Any] = []

    def numbers(self, place: Place, name: str, time: int, a: int, b: int = 0) -> None:
        """Add a line (``time`` in ns) of a tracepoint whose fields are numbers to its handler."""
        places, names = self._places, self._names
        at, named = places.setdefault(place, len(places)), names.setdefault(name, len(names))
        self._columns += _pack(at, named, time, a, b)

    def meaning(self, place: Place, name: str, time: int, meaning: Any) -> None:
        """Add a line (``time`` in ns) of a tracepoint whose fields are one thing to its handler (``PARSERS``)."""
        self._meant.add(name)
        self._meanings.append(meaning)
        self.numbers(place, name, time, len(self._meanings) - 1)

    def take(self) -> Block:
        """Return the lines so far, which are no longer held."""
        block = Block(
            columns=np.frombuffer(self._columns, np.int64).reshape(-1, len(COLUMNS)).T,
            places=[_written(place).encode() for place in self._places],
            names=[name.encode() for name in self._names],
            meant=[A if name in self._meant else NUMBERS for name in self._names],
            meanings=self._meanings,
        )
        self._empty()
        return block


def _written(place: Place) -> str:
    return f"{place.comm} {place.pid}/{place.tid} [{place.cpu}]"
