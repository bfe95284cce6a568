"""Replays of one workload under some models, for any values of some parameters; nothing is replayed twice.

Where only prices differ, a replay is priced again if nothing waits, and timed again along its graph of waits if many
prices are expected and it has one. What is returned is the replay in any case, to the tick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType

import numpy as np

from simulator.analysis.parameter import Parameter
from simulator.costs import CostTable
from simulator.engine import ENGINES
from simulator.engine.base import Replay
from simulator.engine.tracing import Graph, is_traceable, trace
from simulator.errors import RunError, SpecError
from simulator.model import CostModel
from simulator.replaying import Progress
from simulator.reprice import reprice
from simulator.result import Replayed
from simulator.retime import LEAST_PRICES, timed_again
from simulator.run import replay
from simulator.spec.build import Experiment, Workload, rebuild
from simulator.spec.overrides import without_flag
from simulator.units import TICKS_PER_CYCLE, Cost

Values = tuple[Fraction, ...]
"""A value for each parameter, in their order."""
Costs = Mapping[str, int]
"""Costs of some actions, in ticks."""
Structure = tuple[tuple[str, ...], str]
"""Settings of parameters that are no costs, and a model."""

_AS_WRITTEN: Costs = MappingProxyType({})


class Evaluator:
    """Replays a workload for values of parameters; where only prices differ, it does without if it can.

    ``replays`` counts the replays that it took, ``retimed`` the outcomes that followed along a graph of waits.
    """

    def __init__(
        self,
        experiment: Experiment,
        workload: str,
        parameters: Sequence[Parameter] = (),
        progress: Progress | None = None,
    ) -> None:
        self.experiment = experiment
        self.workload = workload
        self.parameters = tuple(parameters)
        self.replays = self.retimed = 0
        self._progress = progress
        self._built: dict[tuple[str, ...], Experiment] = {(): experiment}
        self._counted: dict[Structure, Replayed] = {}
        self._waited: dict[tuple[Structure, tuple[tuple[str, int], ...]], Replayed] = {}
        self._graphs: dict[Structure, Graph | None] = {}

    def base(self, model: str) -> Replayed:
        """Return the replay under a model as the experiment has it.

        Raises:
            RunError: a replay cannot end.
        """
        return self._counts((), self.experiment.models[model])

    def at(self, model: str, values: Values, costs: Costs = _AS_WRITTEN) -> Replayed:
        """Return the replay under a model for some values, and for some costs.

        Costs among the values are to the nearest tick.

        Raises:
            RunError: a replay cannot end.
            InputError: a value is none that can stand at its path.
        """
        return self._at(*self._priced(model, values, costs))

    def at_costs(self, model: str, costs: Costs) -> Replayed:
        """Return the replay under a model for some costs, all else as the experiment has it.

        Raises:
            RunError: a replay cannot end.
        """
        return self._at((), with_costs(self.experiment.models[model], costs))

    def expect(self, model: str, points: Sequence[tuple[Values, Costs]]) -> None:
        """Get ready for what is going to be asked of ``at``; worth doing for many prices.

        Raises:
            RunError, InputError: as ``at``.
        """
        self._expect(model, [self._priced(model, values, costs) for values, costs in points])

    def expect_costs(self, model: str, points: Sequence[Costs]) -> None:
        """Get ready for what is going to be asked of ``at_costs``.

        Raises:
            RunError: as ``at_costs``.
        """
        priced = self.experiment.models[model]
        self._expect(model, [((), with_costs(priced, costs)) for costs in points])

    def seconds(self, model: str, values: Values) -> Fraction:
        """Return how long the workload takes from start to end under a model, for some values."""
        return seconds(self.at(model, values))

    def run(self, model: CostModel, workload: Workload | None = None) -> Replayed:
        """Replay the workload under a model."""
        self._begin(model)
        return replay(ENGINES["fast"], workload or self.experiment.workloads[self.workload], model).replayed

    def _begin(self, model: CostModel) -> None:
        self.replays += 1
        if self._progress:
            self._progress(f"{self.workload} under {model.name}, replay {self.replays}", 0, 0)

    def _priced(self, model: str, values: Values, costs: Costs) -> tuple[tuple[str, ...], CostModel]:
        given = [(p, value) for p, value in zip(self.parameters, values, strict=True) if p.touches(model)]
        settings = tuple(p.setting(value) for p, value in given if not p.is_cost)
        priced = self._experiment(settings).models[model]
        for p, value in given:
            priced = p.priced(priced, value) if p.is_cost else priced
        return settings, with_costs(priced, costs)

    def _at(self, settings: tuple[str, ...], priced: CostModel) -> Replayed:
        counted = self._counts(settings, priced)
        ticks = priced.start().ticks
        if counted.ticks == ticks:
            return counted
        if not counted.why_replay:
            return reprice(counted, priced.costs)
        structure = settings, priced.name
        key = structure, tuple(ticks.items())
        if key not in self._waited:
            self._retime(structure, [ticks])
        if key not in self._waited:
            self._waited[key] = self.run(priced, self._experiment(settings).workloads[self.workload])
        return self._waited[key]

    def _expect(self, model: str, points: Sequence[tuple[tuple[str, ...], CostModel]]) -> None:
        wanted: dict[Structure, dict[tuple[tuple[str, int], ...], Mapping[str, int]]] = {}
        for settings, priced in points:
            if self._counts(settings, priced).why_replay:
                ticks = priced.start().ticks
                wanted.setdefault((settings, model), {})[tuple(ticks.items())] = ticks
        for structure, prices in wanted.items():
            if len(prices) >= LEAST_PRICES:
                self._trace(structure)
                self._retime(structure, list(prices.values()))

    def _trace(self, structure: Structure) -> None:
        """Make the graph of waits of a structure at the prices at which it was counted, if it has one."""
        if structure in self._graphs:
            return
        settings, name = structure
        built, counted = self._experiment(settings), self._counted[structure]
        workload, model = built.workloads[self.workload], with_costs(built.models[name], counted.ticks)
        traced = Replay(workload.stream, model, workload.timer_hz, workload.rows)
        self._graphs[structure] = None
        if is_traceable(traced):
            self._begin(model)
            outcome, self._graphs[structure] = trace(traced)
            if outcome != counted.outcome:
                raise RunError(f"workload '{self.workload}' under '{name}': traced, it comes out otherwise")

    def _retime(self, structure: Structure, prices: Sequence[Mapping[str, int]]) -> None:
        """Keep the outcomes at those prices at which the graph of waits holds."""
        graph, counted = self._graphs.get(structure), self._counted[structure]
        if graph is None:
            return
        asked = [counted.ticks, *prices]
        times = timed_again(graph, counted.outcome, asked, [counted.clock] * len(asked))
        for row in np.flatnonzero(times.holds).tolist():
            key = structure, tuple(asked[row].items())
            if row and key not in self._waited:
                outcome = times.outcome(row, counted.outcome)
                self._waited[key] = replace(counted, ticks=asked[row], outcome=outcome)
                self.retimed += 1

    def _experiment(self, settings: tuple[str, ...]) -> Experiment:
        if settings not in self._built:
            try:
                self._built[settings] = rebuild(self.experiment, settings)
            except SpecError as error:
                raise without_flag(error) from None
        return self._built[settings]

    def _counts(self, settings: tuple[str, ...], model: CostModel) -> Replayed:
        structure = settings, model.name
        if structure not in self._counted:
            self._counted[structure] = self.run(model, self._experiment(settings).workloads[self.workload])
        return self._counted[structure]


def with_costs(model: CostModel, ticks: Costs) -> CostModel:
    """Return a model with some costs exchanged, given in ticks, without bounds."""
    exchanged = {
        action: replace(model.costs.entries[action], cost=_cost(cost), low=None, high=None)
        for action, cost in ticks.items()
    }
    return replace(model, costs=CostTable({**model.costs.entries, **exchanged}, model.costs.clock))


def _cost(ticks: int) -> Cost:
    return Cost(Fraction(ticks, TICKS_PER_CYCLE), in_cycles=True)


def seconds(replayed: Replayed) -> Fraction:
    """Return how long a replay takes from start to end."""
    return Fraction(replayed.outcome.makespan, replayed.clock.ticks_per_second)
