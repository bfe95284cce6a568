"""The head of a line of ``perf script`` as the recorder needs it: who, where, when, and where its fields begin."""

from __future__ import annotations

from typing import NamedTuple

from simulator.workload.importers import perf_text


class LineHead(NamedTuple):
    """A line up to its fields; ``place_end`` and ``time_end`` are where its place and its time end in the text."""

    pid: int
    tid: int
    cpu: int
    now: int
    tracepoint: str
    place_end: int
    time_end: int
    fields: int


def read_head(text: str) -> LineHead:
    """Read a line up to its fields; times are nanoseconds.

    Raises:
        ValueError: it is no such line.

    >>> read_head("cc1 7/9 [001] 3.000000005: msr:read_msr: 3b")[:5]
    (7, 9, 1, 3000000005, 'msr:read_msr')
    """
    head = perf_text.parse_head(text.encode("latin-1", errors="replace"))  # a byte for each character
    place = perf_text.parse_place(head.place)
    tracepoint = head.name.strip(b": ").decode("ascii", errors="replace")
    return LineHead(place.pid, place.tid, place.cpu, head.time, tracepoint, *head.layout)
