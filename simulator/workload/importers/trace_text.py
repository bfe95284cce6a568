"""Lines of a trace as perf and ftrace write them: who ran where and when, and the tracepoint with its fields.

- ``perf script``: ``comm pid/tid [cpu] seconds: system:event: fields``, and without ``-F`` a tid alone;
- ``trace`` of tracefs, and ``trace-cmd report``: ``comm-tid [cpu] flags seconds: event: fields``, without the system;
  the process in parentheses where ``record-tgid`` is set, and a buffer's name in front where a report has several.

Seconds have six digits after the point or nine; here they are whole nanoseconds.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from simulator.workload.importers.perf_text import Memo

UNKNOWN_PROCESS = -1
_NS_DIGITS = 9

_PERF_PLACE = (
    r"\s{0,64}(?P<comm>\S(?:.{0,62}?\S)?)\s{1,64}(?:(?P<pid>\d{1,9})/)?(?P<tid>\d{1,9})\s{1,64}\[(?P<cpu>\d{1,6})\]"
)
_FTRACE_PLACE = (
    r"(?:[\w.-]{1,64}:\s)?\s{0,64}(?P<comm>\S(?:.{0,62}?\S)?)-(?P<tid>\d{1,9})\s{1,64}"
    r"(?:\(\s{0,9}(?P<pid>\d{1,9}|-{1,9})\)\s{1,64})?\[(?P<cpu>\d{1,6})\]"
)
_FLAGS = r"(?:[a-zA-Z0-9.#]{4,8}\s{1,64})?"
_TIME = r"(?P<seconds>\d{1,9})\.(?P<fraction>\d{6}(?:\d{3})?):\s{1,64}"
_PERF_REST = r"\s{1,64}" + _TIME + r"(?:\d{1,9}\s{1,64})?(?P<event>\w{1,64}:\w{1,64}):(?:\s{1,64}|$)"
_FTRACE_REST = r"\s{1,64}" + _FLAGS + _TIME + r"(?:\w{1,64}:)?(?P<event>\w{1,64}):(?:\s{1,64}|$)"
_LONGEST_PLACE = 512
_LOST = re.compile(r"\s{0,64}CPU:\s?(\d{1,6}) \[(?:LOST (\d{1,18}) EVENTS|(\d{1,18}) EVENTS DROPPED)\]")


class Place(NamedTuple):
    """Who ran where; ``process`` is -1 where not told."""

    comm: str
    process: int
    tid: int
    cpu: int


class Line(NamedTuple):
    """One line: ``time`` is in nanoseconds, told to the nanosecond if ``precise``; ``event`` is without its system.

    The first four are those of its ``Place``.
    """

    comm: str
    process: int
    tid: int
    cpu: int
    time: int
    event: str
    fields: str
    precise: bool


class Layout(NamedTuple):
    """Where in a line its place (up to the CPU's closing bracket), its seconds (with the point) and its time end."""

    place_end: int
    seconds_end: int
    time_end: int


class Parser:
    """Reads lines of one way of writing; places, which come again and again, are read once each.

    A line is cut at its first ``]``. Where a place ends there and the rest follows, no other way to read the line
    comes before this one, as nothing between a comm and its CPU can hold a ``]``; else the line is read as a whole, by
    the pattern ``whole``.
    """

    def __init__(self, place: str, rest: str) -> None:
        self._place, self._rest, self.whole = (re.compile(pattern) for pattern in (place, rest, place + rest))
        self._places = Memo(self.parse_place)

    def parse_place(self, text: str) -> Place | None:
        """Read the beginning of a line, up to the first ``]``; None if that is no place."""
        match = self._place.fullmatch(text) if text.find("]") == len(text) - 1 else None
        return _place(match) if match is not None else None

    def parse(self, text: str) -> Line | None:
        """Read a line; None if it is none."""
        end = text.find("]", 0, _LONGEST_PLACE) + 1
        place = self._places[text[:end]]
        match = self._rest.match(text, end) if place is not None else None
        if match is None or place is None:
            match = self.whole.match(text)
            if match is None:
                return None
            place = _place(match)
        seconds, fraction, event = match.group("seconds", "fraction", "event")
        precise = len(fraction) == _NS_DIGITS
        time = int(seconds) * 10**9 + int(fraction) * (1 if precise else 1000)
        return Line(*place, time, event.rpartition(":")[2], text[match.end() :], precise)

    def layout(self, text: str) -> Layout | None:
        """Return the layout of a line whose characters are single bytes; None if it is no such line."""
        match = self.whole.match(text) if text.isascii() else None
        return Layout(match.end("cpu") + 1, *match.span("fraction")) if match is not None else None


def perf_parser() -> Parser:
    """Return what reads lines of ``perf script``.

    >>> perf_parser().parse(" CPU 0/KVM  71/72  [003]  5.000001000:  kvm:kvm_entry: vcpu 0")[:5]
    ('CPU 0/KVM', 71, 72, 3, 5000001000)
    """
    return Parser(_PERF_PLACE, _PERF_REST)


def ftrace_parser() -> Parser:
    """Return what reads lines of the ``trace`` file or of ``trace-cmd report``.

    >>> ftrace_parser().parse("  CPU 0/KVM-72  [003] d..2.  5.000001: kvm_entry: vcpu 0")[3:]
    (3, 5000001000, 'kvm_entry', 'vcpu 0', False)
    """
    return Parser(_FTRACE_PLACE, _FTRACE_REST)


def _place(match: re.Match[str]) -> Place:
    comm, pid, tid, cpu = match.group("comm", "pid", "tid", "cpu")
    return Place(comm, int(pid) if pid and pid[0] != "-" else UNKNOWN_PROCESS, int(tid), int(cpu))


def lost_events(text: str) -> int | None:
    """Return how many events a line says were lost; None if it says no such thing.

    >>> lost_events("CPU:1 [LOST 234 EVENTS]"), lost_events("CPU:0 [9 EVENTS DROPPED]"), lost_events("  bash-1 ...")
    (234, 9, None)
    """
    match = _LOST.match(text)
    return int(match[1 + 1] or match[3]) if match else None
