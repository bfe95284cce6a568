"""Estimates of a run: its events, rows, time, memory and disk, for each workload under each model and in all."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from simulator.engine.base import Engine, Outcome, Progress, Replay
from simulator.estimate.fixed import (
    DRAWING_BYTES,
    LOADING_SECONDS,
    PAGE_BYTES,
    PAGE_BYTES_PER_ROW,
    PRINTING_SECONDS,
    YARDSTICK_SECONDS,
    Drawing,
    drawing,
    yardstick,
)
from simulator.estimate.measure import layout, memory, replaying, warm_up
from simulator.estimate.sample import Clock, Sample
from simulator.events import EVENTS_PER_INTERRUPT
from simulator.model import CostModel
from simulator.replaying import Progress as RunProgress
from simulator.report.writer import write_result
from simulator.result import ComparisonRow, Result
from simulator.run import default_engine, priced, run_experiment
from simulator.spec.build import Experiment, Workload
from simulator.spec.experiment import ReferenceSpec
from simulator.stream import EventStream, content_hash

_ALL_SAMPLES_SECONDS = 1.0
_SAMPLE_SECONDS = (0.01, 0.25)
"""The least that the sample of one workload takes: within these, so that all take about the above."""


@dataclass(frozen=True, slots=True)
class ReplayEstimate:
    """What the replay of one workload under one model will take: time in one pass with the others, memory alone.

    ``sampled`` is how many rows were replayed for it.
    """

    workload: str
    model: str
    rows: int
    events: int
    seconds: float
    memory: int
    sampled: int


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """What a run will take. ``seconds`` are by what they are spent on; memory (at its peak) and disk are in bytes."""

    engine: str
    replays: tuple[ReplayEstimate, ...]
    seconds: Mapping[str, float]
    memory: int
    disk: int
    took: float

    @property
    def rows(self) -> int:
        """Rows of all replays."""
        return sum(each.rows for each in self.replays)

    @property
    def events(self) -> int:
        """Events of all replays."""
        return sum(each.events for each in self.replays)

    @property
    def total_seconds(self) -> float:
        """How long the run will take in all."""
        return sum(self.seconds.values())


def estimate(
    experiment: Experiment,
    engine: Engine | None = None,
    *,
    plots: bool = True,
    started: float = 0.0,
    progress: RunProgress | None = None,
    clock: Clock = time.process_time,
) -> RunEstimate:
    """Replay samples of an experiment, and scale what they took.

    Time is processor time, unless another clock is given: it does not hang on what else the machine is doing.
    ``started`` is what it took, in seconds, to start and to load the experiment, which a run does as well.

    Raises:
        RunError, ModelError: a replay fails, as it would in the run.
    """
    begin = clock()
    engine = engine or default_engine()
    slowness = yardstick(clock) / YARDSTICK_SECONDS
    estimator = _Estimator(experiment, engine, clock)
    loading = min(estimator.warm_up(), LOADING_SECONDS * slowness)
    base = peak_memory()
    replays = estimator.replays(progress)
    tables = estimator.tables()
    drawn = drawing(experiment) if plots else Drawing(0.0, 0, 0)
    page = PAGE_BYTES + PAGE_BYTES_PER_ROW * tables.breakdown_rows + tables.input_bytes + 4 * drawn.svg // 3
    seconds = {
        "start": started + loading,
        "recordings": estimator.hashing(),
        "rows": estimator.drawing(),
        "replays": sum(each.seconds for each in replays),
        "tables": tables.seconds + PRINTING_SECONDS * slowness,
        "plots": drawn.seconds * slowness,
    }
    return RunEstimate(
        engine=engine.name,
        replays=replays,
        seconds=seconds,
        memory=base + estimator.memory(replays) + (DRAWING_BYTES if plots else 0),
        disk=tables.size + (drawn.svg + drawn.png + page if plots else 0),
        took=clock() - begin,
    )


def peak_memory() -> int:
    """Return the most memory that this process has had, in bytes; 0 where the system does not tell."""
    try:
        import resource  # noqa: PLC0415 (not on every system)
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@dataclass(frozen=True, slots=True)
class _Tables:
    """The files of a result without plots: seconds to make and write them, bytes, and rows of the breakdown."""

    seconds: float
    size: int
    input_bytes: int
    breakdown_rows: int


class _Estimator:
    """Samples of all workloads of an experiment, and what came of replaying them."""

    def __init__(self, experiment: Experiment, engine: Engine, clock: Clock) -> None:
        self._experiment = experiment
        self._engine = engine
        self._clock = clock
        self._samples = {name: Sample(workload, clock) for name, workload in experiment.workloads.items()}
        self._streams: dict[str, EventStream] = {}
        self._outcomes: dict[tuple[str, str], Outcome] = {}
        least, most = _SAMPLE_SECONDS
        self._least_seconds = min(most, max(least, _ALL_SAMPLES_SECONDS / len(experiment.workloads)))

    def warm_up(self) -> float:
        """Replay a few rows of each workload; return how long the slowest took, in seconds."""
        models = list(self._experiment.models.values())
        return max(warm_up(self._engine, sample, models, self._clock) for sample in self._samples.values())

    def replays(self, progress: RunProgress | None) -> tuple[ReplayEstimate, ...]:
        """Estimate each workload under each model."""
        found: list[ReplayEstimate] = []
        models = list(self._experiment.models.values())
        for done, (name, sample) in enumerate(self._samples.items()):
            if progress:
                progress(f"a sample of {name}", done, len(self._samples))
            measured = replaying(self._engine, sample, models, self._least_seconds, self._clock)
            self._streams[name] = sample.stream(sample.longest)
            for model, seconds, outcome in zip(models, measured.seconds, measured.outcomes, strict=True):
                self._outcomes[name, model.name] = outcome
                found.append(self._replay(sample, model, outcome, measured.rows, seconds))
        return tuple(found)

    def _replay(
        self, sample: Sample, model: CostModel, outcome: Outcome, replayed: int, seconds: float
    ) -> ReplayEstimate:
        """Estimate a replay from that of a sample, its number of rows, and its seconds."""
        workload, times = sample.workload, sample.rows / replayed
        events = workload.events + _ticks(workload, model, outcome, times)
        if sample.whole and replayed == sample.drawn:
            events = priced(workload, model, outcome).events
        return ReplayEstimate(
            workload=workload.name,
            model=model.name,
            rows=sample.rows,
            events=events,
            seconds=seconds * times,
            memory=round(memory(self._engine, sample, model, replayed)),
            sampled=replayed,
        )

    def drawing(self) -> float:
        """Return how long it takes to draw the rows of all workloads, or to read them, in seconds."""
        return sum(sample.seconds_to_draw() for sample in self._samples.values())

    def memory(self, replays: Sequence[ReplayEstimate]) -> int:
        """Return how much memory the replays of one workload under all models need, where that is most, in bytes."""
        needed = {name: layout(sample) for name, sample in self._samples.items()}
        for each in replays:
            needed[each.workload] += each.memory
        return max(needed.values())

    def hashing(self) -> float:
        """Return how long it takes to hash all recordings, in seconds."""
        seconds = 0.0
        for name, workload in self._experiment.workloads.items():
            if workload.recording is not None:
                begin = self._clock()
                content_hash(self._streams[name])
                taken = self._clock() - begin
                seconds += taken * max(1.0, workload.rows / self._samples[name].drawn)
        return seconds

    def tables(self) -> _Tables:
        """Write the result of the samples, which has as many rows as that of the run, into a folder for the moment."""
        begin = self._clock()
        result = replace(self._result(), comparison=tuple(_as_published(self._experiment.spec.references)))
        with tempfile.TemporaryDirectory() as folder:
            write_result(result, Path(folder) / "result", "", plots=False)
            sizes = {path.name: path.stat().st_size for path in (Path(folder) / "result").iterdir()}
        input_bytes = len(str(result.metadata["experiment"]))
        return _Tables(self._clock() - begin, sum(sizes.values()), input_bytes, len(result.breakdown))

    def _result(self) -> Result:
        """Return the result of the samples, without references, which may need more than a sample has."""
        spec = self._experiment.spec.model_copy(update={"references": []})
        workloads = {
            name: replace(
                workload, stream=self._streams[name], recording=self._streams[name] if workload.recording else None
            )
            for name, workload in self._experiment.workloads.items()
        }
        known = _Known(self._engine.name, self._streams, self._outcomes)
        return run_experiment(replace(self._experiment, spec=spec, workloads=workloads), known)


def _ticks(workload: Workload, model: CostModel, outcome: Outcome, times: float) -> int:
    """Return about how many events the ticks of the timer are, in a run so many times as long."""
    if workload.timer_hz is None:
        return 0
    seconds = sum(cpu.end for cpu in outcome.vcpus) / model.machine.clock.ticks_per_second
    return round(float(workload.timer_hz) * seconds * times * EVENTS_PER_INTERRUPT)


@dataclass
class _Known(Engine):
    """An engine that has replayed already what it is asked for."""

    name: str
    streams: Mapping[str, EventStream]
    outcomes: Mapping[tuple[str, str], Outcome]

    def run(self, replay: Replay, progress: Progress | None = None) -> Outcome:  # noqa: ARG002 (nothing takes time)
        """Return the outcome of a sample."""
        (workload,) = (name for name, stream in self.streams.items() if stream is replay.stream)
        return self.outcomes[workload, replay.model.name]


def _as_published(references: list[ReferenceSpec]) -> list[ComparisonRow]:
    """Return a comparison of the right length: each figure with itself."""
    return [
        ComparisonRow(
            workload, model, reference.name, published, published, published, reference.status, reference.source
        )
        for reference in references
        for workload, values in reference.values.items()
        for model, (published, _) in values.items()
    ]
