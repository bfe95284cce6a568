"""A cost model as tables for the kernel: what each mechanism's actions lead to, all the way down the chain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from simulator.engine.compiled import layout as at
from simulator.engine.one_pass import BeyondEngineError
from simulator.events import BY_CODE, COMPUTE_KINDS, KERNEL_COMPUTE, USER_COMPUTE
from simulator.mechanisms.adaptive_translation import (
    RETRANSLATE,
    AdaptiveTranslation,
    AdaptiveTranslationParameters,
)
from simulator.mechanisms.base import Mechanism, StatelessMechanism
from simulator.mechanisms.nested_paging import NestedPaging, NestedPagingParameters
from simulator.mechanisms.shadow_paging import ShadowPaging, ShadowPagingParameters
from simulator.mechanisms.tlb import Tlb, TlbParameters
from simulator.mechanisms.translation_cache import TranslationCache, TranslationCacheParameters
from simulator.model import Pricing
from simulator.stream import Array

_MOST_TLB_ENTRIES = 2**20
_MOST_TICKS = 2**50

_NAMED: tuple[tuple[type[Mechanism], int, str], ...] = (
    (ShadowPaging, at.TRUE_FAULT, "true_fault"),
    (ShadowPaging, at.HIDDEN_FAULT, "hidden_fault"),
    (ShadowPaging, at.SWITCH_SPACE, "switch_space"),
    (ShadowPaging, at.BUILD_ROOT, "build_shadow_root"),
    (ShadowPaging, at.RELOAD_ROOT, "reload_shadow_root"),
    (ShadowPaging, at.FREE_ROOT, "free_shadow_root"),
    (ShadowPaging, at.VALIDATE_ENTRY, "validate_shadow_entry"),
    (ShadowPaging, at.RESYNC_ENTRY, "resync_shadow_entry"),
    (ShadowPaging, at.DROP_TRACE, "drop_trace"),
    (ShadowPaging, at.SET_ONLY, "traced_pte_set_only"),
    (ShadowPaging, at.MODIFY, "pte_modify"),
    (ShadowPaging, at.CLEAR, "pte_clear"),
    (ShadowPaging, at.SET, "pte_set"),
    (ShadowPaging, at.TRACED_MODIFY, "traced_pte_modify"),
    (ShadowPaging, at.TRACED_CLEAR, "traced_pte_clear"),
    (ShadowPaging, at.TRACED_SET, "traced_pte_set"),
    (NestedPaging, at.NESTED_VIOLATION, "nested_violation"),
    (TranslationCache, at.TRANSLATE, "translate_instruction"),
    (TranslationCache, at.CHAIN_UNIT, "chain_unit"),
    (TranslationCache, at.FLUSH_CACHE, "flush_translation_cache"),
    (Tlb, at.PAGE_WALK, "page_walk"),
    (AdaptiveTranslation, at.RETRANSLATE, RETRANSLATE),
)
_FLAGS = {ShadowPaging: at.SHADOWED, NestedPaging: at.NESTED, TranslationCache: at.CACHED, Tlb: at.LOOKED_UP}


class NotCompiledError(BeyondEngineError):
    """The kernel does not know a mechanism of the model, or a way in which two of them meet; the message says which."""


class TooLargeError(BeyondEngineError):
    """Numbers may not fit the kernel's 64 bits, or its memory; the message says which."""


@dataclass(slots=True)
class _Effects:
    """What actions lead to: those that leave the chain, whether the TLB is emptied, and what is adapted."""

    leaving: Counter[str] = field(default_factory=Counter)
    empties: bool = False
    adapted: list[tuple[int, bool, int]] = field(default_factory=list)  # form, whether innocent, how often


@dataclass(frozen=True, slots=True)
class Program:
    """The tables of one model.

    ``parameters`` are those of the header. ``leaving`` has, for each output, the actions that leave the chain and their
    number; ``always`` has, for each kind, those that an event takes in any state. ``most`` bounds how often one event
    takes an output, ``worst`` its ticks, but for entries that an earlier one left stale, and for the instructions of a
    piece of code, each of which counts like an event.
    """

    parameters: Mapping[int, int]
    kinds: Array
    outputs: Array
    forms: Array
    leaving: tuple[Mapping[str, int], ...]
    always: Mapping[int, Mapping[str, int]]
    backed_pages: int
    most: int
    worst: int

    @property
    def counted(self) -> tuple[int, int]:
        """The shape of the counts of one virtual CPU: event kinds, outputs."""
        return len(self.kinds), len(self.outputs)


