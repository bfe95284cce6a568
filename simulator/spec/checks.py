"""What is wrong between the parts of an experiment: each check yields a path, and the message for what stands there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from simulator.errors import did_you_mean, listed
from simulator.events import BY_CODE, BY_NAME
from simulator.model import CostModel
from simulator.spec.experiment import TO_BASELINE, UNITS, ExperimentSpec, ReferenceSpec
from simulator.spec.node import Node, Where, locate, node_at, walk

Faults = Iterator[tuple[Where, str]]


def model_faults(tree: Node, where: Where, model: CostModel) -> Faults:
    """Yield each action of a model that has no cost, and each name that is neither event nor action of another."""
    chain = model.build()
    in_vain = list(chain.deaf())
    unheard = {(mechanism.name, action) for mechanism, action, _ in in_vain}
    for mechanism, action in chain.leaving():
        if action not in model.costs.entries and (mechanism.name, action) not in unheard:
            near = did_you_mean(action, model.costs.entries)
            place = _recipe(tree, (*where, "mechanisms", mechanism.name), action)
            yield place, f"the action '{action}' has no cost: add it under costs{near}"
    for mechanism, action, heard in in_vain:
        near = did_you_mean(action, [*heard, *BY_NAME])
        place = _first_mention(tree, (*where, "mechanisms", mechanism.name), action)
        yield place, f"'{action}' is no event kind, and no action of a mechanism that stands before{near}"


def _recipe(tree: Node, where: Where, action: str) -> Where:
    """Return the path below ``where`` at which a recipe first lists an action, else ``where`` itself."""
    below = walk(node_at(tree, where))
    found = (path for path, node in below if path and path[-1] == action and node.is_scalar)
    return (*where, *next(found, ()))


def _first_mention(tree: Node, where: Where, name: str) -> Where:
    """Return the path below ``where`` at which a name is first a key or a value, else ``where`` itself."""
    found = (path for path, node in walk(node_at(tree, where)) if name in (node.value, *path[-1:]))
    return (*where, *next(found, ()))


def dead_costs(tree: Node, where: Where, model: CostModel) -> Faults:
    """Yield each cost that no mechanism can use, of those that the model's own file adds: these are worth a warning."""
    own_file = locate(tree, where).file
    emitted = {action for _, action in model.build().leaving()}
    for action, entry in node_at(tree, (*where, "costs")).children():
        if action not in emitted and entry.mark.file == own_file:
            yield (*where, "costs", action), f"no mechanism of the cost model '{model.name}' can take this action"


def recipe_faults(kinds: Mapping[str, Set[int]], models: Mapping[str, CostModel]) -> Faults:
    """Yield each event for which a model has no recipe; ``kinds`` are the kinds of event of each workload."""
    for name, model in models.items():
        served = model.build().reads()
        missing: dict[int, list[str]] = {}
        for workload, met in kinds.items():
            for kind in sorted(met - served):
                missing.setdefault(kind, []).append(workload)
        for kind, users in missing.items():
            event = BY_CODE[kind].name
            near = did_you_mean(event, [BY_CODE[known].name for known in served])
            yield (
                ("models", name, "mechanisms"),
                f"no recipe for the event '{event}' of workload {', '.join(users)}: list it under one of the "
                f"mechanisms{near}",
            )


def device_faults(tree: Node, devices: Mapping[str, Set[str]], models: Mapping[str, CostModel]) -> Faults:
    """Yield each device that machines lack, where the workload asks for it; ``devices`` are those that each uses."""
    for workload, used in devices.items():
        for device in sorted(used):
            lacking = [name for name, model in models.items() if device not in model.machine.devices]
            if lacking:
                known = list(models[lacking[0]].machine.devices)
                near = did_you_mean(device, known)
                has = f"it has {listed(known)}" if known else "it has none"
                message = f"the machine of {', '.join(lacking)} has no device '{device}'{near}; {has}"
                yield _request(tree, ("workloads", workload), device), message


def _request(tree: Node, where: Where, device: str) -> Where:
    """Return the path at which a workload first asks for a device: of a recording, that of its name."""
    workload = node_at(tree, where)
    named = (path for path, node in walk(workload) if path[-1:] == ("device",) and node.value == device)
    return (*where, *next(named, ("recording",) if workload.child("recording") else ()))


def name_faults(spec: ExperimentSpec) -> Faults:
    """Yield labels that no workload or model has, and figures whose unit does not fit the quantity."""
    if spec.baseline is not None and spec.baseline not in spec.models:
        yield ("baseline",), _unknown("model", spec.baseline, spec.models)
    labels: dict[str, tuple[str, ...]] = {}
    for i, reference in enumerate(spec.references):
        where: Where = ("references", i)
        if reference.quantity in TO_BASELINE and spec.baseline is None:
            yield (*where, "quantity"), "the experiment has no baseline"
        label = reference.source_of_overhead
        if set(labels.setdefault(label, reference.kinds)) != set(reference.kinds):
            yield where, f"an earlier reference uses the label '{label}' for {', '.join(labels[label])}"
        yield from _value_faults(where, reference, spec)


def _value_faults(where: Where, reference: ReferenceSpec, spec: ExperimentSpec) -> Faults:
    expected = UNITS[reference.quantity]
    for workload, values in reference.values.items():
        place: Where = (*where, "values", workload)
        if workload not in spec.workloads:
            yield place, _unknown("workload", workload, spec.workloads)
        for model, (_, unit) in values.items():
            if model not in spec.models:
                yield (*place, model), _unknown("model", model, spec.models)
            if unit != expected:
                yield (*place, model), f"{reference.quantity} is given in '{expected}', found '{unit}'"


def _unknown(what: str, name: str, known: Mapping[str, object]) -> str:
    return f"the experiment has no {what} '{name}'{did_you_mean(name, known)}; it has {', '.join(known)}"
