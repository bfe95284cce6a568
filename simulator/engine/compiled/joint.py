"""Stretches of several virtual CPUs at once, with mechanisms whose state they share.

A virtual CPU hands in its stretch and sleeps. Before each step of SimPy the kernel advances all stretches up to the
moment of that step, and asks for their rows in the order of time, then of the virtual CPUs' numbers, as the reference
engine does. Where a stretch comes to its last step, its virtual CPU is woken at that moment, and takes the step itself:
it may run into the end of a time slice, or an interrupt. A row that is asked at the very moment of SimPy's step has to
wait for its turn among what happens then; so its virtual CPU is woken for it.
"""

from __future__ import annotations

import math

import numpy as np
import simpy

from simulator.engine.compiled import lanes as at
from simulator.engine.compiled import layout
from simulator.engine.compiled.lanes import advance, set_out
from simulator.engine.compiled.program import TooLargeError
from simulator.engine.compiled.walker import (
    COLUMNS_OF_KERNEL,
    FITS_64_BITS,
    CompiledMechanisms,
    event_of,
)
from simulator.engine.physical import Turn
from simulator.stream import Array, Batch

Progressed = tuple[int, int, int]
"""The next step of a stretch, the ticks that it has done, and those of the step that its virtual CPU is to take now."""


class Joint:
    """The stretches under way of all virtual CPUs."""

    def __init__(self, env: simpy.Environment, mechanisms: CompiledMechanisms, vcpus: int) -> None:
        self._env = env
        self._mechanisms = mechanisms
        self._lanes = np.zeros((vcpus, at.LANE_COLUMNS), dtype=np.int64)
        self._tapes = np.zeros((vcpus, 1, len(COLUMNS_OF_KERNEL)), dtype=np.int64)
        self._turns: dict[int, Turn] = {}

    def load(self, vcpu: int, batch: Batch) -> None:
        """Take in the rows of a batch, before its stretches.

        Raises:
            TooLargeError: its ticks may not fit 64 bits.
        """
        self._mechanisms.check(batch)
        vcpus, rows, columns = self._tapes.shape
        if len(batch) > rows:
            larger = np.zeros((vcpus, len(batch), columns), dtype=np.int64)
            larger[:, :rows] = self._tapes
            self._tapes = larger
        for i, name in enumerate(COLUMNS_OF_KERNEL):
            self._tapes[vcpu, : len(batch), i] = batch.column(name)

    def begin(self, vcpu: int, step: int, stop: int, budget: int | None, turn: Turn) -> Turn | Progressed:
        """Hand in a stretch whose virtual CPU has its turn now.

        Return what it did, if it is at its end and took no time; else the turn that will come, its value what it did.

        Raises:
            TooLargeError: the clock may not fit 64 bits.
        """
        now = int(self._env.now)
        if now >= FITS_64_BITS // 2:
            raise TooLargeError(f"the clock is at {now:,} ticks, which may not fit 64 bits")
        most = FITS_64_BITS if budget is None else min(budget, FITS_64_BITS)
        self._lanes[vcpu] = (1, step, stop, now, most, 0, 0, 1)
        lane = self._lanes[vcpu]
        while True:
            ended = set_out(self._mechanisms.memory, self._lanes, self._tapes, vcpu)
            if ended not in (layout.GROW, layout.BAD_CODE):
                break
            self._mechanisms.recover(event_of(self._tapes[vcpu, lane[at.STEP] >> 1], vcpu), ended)
        if ended == at.ARRIVED:
            lane[at.UNDER_WAY] = 0
            return _progressed(lane)
        self._turns[vcpu] = turn
        return turn

    def settle(self) -> None:
        """Advance all stretches as far as they go before SimPy's next step; schedule the turns of those that end.

        Raises:
            TooLargeError: the clock may not fit 64 bits, or the kernel's tables not its memory.
        """
        while self._turns:
            peek = self._env.peek()
            limit = FITS_64_BITS if math.isinf(peek) else int(min(peek, FITS_64_BITS))
            vcpu, ended = advance(self._mechanisms.memory, self._lanes, self._tapes, limit)
            if ended == at.BEYOND:
                if limit < FITS_64_BITS:
                    return
                raise TooLargeError(f"the clock reaches {limit:,} ticks, which may not fit 64 bits")
            lane = self._lanes[vcpu]
            if ended in (layout.GROW, layout.BAD_CODE):
                self._mechanisms.recover(event_of(self._tapes[vcpu, lane[at.STEP] >> 1], int(vcpu)), ended)
                continue
            lane[at.UNDER_WAY] = 0
            self._turns.pop(int(vcpu)).come(int(lane[at.CLOCK]) - int(self._env.now), _progressed(lane))


def _progressed(lane: Array) -> Progressed:
    return int(lane[at.STEP]), int(lane[at.DONE_TICKS]), int(lane[at.LAST_TICKS])
