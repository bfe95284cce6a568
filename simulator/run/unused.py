"""Which overrides changed nothing, because nothing in a run used them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simulator.events import BY_NAME
from simulator.run.pricing import Run
from simulator.spec.build import Experiment
from simulator.spec.node import Where


def unused_overrides(experiment: Experiment, runs: Sequence[Run]) -> Iterator[str]:
    """Name each override that changed nothing, because nothing in the run used it."""
    for override in experiment.overrides:
        told = (path for path in override.paths if path[0] != "fit" and "provenance" not in path[2:3])
        if not any(_is_used(path, experiment, runs) for path in told):
            yield f"--set {override.text}: nothing in this run used it"


def _is_used(path: Where, experiment: Experiment, runs: Sequence[Run]) -> bool:
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


def _machine_is_used(name: str, path: Where, runs: Sequence[Run]) -> bool:
    if name == "devices" and len(path) > 4:
        return path[-1] != "source" and any(path[4] in run.workload.devices for run in runs)
    if name == "time_slice":
        return any(len(run.outcome.vcpus) > len(run.outcome.physical_cpus) for run in runs)
    return True
