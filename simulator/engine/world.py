"""What the virtual CPUs of one replay share, and how a replay ends or cannot go on."""

from __future__ import annotations

import simpy

from simulator.engine.base import Replay
from simulator.engine.ledger import ASK, Asked, Prices
from simulator.engine.physical import DeviceQueue, PhysicalCpus, Signals
from simulator.engine.shared import SharedStream
from simulator.errors import ModelError, RunError, did_you_mean
from simulator.events import INTERRUPT, INTERRUPT_COMPLETION
from simulator.model import Pricing


class World:
    """The shared part of one replay: time, prices, physical CPUs, devices, signals."""

    def __init__(self, replay: Replay, pricing: Pricing, asked: Asked, stream: SharedStream, reader: int = 0) -> None:
        machine = replay.model.machine
        self.env = simpy.Environment(initial_time=0)
        self.stream = stream
        self.reader = reader
        self.batches_taken = 0
        self.model = replay.model
        self.prices = Prices(pricing, asked)
        self.signals = Signals()
        self.ticks_per_ns = machine.clock.ticks_per_ns
        self.cpus = PhysicalCpus(machine.physical_cpus or self.stream.header.vcpus)
        self.contended = self.stream.header.vcpus > len(self.cpus.busy)
        self.time_slice = machine.time_slice_ns * self.ticks_per_ns
        self.timer_period = round(machine.clock.ticks_per_second / replay.timer_hz) if replay.timer_hz else 0
        self._queues: dict[str, DeviceQueue] = {}
        self._live = self.stream.header.vcpus
        self._stuck: dict[int, str] = {}
        if self.timer_period:
            self._check_timer()

    @property
    def quiet(self) -> bool:
        """Whether a row without a signal or a request touches nothing shared."""
        return not self.contended and not self.timer_period

    @property
    def over(self) -> bool:
        """Whether all virtual CPUs have ended."""
        return not self._live

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
            self.prices.learn(kind)
        prices = [self.prices.of[kind] for kind in kinds]
        if ASK not in prices and sum(prices) >= self.timer_period:
            clock = self.model.machine.clock
            raise RunError(
                f"a timer tick takes {clock.seconds(sum(prices))} s under '{self.model.name}', as long as its period "
                f"of {clock.seconds(self.timer_period)} s or longer: the guest would do nothing else"
            )
