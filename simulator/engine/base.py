"""The narrow interface of engines: a replay goes in, an outcome comes out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from operator import add

from simulator.actions import ActionCounts
from simulator.errors import SimulatorError
from simulator.model import CostModel
from simulator.stream import EventStream

Progress = Callable[[int], None]
"""Called now and then with the number of rows replayed since the last call."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What an engine is asked to do: run a stream under a model, with a periodic timer on each virtual CPU, or none.

    ``rows`` is about how many the stream has, 0 if nobody knows; no outcome hangs on it.
    """

    stream: EventStream
    model: CostModel
    timer_hz: Fraction | None = None
    rows: int = 0


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


class Engine(ABC):
    """Replays an event stream under a cost model."""

    name: str

    @abstractmethod
    def run(self, replay: Replay, progress: Progress | None = None) -> Outcome:
        """Replay all rows and return counts and times.

        Raises:
            ModelError: an event has no recipe.
            RunError: the replay cannot end: a wait that nothing ends, a halt that nothing interrupts.
        """

    def run_all(self, replays: Sequence[Replay], progress: Progress | None = None) -> list[Outcome | SimulatorError]:
        """Replay one stream under several models: in one pass over it if the engine can, else one after the other.

        All replays have the same stream. Returns what came of each; in place of an outcome, the error that ended it.
        """
        return [self._outcome_or_error(replay, progress) for replay in replays]

    def _outcome_or_error(self, replay: Replay, progress: Progress | None) -> Outcome | SimulatorError:
        try:
            return self.run(replay, progress)
        except SimulatorError as error:
            return error
