"""The TLB: what it holds, what empties it, and the page walks that refill it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Annotated

from pydantic import Field

from simulator.events import BY_NAME
from simulator.mechanisms.base import ActionName, Emit, Event, Mechanism, Parameters
from simulator.mechanisms.spaces import SPACE_SWITCH, CurrentSpaces, pages

_TOUCH = BY_NAME["touch"].code
_MISS = BY_NAME["tlb_miss"].code
_FLUSH_PAGE = BY_NAME["tlb_flush_page"].code
_FLUSH_ALL = BY_NAME["tlb_flush_all"].code
_DESTROY = BY_NAME["space_destroy"].code


class TlbParameters(Parameters):
    """``entries``: translations that it holds, of pages of 4 KiB.

    ``tagged``: translations carry their address space, so that a switch of spaces empties nothing. ``emptied_by``: the
    actions that empty it besides, such as a VM exit on hardware without tags.
    """

    entries: Annotated[int, Field(ge=1)]
    tagged: bool = False
    emptied_by: Annotated[list[ActionName], Field(default_factory=list)]


class Tlb(Mechanism):
    """A TLB for each virtual CPU, fully associative, the least recently used translation replaced.

    Reads: ``touch`` (each page is looked up), ``tlb_miss`` (misses that the workload states), and what flushes:
    ``space_switch``, ``tlb_flush_page``, ``tlb_flush_all``, ``space_destroy``. Watches: the actions of ``emptied_by``.
    State: for each virtual CPU, the translations in order of use; for each space, which virtual CPUs looked it up since
    it was last torn down. Emits: ``page_walk`` for each miss.

    >>> tlb = Tlb(TlbParameters(entries=2, emptied_by=["vm_exit"]))
    >>> misses = []
    >>> event = Event(_TOUCH, 2, 0, -1, 5, 100, -1, -1, -1, -1)
    >>> tlb.serve(event, lambda action, n: misses.append(n))
    >>> tlb.serve(event, lambda action, n: misses.append(n))
    >>> tlb.answer("vm_exit", 1, event, print)
    >>> tlb.serve(event, lambda action, n: misses.append(n))
    >>> misses
    [2, 0, 2]
    """

    name = "tlb"
    schema = TlbParameters
    looks_at = frozenset({"space", "page"})

    def __init__(self, parameters: TlbParameters) -> None:
        self._entries = parameters.entries
        self._tagged = parameters.tagged
        self._emptied_by = frozenset(parameters.emptied_by)
        self._spaces = CurrentSpaces()
        self._held: dict[int, OrderedDict[tuple[int, int], None]] = {}
        self._lookers: dict[int, set[int]] = {}

    def reads(self) -> frozenset[int]:
        """Return the kinds that look up or flush translations."""
        return frozenset({_TOUCH, _MISS, SPACE_SWITCH, _FLUSH_PAGE, _FLUSH_ALL, _DESTROY})

    def watches(self) -> frozenset[str]:
        """Return the actions that empty the TLB."""
        return self._emptied_by

    def emits(self) -> frozenset[str]:
        """Return ``page_walk``."""
        return frozenset({"page_walk"})

    def answer(self, action: str, n: int, event: Event, emit: Emit) -> None:  # noqa: ARG002 (once or often: empty)
        """Empty the TLB of the virtual CPU on which the action was taken."""
        self._of(event).clear()

    def serve(self, event: Event, emit: Emit) -> None:
        """Look pages up, or flush."""
        if event.kind == _TOUCH:
            emit("page_walk", self._look_up(event))
        elif event.kind == _MISS:
            emit("page_walk", event.count)
        elif event.kind == _FLUSH_PAGE:
            held, space = self._of(event), self._spaces.of(event)
            for page in pages(event):
                held.pop((space, page), None)
        elif event.kind == _DESTROY:
            self._drop_space(event.space)
        else:
            self._switch_or_flush(event)

    def touches(self, event: Event) -> Iterator[tuple[Hashable, bool]]:
        """Give its own translations, and the space looked up; a dead space may be dropped wherever it was looked up.

        Whether it still is held there hangs on when it is torn down.
        """
        if event.kind == _DESTROY:
            yield ("space", event.space), True
            for vcpu in sorted(self._lookers.get(event.space, ())):
                yield ("held by", vcpu), True
            return
        yield ("held by", event.vcpu), False
        if event.kind == _TOUCH:
            yield ("space", self._spaces.of(event)), False

    def _of(self, event: Event) -> OrderedDict[tuple[int, int], None]:
        return self._held.setdefault(event.vcpu, OrderedDict())

    def _look_up(self, event: Event) -> int:
        held, space, misses = self._of(event), self._spaces.of(event), 0
        self._lookers.setdefault(space, set()).add(event.vcpu)
        for page in pages(event):
            if (space, page) in held:
                held.move_to_end((space, page))
                continue
            misses += 1
            held[space, page] = None
            if len(held) > self._entries:
                held.popitem(last=False)
        return misses

    def _switch_or_flush(self, event: Event) -> None:
        if event.kind == SPACE_SWITCH:
            self._spaces.switch(event)
        if event.kind == _FLUSH_ALL or not self._tagged:
            self._of(event).clear()

    def _drop_space(self, space: int) -> None:
        """Forget a space on all virtual CPUs, so that its number can be used again."""
        self._lookers.pop(space, None)
        for held in self._held.values():
            for key in [key for key in held if key[0] == space]:
                del held[key]
