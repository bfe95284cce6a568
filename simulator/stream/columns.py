"""The columns of a stream: their types, what an absent one stands for, and rows of one virtual CPU as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

ROWS_PER_BATCH = 65_536

Array = npt.NDArray[Any]

AS_RECORDED, ASYNCHRONOUS, BLOCKING = 0, 1, 2
"""Values of ``completion``: the times are in the recording, so the row just goes on; a request goes to the machine's
device and interrupts when done; the virtual CPU waits for the request, or after a halt for the next interrupt."""

START_SIGNAL = 0
"""The signal that is posted when the run begins: waits for it with a latency are waits until a moment of the run."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, the value that an absent column stands for, the least value allowed, and its meaning."""

    name: str
    dtype: str
    default: int
    least: int
    about: str


# fmt: off
COLUMNS: tuple[Column, ...] = (
    Column("kind", "int16", 0, 1, "code of the event kind"),
    Column("count", "int64", 1, 1, "how many events alike in a row"),
    Column("user_ns", "int64", 0, 0, "user computation before the event, native, nanoseconds"),
    Column("kernel_ns", "int64", 0, 0, "kernel computation before the event, native, nanoseconds"),
    Column("idle_ns", "int64", 0, 0, "idle time before the event as recorded, nanoseconds; not replayed"),
    Column("task", "int32", -1, -1, "task that is running; for context_switch and wake: the task switched to or woken"),
    Column("space", "int64", -1, -1, "address space"),
    Column("page", "int64", -1, -1, "virtual page number (address / 4096); of several, the first"),
    Column("site", "int64", -1, -1, "code address of the instruction"),
    Column("size", "int64", -1, -1, "bytes of a request, or instructions of a piece of code"),
    Column("device", "int16", -1, -1, "index into the header's list of devices"),
    Column("number", "int64", -1, -1, "number of the system call, port, register or vector"),
    Column("completion", "int8", 0, 0, "how a request or halt ends: 0 as recorded, 1 asynchronously, 2 it blocks"),
    Column("waits", "int64", -1, -1, "signal awaited before the event; 0 is the start of the run"),
    Column("wait_latency_ns", "int64", 0, 0, "time from the awaited signal to the event, nanoseconds"),
    Column("posts", "int64", -1, -1, "signal posted when the event has been served"),
    Column("post_delay_ns", "int64", 0, 0, "time from the end of the event to the posted signal, nanoseconds"),
)
# fmt: on
COLUMN: dict[str, Column] = {column.name: column for column in COLUMNS}


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one virtual CPU, as columns of equal length; an absent column stands for its default."""

    columns: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.columns["kind"])

    def column(self, name: str) -> Array:
        """Return a column, filled with its default if absent."""
        if name in self.columns:
            return self.columns[name]
        return np.full(len(self), COLUMN[name].default, dtype=COLUMN[name].dtype)

    def cell(self, name: str, row: int) -> int:
        """Return one cell, or the column's default if the column is absent."""
        return int(self.columns[name][row]) if name in self.columns else COLUMN[name].default

    def total(self, name: str) -> int:
        """Return the sum of a column, exact however large it is."""
        return exact_sum(self.columns[name]) if name in self.columns else len(self) * COLUMN[name].default

    def gaps(self) -> Array:
        """Return the recorded time before each row, computation and idle time, in nanoseconds."""
        gaps: Array = self.column("user_ns") + self.column("kernel_ns") + self.column("idle_ns")
        return gaps

    def part(self, first: int, end: int) -> Batch:
        """Return the rows from ``first`` on, up to and without ``end``."""
        return Batch({name: values[first:end] for name, values in self.columns.items()})


def exact_sum(values: Array) -> int:
    """Return the sum of whole numbers, exact however large it is."""
    bits = int(np.bitwise_or.reduce(values)) if values.dtype.kind == "i" else -1
    if bits < 0:  # some are negative, or it is not told by their bits
        bits = max(abs(int(values.max())), abs(int(values.min()))) if len(values) else 0
    fits = len(values) << bits.bit_length() <= 2**63 - 1
    return int(values.sum()) if fits else sum(values.tolist())
