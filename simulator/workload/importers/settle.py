"""Rows read back at the end of a recording, with what only the whole of it tells worked in: the recording as a stream.

They are read once to learn where each space is used, and again whenever someone reads the stream; some at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from simulator.events import BY_CODE, INTERRUPT_COMPLETION, kind_code
from simulator.stream import COLUMN, ROWS_PER_BATCH, Array, Batch, Header, exact_sum
from simulator.workload.importers.rows import FIELDS, Rows
from simulator.workload.importers.spool import Matrix, Spool

SPACE_SWITCH = kind_code("space_switch")
SPACE_DESTROY = kind_code("space_destroy")

# Kinds of rows appended on suspicion, which the end of the file confirms or not.
SPACE_SWITCH_GUESS = -1
SPACE_DESTROY_GUESS = -2
FIRST_COMPLETION_GUESS = -3

COLUMNS = (*FIELDS, "waits", "wait_latency_ns", "posts", "post_delay_ns")
"""The columns that every batch of a recording has."""

_KIND, _COUNT, _USER, _KERNEL, _IDLE, _TASK, _SPACE = range(7)
assert FIELDS[:7] == ("kind", "count", "user_ns", "kernel_ns", "idle_ns", "task", "space")


@dataclass(frozen=True, slots=True)
class Findings:
    """What the whole recording told.

    ``spaces`` has the number of each provisional space (the last element, reached by index -1, is -1); ``completions``
    are the guessed kinds that are completions of interrupts; ``users`` are the tasks that ran in user mode, between
    whose spaces guessed switches are real (None: no guess is).
    """

    spaces: Matrix
    completions: Sequence[int]
    users: Sequence[int] | None


@dataclass(slots=True)
class Survey:
    """What the rows hold: events by kind, and how many completions and switches were guessed and are confirmed.

    ``numbers`` has the final number of each provisional space, in the order of making without those that do not occur.
    ``no_ends`` are, for each CPU, rows by which a space seemed to end and did not.
    """

    numbers: Matrix
    events: dict[str, int] = field(default_factory=dict)
    completions: int = 0
    switches: int = 0
    no_ends: list[Matrix] = field(default_factory=list)


class _Part(NamedTuple):
    """Consecutive rows of one CPU from number ``first`` on; guesses not confirmed have a kind below zero."""

    first: int
    rows: Matrix
    completions: int
    switches: int


class Recording:
    """The rows of a recording as a stream (``EventStream``)."""

    def __init__(self, header: Header, cpus: Sequence[Rows], findings: Findings, spool: Spool, survey: Survey) -> None:
        self._header = header
        self._cpus = cpus
        self._findings = findings
        self._spool = spool
        self._survey = survey

    @property
    def header(self) -> Header:
        """What the stream says of itself."""
        return self._header

    def batches(self, vcpu: int) -> Iterator[Batch]:
        """Give the rows of one virtual CPU, in order, from the beginning."""
        return _batches(self._columns(self._cpus[vcpu], self._survey.no_ends[vcpu]))

    def _columns(self, cpu: Rows, no_ends: Matrix) -> Iterator[dict[str, Array]]:
        waits, posts = cpu.waits.in_order(), cpu.posts.in_order()
        for first, rows, _, _ in _settled(cpu, self._findings, self._spool):
            kept = rows[:, _KIND] > 0
            kept[_noted(no_ends, first, len(rows))[:, 0]] = False
            columns = dict(zip(FIELDS, np.ascontiguousarray(rows[kept].T), strict=True))
            columns["space"] = self._survey.numbers[columns["space"]]
            columns["waits"], columns["wait_latency_ns"] = _sparse(_noted(waits, first, len(rows)), kept)
            columns["posts"], columns["post_delay_ns"] = _sparse(_noted(posts, first, len(rows)), kept)
            yield {name: columns[name].astype(COLUMN[name].dtype, copy=False) for name in COLUMNS}


def survey(cpus: Sequence[Rows], findings: Findings, spool: Spool) -> Survey:
    """Read all rows once."""
    found = Survey(findings.spaces)
    events: Counter[int] = Counter()
    last_used = np.full(len(findings.spaces), -1, np.int64)  # ns, by space; the last stands for no space
    ends = []
    for cpu in cpus:
        own = _Uses(len(last_used))
        for part in _settled(cpu, findings, spool):
            found.completions += part.completions
            found.switches += part.switches
            own.add(part, findings.spaces, events)
        np.maximum(last_used, own.last_time, out=last_used)
        ends.append(own)
    for own in ends:
        found.no_ends.append(own.seeming_ends(last_used))
        events[SPACE_DESTROY] -= len(found.no_ends[-1])
    used = last_used >= 0
    used[-1] = False
    found.numbers = np.where(used, np.cumsum(used) - 1, -1)[findings.spaces]
    found.events = {BY_CODE[code].name: events[code] for code in sorted(events) if events[code]}
    return found


class _Uses:
    """When one CPU uses each space: its last row and that row's time (-1: never), and the rows by which spaces end."""

    def __init__(self, spaces: int) -> None:
        self.last_row, self.last_time = np.full((2, spaces), -1, np.int64)
        self._now = 0
        self._ends: list[Matrix] = []

    def add(self, part: _Part, numbers: Matrix, events: Counter[int]) -> None:
        """Take in the next rows; count their events by kind."""
        rows = part.rows
        times = self._now + np.cumsum(rows[:, _USER] + rows[:, _KERNEL] + rows[:, _IDLE])
        self._now = int(times[-1]) if len(times) else self._now
        kept = np.flatnonzero(rows[:, _KIND] > 0)
        kinds, spaces, times = rows[kept, _KIND], numbers[rows[kept, _SPACE]], times[kept]
        for code in np.unique(kinds).tolist():
            events[code] += exact_sum(rows[kept[kinds == code], _COUNT])
        self.last_row[spaces] = part.first + kept  # of several alike, the last stays
        self.last_time[spaces] = times
        where = kinds == SPACE_DESTROY
        self._ends.append(np.stack((part.first + kept[where], spaces[where], times[where])))

    def seeming_ends(self, last_used: Matrix) -> Matrix:
        """Return rows by which a space ended that was used again, by a task that was not known to share it."""
        rows, spaces, times = np.concatenate(self._ends, axis=1)
        used_later = (rows < self.last_row[spaces]) | (times < last_used[spaces])
        return np.array(rows[used_later], dtype=np.int64).reshape(-1, 1)


