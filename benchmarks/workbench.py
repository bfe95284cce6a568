"""What the benchmarks replay: streams of any length in Parquet, models with and without state; a bare SimPy loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import simpy

from simulator.events import BY_NAME
from simulator.mechanisms.direct_execution import DirectExecutionParameters
from simulator.model import CostModel, Device
from simulator.spec.build import load_model
from simulator.spec.library import find
from simulator.stream import (
    ASYNCHRONOUS,
    BLOCKING,
    ROWS_PER_BATCH,
    Batch,
    EventStream,
    Header,
    ParquetStream,
    write_parquet,
)

SHARES = {
    "syscall": 0.40,
    "touch": 0.25,
    "page_fault": 0.10,
    "pte_set": 0.10,
    "kernel_code": 0.08,
    "port_in": 0.03,
    "pte_clear": 0.02,
    "space_switch": 0.02,
}
"""The mix of events: every mechanism of the software and of the hardware VMM has work. One row is one event."""

_PAGES, _SPACES, _SITES, _INSTRUCTIONS = 4_000, 8, 500, 30
REQUESTS_APART = 500


def bare_simpy(events: int) -> None:
    """Run a SimPy process that does nothing but wait, once for each event."""

    def process(env: simpy.Environment):  # type: ignore[no-untyped-def]
        for _ in range(events):
            yield env.timeout(242)

    env = simpy.Environment()
    env.process(process(env))
    env.run()


class Mix:
    """A stream of single events after gaps of 0.1 to 5 us; on several virtual CPUs a disk request among every 500."""

    def __init__(self, events: int, vcpus: int = 1) -> None:
        self.header = Header("benchmark", vcpus=vcpus, devices=("disk",) if vcpus > 1 else ())
        self._events = events

    def batches(self, vcpu: int) -> Iterator[Batch]:
        """Give the rows of one virtual CPU."""
        random = np.random.default_rng([1, vcpu])
        kinds = np.array([BY_NAME[name].code for name in SHARES], dtype=np.int16)
        left = self._events // self.header.vcpus
        while left > 0:
            rows = min(left, ROWS_PER_BATCH)
            left -= rows
            yield self._batch(random, random.choice(kinds, rows, p=list(SHARES.values())))

    def _batch(self, random: np.random.Generator, kinds: np.ndarray) -> Batch:
        rows, code = len(kinds), {name: kind.code for name, kind in BY_NAME.items()}
        columns = {"kind": kinds, "user_ns": random.integers(100, 5_000, rows)}
        if self.header.devices:
            kinds[::REQUESTS_APART] = code["disk_request"]
            completion = np.zeros(rows, dtype=np.int8)
            completion[::REQUESTS_APART] = ASYNCHRONOUS
            completion[:: 4 * REQUESTS_APART] = BLOCKING
            device = np.where(kinds == code["disk_request"], 0, -1).astype(np.int16)
            columns |= {"completion": completion, "device": device}
        columns["space"] = np.where(kinds == code["space_switch"], random.integers(1, _SPACES, rows), -1)
        columns["page"] = random.integers(0, _PAGES, rows)
        columns["site"] = random.integers(0, _SITES, rows) * 64
        columns["size"] = np.where(kinds == code["kernel_code"], _INSTRUCTIONS, -1).astype(np.int64)
        return Batch(columns)


def stream(folder: Path, events: int) -> ParquetStream:
    """Return the mix as a file, written if it is not there."""
    path = folder / f"mix-{events}.parquet"
    if not path.exists():
        write_parquet(Mix(events), path)
    return ParquetStream.open(path)


def contended(events: int) -> EventStream:
    """Return the mix on four virtual CPUs, with disk requests."""
    return Mix(events, vcpus=4)


def model(name: str) -> CostModel:
    """Return a cost model that ships, with a disk."""
    found = load_model(find(f"pentium4-672/{name}", "cost-model", Path()))[1]
    return replace(found, machine=replace(found.machine, devices={"disk": Device(service_ns=100_000)}))


def stateless() -> CostModel:
    """Return a model without state: each event at the cost of a system call, computation at its own."""
    native = model("native")
    each = {name: {"syscall": 1} for name in (*SHARES, "disk_request", "interrupt", "interrupt_completion")}
    events = {**each, "user_compute": {"compute": 1}, "kernel_compute": {"compute": 1}}
    return replace(native, name="stateless", mechanisms={"direct_execution": DirectExecutionParameters(events=events)})


def two_cpus(found: CostModel) -> CostModel:
    """Return a model whose machine has two physical CPUs."""
    return replace(found, machine=replace(found.machine, physical_cpus=2))
