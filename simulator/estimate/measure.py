"""How long samples take to replay, and how much memory; and what follows for the whole.

Time is measured in samples that grow until they take long enough. Memory is measured in smaller ones, since tracing
it slows a replay down: that of the rows under way, which a batch bounds, and that of state, which may grow with the
rows for ever, or fill up. State is taken to grow by a power of the rows, which three samples show.
"""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

from simulator.engine.base import Engine, Outcome
from simulator.estimate.sample import Clock, Sample
from simulator.jobs import outcomes
from simulator.model import CostModel
from simulator.stream import ROWS_PER_BATCH, EventStream

_WARM_UP_ROWS = 256
FIRST_ROWS = 2048
"""Rows of each virtual CPU in the first sample that is measured."""
MOST_ROWS = 2**20
"""Rows of each virtual CPU in the largest sample."""
_GROWTH = 4
_TRACED_SHARE = 32  # a sample that is traced has so many times fewer rows than the one whose time is taken
_FLAT = 1e-6  # a power of the rows so small that it is a logarithm
_FEW_ROWS = 16_384
_BYTES_OF_A_ROW = 256  # roughly, with its share of state: at most some MiB for so few rows
_PARTS = 16  # the batches of a traced sample


@dataclass(frozen=True, slots=True)
class Replaying:
    """What replaying a sample took: its rows, all virtual CPUs together; seconds and outcome, by model."""

    rows: int
    seconds: tuple[float, ...]
    outcomes: tuple[Outcome, ...]


def replaying(
    engine: Engine, sample: Sample, models: Sequence[CostModel], least_seconds: float, clock: Clock
) -> Replaying:
    """Replay samples under all models, in one pass as a run does, and share out what it took.

    Samples grow until one takes so many seconds, or is the whole workload, or the largest allowed.

    Raises:
        RunError, ModelError: a replay of the workload fails.
    """
    rows = FIRST_ROWS
    while True:
        sample.grow(rows)
        stream = sample.stream(rows)
        begin = clock()
        found = _run(engine, stream, sample, models)
        seconds = clock() - begin
        if seconds >= least_seconds or rows >= MOST_ROWS or (sample.whole and rows >= sample.longest):
            break
        growth = min(_GROWTH, 1.5 * least_seconds / seconds) if seconds else _GROWTH
        rows = min(max(rows + 1, round(rows * growth)), MOST_ROWS)
    replayed = sum(len(batch) for batches in stream.rows for batch in batches)
    shares = _shared_out(seconds, lambda model: _run(engine, stream, sample, [model]), models, clock)
    return Replaying(replayed, shares, tuple(found))


def _shared_out(
    seconds: float, alone: Callable[[CostModel], object], models: Sequence[CostModel], clock: Clock
) -> tuple[float, ...]:
    """Return each model's share of what one pass takes, in the ratio of what they take alone.

    One pass does not take longer than one after the other, unless something in it had to be compiled.
    """
    marks = [clock()]
    for model in models:
        alone(model)
        marks.append(clock())
    whole = marks[-1] - marks[0]
    scale = min(1.0, seconds / whole) if whole else 0.0
    return tuple(scale * (end - begin) for begin, end in pairwise(marks))


def warm_up(engine: Engine, sample: Sample, models: Sequence[CostModel], clock: Clock) -> float:
    """Replay a few rows, as what comes first is slow once; return how long it took, in seconds.

    Raises:
        RunError, ModelError: a replay of the workload fails.
    """
    sample.grow(1)
    begin = clock()
    _run(engine, sample.stream(_WARM_UP_ROWS), sample, models)
    return clock() - begin


def _run(engine: Engine, stream: EventStream, sample: Sample, models: Sequence[CostModel]) -> list[Outcome]:
    """Replay a sample in the way in which the engine would replay the whole workload."""
    return outcomes(engine, replace(sample.workload, stream=stream), models)


def memory(engine: Engine, sample: Sample, model: CostModel, rows: int) -> float:
    """Return how much memory a replay of the whole workload needs, in bytes, from a sample of so many rows.

    ``rows`` are those of the sample whose time was taken, all virtual CPUs together. What few rows need is little
    beside what every process needs, so it is not traced.
    """
    if sample.rows <= _FEW_ROWS:
        return float(_BYTES_OF_A_ROW * sample.rows)
    vcpus = sample.workload.stream.header.vcpus
    each = max(_PARTS, rows // vcpus // _TRACED_SHARE)
    part = max(1, each // _PARTS)
    streams = [sample.stream(n, part) for n in (each // 4, each // 2, each)]
    quarter, half, full, unparted = (
        _peak(partial(_run, engine, stream, sample, [model])) for stream in (*streams, sample.stream(each))
    )
    by_row = max(0.0, (unparted - full) / max(1, each - part))
    whole = sample.rows / vcpus
    under_way = by_row * max(0.0, min(whole, ROWS_PER_BATCH) - part)
    return full + under_way + further_growth(half - quarter, full - half, whole / each)


def further_growth(sooner: float, later: float, times: float) -> float:
    """Return how much larger state will be than at the end of a sample, in a workload ``times`` as long.

    ``sooner`` is what it grew by from a quarter of the sample to the half, ``later`` from the half to the end. If state
    is c x rows^p, their ratio is 2^p. p is taken from 0 (a logarithm) to 1: state has no more than its share of a row.

    >>> further_growth(100, 200, 10), further_growth(100, 100, 8), further_growth(100, 0, 10)
    (3600.0, 300.0, 0.0)
    """
    if later <= 0 or times <= 1:
        return 0.0
    power = min(1.0, math.log2(max(1.0, later / sooner))) if sooner > 0 else 1.0
    return later * (float(times**power) - 1) / (1 - 2.0**-power) if power > _FLAT else later * math.log2(times)


def _peak(work: Callable[[], object]) -> int:
    """Return how many bytes of memory some work had, at most, beyond what there was before."""
    traced = tracemalloc.is_tracing()
    if not traced:
        tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        if not traced:
            tracemalloc.stop()


def layout(sample: Sample) -> int:
    """Return how much memory the streams of all virtual CPUs need before they give their first rows, in bytes."""
    stream = sample.workload.stream
    return sum(_peak(partial(next, batches, None)) for batches in map(stream.batches, range(stream.header.vcpus)))
