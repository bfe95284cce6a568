"""Nested paging: the hardware walks the guest's tables and the host's, so only new guest memory concerns the VMM."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simulator.events import BY_NAME
from simulator.mechanisms.base import Emit, Event, Mechanism, Parameters

_FIRST_TOUCH = BY_NAME["first_touch"].code
_PTE_SET = BY_NAME["pte_set"].code
_PTE_CLEAR = BY_NAME["pte_clear"].code


class NestedPagingParameters(Parameters):
    """``pages_per_violation``: guest pages that one nested entry maps (1, or 512 with host pages of 2 MiB).

    ``backed_pages``: guest pages that the host has given memory before the run.
    """

    pages_per_violation: Annotated[int, Field(ge=1)] = 1
    backed_pages: Annotated[int, Field(ge=0)] = 0


class NestedPaging(Mechanism):
    """The VMM's part in nested paging (EPT, NPT).

    Reads: ``first_touch``; ``pte_set`` and ``pte_clear``, which tell how many guest pages are in use. State: the pages
    in use, and how many the host has backed: a guest uses freed pages again, so only a new high mark of pages in use
    touches new memory. Emits: ``nested_violation``, one for each nested entry that has to be filled.

    >>> mechanism = NestedPaging(NestedPagingParameters(backed_pages=10))
    >>> for kind, n in (("pte_set", 12), ("pte_clear", 5), ("pte_set", 6)):
    ...     event = Event(BY_NAME[kind].code, n, 0, -1, 3, -1, -1, -1, -1, -1)
    ...     mechanism.serve(event, lambda action, n: print(action, n))
    nested_violation 2
    nested_violation 1
    """

    name = "nested_paging"
    schema = NestedPagingParameters
    looks_at = frozenset()

    def __init__(self, parameters: NestedPagingParameters) -> None:
        self._pages_per_violation = parameters.pages_per_violation
        self._backed = parameters.backed_pages
        self._in_use = 0

    def reads(self) -> frozenset[int]:
        """Return the kinds that take guest memory into use, or free it."""
        return frozenset({_FIRST_TOUCH, _PTE_SET, _PTE_CLEAR})

    def emits(self) -> frozenset[str]:
        """Return ``nested_violation``."""
        return frozenset({"nested_violation"})

    def serve(self, event: Event, emit: Emit) -> None:
        """Take pages into use or free them."""
        if event.kind == _FIRST_TOUCH:
            self._back(event.count, emit)
        elif event.kind == _PTE_CLEAR:
            self._in_use = max(self._in_use - event.count, 0)  # pages mapped before the run may be freed in it
        else:
            self._in_use += event.count
            self._back(max(self._in_use - self._backed, 0), emit)

    def _back(self, pages: int, emit: Emit) -> None:
        violations = -(-pages // self._pages_per_violation)
        self._backed += violations * self._pages_per_violation
        emit("nested_violation", violations)
