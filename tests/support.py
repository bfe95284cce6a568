"""Small cost models and streams for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np

from simulator.costs import CostEntry, CostTable
from simulator.engine import ENGINES
from simulator.engine.base import Outcome, Replay
from simulator.events import BY_NAME
from simulator.mechanisms.direct_execution import DirectExecutionParameters
from simulator.model import CostModel, Device, Machine
from simulator.stream import COLUMN, Batch, EventStream, Header, MemoryStream
from simulator.units import Clock, Cost

engine = ENGINES["reference"]
"""The engine that ``replay`` uses; the fixture ``each_engine`` sets it."""

K = {name: kind.code for name, kind in BY_NAME.items()}


def cost_table(costs: Mapping[str, str], mhz: int = 1000) -> CostTable:
    return CostTable({name: CostEntry(Cost.parse(text), "test", "assumed") for name, text in costs.items()}, Clock(mhz))


def simple_model(
    events: Mapping[str, str] | None = None,
    mhz: int = 1000,
    physical_cpus: int | None = None,
    time_slice_ns: int = 1000,
    devices: Mapping[str, Device] | None = None,
    name: str = "simple",
) -> CostModel:
    """A model with one action for each event, named like it; computation costs its nanoseconds."""
    costs = {"user_compute": "1 ns", "kernel_compute": "1 ns", **(events or {})}
    recipes = {event: {event: 1} for event in costs}
    machine = Machine("test", Clock(mhz), physical_cpus, time_slice_ns, dict(devices or {}))
    mechanisms = {"direct_execution": DirectExecutionParameters(events=recipes)}
    return CostModel(name, machine, cost_table(costs, mhz), mechanisms)


def batch(rows: Sequence[Mapping[str, int]]) -> Batch:
    """A batch from rows; the kind is given by code."""
    names = sorted({name for row in rows for name in row} | {"kind"})
    return Batch(
        {
            name: np.array([row.get(name, COLUMN[name].default) for row in rows], dtype=COLUMN[name].dtype)
            for name in names
        }
    )


def stream(*vcpus: Sequence[Mapping[str, int]], devices: Sequence[str] = (), cuts: Sequence[int] = ()) -> MemoryStream:
    """A stream of rows for each virtual CPU, cut into batches at the given positions."""
    rows = []
    for vcpu in vcpus:
        edges = [0, *sorted(cut for cut in set(cuts) if 0 < cut < len(vcpu)), len(vcpu)]
        parts = (vcpu[begin:end] for begin, end in pairwise(edges))
        rows.append([batch(part) for part in parts if part])
    return MemoryStream(Header("test", vcpus=len(vcpus), devices=tuple(devices)), rows)


def replay(events: EventStream, model: CostModel, timer: Fraction | int | None = None) -> Outcome:
    """Replay a stream with the engine under test; ``timer`` in Hz."""
    return engine.run(Replay(events, model, Fraction(timer) if timer else None))
