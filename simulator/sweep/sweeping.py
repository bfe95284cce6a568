"""Carries a sweep out: replays what is not in the store, prices the rest again, and puts together the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from simulator.errors import InputError, RunError, SimulatorError
from simulator.executors import Where, carried_out
from simulator.jobs import Job, carry_out
from simulator.replaying import Progress
from simulator.reprice import Repricer, reprice
from simulator.result import Figures, Replayed, Result, figures_of
from simulator.run import Run, breakdown_rows, metadata, priced, recording_hashes
from simulator.spec.build import Experiment
from simulator.spec.sweep import SweepSpec
from simulator.sweep.plan import Cell, Planned, Planner, Point
from simulator.sweep.store import Store

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
    planned = [sweeping.checked(each) for each in _planned(experiment, sweep, progress)]
    stored = sweeping.replay(planned)
    good = [each for each in planned if each.point.number not in sweeping.errors]
    if not good:
        raise _all_failed(list(sweeping.errors.values()))
    points = {each.point.number: each.point for each in planned}
    failures = [(points[number], error) for number, error in sorted(sweeping.errors.items())]
    cells = [cell for each in good for cell in each.cells]
    account = {
        "over": {path: list(values) for path, values in sweep.over.items()},
        "combine": sweep.combine,
        "outcomes": _account(cells),
        "points": [{"point": each.point.name, "coordinates": each.point.coordinates} for each in good],
        "failed": [{"point": point.name, "error": str(error)} for point, error in failures],
    }
    return Swept(_result(experiment, account, cells, store, options.details), failures, stored)


def _planned(experiment: Experiment, sweep: SweepSpec, progress: Progress | None) -> Iterator[Planned]:
    for number, planned in enumerate(Planner(experiment, sweep, ENGINE).points(), 1):
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

    def replay(self, planned: Sequence[Planned]) -> int:
        """Replay what the store does not hold; return how many replays it held."""
        cells: dict[str, list[Cell]] = {}
        for cell in (cell for each in planned for cell in each.cells):
            cells.setdefault(cell.key, []).append(cell)
        needed = [key for key in cells if self._store.get(key) is None]
        stored = len(cells) - len(needed)
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
    """Jobs that are made when they are handed out."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._cells = cells

    def __len__(self) -> int:
        return len(self._cells)

    def __getitem__(self, index: Any) -> Any:
        cell = self._cells[index]
        return Job.of(cell.workload, [cell.priced.model], ENGINE)


def _replayed(cell: Cell, outcome: Any) -> Replayed:
    model = cell.priced.model
    return replace(Run(cell.workload, model, outcome, ()).replayed, ticks=cell.priced.ticks)


def _result(
    experiment: Experiment, account: Mapping[str, Any], cells: Sequence[Cell], store: Store, details: bool | None
) -> Result:
    detailed = len(cells) <= MOST_DETAILED if details is None else details
    runs = list(_details(cells, store)) if detailed else []
    left_out = () if detailed else (f"the breakdown of {len(cells):,} outcomes is left out: --breakdown writes it",)
    return Result(
        title=experiment.spec.title,
        description=experiment.spec.description,
        baseline=experiment.spec.baseline,
        plots=(),
        totals=tuple(_totals(cells, _figures(cells, store), experiment.spec.baseline)),
        breakdown=tuple(row for cell, run in runs for row in breakdown_rows(run, cell.point.name)),
        comparison=(),
        warnings=experiment.warnings,
        notes=left_out,
        remarks=(),
        sources={},
        replays=tuple(replace(run.replayed, point=cell.point.name) for cell, run in runs),
        metadata={
            **metadata(experiment, ENGINE, recording_hashes(experiment)),
            "sweep": account,
        },
    )


def _account(cells: Sequence[Cell]) -> dict[str, int]:
    """Return how many outcomes were replayed, how many priced again, and how many are as those of another point."""
    number = Counter[str]()
    seen: dict[str, set[str]] = {}
    for cell in cells:
        digests = seen.setdefault(cell.key, set())
        how = "unchanged" if cell.priced.digest in digests else "repriced" if digests else "replayed"
        number[how] += 1
        digests.add(cell.priced.digest)
    return {how: number[how] for how in ("replayed", "repriced", "unchanged")}


def _stored(store: Store, key: str) -> Replayed:
    found = store.get(key)
    if found is None:
        raise RunError(f"{store.folder}: a replay that was there is gone: does something clear it away? Start again")
    return found


def _figures(cells: Sequence[Cell], store: Store) -> list[Figures]:
    """Return what each cell comes to; cells that hang on one replay are priced at once."""
    by_key: dict[str, list[int]] = {}
    for index, cell in enumerate(cells):
        by_key.setdefault(cell.key, []).append(index)
    figures: dict[int, Figures] = {}
    for key, indices in by_key.items():
        replayed = _stored(store, key)
        of_replay = figures_of(replayed.outcome)
        if all(_is_as_replayed(cells[index], replayed) for index in indices):
            figures |= dict.fromkeys(indices, of_replay)
        else:
            figures |= zip(indices, _repriced(replayed, of_replay, [cells[index] for index in indices]), strict=True)
    return [figures[index] for index in range(len(cells))]


def _is_as_replayed(cell: Cell, replayed: Replayed) -> bool:
    return cell.priced.unpriced.machine.clock == replayed.clock and cell.priced.ticks == replayed.ticks


def _repriced(replayed: Replayed, of_replay: Figures, cells: Sequence[Cell]) -> Iterator[Figures]:
    repricer = Repricer.of(replayed)
    rows = [[cell.priced.ticks[action] for action in repricer.actions] for cell in cells]
    ticks = np.array(rows, dtype=object).reshape(len(cells), len(repricer.actions))
    busy = repricer.busy(ticks)
    for makespan, total in zip(busy.max(axis=1).tolist(), busy.astype(object).sum(axis=1).tolist(), strict=True):
        yield Figures(of_replay.events, makespan, total, 0, 0)


def _totals(cells: Sequence[Cell], figures: Sequence[Figures], baseline: str | None) -> Iterator[Any]:
    baselines: Mapping[tuple[int, str], Any] = {
        (cell.point.number, cell.workload.name): (each.makespan, cell.priced.unpriced.machine.clock)
        for cell, each in zip(cells, figures, strict=True)
        if cell.priced.unpriced.name == baseline
    }
    for cell, each in zip(cells, figures, strict=True):
        model, workload = cell.priced.unpriced, cell.workload.name
        beside = baselines.get((cell.point.number, workload))
        yield each.row(
            workload, model.name, model.machine.name, model.machine.clock, point=cell.point.name, baseline=beside
        )


def _details(cells: Sequence[Cell], store: Store) -> Iterator[tuple[Cell, Run]]:
    """Give each cell with its run, priced in full."""
    kept: dict[str, Replayed] = {}
    for cell in cells:
        if cell.key not in kept:
            kept[cell.key] = _stored(store, cell.key)
        replayed = kept[cell.key]
        model = cell.priced.model
        if not _is_as_replayed(cell, replayed):
            replayed = reprice(replayed, model.costs)
        yield cell, priced(cell.workload, model, replayed.outcome)
