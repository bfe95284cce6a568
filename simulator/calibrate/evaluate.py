"""What an experiment gives for some values of its free parameters; nothing is replayed twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from simulator.calibrate.parameters import Parameter, Values
from simulator.costs import CostTable
from simulator.engine import ENGINES
from simulator.errors import Fault, InputError, SpecError
from simulator.replaying import Progress
from simulator.result import ComparisonRow
from simulator.run import Run, compare, replay
from simulator.spec.build import Experiment, rebuild
from simulator.spec.experiment import ReferenceSpec
from simulator.spec.node import Node, fingerprint, locate, node_at

_IN_PERCENT = frozenset({"percent_of_baseline"})
"""Quantities whose residual is in points, not relative to what was published."""

_SOURCES = 6


class Evaluator:
    """Compares with the references that are fitted to, for any values of the parameters.

    A replay is repeated only where its workload, its mechanisms, its machine, the seed, or the cost of an action that
    it took has changed: the cost of any other action has no part in it. ``evaluations`` counts the values tried,
    ``replays`` the replays that they took.
    """

    def __init__(self, experiment: Experiment, parameters: Sequence[Parameter], progress: Progress | None) -> None:
        assert experiment.spec.fit is not None, "the caller has checked that there is a section fit"
        self.experiment = experiment
        self.parameters = tuple(parameters)
        self._progress = progress
        status = experiment.spec.fit.references
        self.references = [reference for reference in experiment.spec.references if reference.status == status]
        self._sources = [self._source(parameter) for parameter in self.parameters]
        self._rows: dict[Values, tuple[ComparisonRow, ...]] = {}
        self._runs: dict[tuple[str, ...], list[Run]] = {}
        self.replays = 0

    @property
    def evaluations(self) -> int:
        """How many sets of values were tried."""
        return len(self._rows)

    def fitted(self, values: Values) -> Experiment:
        """Return the experiment with these values."""
        settings = [
            setting
            for parameter, value, source in zip(self.parameters, values, self._sources, strict=True)
            for setting in parameter.settings(value, source)
        ]
        return rebuild(self.experiment, settings)

    def rows(self, values: Values) -> tuple[ComparisonRow, ...]:
        """Return published and modelled figures, one row each, for these values.

        Raises:
            RunError: a replay cannot end.
            SpecError: the values do not fit together.
        """
        if values not in self._rows:
            if self._progress:
                self._progress(f"evaluation {self.evaluations + 1}", 0, 0)
            experiment = self.fitted(values)
            runs = {pair: self._run(experiment, *pair) for pair in self._pairs()}
            baseline = experiment.spec.baseline
            found = (row for reference in self.references for row in compare(reference, runs, baseline))
            self._rows[values] = tuple(found)
        return self._rows[values]

    def residuals(self, values: Values) -> list[float]:
        """Return (modelled - published) / published for each row; for quantities in percent, points / 100."""
        return [_residual(row) for row in self.rows(values)]

    def depends(self, parameter: Parameter) -> list[int]:
        """Return the rows that a parameter can have an influence on: it sets something in what they are made of."""
        set_there = {path[:2] for path in parameter.paths}
        return [
            i
            for i, (workload, model) in enumerate(self._figures())
            if {("workloads", workload), ("models", model), ("models", self.experiment.spec.baseline)} & set_there
        ]

    def check_bounds(self) -> None:
        """Build the experiment at each bound.

        Raises:
            SpecError: a bound is no value that can stand at its path.
        """
        faults = []
        start = tuple(parameter.start for parameter in self.parameters)
        for i, parameter in enumerate(self.parameters):
            for key, value in (("low", parameter.low), ("high", parameter.high)):
                try:
                    self.fitted((*start[:i], value, *start[i + 1 :]))
                except SpecError as error:
                    faults += [self._at("parameters", i, key, fault=fault) for fault in error.faults]
        if faults:
            raise SpecError(dict.fromkeys(faults))

    def _at(self, *where: str | int, fault: Fault) -> Fault:
        """Return what is wrong with a value that was tried as a fault of the bound that was tried."""
        path = ("fit", *where)
        return locate(self.experiment.tree, path).fault(path, f"{fault.path}: {fault.message}")

    def _figures(self) -> list[tuple[str, str]]:
        """Return the workload and the model of each row."""
        return [
            (workload, model)
            for reference in self.references
            for workload, values in reference.values.items()
            for model in values
        ]

    def _pairs(self) -> list[tuple[str, str]]:
        """Return the workloads and models to replay: those of the references, and the baseline of each workload."""
        baseline = self.experiment.spec.baseline
        pairs = self._figures()
        if baseline is not None:
            pairs += [(workload, baseline) for workload, _ in self._figures()]
        return list(dict.fromkeys(pairs))

    def _run(self, experiment: Experiment, workload: str, model: str) -> Run:
        """Return a replay, an earlier one if nothing that it made use of has changed since."""
        tree, priced = experiment.tree, experiment.models[model]
        digests = fingerprint(node_at(tree, ("workloads", workload))), _without_costs(node_at(tree, ("models", model)))
        earlier = self._runs.setdefault((workload, model, *digests, str(experiment.spec.seed)), [])
        for run in earlier:
            if _same_prices(run, priced.costs):
                return run
        self.replays += 1
        earlier.append(replay(ENGINES["fast"], experiment.workloads[workload], priced))
        return earlier[-1]

    def _source(self, parameter: Parameter) -> str:
        """Return the source of a fitted cost: the figures that it has an influence on, and where they come from."""
        rows = set(self.depends(parameter))
        name = self.experiment.tree.mark.file.rpartition("/")[2].rpartition(".")[0]
        texts, first = [], 0
        for reference in self.references:
            figures = [f"{workload} under {model}" for workload, found in reference.values.items() for model in found]
            mine = [figure for i, figure in enumerate(figures, first) if i in rows]
            first += len(figures)
            if mine:
                texts.append(f"{reference.quantity} of {_listed(mine)} ({reference.source})")
        return f"fitted by `vmmsim calibrate fit {name}` to {'; '.join(texts) or 'nothing: no figure depends on it'}"


def _without_costs(model: Node) -> str:
    """Return the SHA-256 of a cost model without its costs."""
    return fingerprint(replace(model, value={part: node for part, node in _entries(model) if part != "costs"}))


def _entries(node: Node) -> Iterator[tuple[str, Node]]:
    return ((part, child) for part, child in node.children() if isinstance(part, str))


def _same_prices(run: Run, costs: CostTable) -> bool:
    """Tell whether all actions that a replay took cost the same as then."""
    taken = {action for _, action in run.outcome.counts.actions}
    return all(costs.entries[action].cost == run.model.costs.entries[action].cost for action in taken)


def check_references(references: Sequence[ReferenceSpec]) -> None:
    """Refuse figures that nothing can be relative to.

    Raises:
        InputError: a published figure is 0, and its residual is relative.
    """
    for reference in references:
        for workload, values in reference.values.items():
            for model, (published, _) in values.items():
                if not published and reference.quantity not in _IN_PERCENT:
                    raise InputError(
                        f"{reference.quantity} of {workload} under {model} is published as 0: no residual is relative "
                        "to it; give it another status, so that it is not fitted to"
                    )


def _residual(row: ComparisonRow) -> float:
    difference = row.modelled - row.published
    return float(difference / 100 if row.quantity in _IN_PERCENT else difference / abs(row.published))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SOURCES} more" if len(names) > _SOURCES else ""
    return ", ".join(names[:_SOURCES]) + more
