"""A virtual CPU: what it does where it touches what others share, or sleeps; how it takes its rows is an engine's.

A row is taken in steps: compute, wait for the row's signal, the event, post the row's signal, and block if the row says
so. Interrupts (timer ticks, completions of requests) are taken between these steps and while the virtual CPU sleeps.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Literal

from simulator.engine.base import CpuTime, Outcome, Progress
from simulator.engine.census import Census
from simulator.engine.ledger import ASK, Ledger
from simulator.engine.physical import DEVICES_FIRST, Steps, Turn, rank_of
from simulator.engine.world import World
from simulator.errors import RunError
from simulator.events import HALT, INTERRUPT, INTERRUPT_COMPLETION, REQUEST_KINDS
from simulator.mechanisms import Event
from simulator.stream import AS_RECORDED, BLOCKING, Batch

Account = Literal["idle", "waiting"]


class VirtualCpu(ABC):
    """One virtual CPU: runs its rows in order, and keeps account of its time in ticks."""

    def __init__(self, world: World, number: int, progress: Progress | None) -> None:
        self.busy = self.waiting = self.idle = self.end = 0
        self.number = number
        self.ledger = Ledger(world.prices, number)
        self._world = world
        self._env = world.env
        self._progress = progress
        self._physical = number
        self._slice_end = 0
        self._next_tick = world.timer_period
        self._interrupts_due = 0
        self._under_way: list[int] = []  # when the requests that are under way complete, as a heap
        self._interrupted = False  # whether an interrupt was taken since the virtual CPU went to sleep in a halt
        self._completed = 0  # requests that have interrupted, and that neither a halt nor a request waited for
        self._wake_up = self._turn()
        self._peers: Sequence[VirtualCpu] = ()

    def run(self, peers: Sequence[VirtualCpu]) -> Steps:
        """Run all rows to the end of the stream, then wait for requests that are still under way.

        ``peers`` are all virtual CPUs of the replay, by number.
        """
        self._peers = peers
        yield from self._take_physical()
        first = 0
        for batch, census in self._world.stream.batches(self.number, self._world.reader):
            self._world.batches_taken += 1
            self.ledger.count(census)
            yield from self._rows(batch, first, census)
            first += len(batch)
            if self._progress:
                self._progress(len(batch))
        if self._under_way:
            yield from self._sleep(lambda: not self._under_way, "idle")
        yield from self._take_interrupts()
        self._give_back_physical()
        self.end = self._now
        if not self._world.contended:
            self._world.cpus.busy[self.number] = self.busy
        self._world.ended()

    @abstractmethod
    def _rows(self, batch: Batch, first: int, census: Census) -> Steps:
        """Take the rows of a batch, whose first has the number ``first``; they are counted, and their prices known."""

    @property
    def _now(self) -> int:
        return int(self._env.now)

    def _turn(self) -> Turn:
        return Turn(self._env, rank_of(self.number))

    @property
    def _disturbed(self) -> bool:
        """Whether requests are under way, or their interrupts due."""
        return bool(self._under_way or self._interrupts_due)

    def _full_row(self, row: Row) -> Steps:
        """Take the steps of one row, with all that may come between them."""
        prices = self._world.prices
        yield from self._run(prices.computation(row["user_ns"], row["kernel_ns"]))
        if row["waits"] >= 0:
            yield from self._wait(row)
        price = prices.of[row["kind"]]
        yield from self._run(
            self._world.prices.asked.ask(row.event(self.number)) if price == ASK else row["count"] * price
        )
        if row["posts"] >= 0:
            self._post(row)
        if row["completion"] != AS_RECORDED:
            yield from self._block(row)

    def _run(self, ticks: int) -> Steps:
        """Be busy, then take the interrupts that came meanwhile."""
        yield from self._occupy(ticks)
        yield from self._take_interrupts()

    def _occupy(self, ticks: int) -> Steps:
        """Be busy for some ticks; where physical CPUs are short, in slices."""
        self.busy += ticks
        if not self._world.contended:
            if ticks:
                yield self._turn().come(ticks)
            return
        while ticks:
            if self._now == self._slice_end:
                yield from self._end_slice()
            step = min(ticks, self._slice_end - self._now)
            yield self._turn().come(step)
            self._world.cpus.busy[self._physical] += step
            ticks -= step

    def _end_slice(self) -> Steps:
        """Let the next virtual CPU run if one is waiting, else go on for another slice."""
        if self._world.cpus.wanted:
            self._give_back_physical()
            yield from self._take_physical()
        else:
            self._slice_end = self._now + self._world.time_slice

    def _take_physical(self) -> Steps:
        """Get a physical CPU, waiting in the queue if none is free."""
        if not self._world.contended:
            return
        number = self._world.cpus.take()
        if number is None:
            begin, turn = self._now, self._turn()
            self._world.cpus.queue(turn)
            number = yield turn
            self.waiting += self._now - begin
        self._physical = number
        self._slice_end = self._now + self._world.time_slice

    def _give_back_physical(self) -> None:
        if self._world.contended:
            self._world.cpus.give_back(self._physical)

    def _sleep(self, over: Callable[[], bool], account: Account, until: int | None = None) -> Steps:
        """Leave the physical CPU until ``over`` holds; interrupts wake it for as long as they take.

        ``until`` is the time at which it must look again; else somebody calls ``_wake``.
        """
        self._give_back_physical()
        while True:
            yield from self._doze(account, until)
            if over() or self._interrupt_is_due:
                yield from self._take_physical()
                yield from self._take_interrupts()
                if over():
                    return
                self._give_back_physical()

    def _doze(self, account: Account, until: int | None) -> Steps:
        """Sleep until woken, or until a time, or the next tick."""
        begin = self._now
        wake_up = self._wake_up = self._turn()
        times = [time for time in (until, self._next_tick or None) if time is not None]
        if times:
            alarm = self._turn()
            alarm.callbacks = [lambda _: _come_once(wake_up)]
            alarm.come(max(0, min(times) - begin))
        yield wake_up
        if account == "idle":
            self.idle += self._now - begin
        else:
            self.waiting += self._now - begin

    def _wake(self) -> None:
        """Let a virtual CPU that dozes look whether its sleep is over; one that runs takes no notice."""
        _come_once(self._wake_up)

    @property
    def _interrupt_is_due(self) -> bool:
        return bool(self._interrupts_due or (self._next_tick and self._now >= self._next_tick))

    def _take_interrupts(self) -> Steps:
        """Serve all interrupts that are due: completions first, then timer ticks; late ticks are not lost."""
        while self._interrupt_is_due:
            if self._interrupts_due:
                self._interrupts_due -= 1
                self._completed += 1
            else:
                self._next_tick += self._world.timer_period
            self.ledger.count_interrupt()
            for kind in (INTERRUPT, INTERRUPT_COMPLETION):
                price = self._world.prices.of[kind]
                event = Event(kind, 1, self.number, *([-1] * 7))
                yield from self._occupy(self._world.prices.asked.ask(event) if price == ASK else price)
            self._interrupted = True

    def _wait(self, row: Row) -> Steps:
        """Wait for the row's signal and its latency."""
        signals, signal = self._world.signals, row["waits"]
        time = signals.time(signal)
        if time is None:
            why = f"virtual CPU {self.number} waits, in row {row.number}, for signal {signal}, which is never posted"
            self._world.stuck(self.number, why)
            signals.await_post(signal, self.number)
            yield from self._sleep(lambda: signals.time(signal) is not None, "idle")
            time = signals.time(signal) or 0
        end = time + row["wait_latency_ns"] * self._world.ticks_per_ns
        if end > self._now:
            yield from self._sleep(lambda: self._now >= end, "idle", end)

    def _post(self, row: Row) -> None:
        delay = row["post_delay_ns"] * self._world.ticks_per_ns
        for vcpu in self._world.signals.post(row["posts"], self._now + delay):
            self._world.unstuck(vcpu)
            self._peers[vcpu]._wake()

    def _block(self, row: Row) -> Steps:
        """Hand a request to its device, and sleep if the row says so; a halt sleeps until the next interrupt."""
        kind, blocking = row["kind"], row["completion"] == BLOCKING
        if kind in REQUEST_KINDS:
            for _ in range(row["count"]):
                completion = self._request(row)
            if blocking:
                yield from self._sleep(lambda: self._now >= completion, "waiting")
                self._completed -= row["count"]
        elif kind == HALT and blocking:
            for _ in range(row["count"]):
                yield from self._halt(row)

    def _halt(self, row: Row) -> Steps:
        """Sleep until the next interrupt, a completion or a tick.

        A completion that came before, and that nothing waited for, ends it at once: a guest that finds done what it
        would wait for does not sleep.
        """
        if not self._completed:
            if not (self._next_tick or self._under_way):
                raise RunError(
                    f"virtual CPU {self.number} halts, in row {row.number}, and nothing will interrupt it: there is no "
                    "timer, no request is under way, and each that completed was waited for"
                )
            self._interrupted = False
            yield from self._sleep(lambda: self._interrupted, "idle")
        self._completed = max(self._completed - 1, 0)

    def _request(self, row: Row) -> int:
        """Hand one request to its device; return when it completes."""
        world, now = self._world, self._now
        end = world.queue(row["device"]).completion(now, row["size"], world.ticks_per_ns)
        completion = Turn(self._env, DEVICES_FIRST)
        completion.callbacks = [lambda _: self._complete()]
        completion.come(end - now)
        heapq.heappush(self._under_way, end)
        return end

    def _complete(self) -> None:
        heapq.heappop(self._under_way)  # completions come in the order of their times
        self._interrupts_due += 1
        self._wake()


def _come_once(turn: Turn) -> None:
    if not turn.triggered:
        turn.come()


class Row:
    """One row of a batch, its cells read when asked for."""

    __slots__ = ("_batch", "_index", "number")

    def __init__(self, batch: Batch, index: int, number: int) -> None:
        self._batch = batch
        self._index = index
        self.number = number

    def __getitem__(self, column: str) -> int:
        return self._batch.cell(column, self._index)

    def event(self, vcpu: int) -> Event:
        """Return the row as mechanisms see it."""
        cells = (self[name] for name in ("task", "space", "page", "site", "size", "device", "number"))
        return Event(self["kind"], self["count"], vcpu, *cells)


def outcome(world: World, vcpus: Sequence[VirtualCpu]) -> Outcome:
    """Return what came of a replay that has ended."""
    makespan = max(vcpu.end for vcpu in vcpus)
    return Outcome(
        vcpu_counts=tuple(vcpu.ledger.counts() for vcpu in vcpus),
        vcpus=tuple(CpuTime(vcpu.busy, vcpu.waiting, vcpu.idle, vcpu.end) for vcpu in vcpus),
        physical_cpus=tuple(CpuTime(busy, 0, makespan - busy, makespan) for busy in world.cpus.busy),
    )
