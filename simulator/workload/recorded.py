"""Recorded streams made ready for a replay: what events cost on the machine recorded is taken off the gaps.

The gap before an event was measured from the moment of the event before it, so it holds that event's native cost. A
replay adds its own cost for that event; hence the recorded one is taken off first: off kernel computation, then off
user computation, then off idle time. Events of one moment (one line of a recording may stand for several) are taken
together off the gap that follows them. What is still left was shorter in the recording than the cost stated: it is
clipped at zero, and reported. Likewise a replay counts the delay of a posted signal from the end of its event.

A row of computation without any, in neither mode, is a *joint*: a recording ends there, and what follows, if anything,
is another (``cut.py``, ``combine.py``). Its idle time pays for what came before, and what that does not cover is not
clipped: nothing was recorded that it could have delayed, and a replay serves the events whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from simulator.errors import ModelError
from simulator.events import BY_CODE, COMPUTE_KINDS
from simulator.stream import Array, Batch, EventStream, Header, exact_sum


@dataclass(frozen=True, slots=True)
class Clipping:
    """How many gaps were shorter than the cost of the event before them, and by how many nanoseconds in all."""

    gaps: int = 0
    nanoseconds: int = 0

    def __add__(self, other: Clipping) -> Clipping:
        return Clipping(self.gaps + other.gaps, self.nanoseconds + other.nanoseconds)


@dataclass(frozen=True, slots=True)
class WithoutHostCosts:
    """A recorded stream whose gaps hold computation alone; see this module's text.

    ``costs`` is, by code of event kind, what one event took on the machine recorded, in nanoseconds. In ``header``,
    ``recorded_ns`` reaches to the end of the last event: the recording itself knows only when that event began. (What
    the last events before a joint take is not in it.)
    """

    header: Header
    recording: EventStream
    costs: Array
    clipping: Clipping

    @classmethod
    def of(cls, recording: EventStream, host_costs: Mapping[int, int]) -> WithoutHostCosts:
        """Take host costs (nanoseconds by kind) off a recording; reads it once, to know what is clipped and its end.

        Raises:
            StreamError: the recording cannot be read.
            ModelError: an event of it has no cost; zero is never silent.
        """
        costs = np.full(max(BY_CODE) + 1, -1, dtype=np.int64)
        costs[list(COMPUTE_KINDS)] = 0  # such a row only carries its computation
        for kind, nanoseconds in host_costs.items():
            costs[kind] = nanoseconds
        clipping, ends = Clipping(), [0]
        for vcpu in range(recording.header.vcpus):
            end = owed = 0
            for batch in recording.batches(vcpu):
                for kind in np.unique(batch.columns["kind"]).tolist():
                    if costs[kind] < 0:
                        raise ModelError(f"what '{BY_CODE[kind].name}' costs on the machine recorded is not known")
                _, clipped, owed = _take_off(costs, batch, owed)
                clipping += clipped
                end += exact_sum(batch.gaps())
            ends.append(end + owed)
        return cls(replace(recording.header, recorded_ns=max(ends)), recording, costs, clipping)

    def batches(self, vcpu: int) -> Iterator[Batch]:
        """Give the rows of one virtual CPU, in order."""
        owed = 0
        for batch in self.recording.batches(vcpu):
            ready, _, owed = _take_off(self.costs, batch, owed)
            yield ready


def _take_off(costs: Array, batch: Batch, owed: int) -> tuple[Batch, Clipping, int]:
    """Take costs off the gaps that follow them.

    ``owed`` is what rows before the batch cost and no gap has paid for; what the batch leaves is returned last.
    """
    own: Array = costs[batch.columns["kind"]] * batch.column("count")
    gaps = batch.gaps()
    joints = np.isin(batch.columns["kind"], list(COMPUTE_KINDS)) & (gaps == batch.column("idle_ns"))
    before = owed + np.concatenate(([0], np.cumsum(own)[:-1]))  # of all rows before each row of the batch
    following = np.flatnonzero((gaps > 0) | joints)
    paid = np.concatenate(([0], before[following]))  # up to each gap
    left = np.zeros(len(batch), dtype=np.int64)
    left[following] = np.diff(paid)
    columns = dict(batch.columns)
    for name in ("kernel_ns", "user_ns", "idle_ns"):
        taken = np.minimum(batch.column(name), left)
        columns[name] = batch.column(name) - taken
        left -= taken
    left[joints] = 0
    late = before - paid[np.searchsorted(following, np.arange(len(batch)), side="right")]
    columns["post_delay_ns"] = np.maximum(batch.column("post_delay_ns") - own - late, 0)
    clipping = Clipping(int(np.count_nonzero(left)), int(left.sum()))
    return Batch(columns), clipping, int(owed + own.sum() - paid[-1])
