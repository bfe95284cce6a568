"""Lines of a trace as perf and ftrace write them: who ran where and when, and the tracepoint with its fields.

- ``perf script``: ``comm pid/tid [cpu] seconds: system:event: fields``, and without ``-F`` a tid alone;
- ``trace`` of tracefs, and ``trace-cmd report``: ``comm-tid [cpu] flags seconds: event: fields``, without the system;
  the process in parentheses where ``record-tgid`` is set, and a buffer's name in front where a report has several.

Seconds have six digits after the point or nine; here they are whole nanoseconds.
"""

from __future__ import annotations

import re
from typing import NamedTuple

UNKNOWN_PROCESS = -1

_TIME = r"(?P<seconds>\d{1,9})\.(?P<fraction>\d{6}(?:\d{3})?):\s{1,64}"
_PERF = re.compile(
    r"\s{0,64}(?P<comm>\S(?:.{0,62}?\S)?)\s{1,64}(?:(?P<pid>\d{1,9})/)?(?P<tid>\d{1,9})\s{1,64}\[(?P<cpu>\d{1,6})\]\s{1,64}"
    + _TIME
    + r"(?:\d{1,9}\s{1,64})?(?P<event>\w{1,64}:\w{1,64}):(?:\s{1,64}|$)"
)
_FTRACE = re.compile(
    r"(?:[\w.-]{1,64}:\s)?\s{0,64}(?P<comm>\S(?:.{0,62}?\S)?)-(?P<tid>\d{1,9})\s{1,64}(?:\(\s{0,9}(?P<pid>\d{1,9}|-{1,9})\)\s{1,64})?"
    r"\[(?P<cpu>\d{1,6})\]\s{1,64}(?:[a-zA-Z0-9.#]{4,8}\s{1,64})?"
    + _TIME
    + r"(?:\w{1,64}:)?(?P<event>\w{1,64}):(?:\s{1,64}|$)"
)
_LOST = re.compile(r"\s{0,64}CPU:\s?(\d{1,6}) \[(?:LOST (\d{1,18}) EVENTS|(\d{1,18}) EVENTS DROPPED)\]")


class Line(NamedTuple):
    """One line: ``process`` is -1 where not told, ``time`` is in nanoseconds, ``event`` is without its system."""

    comm: str
    process: int
    tid: int
    cpu: int
    time: int
    event: str
    fields: str
    precise: bool


def parse_perf(text: str) -> Line | None:
    """Read a line of ``perf script``; None if it is none.

    >>> parse_perf(" CPU 0/KVM  71/72  [003]  5.000001000:  kvm:kvm_entry: vcpu 0")[:5]
    ('CPU 0/KVM', 71, 72, 3, 5000001000)
    """
    return _line(_PERF, text)


def parse_ftrace(text: str) -> Line | None:
    """Read a line of the ``trace`` file or of ``trace-cmd report``; None if it is none.

    >>> parse_ftrace("  CPU 0/KVM-72  [003] d..2.  5.000001: kvm_entry: vcpu 0")[3:]
    (3, 5000001000, 'kvm_entry', 'vcpu 0', False)
    """
    return _line(_FTRACE, text)


def _line(pattern: re.Pattern[str], text: str) -> Line | None:
    match = pattern.match(text)
    if match is None:
        return None
    comm, pid, tid, cpu, seconds, fraction, event = match.group(
        "comm", "pid", "tid", "cpu", "seconds", "fraction", "event"
    )
    precise = len(fraction) == 9
    time = int(seconds) * 10**9 + int(fraction) * (1 if precise else 1000)
    process = int(pid) if pid and pid[0] != "-" else UNKNOWN_PROCESS
    return Line(comm, process, int(tid), int(cpu), time, event.rpartition(":")[2], text[match.end() :], precise)


def lost_events(text: str) -> int | None:
    """Return how many events a line says were lost; None if it says no such thing.

    >>> lost_events("CPU:1 [LOST 234 EVENTS]"), lost_events("CPU:0 [9 EVENTS DROPPED]"), lost_events("  bash-1 ...")
    (234, 9, None)
    """
    match = _LOST.match(text)
    return int(match[1 + 1] or match[3]) if match else None
