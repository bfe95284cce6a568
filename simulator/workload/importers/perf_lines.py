"""Lines that ``perf script`` would have written, made one by one from what another recording tells, in columns."""

from __future__ import annotations

from array import array

import numpy as np

from simulator.workload.importers.perf_columns import Block
from simulator.workload.importers.perf_text import Place

_COLUMNS = 6


class Lines:
    """Lines in the order of time, gathered until a reader takes them as a block."""

    def __init__(self) -> None:
        self._empty()

    def _empty(self) -> None:
        self._columns = array("q")
        self._places: dict[Place, int] = {}
        self._names: dict[str, int] = {}
        self._texts: list[str] = []

    def numbers(self, place: Place, name: str, time: int, a: int, b: int = 0) -> None:
        """Add a line (``time`` in ns) of a tracepoint whose fields are numbers (``Handlers.numbers_table``)."""
        places, names = self._places, self._names
        if place not in places:
            places[place] = len(places)
        if name not in names:
            names[name] = len(names)
        self._columns.extend((places[place], names[name], time, a, b, 0))

    def text(self, place: Place, name: str, time: int, fields: str) -> None:
        """Add a line (``time`` in ns) of a tracepoint whose fields are text (``Handlers.table``)."""
        self._texts.append(fields)
        self.numbers(place, name, time, len(self._texts) - 1)

    def take(self) -> Block:
        """Return the lines so far, which are no longer held."""
        columns = np.array(self._columns, np.int64).reshape(-1, _COLUMNS).T
        block = Block(
            data=b"",
            edges=np.zeros(columns.shape[1] + 1, np.int32),
            repeats=frozenset(),
            columns=columns,
            places=[_written(place).encode() for place in self._places],
            names=[name.encode() for name in self._names],
            texts=self._texts,
        )
        self._empty()
        return block


def _written(place: Place) -> str:
    return f"{place.comm} {place.pid}/{place.tid} [{place.cpu}]"
