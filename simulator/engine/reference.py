"""The reference engine: SimPy, one event after the other. What it does is the definition of correct.

A virtual CPU is a process that takes its rows in order: compute, wait for the row's signal, the event, post the row's
signal, and block if the row says so. Interrupts (timer ticks, completions of requests) are taken between these steps
and while the virtual CPU sleeps.

Times are integer ticks. Ties are in SimPy's total order: time, then priority, then the order in which they were
scheduled; virtual CPUs begin in the order of their numbers.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import simpy

from simulator.engine.base import CpuTime, Outcome, Progress, Replay
from simulator.engine.ledger import ASK, Ledger
from simulator.engine.physical import DeviceQueue, PhysicalCpus, Signals, Steps
from simulator.errors import ModelError, RunError, did_you_mean
from simulator.events import HALT, INTERRUPT, INTERRUPT_COMPLETION, REQUEST_KINDS
from simulator.mechanisms import Event
from simulator.stream import AS_RECORDED, BLOCKING, Batch


class ReferenceEngine:
    """Replays event by event on SimPy; see ``engine.base.Engine``."""

    name = "reference"

    def run(self, replay: Replay, progress: Progress | None = None) -> Outcome:
        """Replay all rows; see ``engine.base.Engine``."""
        world = _World(replay, progress)
        vcpus = [_VirtualCpu(world, number) for number in range(replay.stream.header.vcpus)]
        for vcpu in vcpus:
            world.env.process(vcpu.run())
        world.env.run()
        makespan = max(vcpu.end for vcpu in vcpus)
        return Outcome(
            counts=world.ledger.counts(),
            vcpus=tuple(CpuTime(vcpu.busy, vcpu.waiting, vcpu.idle, vcpu.end) for vcpu in vcpus),
            physical_cpus=tuple(CpuTime(busy, 0, makespan - busy, makespan) for busy in world.cpus.busy),
        )


class _World:
    """What the virtual CPUs of one replay share."""

    def __init__(self, replay: Replay, progress: Progress | None) -> None:
        machine = replay.model.machine
        self.env = simpy.Environment(initial_time=0)
        self.stream = replay.stream
        self.model = replay.model
        self.progress = progress
        self.ledger = Ledger(replay.model)
        self.signals = Signals(self.env)
        self.ticks_per_ns = machine.clock.ticks_per_ns
        self.cpus = PhysicalCpus(self.env, machine.physical_cpus or self.stream.header.vcpus)
        self.contended = self.stream.header.vcpus > len(self.cpus.busy)
        self.time_slice = machine.time_slice_ns * self.ticks_per_ns
        self.timer_period = round(machine.clock.ticks_per_second / replay.timer_hz) if replay.timer_hz else 0
        self._queues: dict[str, DeviceQueue] = {}
        self._live = self.stream.header.vcpus
        self._stuck: dict[int, str] = {}
        if self.timer_period:
            self._check_timer()

    @property
    def plain(self) -> bool:
        """Whether a row without a signal or a request touches nothing shared."""
        return not self.contended and not self.timer_period

    def queue(self, device: int) -> DeviceQueue:
        """Return the queue of a device, by its index in the stream's header.

        Raises:
            ModelError: the machine has no such device.
        """
        name = self.stream.header.devices[device] if device >= 0 else "(none named)"
        if name not in self._queues:
            devices = self.model.machine.devices
            if name not in devices:
                raise ModelError(
                    f"the workload sends requests to the device '{name}', which the machine of cost model "
                    f"'{self.model.name}' does not have{did_you_mean(name, devices)}"
                )
            self._queues[name] = DeviceQueue(devices[name])
        return self._queues[name]

    def stuck(self, vcpu: int, why: str) -> None:
        """Note that a virtual CPU waits for a signal that was not posted yet; if all do, none ever will be."""
        self._stuck[vcpu] = why
        self._check_deadlock()

    def unstuck(self, vcpu: int) -> None:
        """Note that the signal was posted."""
        del self._stuck[vcpu]

    def ended(self) -> None:
        """Note that a virtual CPU has ended."""
        self._live -= 1
        self._check_deadlock()

    def _check_deadlock(self) -> None:
        if self._live and len(self._stuck) == self._live:
            raise RunError("the replay cannot go on: " + "; ".join(why for _, why in sorted(self._stuck.items())))

    def _check_timer(self) -> None:
        kinds = (INTERRUPT, INTERRUPT_COMPLETION)
        for kind in kinds:
            self.ledger.learn(kind)
        prices = [self.ledger.prices[kind] for kind in kinds]
        if ASK not in prices and sum(prices) >= self.timer_period:
            clock = self.model.machine.clock
            raise RunError(
                f"a timer tick takes {clock.seconds(sum(prices))} s under '{self.model.name}', as long as its period "
                f"of {clock.seconds(self.timer_period)} s or longer: the guest would do nothing else"
            )


class _VirtualCpu:
    """One virtual CPU: takes its rows in order, and keeps account of its time in ticks."""

    def __init__(self, world: _World, number: int) -> None:
        self.busy = self.waiting = self.idle = self.end = 0
        self._world = world
        self._env = world.env
        self._number = number
        self._physical = number
        self._slice_end = 0
        self._next_tick = world.timer_period
        self._interrupts_due = 0
        self._requests_under_way = 0
        self._disturbed = False  # whether requests are under way, or their interrupts due
        self._alarm = self._env.event()
        self._interrupted = self._env.event()
        self._drained = self._env.event()

    def run(self) -> Steps:
        """Run all rows to the end of the stream, then wait for requests that are still under way."""
        world, timeout = self._world, self._env.timeout
        yield from self._take_physical()
        first = 0
        for batch in world.stream.batches(self._number):
            world.ledger.count(batch)
            rows = zip(world.ledger.ticks(batch), self._asked(batch), self._special(batch), strict=True)
            for row, (ticks, asked, special) in enumerate(rows):
                if special or self._disturbed:
                    yield from self._full_row(_Row(batch, row, first + row))
                    continue
                if ticks:
                    self.busy += ticks
                    yield timeout(ticks)
                if asked and (price := world.ledger.ask(_Row(batch, row, first + row).event(self._number))):
                    self.busy += price
                    yield timeout(price)
            first += len(batch)
            if world.progress:
                world.progress(len(batch))
        if self._requests_under_way:
            yield from self._sleep(self._drained, "idle")
        yield from self._take_interrupts()
        self._give_back_physical()
        self.end = self._now
        if not world.contended:
            world.cpus.busy[self._number] = self.busy
        world.ended()

    @property
    def _now(self) -> int:
        return int(self._env.now)

    def _asked(self, batch: Batch) -> list[bool]:
        """Tell for each row whether mechanisms with state serve it, which are asked when its event happens."""
        kinds = [kind for kind, price in enumerate(self._world.ledger.prices) if price == ASK]
        asked: list[bool] = np.isin(batch.columns["kind"], kinds).tolist()
        return asked

    def _special(self, batch: Batch) -> list[bool]:
        """Tell for each row whether it must take all steps one by one; the others touch nothing shared."""
        if not self._world.plain:
            return [True] * len(batch)
        requests = batch.column("completion") != AS_RECORDED
        special: list[bool] = (requests | (batch.column("waits") >= 0) | (batch.column("posts") >= 0)).tolist()
        return special

    def _full_row(self, row: _Row) -> Steps:
        """Take the steps of one row, with all that may come between them."""
        world = self._world
        yield from self._run(world.ledger.computation(row["user_ns"], row["kernel_ns"]))
        if row["waits"] >= 0:
            yield from self._wait(row)
        price = world.ledger.prices[row["kind"]]
        yield from self._run(world.ledger.ask(row.event(self._number)) if price == ASK else row["count"] * price)
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
                yield self._env.timeout(ticks)
            return
        while ticks:
            if self._now == self._slice_end:
                yield from self._end_slice()
            step = min(ticks, self._slice_end - self._now)
            yield self._env.timeout(step)
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
        if self._world.contended:
            turn = self._world.cpus.take()
            if isinstance(turn, simpy.Event):
                begin = self._now
                turn = yield turn
                self.waiting += self._now - begin
            self._physical = turn
            self._slice_end = self._now + self._world.time_slice

    def _give_back_physical(self) -> None:
        if self._world.contended:
            self._world.cpus.give_back(self._physical)

    def _sleep(self, until: simpy.Event, account: Literal["idle", "waiting"]) -> Steps:
        """Leave the physical CPU until an event has come; interrupts wake it for as long as they take."""
        self._give_back_physical()
        while not until.processed:
            begin = self._now
            self._alarm = self._env.event()
            awaited = [until, self._alarm]
            if self._next_tick:
                awaited.append(self._env.timeout(max(0, self._next_tick - begin)))
            yield simpy.AnyOf(self._env, awaited)
            slept = self._now - begin
            if account == "idle":
                self.idle += slept
            else:
                self.waiting += slept
            if self._interrupt_is_due():
                yield from self._take_physical()
                yield from self._take_interrupts()
                self._give_back_physical()
        yield from self._take_physical()

    def _interrupt_is_due(self) -> bool:
        return bool(self._interrupts_due or (self._next_tick and self._now >= self._next_tick))

    def _take_interrupts(self) -> Steps:
        """Serve all interrupts that are due: completions first, then timer ticks; late ticks are not lost."""
        while self._interrupt_is_due():
            if self._interrupts_due:
                self._interrupts_due -= 1
            else:
                self._next_tick += self._world.timer_period
            self._world.ledger.count_interrupt()
            for kind in (INTERRUPT, INTERRUPT_COMPLETION):
                price = self._world.ledger.prices[kind]
                event = Event(kind, 1, self._number, *([-1] * 7))
                yield from self._occupy(self._world.ledger.ask(event) if price == ASK else price)
            if not self._interrupted.triggered:
                self._interrupted.succeed()
        self._disturbed = bool(self._requests_under_way)

    def _wait(self, row: _Row) -> Steps:
        """Wait for the row's signal and its latency."""
        signals, signal = self._world.signals, row["waits"]
        time = signals.time(signal)
        if time is None:
            why = f"virtual CPU {self._number} waits, in row {row.number}, for signal {signal}, which is never posted"
            self._world.stuck(self._number, why)
            yield from self._sleep(signals.posted(signal, self._number), "idle")
            time = signals.time(signal) or 0
        left = time + row["wait_latency_ns"] * self._world.ticks_per_ns - self._now
        if left > 0:
            yield from self._sleep(self._env.timeout(left), "idle")

    def _post(self, row: _Row) -> None:
        delay = row["post_delay_ns"] * self._world.ticks_per_ns
        for vcpu in self._world.signals.post(row["posts"], self._now + delay):
            self._world.unstuck(vcpu)

    def _block(self, row: _Row) -> Steps:
        """Hand a request to its device, and sleep if the row says so; a halt sleeps until the next interrupt."""
        kind, blocking = row["kind"], row["completion"] == BLOCKING
        if kind in REQUEST_KINDS:
            for _ in range(row["count"]):
                completion = self._request(row)
            if blocking:
                yield from self._sleep(completion, "waiting")
        elif kind == HALT and blocking:
            for _ in range(row["count"]):
                yield from self._halt(row)

    def _halt(self, row: _Row) -> Steps:
        """Sleep until the next interrupt.

        Where nothing is left to interrupt it, a halt is over at once if an interrupt was taken since the halt before:
        under a slower model the completion that it was written for may come first.
        """
        if self._next_tick or self._requests_under_way:
            self._interrupted = self._env.event()
            yield from self._sleep(self._interrupted, "idle")
        elif not self._interrupted.triggered:
            raise RunError(
                f"virtual CPU {self._number} halts, in row {row.number}, and nothing will interrupt it: there is no "
                "timer, and no request is under way"
            )
        self._interrupted = self._env.event()

    def _request(self, row: _Row) -> simpy.Event:
        """Hand one request to its device; return the event of its completion."""
        world, now = self._world, self._now
        end = world.queue(row["device"]).completion(now, row["size"], world.ticks_per_ns)
        completion = self._env.timeout(end - now)
        completion.callbacks = [self._complete]
        self._requests_under_way += 1
        self._disturbed = True
        return completion

    def _complete(self, _completion: simpy.Event) -> None:
        self._requests_under_way -= 1
        self._interrupts_due += 1
        if not self._alarm.triggered:
            self._alarm.succeed()
        if not self._requests_under_way:
            self._drained.succeed()
            self._drained = self._env.event()


class _Row:
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
