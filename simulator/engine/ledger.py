"""Ledgers: what one virtual CPU did, counted; and the prices that all virtual CPUs of a replay pay.

Counting comes first: whatever has one recipe is counted by the batch, before its rows run. Only actions of mechanisms
with state are counted row by row, since they depend on what came before.
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from simulator.actions import ActionCounts
from simulator.engine.census import Census
from simulator.errors import ModelError
from simulator.events import BY_CODE, COMPUTE_KINDS, INTERRUPT, INTERRUPT_COMPLETION, KERNEL_COMPUTE, USER_COMPUTE
from simulator.mechanisms import Event
from simulator.model import Pricing

ASK = -1
"""In place of a price: a mechanism with state serves this kind, so it is asked row by row."""


class Asked(Protocol):
    """The mechanisms with state of one replay, which are asked row by row."""

    def ask(self, event: Event) -> int:
        """Serve a row, count its actions, and return what they cost in ticks."""

    def actions(self, vcpu: int, events: Counter[int]) -> Counter[tuple[int, str]]:
        """Return the actions of all rows that one virtual CPU asked for; ``events`` is how many it had of each kind."""


class PlainMechanisms:
    """Mechanisms by their own code; see ``Asked``."""

    def __init__(self, pricing: Pricing, vcpus: int) -> None:
        self._pricing = pricing
        self._actions: list[Counter[tuple[int, str]]] = [Counter() for _ in range(vcpus)]
        self._taken: Counter[tuple[int, str]] = Counter()
        self._kind = self._owed = 0

    def ask(self, event: Event) -> int:
        """Ask each mechanism that serves the row."""
        self._owed = 0
        self._kind = event.kind
        self._taken = self._actions[event.vcpu]
        self._pricing.chain.serve(event, self._take)
        return self._owed

    def _take(self, action: str, n: int) -> None:
        self._taken[self._kind, action] += n
        self._owed += n * self._pricing.ticks[action]

    def actions(self, vcpu: int, events: Counter[int]) -> Counter[tuple[int, str]]:  # noqa: ARG002 (each was counted)
        """Return the actions of one virtual CPU."""
        return self._actions[vcpu]


class Prices:
    """What the mechanisms of one replay charge, in ticks.

    ``of`` is by event kind, ``rates`` (of the two kinds of computation) is per nanosecond. A row of a kind of
    computation only carries its nanoseconds: as an event it costs nothing, and its stretch is counted like any other.
    """

    def __init__(self, pricing: Pricing, asked: Asked) -> None:
        self.pricing = pricing
        self.asked = asked
        self._known: set[int] = set()
        self.of = [ASK] * (max(BY_CODE) + 1)
        self.rates = {USER_COMPUTE: 0, KERNEL_COMPUTE: 0}

    def learn(self, kind: int) -> None:
        """Look up the price of a kind before it is needed.

        Raises:
            ModelError: the kind has no recipe, or is a kind of computation and a mechanism with state reads it.
        """
        if kind in self._known:
            return
        price = self.pricing.price(kind)
        if kind not in COMPUTE_KINDS:
            self.of[kind] = ASK if price is None else price
        elif price is None:
            raise ModelError(
                f"'{BY_CODE[kind].name}' is priced by the nanosecond: no mechanism with state may serve it"
            )
        else:
            self.of[kind], self.rates[kind] = 0, price
        self._known.add(kind)

    def ticks(self, census: Census) -> int | None:
        """Return what all rows of a batch take together; None if some are to be asked."""
        if any(self.of[kind] == ASK for kind in census.kinds):
            return None
        events = sum(n * self.of[kind] for kind, n in census.events.items() if kind not in COMPUTE_KINDS)
        return events + sum(n * self.rates[kind] for kind, n in census.nanoseconds.items())

    def computation(self, user_ns: int, kernel_ns: int) -> int:
        """Return what computation takes, in ticks."""
        return user_ns * self.rates[USER_COMPUTE] + kernel_ns * self.rates[KERNEL_COMPUTE]


class Ledger:
    """The counts of one virtual CPU."""

    def __init__(self, prices: Prices, vcpu: int) -> None:
        self._prices = prices
        self._vcpu = vcpu
        self._events: Counter[int] = Counter()
        self._nanoseconds: Counter[int] = Counter()

    def count(self, census: Census) -> None:
        """Count a batch, and learn its prices."""
        for kind in census.kinds:
            self._prices.learn(kind)
        self._events.update(census.events)
        self._nanoseconds.update(census.nanoseconds)

    def count_interrupt(self) -> None:
        """Count an interrupt that the engine delivers, and its completion."""
        for kind in (INTERRUPT, INTERRUPT_COMPLETION):
            self._prices.learn(kind)
            self._events[kind] += 1

    def counts(self) -> ActionCounts:
        """Return all counts; what has one recipe is multiplied out here."""
        actions = Counter(self._prices.asked.actions(self._vcpu, self._events))
        for kind, events in self._events.items():
            times = self._nanoseconds[kind] if kind in COMPUTE_KINDS else events
            for action, each in (self._prices.pricing.recipe(kind) or {}).items():
                actions[kind, action] += each * times
        return ActionCounts(Counter(self._events), actions)
