"""Recorded streams with what a recording cannot show, by assumption: pages that are touched, kernel code that runs.

A tracepoint sees events, not accesses to memory or single instructions. So models with a TLB, or with a translation
cache, have nothing to work on, unless a workload states how much of either goes with what was recorded. Rows are put
in between; the recorded rows keep their gaps, waits and signals, and inserted rows have none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from simulator.events import BY_CODE, BY_NAME
from simulator.stream import COLUMN, Array, Batch, EventStream, Header

TOUCH = BY_NAME["touch"].code
KERNEL_CODE = BY_NAME["kernel_code"].code
_SPACE_SWITCH = BY_NAME["space_switch"].code
_PAGE_FAULT = BY_NAME["page_fault"].code

MOST_PAGES = 10**9
MOST_PAGES_PER_US = 10**6
MOST_INSTRUCTIONS = 10**9

_SITES_PER_NUMBER = 2**20
_NUMBERS_PER_KIND = 2**28


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What goes with computation and with events.

    Computation of g microseconds touches ``pages_per_us`` x g of the hottest pages of its working set, at least one and
    at most ``working_set``; 0 assumes nothing. ``kernel_code`` has, by code of event kind, the number of instructions.
    """

    working_set: int = 0
    pages_per_us: Fraction = Fraction(0)
    kernel_code: Mapping[int, int] = field(default_factory=dict)

    def pages(self, nanoseconds: Array) -> Array:
        """Return how many pages stretches of computation touch, none for those without duration."""
        if not self.working_set:
            return np.zeros(len(nanoseconds), dtype=np.int64)
        per_ns = self.pages_per_us / 1000
        enough = math.ceil(self.working_set / per_ns)  # to touch the whole working set; keeps products in 64 bits
        touched = np.minimum(nanoseconds, enough) * per_ns.numerator // per_ns.denominator
        pages: Array = np.clip(touched, 1, self.working_set) * (nanoseconds > 0)
        return pages

    def instructions(self, kinds: Array) -> Array:
        """Return how many instructions of kernel code go with an event of each of these kinds."""
        table = np.zeros(max(BY_CODE) + 1, dtype=np.int64)
        for kind, number in self.kernel_code.items():
            table[kind] = number
        found: Array = table[kinds]
        return found


def code_site(kinds: Array, numbers: Array) -> Array:
    """Return where the code of events is assumed to stand: each pair of kind and number has a place of its own.

    Pieces of up to 2^20 instructions do not overlap, for up to 2^28 numbers of each kind.
    """
    piece = kinds.astype(np.int64) * _NUMBERS_PER_KIND + (numbers + 1) % _NUMBERS_PER_KIND
    sites: Array = piece * _SITES_PER_NUMBER
    return sites


@dataclass(frozen=True, slots=True)
class Assumed:
    """A stream with rows put in for what is assumed; see this module's text.

    Before each row with computation stands a ``touch`` of the current address space, page -1 (the hottest pages). After
    each row of a kind with kernel code stands a ``kernel_code``, for as many events as the row has.
    """

    recording: EventStream
    assumptions: Assumptions

    @property
    def header(self) -> Header:
        """What the recording says of itself."""
        return self.recording.header

    def batches(self, vcpu: int) -> Iterator[Batch]:
        """Give the rows of one virtual CPU, in order."""
        space = COLUMN["space"].default
        for batch in self.recording.batches(vcpu):
            before, space = _spaces(batch, space)
            yield self._with_rows(batch, before)

    def rows(self) -> int:
        """Return the number of rows; reads the whole stream."""
        return sum(len(batch) for vcpu in range(self.header.vcpus) for batch in self.batches(vcpu))

    def kinds(self) -> frozenset[int]:
        """Return the codes of the event kinds of the stream; reads it whole."""
        every = (batch for vcpu in range(self.header.vcpus) for batch in self.batches(vcpu))
        return frozenset(kind for batch in every for kind in np.unique(batch.columns["kind"]).tolist())

    def _with_rows(self, batch: Batch, space: Array) -> Batch:
        """Return the rows of a batch with those that are assumed; ``space`` is the current one before each row."""
        kinds, counts = batch.columns["kind"], batch.column("count")
        pages = self.assumptions.pages(batch.column("user_ns") + batch.column("kernel_ns"))
        size = self.assumptions.instructions(kinds)
        touching, running = np.flatnonzero(pages), np.flatnonzero(size)
        touches = np.cumsum(pages > 0)
        own = np.arange(len(batch)) + touches + np.cumsum(size > 0) - (size > 0)  # where each recorded row goes
        total = len(batch) + len(touching) + len(running)
        columns = {name: _spread(name, values, own, total) for name, values in batch.columns.items()}
        for name in ("count", "space", "site", "size"):
            columns.setdefault(name, np.full(total, COLUMN[name].default, dtype=COLUMN[name].dtype))
        before, after = own[touching] - 1, own[running] + 1
        columns["kind"][before], columns["kind"][after] = TOUCH, KERNEL_CODE
        columns["count"][before], columns["count"][after] = pages[touching], counts[running]
        columns["space"][before] = space[touching]
        columns["size"][after] = size[running]
        columns["site"][after] = code_site(kinds[running], batch.column("number")[running])
        return Batch(columns)


def _spread(name: str, values: Array, places: Array, total: int) -> Array:
    """Return a column of ``total`` rows that has the values at their places, and its default elsewhere."""
    column = np.full(total, COLUMN[name].default, dtype=COLUMN[name].dtype)
    column[places] = values
    return column


def _spaces(batch: Batch, space: int) -> tuple[Array, int]:
    """Return the address space before each row of a batch, and after the last; ``space`` is that before the first.

    A switch says which space is current from then on; so does a page fault that knows its own.
    """
    kinds, named = batch.columns["kind"], batch.column("space")
    tells = (kinds == _SPACE_SWITCH) | ((kinds == _PAGE_FAULT) & (named >= 0))
    told = np.concatenate(([space], named[tells]))
    current = told[np.concatenate(([0], np.cumsum(tells)))]  # before each row, and after the last
    return current[:-1], int(current[-1])
