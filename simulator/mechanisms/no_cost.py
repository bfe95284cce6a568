"""Events that cost nothing of their own, each with the reason: zero is never silent."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simulator.mechanisms.base import EventName, Parameters, StatelessMechanism


class NoCostParameters(Parameters):
    """``events``: for each event kind that costs nothing of its own, the reason in words."""

    events: dict[EventName, Annotated[str, Field(min_length=10)]]


class NoCost(StatelessMechanism):
    """Events that are counted and cost nothing of their own.

    Reads: the kinds listed in ``events``. State: none. Emits: ``no_cost``.
    """

    name = "no_cost"
    schema = NoCostParameters

    def __init__(self, parameters: NoCostParameters) -> None:
        super().__init__({name: {"no_cost": 1} for name in parameters.events})
