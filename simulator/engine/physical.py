"""Physical CPUs and devices: what virtual CPUs share and wait for."""

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


class PhysicalCpus:
    """Physical CPUs, handed to virtual CPUs first come, first served; the lowest free number first."""

    def __init__(self, env: simpy.Environment, number: int) -> None:
        self._env = env
        self._free = list(range(number))
        self._queue: deque[simpy.Event] = deque()
        self.busy = [0] * number

    @property
    def wanted(self) -> bool:
        """Whether a virtual CPU is waiting for a physical one."""
        return bool(self._queue)

    def take(self) -> int | simpy.Event:
        """Return the number of a free physical CPU, or an event whose value will be that number."""
        if self._free:
            return heapq.heappop(self._free)
        turn = self._env.event()
        self._queue.append(turn)
        return turn

    def give_back(self, number: int) -> None:
        """Hand a physical CPU to the first in the queue, or set it free."""
        if self._queue:
            self._queue.popleft().succeed(number)
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

    def __init__(self, env: simpy.Environment) -> None:
        self._env = env
        self._times: dict[int, int] = {START_SIGNAL: 0}
        self._waiters: dict[int, dict[int, simpy.Event]] = {}

    def post(self, signal: int, time: int) -> list[int]:
        """Post a signal that counts from ``time``, now or later; return the virtual CPUs that waited for it.

        Raises:
            RunError: it was posted before (the signal of the start of the run always was).
        """
        if signal in self._times:
            raise RunError(f"signal {signal} is posted a second time: each signal is posted by one row")
        self._times[signal] = time
        waiters = self._waiters.pop(signal, {})
        for posted in waiters.values():
            posted.succeed()
        return list(waiters)

    def time(self, signal: int) -> int | None:
        """Return the time of a signal, None if it was not posted yet."""
        return self._times.get(signal)

    def posted(self, signal: int, vcpu: int) -> simpy.Event:
        """Return an event that comes when the signal, for which a virtual CPU waits, is posted."""
        posted = self._env.event()
        self._waiters.setdefault(signal, {})[vcpu] = posted
        return posted
