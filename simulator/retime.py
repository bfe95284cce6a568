"""Times a replay anew under many prices at once, where virtual CPUs wait for each other: along its graph of waits.

Between two nodes of the graph a virtual CPU takes the actions counted there, so that its time is a sum of counts times
costs; at a wait it is a maximum. Both are taken for all prices at once, in 64 bits. Under some prices rows that meet in
one part of a mechanism's state might come in another order, and take other actions: these are told, and need a replay.

At one moment the virtual CPU of the lower number has its turn first. It takes its rows there before all others, if it
came there by computing or serving: one that another woke at that moment has its turn after who woke it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.engine.base import CpuTime, Outcome
from simulator.engine.tracing import Graph
from simulator.stream import Array

_POINTS = 512  # evaluated at once: the times of some thousand nodes fit in memory, those of one in a cache
_PAIRS = 256
_MOST = 2**62


@dataclass(frozen=True, slots=True)
class Times:
    """Times in ticks under some prices, a row for each: ``busy`` and ``ends`` of each virtual CPU.

    Where ``holds`` is false the rest of the row says nothing: a replay is needed.
    """

    holds: Array
    busy: Array
    ends: Array

    def outcome(self, row: int, replayed: Outcome) -> Outcome:
        """Return what a replay would come to under the prices of a row; ``replayed`` is under other prices."""
        busy, ends = self.busy[row].tolist(), self.ends[row].tolist()
        makespan = max(ends)
        physical = busy + [0] * (len(replayed.physical_cpus) - len(busy))
        return Outcome(
            vcpu_counts=replayed.vcpu_counts,
            vcpus=tuple(CpuTime(ticks, 0, end - ticks, end) for ticks, end in zip(busy, ends, strict=True)),
            physical_cpus=tuple(CpuTime(ticks, 0, makespan - ticks, makespan) for ticks in physical),
        )


def retime(graph: Graph, ticks: Array, ticks_per_ns: Array) -> Times:
    """Evaluate a graph; ``ticks`` is what each of its actions costs: prices x actions, of Python's integers."""
    parts = [slice(begin, begin + _POINTS) for begin in range(0, len(ticks), _POINTS)]
    times = [_retimed(graph, ticks[part], ticks_per_ns[part]) for part in parts]
    return Times(*(np.concatenate([getattr(each, name) for each in times]) for name in ("holds", "busy", "ends")))


def _retimed(graph: Graph, ticks: Array, ticks_per_ns: Array) -> Times:
    points, vcpus = len(ticks), len(graph.ends)
    if _most(graph, ticks, ticks_per_ns) >= _MOST:
        nothing = np.zeros((points, vcpus), dtype=np.int64)
        return Times(np.zeros(points, dtype=bool), nothing, nothing)
    small, per_ns = ticks.astype(np.int64), ticks_per_ns.astype(np.int64)
    taken = _taken(graph.counts, small)
    times = np.zeros((len(taken) + 1, points), dtype=np.int64)  # the last stands for the start of the replay
    now = [times[-1]] * vcpus
    steps = zip(times, taken, graph.vcpus.tolist(), graph.awaited.tolist(), graph.offsets_ns, strict=False)
    for time, ticks_taken, vcpu, awaited, offset in steps:
        np.add(now[vcpu], ticks_taken, out=time)
        if awaited >= 0:
            np.maximum(time, times[awaited] + offset * per_ns, out=time)
        now[vcpu] = time
    holds = np.ones(points, dtype=bool)
    waited = _waited(graph)
    for begin in range(0, len(graph.before), _PAIRS):
        before, after = graph.before[begin : begin + _PAIRS], graph.after[begin : begin + _PAIRS]
        early, late = times[before], times[after]
        in_order = early < late
        if not in_order.all():
            woken = waited[before]
            by_itself = (woken < 0)[:, None] | (times[woken] < early)
            lower = (graph.vcpus[before] < graph.vcpus[after])[:, None]
            in_order |= (early == late) & lower & by_itself
        holds &= in_order.all(axis=0)
    busy = np.stack([taken[graph.vcpus == vcpu].sum(axis=0) for vcpu in range(vcpus)], axis=1)
    return Times(holds, busy, times[list(graph.ends)].T.copy())


def _waited(graph: Graph) -> Array:
    """Return, of each node, the last one that waits up to it on its virtual CPU; -1 if none does."""
    waited, last = np.full(len(graph.vcpus), -1, dtype=np.int64), [-1] * len(graph.ends)
    for node, (vcpu, awaited) in enumerate(zip(graph.vcpus.tolist(), graph.awaited.tolist(), strict=True)):
        if awaited >= 0:
            last[vcpu] = node
        waited[node] = last[vcpu]
    return waited


def _most(graph: Graph, ticks: Array, ticks_per_ns: Array) -> int:
    """Return what no time can be beyond: as if nothing went on side by side."""
    counts: list[int] = graph.counts.sum(axis=0).tolist()
    dearest = [max(column) for column in ticks.T.tolist()]
    waits: int = sum(graph.offsets_ns) * max(ticks_per_ns.tolist())
    taken: int = sum(n * most for n, most in zip(counts, dearest, strict=True))
    return waits + taken


def _taken(counts: Array, ticks: Array) -> Array:
    """Return what the actions of each node cost: nodes x prices; prices that do not vary are multiplied but once."""
    varied = (ticks != ticks[0]).any(axis=0)
    same = counts[:, ~varied] @ ticks[0, ~varied]
    taken = np.repeat(same[:, None], len(ticks), axis=1)
    for column in np.flatnonzero(varied):
        taken += counts[:, column, None] * ticks[None, :, column]
    return taken
