"""Prices a replay again without replaying: where nothing waits, counts do not hang on prices.

A replay whose virtual CPUs never wait is a sum. Each virtual CPU serves its rows in their order, whatever they cost; so
it takes the same actions under any prices, and ends when it has been busy for the cost of them all. ``why_replay`` says
what would make that false. Prices are integers of ticks, and so is everything made of them here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from simulator.costs import CostTable, price, ticks_of_all
from simulator.engine.base import CpuTime, Outcome
from simulator.errors import InputError
from simulator.model import CostModel
from simulator.result import Replayed
from simulator.spec.build import Workload
from simulator.stream import Array

_MOST = 2**63 - 1
_LEAST_WIDTH = 8
"""The least width, in bits, of the parts of counts that are multiplied in 64 bits; else all is Python's integers."""


def why_replay(workload: Workload, model: CostModel) -> str:
    """Return why other prices need a replay of a workload under a model; an empty text where they do not."""
    return "; ".join(_reasons(workload, model))


def why_recount(workload: Workload, model: CostModel) -> str:
    """Return why other prices may change what is counted, too; an empty text where each action is taken as before.

    Waits alone move times: a row that waits longer is the same row. What comes more often in a longer run is counted
    again, and so is what meets state in another order.
    """
    return "; ".join(filter(None, (_longer(workload), _in_another_order(workload, model))))


def _reasons(workload: Workload, model: CostModel) -> Iterator[str]:
    vcpus = workload.stream.header.vcpus
    physical_cpus = model.machine.physical_cpus or vcpus
    if longer := _longer(workload):
        yield longer
    if workload.interacts:
        yield "rows wait for signals, requests or interrupts"
    if physical_cpus < vcpus:
        yield f"{vcpus} virtual CPUs wait for {physical_cpus} physical"
    if vcpus > 1 and (order := _in_another_order(workload, model)):
        yield order


def _longer(workload: Workload) -> str:
    return "a longer run has more ticks of its timer" if workload.timer_hz else ""


def _in_another_order(workload: Workload, model: CostModel) -> str:
    """Say whose state is met in an order that hangs on time: by several virtual CPUs, or by interrupts of requests."""
    vcpus = workload.stream.header.vcpus
    if vcpus < 2 and not workload.devices:
        return ""
    pricing = model.start()
    keepers = dict.fromkeys(name for kind in sorted(workload.kinds) for name in pricing.unfold(kind)[1])
    if not keepers:
        return ""
    who = f"{vcpus} virtual CPUs" if vcpus > 1 else "rows and the interrupts of requests"
    return f"the order in which {who} meet the state of {', '.join(keepers)} hangs on time"


def reprice(replayed: Replayed, costs: CostTable) -> Replayed:
    """Return what a replay would be under other costs, or another clock: equal to a replay of its own.

    Mechanisms, and the machine but for its clock, are taken to be the same.

    Raises:
        InputError: something waits, so that other prices need a replay.
        ModelError: an action that the replay took, or could have taken, has no cost.
    """
    _check(replayed)
    ticks = {action: costs.ticks(action) for action in replayed.ticks}
    return replace(replayed, clock=costs.clock, ticks=ticks, outcome=_repriced(replayed.outcome, costs))


def _check(replayed: Replayed) -> None:
    if replayed.why_replay:
        pair = f"workload '{replayed.workload}' under '{replayed.model}'"
        raise InputError(f"{pair}: other prices need a replay: {replayed.why_replay}")


def _repriced(outcome: Outcome, costs: CostTable) -> Outcome:
    busy = [sum(share.ticks for share in price(counts, costs)) for counts in outcome.vcpu_counts]
    end = max(busy)
    on_physical = busy + [0] * (len(outcome.physical_cpus) - len(busy))
    return Outcome(
        vcpu_counts=outcome.vcpu_counts,
        vcpus=tuple(CpuTime(ticks, 0, 0, ticks) for ticks in busy),
        physical_cpus=tuple(CpuTime(ticks, 0, end - ticks, end) for ticks in on_physical),
    )


