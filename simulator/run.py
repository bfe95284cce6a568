"""Run an experiment: replay each workload under each model, price the counts, and set them beside the references."""

from __future__ import annotations

import platform
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

import simulator
from simulator import uncertainty
from simulator.costs import Share, price
from simulator.earlier import account, code_hash, verdicts
from simulator.engine import ENGINES
from simulator.engine.base import Engine, Outcome
from simulator.errors import InputError, RunError
from simulator.events import BY_NAME
from simulator.executors import Where
from simulator.jobs import outcomes, recording_hash
from simulator.model import CostModel
from simulator.replaying import Progress, replay_all
from simulator.reprice import why_recount, why_replay
from simulator.result import (
    SCHEMA_VERSION,
    BreakdownRow,
    ComparisonRow,
    Replayed,
    Result,
    TotalsRow,
    UncertaintyRow,
    cycles_per_event,
    exact_cycles,
    exact_seconds,
    figures_of,
    in_words,
    operations,
    rounded,
)
from simulator.spec.build import Experiment, Workload
from simulator.spec.experiment import ReferenceSpec
from simulator.spec.library import root
from simulator.spec.node import fingerprint, plain, readable
from simulator.units import TICKS_PER_CYCLE


@dataclass(frozen=True, slots=True)
class Run:
    """One replay and its price."""

    workload: Workload
    model: CostModel
    outcome: Outcome
    shares: tuple[Share, ...]

    @property
    def seconds(self) -> Fraction:
        """How long it took from start to end."""
        return Fraction(self.outcome.makespan, self.model.machine.clock.ticks_per_second)

    def busy_seconds(self, kinds: Collection[str]) -> Fraction:
        """Return the busy time, in all or in events of some kinds."""
        ticks = sum(share.ticks for share in self.shares if not kinds or share.event in kinds)
        return Fraction(ticks, self.model.machine.clock.ticks_per_second)

    @property
    def events(self) -> int:
        """Operations of the guest: what goes on between them does not count."""
        return operations(self.outcome.counts)

    @property
    def replayed(self) -> Replayed:
        """What a result keeps of the replay."""
        model, machine = self.model, self.model.machine
        ticks, whys = model.start().ticks, (why_replay(self.workload, model), why_recount(self.workload, model))
        return Replayed(self.workload.name, model.name, "", machine.name, machine.clock, self.outcome, ticks, *whys)


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
    return Result(
        title=experiment.spec.title,
        description=experiment.spec.description,
        baseline=experiment.spec.baseline,
        plots=tuple(experiment.spec.plots),
        totals=tuple(totals_row(run, by_name.get((run.workload.name, experiment.spec.baseline or ""))) for run in runs),
        breakdown=tuple(row for run in runs for row in breakdown_rows(run)),
        comparison=tuple(
            row
            for reference in experiment.spec.references
            for row in compare(reference, by_name, experiment.spec.baseline)
        ),
        warnings=(*experiment.warnings, *_unused(experiment, runs), *_without_events(experiment, runs)),
        notes=tuple(_notes(experiment)),
        remarks=tuple(dict.fromkeys(filter(None, map(_remark, experiment.spec.references)))),
        sources={r.source_of_overhead: r.kinds for r in experiment.spec.references if r.kinds},
        replays=tuple(run.replayed for run in runs),
        metadata={
            **metadata(experiment, engine.name, recordings),
            **_speed([run for run in runs if (run.workload.name, run.model.name) not in known], seconds),
            **({"earlier": account(judged, earlier)} if earlier else {}),
        },
        uncertainty=tuple(
            row
            for run in runs
            if (row := _uncertainty(run, by_name.get((run.workload.name, experiment.spec.baseline or ""))))
        ),
    )


def default_engine() -> Engine:
    """Return the engine that runs where none is named."""
    return ENGINES["fast"]


def replay(engine: Engine, workload: Workload, model: CostModel) -> Run:
    """Replay one workload under one model, and price it.

    Raises:
        RunError: the replay cannot end.
        ModelError: the model cannot price the workload after all.
    """
    return priced(workload, model, outcomes(engine, workload, [model])[0])


