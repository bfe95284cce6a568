"""The narrow interface of engines: a replay goes in, an outcome comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from operator import add
from typing import Protocol

from simulator.actions import ActionCounts
from simulator.model import CostModel
from simulator.stream import EventStream

Progress = Callable[[int], None]
"""Called now and then with the number of rows replayed since the last call."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What an engine is asked to do: run a stream under a model, with a periodic timer on each virtual CPU, or none."""

    stream: EventStream
    model: CostModel
    timer_hz: Fraction | None = None


@dataclass(frozen=True, slots=True)
class CpuTime:
    """Where the time of one CPU went, in ticks; for a virtual CPU the three add up to ``end``.

    ``waiting``: ready to run but without a physical CPU, or blocked on a device. ``idle``: nothing to do. A physical
    CPU never waits, and its ``end`` is the makespan.
    """

    busy: int
    waiting: int
    idle: int
    end: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a replay: the counts of each virtual CPU, and times in ticks.

    Engines agree when their outcomes are equal.
    """

    vcpu_counts: tuple[ActionCounts, ...]
    vcpus: tuple[CpuTime, ...]
    physical_cpus: tuple[CpuTime, ...]

    @property
    def counts(self) -> ActionCounts:
        """What all virtual CPUs did."""
        return reduce(add, self.vcpu_counts)

    @property
    def makespan(self) -> int:
        """When the last virtual CPU ended, in ticks."""
        return max(cpu.end for cpu in self.vcpus)

    @property
    def busy(self) -> int:
        """Busy time of all virtual CPUs, in ticks."""
        return sum(cpu.busy for cpu in self.vcpus)


class Engine(Protocol):
    """Replays an event stream under a cost model."""

    name: str

    def run(self, replay: Replay, progress: Progress | None = None) -> Outcome:
        """Replay all rows and return counts and times.

        Raises:
            ModelError: an event has no recipe.
            RunError: the replay cannot end: a wait that nothing ends, a halt that nothing interrupts.
        """
