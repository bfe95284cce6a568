"""The rows of one virtual CPU while they are gathered: their gaps, and the signals that they await and post.

Rows are appended as packed numbers, which is fast and small, and what becomes known of a row only later (that an idle
CPU was already on its way to wake, that someone awaits a row) is kept beside them by row number, and worked in at the
end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.events import HALT, kind_code
from simulator.stream import COLUMN, ROWS_PER_BATCH, START_SIGNAL, Batch

PAGE_FAULT = kind_code("page_fault")
SYSCALL = kind_code("syscall")
PTE_MODIFY = kind_code("pte_modify")
PTE_CLEAR = kind_code("pte_clear")
PTE_SET = kind_code("pte_set")
TLB_FLUSH_PAGE = kind_code("tlb_flush_page")

_FIELDS = (
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
_ROW = Struct(f"{len(_FIELDS)}q")
_pack = _ROW.pack
_CODE = Struct("q")
_KIND, _KERNEL, _IDLE, _SPACE, _PAGE = map(_FIELDS.index, ("kind", "kernel_ns", "idle_ns", "space", "page"))
NEVER = -1

Matrix = npt.NDArray[np.int64]


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
                post.rows.posts[post.row] = (post.signal, post.signal_time - post.time)
        return post.signal


class Rows:
    """The rows of one virtual CPU, and the time since the last of them by mode (``user``, ``kernel``, ``idle``), ns.

    ``now`` is the time of the line being read (ns) and ``tid`` the task that runs.
    ``idle_rows`` are rows (number, time) of the present idle time since its last halt. ``unanchored`` is a signal and
    its time: the next row waits for it until its own recorded time. ``implied`` is the page-table write (kind, space,
    page) that the fault before implies as long as no memory counter tells of one: an entry changed where the page was
    present, and set where it was not. ``fault`` is that fault (page, space), and ``answered`` whether a counter has
    told what it set.
    """

    __slots__ = (
        *("now", "tid", "user", "kernel", "idle", "is_idle", "idle_rows", "unanchored", "implied", "fault", "answered"),
        *("waits", "posts", "kernel_rows", "_rows", "_columns"),
    )

    def __init__(self, start: int) -> None:
        self.now = start
        self.tid = 0
        self.user = self.kernel = self.idle = 0
        self.is_idle = False
        self.idle_rows: list[tuple[int, int]] = []
        self.unanchored: tuple[int, int] | None = None
        self.implied: tuple[int, int, int] | None = None
        self.fault: tuple[int, int] | None = None
        self.answered = False
        self.waits: dict[int, tuple[int, int]] = {}
        self.posts: dict[int, tuple[int, int]] = {}
        self.kernel_rows: list[int] = []
        self._rows = bytearray()
        self._columns: dict[str, Matrix] = {}

    @property
    def next_row(self) -> int:
        """The number that the next row will have."""
        return len(self._rows) // _ROW.size

    def event(self, kind: int, number: int = -1, device: int = -1, size: int = -1) -> None:
        """Append an event at the present moment."""
        self._append(kind, self.tid, size, device, number)

    def task_event(self, kind: int, task: int) -> None:
        """Append an event at the present moment that names another task than the running one."""
        self._append(kind, task, -1, -1, -1)

    def _append(self, kind: int, task: int, size: int, device: int, number: int) -> None:
        if self.implied is not None or self.unanchored is not None:
            self._before_event(kind)
        self._rows += _pack(kind, 1, self.user, self.kernel, self.idle, task, -1, -1, -1, size, device, number)
        self.user = self.kernel = self.idle = 0
        self.fault = None
        if self.is_idle:
            self.idle_rows.append((self.next_row - 1, self.now))

    def memory_event(self, kind: int, count: int, space: int, page: int = -1, site: int = -1) -> None:
        """Append an event of the address translation at the present moment; ``fault`` stays the fault before it."""
        if self.implied is not None or self.unanchored is not None:
            self._before_event(kind)
        self._rows += _pack(kind, count, self.user, self.kernel, self.idle, self.tid, space, page, site, -1, -1, -1)
        self.user = self.kernel = self.idle = 0
        if self.is_idle:
            self.idle_rows.append((self.next_row - 1, self.now))

    def event_at_last_row(self, kind: int, number: int = -1, device: int = -1) -> None:
        """Append an event at the moment of the last row; the time since then stays the gap of the next row."""
        self._rows += _pack(kind, 1, 0, 0, 0, self.tid, -1, -1, -1, -1, device, number)

    def memory_event_at_last_row(self, kind: int, space: int, page: int = -1) -> None:
        """Append an event of the address translation at the moment of the last row."""
        self._rows += _pack(kind, 1, 0, 0, 0, self.tid, space, page, -1, -1, -1, -1)

    def change_kind(self, row: int, kind: int) -> None:
        """Make a row that was appended on suspicion the event that it turned out to be."""
        _CODE.pack_into(self._rows, row * _ROW.size + _KIND * _CODE.size, kind)

    def halt(self) -> bool:
        """Append a halt at the last row's moment, where an idle CPU has rows and time has passed since the last."""
        if not self.idle or not self.next_row:
            return False
        self.event_at_last_row(HALT)
        self.idle_rows.clear()
        return True

    def correct_fault(self, space: int) -> None:
        """Put the fault, if it is the last row, into another space than thought."""
        if self.fault is None:
            return
        page, thought = self.fault
        self.fault = (page, space)
        if self.implied is not None:
            self.implied = (self.implied[0], space, page)
        offset = len(self._rows) - _ROW.size
        row = list(_ROW.unpack_from(self._rows, offset))
        if row[_PAGE] == page and row[_SPACE] == thought:
            row[_SPACE] = space
            _ROW.pack_into(self._rows, offset, *row)

    def write_implied(self, next_kind: int = -1) -> None:
        """Append the page-table write that a fault implied, if one is pending; ``next_kind`` is the event that follows.

        That a fault on an absent page set an entry that no counter tells of (a shared page of zeros) is certain only
        when its task goes on, as its next system call or fault shows.
        """
        if self.implied is not None:
            kind, space, page = self.implied
            self.implied = None
            if kind == PTE_MODIFY or next_kind in (SYSCALL, PAGE_FAULT):
                self.memory_event_at_last_row(kind, space, page)

    def replace_page(self) -> bool:
        """Append what a copy of a present page is, if one is implied: its entry cleared, flushed, and set anew.

        Only a copy flushes the page; a page that is written in place has its entry modified.
        """
        if self.implied is None or self.implied[0] != PTE_MODIFY:
            return False
        _, space, page = self.implied
        self.implied = None
        self.memory_event(PTE_CLEAR, 1, space, page)
        self.memory_event_at_last_row(TLB_FLUSH_PAGE, space, page)
        self.memory_event_at_last_row(PTE_SET, space, page)
        return True

    def _before_event(self, kind: int) -> None:
        self.write_implied(kind)
        if self.unanchored is not None:
            signal, time = self.unanchored
            self.unanchored = None
            self.waits[self.next_row] = (signal, self.now - time)

    def finish(self) -> None:
        """Work what became known later into the rows; then ``column`` and ``batches`` may be used."""
        matrix = np.frombuffer(self._rows, np.int64).reshape(-1, len(_FIELDS))
        matrix[self.kernel_rows, _KERNEL] += matrix[self.kernel_rows, _IDLE]
        matrix[self.kernel_rows, _IDLE] = 0
        self._columns = dict(zip(_FIELDS, np.ascontiguousarray(matrix.T), strict=True))
        self._columns |= _sparse(self.waits, len(matrix), "waits", "wait_latency_ns")
        self._columns |= _sparse(self.posts, len(matrix), "posts", "post_delay_ns")

    def column(self, name: str) -> Matrix:
        """Return one column, to be read or changed in place."""
        return self._columns[name]

    def keep(self, rows: npt.NDArray[np.bool_]) -> None:
        """Keep only some rows; those left out must have no gap and no signal."""
        kept = np.flatnonzero(rows)
        self._columns = {name: values[kept] for name, values in self._columns.items()}

    def batches(self) -> list[Batch]:
        """Return the rows as a stream's batches."""
        count = len(self._columns["kind"])
        columns = {name: values.astype(COLUMN[name].dtype, copy=False) for name, values in self._columns.items()}
        return [
            Batch({name: values[first : first + ROWS_PER_BATCH] for name, values in columns.items()})
            for first in range(0, count, ROWS_PER_BATCH)
        ]


def _sparse(entries: Mapping[int, tuple[int, int]], rows: int, signal: str, time: str) -> dict[str, Matrix]:
    """Make two columns from entries by row: a signal (-1 elsewhere) and a time (0 elsewhere)."""
    signals, times = np.full(rows, -1, np.int64), np.zeros(rows, np.int64)
    if entries:
        where = np.fromiter(entries, np.int64, len(entries))
        signals[where], times[where] = np.array(list(entries.values()), np.int64).T
    return {signal: signals, time: times}
