"""Physical CPUs, devices and signals: what virtual CPUs share and wait for; and the order of what happens at once."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Generator
from typing import Any

import simpy

from simulator.errors import RunError
from simulator.model import Device
from simulator.stream import START_SIGNAL

Steps = Generator[simpy.Event, Any, None]

DEVICES_FIRST = 1
"""The rank of completions: at one moment they come before the turns of virtual CPUs."""


def rank_of(vcpu: int) -> int:
    """Return the rank of the turns of a virtual CPU: at one moment, the lower number goes first."""
    return DEVICES_FIRST + 1 + vcpu


class Turn(simpy.Event):
    """An event with a rank, which orders events of one moment; SimPy calls it a priority.

    The order of a replay is total: time, then rank, then the order of scheduling. As it does not hang on when a turn
    was scheduled, an engine that takes many rows in one step orders what it shares as one that takes them singly.
    """

    def __init__(self, env: simpy.Environment, rank: int) -> None:
        super().__init__(env)
        self._rank = rank

    def come(self, delay: int = 0, value: Any = None) -> Turn:
        """Schedule the turn, ``delay`` ticks from now."""
        self._ok = True
        self._value = value
        self.env.schedule(self, self._rank, delay)  # type: ignore[arg-type]
        return self


class PhysicalCpus:
    """Physical CPUs, handed to virtual CPUs first come, first served; the lowest free number first."""

    def __init__(self, number: int) -> None:
        self._free = list(range(number))
        self._queue: deque[Turn] = deque()
        self.busy = [0] * number

    @property
    def wanted(self) -> bool:
        """Whether a virtual CPU is waiting for a physical one."""
        return bool(self._queue)

    def take(self) -> int | None:
        """Return the number of a free physical CPU, None if there is none."""
        return heapq.heappop(self._free) if self._free else None

    def queue(self, turn: Turn) -> None:
        """Wait for a physical CPU: its number will be the value of the turn."""
        self._queue.append(turn)

    def give_back(self, number: int) -> None:
        """Hand a physical CPU to the first in the queue, or set it free."""
        if self._queue:
            self._queue.popleft().come(value=number)
        else:
            heapq.heappush(self._free, number)


class DeviceQueue:
    """A device that serves requests first come, first served, a fixed number of them at a time.

    As service times are known when a request arrives, so is its completion: the earliest moment at which a server is
    free, plus its service time.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._servers = [0] * device.servers

    def completion(self, now: int, size: int, ticks_per_ns: int) -> int:
        """Queue a request and return the time, in ticks, at which it completes."""
        begin = max(now, heapq.heappop(self._servers))
        end = begin + self._device.request_ns(size) * ticks_per_ns
        heapq.heappush(self._servers, end)
        return end


class Signals:
    """What rows post and wait for: a signal has a time from the moment on that it was posted."""

    def __init__(self) -> None:
        self._times: dict[int, int] = {START_SIGNAL: 0}
        self._waiters: dict[int, list[int]] = {}

    def post(self, signal: int, time: int) -> list[int]:
        """Post a signal that counts from ``time``, now or later; return the virtual CPUs that waited for it.

        Raises:
            RunError: it was posted before (the signal of the start of the run always was).
        """
        if signal in self._times:
            raise RunError(f"signal {signal} is posted a second time: each signal is posted by one row")
        self._times[signal] = time
        return self._waiters.pop(signal, [])

    def time(self, signal: int) -> int | None:
        """Return the time of a signal, None if it was not posted yet."""
        return self._times.get(signal)

    def await_post(self, signal: int, vcpu: int) -> None:
        """Note that a virtual CPU waits for a signal to be posted."""
        self._waiters.setdefault(signal, []).append(vcpu)
