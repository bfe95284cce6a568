"""A window of a recording: what ran from one moment of recorded time to another, fit to be replayed by itself.

The recorded time of a row is the sum of the gaps up to it. A window holds the rows from its first moment on, up to and
without its last; one that reaches to the end of the recording holds that moment too. So a moment is never split, and
windows that touch hold each row once.

**Gaps at the edges.** A gap that an edge falls into is divided there. What ran in it is taken to be kernel computation
first, then user computation, then idle time, the order in which a replay takes costs off it. The parts stand in rows of
computation, which are no events: one at the beginning of a virtual CPU's window, one at its end.

**Waits at the beginning.** A signal that was posted before the window is not in it. When it came is known, so a wait
for it becomes a wait for the start of the run, with the latency that leads to the same moment; one that came before the
window is one for the start itself. A slower event cannot delay such a signal any more, as it lies outside.

**Idle time at the end.** A virtual CPU that is idle when the window ends waits until then: for the signal that ends its
idle time, if the window has the row that posts it (which then posts no later than at the window's end), else for the
start of the run. So a replay under the recording machine's own costs ends when the window ended; or when the last event
of the window has been served, if that reaches beyond it.

What state a model has at the beginning (shadows, translations, which space a virtual CPU is in) is not known in a
window. Address spaces, tasks and devices keep their numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from simulator.errors import StreamError
from simulator.stream import AS_RECORDED, START_SIGNAL, Array, Batch, EventStream, Header
from simulator.workload.batches import gathered, recorded_moments, row_of_computation, running_task

_MODES = ("kernel_ns", "user_ns", "idle_ns")


@dataclass(frozen=True, slots=True)
class Window:
    """From ``begin`` to ``end``, nanoseconds of recorded time; ``last`` if the end is the recording's, and in it."""

    begin: int
    end: int
    last: bool

    @classmethod
    def of(cls, header: Header, begin: int, end: int | None) -> Window:
        """Check a window against a recording; it ends with the recording where ``end`` is None.

        Raises:
            StreamError: nothing was recorded, or the window is empty or reaches beyond the recording.
        """
        whole = header.recorded_ns
        if not whole:
            raise StreamError(f"'{header.title}' has no recorded time to cut by: it is a synthetic stream")
        end = whole if end is None else end
        if end > whole:
            raise StreamError(f"the window ends at {_seconds(end)}, and the recording at {_seconds(whole)} already")
        if begin >= whole:
            raise StreamError(f"the window begins at {_seconds(begin)}, and the recording ends at {_seconds(whole)}")
        if begin >= end:
            raise StreamError(f"the window is empty: it begins at {_seconds(begin)} and ends at {_seconds(end)}")
        return cls(begin, end, end == whole)

    def rows(self, moments: Array) -> tuple[int, int]:
        """Return the first of the rows in the window and the first after it, by their moments in ascending order."""
        end = len(moments) if self.last else int(np.searchsorted(moments, self.end))
        return int(np.searchsorted(moments, self.begin)), end

    def portion(self, batch: Batch, row: int, moment: int) -> dict[str, int]:
        """Return what of the gap before a row, which lies at a moment, is in the window: nanoseconds by column."""
        at = moment - sum(batch.cell(mode, row) for mode in _MODES)
        found = {}
        for mode in _MODES:
            begin, at = at, at + batch.cell(mode, row)
            found[mode] = max(0, min(at, self.end) - max(begin, self.begin))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """The signals that rows of a window wait for.

    ``numbers`` ascend, ``times`` are those of the recording, and ``posted`` tells whether a row of the window posts it.
    """

    numbers: Array
    times: Array
    posted: Array

    @classmethod
    def of(cls, recording: EventStream, window: Window) -> Signals:
        """Find the signals that the window waits for; reads the recording twice, up to the window's end."""
        numbers = np.array([START_SIGNAL])
        for part, _ in _every(recording, window, with_next=True):
            waits = part.column("waits")
            numbers = np.union1d(numbers, waits[waits >= 0])
        times = np.full(len(numbers), window.end, np.int64)
        posted = np.zeros(len(numbers), np.bool_)
        times[numbers == START_SIGNAL] = 0
        for part, moments in _every(recording, replace(window, begin=0)):
            posting = np.flatnonzero(np.isin(part.column("posts"), numbers[numbers > START_SIGNAL]))
            which = np.searchsorted(numbers, part.column("posts")[posting])
            times[which] = moments[posting] + part.column("post_delay_ns")[posting]
            posted[which] = moments[posting] >= window.begin
        return cls(numbers, times, posted)

    def find(self, numbers: Array) -> tuple[Array, Array]:
        """Return the time of each signal, and whether the window has its post."""
        which = np.searchsorted(self.numbers, numbers)
        return self.times[which], self.posted[which]


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A window of a recording as a stream of its own; see this module's text.

    Memory: a batch, and 17 bytes for each signal that the window waits for.
    """

    header: Header
    recording: EventStream
    window: Window
    signals: Signals

    def batches(self, vcpu: int) -> Iterator[Batch]:
        """Give the rows of one virtual CPU, in order."""
        return gathered(self._parts(vcpu))

    def _parts(self, vcpu: int) -> Iterator[Batch]:
        task = -1
        for batch, moments in _with_moments(self.recording, vcpu):
            first, end = self.window.rows(moments)
            task = running_task(batch.part(0, first), task)
            if first < end:
                yield from self._inside(batch.part(first, end), moments[first:end], task)
            task = running_task(batch.part(first, end), task)
            if end < len(batch):
                yield from self._tail(batch, end, int(moments[end]), task)
                return

    def _inside(self, batch: Batch, moments: Array, task: int) -> Iterator[Batch]:
        """Give rows of the window; before them what of the first gap is in it, if the window begins in that gap."""
        columns = dict(batch.columns) | self._waits(batch, moments) | self._posts(batch, moments)
        if moments[0] - batch.gaps()[0] < self.window.begin:
            portion = self.window.portion(batch, 0, int(moments[0]))
            if portion["kernel_ns"] or portion["user_ns"]:
                yield row_of_computation(user_ns=portion["user_ns"], kernel_ns=portion["kernel_ns"], task=task)
            for mode in _MODES:
                columns[mode] = batch.column(mode).copy()
                columns[mode][0] = portion["idle_ns"] if mode == "idle_ns" else 0
        yield Batch(columns)

    def _waits(self, batch: Batch, moments: Array) -> dict[str, Array]:
        """Let rows wait for the start of the run where the signal is not posted in the window."""
        if "waits" not in batch.columns:
            return {}
        waits, latency = batch.columns["waits"], batch.column("wait_latency_ns")
        rows = np.flatnonzero(waits >= 0)
        times, posted = self.signals.find(waits[rows])
        outside = rows[~posted]
        waits, latency = waits.copy(), latency.copy()
        until = np.minimum(times[~posted] + latency[outside], moments[outside])
        waits[outside], latency[outside] = START_SIGNAL, np.maximum(until - self.window.begin, 0)
        return {"waits": waits, "wait_latency_ns": latency}

    def _posts(self, batch: Batch, moments: Array) -> dict[str, Array]:
        """Let signals that come after the window come at its end: only a wait until then can be left for them."""
        if "post_delay_ns" not in batch.columns or self.window.last:
            return {}
        return {"post_delay_ns": np.minimum(batch.columns["post_delay_ns"], self.window.end - moments)}

    def _tail(self, batch: Batch, row: int, moment: int, task: int) -> Iterator[Batch]:
        """Give what of the gap before the first row after the window is still in it."""
        portion = self.window.portion(batch, row, moment)
        if not any(portion.values()):
            return
        if not portion["idle_ns"]:
            yield row_of_computation(**portion, task=task)
            return
        signal, time = START_SIGNAL, self.window.begin
        awaited = batch.column("waits")[row : row + 1]
        if awaited[0] > START_SIGNAL:
            times, posted = self.signals.find(awaited)
            if posted[0]:
                signal, time = int(awaited[0]), min(int(times[0]), self.window.end)
        yield row_of_computation(**portion, task=task, waits=signal, wait_latency_ns=self.window.end - time)


def cut(recording: EventStream, begin: int, end: int | None = None) -> Cut:
    """Return the window of a recording from ``begin`` to ``end`` (nanoseconds; None: to its end) as a stream.

    Raises:
        StreamError: the window is not one of this recording, holds nothing, or the stream's requests and halts take
            what time a machine gives them, so that its rows have no recorded time.
    """
    window = Window.of(recording.header, begin, end)
    header = replace(
        recording.header,
        title=f"{recording.header.title}, {_seconds(begin)} to {_seconds(window.end)}",
        recorded_ns=window.end - window.begin,
    )
    made = Cut(header, recording, window, Signals.of(recording, window))
    if not any(True for vcpu in range(header.vcpus) for _ in made.batches(vcpu)):
        raise StreamError(f"nothing was recorded from {_seconds(window.begin)} to {_seconds(window.end)}")
    return made


def _with_moments(recording: EventStream, vcpu: int) -> Iterator[tuple[Batch, Array]]:
    """Give batches with the recorded time of each row."""
    now = row = 0
    for batch in recording.batches(vcpu):
        timed = np.flatnonzero(batch.column("completion") != AS_RECORDED)
        if len(timed):
            raise StreamError(
                f"'{recording.header.title}', virtual CPU {vcpu}, row {row + int(timed[0])}: its completion takes what "
                "time a machine gives it, so that the rows have no recorded time to cut by"
            )
        moments = recorded_moments(batch, now)
        yield batch, moments
        now, row = int(moments[-1]) if len(moments) else now, row + len(batch)


def _every(recording: EventStream, window: Window, with_next: bool = False) -> Iterator[tuple[Batch, Array]]:
    """Give the rows of all virtual CPUs in a window, with their moments; ``with_next``: and the first row after it."""
    for vcpu in range(recording.header.vcpus):
        for batch, moments in _with_moments(recording, vcpu):
            first, end = window.rows(moments)
            beyond = end < len(batch)
            end += beyond and with_next
            if first < end:
                yield batch.part(first, end), moments[first:end]
            if beyond:
                break


def _seconds(nanoseconds: int) -> str:
    """Return a time as an exact number of seconds, with its unit.

    >>> _seconds(1_500_000_000), _seconds(250), _seconds(0)
    ('1.5 s', '0.00000025 s', '0 s')
    """
    whole, part = divmod(nanoseconds, 10**9)
    return f"{whole}.{part:09d}".rstrip("0").rstrip(".") + " s"
