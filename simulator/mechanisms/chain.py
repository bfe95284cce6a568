"""A chain of mechanisms: it hands each event to those that read it, and each action on to those that stand after.

Actions only go down the chain, so no circle of causes is possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from simulator.errors import ModelError
from simulator.events import BY_CODE
from simulator.mechanisms.base import Emit, Event, Mechanism, StatelessMechanism

_Link = tuple[int, Mechanism]


class Chain:
    """Mechanisms in order. What none of them answers leaves the chain, to be counted and priced."""

    def __init__(self, mechanisms: Iterable[Mechanism]) -> None:
        self.mechanisms = list(mechanisms)
        links = list(enumerate(self.mechanisms))
        self._hearing = [(link, link[1].answers(), link[1].watches()) for link in links]
        self._readers: dict[int, list[_Link]] = {
            kind: readers for kind in BY_CODE if (readers := [(i, m) for i, m in links if kind in m.reads()])
        }
        self._routes: list[dict[str, tuple[list[_Link], list[_Link]]]] = [
            {action: self.hearers(i, action) for action in mechanism.emits()} for i, mechanism in links
        ]

    def hearers(self, position: int, action: str) -> tuple[list[_Link], list[_Link]]:
        """Return who answers and who watches an action taken at a position."""
        after = self._hearing[position + 1 :]
        return [link for link, answers, _ in after if action in answers], [
            link for link, _, watches in after if action in watches
        ]

    def reads(self) -> frozenset[int]:
        """Return the codes of all event kinds that a mechanism serves."""
        return frozenset(self._readers)

    def looks_at(self) -> frozenset[str]:
        """Return the columns of a row that the part of some mechanism hangs on."""
        return frozenset().union(*(mechanism.looks_at for mechanism in self.mechanisms))

    def answers(self) -> frozenset[str]:
        """Return all actions that a mechanism answers."""
        return frozenset(action for mechanism in self.mechanisms for action in mechanism.answers())

    def leaving(self) -> Iterator[tuple[Mechanism, str]]:
        """Give each action that can leave the chain, since nobody answers it, with the mechanism that takes it."""
        for mechanism, routes in zip(self.mechanisms, self._routes, strict=True):
            yield from ((mechanism, action) for action in sorted(routes) if not routes[action][0])

    def deaf(self) -> Iterator[tuple[Mechanism, str, frozenset[str]]]:
        """Give each mechanism and action that it waits for in vain, and what it could hear from those before it."""
        heard: frozenset[str] = frozenset()
        for mechanism in self.mechanisms:
            for action in sorted((mechanism.answers() | mechanism.watches()) - heard):
                yield mechanism, action, heard
            heard |= mechanism.emits()

    def serve(self, event: Event, emit: Emit) -> None:
        """Serve a row; call ``emit`` for each action that leaves the chain."""
        for position, mechanism in self._readers[event.kind]:
            mechanism.serve(event, self._passing(position, event, emit))

    def answer(self, action: str, n: int, event: Event, emit: Emit) -> None:
        """Let the mechanisms that answer an action from outside carry it out."""
        for position, mechanism in enumerate(self.mechanisms):
            if action in mechanism.answers():
                mechanism.answer(action, n, event, self._passing(position, event, emit))

    def _passing(self, position: int, event: Event, emit: Emit) -> Emit:
        """Return what the mechanism at a position calls for each action that it takes."""
        routes = self._routes[position]

        def take(action: str, n: int) -> None:
            if n < 0 or action not in routes:
                raise ModelError(
                    f"the mechanism '{self.mechanisms[position].name}', serving '{BY_CODE[event.kind].name}', took {n} "
                    f"of '{action}', which it does not declare in emits()"
                )
            if not n:
                return
            answerers, watchers = routes[action]
            if not answerers:
                emit(action, n)
            for i, mechanism in answerers or watchers:
                mechanism.answer(action, n, event, self._passing(i, event, emit))

        return take

    def unfold(self, kind: int) -> tuple[dict[str, int], list[str]]:
        """Return what one event of a kind always takes, and the names of the mechanisms whose part depends on state."""
        total: dict[str, int] = {}
        stateful: dict[str, None] = {}
        for position, mechanism in self._readers.get(kind, []):
            for part in self._parts(position, mechanism, BY_CODE[kind].name):
                if isinstance(part, str):
                    stateful[part] = None
                else:
                    total[part[0]] = total.get(part[0], 0) + part[1]
        return total, list(stateful)

    def _parts(self, position: int, mechanism: Mechanism, name: str) -> Iterator[tuple[str, int] | str]:
        """Give what a mechanism takes for an event or action: (action, how many), or who has state in the matter."""
        if not isinstance(mechanism, StatelessMechanism):
            yield mechanism.name
            return
        for action, n in mechanism.recipe(name).items():
            answerers, watchers = self._routes[position][action]
            if not answerers:
                yield action, n
                yield from (watcher.name for _, watcher in watchers)
            for i, answerer in answerers:
                for part in self._parts(i, answerer, action):
                    yield part if isinstance(part, str) else (part[0], part[1] * n)
