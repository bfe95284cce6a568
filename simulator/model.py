"""A cost model: mechanisms, a cost table, and the machine they run on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simulator.costs import CostTable
from simulator.errors import ModelError
from simulator.events import BY_CODE
from simulator.mechanisms import BY_NAME, Chain, Parameters
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

    def build(self) -> Chain:
        """Build the mechanisms anew, without state."""
        return Chain(BY_NAME[name](parameters) for name, parameters in self.mechanisms.items())

    def start(self) -> Pricing:
        """Build the mechanisms and look up prices, ready for one replay.

        Raises:
            ModelError: a mechanism can take an action that has no cost.
        """
        return Pricing(self, self.build())


class Pricing:
    """The mechanisms of one replay, and what their actions cost in ticks.

    A kind that only stateless mechanisms have a part in has one recipe and one price. The others are asked row by row.

    Raises:
        ModelError: a mechanism can take an action that has no cost.
    """

    def __init__(self, model: CostModel, chain: Chain) -> None:
        self.model = model
        self.chain = chain
        self.ticks = {action: model.costs.ticks(action) for _, action in chain.leaving()}

    def kinds(self) -> list[int]:
        """Return the codes of all event kinds that have a recipe, in order."""
        return sorted(self.chain.reads())

    def unfold(self, kind: int) -> tuple[dict[str, int], list[str]]:
        """Return what one event of a kind always takes, and the names of the mechanisms whose part depends on state.

        Raises:
            ModelError: no mechanism serves the kind; zero is never silent.
        """
        if kind not in self.chain.reads():
            raise ModelError(
                f"cost model '{self.model.name}' has no recipe for the event '{BY_CODE[kind].name}': list it under one "
                f"of its mechanisms ({', '.join(self.model.mechanisms)})"
            )
        return self.chain.unfold(kind)

    @property
    def has_state(self) -> bool:
        """Whether a mechanism with state has a part in any kind."""
        return any(self.chain.unfold(kind)[1] for kind in self.chain.reads())

    def recipe(self, kind: int) -> dict[str, int] | None:
        """Return the actions of one event of a kind; None where a mechanism with state has a part in it.

        Raises:
            ModelError: no mechanism serves the kind.
        """
        recipe, stateful = self.unfold(kind)
        return None if stateful else recipe

    def price(self, kind: int) -> int | None:
        """Return the cost of one event of a kind in ticks; None where a mechanism with state has a part in it."""
        recipe = self.recipe(kind)
        return None if recipe is None else sum(n * self.ticks[action] for action, n in recipe.items())
