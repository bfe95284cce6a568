"""The text of ``perf script --ns -F comm,pid,tid,cpu,time,event,trace``: heads of lines, and fields by tracepoint.

A line is ``comm pid/tid [cpu] seconds.nanoseconds: tracepoint: fields``. A comm may hold spaces, colons and slashes.
Every parser here raises ValueError for fields that it cannot read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

PAGE_SHIFT = 12
PAGE_BYTES = 1 << PAGE_SHIFT
_BITS_63 = (1 << 63) - 1
MEMO_TEXTS = 1 << 16

V = TypeVar("V")

# A comm has 15 bytes, but others may be written escaped; the bounds keep the search in a line that is none short.
_LINE = re.compile(
    r"\s{0,64}(\S(?:.{0,62}\S)?)\s{1,64}(\d{1,9})/(\d{1,9})\s{1,64}\[(\d{1,9})\]"
    r"(\s{1,64}\d{1,9}\.\d{9}):\s{1,64}([^\s:]\S*?):(?: |$)"
)
_COUNTER = re.compile(r"mm_id=(\d+) curr=([01]) type=(MM_(?:FILE|ANON|SHMEM)PAGES|MM_SWAPENTS)$")
_SWITCH = re.compile(
    r"prev_comm=.* prev_pid=(\d{1,9}) prev_prio=-?\d+ prev_state=(\S+) ==> next_comm=(.*) next_pid=(\d{1,9}) "
)
_WAKE = re.compile(r"comm=(.*) pid=(\d{1,9}) prio=-?\d+ .*target_cpu=(\d{1,9})")
_FORK = re.compile(r"comm=.* pid=\d+ child_comm=(.*) child_pid=(\d{1,9})")
_TLB_FLUSH = re.compile(r"pages:(-?\d+) reason:.*\((\d+)\)")
_HANDLER = re.compile(r"irq=(\d+) (?:name=(.*)|ret=\w+)")
_ISSUE = re.compile(r"(\d+,\d+) \S+ (\d+) \(.*?\) (\d+) \+ \d+")
_COMPLETE = re.compile(r"(\d+,\d+) \S+ \(.*?\) (\d+) \+ \d+")


class Head(NamedTuple):
    """Where a line comes from and what it is; its fields begin at ``fields``.

    The line's place (all up to the CPU's closing bracket) ends at ``place_end``, its time at ``time_end``.
    """

    comm: str
    pid: int
    tid: int
    cpu: int
    tracepoint: str
    place_end: int
    time_end: int
    fields: int


class Switch(NamedTuple):
    """The fields of ``sched:sched_switch``."""

    prev_pid: int
    prev_state: str
    next_comm: str
    next_pid: int


class Request(NamedTuple):
    """A disk request by its disk (``major,minor``) and first sector; its length in bytes (0 where not told)."""

    disk: str
    sector: int
    size: int


def parse_head(line: str) -> Head:
    """Read a line up to its fields.

    >>> parse_head("Web Content 7/9 [001] 3.000000005: msr:read_msr: 3b, value 0")
    Head(comm='Web Content', pid=7, tid=9, cpu=1, tracepoint='msr:read_msr', place_end=21, time_end=33, fields=49)
    """
    match = _LINE.match(line)
    if match is None:
        raise ValueError(line)
    comm, pid, tid, cpu, _, tracepoint = match.groups()
    return Head(comm, int(pid), int(tid), int(cpu), tracepoint, match.end(4) + 1, match.end(5), match.end())


class Memo(dict[str, V]):
    """What texts that come again and again mean, each read once; of limited size, however many texts there are."""

    def __init__(self, parse: Callable[[str], V]) -> None:
        super().__init__()
        self._parse = parse

    def __missing__(self, text: str) -> V:
        """Read a text that was not met before, or not lately."""
        if len(self) >= MEMO_TEXTS:
            self.clear()
        value = self[text] = self._parse(text)
        return value


def parse_fault(fields: str, ends: Mapping[str, tuple[int, int]]) -> tuple[int, int, int]:
    """Return page number, code address (each -1 if told as a symbol) and x86 error code of a page fault.

    ``ends`` is what ``parse_fault_end`` makes of all after the address.

    >>> parse_fault("address=0x7ffce1f19279 ip=_copy_to_user error_code=0x2", Memo(parse_fault_end))
    (34356469529, -1, 2)
    """
    address, _, end = fields.partition(" ip=")
    site, code = ends[end]
    try:
        return int(address[8:], 16) >> PAGE_SHIFT, site, code
    except ValueError:
        if address.startswith("address=0x"):
            raise
        return -1, site, code


def parse_fault_end(text: str) -> tuple[int, int]:
    """Return code address (63 bits of it; -1 for a symbol) and error code of a page fault.

    >>> parse_fault_end("0xffffffff81234567 error_code=0x2") == (0x7FFFFFFF81234567, 2)
    True
    """
    site, _, code = text.rpartition(" error_code=")
    return int(site, 16) & _BITS_63 if site.startswith("0x") else -1, int(code, 16)


def parse_counter_head(text: str) -> tuple[str, bool, str]:
    """Return the fields of ``kmem:rss_stat`` before the size: address space, whether it runs, and counter."""
    mm_id, current, counter = _fields(_COUNTER, text)
    return mm_id, current == "1", counter


def parse_syscall(text: str) -> int:
    """Return the number of a system call by the text before its arguments or result.

    >>> parse_syscall("NR 61")
    61
    """
    name, _, number = text.partition(" ")
    if name != "NR":
        raise ValueError(text)
    return int(number)


def parse_first_argument(fields: str) -> int:
    """Return the first argument of a system call.

    >>> hex(parse_first_argument("NR 56 (1200011, 0, 0, 7f180cb11a10, 0, 0)"))
    '0x1200011'
    """
    return int(fields.partition("(")[2].partition(",")[0], 16)


def parse_vector(fields: str) -> int:
    """Return the number of an interrupt vector: ``vector=236``."""
    return int(fields.removeprefix("vector="))


def parse_msr(fields: str) -> int:
    """Return the number of a model-specific register: ``6e0, value 7d71f35acad``."""
    return int(fields.partition(",")[0], 16)


def parse_switch(fields: str) -> Switch:
    """Read ``sched:sched_switch``."""
    prev_pid, prev_state, next_comm, next_pid = _fields(_SWITCH, fields)
    return Switch(int(prev_pid), prev_state, next_comm, int(next_pid))


def parse_wake(fields: str) -> tuple[str, int, int]:
    """Return comm and number of the woken task, and the CPU on which it is to run."""
    comm, pid, cpu = _fields(_WAKE, fields)
    return comm, int(pid), int(cpu)


def parse_fork(fields: str) -> tuple[str, int]:
    """Return comm and number of the child."""
    comm, pid = _fields(_FORK, fields)
    return comm, int(pid)


def parse_tlb_flush(fields: str) -> tuple[int, int]:
    """Return the number of pages flushed (-1: all) and the number of the reason."""
    pages, reason = _fields(_TLB_FLUSH, fields)
    return int(pages), int(reason)


def parse_handler(fields: str) -> tuple[int, str]:
    """Return number and, at its entry, name of a device's interrupt."""
    number, name = _fields(_HANDLER, fields)
    return int(number), name or ""


def parse_issue(fields: str) -> Request:
    """Read ``block:block_rq_issue``."""
    disk, size, sector = _fields(_ISSUE, fields)
    return Request(disk, int(sector), int(size))


def parse_complete(fields: str) -> Request:
    """Read ``block:block_rq_complete``, which does not tell the bytes."""
    disk, sector = _fields(_COMPLETE, fields)
    return Request(disk, int(sector), 0)


def _fields(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    match = pattern.match(text)
    if match is None:
        raise ValueError(text)
    return match.groups()