def _settled(cpu: Rows, findings: Findings, spool: Spool) -> Iterator[_Part]:
    """Give the rows of a CPU with their final kinds and times; their spaces are the provisional ones."""
    first, last_space = 0, -2
    kernel_rows, ends = cpu.kernel_rows.in_order(), cpu.ends.in_order()
    for rows in cpu.table.parts(spool):
        kernel = _noted(kernel_rows, first, len(rows))[:, 0]
        rows[kernel, _KERNEL] += rows[kernel, _IDLE]
        rows[kernel, _IDLE] = 0
        kinds = rows[:, _KIND]
        kinds[_noted(ends, first, len(rows))[:, 0]] = SPACE_DESTROY
        completions = np.flatnonzero(np.isin(kinds, findings.completions))
        kinds[completions] = INTERRUPT_COMPLETION
        switches, last_space = _confirmed_switches(rows, findings, last_space)
        kinds[switches] = SPACE_SWITCH
        yield _Part(first, rows, len(completions), len(switches))
        first += len(rows)


def _confirmed_switches(rows: Matrix, findings: Findings, last_space: int) -> tuple[Matrix, int]:
    """Return which guessed space switches are real, ``last_space`` being that before them; and the last's space."""
    if findings.users is None:
        return np.zeros(0, np.int64), last_space
    guesses = np.flatnonzero(rows[:, _KIND] == SPACE_SWITCH_GUESS)
    guesses = guesses[np.isin(rows[guesses, _TASK], findings.users)]
    spaces = findings.spaces[rows[guesses, _SPACE]]
    return guesses[np.diff(spaces, prepend=last_space) != 0], int(spaces[-1]) if len(spaces) else last_space


def _noted(noted: Matrix, first: int, count: int) -> Matrix:
    """Return what was noted of ``count`` rows from ``first`` on, with row numbers that count from there."""
    begin, end = np.searchsorted(noted[:, 0], (first, first + count))
    part = noted[begin:end].copy()
    part[:, 0] -= first
    return part


def _sparse(noted: Matrix, kept: Array) -> tuple[Matrix, Matrix]:
    """Make two columns of the kept rows from what was noted: a signal (-1 elsewhere) and a time (0 elsewhere)."""
    signals, times = np.full(len(kept), -1, np.int64), np.zeros(len(kept), np.int64)
    signals[noted[:, 0]], times[noted[:, 0]] = noted[:, 1], noted[:, 2]
    return signals[kept], times[kept]


def _batches(parts: Iterable[dict[str, Array]]) -> Iterator[Batch]:
    """Cut columns that come some rows at a time into batches of the usual size; the last holds the rest."""
    waiting: list[dict[str, Array]] = []
    rows = 0
    for part in parts:
        waiting.append(part)
        rows += len(part["kind"])
        if rows >= ROWS_PER_BATCH:
            columns = {name: np.concatenate([part[name] for part in waiting]) for name in COLUMNS}
            whole = rows - rows % ROWS_PER_BATCH
            for begin in range(0, whole, ROWS_PER_BATCH):
                yield Batch({name: values[begin : begin + ROWS_PER_BATCH] for name, values in columns.items()})
            waiting = [{name: values[whole:] for name, values in columns.items()}]
            rows -= whole
    if rows:
        yield Batch({name: np.concatenate([part[name] for part in waiting]) for name in COLUMNS})
