"""What engines read of a stream; a stream held in memory; the check of any stream's rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from simulator.errors import StreamError
from simulator.events import BY_CODE
from simulator.stream.columns import COLUMN, Batch
from simulator.stream.header import Header


class EventStream(Protocol):
    """What engines read: a header, and batches of rows for each virtual CPU, as often as asked."""

    @property
    def header(self) -> Header:
        """What the stream says of itself."""

    def batches(self, vcpu: int) -> Iterator[Batch]:
        """Give the rows of one virtual CPU, in order, from the beginning."""


@runtime_checkable
class Narrowable(EventStream, Protocol):
    """A stream that can leave out columns that nobody needs."""

    @property
    def columns(self) -> Collection[str]:
        """The columns that batches have."""

    def narrowed(self, columns: Collection[str]) -> EventStream:
        """Return the stream without the columns that are not named, which then take no time to read."""


@dataclass(frozen=True, slots=True)
class MemoryStream:
    """A stream held in memory: a sequence of batches for each virtual CPU."""

    header: Header
    rows: Sequence[Sequence[Batch]]

    @classmethod
    def of(cls, stream: EventStream) -> MemoryStream:
        """Hold another stream in memory."""
        return cls(stream.header, [list(stream.batches(vcpu)) for vcpu in range(stream.header.vcpus)])

    def batches(self, vcpu: int) -> Iterator[Batch]:
        """Give the rows of one virtual CPU, in order."""
        return iter(self.rows[vcpu])


def check_batch(batch: Batch, header: Header, where: str, first_row: int = 0) -> None:
    """Check every value of a batch against the table of columns.

    Raises:
        StreamError: names the row (from 0), the column, the value and what was expected.
    """
    for name, values in batch.columns.items():
        column = COLUMN[name]
        if int(values.min(initial=column.least)) < column.least:
            row = int(np.argmax(values < column.least))
            raise StreamError(
                f"{where}, row {first_row + row}, column '{name}': {int(values[row])} is out of range, "
                f"expected {column.least} or more ({column.about})"
            )
    for name, known, expected in (
        ("kind", range(1, max(BY_CODE) + 1), "the code of an event kind of this version"),
        ("device", range(-1, len(header.devices)), f"one of the header's {len(header.devices)} devices"),
    ):
        values = batch.columns.get(name, np.zeros(0, dtype="int16"))
        if int(values.max(initial=known.start)) >= known.stop:
            row = int(np.argmax(values >= known.stop))
            raise StreamError(f"{where}, row {first_row + row}, column '{name}': {int(values[row])} is not {expected}")
