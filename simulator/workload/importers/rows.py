"""The rows of one virtual CPU while they are gathered: their gaps, and the signals that they await and post.

Rows are appended as packed numbers, which is fast and small. What becomes known of a row only later (that an idle CPU
was already on its way to wake, that someone awaits a row, that a space ended there) is kept beside them by row number,
and worked in when they are read back (``settle``).
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from simulator.events import HALT, kind_code
from simulator.stream import START_SIGNAL
from simulator.workload.importers.spool import Later, Table

PAGE_FAULT = kind_code("page_fault")
SYSCALL = kind_code("syscall")
PTE_MODIFY = kind_code("pte_modify")
PTE_CLEAR = kind_code("pte_clear")
PTE_SET = kind_code("pte_set")
TLB_FLUSH_PAGE = kind_code("tlb_flush_page")

FIELDS = (
    "kind",
    "count",
    "user_ns",
    "kernel_ns",
    "idle_ns",
    "task",
    "space",
    "page",
    "site",
    "size",
    "device",
    "number",
)
_ROW = Struct(f"{len(FIELDS)}q")
_ROW_BYTES = _ROW.size
pack = _ROW.pack
_SPACE, _PAGE = map(FIELDS.index, ("space", "page"))
NEVER = -1
NO_WRITE = 0


@dataclass(slots=True, eq=False)
class Post:
    """A row that can post a signal: its time in a replay at no cost, and the time of the signal, both in nanoseconds.

    The signal's time is settled by the first who may wait for it (``reserve``), its number by the first who does.
    """

    rows: Rows | None
    row: int
    time: int
    signal_time: int = NEVER
    signal: int = NEVER

    def reserve(self, time: int) -> int:
        """Settle the signal's time, if it is not yet, to ``time`` or as soon after as it can be; return it."""
        if self.signal_time == NEVER:
            self.signal_time = max(time, self.time)
        return self.signal_time


class Cause(NamedTuple):
    """What ends a task's wait: the post, when it did in the recording (ns), and of what sort it was."""

    post: Post
    time: int
    sort: str


class Signals:
    """Numbers signals as they are first awaited; the signal of the run's start is there from the beginning."""

    def __init__(self, start: int) -> None:
        self.start = Post(None, -1, start, start, START_SIGNAL)
        self.count = 1

    def number(self, post: Post) -> int:
        """Return the signal of a post, given its number and entered into its row at the first call."""
        if post.signal == NEVER:
            post.signal = self.count
            self.count += 1
            if post.rows is not None:
                post.rows.posts.add(post.row, post.signal, post.signal_time - post.time)
        return post.signal


