"""The translation cache: kernel code is translated when it first runs, and again after the cache was flushed."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Annotated

from pydantic import Field

from simulator.errors import ModelError
from simulator.events import BY_NAME
from simulator.mechanisms.base import Emit, Event, Mechanism, Parameters

_KERNEL_CODE = BY_NAME["kernel_code"].code
_NEW_CODE = BY_NAME["new_code"].code


class TranslationCacheParameters(Parameters):
    """``capacity``: guest instructions whose translations it holds. ``unit``: instructions of one unit, at most."""

    capacity: Annotated[int, Field(ge=1)] = 1_000_000
    unit: Annotated[int, Field(ge=1)] = 12


class TranslationCache(Mechanism):
    """Translations of kernel code, made a translation unit at a time; user code runs directly and has none.

    Reads: ``kernel_code`` (a piece of code runs; pieces are told apart by ``site``), ``new_code`` (instructions that
    never ran before, one an event). State: the pieces whose translations the cache holds, and its fill; full, it is
    flushed whole, and everything that runs again is translated again. Emits: ``translate_instruction`` for each
    instruction, ``chain_unit`` for each unit (its first exit is looked up, then patched into a direct jump), and
    ``flush_translation_cache``. Code in the cache runs at the speed that its own events say.

    >>> cache = TranslationCache(TranslationCacheParameters(capacity=100))
    >>> event = Event(_KERNEL_CODE, 5, 0, -1, -1, -1, 0x400, 30, -1, -1)
    >>> for _ in range(2):
    ...     cache.serve(event, lambda action, n: print(action, n))
    translate_instruction 30
    chain_unit 3
    """

    name = "translation_cache"
    schema = TranslationCacheParameters
    looks_at = frozenset({"site", "size"})

    def __init__(self, parameters: TranslationCacheParameters) -> None:
        self._capacity = parameters.capacity
        self._unit = parameters.unit
        self._held: set[tuple[int, int]] = set()
        self._fill = 0

    def reads(self) -> frozenset[int]:
        """Return the kinds that tell which kernel code runs."""
        return frozenset({_KERNEL_CODE, _NEW_CODE})

    def emits(self) -> frozenset[str]:
        """Return the actions of the translator."""
        return frozenset({"translate_instruction", "chain_unit", "flush_translation_cache"})

    def serve(self, event: Event, emit: Emit) -> None:
        """Run code; translate what the cache does not hold.

        Raises:
            ModelError: a piece of code is larger than the cache, or has no size.
        """
        if event.kind == _NEW_CODE:
            self._translate(event.count, emit)
            self._fill_up(event.count, emit)
            return
        if not 0 < event.size <= self._capacity:
            raise ModelError(
                f"a piece of kernel code has {event.size} instructions: expected 1 to {self._capacity}, the capacity "
                "of the translation cache"
            )
        piece = (event.site, event.size)
        if piece in self._held:
            return
        self._translate(event.size, emit)
        if self._fill + event.size > self._capacity:
            self._flush(1, emit)
        self._fill += event.size
        self._held.add(piece)

    def touches(self, event: Event) -> Iterator[tuple[Hashable, bool]]:
        """Give the cache, which a piece of code that it holds does not change."""
        yield "cache", event.kind == _NEW_CODE or (event.site, event.size) not in self._held

    def _translate(self, instructions: int, emit: Emit) -> None:
        emit("translate_instruction", instructions)
        emit("chain_unit", -(-instructions // self._unit))

    def _fill_up(self, instructions: int, emit: Emit) -> None:
        """Take in code that comes an instruction at a time, however much it is."""
        flushes, last = divmod(self._fill + instructions - 1, self._capacity)
        if flushes:
            self._flush(flushes, emit)
        self._fill = last + 1

    def _flush(self, n: int, emit: Emit) -> None:
        emit("flush_translation_cache", n)
        self._held.clear()
        self._fill = 0
