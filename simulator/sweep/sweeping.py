"""Carries a sweep out: replays what is not in the store, prices the rest again, and puts together the result."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from simulator.engine.base import Outcome
from simulator.errors import InputError, RunError, SimulatorError
from simulator.executors import Where, carried_out
from simulator.jobs import Job, carry_out, carry_out_traced
from simulator.replaying import Progress
from simulator.result import Figures, Replayed, Result, TotalsRow
from simulator.run import Run, breakdown_rows, metadata, notes_on, recording_hashes
from simulator.spec.build import Experiment
from simulator.spec.sweep import SweepSpec
from simulator.sweep.outcomes import Outcomes
from simulator.sweep.plan import Cell, Planned, Planner, Point
from simulator.sweep.retiming import Retimed, groups
from simulator.sweep.store import Store
from simulator.units import Clock

ENGINE = "fast"
MOST_DETAILED = 2000
"""Outcomes of which breakdown.csv and the counts in result.json are written unless asked for: some 10 MB."""

Failed = Callable[[Point, SimulatorError], None]
"""Called as soon as a point has failed."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a sweep is carried out; the result hangs on none but ``details``.

    ``details``: whether the breakdown and the counts of each point are kept; None: unless there are very many.
    """

    where: Where = field(default_factory=Where)
    fail_fast: bool = False
    details: bool | None = None


@dataclass(frozen=True, slots=True)
class Swept:
    """A sweep that is done. ``stored`` is how many of its replays were in the store already."""

    result: Result
    failed: Sequence[tuple[Point, SimulatorError]]
    stored: int


def sweep_experiment(
    experiment: Experiment,
    sweep: SweepSpec,
    store: Store,
    options: Options | None = None,
    *,
    progress: Progress | None = None,
    failed: Failed | None = None,
) -> Swept:
    """Carry out a sweep.

    Raises:
        InputError: the sweep does not fit the experiment, or every point of it is wrong.
        SimulatorError: every point failed; or one did, and ``fail_fast`` is set.
    """
    options = options or Options()
    sweeping = _Sweeping(store, options, progress, failed)
    planner = Planner(experiment, sweep, ENGINE)
    with _no_collecting():
        planned = [sweeping.checked(each) for each in _planned(planner, progress)]
    outcomes = Outcomes(store, sweeping.retimed(planned))
    stored = sweeping.replay(planned, outcomes)
    good = [each for each in planned if each.point.number not in sweeping.errors]
    if not good:
        raise _all_failed(list(sweeping.errors.values()))
    points = {each.point.number: each.point for each in planned}
    failures = [(points[number], error) for number, error in sorted(sweeping.errors.items())]
    cells = [cell for each in good for cell in each.cells]
    detailed = len(cells) <= MOST_DETAILED if options.details is None else options.details
    account = {
        "over": {path: list(values) for path, values in sweep.over.items()},
        "combine": sweep.combine,
        "outcomes": _account(cells, outcomes),
        "points": [
            {
                "point": each.point.name,
                "coordinates": each.point.coordinates,
                **({"variant": each.variant} if detailed else {}),
            }
            for each in good
        ],
        "variants": planner.variants() if detailed else [],
        "failed": [{"point": point.name, "error": str(error)} for point, error in failures],
    }
    with _no_collecting():
        return Swept(_result(experiment, account, cells, outcomes, detailed), failures, stored)


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Look for no cycles of garbage where hundreds of thousands of objects are made and kept: there are none."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _planned(planner: Planner, progress: Progress | None) -> Iterator[Planned]:
    for number, planned in enumerate(planner.points(), 1):
        if progress:
            progress(f"point {number:,}: what it needs", 0, 0)
        yield planned


def _all_failed(errors: Sequence[SimulatorError]) -> SimulatorError:
    kind = InputError if all(isinstance(error, InputError) for error in errors) else RunError
    return kind(f"all {len(errors)} points of the sweep failed; the first: {errors[0]}")


class _Sweeping:
    """The replays of one sweep, and the points that failed, by number."""

    def __init__(self, store: Store, options: Options, progress: Progress | None, failed: Failed | None) -> None:
        self.errors: dict[int, SimulatorError] = {}
        self._store = store
        self._options = options
        self._progress = progress
        self._failed = failed
        self._new: set[str] = set()  # keys of what was replayed just now

    def checked(self, planned: Planned) -> Planned:
        """Take notice of a point that is wrong."""
        if planned.error is not None:
            self._fail(planned.point, planned.error)
        return planned

    def _fail(self, point: Point, error: SimulatorError) -> None:
        if point.number in self.errors:
            return
        self.errors[point.number] = error
        if self._failed:
            self._failed(point, error)
        if self._options.fail_fast:
            raise error

    def retimed(self, planned: Sequence[Planned]) -> dict[str, Retimed]:
        """Trace the first of each group of cells that differ in prices alone; return what follows, by key."""
        wanted = list(groups([cell for each in planned for cell in each.cells]))
        missing = [group for group in wanted if self._store.get_traced(group.key) is None]
        jobs = _Jobs([group.base for group in missing])
        for done, (index, future) in enumerate(carried_out(carry_out_traced, jobs, self._options.where), 1):
            error, group = future.exception(), missing[index]
            if self._progress:
                self._progress(f"who waits for whom: {done:,} of {len(missing):,}", done, len(missing))
            if error is None:
                outcome, graph = future.result()
                replayed = _replayed(group.base, outcome)
                if self._store.get(group.base.key) is None:
                    self._new.add(group.base.key)
                    self._store.put(group.base.key, replayed)
                self._store.put_traced(group.key, replayed, graph)
            elif not isinstance(error, SimulatorError):  # one of those is told when the cell is replayed
                raise error
        found: dict[str, Retimed] = {}
        for group in wanted:
            base, graph = self._store.get_traced(group.key) or (None, None)
            if base is not None and graph is not None:
                found |= dict.fromkeys((along := Retimed.of(group, base, graph)).rows, along)
        return found

    def replay(self, planned: Sequence[Planned], outcomes: Outcomes) -> int:
        """Replay what is neither in the store nor follows from a graph of waits; return how many replays were there."""
        cells: dict[str, list[Cell]] = {}
        for cell in (cell for each in planned for cell in each.cells):
            if outcomes.is_replayed(cell):
                cells.setdefault(cell.key, []).append(cell)
        needed = [key for key in cells if self._store.get(key) is None]
        stored = len(cells) - len(needed) - len(self._new)
        jobs = _Jobs([cells[key][0] for key in needed])
        self._tell(stored, len(cells))
        for done, (index, future) in enumerate(carried_out(carry_out, jobs, self._options.where), 1):
            key = needed[index]
            error = future.exception()
            if error is None:
                self._store.put(key, _replayed(cells[key][0], *future.result()))
            elif isinstance(error, SimulatorError):
                for cell in cells[key]:
                    self._fail(cell.point, error)
            else:
                raise error
            self._tell(stored + done, len(cells))
        return stored

    def _tell(self, done: int, total: int) -> None:
        if self._progress:
            failed = f", {len(self.errors)} points failed" if self.errors else ""
            self._progress(f"{done:,} of {total:,} replays{failed}", done, total)


class _Jobs(Sequence[Job]):
    """Jobs that are made when they are handed out; the recording of a workload is hashed once."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._cells = cells
        self._first: dict[int, Job] = {}

    def __len__(self) -> int:
        return len(self._cells)

    def __getitem__(self, index: Any) -> Any:
        cell = self._cells[index]
        workload, models = cell.workload, (cell.priced.model,)
        if id(workload) not in self._first:  # the cells keep it
            self._first[id(workload)] = Job.of(workload, models, ENGINE)
        return replace(self._first[id(workload)], models=models)


