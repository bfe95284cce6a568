"""Binary translation: user code runs directly, kernel code is translated, and its operations take one of four forms."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simulator.mechanisms.base import Parameters, Recipes, StatelessMechanism, add_recipes

_Form = Annotated[Recipes, Field(default_factory=dict)]


class BinaryTranslationParameters(Parameters):
    """Which form each guest operation takes, and the actions that it takes there.

    An operation is an event kind, or an action of another mechanism, such as a hidden fault. ``transitions``: crosses
    between directly executed user code and translated kernel code. ``in_tc``: is served by a sequence inside the
    translation cache. ``callout``: leaves the translation cache for the VMM's own code; a ``callout`` is added to the
    listed actions. ``trap``: faults into the VMM; a ``trap`` is added.
    """

    transitions: _Form
    in_tc: _Form
    callout: _Form
    trap: _Form


class BinaryTranslation(StatelessMechanism):
    """A software VMM's translated kernel code.

    Reads and answers: what is listed under its forms; what is under several takes them all. State: none; which code is
    translated is the matter of ``translation_cache``, what adapts that of ``adaptive_translation``. Emits: the listed
    actions, ``callout`` and ``trap``.
    """

    name = "binary_translation"
    schema = BinaryTranslationParameters

    def __init__(self, parameters: BinaryTranslationParameters) -> None:
        forms = (parameters.transitions, parameters.in_tc, parameters.callout, parameters.trap)
        callouts = {operation: {"callout": 1} for operation in parameters.callout}
        traps = {operation: {"trap": 1} for operation in parameters.trap}
        super().__init__(add_recipes(callouts, traps, *forms))
