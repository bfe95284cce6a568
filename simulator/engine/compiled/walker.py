"""Mechanisms with state by the compiled kernel: asked for single rows, and walking the steps of batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from simulator.engine.compiled import layout as at
from simulator.engine.compiled.kernel import asked_rows, keys_added, serve_rows, walk
from simulator.engine.compiled.program import Compiler, TooLargeError
from simulator.engine.compiled.state import counts, first_memory, grown, stale_entries
from simulator.engine.ledger import Prices
from simulator.errors import ModelError
from simulator.events import BY_CODE
from simulator.mechanisms import Event
from simulator.model import Pricing
from simulator.stream import COLUMN, Array, Batch, exact_sum

FITS_64_BITS = 2**62
COLUMNS_OF_KERNEL = ("kind", "count", "user_ns", "kernel_ns", "space", "page", "site", "size")
_HIGHEST = ("count", "space", "page", "site", "size")
_COMPUTED = (("user_ns", at.USER_RATE), ("kernel_ns", at.KERNEL_RATE))


class CompiledMechanisms:
    """The mechanisms of one replay, compiled; see ``stretch.Stretching``.

    Raises:
        NotCompiledError: the kernel cannot do what the model asks for.
    """

    def __init__(self, pricing: Pricing, vcpus: int) -> None:
        self._pricing = pricing
        self._program = Compiler(pricing).program()
        self.memory = first_memory(self._program, vcpus)
        self._events = 0

    def ask(self, event: Event) -> int:
        """Serve a row; return what it takes, in ticks."""
        highest = event.count + event.space + event.page + event.site
        self._check(event.count + max(event.size, 0), 0, highest)
        cells = (event.count, 0, 0, event.space, event.page, event.site, event.size)
        columns = (_one_row(event.kind, "int16"), *(_one_row(cell, "int64") for cell in cells))
        return self.walk(event.vcpu, columns, 1, 2, FITS_64_BITS)[1]

    def actions(self, vcpu: int, events: Counter[int]) -> Counter[tuple[int, str]]:
        """Return the actions of all rows that one virtual CPU asked for; ``events`` is how many it had of each kind."""
        actions: Counter[tuple[int, str]] = Counter()
        for kind, recipe in self._program.always.items():
            if self._program.kinds[kind, at.ASKED]:
                actions.update({(kind, action): n * events[kind] for action, n in recipe.items() if events[kind]})
        taken = counts(self.memory, self._program, vcpu)
        for kind, output in np.argwhere(taken).tolist():
            for action, n in self._program.leaving[output].items():
                actions[kind, action] += n * int(taken[kind, output])
        return actions

    def walker(self, batch: Batch, prices: Prices, vcpu: int, *, ahead: bool) -> CompiledWalker:  # noqa: ARG002
        """Return a walker of a batch, for a single virtual CPU; see ``stretch.Stretching``.

        Raises:
            TooLargeError: its ticks may not fit 64 bits.
        """
        self.check(batch)
        return CompiledWalker(self, batch, vcpu)

    def walk(self, vcpu: int, columns: tuple[Array, ...], step: int, stop: int, budget: int) -> tuple[int, int]:
        """Take steps; see ``stretch.Walker``."""
        total = 0
        while True:
            step, ticks, ended = walk(self.memory, vcpu, columns, step, stop, budget - total)
            total += ticks
            if ended == at.DONE:
                return int(step), int(total)
            self.recover(_event(columns, step >> 1, vcpu), ended)

    def walk_all(self, vcpu: int, columns: tuple[Array, ...]) -> int:
        """Take all steps of a batch, those that are asked one after the other; return their ticks."""
        rows = np.empty(len(columns[0]), dtype=np.int64)
        asked, total = asked_rows(self.memory, columns, rows)
        rows, number, ended = rows[:asked], 0, at.DONE
        while True:
            number, ticks, ended = serve_rows(self.memory, vcpu, columns, rows, number)
            total += ticks
            if ended == at.DONE:
                return int(total)
            self.recover(_event(columns, int(rows[number]), vcpu), ended)

    def recover(self, event: Event, ended: int) -> None:
        """Make room for a row, or say what is wrong with it."""
        if ended == at.GROW:
            entries, others = keys_added(self.memory, event.kind, event.count, event.page)
            try:
                self.memory = grown(self.memory, int(entries), int(others))
            except MemoryError:
                raise TooLargeError(f"no memory for {event.count:,} more pages") from None
        else:
            self._pricing.chain.serve(event, lambda _action, _n: None)
            raise ModelError(f"the kernel refuses a '{BY_CODE[event.kind].name}' of {event.size} instructions")

    def check(self, batch: Batch) -> None:
        """Raise TooLargeError unless 64 bits hold what a batch can take and lead to, after all that was before."""
        ticks = sum(batch.total(name) * self._program.parameters[rate] for name, rate in _COMPUTED)
        highest = sum(int(batch.columns[name].max(initial=0)) for name in _HIGHEST if name in batch.columns)
        self._check(batch.total("count") + self._instructions(batch), ticks, highest)

    def _check(self, events: int, ticks: int, highest: int) -> None:
        """Check events and instructions, the ticks of computation, and a bound on all numbers of places."""
        program = self._program
        stale = 0 if program.parameters[at.TRACED_COHERENCY] else stale_entries(self.memory)
        self._events += events
        ticks += (events + stale) * program.worst
        if max(highest, ticks, (self._events + stale) * program.most) >= FITS_64_BITS:
            raise TooLargeError(f"{events:,} events of up to {program.worst:,} ticks may not fit 64 bits")

    def _instructions(self, batch: Batch) -> int:
        """Return how many instructions the pieces of code of a batch have."""
        cached = self._program.kinds[:, at.CACHED] != 0
        if "size" not in batch.columns or not cached.any():
            return 0
        return exact_sum(np.maximum(batch.columns["size"][cached[batch.columns["kind"]]], 0))


class CompiledWalker:
    """Walks the steps of one batch; see ``stretch.Walker``."""

    def __init__(self, mechanisms: CompiledMechanisms, batch: Batch, vcpu: int) -> None:
        self._mechanisms = mechanisms
        self._columns = tuple(_column(batch, name) for name in COLUMNS_OF_KERNEL)
        self._vcpu = vcpu

    def walk(self, step: int, stop: int, budget: int | None) -> tuple[int, int]:
        """Take steps; see ``stretch.Walker``."""
        if budget is None and step == 0 and stop == 2 * len(self._columns[0]):
            return stop, self._mechanisms.walk_all(self._vcpu, self._columns)
        limit = FITS_64_BITS if budget is None else min(budget, FITS_64_BITS)
        return self._mechanisms.walk(self._vcpu, self._columns, step, stop, limit)


def _one_row(value: int, dtype: str) -> Array:
    return _read_only(np.array([value], dtype=dtype))


def _column(batch: Batch, name: str) -> Array:
    """Return a column for the kernel; one row stands for all where it is absent."""
    if name not in batch.columns:
        return _one_row(COLUMN[name].default, "int64")
    return _read_only(np.ascontiguousarray(batch.columns[name]).view())


def _read_only(column: Array) -> Array:
    """Let nobody write a column: it is of one type then, whoever made it, and the kernel is compiled once."""
    column.flags.writeable = False
    return column


def _event(columns: tuple[Array, ...], row: int, vcpu: int) -> Event:
    """Return a row as mechanisms see it."""
    return event_of([each[row] if len(each) > 1 else each[0] for each in columns], vcpu)


def event_of(row: Sequence[int], vcpu: int) -> Event:
    """Return the row that has these columns of the kernel, as mechanisms see it."""
    kind, count, _, _, space, page, site, size = map(int, row)
    return Event(kind, count, vcpu, -1, space, page, site, size, -1, -1)