def _replayed(cell: Cell, outcome: Outcome) -> Replayed:
    model = cell.priced.model
    return replace(Run(cell.workload, model, outcome, ()).replayed, ticks=cell.priced.ticks)


def _result(
    experiment: Experiment, account: Mapping[str, Any], cells: Sequence[Cell], outcomes: Outcomes, detailed: bool
) -> Result:
    runs = list(outcomes.runs(cells)) if detailed else []
    left_out = () if detailed else (f"the breakdown of {len(cells):,} outcomes is left out: --breakdown writes it",)
    return Result(
        title=experiment.spec.title,
        description=experiment.spec.description,
        baseline=experiment.spec.baseline,
        plots=(),
        totals=tuple(_totals(cells, outcomes.figures(cells), experiment.spec.baseline)),
        breakdown=tuple(row for cell, run in runs for row in breakdown_rows(run, cell.point.name)),
        comparison=(),
        warnings=experiment.warnings,
        notes=(*notes_on(experiment), *left_out),
        remarks=(),
        sources={},
        replays=tuple(replace(run.replayed, point=cell.point.name) for cell, run in runs),
        metadata={
            **metadata(experiment, ENGINE, recording_hashes(experiment)),
            "sweep": account,
        },
    )


def _account(cells: Sequence[Cell], outcomes: Outcomes) -> dict[str, int]:
    """Return how each outcome came about."""
    number = Counter[str]()
    seen: dict[str, set[str]] = {}
    for cell in cells:
        digests = seen.setdefault(cell.key, set())
        if digests:
            number["unchanged" if cell.priced.digest in digests else "repriced"] += 1
        else:
            number["replayed" if outcomes.is_replayed(cell) else "retimed"] += 1
        digests.add(cell.priced.digest)
    return {how: number[how] for how in ("replayed", "repriced", "retimed", "unchanged")}


def _totals(cells: Sequence[Cell], figures: Sequence[Figures], baseline: str | None) -> Iterator[TotalsRow]:
    baselines: Mapping[tuple[int, str], tuple[int, Clock]] = {
        (cell.point.number, cell.workload.name): (each.makespan, cell.priced.unpriced.machine.clock)
        for cell, each in zip(cells, figures, strict=True)
        if cell.priced.unpriced.name == baseline
    }
    rows: dict[tuple[object, ...], TotalsRow] = {}
    for cell, each in zip(cells, figures, strict=True):
        model, workload = cell.priced.unpriced, cell.workload.name
        beside = baselines.get((cell.point.number, workload))
        same = workload, model.name, model.machine.name, model.machine.clock, each, beside
        if same not in rows:
            rows[same] = each.row(*same[:4], baseline=beside)
        yield rows[same].at(cell.point.name)