@dataclass(frozen=True, slots=True)
class Repricer:
    """Prices one replay under many cost tables at once: counts times costs, as an exact matrix product.

    ``actions`` are those that the replay took, by name; ``counts`` is how many of each, by virtual CPU.
    Costs come as a matrix of whole ticks with a row for each cost table and a column for each of ``actions``.
    """

    actions: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, replayed: Replayed) -> Repricer:
        """Gather the counts of a replay.

        Raises:
            InputError: something waits, so that other prices need a replay.
        """
        _check(replayed)
        each = [counts.actions for counts in replayed.outcome.vcpu_counts]
        actions = sorted({action for taken in each for _, action in taken})
        summed = [dict.fromkeys(actions, 0) for _ in each]
        for sums, taken in zip(summed, each, strict=True):
            for (_, action), n in taken.items():
                sums[action] += n
        return cls(tuple(actions), tuple(tuple(sums.values()) for sums in summed))

    def ticks(self, tables: Iterable[CostTable]) -> Array:
        """Return the costs of tables as a matrix: tables x actions, of 64 bits if all fit, else Python's integers.

        Raises:
            ModelError: an action has no cost.
        """
        rows = ticks_of_all(tables, self.actions)
        try:
            ticks = np.array(rows, dtype=np.int64)
        except OverflowError:
            ticks = np.array(rows, dtype=object)
        return ticks.reshape(len(rows), len(self.actions))

    def busy(self, ticks: Array) -> Array:
        """Return the busy time of each virtual CPU, which is when it ends, in ticks: tables x virtual CPUs.

        The numbers are of 64 bits where it is certain that they fit, else Python's integers.

        Raises:
            InputError: the matrix has another number of columns, or holds something else than whole numbers.
        """
        if ticks.ndim != 2 or ticks.shape[1] != len(self.actions):
            raise InputError(f"expected a matrix with {len(self.actions)} columns, found the shape {ticks.shape}")
        whole = ticks.dtype.kind in "iu" or (ticks.dtype.kind == "O" and all(isinstance(n, int) for n in ticks.flat))
        if not whole:
            raise InputError("expected costs in whole ticks, found other numbers")
        return exact_product(ticks, self.counts)

    def makespans(self, ticks: Array) -> Array:
        """Return when the last virtual CPU ends, in ticks, for each row of a matrix of costs; see ``busy``."""
        makespans: Array = self.busy(ticks).max(axis=1)
        return makespans


def exact_product(ticks: Array, counts: Sequence[Sequence[int]]) -> Array:
    """Return the matrix product of ticks (tables x actions) and counts (virtual CPUs x actions): tables x virtual CPUs.

    In 64 bits where a bound on the greatest sum shows that all fits. Else the counts are cut into parts that are so
    narrow that the product with each fits, and these are added up as Python's integers.

    >>> exact_product(np.array([[2, 3]]), [[10, 1], [2**62, 2**62]]).tolist()
    [[23, 23058430092136939520]]
    """
    most = [max(1, abs(int(column.max())), abs(int(column.min()))) if len(column) else 1 for column in ticks.T]
    bound = max(sum(max(1, n) * m for n, m in zip(row, most, strict=True)) for row in counts)
    if bound <= _MOST:
        small: Array = ticks.astype(np.int64) @ np.array(counts, dtype=np.int64).T
        return small
    whole = np.array(counts, dtype=object).T
    width = 62 - sum(most).bit_length()
    if width < _LEAST_WIDTH:
        large: Array = ticks.astype(object) @ whole
        return large
    narrow, total = ticks.astype(np.int64), np.zeros((len(ticks), len(counts)), dtype=object)
    for shift in range(0, max(map(max, counts)).bit_length(), width):
        part = (whole >> shift) & (2**width - 1)
        total += (narrow @ part.astype(np.int64)).astype(object) << shift
    return total
