"""All replays of a run: here, and in other processes as soon as what is left is worth their start.

What a run comes to does not hang on that. Models of one workload are replayed in one pass over it, which is less work
than a pass for each; so they are parted between processes only where workloads alone would leave some of these idle.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from simulator.earlier import Pair
from simulator.engine.base import Engine, Outcome
from simulator.executors import Where, carried_out
from simulator.jobs import Job, carry_out, outcomes
from simulator.model import CostModel
from simulator.spec.build import Workload

Progress = Callable[[str, int, int], None]
"""Called with what is going on, rows replayed so far, and rows in all."""

Work = tuple[Workload, Sequence[CostModel]]
"""A workload, and the models under which it is to be replayed."""


def replay_all(
    work: Sequence[Work], engine: Engine, progress: Progress | None, where: Where | None
) -> dict[Pair, Outcome]:
    """Replay each workload under its models; without ``where``, in this process.

    Raises:
        RunError: a replay cannot end, or a process ended in the middle of its work.
        ModelError: a model cannot price a workload after all.
    """
    found: dict[Pair, Outcome] = {}
    watch = _Watch([each for each in work if each[1]], progress, where)
    try:
        while watch.left:
            workload, models = watch.begin()
            found |= _named(workload, models, outcomes(engine, workload, models, watch.advance))
            watch.left.pop(0)
    except _ElsewhereError:
        assert where is not None, "nobody asked for other processes"
        found |= _elsewhere(watch, engine, replace(where, kind="processes"))
    return found


def _named(workload: Workload, models: Sequence[CostModel], found: Sequence[Outcome]) -> dict[Pair, Outcome]:
    return {(workload.name, model.name): outcome for model, outcome in zip(models, found, strict=True)}


def _elsewhere(watch: _Watch, engine: Engine, where: Where) -> dict[Pair, Outcome]:
    """Replay what is left in other processes."""
    found: dict[Pair, Outcome] = {}
    parts = parted(watch.left, where.processes)
    jobs = [Job.of(workload, models, engine.name) for workload, models in parts]
    for index, future in carried_out(carry_out, jobs, where):
        workload, models = parts[index]
        found |= _named(workload, models, future.result())
        watch.ended(workload, models)
    return found


def parted(work: Sequence[Work], processes: int) -> list[Work]:
    """Part work between processes, the longest part first; a workload that is more than the share of one is cut up."""
    total = sum(map(_rows, work)) or 1
    parts: list[Work] = []
    for workload, models in work:
        number = max(1, min(len(models), round(processes * _rows((workload, models)) / total)))
        parts += [(workload, models[i::number]) for i in range(number)]
    return sorted(parts, key=_rows, reverse=True)


def _rows(work: Work) -> int:
    return work[0].rows * len(work[1])


class _ElsewhereError(Exception):
    """What is left would be done sooner by other processes."""


class _Watch:
    """Tells how far all replays are, and when it is time for other processes. ``left`` is what is not done."""

    def __init__(self, work: Sequence[Work], progress: Progress | None, where: Where | None) -> None:
        self.left = list(work)
        self._total = sum(map(_rows, work))
        self._progress = progress
        self._where = where
        self._text = ""
        self._done = self._ended = 0
        self._begin = self._began = time.perf_counter()
        self._busy = time.process_time()

    def begin(self) -> Work:
        """Return what is to be done next.

        Raises:
            _ElsewhereError: not here.
        """
        workload, models = self.left[0]
        self._text = _text(workload, models)
        self._began = time.perf_counter()
        self._go_elsewhere_if_that_pays()
        return workload, models

    def advance(self, rows: int) -> None:
        """Note that rows were replayed here.

        Raises:
            _ElsewhereError: it pays to begin the workload anew in other processes.
        """
        self._done += rows
        self._tell()
        self._go_elsewhere_if_that_pays()

    def ended(self, workload: Workload, models: Sequence[CostModel]) -> None:
        """Note that a part was done elsewhere."""
        self._text = _text(workload, models)
        self._ended += _rows((workload, models))
        self._done = self._total - sum(map(_rows, self.left)) + self._ended
        self._tell()

    def _tell(self) -> None:
        if self._progress:
            self._progress(self._text, min(self._done, self._total), self._total)

    def _go_elsewhere_if_that_pays(self) -> None:
        if self._where is None:
            return
        tasks = sum(len(models) for _, models in self.left)
        now = time.perf_counter()
        seconds, busy = now - self._begin, time.process_time() - self._busy
        left = self._total - self._done
        if self._where.pays(seconds, busy, left / self._done if self._done else 0.0, tasks, lost=now - self._began):
            raise _ElsewhereError


def _text(workload: Workload, models: Sequence[CostModel]) -> str:
    return f"{workload.name} under {', '.join(model.name for model in models)}"
