"""A cost model: mechanisms, a cost table, and the machine they run on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simulator.costs import CostTable
from simulator.errors import ModelError
from simulator.events import BY_CODE
from simulator.mechanisms import BY_NAME, Mechanism, Parameters, StatelessMechanism
from simulator.units import Clock


@dataclass(frozen=True, slots=True)
class Device:
    """A device with a queue: requests are served first come, first served, ``servers`` at a time.

    One request takes ``service_ns`` and, where ``bytes_per_second`` is above 0, its size over that.
    """

    service_ns: int
    servers: int = 1
    bytes_per_second: int = 0

    def request_ns(self, size: int) -> int:
        """Return how long one request of ``size`` bytes is served, in nanoseconds (rounded up)."""
        transfer = -(-max(size, 0) * 10**9 // self.bytes_per_second) if self.bytes_per_second else 0
        return self.service_ns + transfer


@dataclass(frozen=True, slots=True)
class Machine:
    """What a model runs on. ``physical_cpus`` None: as many as the workload has virtual CPUs, so none ever waits."""

    name: str
    clock: Clock
    physical_cpus: int | None
    time_slice_ns: int
    devices: Mapping[str, Device]


@dataclass(frozen=True, slots=True)
class CostModel:
    """Mechanisms by name with their parameters, a cost table, and a machine."""

    name: str
    machine: Machine
    costs: CostTable
    mechanisms: Mapping[str, Parameters]

    def build(self) -> list[Mechanism]:
        """Build the mechanisms anew, without state."""
        return [BY_NAME[name](parameters) for name, parameters in self.mechanisms.items()]

    def reads(self) -> frozenset[int]:
        """Return the codes of all event kinds that have a recipe."""
        return frozenset(kind for mechanism in self.build() for kind in mechanism.reads())

    def start(self) -> Pricing:
        """Build the mechanisms and look up prices, ready for one replay.

        Raises:
            ModelError: a mechanism can take an action that has no cost.
        """
        return Pricing(self, self.build())


class Pricing:
    """The mechanisms of one replay, and what their actions cost in ticks.

    A kind that only stateless mechanisms read has one recipe and one price. The others are asked row by row.

    Raises:
        ModelError: a mechanism can take an action that has no cost.
    """

    def __init__(self, model: CostModel, mechanisms: list[Mechanism]) -> None:
        self.model = model
        emitted = sorted(action for mechanism in mechanisms for action in mechanism.emits())
        self.ticks = {action: model.costs.ticks(action) for action in emitted}
        self._readers: dict[int, list[Mechanism]] = {
            kind: readers for kind in BY_CODE if (readers := [m for m in mechanisms if kind in m.reads()])
        }

    def kinds(self) -> list[int]:
        """Return the codes of all event kinds that have a recipe, in order."""
        return list(self._readers)

    def mechanisms(self, kind: int) -> list[Mechanism]:
        """Return the mechanisms that serve a kind.

        Raises:
            ModelError: none does; zero is never silent.
        """
        try:
            return self._readers[kind]
        except KeyError:
            raise ModelError(
                f"cost model '{self.model.name}' has no recipe for the event '{BY_CODE[kind].name}': list it under one "
                f"of its mechanisms ({', '.join(self.model.mechanisms)})"
            ) from None

    def recipe(self, kind: int) -> dict[str, int] | None:
        """Return the actions of one event of a kind; None where a mechanism with state serves it."""
        actions: dict[str, int] = {}
        for mechanism in self.mechanisms(kind):
            if not isinstance(mechanism, StatelessMechanism):
                return None
            for action, n in mechanism.recipe(kind).items():
                actions[action] = actions.get(action, 0) + n
        return actions

    def price(self, kind: int) -> int | None:
        """Return the cost of one event of a kind in ticks; None where a mechanism with state serves it."""
        recipe = self.recipe(kind)
        return None if recipe is None else sum(n * self.ticks[action] for action, n in recipe.items())
