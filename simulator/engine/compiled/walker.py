"""Mechanisms with state by the compiled kernel: asked for single rows, and walking the steps of batches."""

from __future__ import annotations

from collections import Counter

import numpy as np

from simulator.engine.compiled import layout as at
from simulator.engine.compiled.kernel import keys_added, walk
from simulator.engine.compiled.program import Compiler
from simulator.engine.compiled.state import counts, first_memory, grown, stale_entries
from simulator.engine.ledger import Prices
from simulator.engine.one_pass import BeyondEngineError
from simulator.errors import ModelError
from simulator.events import BY_CODE
from simulator.mechanisms import Event
from simulator.model import Pricing
from simulator.stream import COLUMN, Array, Batch

_FITS_64_BITS = 2**62
_COLUMNS = ("kind", "count", "user_ns", "kernel_ns", "space", "page", "site", "size")
_ABSENT = {name: np.full(1, COLUMN[name].default, dtype=np.int64) for name in _COLUMNS}


class TooLargeError(BeyondEngineError):
    """The ticks of a batch may not fit 64 bits; the message says so."""


class CompiledMechanisms:
    """The mechanisms of one replay, compiled; see ``stretch.Stretching``.

    Raises:
        NotCompiledError: the kernel cannot do what the model asks for.
    """

    def __init__(self, pricing: Pricing, vcpus: int) -> None:
        self._pricing = pricing
        self._program = Compiler(pricing).program()
        self._memory = first_memory(self._program, vcpus)

    def ask(self, event: Event) -> int:
        """Serve a row; return what it takes, in ticks."""
        self._check(event.count)
        cells = (event.count, 0, 0, event.space, event.page, event.site, event.size)
        columns = (np.array([event.kind], dtype=np.int16), *(np.array([cell]) for cell in cells))
        return self.walk(event.vcpu, columns, 1, 2, _FITS_64_BITS, True)[1]

    def actions(self, vcpu: int, events: Counter[int]) -> Counter[tuple[int, str]]:
        """Return the actions of all rows that one virtual CPU asked for; ``events`` is how many it had of each kind."""
        actions: Counter[tuple[int, str]] = Counter()
        for kind, recipe in self._program.always.items():
            if self._program.kinds[kind, at.ASKED]:
                actions.update({(kind, action): n * events[kind] for action, n in recipe.items() if events[kind]})
        taken = counts(self._memory, self._program, vcpu)
        for kind, output in np.argwhere(taken).tolist():
            for action, n in self._program.leaving[output].items():
                actions[kind, action] += n * int(taken[kind, output])
        return actions

    def walker(self, batch: Batch, prices: Prices, vcpu: int, *, ahead: bool) -> CompiledWalker:  # noqa: ARG002 (has its own)
        """Return a walker of a batch.

        Raises:
            TooLargeError: its ticks may not fit 64 bits.
        """
        many = batch.columns.get("count")
        self._check(len(batch) if many is None else int(many.max(initial=0)) * len(batch), batch)
        return CompiledWalker(self, batch, vcpu, ahead=ahead)

    def walk(
        self, vcpu: int, columns: tuple[Array, ...], step: int, stop: int, budget: int, ahead: bool
    ) -> tuple[int, int]:
        """Take steps; see ``stretch.Walker``."""
        total = 0
        while True:
            step, ticks, ended = walk(self._memory, vcpu, columns, step, stop, budget - total, ahead)
            total += ticks
            if ended == at.DONE:
                return int(step), int(total)
            self._recover(ended, _event(columns, step >> 1, vcpu))

    def _recover(self, ended: int, event: Event) -> None:
        """Make room for a row, or say what is wrong with it."""
        if ended == at.GROW:
            more = int(keys_added(self._memory, event.kind, event.count, event.page))
            self._memory = grown(self._memory, more)
        else:
            self._pricing.chain.serve(event, lambda _action, _n: None)
            raise ModelError(f"the kernel refuses a '{BY_CODE[event.kind].name}' of {event.size} instructions")

    def _check(self, events: int, batch: Batch | None = None) -> None:
        """Raise TooLargeError unless 64 bits hold what so many events can take, with what was left stale before."""
        stale = 0 if self._program.parameters[at.TRACED_COHERENCY] else stale_entries(self._memory)
        ticks = (events + stale) * self._program.worst
        if batch is not None:
            for name, rate in (("user_ns", at.USER_RATE), ("kernel_ns", at.KERNEL_RATE)):
                if name in batch.columns:
                    ticks += int(batch.columns[name].max(initial=0)) * len(batch) * self._program.parameters[rate]
        if ticks >= _FITS_64_BITS:
            raise TooLargeError(f"{events:,} events of up to {self._program.worst:,} ticks may not fit 64 bits")


class CompiledWalker:
    """Walks the steps of one batch; see ``stretch.Walker``."""

    def __init__(self, mechanisms: CompiledMechanisms, batch: Batch, vcpu: int, *, ahead: bool) -> None:
        self._mechanisms = mechanisms
        self._columns = tuple(_column(batch, name) for name in _COLUMNS)
        self._vcpu = vcpu
        self._ahead = ahead

    def walk(self, step: int, stop: int, budget: int | None) -> tuple[int, int]:
        """Take steps; see ``stretch.Walker``."""
        limit = _FITS_64_BITS if budget is None else min(budget, _FITS_64_BITS)
        return self._mechanisms.walk(self._vcpu, self._columns, step, stop, limit, self._ahead)


def _column(batch: Batch, name: str) -> Array:
    """Return a column for the kernel; one row stands for all where it is absent."""
    if name not in batch.columns:
        return _ABSENT[name]
    return np.ascontiguousarray(batch.columns[name])


def _event(columns: tuple[Array, ...], row: int, vcpu: int) -> Event:
    kind, count, _, _, space, page, site, size = (int(each[row] if len(each) > 1 else each[0]) for each in columns)
    return Event(kind, count, vcpu, -1, space, page, site, size, -1, -1)
