"""What the page needs to price a result again: counts of its replays, and costs with their sources and bounds.

Counts and costs are text: they have more digits than a number of JavaScript holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.actions import ActionCounts
from simulator.events import BY_CODE
from simulator.report.plots.style import Style, event_style, mechanism_style, model_styles
from simulator.result import Replayed, Result
from simulator.spec.cost_model import CostModelSpec, CostSpec
from simulator.spec.node import dotted

_AND = ", "
UNKNOWN = "EXPERIMENT"
"""Stands in a command for the experiment, where it is not known how the user names it."""


def live_data(result: Result, experiment: str = UNKNOWN) -> dict[str, Any] | None:
    """Return what the page prices again, for JSON; None if the result has no counts, or points of a sweep.

    ``experiment`` is how the user names it: ``vmmsim run`` with it and the overrides of the result gives the result.
    """
    if not result.replays or any(replayed.point for replayed in result.replays):
        return None
    documents = result.metadata["experiment"]["models"]
    used = {replayed.model: replayed for replayed in result.replays}
    styles = model_styles(sorted(used, key=lambda name: name != result.baseline))
    models = {name: _model(name, documents[name], replayed, styles[name]) for name, replayed in used.items()}
    runs = [_run(replayed) for replayed in result.replays]
    events = dict.fromkeys(event for run in runs for cpu in run["cpus"] for event in cpu["counts"])
    mechanisms = dict.fromkeys(cost["mechanism"] for model in models.values() for cost in model["costs"].values())
    return {
        "experiment": experiment,
        "overrides": list(result.metadata["overrides"]),
        "baseline": result.baseline,
        "models": models,
        "runs": runs,
        "styles": {
            "event": {event: _style(event_style(event)) for event in events},
            "mechanism": {by: _style(_mechanism_style(by)) for by in mechanisms},
        },
    }


def _model(name: str, document: Mapping[str, Any], replayed: Replayed, style: Style) -> dict[str, Any]:
    """Return the costs of a model, of each action that it can take, by the mechanisms that take it."""
    spec = CostModelSpec.model_validate(document)
    takers: dict[str, list[str]] = {}
    for mechanism, action in spec.build(name).build().leaving():
        takers.setdefault(action, []).append(mechanism.name)
    return {
        "title": spec.title,
        "mhz": replayed.clock.mhz,
        "style": _style(style),
        "costs": {
            action: {"path": dotted(("models", name, "costs", action)), "mechanism": _AND.join(by), **_cost(cost)}
            for action, by in takers.items()
            for cost in [spec.costs[action]]
        },
    }


def _cost(spec: CostSpec) -> dict[str, Any]:
    bounds = {name: str(bound) for name, bound in (("low", spec.low), ("high", spec.high)) if bound is not None}
    return {"cost": str(spec.cost), **bounds, "source": spec.source, "status": spec.status}


def _run(replayed: Replayed) -> dict[str, Any]:
    outcome = replayed.outcome
    return {
        "workload": replayed.workload,
        "model": replayed.model,
        "why_replay": replayed.why_replay,
        "why_recount": replayed.why_recount,
        "ticks": str(outcome.makespan),
        "cpus": [
            {
                "waiting": str(cpu.waiting),
                "idle": str(cpu.idle),
                "events": {BY_CODE[kind].name: str(n) for kind, n in sorted(counts.events.items())},
                "counts": _counts(counts),
            }
            for cpu, counts in zip(outcome.vcpus, outcome.vcpu_counts, strict=True)
        ],
    }


def _counts(counts: ActionCounts) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for (kind, action), n in sorted(counts.actions.items()):
        found.setdefault(BY_CODE[kind].name, {})[action] = str(n)
    return found


def _mechanism_style(by: str) -> Style:
    """Return the style of a mechanism; of several that take one action, the colour of the first, dotted."""
    first, *others = by.split(_AND)
    return mechanism_style(first)._replace(hatch="....") if others else mechanism_style(first)


def _style(style: Style) -> list[str]:
    """Return a colour, and a hatch by the one letter that Bokeh knows it by."""
    return [style.colour, style.hatch[:1]]
