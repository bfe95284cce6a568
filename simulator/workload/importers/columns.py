"""Many lines of text at a time as Arrow columns, and the layouts by which their parts are cut out of all at once.

Who writes traces pads the parts of a line, so that nearly all lines of a file have one of a few *layouts*: their parts
stand in the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from simulator.workload.importers.spool import Matrix

Texts = Any
"""A column of texts: an Arrow array. Whole lines and fields have their newlines."""
Mask = npt.NDArray[np.bool_]

LONGEST = 4096  # bytes; Arrow makes room for as many of every line
MOST_LAYOUTS = 8
_TRIED = 100

L = TypeVar("L")


class Layouts(Generic[L]):
    """The layouts met so far, those that fitted the most lines first.

    ``learn`` returns the layout of a line (by number), or None if it has none.
    """

    def __init__(self) -> None:
        self._known: list[L] = []

    def fit(self, lines: Texts, fill: Callable[[Matrix, Texts, L], Mask], learn: Callable[[int], L | None]) -> Matrix:
        """Hand lines to ``fill`` with a layout until it says that they fit one; return the numbers of those left."""
        left = np.arange(len(lines))
        if not self._known:
            self._learn(left.tolist(), learn)
        fitting = dict.fromkeys(self._known, 0)
        for layout in self._known:
            if len(left):
                rest = lines if len(left) == len(lines) else lines.take(as_indices(left))
                fits = fill(left, rest, layout)
                left, fitting[layout] = left[~fits], int(fits.sum())
        self._known.sort(key=fitting.__getitem__, reverse=True)
        self._learn(left.tolist(), learn)
        return left

    def _learn(self, numbers: Sequence[int], learn: Callable[[int], L | None]) -> None:
        """Expect lines from now on to have the layout of the first of these that has a new one."""
        for number in numbers[:_TRIED]:
            layout = learn(number)
            if layout is not None and layout not in self._known:
                self._known[MOST_LAYOUTS - 1 :] = [layout]  # in place of the one that fitted the fewest lines
                return


def lines_of(data: bytes) -> tuple[Texts, npt.NDArray[np.int32]]:
    """Return whole lines, each ended by a newline, as a column; and where each begins, with the end of the last."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    edges = np.concatenate(([0], ends + 1)).astype(np.int32)
    return pa.Array.from_buffers(pa.binary(), len(ends), [None, pa.py_buffer(edges), pa.py_buffer(data)]), edges


def different(texts: Texts) -> tuple[Matrix, list[Any]]:
    """Return for each row of a column which of its different texts it is, and these."""
    encoded = texts.dictionary_encode()
    return as_numpy(encoded.indices), encoded.dictionary.to_pylist()


def halves(texts: Texts, pattern: str) -> tuple[Texts, Texts]:
    """Split texts at a pattern that stands once in each.

    Raises:
        pa.ArrowInvalid: it does not.
    """
    parts = pc.split_pattern(texts, pattern)
    if not (np.diff(as_numpy(parts.offsets)) == 2).all():
        raise pa.ArrowInvalid(f"{pattern!r} does not stand once in each text")
    return parts.values[::2], parts.values[1::2]


def as_numpy(column: Texts) -> npt.NDArray[Any]:
    """Return the values of a column of numbers or truth values, none of which is null.

    This and what follows is what Arrow's own conversions do, without loading pandas to see whether it is involved.
    """
    data, begin, count = column.buffers()[1], column.offset, len(column)
    if not count:
        return np.zeros(0, column.type.to_pandas_dtype())
    if column.type == pa.bool_():
        bits = np.unpackbits(np.frombuffer(data, np.uint8), count=begin + count, bitorder="little")
        return bits[begin:].view(np.bool_)
    return np.frombuffer(data, column.type.to_pandas_dtype(), count, begin * column.type.byte_width)


def as_mask(chosen: Mask) -> Texts:
    """Return truth values as a column."""
    bits = pa.py_buffer(np.packbits(chosen, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(chosen), [None, bits])


def as_indices(numbers: Matrix) -> Texts:
    """Return whole numbers as a column."""
    data = pa.py_buffer(np.ascontiguousarray(numbers, np.int64))
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, data])
