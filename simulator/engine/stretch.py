"""Rows of a batch as steps, two for each: its computation, then its event; and how far a virtual CPU gets in them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Protocol

import numpy as np

from simulator.engine.census import COMPUTATION
from simulator.engine.ledger import ASK, Asked, PlainMechanisms, Prices
from simulator.mechanisms import Event
from simulator.stream import Array, Batch

_FITS_64_BITS = 2**62


class Walker(Protocol):
    """Walks the steps of one batch."""

    def walk(self, step: int, stop: int, budget: int | None) -> tuple[int, int]:
        """Take steps from ``step`` on; return the step after the last one taken, and the ticks of all that were taken.

        It ends before ``stop``, or with the first step whose end is at or beyond ``budget`` ticks, or where the clock
        has to catch up before a mechanism is asked.
        """


class Stretching(Asked, Protocol):
    """Mechanisms with state that can be asked for many rows at once."""

    def walker(self, batch: Batch, prices: Prices, vcpu: int, *, ahead: bool) -> Walker | None:
        """Return a walker of a batch; None where 64 bits may not hold what it takes.

        ``ahead``: whether mechanisms may be asked before the clock is there, because nobody else asks them.
        """


class PlainStretching(PlainMechanisms):
    """Mechanisms by their own code; see ``Stretching``."""

    def walker(self, batch: Batch, prices: Prices, vcpu: int, *, ahead: bool) -> Walker | None:
        """Return a walker of a batch; see ``Stretching``."""
        ticks = step_ticks(batch, prices)
        if ticks is None:
            return None
        return PlainWalker(batch, ticks, asked_rows(batch, prices), self.ask, vcpu, ahead=ahead)


def step_ticks(batch: Batch, prices: Prices) -> Array | None:
    """Return what each step takes in ticks, 0 for events that are asked; None where 64 bits may not hold their sum."""
    rates = prices.rates
    of_kind = [max(price, 0) for price in prices.of]
    computed = sum(batch.total(name) * rates[kind] for kind, name in COMPUTATION)
    if computed + batch.total("count") * max(of_kind) >= _FITS_64_BITS:
        return None
    ticks = np.zeros((len(batch), 2), dtype=np.int64)
    for kind, name in COMPUTATION:
        if name in batch.columns:
            ticks[:, 0] += batch.columns[name] * rates[kind]
    ticks[:, 1] = np.array(of_kind, dtype=np.int64)[batch.columns["kind"]]
    if "count" in batch.columns:
        ticks[:, 1] *= batch.columns["count"]
    return ticks.ravel()


class PlainWalker:
    """Walks by the running sum of steps, and asks mechanisms with state by way of their own code."""

    def __init__(
        self, batch: Batch, ticks: Array, asked: Array, ask: Callable[[Event], int], vcpu: int, *, ahead: bool
    ) -> None:
        self._ends = np.concatenate(([0], np.cumsum(ticks)))  # of all steps before each
        self._asked = (2 * np.flatnonzero(asked) + 1).tolist()
        self._events = _events(batch, asked, vcpu)
        self._ask = ask
        self._ahead = ahead

    def walk(self, step: int, stop: int, budget: int | None) -> tuple[int, int]:
        """Take steps; see ``Walker``."""
        ticks = 0
        following = bisect_left(self._asked, step)
        while step < stop:
            asked = self._asked[following] if following < len(self._asked) else stop
            if step == asked:
                if ticks and not self._ahead:
                    break
                ticks += self._ask(self._events[following])
                step += 1
                following += 1
                if not self._ahead:
                    break
            else:
                before = self._ends[step]
                step = self._reach(step, min(asked, stop), None if budget is None else budget - ticks)
                ticks += int(self._ends[step] - before)
            if budget is not None and ticks >= budget:
                break
        return step, ticks

    def _reach(self, step: int, stop: int, budget: int | None) -> int:
        """Return the step after the first that ends at or beyond the budget, at most ``stop``."""
        if budget is None:
            return stop
        ends = self._ends[step + 1 : stop + 1]
        within = int(np.searchsorted(ends, self._ends[step] + min(budget, _FITS_64_BITS)))
        return min(step + within + 1, stop)


def _events(batch: Batch, asked: Array, vcpu: int) -> list[Event]:
    """Return the rows that are asked as mechanisms see them."""
    names = ("kind", "count", "task", "space", "page", "site", "size", "device", "number")
    columns = (batch.column(name)[asked].tolist() for name in names)
    return [Event(kind, count, vcpu, *rest) for kind, count, *rest in zip(*columns, strict=True)]


def asked_rows(batch: Batch, prices: Prices) -> Array:
    """Tell for each row whether mechanisms with state have a part in its event."""
    ask = np.array([price == ASK for price in prices.of])
    rows: Array = ask[batch.columns["kind"]]
    return rows
