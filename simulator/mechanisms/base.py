"""What a mechanism is: a rule, with or without state, that turns events into actions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from simulator.errors import InputError
from simulator.events import BY_NAME, kind_code


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


OF_EVENTS = tuple(field.name for field in fields(Event) if field.name not in ("kind", "count", "vcpu"))
"""The columns of a stream that tell events of a kind from one another."""
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
Recipes = dict[ActionName, Recipe]
"""A recipe for each event kind, or for each action of a mechanism that stands before this one."""
EventRecipes = dict[EventName, Recipe]
"""A recipe for each event kind."""


WHOLE_ORDER = "the order of all rows"
"""A part of the state of a mechanism that every row changes."""


class Mechanism(ABC):
    """A rule that turns events into actions.

    Several mechanisms may serve the same event: their actions add up. An action goes to the mechanisms that stand after
    the one that took it, in the order of ``MECHANISMS``: those that *answer* it carry it out, so that their actions
    take the place of its price; those that *watch* it take notice beside its price. A mechanism is built anew for each
    replay, so that state never leaks from one to the next.
    """

    name: ClassVar[str]
    schema: ClassVar[type[Parameters]]
    looks_at: ClassVar[frozenset[str]] = frozenset(OF_EVENTS)
    """Which columns of a row its part hangs on, beside kind, count and virtual CPU: others need not be read for it."""

    @abstractmethod
    def __init__(self, parameters: Any) -> None:
        """Take the parameters, an instance of ``schema``; no input or output."""

    @abstractmethod
    def reads(self) -> frozenset[int]:
        """Return the codes of the event kinds that this mechanism serves."""

    @abstractmethod
    def emits(self) -> frozenset[str]:
        """Return the names of all actions that it can take."""

    def answers(self) -> frozenset[str]:
        """Return the actions of mechanisms before it that it carries out: its own actions stand in their place."""
        return frozenset()

    def watches(self) -> frozenset[str]:
        """Return the actions of mechanisms before it that change its state; they keep their own price."""
        return frozenset()

    @abstractmethod
    def serve(self, event: Event, emit: Emit) -> None:
        """Serve a row, all ``event.count`` events of it: call ``emit(action, n)`` for each action taken."""

    def answer(self, action: str, n: int, event: Event, emit: Emit) -> None:
        """Carry out, or take notice of, ``n`` actions that another mechanism took in serving ``event``."""
        raise NotImplementedError(f"{self.name} neither answers nor watches '{action}' ({n} in {event}, {emit})")

    def touches(self, event: Event) -> Iterator[tuple[Hashable, bool]]:  # noqa: ARG002 (the default is the same for all)
        """Give the parts of the state, as it is now, in which rows of several virtual CPUs meet if they are like this.

        With each stands whether serving the row may change it. Two rows of different virtual CPUs that share no part,
        or change none that they share, may change places: both then take the same actions, and so do all after them.
        So which parts are given, and whether they may change, must hang on the row, on what its virtual CPU did before,
        and on parts that are given, and on nothing else: else rows that met nowhere would meet once they changed
        places. Where it hangs on the order of all rows, one part is ``WHOLE_ORDER``. By default all rows meet in one.
        """
        yield "all", True


class StatelessMechanism(Mechanism):
    """A mechanism whose actions depend on the kind of an event, or the name of an action, alone: a recipe for each."""

    looks_at = frozenset()

    def __init__(self, recipes: Mapping[str, Mapping[str, int]]) -> None:
        self._recipes = {name: dict(recipe) for name, recipe in recipes.items()}
        self._by_kind = {kind_code(name): recipe for name, recipe in self._recipes.items() if name in BY_NAME}

    def recipe(self, name: str) -> Mapping[str, int]:
        """Return the actions of one event, or in answer to one action, by name; empty for one it has no recipe for."""
        return self._recipes.get(name, {})

    def reads(self) -> frozenset[int]:
        """Return the codes of the event kinds that have a recipe."""
        return frozenset(self._by_kind)

    def answers(self) -> frozenset[str]:
        """Return the names of the actions that have a recipe."""
        return frozenset(self._recipes) - BY_NAME.keys()

    def emits(self) -> frozenset[str]:
        """Return the names of all actions in the recipes."""
        return frozenset(action for recipe in self._recipes.values() for action in recipe)

    def serve(self, event: Event, emit: Emit) -> None:
        """Emit the recipe of the event's kind, ``event.count`` times."""
        for action, n in self._by_kind[event.kind].items():
            emit(action, n * event.count)

    def answer(self, action: str, n: int, event: Event, emit: Emit) -> None:  # noqa: ARG002 (the same in any event)
        """Emit the recipe of an action, ``n`` times."""
        for taken, each in self._recipes[action].items():
            emit(taken, each * n)


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
