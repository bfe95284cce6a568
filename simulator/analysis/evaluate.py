"""Replays of one workload under some models, for any values of some parameters; nothing is replayed twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType

from simulator.analysis.parameter import Parameter
from simulator.costs import CostTable
from simulator.engine import ENGINES
from simulator.errors import SpecError
from simulator.model import CostModel
from simulator.replaying import Progress
from simulator.reprice import reprice
from simulator.result import Replayed
from simulator.run import replay
from simulator.spec.build import Experiment, Workload, rebuild
from simulator.spec.overrides import without_flag
from simulator.units import TICKS_PER_CYCLE, Cost

Values = tuple[Fraction, ...]
"""A value for each parameter, in their order."""


class Evaluator:
    """Replays a workload for values of parameters; where only prices differ and nothing waits, it prices again.

    ``replays`` counts the replays that it took.
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
        self.replays = 0
        self._progress = progress
        self._built: dict[tuple[str, ...], Experiment] = {(): experiment}
        self._counted: dict[tuple[tuple[str, ...], str], Replayed] = {}
        self._waited: dict[tuple[tuple[str, ...], str, tuple[tuple[str, int], ...]], Replayed] = {}

    def base(self, model: str) -> Replayed:
        """Return the replay under a model as the experiment has it.

        Raises:
            RunError: a replay cannot end.
        """
        return self._counts((), self.experiment.models[model])

    def at(self, model: str, values: Values, costs: Mapping[str, int] = MappingProxyType({})) -> Replayed:
        """Return the replay under a model for some values, and for some costs in ticks.

        Costs among the values are to the nearest tick.

        Raises:
            RunError: a replay cannot end.
            InputError: a value is none that can stand at its path.
        """
        given = [(p, value) for p, value in zip(self.parameters, values, strict=True) if p.touches(model)]
        settings = tuple(p.setting(value) for p, value in given if not p.is_cost)
        priced = self._experiment(settings).models[model]
        for p, value in given:
            priced = p.priced(priced, value) if p.is_cost else priced
        priced = with_costs(priced, costs)
        counted = self._counts(settings, priced)
        if counted.ticks == priced.start().ticks:
            return counted
        if not counted.why_replay:
            return reprice(counted, priced.costs)
        key = (settings, model, tuple(priced.start().ticks.items()))
        if key not in self._waited:
            self._waited[key] = self.run(priced, self._experiment(settings).workloads[self.workload])
        return self._waited[key]

    def seconds(self, model: str, values: Values) -> Fraction:
        """Return how long the workload takes from start to end under a model, for some values."""
        return seconds(self.at(model, values))

    def run(self, model: CostModel, workload: Workload | None = None) -> Replayed:
        """Replay the workload under a model."""
        self.replays += 1
        if self._progress:
            self._progress(f"{self.workload} under {model.name}, replay {self.replays}", 0, 0)
        return replay(ENGINES["fast"], workload or self.experiment.workloads[self.workload], model).replayed

    def _experiment(self, settings: tuple[str, ...]) -> Experiment:
        if settings not in self._built:
            try:
                self._built[settings] = rebuild(self.experiment, settings)
            except SpecError as error:
                raise without_flag(error) from None
        return self._built[settings]

    def _counts(self, settings: tuple[str, ...], model: CostModel) -> Replayed:
        key = (settings, model.name)
        if key not in self._counted:
            self._counted[key] = self.run(model, self._experiment(settings).workloads[self.workload])
        return self._counted[key]


def with_costs(model: CostModel, ticks: Mapping[str, int]) -> CostModel:
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
