"""What each of several changes has of a difference that they make together: the Shapley value, in exact fractions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations
from math import factorial


def shapley(changes: int, value: Callable[[tuple[int, ...]], Fraction]) -> list[Fraction]:
    """Return the mean, over all orders of making the changes, of what each one adds when it is made.

    ``value`` is asked once for each set of changes, by their numbers in order: 2^n times. The sum of what is returned
    is the value of all changes less that of none (Shapley, "A value for n-person games", 1953).

    >>> shapley(2, lambda made: Fraction({(): 0, (0,): 1, (1,): 2, (0, 1): 5}[made]))
    [Fraction(2, 1), Fraction(3, 1)]
    """
    every = [made for size in range(changes + 1) for made in combinations(range(changes), size)]
    values = {made: value(made) for made in every}
    shares = [Fraction(0)] * changes
    for made in every:
        weight = Fraction(factorial(len(made)) * factorial(max(0, changes - len(made) - 1)), factorial(changes))
        for one in set(range(changes)) - set(made):
            shares[one] += weight * (values[tuple(sorted((*made, one)))] - values[made])
    return shares