def priced(workload: Workload, model: CostModel, outcome: Outcome) -> Run:
    """Price what came of a workload under a model.

    Raises:
        RunError: the breakdown does not add up to the busy time.
        ModelError: an action has no cost.
    """
    shares = price(outcome.counts, model.costs)
    if sum(share.ticks for share in shares) != outcome.busy:
        raise RunError(f"the breakdown of '{workload.name}' under '{model.name}' does not add up to its busy time")
    return Run(workload, model, outcome, shares)


def totals_row(run: Run, baseline: Run | None) -> TotalsRow:
    """Return the row of totals.csv for a run; the baseline's is that of the same workload."""
    name, machine = run.model.name, run.model.machine
    times = (baseline.outcome.makespan, baseline.model.machine.clock) if baseline else None
    return figures_of(run.outcome).row(run.workload.name, name, machine.name, machine.clock, baseline=times)


def _uncertainty(run: Run, baseline: Run | None) -> UncertaintyRow | None:
    """Return between what the total lies while each cost lies between its bounds, where that takes no replay."""
    base = (baseline.replayed, baseline.model) if baseline else (None, None)
    return uncertainty.row(run.replayed, run.model, *base)


def breakdown_rows(run: Run, point: str = "") -> Iterator[BreakdownRow]:
    """Give the rows of breakdown.csv for a run."""
    clock = run.model.machine.clock
    for share in run.shares:
        yield BreakdownRow(
            workload=run.workload.name,
            model=run.model.name,
            point=point,
            event=share.event,
            action=share.action,
            events=share.events,
            actions=share.actions,
            cycles=exact_cycles(share.ticks),
            seconds=exact_seconds(share.ticks, clock),
        )


def compare(
    reference: ReferenceSpec, runs: Mapping[tuple[str, str], Run], baseline: str | None
) -> Iterator[ComparisonRow]:
    """Set the figures of a reference beside those of the runs, which are found by workload and model.

    Raises:
        InputError: a run has nothing that the quantity could be computed from.
    """
    for workload, values in reference.values.items():
        for model, (published, _) in values.items():
            run = runs[workload, model]
            modelled = _quantity(reference, run, runs.get((workload, baseline or "")))
            error = rounded(100 * (modelled / Fraction(published) - 1), 4) if published else None
            yield ComparisonRow(
                workload,
                model,
                reference.name,
                published,
                rounded(modelled, 12 if reference.quantity == "overhead_seconds" else 9),
                error,
                reference.status,
                reference.source,
            )


def _quantity(reference: ReferenceSpec, run: Run, baseline: Run | None) -> Fraction:
    match reference.quantity:
        case "cycles_per_event":
            if not run.events:
                raise InputError(f"workload '{run.workload.name}' has no events, so it has no cycles per event")
            return cycles_per_event(run.outcome.busy, run.events)
        case "total_cycles":
            return Fraction(run.outcome.makespan, TICKS_PER_CYCLE)
        case "total_seconds":
            return run.seconds
        case "relative_to_baseline":
            return _slowdown(run, baseline)
        case "percent_of_baseline":
            slowdown = _slowdown(run, baseline)
            if not slowdown:
                name, model = run.workload.name, run.model.name
                raise InputError(
                    f"workload '{name}' takes no time under '{model}', so its performance has no percentage"
                )
            return 100 / slowdown
        case "overhead_seconds":
            assert baseline is not None, "an experiment without a baseline is refused"
            return run.busy_seconds(reference.kinds) - baseline.busy_seconds(reference.kinds)


def _slowdown(run: Run, baseline: Run | None) -> Fraction:
    """Return the time of a run over that of the baseline.

    Raises:
        InputError: the baseline takes no time.
    """
    if baseline is None or not baseline.outcome.makespan:
        raise InputError(
            f"workload '{run.workload.name}' takes no time under the baseline, so nothing is relative to it"
        )
    return run.seconds / baseline.seconds


def _remark(reference: ReferenceSpec) -> str:
    """Return the note of a reference with what it is about, empty if it has none."""
    if not reference.note:
        return ""
    workloads = list(reference.values)
    rest = f" and {len(workloads) - 3} more" if len(workloads) > 3 else ""
    return f"{', '.join(workloads[:3])}{rest}, {in_words(reference.name)}: {reference.note}"


