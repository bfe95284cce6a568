"""Steps that arrive after stretches of computation: how long these are, and what arrives.

Draws are rounded to whole nanoseconds before they enter a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from simulator.events import KERNEL_COMPUTE, USER_COMPUTE
from simulator.stream import ROWS_PER_BATCH, Array, Batch
from simulator.workload.batches import joined
from simulator.workload.steps import Row, Step

Mode = Literal["user", "kernel"]


@dataclass(frozen=True, slots=True)
class Gap:
    """The computation between arrivals: a distribution of durations, in nanoseconds, with its mean.

    ``constant``: always the mean. ``exponential``: a Poisson process. ``uniform``: from 0 to twice the mean.
    """

    mean_ns: Fraction
    distribution: Literal["constant", "exponential", "uniform"] = "exponential"

    def draw(self, random: np.random.Generator, number: int, first: int = 0, begin: float = 0.0) -> tuple[Array, float]:
        """Draw ``number`` gaps in whole nanoseconds; return them and the fraction of a nanosecond that is left.

        Arrivals are rounded, not gaps, so rounding does not add up. ``first`` is how many gaps were drawn before these,
        ``begin`` the fraction that those left.
        """
        mean = float(self.mean_ns)
        if self.distribution == "constant":
            marks = np.arange(first, first + number + 1, dtype=object) * self.mean_ns.numerator
            constant: Array = np.diff((marks // self.mean_ns.denominator).astype(np.int64))
            return constant, 0.0
        exponential = self.distribution == "exponential"
        draws = random.exponential(mean, number) if exponential else random.uniform(0, 2 * mean, number)
        arrivals = begin + np.cumsum(draws)
        whole = np.floor(arrivals).astype(np.int64)
        return np.diff(whole, prepend=0), float(arrivals[-1] - whole[-1])


@dataclass(frozen=True, slots=True)
class Arrivals(Step):
    """Bodies that arrive after stretches of computation, each at a rate of its own; a body is a row or any other step.

    Which body arrives is drawn with odds in the ratio of the rates; with exponential gaps that is a superposition of
    independent Poisson processes. ``duration_ns`` bounds the computation between arrivals, ``number`` the arrivals; one
    of them is given. The gap stands before the first row of the body. Computation that is left at the end of the
    duration follows the last row.
    """

    parts: Sequence[tuple[Step, Fraction]]
    gap: Gap
    mode: Mode
    duration_ns: int | None = None
    number: int | None = None

    def rows(self) -> Iterator[Row]:
        """Give the rows of each body, and the computation that may follow the last."""
        for body, _ in self.parts:
            yield from body.rows()
        yield _computation(self.mode, 1)

    def total(self, of: Callable[[Row], int]) -> int:
        """Return the sum over all rows; where bodies are unlike, or the duration is given, about what it will be."""
        arrivals = Fraction(self.number) if self.number is not None else (self.duration_ns or 0) / self.gap.mean_ns
        of_all = sum((rate for _, rate in self.parts), Fraction(0))
        per_arrival = sum((body.total(of) * rate for body, rate in self.parts), Fraction(0)) / of_all
        return int(arrivals * per_arrival) + (of(_computation(self.mode, 1)) if self.number is None else 0)

    def batches(self, random: np.random.Generator) -> Iterator[Batch]:
        """Give rows until the duration, or the number, is reached."""
        bodies = Bodies.of([body for body, _ in self.parts], self.mode)
        computed = 0
        for gaps, order in self._arrivals(random):
            yield from bodies.laid_out(order, gaps, random)
            computed += int(gaps.sum())
        if self.duration_ns is not None and computed < self.duration_ns:
            yield from _computation(self.mode, self.duration_ns - computed).batches(random)

    def _arrivals(self, random: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        """Draw the gap of each arrival, and the index of its body, a block at a time."""
        rates = np.array([float(rate) for _, rate in self.parts])
        left_ns, left = self.duration_ns, self.number
        drawn, fraction = 0, 0.0
        while left_ns is None or left_ns >= 0:
            size = ROWS_PER_BATCH if left is None else min(left, ROWS_PER_BATCH)
            if size == 0:
                return
            gaps, fraction = self.gap.draw(random, size, drawn, fraction)
            drawn += size
            order = random.choice(len(rates), size, p=rates / rates.sum())
            if left_ns is not None:
                within = int(np.searchsorted(np.cumsum(gaps), left_ns, side="right"))
                gaps, order = gaps[:within], order[:within]
                left_ns -= int(gaps.sum())
            if left is not None:
                left -= size
            yield gaps, order
            if left_ns is not None and len(gaps) < size:
                return

    @property
    def is_random(self) -> bool:
        """Whether gaps, or which body arrives, or a body itself is drawn."""
        drawn = self.gap.distribution != "constant" or len(self.parts) > 1
        return drawn or any(body.is_random for body, _ in self.parts)


def _computation(mode: Mode, nanoseconds: int) -> Row:
    kind = USER_COMPUTE if mode == "user" else KERNEL_COMPUTE
    return Row({"kind": kind, f"{mode}_ns": nanoseconds})


@dataclass(frozen=True, slots=True)
class Bodies:
    """The bodies of arrivals. Those that never vary are laid out once, in ``rows``, one behind the other.

    ``first`` is where each begins there, ``length`` how many rows it has; zero rows stand for a body that is laid out
    anew for each arrival, because it varies or is long.
    """

    steps: Sequence[Step]
    mode: Mode
    rows: Batch
    first: Array
    length: Array

    @classmethod
    def of(cls, steps: Sequence[Step], mode: Mode) -> Bodies:
        """Lay out what never varies."""
        none = np.random.default_rng(0)  # nothing is drawn from it
        short = [not step.is_random and step.length() <= ROWS_PER_BATCH for step in steps]
        laid = [list(step.batches(none)) if fits else [] for step, fits in zip(steps, short, strict=True)]
        length = np.array([sum(map(len, batches)) for batches in laid])
        batches = [batch for batches in laid for batch in batches]
        rows = joined(batches) if batches else Batch({"kind": np.zeros(0, dtype="int16")})
        return cls(steps, mode, rows, np.cumsum(length) - length, length)

    def laid_out(self, order: Array, gaps: Array, random: np.random.Generator) -> Iterator[Batch]:
        """Give the rows of arrivals, from the index of the body of each and the gap before it, in nanoseconds."""
        begin = 0
        for arrival in np.flatnonzero(self.length[order] == 0).tolist():
            yield from self._copied(order[begin:arrival], gaps[begin:arrival])
            yield from self._anew(self.steps[order[arrival]], int(gaps[arrival]), random)
            begin = arrival + 1
        yield from self._copied(order[begin:], gaps[begin:])

    def _anew(self, step: Step, gap: int, random: np.random.Generator) -> Iterator[Batch]:
        batches = step.batches(random)
        first = next(batches, None)
        if first is None:
            yield from _computation(self.mode, gap).batches(random)
            return
        yield self._after_gaps(first, np.zeros(1, dtype=np.int64), np.array([gap]))
        yield from batches

    def _copied(self, order: Array, gaps: Array) -> Iterator[Batch]:
        """Give rows of bodies that never vary, in batches of about as many rows as a batch should have."""
        ends = np.cumsum(self.length[order])
        total = int(ends[-1]) if len(ends) else 0
        cuts = np.unique(np.searchsorted(ends, np.arange(ROWS_PER_BATCH, total, ROWS_PER_BATCH)))
        for arrived, before in zip(np.split(order, cuts), np.split(gaps, cuts), strict=True):
            if not len(arrived):
                continue
            lengths = self.length[arrived]
            at = np.cumsum(lengths) - lengths  # where each arrival begins among the rows given here
            source = np.repeat(self.first[arrived] - at, lengths) + np.arange(lengths.sum())
            yield self._after_gaps(Batch({name: v[source] for name, v in self.rows.columns.items()}), at, before)

    def _after_gaps(self, batch: Batch, at: Array, gaps: Array) -> Batch:
        """Return the rows with gaps put before those at the given places."""
        column = f"{self.mode}_ns"
        computed = batch.column(column).copy()
        computed[at] += gaps
        return Batch({**batch.columns, column: computed})
