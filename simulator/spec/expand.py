"""Parameters and operations: a resolved tree is rewritten into plain steps, before it is validated."""

from __future__ import annotations

from dataclasses import replace

from simulator.spec.diagnostics import Diagnostics, Place
from simulator.spec.inline import Inliner, library
from simulator.spec.node import Node, Where
from simulator.spec.parameters import Scope

_SECTIONS = ("events", "vcpus", "timer")


def expand_experiment(tree: Node, diagnostics: Diagnostics) -> Node:
    """Return an experiment with each of its workloads expanded."""
    workloads = tree.child("workloads")
    if workloads is None or not isinstance(workloads.value, dict):
        return tree
    expanded = {name: expand_workload(node, diagnostics, ("workloads", name)) for name, node in workloads.value.items()}
    return tree.with_entries({"workloads": replace(workloads, value=expanded)})


def expand_workload(node: Node, diagnostics: Diagnostics, where: Where = ()) -> Node:
    """Return a workload without parameters to fill in and operations to expand."""
    operations = library(node.child("operations"), (*where, "operations"), diagnostics)
    given = node.child("parameters")
    scope = Scope.of(given, {}, (*where, "parameters"), diagnostics)
    expanded: dict[str, Node] = {}
    for key in _SECTIONS:
        section = node.child(key)
        if section is not None:
            expanded[key] = scope.filled(section, (*where, key))
    assumed = node.child("assume")
    if assumed is not None:
        expanded["assume"] = scope.filled(assumed, (*where, "assume"), rounded=False)
    scope.warn_of_unused(given, (*where, "parameters"))
    inliner = Inliner(diagnostics, operations)
    if "events" in expanded:
        expanded["events"] = inliner.expanded(expanded["events"], Place.of((*where, "events")))
    if "vcpus" in expanded:
        expanded["vcpus"] = inliner.within(expanded["vcpus"], Place.of((*where, "vcpus")))
    return node.with_entries(expanded)


def expand_operations(node: Node, diagnostics: Diagnostics) -> Node:
    """Return an operations document, each operation expanded with its defaults."""
    listed = node.child("operations")
    operations = library(node, (), diagnostics)
    if listed is None or not isinstance(listed.value, dict):
        return node
    expanded = {}
    for name, operation in listed.value.items():
        where: Where = ("operations", name)
        scope = Scope.of(operation.child("parameters"), {}, (*where, "parameters"), diagnostics)
        events = operation.child("events")
        if events is not None:
            filled = scope.filled(events, (*where, "events"))
            steps = Inliner(diagnostics, operations, (name,)).expanded(filled, Place.of((*where, "events")))
            expanded[name] = operation.with_entries({"events": steps})
        scope.warn_of_unused(operation.child("parameters"), (*where, "parameters"))
    return node.with_entries({"operations": listed.with_entries(expanded)})
