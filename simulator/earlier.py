"""What of an earlier result still holds for an experiment, by comparing what went into both.

Of each workload under each model, the earlier outcome is *unchanged* if nothing that a replay reads has changed;
*repriced* if only costs or the clock have, and nothing waits; else the workload is *replayed*, and ``why`` says why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np

import simulator
from simulator.engine.base import Outcome
from simulator.errors import InputError
from simulator.model import CostModel
from simulator.reprice import reprice, why_replay
from simulator.result import Replayed, Result
from simulator.spec.build import Experiment, Workload
from simulator.spec.node import dotted, plain, readable
from simulator.stream import StreamHash

Pair = tuple[str, str]
"""A workload and a model, by name."""

_MAKE_NO_COUNTS = ("analysis", "calibrate", "cli", "estimate", "notebook.py", "report", "uncertainty.py")
_NOT_REPLAYED = ("description", "source", "provenance", "recording")
"""Keys of a workload that no replay reads; recordings are compared by their hashes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the outcome of a workload under a model comes about: it is known, or a replay is needed, and ``why``."""

    how: Literal["unchanged", "repriced", "replayed"]
    outcome: Outcome | None = None
    why: str = ""


def verdicts(experiment: Experiment, earlier: Result, recordings: Mapping[str, StreamHash]) -> dict[Pair, Verdict]:
    """Judge each workload under each model; ``recordings`` are the hashes of those of the experiment, by workload.

    Raises:
        InputError: the earlier result holds no counts, or is of another experiment.
    """
    if earlier.metadata["schema_version"] == 1:
        raise InputError(f"the earlier result, '{earlier.title}', is of a vmmsim that kept no counts: run it again")
    replays = {(replayed.workload, replayed.model): replayed for replayed in earlier.replays if not replayed.point}
    pairs = [(workload, model) for workload in experiment.workloads for model in experiment.models]
    if not any(pair in replays for pair in pairs):
        raise InputError(
            f"the earlier result is of another experiment, '{earlier.title}': it has no workload of this one under a "
            f"model of this one, but {_names(replays)}; expected some of {_names(pairs)}"
        )
    try:
        judge = _Judge(experiment, earlier, recordings)
        return {pair: judge.verdict(pair, replays.get(pair)) for pair in pairs}
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"the earlier result, '{earlier.title}', is damaged: {error!r}") from error


def account(found: Mapping[Pair, Verdict], earlier: Result) -> dict[str, Any]:
    """Return how all outcomes came about, for the metadata of a result."""
    number = Counter(verdict.how for verdict in found.values())
    return {
        "experiment_sha256": earlier.metadata["inputs"]["experiment_sha256"],
        "overrides": list(earlier.metadata["overrides"]),
        **{how: number[how] for how in ("unchanged", "repriced", "replayed")},
        "why_replayed": [
            {"workload": workload, "model": model, "why": verdict.why}
            for (workload, model), verdict in found.items()
            if verdict.how == "replayed"
        ],
    }


@cache
def code_hash() -> str:
    """Return the SHA-256 of the program's code that has a part in counts and times: not of what shows them."""
    package = Path(simulator.__file__).parent
    digest = sha256()
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package)
        if name.parts[0] not in _MAKE_NO_COUNTS:
            digest.update(f"{name.as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _names(pairs: Iterator[Pair] | Mapping[Pair, object] | list[Pair]) -> str:
    found = list(pairs)
    workloads, models = (", ".join(dict.fromkeys(names)) for names in zip(*found, strict=True)) if found else ("", "")
    return f"{workloads} under {models}" if found else "no replay"


class _Judge:
    """Compares the input of an experiment with that of an earlier result."""

    def __init__(self, experiment: Experiment, earlier: Result, recordings: Mapping[str, StreamHash]) -> None:
        self._experiment = experiment
        self._new: Any = readable(plain(experiment.tree))
        self._old = earlier.metadata["experiment"]
        self._earlier = earlier.metadata
        self._recordings = recordings

    def verdict(self, pair: Pair, replayed: Replayed | None) -> Verdict:
        """Judge one workload under one model."""
        workload, model = self._experiment.workloads[pair[0]], self._experiment.models[pair[1]]
        if replayed is None:
            return Verdict("replayed", why="the earlier result does not have it")
        why = next(self._differences(workload, model), "")
        if why:
            return Verdict("replayed", why=why)
        if replayed.clock == model.machine.clock and replayed.ticks == model.start().ticks:
            return Verdict("unchanged", replayed.outcome)
        why = why_replay(workload, model)
        if why:
            return Verdict("replayed", why=why)
        return Verdict("repriced", reprice(replayed, model.costs).outcome)

    def _differences(self, workload: Workload, model: CostModel) -> Iterator[str]:
        """Give what differs, but for costs and the clock."""
        tool, host = self._earlier["tool"], self._earlier["host"]
        if tool.get("code_sha256") != code_hash():
            yield f"other code of vmmsim made the earlier result (version {tool['version']}, commit {tool['commit']})"
        yield from self._different(workload_inputs, "workloads", workload.name)
        if workload.is_random and self._old["seed"] != self._experiment.spec.seed:
            yield f"the seed was {self._earlier['seed']}"
        if workload.is_random and host.get("numpy") != np.__version__:
            yield f"random numbers were drawn by NumPy {host.get('numpy')}"
        yield from self._another_recording(workload.name)
        yield from self._different(model_inputs, "models", model.name)

    def _another_recording(self, workload: str) -> Iterator[str]:
        inputs, recording = self._earlier["inputs"], self._recordings.get(workload)
        rows, header = (inputs.get(key, {}).get(workload) for key in ("recordings_sha256", "headers_sha256"))
        if rows != (recording and recording.rows):
            yield "the rows of the recording differ"
        elif header != (recording and recording.header):
            yield "the header of the recording differs: its devices, or its recorded time"

    def _different(self, part: Any, *where: str) -> Iterator[str]:
        section, name = where
        difference = _difference(part(self._old[section][name]), part(self._new[section][name]), where)
        if difference:
            yield f"{dotted(difference)} differs"


def workload_inputs(workload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a replay reads of a workload."""
    return {key: value for key, value in workload.items() if key not in _NOT_REPLAYED}


def model_inputs(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a replay reads of a model, but for costs and the clock."""
    machine = {key: value for key, value in model["machine"].items() if key not in ("name", "clock")}
    devices = {
        name: {key: value for key, value in device.items() if key != "source"}
        for name, device in (machine.get("devices") or {}).items()
    }
    return {"mechanisms": model["mechanisms"], "machine": {**machine, "devices": devices}}


def _difference(old: Any, new: Any, path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return the path of the first value that differs; empty if none does."""
    if isinstance(old, dict) and isinstance(new, dict):
        missing = object()
        children = ((key, old.get(key, missing), new.get(key, missing)) for key in {**new, **old})
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        children = ((i, *both) for i, both in enumerate(zip(old, new, strict=True)))
    else:
        return () if type(old) is type(new) and old == new else path
    return next((found for key, a, b in children if (found := _difference(a, b, (*path, key)))), ())
