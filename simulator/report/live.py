"""What the page needs to price a result again: counts of its replays, and costs with their sources and bounds.

Counts and costs are text: they have more digits than a number of JavaScript holds. A run is one point. The points of a
sweep have most in common, so the costs of models and the counts of replays are written once, and named by number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from simulator.analysis.points import coordinates, costs_of, inputs
from simulator.engine.base import Outcome
from simulator.replays import counts_as_document
from simulator.report.plots.style import Style, event_style, mechanism_style, model_styles
from simulator.report.tables import human_count
from simulator.result import Replayed, Result, operations
from simulator.spec.cost_model import CostModelSpec, CostSpec
from simulator.spec.node import dotted

_AND = ", "
UNKNOWN = "EXPERIMENT"
"""Stands in a command for the experiment, where it is not known how the user names it."""
MOST_BYTES = 2_500_000
"""Of what a page holds to price again; with the scripts, plots and tables it stays below 5 MB."""


def live_data(result: Result, experiment: str = UNKNOWN) -> dict[str, Any] | None:
    """Return what the page prices again, for JSON; None if the result has no counts.

    ``experiment`` is how the user names it: ``vmmsim run`` with it, the overrides of the result, and the settings of
    a point gives that point. Of a sweep with very many points it has every second one, or fourth, and so on: the first
    is always there.
    """
    points: dict[str, list[Replayed]] = {}
    for replayed in result.replays:
        points.setdefault(replayed.point, []).append(replayed)
    if not points:
        return None
    names = list(points)
    while True:
        data = _data(result, experiment, {name: points[name] for name in names})
        if len(names) == 1 or len(json.dumps(data)) <= MOST_BYTES:
            return data
        names = names[::2]


def _data(result: Result, experiment: str, points: Mapping[str, Sequence[Replayed]]) -> dict[str, Any]:
    models = list(dict.fromkeys(replayed.model for replays in points.values() for replayed in replays))
    styles = model_styles(sorted(models, key=lambda name: name != result.baseline))
    parts = _Parts(result)
    found = [parts.point(name, replays) for name, replays in points.items()]
    events = dict.fromkeys(event for cpus in parts.counts for cpu in cpus for event in cpu["actions"])
    mechanisms = dict.fromkeys(cost["mechanism"] for table in parts.tables for cost in table["costs"].values())
    return {
        "experiment": experiment,
        "overrides": list(result.metadata["overrides"]),
        "baseline": result.baseline,
        "models": {name: _style(styles[name]) for name in models},
        "tables": parts.tables,
        "counts": parts.counts,
        "points": found,
        "styles": {
            "event": {event: _style(event_style(event)) for event in events},
            "mechanism": {by: _style(_mechanism_style(by)) for by in mechanisms},
        },
    }


class _Parts:
    """What points have in common: ``tables`` of costs as written, and ``counts`` by virtual CPU, each once."""

    def __init__(self, result: Result) -> None:
        self.tables: list[dict[str, Any]] = []
        self.counts: list[list[dict[str, Any]]] = []
        self._result = result
        self._coordinates = coordinates(result)
        self._tables: dict[str, int] = {}
        self._counts: dict[str, int] = {}

    def point(self, name: str, replays: Sequence[Replayed]) -> dict[str, Any]:
        """Return a point; its ``models`` have the number of a table, and what is other than written there."""
        documents = inputs(self._result, name)["models"]
        models: dict[str, Any] = {}
        for replayed in replays:
            if replayed.model not in models:
                models[replayed.model] = self._model(documents[replayed.model], replayed)
        return {
            "coordinates": dict(self._coordinates.get(name, {})),
            "models": models,
            "runs": [self._run(replayed) for replayed in replays],
        }

    def _model(self, document: Mapping[str, Any], replayed: Replayed) -> dict[str, Any]:
        key = json.dumps([replayed.model, document])
        if key not in self._tables:
            self._tables[key] = len(self.tables)
            self.tables.append(_table(replayed.model, document))
        table = self.tables[self._tables[key]]
        written = {action: entry["cost"] for action, entry in table["costs"].items()}
        costs = {action: str(cost) for action, cost in costs_of(replayed, document["costs"])}
        changed = {action: text for action, text in costs.items() if text != written.get(action, text)}
        return {"table": self._tables[key], "mhz": replayed.clock.mhz, "costs": changed}

    def _run(self, replayed: Replayed) -> dict[str, Any]:
        outcome = replayed.outcome
        counts = [_as_text(counts_as_document(each)) for each in outcome.vcpu_counts]
        key = json.dumps(counts)
        if key not in self._counts:
            self._counts[key] = len(self.counts)
            self.counts.append(counts)
        return {
            "workload": replayed.workload,
            "model": replayed.model,
            "why_replay": replayed.why_replay,
            "why_recount": replayed.why_recount,
            "events": human_count(operations(outcome.counts)),
            "ticks": str(outcome.makespan),
            "counts": self._counts[key],
            "cpus": _waits(outcome),
        }


def _waits(outcome: Outcome) -> list[dict[str, str]]:
    return [{"waiting": str(cpu.waiting), "idle": str(cpu.idle)} for cpu in outcome.vcpus]


def _as_text(value: Any) -> Any:
    """Return the numbers in some mappings as text."""
    return {key: _as_text(part) for key, part in value.items()} if isinstance(value, dict) else str(value)


def _table(name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the costs of a model, of each action that it can take, by the mechanisms that take it."""
    spec = CostModelSpec.model_validate(document)
    takers: dict[str, list[str]] = {}
    for mechanism, action in spec.build(name).build().leaving():
        takers.setdefault(action, []).append(mechanism.name)
    return {
        "title": spec.title,
        "costs": {
            action: {"path": dotted(("models", name, "costs", action)), "mechanism": _AND.join(by), **_cost(cost)}
            for action, by in takers.items()
            for cost in [spec.costs[action]]
        },
    }


def _cost(spec: CostSpec) -> dict[str, Any]:
    bounds = {name: str(bound) for name, bound in (("low", spec.low), ("high", spec.high)) if bound is not None}
    return {"cost": str(spec.cost), **bounds, "source": spec.source, "status": spec.status}


def _mechanism_style(by: str) -> Style:
    """Return the style of a mechanism; of several that take one action, the colour of the first, dotted."""
    first, *others = by.split(_AND)
    return mechanism_style(first)._replace(hatch="....") if others else mechanism_style(first)


def _style(style: Style) -> list[str]:
    """Return a colour, and a hatch by the one letter that Bokeh knows it by."""
    return [style.colour, style.hatch[:1]]
