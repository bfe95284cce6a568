"""What a replay of a recording will meet, found by reading it through once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.errors import StreamError
from simulator.events import ACTIVITY_KINDS, EVENTS_PER_INTERRUPT, KERNEL_COMPUTE, REQUEST_KINDS, USER_COMPUTE
from simulator.stream import AS_RECORDED, START_SIGNAL, EventStream, exact_sum


class Survey(NamedTuple):
    """What a recording holds: kinds, those of gaps included; devices of requests; events; whether it interacts."""

    kinds: frozenset[int]
    devices: frozenset[str]
    events: int
    interacts: bool


def survey(stream: EventStream) -> Survey:
    """Read a recording through.

    Raises:
        StreamError: a row waits for a signal that no row posts.
    """
    kinds: set[int] = set()
    devices: set[str] = set()
    awaited: set[int] = set()
    posted = {START_SIGNAL}
    asks, events = False, 0
    for batch in (batch for vcpu in range(stream.header.vcpus) for batch in stream.batches(vcpu)):
        kinds.update(np.unique(batch.columns["kind"]).tolist())
        counts = batch.column("count")
        events += exact_sum(counts[~np.isin(batch.columns["kind"], list(ACTIVITY_KINDS))])
        for kind, column in ((USER_COMPUTE, "user_ns"), (KERNEL_COMPUTE, "kernel_ns")):
            if batch.column(column).any():
                kinds.add(kind)
        asking = batch.column("completion") != AS_RECORDED
        asks = asks or bool(asking.any())
        requests = asking & np.isin(batch.columns["kind"], list(REQUEST_KINDS))
        events += EVENTS_PER_INTERRUPT * exact_sum(counts[requests])
        for device in np.unique(batch.column("device")[requests]).tolist():
            devices.add(stream.header.devices[device] if device >= 0 else "(none named)")
        for signals, column in ((awaited, "waits"), (posted, "posts")):
            values = batch.column(column)
            signals.update(values[values >= 0].tolist())
    if awaited - posted:
        raise StreamError(
            f"rows wait for the signal {min(awaited - posted)}, which no row posts: is the recording cut?"
        )
    return Survey(frozenset(kinds), frozenset(devices), events, asks or bool(awaited) or len(posted) > 1)
