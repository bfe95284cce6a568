"""Replays as messages: what a worker needs to carry them out, wherever it is.

A job holds the workload's program, or the path of its recording, and models: never the rows, which are read where the
worker is. As the worker may be another machine, it checks that it has the same code, the same recording and, where rows
are drawn, the same NumPy: another would give another outcome, and nobody would know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.earlier import code_hash
from simulator.engine import ENGINES
from simulator.engine.base import Engine, Outcome, Progress, Replay
from simulator.engine.tracing import Graph, trace
from simulator.errors import ModelError, RunError, SimulatorError
from simulator.model import CostModel
from simulator.recordings import described, is_as_described, recording_hash
from simulator.spec.build import Workload
from simulator.stream import StreamHash


@dataclass(frozen=True, slots=True)
class Job:
    """Replays of one workload under some models, and what must be the same where they are carried out.

    ``described`` says on which machine, and of which files in which state, the recording is: a worker that finds the
    same has no need to hash it again.
    """

    workload: Workload
    models: tuple[CostModel, ...]
    engine: str
    recording: StreamHash | None
    code_sha256: str
    numpy: str
    described: str = ""

    @classmethod
    def of(cls, workload: Workload, models: Sequence[CostModel], engine: str) -> Job:
        """Return the job of replaying a workload under some models."""
        hashed = recording_hash(workload)
        return cls(workload, tuple(models), engine, hashed, code_hash(), np.__version__, described(workload))


def carry_out(job: Job) -> list[Outcome]:
    """Replay, here.

    Raises:
        RunError: the code, the recording or NumPy is another here; or a replay cannot end.
        ModelError: a model cannot price the workload after all.
    """
    _check(job)
    return outcomes(ENGINES[job.engine], job.workload, job.models)


def carry_out_traced(job: Job) -> tuple[Outcome, Graph | None]:
    """Replay one workload under one model, and return its graph of waits, too; see ``engine.tracing``.

    Raises:
        RunError, ModelError: as ``carry_out``.
    """
    _check(job)
    (model,), workload = job.models, job.workload
    return trace(Replay(workload.stream, model, workload.timer_hz, workload.rows))


def _check(job: Job) -> None:
    name = job.workload.name
    if job.code_sha256 != code_hash():
        raise RunError(f"workload '{name}': the worker has other code of vmmsim than the program that asks it")
    if job.workload.is_random and job.numpy != np.__version__:
        raise RunError(f"workload '{name}' is random: the worker draws with NumPy {np.__version__}, not {job.numpy}")
    if not is_as_described(job.workload, job.described) and job.recording != recording_hash(job.workload):
        raise RunError(f"workload '{name}': the worker has another recording under the same path")


def outcomes(
    engine: Engine, workload: Workload, models: Sequence[CostModel], advance: Progress | None = None
) -> list[Outcome]:
    """Replay one workload under several models, in one pass where the engine can.

    Raises:
        RunError: a replay cannot end.
        ModelError: a model cannot price the workload after all.
    """
    if not models:
        return []
    replays = [Replay(workload.stream, model, workload.timer_hz, workload.rows) for model in models]
    return [_checked(workload, *pair) for pair in zip(models, engine.run_all(replays, advance), strict=True)]


def _checked(workload: Workload, model: CostModel, outcome: Outcome | SimulatorError) -> Outcome:
    """Return an outcome; of an error, raise it with the names of the workload and the model."""
    if isinstance(outcome, RunError | ModelError):
        raise type(outcome)(f"workload '{workload.name}' under '{model.name}': {outcome}") from outcome
    if isinstance(outcome, SimulatorError):
        raise outcome
    return outcome
