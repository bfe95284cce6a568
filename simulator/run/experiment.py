"""An experiment: each workload replayed under each model, priced, and set beside the references."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from simulator.earlier import account, verdicts
from simulator.engine import ENGINES
from simulator.engine.base import Engine
from simulator.executors import Where
from simulator.replaying import Progress, replay_all
from simulator.result import Result
from simulator.run.pricing import Run, breakdown_rows, priced, totals_row, uncertainty_row
from simulator.run.provenance import false_times, metadata, recording_hashes
from simulator.run.references import changed_by, compare, remark, without_events
from simulator.run.unused import unused_overrides
from simulator.spec.build import Experiment
from simulator.workload.untold import times_notes, untold


def run_experiment(
    experiment: Experiment,
    engine: Engine | None = None,
    progress: Progress | None = None,
    earlier: Result | None = None,
    where: Where | None = None,
) -> Result:
    """Replay, price and compare; with an earlier result, only what does not follow from it is replayed.

    ``where``: whether other processes help; by default all is replayed in this one. The result is the same.

    Raises:
        InputError: the earlier result holds no counts, or is of another experiment.
        RunError: a replay cannot end.
        ModelError, StreamError: a model or a stream turns out not to fit after all.
    """
    recordings = recording_hashes(experiment)
    begin = time.perf_counter()
    engine = engine or default_engine()
    judged = verdicts(experiment, earlier, recordings) if earlier else {}
    known = {pair: verdict.outcome for pair, verdict in judged.items() if verdict.outcome is not None}
    pairs = [(workload, model) for workload in experiment.workloads.values() for model in experiment.models.values()]
    todo = [
        (workload, [model for model in experiment.models.values() if (workload.name, model.name) not in known])
        for workload in experiment.workloads.values()
    ]
    found = {**known, **replay_all(todo, engine, progress, where)}
    runs = [priced(workload, model, found[workload.name, model.name]) for workload, model in pairs]
    seconds = time.perf_counter() - begin
    by_name = {(run.workload.name, run.model.name): run for run in runs}
    changed = changed_by(experiment.overrides)
    baselines = [by_name.get((run.workload.name, experiment.spec.baseline or "")) for run in runs]
    return Result(
        title=experiment.spec.title,
        description=experiment.spec.description,
        baseline=experiment.spec.baseline,
        plots=tuple(experiment.spec.plots),
        totals=tuple(map(totals_row, runs, baselines)),
        breakdown=tuple(row for run in runs for row in breakdown_rows(run)),
        comparison=tuple(
            row
            for reference in experiment.spec.references
            for row in compare(reference, by_name, experiment.spec.baseline, changed)
        ),
        warnings=(
            *experiment.warnings,
            *unused_overrides(experiment, runs),
            *without_events(experiment.spec.references, runs),
        ),
        notes=tuple(notes_on(experiment)),
        remarks=tuple(dict.fromkeys(filter(None, map(remark, experiment.spec.references)))),
        sources={r.source_of_overhead: r.kinds for r in experiment.spec.references if r.kinds},
        replays=tuple(run.replayed for run in runs),
        metadata={
            **metadata(experiment, engine.name, recordings),
            **_speed([run for run in runs if (run.workload.name, run.model.name) not in known], seconds),
            **({"earlier": account(judged, earlier)} if earlier else {}),
        },
        uncertainty=tuple(filter(None, map(uncertainty_row, runs, baselines))),
    )


def default_engine() -> Engine:
    """Return the engine that runs where none is named."""
    return ENGINES["fast"]


def notes_on(experiment: Experiment) -> Iterator[str]:
    """Say what a reader of the result must know and nobody did wrong."""
    yield from times_notes(false_times(experiment))
    for workload in experiment.workloads.values():
        source = workload.recording or workload.stream
        yield from (f"{workload.name}: {text}" for text in untold(source.header))
        clipped = workload.clipping
        if clipped.gaps:
            yield (
                f"{workload.name}: {clipped.nanoseconds:,} ns were clipped, in recorded gaps ({clipped.gaps:,}) "
                "shorter than what the events before them cost on the machine recorded"
            )


def _speed(replayed: Sequence[Run], seconds: float) -> dict[str, Any]:
    """Return how long it all took, and events per second of the replays among it; None if there are none."""
    events = sum(run.events for run in replayed)
    rate = round(events / seconds) if seconds and replayed else None
    return {"wall_seconds": round(seconds, 6), "events_per_second": rate}
