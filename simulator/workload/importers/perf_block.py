"""Some lines of a recording as columns: what ``perf_columns`` makes, and ``perf_reader`` reads.

It may come from another process; who reads it needs nothing of what it takes to make one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simulator.workload.importers.spool import Matrix

ODD = -1

COLUMNS = PLACE, NAME, TIME, A, B = range(5)
"""The columns of a block."""
NUMBERS = -1
"""Says of a tracepoint that all its fields are numbers."""


@dataclass(slots=True)
class Block:
    """Some lines, as columns.

    ``columns`` has, one row each: place and name, which are indices into the different texts of places and tracepoints
    (``places``, ``names``); the time in nanoseconds; and the fields ``A`` and ``B``, numbers. Of each name, ``meant``
    says which of these two holds an index into ``meanings`` in place of a number, if one does. A line that has to be
    read by itself is ``ODD`` in all columns, and stands in ``alone`` by its number from 0, without its newline.
    ``repeats`` are lines that are equal to the line before.
    """

    columns: Matrix
    repeats: frozenset[int] = frozenset()
    alone: dict[int, bytes] = field(default_factory=dict)
    places: list[bytes] = field(default_factory=list)
    names: list[bytes] = field(default_factory=list)
    meant: list[int] = field(default_factory=list)
    meanings: list[Any] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.columns[NAME])

    def line(self, number: int) -> bytes:
        """Return one line; of one that was split, all but its fields."""
        if number in self.alone:
            return self.alone[number]
        place, name, time = self.columns[[PLACE, NAME, TIME], number].tolist()
        seconds, ns = divmod(time, 10**9)
        return b"%b %d.%09d%b..." % (self.places[place], seconds, ns, self.names[name])

    def fields(self, column: int) -> list[Any]:
        """Return one of the columns of fields, with meanings in place of indices."""
        fields = self.columns[column].astype(object)
        where = np.array([*(meant == column for meant in self.meant), False])[self.columns[NAME]]
        if where.any():
            fields[where] = np.fromiter(self.meanings, object, len(self.meanings))[self.columns[column, where]]
        return list(fields)


def parse_name(text: bytes) -> str:
    """Return the tracepoint in what stands between the time and the fields.

    >>> parse_name(b":   msr:read_msr: ")
    'msr:read_msr'
    """
    return text.decode("utf-8", errors="backslashreplace").strip(": ")
