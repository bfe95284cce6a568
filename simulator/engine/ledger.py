"""The ledger of one replay: it counts what stands in batches, and prices rows.

Counting comes first: whatever has one recipe is counted by the batch, before its rows run. Only actions of mechanisms
with state are counted row by row, since they depend on what came before.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from simulator.actions import ActionCounts
from simulator.errors import ModelError
from simulator.events import BY_CODE, COMPUTE_KINDS, INTERRUPT, INTERRUPT_COMPLETION, KERNEL_COMPUTE, USER_COMPUTE
from simulator.mechanisms import Event
from simulator.model import CostModel
from simulator.stream import Batch, exact_sum

ASK = -1
"""In place of a price: a mechanism with state serves this kind, so it is asked row by row."""

_TIMES = ((USER_COMPUTE, "user_ns"), (KERNEL_COMPUTE, "kernel_ns"))


class Ledger:
    """Counts of one replay, and prices in ticks.

    ``prices`` is by event kind, ``rates`` (of the two kinds of computation) is per nanosecond. A row of a kind of
    computation only carries its nanoseconds: as an event it costs nothing, and its stretch is counted like any other.
    """

    def __init__(self, model: CostModel) -> None:
        self._pricing = model.start()
        self._events: Counter[int] = Counter()
        self._nanoseconds: Counter[int] = Counter()
        self._asked: Counter[tuple[int, str]] = Counter()
        self._known: set[int] = set()
        self._serving = self._owed = 0
        self.prices = [ASK] * (max(BY_CODE) + 1)
        self.rates = {USER_COMPUTE: 0, KERNEL_COMPUTE: 0}

    def learn(self, kind: int) -> None:
        """Look up the price of a kind before it is needed.

        Raises:
            ModelError: the kind has no recipe, or is a kind of computation and a mechanism with state reads it.
        """
        if kind in self._known:
            return
        price = self._pricing.price(kind)
        if kind not in COMPUTE_KINDS:
            self.prices[kind] = ASK if price is None else price
        elif price is None:
            raise ModelError(
                f"'{BY_CODE[kind].name}' is priced by the nanosecond: no mechanism with state may serve it"
            )
        else:
            self.prices[kind], self.rates[kind] = 0, price
        self._known.add(kind)

    def count(self, batch: Batch) -> None:
        """Count the events and the computation of a batch, and learn their prices."""
        kinds, counts = batch.columns["kind"], batch.column("count")
        for kind in np.unique(kinds).tolist():
            self.learn(kind)
            if kind not in COMPUTE_KINDS:
                self._events[kind] += exact_sum(counts[kinds == kind])
        for kind, name in _TIMES:
            times = batch.column(name)
            stretches = int(np.count_nonzero(times))
            if stretches:
                self.learn(kind)
                self._events[kind] += stretches
                self._nanoseconds[kind] += exact_sum(times)

    def count_interrupt(self) -> None:
        """Count an interrupt that the engine delivers, and its completion."""
        for kind in (INTERRUPT, INTERRUPT_COMPLETION):
            self.learn(kind)
            self._events[kind] += 1

    def computation(self, user_ns: int, kernel_ns: int) -> int:
        """Return what computation takes, in ticks."""
        return user_ns * self.rates[USER_COMPUTE] + kernel_ns * self.rates[KERNEL_COMPUTE]

    def ticks(self, batch: Batch) -> list[int]:
        """Return what each row takes, computation included, in ticks; of rows to be asked, the computation alone."""
        prices, user, kernel = [max(p, 0) for p in self.prices], self.rates[USER_COMPUTE], self.rates[KERNEL_COMPUTE]
        columns = (batch.column(name).tolist() for name in ("kind", "count", "user_ns", "kernel_ns"))
        return [n * prices[kind] + u * user + k * kernel for kind, n, u, k in zip(*columns, strict=True)]

    def ask(self, event: Event) -> int:
        """Ask the mechanisms that serve a row; count their actions and return what they cost, in ticks."""
        self._owed = 0
        self._serving = event.kind
        self._pricing.chain.serve(event, self._take)
        return self._owed

    def _take(self, action: str, n: int) -> None:
        self._asked[self._serving, action] += n
        self._owed += n * self._pricing.ticks[action]

    def counts(self) -> ActionCounts:
        """Return all counts; what has one recipe is multiplied out here."""
        actions = Counter(self._asked)
        for kind, events in self._events.items():
            times = self._nanoseconds[kind] if kind in COMPUTE_KINDS else events
            for action, each in (self._pricing.recipe(kind) or {}).items():
                actions[kind, action] += each * times
        return ActionCounts(Counter(self._events), actions)
