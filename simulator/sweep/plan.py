"""What a sweep comes to: points, and for each workload under each model at each of them, which replay it hangs on.

A replay has a *key*, the SHA-256 of all that it reads. Where nothing waits, prices are no part of that: points that
differ only in costs share one replay, which is priced again for each. Costs are put into a model directly, without
building the experiment anew; all other parameters go the way of ``--set``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
from pydantic import ValidationError

from simulator.costs import CostTable
from simulator.earlier import code_hash, model_inputs, workload_inputs
from simulator.errors import InputError, SpecError
from simulator.model import CostModel
from simulator.recordings import recording_hash
from simulator.reprice import why_replay
from simulator.spec.build import Experiment, Workload, rebuild, sweep_faults
from simulator.spec.cost_model import CostSpec
from simulator.spec.node import Node, locate, node_at, plain, readable
from simulator.spec.overrides import entry_named, places, without_flag
from simulator.spec.sweep import SweepSpec, coordinates
from simulator.units import Cost

_FORMAT = 1
"""Of what is stored under a key."""

Prices = tuple[tuple[str, Cost], ...]
"""The costs that a point sets in a model, by action."""


@dataclass(frozen=True)
class Point:
    """One point: its number, and the value of each path."""

    number: int
    coordinates: Mapping[str, str]

    @cached_property
    def name(self) -> str:
        """What stands in the column ``point``: what ``--set`` would say."""
        return "; ".join(f"{path}={value}" for path, value in self.coordinates.items())


@dataclass(frozen=True, slots=True)
class PricedModel:
    """A model at the prices of a point. ``ticks`` is the cost of each action that it can take."""

    unpriced: CostModel
    prices: Prices
    ticks: Mapping[str, int]
    digest: str

    @property
    def model(self) -> CostModel:
        """The model itself."""
        if not self.prices:
            return self.unpriced
        entries = dict(self.unpriced.costs.entries)
        for action, cost in self.prices:
            entries[action] = replace(entries[action], cost=cost, status="assumed", source="the point of a sweep")
        return replace(self.unpriced, costs=CostTable(entries, self.unpriced.costs.clock))


@dataclass(frozen=True, slots=True)
class Cell:
    """One workload under one model at one point. ``key`` is that of its replay, ``structure`` the same without prices.

    ``why_replay`` says why it cannot be had from a replay at other prices; it is empty where it can.
    """

    point: Point
    workload: Workload
    priced: PricedModel
    key: str
    structure: str
    why_replay: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A point with its cells, workload by workload; or with what is wrong with it.

    ``variant`` is the number of the point's experiment among those that the sweep builds.
    """

    point: Point
    cells: tuple[Cell, ...] = ()
    variant: int = 0
    error: InputError | None = None


class Planner:
    """Lays out the points of a sweep over an experiment.

    Raises:
        SpecError: the sweep does not fit the experiment.
    """

    def __init__(self, experiment: Experiment, sweep: SweepSpec, engine: str) -> None:
        self._experiment = experiment
        self._engine = engine
        faults = [
            locate(experiment.tree, ("sweep", *where)).fault(("sweep", *where), text)
            for where, text in sweep_faults(experiment.tree, sweep)
        ]
        if faults:
            raise SpecError(faults)
        self._sweep = sweep
        self._are_prices = [_leads_to_costs(experiment.tree, path) for path in sweep.over]
        self._variants: dict[tuple[str, ...], _Variant | InputError] = {}

    def points(self) -> Iterator[Planned]:
        """Give each point, in order."""
        for number, values in enumerate(coordinates(self._sweep)):
            point = Point(number, dict(zip(self._sweep.over, values, strict=True)))
            try:
                variant = self._variant(self._settings(point))
                cells = tuple(self._cells(point, variant))
                yield Planned(point, cells, variant.number)
            except InputError as error:
                yield Planned(point, error=error)

    def variants(self) -> list[dict[str, Any]]:
        """Return what each experiment that was built has otherwise than the one given: models, workloads, the seed."""
        return [
            {} if isinstance(variant, InputError) else dict(_changed(self._experiment, variant.experiment))
            for variant in self._variants.values()
        ]

    def _settings(self, point: Point) -> tuple[str, ...]:
        """Return what a point sets besides costs."""
        pairs = zip(point.coordinates.items(), self._are_prices, strict=True)
        return tuple(f"{path}={value}" for (path, value), is_price in pairs if not is_price)

    def _cells(self, point: Point, variant: _Variant) -> Iterator[Cell]:
        pairs = zip(point.coordinates.items(), self._are_prices, strict=True)
        prices: dict[str, dict[str, Cost]] = {}
        for (path, value), is_price in pairs:
            for model, action, cost in variant.costs(path, value) if is_price else ():
                prices.setdefault(model, {})[action] = cost
        models = {name: variant.priced(name, tuple(prices.get(name, {}).items())) for name in variant.experiment.models}
        for name, workload in variant.experiment.workloads.items():
            for model, priced in models.items():
                structure, why = variant.structure(name, model)
                key = variant.key(structure, priced.digest) if why else structure
                yield Cell(point, workload, priced, key, structure, why)

    def _variant(self, settings: tuple[str, ...]) -> _Variant:
        """Return the experiment with what a point sets besides costs."""
        if settings not in self._variants:
            try:
                built = rebuild(self._experiment, settings) if settings else self._experiment
                self._variants[settings] = _Variant(built, self._engine, len(self._variants))
            except SpecError as error:
                self._variants[settings] = without_flag(error)
            except InputError as error:
                self._variants[settings] = error
        found = self._variants[settings]
        if isinstance(found, InputError):
            raise found
        return found


