"""Several replays of one stream in one pass: they go on side by side, a batch of each virtual CPU at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from simpy.core import EmptySchedule

from simulator.engine.base import Outcome
from simulator.engine.vcpu import VirtualCpu, outcome
from simulator.engine.world import World
from simulator.errors import SimulatorError


class BeyondEngineError(Exception):
    """A replay met something that this way of replaying cannot do; another way can."""


class UnderWay:
    """A replay under way; ``failed`` is what ended it, if something did.

    ``settle`` is called before each step of SimPy, if it is given. ``compiled``: it lets other threads run most of the
    time.
    """

    def __init__(
        self,
        world: World,
        vcpus: Sequence[VirtualCpu],
        settle: Callable[[], None] | None = None,
        *,
        compiled: bool = False,
    ) -> None:
        self.failed: SimulatorError | BeyondEngineError | None = None
        self.compiled = compiled
        self._world = world
        self._vcpus = vcpus
        self._settle = settle
        for vcpu in vcpus:
            world.env.process(vcpu.run(vcpus))

    def advance(self, batches: int) -> bool:
        """Go on until so many batches were taken; return whether there is more to do."""
        try:
            while self._world.batches_taken < batches:
                if self._settle:
                    self._settle()
                self._world.env.step()
        except EmptySchedule:
            return False
        except (SimulatorError, BeyondEngineError) as error:
            self.failed = error
            self._world.stream.leave(self._world.reader)
            return False
        return True

    def outcome(self) -> Outcome:
        """Return what came of a replay that has ended."""
        assert self._world.over, "nothing is left to happen, and yet a virtual CPU has rows to run"
        return outcome(self._world, self._vcpus)


def to_the_end(replays: Sequence[UnderWay]) -> None:
    """Advance all replays to their ends, none far ahead of the others; side by side if some are compiled."""
    if len(replays) < 2 or not any(replay.compiled for replay in replays):
        _advance_all(replays, map)
        return
    with ThreadPoolExecutor(min(len(replays), os.cpu_count() or 1), "replays") as pool:
        _advance_all(replays, pool.map)


def _advance_all(replays: Sequence[UnderWay], each: Callable[..., Iterable[bool]]) -> None:
    going, batches = list(replays), 0
    while going:
        batches += 1
        more = list(each(UnderWay.advance, going, [batches] * len(going)))
        going = [replay for replay, goes_on in zip(going, more, strict=True) if goes_on]