class Rows:
    """The rows of one virtual CPU, and the time since the last of them by mode (``user``, ``kernel``, ``idle``), ns.

    ``now`` is the time of the line being read (ns) and ``tid`` the task that runs. ``next_row`` is the number that the
    next row will have. ``table`` has the rows themselves,
    and ``buffer`` is its buffer. ``idle_rows`` are rows (number, time) of the present idle time since its last halt.
    ``unanchored`` is a signal and its time: the next row waits for it until its own recorded time. ``fault`` is the
    latest fault (page, space), and ``answered`` whether a counter has told what it set. ``implied`` is the page-table
    write (its kind) that this fault implies as long as no memory counter tells of one: an entry changed where the page
    was present, and set where it was not.
    """

    __slots__ = (
        *("now", "tid", "user", "kernel", "idle", "is_idle", "idle_rows", "unanchored", "implied", "fault", "answered"),
        *("waits", "posts", "kernel_rows", "ends", "table", "buffer", "next_row"),
    )

    def __init__(self, start: int) -> None:
        self.now = start
        self.tid = 0
        self.user = self.kernel = self.idle = 0
        self.is_idle = False
        self.idle_rows: list[tuple[int, int]] = []
        self.unanchored: tuple[int, int] | None = None
        self.implied = NO_WRITE
        self.fault: tuple[int, int] | None = None
        self.answered = False
        self.waits = Later(3)
        self.posts = Later(3)
        self.kernel_rows = Later(1)
        self.ends = Later(1)
        self.table = Table(_ROW_BYTES)
        self.buffer = self.table.buffer
        self.next_row = 0

    def event(self, kind: int, number: int = -1, device: int = -1, size: int = -1) -> None:
        """Append an event at the present moment."""
        if self.implied or self.unanchored is not None:
            self._before_event(kind)
        self.buffer += pack(kind, 1, self.user, self.kernel, self.idle, self.tid, -1, -1, -1, size, device, number)
        self.user = self.kernel = self.idle = 0
        self.fault = None
        if self.is_idle:
            self.idle_rows.append((self.next_row, self.now))
        self.next_row += 1

    def task_event(self, kind: int, task: int) -> None:
        """Append an event at the present moment that names another task than the running one; ``event`` written out."""
        if self.implied or self.unanchored is not None:
            self._before_event(kind)
        self.buffer += pack(kind, 1, self.user, self.kernel, self.idle, task, -1, -1, -1, -1, -1, -1)
        self.user = self.kernel = self.idle = 0
        self.fault = None
        if self.is_idle:
            self.idle_rows.append((self.next_row, self.now))
        self.next_row += 1

    def memory_event(self, kind: int, count: int, space: int, page: int = -1, site: int = -1) -> None:
        """Append an event of the address translation at the present moment; ``fault`` stays the fault before it."""
        if self.implied or self.unanchored is not None:
            self._before_event(kind)
        self.buffer += pack(kind, count, self.user, self.kernel, self.idle, self.tid, space, page, site, -1, -1, -1)
        self.user = self.kernel = self.idle = 0
        if self.is_idle:
            self.idle_rows.append((self.next_row, self.now))
        self.next_row += 1

    def event_at_last_row(self, kind: int, number: int = -1, device: int = -1) -> None:
        """Append an event at the moment of the last row; the time since then stays the gap of the next row."""
        self.buffer += pack(kind, 1, 0, 0, 0, self.tid, -1, -1, -1, -1, device, number)
        self.next_row += 1

    def memory_event_at_last_row(self, kind: int, space: int, page: int = -1) -> None:
        """Append an event of the address translation at the moment of the last row."""
        self.buffer += pack(kind, 1, 0, 0, 0, self.tid, space, page, -1, -1, -1, -1)
        self.next_row += 1

    def halt(self) -> bool:
        """Append a halt at the last row's moment, where an idle CPU has rows and time has passed since the last."""
        if not self.idle or not self.next_row:
            return False
        self.event_at_last_row(HALT)
        self.idle_rows.clear()
        return True

    def correct_fault(self, space: int) -> None:
        """Put the latest fault into another space than thought, with its row if that is still the last."""
        if self.fault is None:
            return
        page, thought = self.fault
        self.fault = (page, space)
        offset = len(self.buffer) - _ROW_BYTES
        row = list(_ROW.unpack_from(self.buffer, offset))
        if row[_PAGE] == page and row[_SPACE] == thought:
            row[_SPACE] = space
            _ROW.pack_into(self.buffer, offset, *row)

    def write_implied(self, next_kind: int = -1) -> None:
        """Append the page-table write that a fault implied, if one is pending; ``next_kind`` is the event that follows.

        That a fault on an absent page set an entry that no counter tells of (a shared page of zeros) is certain only
        when its task goes on, as its next system call or fault shows.
        """
        kind, self.implied = self.implied, NO_WRITE
        if self.fault is not None and (kind == PTE_MODIFY or (kind and next_kind in (SYSCALL, PAGE_FAULT))):
            page, space = self.fault
            self.memory_event_at_last_row(kind, space, page)

    def replace_page(self) -> bool:
        """Append what a copy of a present page is, if one is implied: its entry cleared, flushed, and set anew.

        Only a copy flushes the page; a page that is written in place has its entry modified.
        """
        if self.implied != PTE_MODIFY or self.fault is None:
            return False
        page, space = self.fault
        self.implied = NO_WRITE
        self.memory_event(PTE_CLEAR, 1, space, page)
        self.memory_event_at_last_row(TLB_FLUSH_PAGE, space, page)
        self.memory_event_at_last_row(PTE_SET, space, page)
        return True

    def _before_event(self, kind: int) -> None:
        self.write_implied(kind)
        if self.unanchored is not None:
            signal, time = self.unanchored
            self.unanchored = None
            self.waits.add(self.next_row, signal, self.now - time)
