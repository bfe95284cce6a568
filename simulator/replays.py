"""Replays as JSON, and back: integers by the names of events and actions; and graphs of waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from simulator.actions import ActionCounts
from simulator.engine.base import CpuTime, Outcome
from simulator.engine.tracing import Graph
from simulator.events import BY_CODE, kind_code
from simulator.result import Replayed
from simulator.units import Clock

_TIMES = ("busy", "waiting", "idle", "end")


def as_document(replayed: Replayed) -> dict[str, Any]:
    """Return a replay for JSON; all times are in ticks, and the names of kinds stand in the order of their codes."""
    outcome = replayed.outcome
    return {
        "workload": replayed.workload,
        "model": replayed.model,
        "point": replayed.point,
        "machine": replayed.machine,
        "clock_mhz": replayed.clock.mhz,
        "why_replay": replayed.why_replay,
        "why_recount": replayed.why_recount,
        "ticks": dict(sorted(replayed.ticks.items())),
        "vcpus": [
            {**_times(cpu), **counts_as_document(counts)}
            for cpu, counts in zip(outcome.vcpus, outcome.vcpu_counts, strict=True)
        ],
        "physical_cpus": [_times(cpu) for cpu in outcome.physical_cpus],
    }


def _times(cpu: CpuTime) -> dict[str, int]:
    return {name: getattr(cpu, name) for name in _TIMES}


def counts_as_document(counts: ActionCounts) -> dict[str, Any]:
    """Return the events of one virtual CPU and its actions by event, for JSON, by their names."""
    actions: dict[str, dict[str, int]] = {}
    for (kind, action), n in sorted(counts.actions.items()):
        actions.setdefault(BY_CODE[kind].name, {})[action] = n
    return {"events": {BY_CODE[kind].name: n for kind, n in sorted(counts.events.items())}, "actions": actions}


def from_document(document: Mapping[str, Any]) -> Replayed:
    """Read what ``as_document`` gave.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is something else.
    """
    vcpus = document["vcpus"]
    replayed = Replayed(
        workload=str(document["workload"]),
        model=str(document["model"]),
        point=str(document["point"]),
        machine=str(document["machine"]),
        clock=Clock(_whole(document["clock_mhz"])),
        outcome=Outcome(
            vcpu_counts=tuple(_read_counts(vcpu) for vcpu in vcpus),
            vcpus=tuple(map(_read_times, vcpus)),
            physical_cpus=tuple(map(_read_times, document["physical_cpus"])),
        ),
        ticks={action: _whole(n) for action, n in document["ticks"].items()},
        why_replay=str(document["why_replay"]),
        why_recount=str(document.get("why_recount", document["why_replay"])),  # not known of older results
    )
    _check_accounts(replayed)
    return replayed


def graph_as_document(graph: Graph) -> dict[str, Any]:
    """Return a graph of waits for JSON; of the actions taken before a node only those that were, by their number."""
    return {
        "actions": list(graph.actions),
        "vcpus": graph.vcpus.tolist(),
        "counts": [{action: n for action, n in enumerate(node) if n} for node in graph.counts.tolist()],
        "awaited": graph.awaited.tolist(),
        "offsets_ns": list(graph.offsets_ns),
        "ends": list(graph.ends),
        "before": graph.before.tolist(),
        "after": graph.after.tolist(),
    }


def graph_from_document(document: Mapping[str, Any]) -> Graph:
    """Read what ``graph_as_document`` gave.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, IndexError: it is something else.
    """
    counts = np.zeros((len(document["counts"]), len(document["actions"])), dtype=np.int64)
    for node, taken in enumerate(document["counts"]):
        for action, n in taken.items():
            counts[node, int(action)] = _whole(n)
    arrays = {name: np.array(document[name], dtype=np.int64) for name in ("vcpus", "awaited", "before", "after")}
    offsets, ends = (tuple(map(_whole, document[name])) for name in ("offsets_ns", "ends"))
    return Graph(actions=tuple(document["actions"]), counts=counts, offsets_ns=offsets, ends=ends, **arrays)


def _check_accounts(replayed: Replayed) -> None:
    for cpu, counts in zip(replayed.outcome.vcpus, replayed.outcome.vcpu_counts, strict=True):
        if sum(n * replayed.ticks[action] for (_, action), n in counts.actions.items()) != cpu.busy:
            raise ValueError("the actions of a virtual CPU do not add up to its busy time")
        if cpu.busy + cpu.waiting + cpu.idle != cpu.end:
            raise ValueError("the times of a virtual CPU do not add up to its end")


def _read_times(cpu: Mapping[str, Any]) -> CpuTime:
    return CpuTime(*(_whole(cpu[name]) for name in _TIMES))


def _read_counts(vcpu: Mapping[str, Any]) -> ActionCounts:
    events = {kind_code(name): _whole(n) for name, n in vcpu["events"].items()}
    actions = {
        (kind_code(name), action): _whole(n) for name, taken in vcpu["actions"].items() for action, n in taken.items()
    }
    return ActionCounts(Counter(events), Counter(actions))


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"expected a whole number, 0 or more, found {value!r}")
    return value
