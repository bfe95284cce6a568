"""What cells come to: as replayed, priced again, or timed anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from simulator.errors import RunError
from simulator.reprice import Repricer, reprice
from simulator.result import Figures, Replayed, figures_of
from simulator.run import Run, priced
from simulator.sweep.plan import Cell
from simulator.sweep.retiming import Retimed
from simulator.sweep.store import Store


class Outcomes:
    """The outcomes of cells whose replays are in a store, or follow from a graph of waits: ``retimed``, by key."""

    def __init__(self, store: Store, retimed: Mapping[str, Retimed]) -> None:
        self._store = store
        self._retimed = retimed

    def is_replayed(self, cell: Cell) -> bool:
        """Tell whether the outcome of a cell hangs on a replay in the store."""
        along = self._retimed.get(cell.key)
        return along is None or not along.rows[cell.key]

    def figures(self, cells: Sequence[Cell]) -> list[Figures]:
        """Return what each cell comes to; cells that hang on one replay are priced at once.

        Raises:
            RunError: a replay is gone from the store.
        """
        by_key: dict[str, list[int]] = {}
        for index, cell in enumerate(cells):
            by_key.setdefault(cell.key, []).append(index)
        figures: dict[int, Figures] = {}
        for key, indices in by_key.items():
            figures |= zip(indices, self._of_one_key(key, [cells[index] for index in indices]), strict=True)
        return [figures[index] for index in range(len(cells))]

    def _of_one_key(self, key: str, cells: Sequence[Cell]) -> Sequence[Figures]:
        if key in self._retimed:
            return [self._retimed[key].figures(cells[0])] * len(cells)
        replayed = self._stored(key)
        of_replay = figures_of(replayed.outcome)
        if all(_is_as_replayed(cell, replayed) for cell in cells):
            return [of_replay] * len(cells)
        return list(_repriced(replayed, of_replay, cells))

    def runs(self, cells: Sequence[Cell]) -> Iterator[tuple[Cell, Run]]:
        """Give each cell with its run, priced in full.

        Raises:
            RunError: a replay is gone from the store.
        """
        kept: dict[str, Replayed] = {}
        for cell in cells:
            if cell.key not in kept:
                along = self._retimed.get(cell.key)
                kept[cell.key] = along.replayed(cell) if along else self._stored(cell.key)
            replayed = kept[cell.key]
            model = cell.priced.model
            if not _is_as_replayed(cell, replayed):
                replayed = reprice(replayed, model.costs)
            yield cell, priced(cell.workload, model, replayed.outcome)

    def _stored(self, key: str) -> Replayed:
        found = self._store.get(key)
        if found is None:
            where = self._store.folder
            raise RunError(f"{where}: a replay that was there is gone: does something clear it away? Start again")
        return found


def _is_as_replayed(cell: Cell, replayed: Replayed) -> bool:
    return cell.priced.unpriced.machine.clock == replayed.clock and cell.priced.ticks == replayed.ticks


def _repriced(replayed: Replayed, of_replay: Figures, cells: Sequence[Cell]) -> Iterator[Figures]:
    repricer = Repricer.of(replayed)
    rows = [[cell.priced.ticks[action] for action in repricer.actions] for cell in cells]
    ticks = np.array(rows, dtype=object).reshape(len(cells), len(repricer.actions))
    busy = repricer.busy(ticks)
    for makespan, total in zip(busy.max(axis=1).tolist(), busy.astype(object).sum(axis=1).tolist(), strict=True):
        yield Figures(of_replay.events, makespan, total, 0, 0)
