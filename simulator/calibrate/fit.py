"""Least squares: the values of an experiment's free parameters that come nearest to its references."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

import numpy as np
from scipy.optimize import least_squares

from simulator.calibrate.evaluate import Evaluator, check_references
from simulator.calibrate.parameters import Parameter, Values, parameters
from simulator.calibrate.uncertainty import Matrix, Uncertainty, uncertainty
from simulator.errors import SpecError
from simulator.replaying import Progress
from simulator.result import ComparisonRow
from simulator.spec.build import Experiment

_MOST_STEPS = 200
_MOST_POLISHING = 50
_SHORT = Context(prec=4)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What was found for one parameter; ``error`` is its standard error, in its unit.

    ``bound`` is ``low`` or ``high`` where the value lies there, else empty. ``note`` says why there is no error.
    """

    parameter: Parameter
    value: Decimal
    bound: str
    error: Decimal | None
    note: str


@dataclass(frozen=True, slots=True)
class Fit:
    """What came of a fit. ``experiment`` is the one ``given`` with the fitted values in it.

    ``rows`` are the figures fitted to, ``residuals`` what the search has made small.
    """

    given: Experiment
    experiment: Experiment
    estimates: tuple[Estimate, ...]
    rows: tuple[ComparisonRow, ...]
    residuals: tuple[float, ...]
    evaluations: int
    replays: int
    warnings: tuple[str, ...]


def check_fit(experiment: Experiment) -> None:
    """Refuse an experiment that declares nothing to fit.

    Raises:
        SpecError: there is no section `fit`.
    """
    if experiment.spec.fit is None:
        message = "the section 'fit' is missing: it says which values are free, and what they are fitted to"
        raise SpecError([experiment.tree.mark.fault((), message)])


def fit_experiment(experiment: Experiment, progress: Progress | None = None) -> Fit:
    """Fit what the section `fit` of an experiment declares.

    Raises:
        InputError: there is no such section, or a bound or a reference in it cannot be used.
        RunError: a replay cannot end.
    """
    check_fit(experiment)
    evaluator = Evaluator(experiment, parameters(experiment), progress)
    check_references(evaluator.references)
    evaluator.check_bounds()
    values = tuple(parameter.start for parameter in evaluator.parameters)
    figures = len(evaluator.rows(values))
    solved = True
    for mine, rows in _blocks([evaluator.depends(parameter) for parameter in evaluator.parameters]):
        block = _Block(evaluator, values, mine, rows)
        values = block.solve()
        solved = solved and block.solved
    whole = _Block(evaluator, values, list(range(len(values))), list(range(figures)))
    found = uncertainty(whole.jacobian(), np.array(evaluator.residuals(values)))
    return Fit(
        experiment,
        evaluator.fitted(values),
        tuple(_estimate(i, evaluator.parameters[i], value, found) for i, value in enumerate(values)),
        evaluator.rows(values),
        tuple(evaluator.residuals(values)),
        evaluator.evaluations,
        evaluator.replays,
        tuple(_warnings(evaluator, figures, found, solved)),
    )


def _blocks(depends: Sequence[list[int]]) -> Iterator[tuple[list[int], list[int]]]:
    """Yield parameters that share rows, directly or through others, with these rows; those without any are left out.

    >>> list(_blocks([[0, 1], [2], [1, 3], []]))
    [([0, 2], [0, 1, 3]), ([1], [2])]
    """
    blocks: list[tuple[set[int], set[int]]] = []
    for i, rows in enumerate(depends):
        mine, joined = {i}, set(rows)
        for block in [block for block in blocks if block[1] & joined]:
            blocks.remove(block)
            mine, joined = mine | block[0], joined | block[1]
        if joined:
            blocks.append((mine, joined))
    yield from ((sorted(mine), sorted(rows)) for mine, rows in sorted(blocks, key=lambda block: min(block[0])))


