"""The text of ``perf script --ns -F comm,pid,tid,cpu,time,event,trace``: heads of lines, and fields by tracepoint.

A line is ``comm pid/tid [cpu] seconds.nanoseconds: tracepoint: fields``. A comm may hold spaces, colons and slashes.
Every parser here raises ValueError for fields that it cannot read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

PAGE_SHIFT = 12
PAGE_BYTES = 1 << PAGE_SHIFT
_BITS_63 = (1 << 63) - 1
MEMO_TEXTS = 1 << 16

CLONE, FORK, VFORK, CLONE3 = 56, 57, 58, 435
CLONE_VM = 0x100
NO_CALL = -1
NO_TASK = -1
SHARE_SPACE = (VFORK, CLONE3)
"""System calls whose child lives in its parent's space; that of ``clone`` does if its flags say so."""

K = TypeVar("K")
V = TypeVar("V")

# A comm has 15 bytes, but others may be written escaped; the bounds keep the search in a line that is none short.
_LINE = re.compile(
    rb"(\s{0,64}\S(?:.{0,62}\S)?\s{1,64}(?:\d{1,9}/\d{1,9}|(?:\d{1,9}|-1)/-1)\s{1,64}\[\d{1,9}\])"
    rb"(\s{1,64}\d{1,9}\.\d{9}):\s{1,64}[^\s:]\S*?:(?: |$)"
)
_PLACE = re.compile(rb"\s*(.*?)\s+(\d+|-1)/(\d+|-1)\s+\[(\d+)\]")
_COUNTER = re.compile(r"mm_id=(\d+) curr=([01]) type=(MM_(?:FILE|ANON|SHMEM)PAGES|MM_SWAPENTS)$")
_SWITCH = re.compile(
    r"prev_comm=.*? prev_pid=(\d{1,9}) prev_prio=-?\d+ prev_state=(\S+) ==> next_comm=(.*?) next_pid=(\d{1,9}) "
)
_WAKE = re.compile(r"comm=(.*) pid=(\d{1,9}) prio=-?\d+ .*target_cpu=(\d{1,9})")
_FORK = re.compile(r"comm=.* pid=\d+ child_comm=(.*) child_pid=(\d{1,9})")
_TLB_FLUSH = re.compile(r"pages:(-?\d+) reason:.*\((\d+)\)")
_HANDLER = re.compile(r"irq=(\d+) (?:name=(.*)|ret=\w+)")
_ISSUE = re.compile(r"(\d+,\d+) \S+ (\d+) \(.*?\) (\d+) \+ \d+")
_COMPLETE = re.compile(r"(\d+,\d+) \S+ \(.*?\) (\d+) \+ \d+")


class Layout(NamedTuple):
    """Where in a line its place (up to the CPU's closing bracket) and its time end, and its fields begin."""

    place_end: int
    time_end: int
    fields: int


class Head(NamedTuple):
    """A line's place and tracepoint, with what stands around them, its time (ns), and its fields as text."""

    place: bytes
    name: bytes
    time: int
    fields: str
    layout: Layout


class Place(NamedTuple):
    """Where a line comes from; ``tid`` is ``NO_TASK`` where the kernel has forgotten the task's number."""

    comm: str
    pid: int
    tid: int
    cpu: int


CounterHead = tuple[str, bool, str]
"""The fields of ``kmem:rss_stat`` before the size: address space, whether it runs, and counter."""


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


def parse_head(line: bytes) -> Head:
    """Read a line, but for the meaning of its fields.

    >>> parse_head(b"cc1 7/9 [001] 3.000000005: msr:read_msr: 3b").time
    3000000005
    """
    match = _LINE.match(line)
    if match is None:
        raise ValueError(line)
    (_, place_end), (begin, time_end), fields = match.span(1), match.span(2), match.end()
    layout = Layout(place_end, time_end, fields)
    time = int(line[begin:time_end].replace(b".", b""))
    text = line[fields:].decode("utf-8", errors="backslashreplace")
    return Head(line[:place_end], line[time_end:fields], time, text, layout)


def parse_place(text: bytes) -> Place:
    """Read the beginning of a line.

    >>> parse_place(b"  Web Content     7/9     [001]")
    Place(comm='Web Content', pid=7, tid=9, cpu=1)
    """
    match = _PLACE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    comm, pid, tid, cpu = match.groups()
    return Place(comm.decode("utf-8", errors="backslashreplace"), int(pid), int(tid), int(cpu))


class Memo(dict[K, V]):
    """What texts that come again and again mean, each read once; of limited size, however many texts there are."""

    def __init__(self, parse: Callable[[K], V]) -> None:
        super().__init__()
        self._parse = parse

    def __missing__(self, text: K) -> V:
        """Read a text that was not met before, or not lately."""
        if len(self) >= MEMO_TEXTS:
            self.clear()
        value = self[text] = self._parse(text)
        return value


def parse_fault(fields: str) -> tuple[int, tuple[int, int]]:
    """Return page number (-1 if told as a symbol), and code address and x86 error code of a page fault.

    >>> parse_fault("address=0x7ffce1f19279 ip=_copy_to_user error_code=0x2")
    (34356469529, (-1, 2))
    """
    address, _, end = fields.partition(" ip=")
    page = int(address[8:], 16) >> PAGE_SHIFT if address.startswith("address=0x") else -1
    return page, parse_fault_end(end)


