"""What a batch holds, whatever the model: events by kind, computation, and the rows that touch what others share."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from simulator.events import COMPUTE_KINDS, KERNEL_COMPUTE, USER_COMPUTE
from simulator.stream import AS_RECORDED, Array, Batch, exact_sum

_EXACT_IN_A_FLOAT = 2**53
_FEW = 12
"""So many kinds are counted one after the other faster than all at once."""
COMPUTATION = ((USER_COMPUTE, "user_ns"), (KERNEL_COMPUTE, "kernel_ns"))
"""The kinds of computation, and the column that holds the nanoseconds of each."""


@dataclass(frozen=True, slots=True)
class Census:
    """The counts of one batch.

    ``events`` is by event kind; of the two kinds of computation it has stretches, and ``nanoseconds`` their time. A row
    of a kind of computation only carries its nanoseconds: it is no event of its own. ``kinds`` are all that occur.
    """

    kinds: tuple[int, ...]
    events: dict[int, int]
    nanoseconds: dict[int, int]

    @classmethod
    def of(cls, batch: Batch, expected: Collection[int] = ()) -> Census:
        """Count a batch, sooner if its kinds are among those ``expected``."""
        found = _events(batch, expected)
        events = {kind: n for kind, n in found.items() if kind not in COMPUTE_KINDS}
        nanoseconds: dict[int, int] = {}
        for kind, name in COMPUTATION:
            stretches = int(np.count_nonzero(batch.columns[name])) if name in batch.columns else 0
            if stretches:
                events[kind] = stretches
                nanoseconds[kind] = batch.total(name)
        return cls(tuple(sorted({*found, *events})), events, nanoseconds)


def _events(batch: Batch, expected: Collection[int]) -> dict[int, int]:
    """Return the number of events of each kind that occurs; of those of computation, of rows."""
    kinds, counts = batch.columns["kind"], batch.columns.get("count")
    if counts is None and len(expected) <= _FEW:
        rows = {kind: int(np.count_nonzero(kinds == kind)) for kind in expected}
        if sum(rows.values()) == len(kinds):
            return {kind: n for kind, n in rows.items() if n}
    by_kind = np.bincount(kinds)
    occurring = np.flatnonzero(by_kind).tolist()
    if counts is None:
        return {kind: int(by_kind[kind]) for kind in occurring}
    if int(counts.max(initial=0)) * len(counts) < _EXACT_IN_A_FLOAT:
        sums = np.bincount(kinds, weights=counts)
        return {kind: int(sums[kind]) for kind in occurring}
    return {kind: exact_sum(counts[kinds == kind]) for kind in occurring}


def touches_shared(batch: Batch) -> Array:
    """Tell for each row whether it waits, posts, or hands a request to a device or halts until an interrupt."""
    shared = np.zeros(len(batch), dtype=bool)
    if "completion" in batch.columns:
        shared |= batch.columns["completion"] != AS_RECORDED
    for name in ("waits", "posts"):
        if name in batch.columns:
            shared |= batch.columns[name] >= 0
    return shared