def _without_events(experiment: Experiment, runs: list[Run]) -> Iterator[str]:
    """Name each reference to the overhead of events of which a workload has none: its zero says nothing."""
    for reference in experiment.spec.references:
        codes = {BY_NAME[name].code for name in reference.kinds}
        for workload in reference.values if codes else ():
            served = {code for run in runs if run.workload.name == workload for code in run.outcome.counts.events}
            if not codes & served:
                yield f"{reference.name}: the workload '{workload}' has no such event"


def _unused(experiment: Experiment, runs: list[Run]) -> Iterator[str]:
    """Name each override that changed nothing, because nothing in the run used it."""
    for override in experiment.overrides:
        told = (path for path in override.paths if path[0] != "fit" and "provenance" not in path[2:3])
        if not any(_is_used(path, experiment, runs) for path in told):
            yield f"--set {override.text}: nothing in this run used it"


def _is_used(path: tuple[str | int, ...], experiment: Experiment, runs: list[Run]) -> bool:
    """Tell whether a replay used what a path of the resolved tree leads to."""
    if path[0] == "seed":
        return any(workload.is_random for workload in experiment.workloads.values())
    if path[0] != "models" or len(path) < 4:
        return path[-1] not in ("title", "description", "source")
    mine = [run for run in runs if run.model.name == path[1]]
    section, name = path[2], str(path[3])
    if section == "costs":
        return path[-1] == "cost" and any(action == name for run in mine for _, action in run.outcome.counts.actions)
    if section == "machine":
        return _machine_is_used(name, path, mine)
    served = {kind for run in mine for kind in run.outcome.counts.events}
    named = {BY_NAME[str(part)].code for part in path[4:] if part in BY_NAME}
    if named:
        return bool(named & served)
    taken = {action for run in mine for _, action in run.outcome.counts.actions}
    return any(
        mechanism.reads() & served or ((mechanism.answers() | mechanism.watches()) and mechanism.emits() & taken)
        for run in mine
        for mechanism in run.model.build().mechanisms
        if mechanism.name == name
    )


def _machine_is_used(name: str, path: tuple[str | int, ...], runs: list[Run]) -> bool:
    if name == "devices" and len(path) > 4:
        return path[-1] != "source" and any(path[4] in run.workload.devices for run in runs)
    if name == "time_slice":
        return any(len(run.outcome.vcpus) > len(run.outcome.physical_cpus) for run in runs)
    return True


def _notes(experiment: Experiment) -> Iterator[str]:
    """Say what a reader of the result must know and nobody did wrong."""
    for workload in experiment.workloads.values():
        clipped = workload.clipping
        if clipped.gaps:
            yield (
                f"{workload.name}: {clipped.nanoseconds:,} ns were clipped, in recorded gaps ({clipped.gaps:,}) "
                "shorter than what the events before them cost on the machine recorded"
            )


def recording_hashes(experiment: Experiment) -> dict[str, str]:
    """Return the SHA-256 of the rows of each recording, by workload."""
    found = {name: recording_hash(workload) for name, workload in experiment.workloads.items()}
    return {name: digest for name, digest in found.items() if digest is not None}


def metadata(experiment: Experiment, engine: str, recordings: Mapping[str, str]) -> dict[str, Any]:
    """Return what is needed to make a result again; ``recordings`` are the hashes of their rows, by workload."""
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {
            "name": "vmmsim",
            "version": simulator.__version__,
            "commit": _commit(),
            "code_sha256": code_hash(),
        },
        "engine": engine,
        "experiment": readable(plain(experiment.tree)),
        "overrides": [override.text for override in experiment.overrides],
        "inputs": {"experiment_sha256": fingerprint(experiment.tree), "recordings_sha256": dict(recordings)},
        "seed": experiment.spec.seed,
        "host": {
            "system": platform.platform(),
            "machine": platform.machine(),
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
    }


def _speed(replayed: Sequence[Run], seconds: float) -> dict[str, Any]:
    """Return how long it all took, and events per second of the replays among it; None if there are none."""
    events = sum(run.events for run in replayed)
    rate = round(events / seconds) if seconds and replayed else None
    return {"wall_seconds": round(seconds, 6), "events_per_second": rate}


def _commit() -> str | None:
    """Return the commit of the checkout that the program runs from, with ``-dirty`` if files differ from it.

    None if the program runs from an installed package.
    """
    if not (root() / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(root()), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
