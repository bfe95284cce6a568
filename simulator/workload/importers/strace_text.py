"""The text of ``strace -f -ttt -T``: whose a line is, when, and what: a call, its end, a signal, or a task's end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from simulator.workload.importers.strace_calls import FORKS

NOBODY = -1
"""The task of a line that does not tell it: the only one that is traced."""
MOST_TASK = 1 << 22
"""The greatest number of a task that Linux gives."""
_NS_DIGITS = 9
_OLDEST = 10**8 * 10**9  # nanoseconds; a time below that is no time of day, but one relative to the line before

_PREFIX = r"(?:\[pid\s{1,9}(\d{1,9})\]\s{1,9}|(\d{1,9})\s{1,9})?"
_STAMP = _PREFIX + r"\s{0,16}(\d{1,12})\.(\d{6}(?:\d{3})?) "
_RESULT = r"(.*)\)\s{1,200}= (-?\d{1,20}|0x[0-9a-f]{1,16}|\?)(?:.* <(\d{1,9})\.(\d{6}(?:\d{3})?)>$|.*)"
_LINE = re.compile(_STAMP + "(.*)")
_LINE_OF_CALL = re.compile(_STAMP + r"(\w{1,40})\(" + _RESULT)
_OTHER_TIME = re.compile(_PREFIX + r"\s{0,16}(\d\d:\d\d:\d\d(?:\.\d{1,9})?|\d{1,12}(?:\.\d{1,9})?) ")
_NO_TIME = re.compile(_PREFIX + r"\w{1,40}\(.*= ")
_RESUMED = re.compile(r"<\.\.\. (\w{1,40}) resumed>" + _RESULT)
_LOST_RESUMED = re.compile(r"<\.\.\. (\w{1,40}) resumed>? ?<unfinished \.\.\.>\)\s{1,200}= \?(.*)")
_UNFINISHED_MARK = "<unfinished ...>"
_UNFINISHED = re.compile(r"(\w{1,40})\((.*)<(?:unfinished|detached) \.\.\.>(?:\)\s{1,200}= \?)?")
_SIGNAL = re.compile(r"--- (?:(SIG\w{1,12}) |stopped by (SIG\w{1,12}) )")
_END = re.compile(r"\+\+\+ (?:exited with \d|killed by SIG|superseded by execve)")
_MESSAGE = re.compile(r"(?:strace: )?(?:Process (\d{1,9}) attached|Process \d{1,9} detached|.* with \d+ threads?)")

_NOT_ABSOLUTE = (
    "the times are not absolute with a fraction (-tt tells the time of day and no date, -r the time since the line "
    "before, which mixes tasks): record with `strace -f -ttt -T -o FILE COMMAND`"
)


class Sort(Enum):
    """What a line tells."""

    CALL = "a call, whole"
    ENTRY = "the beginning of a call"
    RETURN = "the end of a call"
    SIGNAL = "a signal"
    END = "the end of a task"
    ATTACHED = "a message of strace"


class Line(NamedTuple):
    """One line. Times are in nanoseconds; ``took`` is None where not told (no -T), ``result`` where there is none.

    ``name`` is that of the call or of the signal.
    """

    task: int
    time: int
    sort: Sort
    name: str = ""
    arguments: str = ""
    result: int | None = None
    took: int | None = None


class TimesError(Exception):
    """The times of a file are none that can be used."""


def parse_line(text: str) -> Line | None:
    """Read a line; None if it cannot be read.

    Raises:
        TimesError: its time is none that can be used.

    >>> parse_line('70  1795597142.000002 close(3) = 0 <0.000007>')[:5]
    (70, 1795597142000002000, <Sort.CALL: 'a call, whole'>, 'close', '3')
    """
    call = _LINE_OF_CALL.match(text) if _UNFINISHED_MARK not in text else None  # most lines are such
    if call is not None:
        pid, plain, seconds, fraction, *told = call.groups()
        return _call(int(pid or plain or NOBODY), _time(seconds, fraction), Sort.CALL, told)
    match = _LINE.match(text)
    if match is None:
        return _without_time(text)
    pid, plain, seconds, fraction, rest = match.groups()
    return _told(int(pid or plain or NOBODY), _time(seconds, fraction), rest)


def _time(seconds: str, fraction: str) -> int:
    time = _ns(seconds, fraction)
    if time < _OLDEST:
        raise TimesError(_NOT_ABSOLUTE)
    return time


def _ns(seconds: str, fraction: str) -> int:
    return int(seconds + fraction) * (1 if len(fraction) == _NS_DIGITS else 1000)


def _without_time(text: str) -> Line | None:
    message = _MESSAGE.match(text)
    if message is not None:
        return Line(int(message[1] or NOBODY), -1, Sort.ATTACHED)
    if _OTHER_TIME.match(text):
        raise TimesError(_NOT_ABSOLUTE)
    if _NO_TIME.match(text):
        raise TimesError("the line tells no time: record with `strace -f -ttt -T -o FILE COMMAND`")
    return None


def _told(task: int, time: int, rest: str) -> Line | None:
    """Read what follows the time, where that is no whole call."""
    match rest[:3]:
        case "---":
            signal = _SIGNAL.match(rest)
            return signal and Line(task, time, Sort.SIGNAL, signal[1] or signal[2])
        case "+++":
            return Line(task, time, Sort.END) if _END.match(rest) else None
        case "<..":
            lost = _LOST_RESUMED.match(rest) if _UNFINISHED_MARK in rest else None
            if lost is not None:
                return Line(task, time, Sort.RETURN, lost[1])
            resumed = _RESUMED.match(rest)
            return resumed and _call(task, time, Sort.RETURN, resumed.groups())
    entry = _UNFINISHED.match(rest)
    return entry and Line(task, time, Sort.ENTRY, entry[1], entry[2])


def _call(task: int, time: int, sort: Sort, told: Sequence[str]) -> Line | None:
    name, arguments, result, seconds, fraction = told
    value = None if result == "?" else int(result, 16 if result.startswith("0x") else 10)
    if name in FORKS and value is not None and value > MOST_TASK:
        return None
    return Line(task, time, sort, name, arguments, value, _ns(seconds, fraction) if seconds else None)
