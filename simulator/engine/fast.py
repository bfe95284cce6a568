"""The fast engine: it takes rows by the stretch, and uses SimPy only where something is shared.

A stretch is a run of rows that touch nothing shared, up to the next row that does or the next interrupt. Where no
mechanism with state has a part in them, its end is found in the running sum of what each step takes. Rows with a part
for such a mechanism are asked one after the other. With a single virtual CPU they may be asked ahead of time, since
nobody else asks; with several, each is asked when its time has come, so that all are asked in the order of the
reference engine. All that is shared is in ``vcpu.py``, which both engines use.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from simulator.engine.base import Engine, Outcome, Progress, Replay
from simulator.engine.census import Census, touches_shared
from simulator.engine.compiled import available
from simulator.engine.one_pass import BeyondEngineError, UnderWay, to_the_end
from simulator.engine.physical import Steps, Turn
from simulator.engine.shared import SharedStream
from simulator.engine.stretch import PlainStretching, Stretching, Walker
from simulator.engine.vcpu import Row, VirtualCpu
from simulator.engine.world import World
from simulator.errors import SimulatorError
from simulator.model import Pricing
from simulator.stream import Batch, EventStream, Narrowable

if TYPE_CHECKING:
    from simulator.engine.compiled.joint import Joint, Progressed

_log = logging.getLogger(__name__)

_ROWS_THAT_PAY = 500_000
"""Below, no model takes more than some seconds without the compiler (docs/performance.md); compiling takes ten."""
_OF_TIME = {"kind", "count", "user_ns", "kernel_ns"}
_OF_SIGNALS = {"waits", "wait_latency_ns", "posts", "post_delay_ns"}
_OF_REQUESTS = {"completion", "device", "size"}


class FastEngine(Engine):
    """Replays by the stretch; see ``engine.base.Engine``.

    ``compiled``: whether mechanisms with state are compiled, if numba is installed; by default where a replay has so
    many rows that it pays.
    """

    name = "fast"

    def __init__(self, compiled: bool | None = None) -> None:
        self._compiled = compiled

    def run(self, replay: Replay, progress: Progress | None = None) -> Outcome:
        """Replay all rows; see ``engine.base.Engine``."""
        outcome = self.run_all([replay], progress)[0]
        if isinstance(outcome, SimulatorError):
            raise outcome
        return outcome

    def run_all(self, replays: Sequence[Replay], progress: Progress | None = None) -> list[Outcome | SimulatorError]:
        """Replay one stream under several models in one pass over it, side by side where they are compiled.

        See ``engine.base.Engine``.
        """
        told = [_Told(progress) for _ in replays]
        compiled = [self._compiles(replay) for replay in replays]
        found = _in_one_pass(replays, compiled, told)
        for i, (replay, each) in enumerate(zip(replays, found, strict=True)):
            if isinstance(each, BeyondEngineError):
                _log.warning(
                    "'%s' is replayed without the compiled kernel, to the same outcome: %s", replay.model.name, each
                )
                told[i].again()
                found[i] = _in_one_pass([replay], [False], [told[i]])[0]
        return [each for each in found if not isinstance(each, BeyondEngineError)]

    def _compiles(self, replay: Replay) -> bool:
        return replay.rows >= _ROWS_THAT_PAY if self._compiled is None else self._compiled


class _Told:
    """Tells how many rows a replay has done; of one that begins again, only those beyond where it was."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._rows = self._most = 0

    def __call__(self, rows: int) -> None:
        self._rows += rows
        if self._progress and self._rows > self._most:
            self._progress(self._rows - self._most)
        self._most = max(self._most, self._rows)

    def again(self) -> None:
        self._rows = 0


_Found = Outcome | SimulatorError | BeyondEngineError


def _in_one_pass(replays: Sequence[Replay], compiled: Sequence[bool], told: Sequence[Progress]) -> list[_Found]:
    """Replay one stream; return what came of each replay, or what ended it."""
    pricings = [_started(replay) for replay in replays]
    looked_at = (pricing.chain.looks_at() for pricing in pricings if isinstance(pricing, Pricing))
    stream = SharedStream(_narrowed(replays[0].stream, frozenset().union(*looked_at)), len(replays))
    under_way: list[UnderWay | SimulatorError | BeyondEngineError] = []
    for reader, (replay, pricing) in enumerate(zip(replays, pricings, strict=True)):
        try:
            if isinstance(pricing, SimulatorError):
                raise pricing
            under_way.append(_begin(replay, pricing, stream, reader, told[reader], compiled=compiled[reader]))
        except (SimulatorError, BeyondEngineError) as error:
            stream.leave(reader)
            under_way.append(error)
    to_the_end([each for each in under_way if isinstance(each, UnderWay)])
    return [each.failed or each.outcome() if isinstance(each, UnderWay) else each for each in under_way]