class Compiler:
    """Turns the chain of a model into a program.

    Raises:
        NotCompiledError: the kernel cannot do what the model asks for.
    """

    def __init__(self, pricing: Pricing) -> None:
        self._pricing = pricing
        self._mechanisms = pricing.chain.mechanisms
        self._parameters = pricing.model.mechanisms
        self._outputs: list[_Effects] = [_Effects() for _ in range(at.NAMED_OUTPUTS)]
        self._forms: dict[str, int] = {}
        self._innocent: dict[str, int] = {}
        for mechanism in self._mechanisms:
            if not isinstance(mechanism, StatelessMechanism) and type(mechanism) not in {kind for kind, _, _ in _NAMED}:
                raise NotCompiledError(f"the mechanism '{mechanism.name}' has no compiled form")

    def program(self) -> Program:
        """Return the tables."""
        forms = self._list_forms()
        for position, mechanism in enumerate(self._mechanisms):
            for kind, output, action in _NAMED:
                if isinstance(mechanism, kind):
                    self._outputs[output] = self._effects(position, {action: 1})
        always = {kind: self._always(kind) for kind in sorted(self._pricing.chain.reads() - COMPUTE_KINDS)}
        outputs = np.array([self._output_row(effects) for effects in self._outputs], dtype=np.int64)
        parameters = self._header()
        most = int(outputs[:, at.TIMES].max()) * (1 + parameters[at.PREVALIDATED])
        always_ticks = max((self._ticks(effects) for effects in always.values()), default=0)
        return Program(
            parameters,
            self._kinds(always),
            outputs,
            forms,
            tuple(effects.leaving for effects in self._outputs),
            {kind: effects.leaving for kind, effects in always.items()},
            self._nested().backed_pages,
            most,
            most * int(outputs[:, at.PRICE].sum()) + always_ticks,
        )

    def _effects(self, position: int, actions: Mapping[str, int]) -> _Effects:
        """Follow actions that the mechanism at a position takes together down the chain."""
        effects = _Effects()
        for action, n in actions.items():
            self._follow(position, action, n, effects)
        if len(effects.adapted) > 1:
            raise NotCompiledError(f"the actions {', '.join(actions)} are adapted in more than one way at once")
        return effects

    def _follow(self, position: int, action: str, n: int, effects: _Effects) -> None:
        answerers, watchers = self._pricing.chain.hearers(position, action)
        if not answerers:
            effects.leaving[action] += n
        for i, mechanism in answerers or watchers:
            if isinstance(mechanism, StatelessMechanism):
                for taken, each in mechanism.recipe(action).items():
                    self._follow(i, taken, n * each, effects)
            elif isinstance(mechanism, Tlb):
                effects.empties = True
            elif isinstance(mechanism, AdaptiveTranslation):
                innocent = action not in self._forms
                form = self._innocent[action] if innocent else self._forms[action]
                effects.adapted.append((form, innocent, n))
            else:
                raise NotCompiledError(f"'{mechanism.name}' hears of '{action}', which has no compiled form")

    def _list_forms(self) -> Array:
        """Enter the outputs of each operation that adapts; return the table of forms."""
        found = [(i, m) for i, m in enumerate(self._mechanisms) if isinstance(m, AdaptiveTranslation)]
        rows: list[list[int]] = []
        for position, _ in found:
            for name, form in self._adaptive().operations.items():
                self._forms[name] = len(rows)
                if form.innocent:
                    self._innocent[form.innocent] = len(rows)
                recipes = (
                    form.trapping,
                    form.adapted,
                    {form.innocent: 1} if form.innocent else {},
                    form.adapted_innocent,
                )
                rows.append([self._entered(position, recipe) for recipe in recipes])
        return np.array(rows or [[at.NONE] * at.FORM_COLUMNS], dtype=np.int64)

    def _entered(self, position: int, recipe: Mapping[str, int]) -> int:
        """Enter an output; return its number, NONE for one without actions."""
        if not recipe:
            return at.NONE
        effects = self._effects(position, recipe)
        if effects.adapted:
            raise NotCompiledError(f"what adapts is adapted again: {', '.join(recipe)}")
        self._outputs.append(effects)
        return len(self._outputs) - 1

    def _always(self, kind: int) -> _Effects:
        """Return what an event of a kind leads to by mechanisms without state."""
        name, effects = BY_CODE[kind].name, _Effects()
        for position, mechanism in enumerate(self._mechanisms):
            if isinstance(mechanism, StatelessMechanism) and kind in mechanism.reads():
                part = self._effects(position, mechanism.recipe(name))
                effects.leaving.update(part.leaving)
                effects.empties |= part.empties
                if part.adapted:
                    raise NotCompiledError(f"'{name}' is adapted by way of '{mechanism.name}'")
        return effects

    def _ticks(self, effects: _Effects) -> int:
        ticks = sum(n * self._pricing.ticks[action] for action, n in effects.leaving.items())
        if ticks >= _MOST_TICKS:
            raise NotCompiledError(f"{', '.join(effects.leaving)} cost {ticks:,} ticks, too many for 64 bits")
        return ticks

    def _output_row(self, effects: _Effects) -> list[int]:
        form, innocent, times = effects.adapted[0] if effects.adapted else (at.NONE, False, 1)
        row = [0] * at.OUTPUT_COLUMNS
        row[at.PRICE], row[at.EMPTIES] = self._ticks(effects), int(effects.empties)
        row[at.FORM], row[at.INNOCENT], row[at.TIMES] = form, int(innocent), times
        return row

    def _kinds(self, always: Mapping[int, _Effects]) -> Array:
        table = np.zeros((max(BY_CODE) + 1, at.KIND_COLUMNS), dtype=np.int64)
        table[:, at.FORM_OF_KIND] = at.NONE
        for kind, effects in always.items():
            row = table[kind]
            row[at.KIND_PRICE], row[at.KIND_EMPTIES] = self._ticks(effects), effects.empties
            row[at.ASKED] = bool(self._pricing.unfold(kind)[1])
            for mechanism in self._mechanisms:
                if kind in mechanism.reads() and type(mechanism) in _FLAGS:
                    row[_FLAGS[type(mechanism)]] = 1
                elif kind in mechanism.reads() and isinstance(mechanism, AdaptiveTranslation):
                    row[at.FORM_OF_KIND] = self._forms[BY_CODE[kind].name]
        return table

    def _rate(self, kind: int) -> int:
        """Return what a nanosecond of computation costs in ticks; 0 where the model has no recipe for it."""
        return (self._pricing.price(kind) or 0) if kind in self._pricing.chain.reads() else 0

    def _adaptive(self) -> AdaptiveTranslationParameters:
        parameters = self._parameters["adaptive_translation"]
        assert isinstance(parameters, AdaptiveTranslationParameters)
        return parameters

    def _nested(self) -> NestedPagingParameters:
        parameters = self._parameters.get("nested_paging", NestedPagingParameters())
        assert isinstance(parameters, NestedPagingParameters)
        return parameters

    def _header(self) -> dict[int, int]:
        """Return the parameters of all mechanisms; of those that the model lacks, any."""
        shadow = self._parameters.get("shadow_paging", ShadowPagingParameters())
        tlb = self._parameters.get("tlb", TlbParameters(entries=1, emptied_by=[]))
        cache = self._parameters.get("translation_cache", TranslationCacheParameters())
        assert isinstance(shadow, ShadowPagingParameters)
        assert isinstance(tlb, TlbParameters)
        assert isinstance(cache, TranslationCacheParameters)
        if tlb.entries > _MOST_TLB_ENTRIES:
            raise NotCompiledError(f"a TLB of {tlb.entries:,} entries has no compiled form")
        values = {
            at.USER_RATE: self._rate(USER_COMPUTE),
            at.KERNEL_RATE: self._rate(KERNEL_COMPUTE),
            at.TRACED_COHERENCY: shadow.coherency == "trace",
            at.EAGER_INSTALL: shadow.eager_install,
            at.CACHED_ROOTS: shadow.cached_roots,
            at.PREVALIDATED: shadow.prevalidated,
            at.RECYCLED_TABLES: shadow.recycled_tables,
            at.ENTRIES_PER_TABLE: shadow.entries_per_table,
            at.TABLE_SHIFT: _shift(shadow.entries_per_table),
            at.PAGES_PER_VIOLATION: self._nested().pages_per_violation,
            at.CAPACITY: cache.capacity,
            at.UNIT: cache.unit,
            at.TLB_ENTRIES: tlb.entries,
            at.TLB_TAGGED: tlb.tagged,
            at.TLB_BUCKETS: 1 << (8 * tlb.entries - 1).bit_length(),  # most are empty, which is soon seen
        }
        if "adaptive_translation" in self._parameters:
            values |= {
                at.GUILTY_AFTER: self._adaptive().guilty_after,
                at.INNOCENT_AFTER: self._adaptive().innocent_after,
            }
        if max(values.values()) >= _MOST_TICKS:
            raise NotCompiledError("a parameter is too large for 64 bits")
        return {name: int(value) for name, value in values.items()}


def _shift(number: int) -> int:
    """Return the power of two that a number is; NONE if it is none. Shifting takes less time than dividing."""
    return number.bit_length() - 1 if number.bit_count() == 1 else at.NONE
