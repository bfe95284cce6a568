"""Sobol indices: which uncertain parameter a total's variance comes from, by sampling (Saltelli et al. 2010).

The samples are Sobol's quasi-random sequence, scrambled from a seed. Every parameter is uniform between its bounds,
whole values included, and independent of the others. Where only costs change and nothing waits, a sample is a product
of counts and costs; else it is a replay, and samples with the same values are replayed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from simulator.analysis.evaluate import Evaluator, seconds
from simulator.analysis.parameter import Parameter
from simulator.analysis.sensitivity import uncertain
from simulator.errors import InputError
from simulator.reprice import Repricer
from simulator.stream import Array

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Index:
    """Of one parameter: the part of the variance that it makes alone (``first``), and with others (``whole``).

    The confidence is half the width of a 95 % interval, by bootstrap.
    """

    name: str
    first: float
    first_confidence: float
    whole: float
    whole_confidence: float


@dataclass(frozen=True, slots=True)
class Sobol:
    """Indices of one workload under one model, the greatest first; mean and deviation of the total in seconds."""

    workload: str
    model: str
    samples: int
    replays: int
    seed: int
    mean: float
    deviation: float
    indices: tuple[Index, ...]


def sobol(evaluator: Evaluator, model: str, base_samples: int, seed: int) -> Sobol | None:
    """Return the indices over all uncertain costs that a replay used, and the evaluator's parameters.

    ``base_samples`` is a power of two; of D parameters it takes D + 2 times as many samples. A cost
    that a parameter moves is moved in the parameter's range. None: nothing is uncertain.

    Raises:
        InputError: SALib is not installed, the number is no power of two, or a parameter has no value in its range.
        RunError: a replay cannot end.
    """
    if base_samples < 2 or base_samples & (base_samples - 1):
        raise InputError(f"expected a power of two as the number of samples, such as 256, found {base_samples}")
    base = evaluator.base(model)
    moved = [parameter for parameter in evaluator.parameters if parameter.touches(model)]
    in_range = {action for parameter in moved for action in parameter.actions(model)}
    bounds = uncertain(evaluator.experiment.models[model], base)
    costs = {action: ends for action, ends in bounds.items() if action not in in_range}
    names = [*costs, *(parameter.path for parameter in moved)]
    if not names:
        return None
    sampling, analysing = _salib()
    ends = [*costs.values(), *map(_drawn_between, moved)]
    problem = {"num_vars": len(names), "names": names, "bounds": [list(map(float, pair)) for pair in ends]}
    samples = sampling.sample(problem, base_samples, calc_second_order=False, scramble=True, seed=seed)
    before = evaluator.replays
    totals = _totals(evaluator, model, list(costs), moved, samples)
    deviation = float(np.std(totals))
    made = evaluator.workload, model, len(totals), evaluator.replays - before, seed
    if not deviation:
        return Sobol(*made, float(totals[0]), 0.0, ())
    found = analysing.analyze(
        problem, (totals - totals.mean()) / deviation, calc_second_order=False, conf_level=CONFIDENCE, seed=seed
    )
    columns = (found[key] for key in ("S1", "S1_conf", "ST", "ST_conf"))
    indices = [Index(name, *map(float, row)) for name, *row in zip(names, *columns, strict=True)]
    ranked = tuple(sorted(indices, key=lambda index: -index.whole))
    return Sobol(*made, float(totals.mean()), deviation, ranked)


def _salib() -> tuple[Any, Any]:
    try:
        from SALib.analyze import sobol as analysing
        from SALib.sample import sobol as sampling
    except ImportError:
        raise InputError("Sobol indices need SALib: pip install 'vmmsim[sensitivity]'") from None
    return sampling, analysing


def _totals(
    evaluator: Evaluator, model: str, costs: Sequence[str], moved: Sequence[Parameter], samples: Array
) -> Array:
    """Return the total of each sample in seconds."""
    base = evaluator.base(model)
    if moved or base.why_replay:
        return np.array([_total(evaluator, model, costs, row) for row in samples])
    repricer = Repricer.of(base)
    ticks = repricer.ticks([evaluator.experiment.models[model].costs] * len(samples)).astype(object)
    for column, action in enumerate(costs):
        ticks[:, repricer.actions.index(action)] = [round(value) for value in samples[:, column]]
    return repricer.makespans(ticks).astype(float) / base.clock.ticks_per_second


def _steps(parameter: Parameter) -> tuple[int, int]:
    """Return the first and the last value that can be set between the bounds of a parameter, in its steps."""
    return -(-parameter.low // parameter.step), parameter.high // parameter.step


def _drawn_between(parameter: Parameter) -> tuple[Fraction, Fraction]:
    """Return half a step more than a parameter's range at both ends, so that each of its values is as likely."""
    first, last = _steps(parameter)
    if first > last:
        low, high = parameter.low, parameter.high
        raise InputError(f"{parameter.path}: no value that can be set lies between {float(low):g} and {float(high):g}")
    half = Fraction(1, 2)
    return (first - half) * parameter.step, (last + half) * parameter.step


def _total(evaluator: Evaluator, model: str, costs: Sequence[str], row: Array) -> float:
    values = {}
    given = iter(row[len(costs) :])
    for parameter in evaluator.parameters:
        drawn = Fraction(float(next(given))) if parameter.touches(model) else parameter.low
        first, last = _steps(parameter)
        values[parameter] = min(max(round(drawn / parameter.step), first), last) * parameter.step
    changed = evaluator.at(model, tuple(values.values()), dict(zip(costs, map(round, row), strict=False)))
    return float(seconds(changed))