def _narrowed(stream: EventStream, looked_at: frozenset[str]) -> EventStream:
    """Return a stream without columns that no replay needs, if it can leave some out."""
    if not isinstance(stream, Narrowable):
        return stream
    needed = _OF_TIME | _OF_SIGNALS | looked_at
    if "completion" in stream.columns:
        needed |= _OF_REQUESTS
    return stream.narrowed(needed)


def _started(replay: Replay) -> Pricing | SimulatorError:
    try:
        return replay.model.start()
    except SimulatorError as error:
        return error


def _begin(
    replay: Replay, pricing: Pricing, stream: SharedStream, reader: int, progress: Progress, *, compiled: bool
) -> UnderWay:
    """Begin a replay, its mechanisms compiled if that is wanted, some have state, and numba is there.

    Raises:
        BeyondEngineError: the kernel does not know one of them.
        RunError: it could not end.
    """
    vcpus = stream.header.vcpus
    if not (compiled and pricing.has_state and available()):
        plain = PlainStretching(pricing, vcpus)
        world = World(replay, pricing, plain, stream, reader)
        return UnderWay(world, [_ByWalker(world, number, progress, plain) for number in range(vcpus)])
    from simulator.engine.compiled.joint import Joint
    from simulator.engine.compiled.walker import CompiledMechanisms

    mechanisms = CompiledMechanisms(pricing, vcpus)
    world = World(replay, pricing, mechanisms, stream, reader)
    if vcpus == 1:
        return UnderWay(world, [_ByWalker(world, 0, progress, mechanisms)], compiled=True)
    joint = Joint(world.env, mechanisms, vcpus)
    lanes = [_Jointly(world, number, progress, joint) for number in range(vcpus)]
    return UnderWay(world, lanes, joint.settle, compiled=True)


class _ByStretch(VirtualCpu):
    """A virtual CPU that takes its rows by the stretch."""

    def _rows(self, batch: Batch, first: int, census: Census) -> Steps:
        shared = np.flatnonzero(touches_shared(batch)).tolist()
        ticks = self._world.prices.ticks(census)
        if ticks is not None and self._world.quiet and not self._disturbed and not shared:
            yield from self._run(ticks)
            return
        if not self._prepare(batch):
            for row in range(len(batch)):
                yield from self._full_row(Row(batch, row, first + row))
            return
        begin = 0
        for row in shared:
            yield from self._stretch(2 * begin, 2 * row)
            yield from self._full_row(Row(batch, row, first + row))
            begin = row + 1
        yield from self._stretch(2 * begin, 2 * len(batch))

    @abstractmethod
    def _prepare(self, batch: Batch) -> bool:
        """Make ready for the stretches of a batch; return whether 64 bits hold what it takes."""

    @abstractmethod
    def _stretch(self, step: int, stop: int) -> Steps:
        """Take steps of rows that touch nothing shared, from ``step`` up to, and without, ``stop``."""

    def _budget(self) -> int | None:
        """Return how long, in ticks, rows may run until an interrupt is due or a time slice ends; None: for ever.

        What is due is taken at the end of the step that is running then.
        """
        if self._interrupt_is_due:
            return 0
        limits = []
        if self._next_tick:
            limits.append(self._next_tick - self._now)
        if self._under_way:
            limits.append(max(self._under_way[0] - self._now, 1))  # it has not come yet, so it comes while time passes
        if self._world.contended:
            limits.append(self._slice_end - self._now)
        return min(limits, default=None)


class _ByWalker(_ByStretch):
    """A virtual CPU that finds by itself how far it gets."""

    def __init__(self, world: World, number: int, progress: Progress | None, mechanisms: Stretching) -> None:
        super().__init__(world, number, progress)
        self._mechanisms = mechanisms
        self._walker: Walker | None = None

    def _prepare(self, batch: Batch) -> bool:
        alone = len(self._peers) == 1
        self._walker = self._mechanisms.walker(batch, self._world.prices, self.number, ahead=alone)
        return self._walker is not None

    def _stretch(self, step: int, stop: int) -> Steps:
        assert self._walker is not None, "prepared"
        while step < stop:
            step, ticks = self._walker.walk(step, stop, self._budget())
            yield from self._run(ticks)


class _Jointly(_ByStretch):
    """A virtual CPU whose stretches are taken together with those of the others."""

    def __init__(self, world: World, number: int, progress: Progress | None, joint: Joint) -> None:
        super().__init__(world, number, progress)
        self._joint = joint

    def _prepare(self, batch: Batch) -> bool:
        self._joint.load(self.number, batch)
        return True

    def _stretch(self, step: int, stop: int) -> Steps:
        while step < stop:
            begun = self._joint.begin(self.number, step, stop, self._budget(), self._turn())
            done: Progressed = (yield begun) if isinstance(begun, Turn) else begun
            step, ticks, last = done
            self.busy += ticks
            if self._world.contended:
                self._world.cpus.busy[self._physical] += ticks
            yield from self._run(last)