class _Block:
    """Some parameters that are free while the others keep their values, and the rows that they are fitted to."""

    def __init__(self, evaluator: Evaluator, values: Values, mine: list[int], rows: list[int]) -> None:
        self._evaluator = evaluator
        self._values = values
        self._mine = mine
        self._rows = rows
        self._parameters = [evaluator.parameters[i] for i in mine]
        self.solved = True

    def solve(self) -> Values:
        """Search from the values given, and return all values with those of this block at the solution."""
        low, high = (np.array([p.scaled(getattr(p, side)) for p in self._parameters]) for side in ("low", "high"))
        start = np.array([p.scaled(self._values[i]) for i, p in zip(self._mine, self._parameters, strict=True)])
        found = least_squares(
            lambda scaled: self._residuals(self._at(scaled)),
            np.clip(start, low, high),
            jac=lambda scaled: self._jacobian(self._at(scaled)),
            bounds=(low, high),
            method="trf",
            x_scale="jac",
            xtol=1e-8,
            ftol=1e-10,
            gtol=1e-12,
            max_nfev=_MOST_STEPS,
        )
        self.solved = bool(found.status > 0)
        self._values = self._polished(self._at(found.x))
        return self._values

    def jacobian(self) -> Matrix:
        """Return the derivative of each residual by each parameter of the block, where the values are now."""
        return self._jacobian(self._values)

    def _at(self, scaled: Matrix) -> Values:
        values = list(self._values)
        for i, parameter, place in zip(self._mine, self._parameters, scaled, strict=True):
            values[i] = parameter.value(float(place))
        return tuple(values)

    def _residuals(self, values: Values) -> Matrix:
        return np.array(self._evaluator.residuals(values))[self._rows]

    def _jacobian(self, values: Values) -> Matrix:
        """Return finite differences between values as they are evaluated, so that rounding does not blur them."""
        here = self._residuals(values)
        columns = []
        for i, parameter in zip(self._mine, self._parameters, strict=True):
            near = parameter.stepped(values[i])
            step = parameter.scaled(near) - parameter.scaled(values[i])
            columns.append((self._residuals(_replaced(values, i, near)) - here) / step)
        return np.column_stack(columns)

    def _polished(self, values: Values) -> Values:
        """Take a near bound or the next whole number instead, for as long as that comes no farther off.

        The search comes close to a bound without reaching it, and does not know that whole numbers are whole.
        """
        for _ in range(_MOST_POLISHING):
            better = self._better(values)
            if better is None:
                break
            values = better
        return values

    def _better(self, values: Values) -> Values | None:
        here = self._distance(values)
        for i, parameter in zip(self._mine, self._parameters, strict=True):
            for other in parameter.neighbours(values[i]):
                tried = _replaced(values, i, other)
                to_bound = other in (parameter.low, parameter.high) and values[i] not in (parameter.low, parameter.high)
                there = self._distance(tried)
                if there < here or (to_bound and there == here):
                    return tried
        return None

    def _distance(self, values: Values) -> float:
        residuals = self._residuals(values)
        return float(residuals @ residuals)


def _replaced(values: Values, index: int, value: Decimal) -> Values:
    return (*values[:index], value, *values[index + 1 :])


def _estimate(index: int, parameter: Parameter, value: Decimal, found: Uncertainty) -> Estimate:
    bound = "low" if value == parameter.low else "high" if value == parameter.high else ""
    scaled = found.errors[index]
    if scaled is not None:
        return Estimate(parameter, value, bound, _SHORT.create_decimal_from_float(scaled * parameter.slope(value)), "")
    note = "not determined" if index in found.undetermined else "no reference to spare"
    return Estimate(parameter, value, bound, None, note)


def _warnings(evaluator: Evaluator, figures: int, found: Uncertainty, solved: bool) -> Iterator[str]:
    names = [parameter.name for parameter in evaluator.parameters]
    fit = evaluator.experiment.spec.fit
    for parameter in evaluator.parameters:
        parts = dict.fromkeys(f"{section}.{label}" for section, label, *_ in parameter.paths)
        others = [part for part in parts if fit is not None and part not in fit.writes]
        if others:
            yield f"{parameter.name} is set in {', '.join(others)} too, which is not written: add it to fit.writes"
    if not solved:
        yield f"the search ended after {_MOST_STEPS} steps, before it settled: the values are the best so far"
    if figures < len(names):
        yield f"{len(names)} parameters are fitted to {figures} figures: none of them is determined by itself"
    for direction in found.directions:
        first, *others = (names[i] for i in direction)
        if others:
            yield f"not determined: {first} together with {', '.join(others)}; the figures give no more than a relation"
        else:
            yield f"not determined: no figure changes with {first} where the search ended"
