"""The fast engine: it takes rows by the stretch, and uses SimPy only where something is shared.

A stretch is a run of rows that touch nothing shared, up to the next row that does or the next interrupt. Where no
mechanism with state has a part in them, its end is found in the running sum of what each step takes. Rows with a part
for such a mechanism are asked one after the other. With a single virtual CPU they may be asked ahead of time, since
nobody else asks; with several, each is asked when its time has come, so that all are asked in the order of the
reference engine. All that is shared is in ``vcpu.py``, which both engines use.
"""

from __future__ import annotations

import numpy as np

from simulator.engine.base import Outcome, Progress, Replay
from simulator.engine.census import touches_shared
from simulator.engine.physical import Steps
from simulator.engine.stretch import PlainWalker, Walker, asked_rows, step_ticks
from simulator.engine.vcpu import Row, VirtualCpu, outcome
from simulator.engine.world import World
from simulator.stream import Batch


class FastEngine:
    """Replays by the stretch; see ``engine.base.Engine``."""

    name = "fast"

    def run(self, replay: Replay, progress: Progress | None = None) -> Outcome:
        """Replay all rows; see ``engine.base.Engine``."""
        world = World(replay)
        vcpus = [_ByStretch(world, number, progress) for number in range(replay.stream.header.vcpus)]
        for vcpu in vcpus:
            world.env.process(vcpu.run(vcpus))
        world.env.run()
        return outcome(world, vcpus)


class _ByStretch(VirtualCpu):
    """A virtual CPU that takes its rows by the stretch."""

    def _rows(self, batch: Batch, first: int, ticks: int) -> Steps:
        shared = np.flatnonzero(touches_shared(batch)).tolist()
        asked = asked_rows(batch, self._world.prices)
        if self._world.quiet and not self._disturbed and not shared and not asked.any():
            yield from self._run(ticks)
            return
        each = step_ticks(batch, self._world.prices)
        if each is None:
            for row in range(len(batch)):
                yield from self._full_row(Row(batch, row, first + row))
            return
        walker = PlainWalker(batch, each, asked, self.ledger.ask, self.number, ahead=len(self._peers) == 1)
        begin = 0
        for row in shared:
            yield from self._stretch(walker, begin, row)
            yield from self._full_row(Row(batch, row, first + row))
            begin = row + 1
        yield from self._stretch(walker, begin, len(batch))

    def _stretch(self, walker: Walker, begin: int, end: int) -> Steps:
        """Take rows that touch nothing shared, from ``begin`` up to, and without, ``end``."""
        step = 2 * begin
        while step < 2 * end:
            step, ticks = walker.walk(step, 2 * end, self._budget())
            yield from self._run(ticks)

    def _budget(self) -> int | None:
        """Return how long, in ticks, rows may run until an interrupt is due or a time slice ends; None: for ever.

        What is due is taken at the end of the step that is running then.
        """
        if self._interrupt_is_due:
            return 0
        limits = []
        if self._next_tick:
            limits.append(self._next_tick - self._now)
        if self._under_way:
            limits.append(max(self._under_way[0] - self._now, 1))  # it has not come yet, so it comes while time passes
        if self._world.contended:
            limits.append(self._slice_end - self._now)
        return min(limits, default=None)
