"""Adaptive translation: an instruction that traps too often is translated again, to a form that calls out instead."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field, model_validator

from simulator.events import BY_CODE, BY_NAME
from simulator.mechanisms.base import ActionName, Changes, Emit, Event, Mechanism, Parameters, Recipe

RETRANSLATE = "retranslate_site"


class AdaptiveOperation(Parameters):
    """The forms of one guest operation: what it takes while it traps, and once it is adapted.

    ``innocent``: the action of the same instruction when it would not trap (a write to an untraced page table). An
    adapted site takes ``adapted_innocent`` and that action for it.
    """

    trapping: Recipe
    adapted: Recipe
    innocent: ActionName | None = None
    adapted_innocent: Annotated[dict[ActionName, Annotated[int, Field(ge=1)]], Field(default_factory=dict)]


class AdaptiveTranslationParameters(Parameters):
    """``operations``: by event kind, or action of another mechanism, the forms of each operation that adapts.

    ``guilty_after``: traps at one site until it is translated again. ``innocent_after``: executions in a row that did
    not need the adapted form until the site is translated back; 0: never. No thresholds are published.
    """

    operations: Annotated[dict[ActionName, AdaptiveOperation], Field(min_length=1)]
    guilty_after: Annotated[int, Field(ge=1)] = 2
    innocent_after: Annotated[int, Field(ge=0)] = 1000

    @model_validator(mode="after")
    def _innocent_actions_differ(self) -> AdaptiveTranslationParameters:
        named = [form.innocent for form in self.operations.values() if form.innocent]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"two operations have the same innocent action: {', '.join(twice)}")
        return self


@dataclass(slots=True)
class _Site:
    """What is known of one instruction: traps so far while it is not adapted, innocent executions since it is."""

    traps: int = 0
    adapted: bool = False
    innocent: int = 0


class AdaptiveTranslation(Mechanism):
    """Adaptation by code site.

    Reads and answers: the events and actions listed under ``operations``; answers their ``innocent`` actions too.
    State: for each site, whether it is adapted, and its traps or innocent executions so far; events without a site
    share one for each event kind. Emits: the listed recipes, and ``retranslate_site``.

    Of n guilty executions of one site, the first k = ``guilty_after`` trap, then it is translated again once, and the
    other n - k take the adapted form. It adapts quickly and goes back slowly, so that it does not swing.

    >>> forms = AdaptiveOperation(trapping={"trap": 1}, adapted={"callout": 1})
    >>> adaptive = AdaptiveTranslation(AdaptiveTranslationParameters(operations={"mmio_write": forms}, guilty_after=3))
    >>> event = Event(BY_NAME["mmio_write"].code, 10, 0, -1, -1, -1, 0x77, -1, -1, -1)
    >>> adaptive.serve(event, lambda action, n: print(action, n))
    trap 3
    retranslate_site 1
    callout 7
    """

    name = "adaptive_translation"
    schema = AdaptiveTranslationParameters
    looks_at = frozenset({"site"})

    def __init__(self, parameters: AdaptiveTranslationParameters) -> None:
        self._guilty_after = parameters.guilty_after
        self._innocent_after = parameters.innocent_after
        self._operations = parameters.operations
        self._innocent = {form.innocent: form for form in parameters.operations.values() if form.innocent}
        self._sites: dict[tuple[int, int], _Site] = {}

    def reads(self) -> frozenset[int]:
        """Return the codes of the event kinds among the operations."""
        return frozenset(BY_NAME[name].code for name in self._operations if name in BY_NAME)

    def answers(self) -> frozenset[str]:
        """Return the actions among the operations, and the innocent ones."""
        return frozenset(self._operations) - BY_NAME.keys() | self._innocent.keys()

    def emits(self) -> frozenset[str]:
        """Return the actions of all forms, the innocent ones, and ``retranslate_site``."""
        forms = self._operations.values()
        recipes = (recipe for form in forms for recipe in (form.trapping, form.adapted, form.adapted_innocent))
        return frozenset({RETRANSLATE, *self._innocent}).union(*recipes)

    def serve(self, event: Event, emit: Emit) -> None:
        """Execute an operation that an event kind stands for: always guilty."""
        self._execute_guilty(self._operations[BY_CODE[event.kind].name], event.count, event, emit)

    def answer(self, action: str, n: int, event: Event, emit: Emit) -> None:
        """Execute an operation ``n`` times: guilty, or innocent."""
        if action in self._operations:
            self._execute_guilty(self._operations[action], n, event, emit)
        else:
            self._execute_innocent(self._innocent[action], action, n, event, emit)

    def touches(self, event: Event) -> Iterator[tuple[Hashable, Changes]]:
        """Give the site; most rows leave it as they find it, adapted and guilty."""
        key = self._key(event)
        before = replace(self._sites.get(key, _Site()))
        yield key, lambda: self._sites.get(key, _Site()) != before

    @staticmethod
    def _key(event: Event) -> tuple[int, int]:
        return event.site, event.kind if event.site < 0 else -1

    def _site(self, event: Event) -> _Site:
        return self._sites.setdefault(self._key(event), _Site())

    def _execute_guilty(self, form: AdaptiveOperation, n: int, event: Event, emit: Emit) -> None:
        site = self._site(event)
        site.innocent = 0
        if not site.adapted:
            traps = min(n, self._guilty_after - site.traps)
            site.traps += traps
            _emit(form.trapping, traps, emit)
            n -= traps
            if site.traps == self._guilty_after:
                site.adapted, site.traps = True, 0
                emit(RETRANSLATE, 1)
        _emit(form.adapted, n, emit)

    def _execute_innocent(self, form: AdaptiveOperation, action: str, n: int, event: Event, emit: Emit) -> None:
        site = self._site(event)
        emit(action, n)
        if not site.adapted:
            return
        checked = min(n, self._innocent_after - site.innocent) if self._innocent_after else n
        site.innocent += checked
        _emit(form.adapted_innocent, checked, emit)
        if site.innocent == self._innocent_after:
            site.adapted, site.innocent = False, 0
            emit(RETRANSLATE, 1)


def _emit(recipe: Recipe, n: int, emit: Emit) -> None:
    for action, each in recipe.items():
        emit(action, each * n)
