"""The hybrid VMM: it runs a guest by binary translation or on virtualization hardware, whichever suits what it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulator.errors import did_you_mean
from simulator.events import BY_CODE, BY_NAME
from simulator.mechanisms.adaptive_translation import AdaptiveTranslation, AdaptiveTranslationParameters
from simulator.mechanisms.base import ActionName, Emit, Event, Mechanism, Parameters
from simulator.mechanisms.binary_translation import BinaryTranslation, BinaryTranslationParameters
from simulator.mechanisms.chain import Chain
from simulator.mechanisms.direct_execution import DirectExecution, DirectExecutionParameters
from simulator.mechanisms.translation_cache import TranslationCache, TranslationCacheParameters
from simulator.mechanisms.vm_exits import VmExits, VmExitsParameters

Technique = Literal["software", "hardware"]
CHANGE = "change_technique"
_NEW_CODE = BY_NAME["new_code"].code


class SoftwareTechnique(Parameters):
    """Execution by binary translation: the parameters of its mechanisms."""

    binary_translation: BinaryTranslationParameters
    adaptive_translation: AdaptiveTranslationParameters | None = None
    translation_cache: TranslationCacheParameters | None = None

    def chain(self) -> Chain:
        """Build the mechanisms."""
        parts: list[Mechanism] = [BinaryTranslation(self.binary_translation)]
        if self.adaptive_translation:
            parts.append(AdaptiveTranslation(self.adaptive_translation))
        if self.translation_cache:
            parts.append(TranslationCache(self.translation_cache))
        return Chain(parts)


class HardwareTechnique(Parameters):
    """Execution in guest mode: the parameters of its mechanisms."""

    vm_exits: VmExitsParameters
    direct_execution: DirectExecutionParameters | None = None

    def chain(self) -> Chain:
        """Build the mechanisms."""
        parts: list[Mechanism] = [VmExits(self.vm_exits)]
        if self.direct_execution:
            parts.append(DirectExecution(self.direct_execution))
        return Chain(parts)


class HybridParameters(Parameters):
    """The two techniques, and when to change between them.

    ``hardware_dearer_by``: for event kinds and actions, the cycles by which the hardware's way is dearer than the
    software's (negative: cheaper), as the VMM believes; what is not listed does not count. ``window``: how many of
    these it watches before it looks at the balance. ``change_after``: the cycles that the present technique must have
    lost, since it was last the better one, for the VMM to change.
    """

    software: SoftwareTechnique
    hardware: HardwareTechnique
    hardware_dearer_by: Annotated[dict[ActionName, int], Field(min_length=1)]
    window: Annotated[int, Field(ge=1)] = 1000
    change_after: Annotated[int, Field(ge=1)] = 1_000_000
    start: Technique = "hardware"

    @model_validator(mode="after")
    def _names_are_served(self) -> HybridParameters:
        chains = (self.software.chain(), self.hardware.chain())
        kinds = {BY_CODE[kind].name for chain in chains for kind in chain.reads()}
        known = kinds.union(*(chain.answers() for chain in chains))
        for name in self.hardware_dearer_by:
            if name not in known:
                raise ValueError(f"neither technique serves '{name}', in hardware_dearer_by{did_you_mean(name, known)}")
        return self


class Hybrid(Mechanism):
    """A VMM that changes its execution technique with the guest's behaviour (Adams & Agesen 2006, section 7.3).

    Reads and answers: what its two techniques do. State: the technique; the balance of the present window; the present
    technique's loss, summed over windows and never below zero; new code that ran on hardware and has no translation
    yet; the state of both techniques, which keep their translations. Emits: the actions of the present technique, and
    ``change_technique``.

    A window's loss is what the present technique cost beyond the other, by ``hardware_dearer_by``. So, in the VMM's own
    terms, n changes cost at most n + 1 times (``change_after`` and the loss of one window) beyond the better of
    the two, and n changes themselves. No VMM that decides on the past alone can promise never to do worse than the
    worse one and still change at all: what it prepared for may end the moment after it has paid for the change.
    """

    name = "hybrid"
    schema = HybridParameters
    looks_at = AdaptiveTranslation.looks_at | TranslationCache.looks_at

    def __init__(self, parameters: HybridParameters) -> None:
        self._parameters = parameters
        self._techniques: dict[Technique, Chain] = {
            "software": parameters.software.chain(),
            "hardware": parameters.hardware.chain(),
        }
        self._technique: Technique = parameters.start
        self._watched = self._balance = self._loss = self._untranslated = 0

    def reads(self) -> frozenset[int]:
        """Return the kinds that either technique serves."""
        return frozenset().union(*(chain.reads() for chain in self._techniques.values()))

    def answers(self) -> frozenset[str]:
        """Return the actions that either technique answers."""
        return frozenset().union(*(chain.answers() for chain in self._techniques.values()))

    def emits(self) -> frozenset[str]:
        """Return the actions that leave either technique, those that only one answers, and ``change_technique``."""
        leaving = (action for chain in self._techniques.values() for _, action in chain.leaving())
        software, hardware = (chain.answers() for chain in self._techniques.values())
        return frozenset({CHANGE, *leaving}) | (software ^ hardware)

    def serve(self, event: Event, emit: Emit) -> None:
        """Serve events by the present technique, which may change in the middle of a row."""
        for n in self._parts(BY_CODE[event.kind].name, event.count):
            chain = self._techniques[self._technique]
            if event.kind in chain.reads():
                chain.serve(replace(event, count=n), emit)
            if event.kind == _NEW_CODE and self._technique == "hardware":
                self._untranslated += n
            if self._watch(BY_CODE[event.kind].name, n):
                self._change(event, emit)

    def answer(self, action: str, n: int, event: Event, emit: Emit) -> None:
        """Carry actions out by the present technique; one that it has no part in keeps its own price."""
        for part in self._parts(action, n):
            chain = self._techniques[self._technique]
            if action in chain.answers():
                chain.answer(action, part, event, emit)
            else:
                emit(action, part)
            if self._watch(action, part):
                self._change(event, emit)

    def _change(self, event: Event, emit: Emit) -> None:
        """Take the other technique; what ran for the first time on hardware now has to be translated."""
        self._technique = "software" if self._technique == "hardware" else "hardware"
        emit(CHANGE, 1)
        software = self._techniques["software"]
        if self._technique == "software" and self._untranslated and _NEW_CODE in software.reads():
            software.serve(replace(event, kind=_NEW_CODE, count=self._untranslated), emit)
            self._untranslated = 0

    def _loss_of(self, name: str) -> int:
        """Return by how much the present technique is dearer than the other, for one event or action that counts."""
        dearer = self._parameters.hardware_dearer_by[name]
        return dearer if self._technique == "hardware" else -dearer

    def _parts(self, name: str, n: int) -> Iterator[int]:
        """Cut events alike in a row where the technique may change: at the ends of windows that add up to too much."""
        if name not in self._parameters.hardware_dearer_by:
            yield n
            return
        while n:
            part, loss = n, self._loss_of(name)
            if self._watched:
                part = min(n, self._parameters.window - self._watched)
            elif loss > 0:
                missing = self._parameters.change_after - self._loss
                part = min(n, -(-missing // (loss * self._parameters.window)) * self._parameters.window)
            yield part
            n -= part

    def _watch(self, name: str, n: int) -> bool:
        """Add to the balance; at the end of a window, tell whether the other technique has been better for long."""
        if name not in self._parameters.hardware_dearer_by:
            return False
        window, each = self._parameters.window, self._loss_of(name)
        first = min(n, window - self._watched)
        self._watched += first
        self._balance += first * each
        if self._watched < window:
            return False
        windows, self._watched = divmod(n - first, window)
        self._loss = max(max(self._loss + self._balance, 0) + windows * window * each, 0)
        self._balance = self._watched * each
        if self._loss < self._parameters.change_after:
            return False
        self._loss, self._balance = 0, -self._balance
        return True
