"""Which address space each virtual CPU runs in, for mechanisms that keep state by space."""

from __future__ import annotations

from simulator.events import BY_NAME
from simulator.mechanisms.base import Event

SPACE_SWITCH = BY_NAME["space_switch"].code
KERNEL_SPACE = -1
"""Where a virtual CPU is before its first switch, and after a switch to no process's space."""


class CurrentSpaces:
    """The space that each virtual CPU last switched to."""

    def __init__(self) -> None:
        self._current: dict[int, int] = {}

    def switch(self, event: Event) -> None:
        """Note a switch."""
        self._current[event.vcpu] = event.space

    def running(self) -> frozenset[int]:
        """Return the spaces in which virtual CPUs run."""
        return frozenset(self._current.values())

    def of(self, event: Event) -> int:
        """Return the space of an event: the one it names, else the one in which its virtual CPU runs."""
        return event.space if event.space >= 0 else self._current.get(event.vcpu, KERNEL_SPACE)


def pages(event: Event) -> range:
    """Return the pages of an event: as many as its count, from its page on.

    Where no page is given they are the hottest of a working set, whichever those are: -1, -2, ...

    >>> list(pages(Event(32, 3, 0, -1, 7, 40, -1, -1, -1, -1)))
    [40, 41, 42]
    >>> list(pages(Event(32, 2, 0, -1, 7, -1, -1, -1, -1, -1)))
    [-1, -2]
    """
    if event.page < 0:
        return range(-1, -1 - event.count, -1)
    return range(event.page, event.page + event.count)
