"""The reference engine: SimPy, one event after the other. What it does is the definition of correct.

A virtual CPU is a process that takes its rows one by one. Times are integer ticks. What happens at one moment has a
total order: completions of requests, then the virtual CPUs by number, then the order in which it was scheduled.
"""

from __future__ import annotations

import numpy as np

from simulator.engine.base import Engine, Outcome, Progress, Replay
from simulator.engine.census import Census, touches_shared
from simulator.engine.ledger import ASK, Asked, PlainMechanisms
from simulator.engine.physical import Steps
from simulator.engine.shared import SharedStream
from simulator.engine.vcpu import Row, VirtualCpu, outcome
from simulator.engine.world import World
from simulator.model import Pricing
from simulator.stream import Batch


class ReferenceEngine(Engine):
    """Replays event by event on SimPy; see ``engine.base.Engine``."""

    name = "reference"

    def run(self, replay: Replay, progress: Progress | None = None) -> Outcome:
        """Replay all rows; see ``engine.base.Engine``."""
        pricing = replay.model.start()
        return replay_row_by_row(replay, pricing, PlainMechanisms(pricing, replay.stream.header.vcpus), progress)


def replay_row_by_row(replay: Replay, pricing: Pricing, asked: Asked, progress: Progress | None = None) -> Outcome:
    """Replay all rows, with the mechanisms given.

    Raises:
        ModelError, RunError: as for any replay.
    """
    world = World(replay, pricing, asked, SharedStream(replay.stream, 1))
    vcpus = [_RowByRow(world, number, progress) for number in range(replay.stream.header.vcpus)]
    for vcpu in vcpus:
        world.env.process(vcpu.run(vcpus))
    world.env.run()
    return outcome(world, vcpus)


class _RowByRow(VirtualCpu):
    """A virtual CPU that takes its rows one by one."""

    def _rows(self, batch: Batch, first: int, census: Census) -> Steps:  # noqa: ARG002 (it takes them singly)
        turns = zip(self._ticks(batch), self._asked(batch), self._special(batch), strict=True)
        for row, (busy, asked, special) in enumerate(turns):
            if special or self._disturbed:
                yield from self._full_row(Row(batch, row, first + row))
                continue
            if busy:
                self.busy += busy
                yield self._turn().come(busy)
            if asked and (price := self._world.prices.asked.ask(Row(batch, row, first + row).event(self.number))):
                self.busy += price
                yield self._turn().come(price)

    def _ticks(self, batch: Batch) -> list[int]:
        """Return what each row takes, computation included, in ticks; of rows to be asked, the computation alone."""
        prices, computation = [max(price, 0) for price in self._world.prices.of], self._world.prices.computation
        columns = (batch.column(name).tolist() for name in ("kind", "count", "user_ns", "kernel_ns"))
        return [n * prices[kind] + computation(u, k) for kind, n, u, k in zip(*columns, strict=True)]

    def _asked(self, batch: Batch) -> list[bool]:
        """Tell for each row whether mechanisms with state serve it, which are asked when its event happens."""
        kinds = [kind for kind, price in enumerate(self._world.prices.of) if price == ASK]
        asked: list[bool] = np.isin(batch.columns["kind"], kinds).tolist()
        return asked

    def _special(self, batch: Batch) -> list[bool]:
        """Tell for each row whether it must take all steps one by one; the others touch nothing shared."""
        special: list[bool] = touches_shared(batch).tolist() if self._world.quiet else [True] * len(batch)
        return special
