"""Classical trap-and-emulate: the guest's kernel runs without privilege, and each privileged operation traps."""

from __future__ import annotations

from simulator.mechanisms.base import Parameters, Recipes, StatelessMechanism, add_recipes


class TrapAndEmulateParameters(Parameters):
    """``handlers``: for each event kind, or action of another mechanism, that traps, the actions of its handler."""

    handlers: Recipes


class TrapAndEmulate(StatelessMechanism):
    """A VMM as on a machine whose every sensitive instruction traps without privilege (Popek and Goldberg's condition).

    Reads and answers: what is listed in ``handlers``. State: none. Emits: ``trap`` and the actions of the handlers.
    """

    name = "trap_and_emulate"
    schema = TrapAndEmulateParameters

    def __init__(self, parameters: TrapAndEmulateParameters) -> None:
        super().__init__(add_recipes({name: {"trap": 1} for name in parameters.handlers}, parameters.handlers))
