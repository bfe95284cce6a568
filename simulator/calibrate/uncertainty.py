"""How well the references determine each parameter: the covariance at the solution, and what it says nothing about."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_DEFICIENT = 1e-3  # a singular value, with columns of length 1: correlations above 0.999999
_TAKES_PART = 1e-2  # a component of a null direction, which has length 1
_MAIN = 0.1  # the same, in relation to the largest one


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Standard errors, None where there is none: the parameter is not determined, or no reference is to spare.

    ``undetermined`` are the indices of parameters that can move without the residuals changing; each of ``directions``
    has those that mainly move together in one such direction, the one that moves most first.
    """

    errors: tuple[float | None, ...]
    undetermined: frozenset[int]
    directions: tuple[tuple[int, ...], ...]


def uncertainty(jacobian: Matrix, residuals: Matrix) -> Uncertainty:
    """Return the standard errors of a least-squares solution: the roots of the diagonal of s² (JᵀJ)⁻¹.

    s² is the sum of the squared residuals over (residuals - parameters); the inverse is by singular values, of
    columns brought to length 1. With fewer residuals than parameters, no parameter is determined by itself.
    """
    rows, columns = jacobian.shape
    lengths = np.linalg.norm(jacobian, axis=0)
    scale = np.where(lengths > 0, lengths, 1.0)
    _, found, directions = np.linalg.svd(jacobian / scale)
    singular = np.zeros(columns)
    singular[: len(found)] = found
    deficient = singular < _DEFICIENT
    null = directions[deficient]
    moves = (np.abs(null) > _TAKES_PART).any(axis=0)
    free = frozenset(i for i in range(columns) if rows < columns or moves[i])
    kept = directions[~deficient] / singular[~deficient, np.newaxis]
    spare = rows - columns
    variance = float(residuals @ residuals) / spare if spare > 0 else None
    diagonal = (kept**2).sum(axis=0) / scale**2
    return Uncertainty(
        tuple(None if variance is None or i in free else sqrt(variance * diagonal[i]) for i in range(columns)),
        free,
        tuple(_main(direction) for direction in null),
    )


def _main(direction: Matrix) -> tuple[int, ...]:
    sizes = np.abs(direction)
    order = np.argsort(-sizes, kind="stable")
    return tuple(int(i) for i in order if sizes[i] >= _MAIN * sizes.max())
