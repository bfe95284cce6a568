"""What a mechanism is: a rule, with or without state, that turns events into actions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from simulator.errors import InputError
from simulator.events import kind_code


@dataclass(frozen=True, slots=True)
class Event:
    """One row of a stream as a mechanism sees it; -1 stands for 'not given'."""

    kind: int
    count: int
    vcpu: int
    task: int
    space: int
    page: int
    site: int
    size: int
    device: int
    number: int


Emit = Callable[[str, int], None]


class Parameters(BaseModel):
    """The parameters of a mechanism; the class is at the same time their YAML schema."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _event_name(value: Any) -> Any:
    if isinstance(value, str):
        try:
            kind_code(value)
        except InputError as error:
            raise ValueError(str(error)) from None
    return value


EventName = Annotated[str, BeforeValidator(_event_name)]
ActionName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Recipe = Annotated[dict[ActionName, Annotated[int, Field(ge=1)]], Field(min_length=1)]
"""Actions of one event, and how many of each."""
Recipes = dict[EventName, Recipe]


class Mechanism(ABC):
    """A rule that turns events into actions.

    Several mechanisms may serve the same event: their actions add up. A mechanism is built anew for each replay, so
    that state never leaks from one to the next.
    """

    name: ClassVar[str]
    schema: ClassVar[type[Parameters]]

    @abstractmethod
    def __init__(self, parameters: Any) -> None:
        """Take the parameters, an instance of ``schema``; no input or output."""

    @abstractmethod
    def reads(self) -> frozenset[int]:
        """Return the codes of the event kinds that this mechanism serves."""

    @abstractmethod
    def emits(self) -> frozenset[str]:
        """Return the names of all actions that it can take."""

    @abstractmethod
    def serve(self, event: Event, emit: Emit) -> None:
        """Serve a row, all ``event.count`` events of it: call ``emit(action, n)`` for each action taken."""


class StatelessMechanism(Mechanism):
    """A mechanism whose actions depend on the kind of an event alone: a recipe for each kind."""

    def __init__(self, recipes: Mapping[str, Mapping[str, int]]) -> None:
        self._recipes = {kind_code(name): dict(recipe) for name, recipe in recipes.items()}

    def recipe(self, kind: int) -> Mapping[str, int]:
        """Return the actions of one event of a kind, and how many of each; empty for a kind it does not read."""
        return self._recipes.get(kind, {})

    def reads(self) -> frozenset[int]:
        """Return the codes of the event kinds that have a recipe."""
        return frozenset(self._recipes)

    def emits(self) -> frozenset[str]:
        """Return the names of all actions in the recipes."""
        return frozenset(action for recipe in self._recipes.values() for action in recipe)

    def serve(self, event: Event, emit: Emit) -> None:
        """Emit the recipe of the event's kind, ``event.count`` times."""
        for action, n in self._recipes[event.kind].items():
            emit(action, n * event.count)


def add_recipes(*groups: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Add recipes up, event by event and action by action.

    >>> add_recipes({"syscall": {"callout": 1}}, {"syscall": {"callout": 1, "trap": 2}})
    {'syscall': {'callout': 2, 'trap': 2}}
    """
    total: dict[str, dict[str, int]] = {}
    for group in groups:
        for event, recipe in group.items():
            actions = total.setdefault(event, {})
            for action, n in recipe.items():
                actions[action] = actions.get(action, 0) + n
    return total