def parse_fault_end(text: str) -> tuple[int, int]:
    """Return code address (63 bits of it; -1 for a symbol) and error code of a page fault.

    >>> parse_fault_end("0xffffffff81234567 error_code=0x2") == (0x7FFFFFFF81234567, 2)
    True
    """
    site, _, error = text.rpartition(" error_code=")
    code = int(error, 16)
    if not 0 <= code <= _BITS_63:
        raise ValueError(text)
    return int(site, 16) & _BITS_63 if site.startswith("0x") else -1, code


def parse_counter(fields: str) -> tuple[int, CounterHead]:
    """Return the size of a memory counter (``kmem:rss_stat``), in bytes, and which counter it is.

    >>> parse_counter("mm_id=7 curr=1 type=MM_FILEPAGES size=8192B")
    (8192, ('7', True, 'MM_FILEPAGES'))
    """
    head, _, size = fields.rpartition(" size=")
    counter = parse_counter_head(head)
    return int(size[:-1]), counter


def parse_counter_head(text: str) -> CounterHead:
    """Return the fields of ``kmem:rss_stat`` before the size."""
    mm_id, current, counter = _fields(_COUNTER, text)
    return mm_id, current == "1", counter


def parse_syscall(fields: str) -> tuple[int, bool]:
    """Return the number of a system call, at its entry or exit, and whether a child that it makes shares the space.

    The number is -1 where there is none: the return from a signal's handler ends as no call (``NR -1``).

    >>> parse_syscall("NR 61 = 0"), parse_syscall("NR 56 (1200100, 0, 0)")
    ((61, False), (56, True))
    """
    name, text, rest = fields.split(" ", 2)
    number = int(text)
    if name != "NR" or number < NO_CALL:
        raise ValueError(fields)
    if number == CLONE and rest.startswith("("):
        return CLONE, bool(int(rest[1:].partition(",")[0], 16) & CLONE_VM)
    return number, number in SHARE_SPACE


def parse_vector(fields: str) -> int:
    """Return the number of an interrupt vector: ``vector=236``."""
    return _number(fields.removeprefix("vector="))


def parse_msr(fields: str) -> int:
    """Return the number of a model-specific register: ``6e0, value 7d71f35acad``."""
    return _number(fields.partition(",")[0], 16)


def _number(text: str, base: int = 10) -> int:
    """Return a number that is not negative and has up to 63 bits."""
    number = int(text, base)
    if not 0 <= number <= _BITS_63:
        raise ValueError(text)
    return number


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


def parse_exit(fields: str) -> bool:
    """Return whether a task that exits may be its process's last; newer kernels have the field ``group_dead``."""
    return "group_dead=false" not in fields


def parse_tlb_flush(fields: str) -> tuple[int, int]:
    """Return the number of pages flushed (-1: all) and the number of the reason."""
    pages, reason = _fields(_TLB_FLUSH, fields)
    return int(pages), int(reason)


def parse_handler(fields: str) -> tuple[int, str]:
    """Return number and, at its entry, name of a device's interrupt."""
    number, name = _fields(_HANDLER, fields)
    return _number(number), name or ""


def parse_issue(fields: str) -> Request:
    """Read ``block:block_rq_issue``."""
    disk, size, sector = _fields(_ISSUE, fields)
    return Request(disk, int(sector), _number(size))


def parse_complete(fields: str) -> Request:
    """Read ``block:block_rq_complete``, which does not tell the bytes."""
    disk, sector = _fields(_COMPLETE, fields)
    return Request(disk, int(sector), 0)


def _fields(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    match = pattern.match(text)
    if match is None:
        raise ValueError(text)
    return match.groups()


PARSERS: Mapping[str, Callable[[str], Any]] = {
    "raw_syscalls:sys_enter": parse_syscall,
    "raw_syscalls:sys_exit": parse_syscall,
    "exceptions:page_fault_user": parse_fault,
    "exceptions:page_fault_kernel": parse_fault,
    "kmem:rss_stat": parse_counter,
    "tlb:tlb_flush": parse_tlb_flush,
    "sched:sched_switch": parse_switch,
    "sched:sched_waking": parse_wake,
    "sched:sched_wakeup_new": parse_wake,
    "sched:sched_process_fork": parse_fork,
    "sched:sched_process_exit": parse_exit,
    "irq:irq_handler_entry": parse_handler,
    "irq:irq_handler_exit": parse_handler,
    "block:block_rq_issue": parse_issue,
    "block:block_rq_complete": parse_complete,
    "msr:read_msr": parse_msr,
    "msr:write_msr": parse_msr,
}
"""What reads the fields of each tracepoint that has any of use; vectors of interrupts are told by their names."""
PAIRS = (
    "raw_syscalls:sys_enter",
    "raw_syscalls:sys_exit",
    "exceptions:page_fault_user",
    "exceptions:page_fault_kernel",
    "kmem:rss_stat",
)
"""Tracepoints whose fields are two things to their handlers; those of all others are one."""
_VECTORS = "irq_vectors:"


def parser(name: str) -> Callable[[str], Any] | None:
    """Return what reads the fields of a tracepoint; None if they are not needed.

    >>> parser("irq_vectors:local_timer_entry")("vector=236")
    236
    """
    return parse_vector if vector_edge(name) is not None else PARSERS.get(name)


def vector_edge(name: str) -> tuple[str, str] | None:
    """Return the interrupt vector of a tracepoint, and whether its lines are of an ``entry`` or an ``exit``.

    >>> vector_edge("irq_vectors:call_function_entry"), vector_edge("irq:softirq_entry")
    (('call_function', 'entry'), None)
    """
    vector, _, edge = name.removeprefix(_VECTORS).rpartition("_")
    return (vector, edge) if name.startswith(_VECTORS) and edge in ("entry", "exit") else None