def _leads_to_costs(tree: Node, path: str) -> bool:
    """Tell whether a path leads to what actions cost, and to nothing else."""
    if entry_named(path):
        return False
    return all(len(at) == 5 and at[::2] == ("models", "costs", "cost") for at in places(tree, path))


@dataclass
class _Variant:
    """An experiment, and what is known of it at any prices."""

    experiment: Experiment
    engine: str
    number: int
    _places: dict[str, tuple[tuple[str | int, ...], ...]] = field(default_factory=dict)
    _costs: dict[tuple[str, str], list[tuple[str, str, Cost]]] = field(default_factory=dict)
    _priced: dict[tuple[str, Prices], PricedModel] = field(default_factory=dict)
    _structures: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    _keys: dict[tuple[str, str], str] = field(default_factory=dict)

    def costs(self, path: str, value: str) -> list[tuple[str, str, Cost]]:
        """Return the costs that a setting sets: model, action and cost.

        Raises:
            InputError: it cannot be set.
        """
        if (path, value) not in self._costs:
            self._costs[path, value] = list(self._set(path, value))
        return self._costs[path, value]

    def _set(self, path: str, value: str) -> Iterator[tuple[str, str, Cost]]:
        rebuilt: Experiment | None = None
        if path not in self._places:
            self._places[path] = places(self.experiment.tree, path)
        for place in self._places[path]:
            model, action = str(place[1]), str(place[3])
            entry = self.experiment.models[model].costs.entries[action]
            bounds = {name: str(bound) for name, bound in (("low", entry.low), ("high", entry.high)) if bound}
            try:
                told = {"cost": value, "source": "a sweep", "status": "assumed", **bounds}
                yield model, action, CostSpec.model_validate(told).cost
            except ValidationError:  # the long way says in words what is wrong, or finds that nothing is
                rebuilt = rebuilt or self._rebuilt(f"{path}={value}")
                yield model, action, rebuilt.models[model].costs.entries[action].cost

    def _rebuilt(self, setting: str) -> Experiment:
        try:
            return rebuild(self.experiment, [setting])
        except SpecError as error:
            raise without_flag(error) from None

    def priced(self, name: str, prices: Prices) -> PricedModel:
        """Return a model at some prices."""
        if (name, prices) not in self._priced:
            model, ticks = self.experiment.models[name], dict(self._ticks[name])
            ticks |= {action: cost.ticks(model.costs.clock) for action, cost in prices if action in ticks}
            of_prices = digest(model.machine.clock.mhz, sorted(ticks.items()))
            self._priced[name, prices] = PricedModel(model, prices, ticks, of_prices)
        return self._priced[name, prices]

    def key(self, structure: str, of_prices: str) -> str:
        """Return the key of a replay that hangs on prices."""
        if (structure, of_prices) not in self._keys:
            self._keys[structure, of_prices] = digest(structure, of_prices)
        return self._keys[structure, of_prices]

    @cached_property
    def _ticks(self) -> dict[str, dict[str, int]]:
        return {name: model.start().ticks for name, model in self.experiment.models.items()}

    def structure(self, workload: str, model: str) -> tuple[str, str]:
        """Return the SHA-256 of all that a replay reads but prices, and why other prices need another replay."""
        if (workload, model) not in self._structures:
            built = self.experiment.workloads[workload]
            read: dict[str, Any] = {
                "format": _FORMAT,
                "code": code_hash(),
                "engine": self.engine,
                "workload": workload_inputs(self._inputs["workloads"][workload]),
                "model": model_inputs(self._inputs["models"][model]),
                "recording": recording_hash(built),
            }
            if built.is_random:
                read |= {"seed": self.experiment.spec.seed, "numpy": np.__version__}
            self._structures[workload, model] = digest(read), why_replay(built, self.experiment.models[model])
        return self._structures[workload, model]

    @cached_property
    def _inputs(self) -> dict[str, dict[str, Any]]:
        return _documents(self.experiment)


def _changed(before: Experiment, after: Experiment) -> Iterator[tuple[str, Any]]:
    mine, theirs = _documents(before), _documents(after)
    for section, entries in theirs.items():
        if changed := {name: entry for name, entry in entries.items() if entry != mine[section][name]}:
            yield section, changed
    if before.spec.seed != after.spec.seed:
        yield "seed", after.spec.seed


def _documents(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """Return the workloads and models of an experiment as plain values."""
    return {name: readable(plain(node_at(experiment.tree, (name,)))) for name in ("workloads", "models")}


def digest(*values: Any) -> str:
    """Return the SHA-256 of some values."""
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
