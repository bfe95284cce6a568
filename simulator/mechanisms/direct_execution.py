"""Direct execution: the processor runs the guest's operation as it is."""

from __future__ import annotations

from simulator.mechanisms.base import EventRecipes, Parameters, StatelessMechanism


class DirectExecutionParameters(Parameters):
    """``events``: for each event kind that the processor executes itself, its actions."""

    events: EventRecipes


class DirectExecution(StatelessMechanism):
    """Events that run on the processor without a VMM in the way.

    Reads: the kinds listed in ``events``. State: none. Emits: the listed actions. The two kinds of computation are
    counted in nanoseconds, so their recipes are per nanosecond.
    """

    name = "direct_execution"
    schema = DirectExecutionParameters

    def __init__(self, parameters: DirectExecutionParameters) -> None:
        super().__init__(parameters.events)
