"""The settings of a command line, ``path=value`` each, laid over the resolved tree of an experiment."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from simulator.errors import Fault, SpecError, did_you_mean
from simulator.spec.cost_model import MOVE_THE_BOUND
from simulator.spec.node import Mark, Node, Where, dotted, node_at
from simulator.spec.overrides import FILE, named_document, override


@dataclass(frozen=True, slots=True)
class Override:
    """One ``--set``: its text, and each path of the resolved tree that it set."""

    text: str
    paths: tuple[Where, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings, parted into those that set values and those that name another workload or model.

    ``values`` are the texts of the former; ``documents`` has, by section and label, the text of a setting and the name.
    """

    values: tuple[str, ...]
    documents: Mapping[tuple[str, str], tuple[str, Node]]

    @classmethod
    def of(cls, settings: Sequence[str]) -> Settings:
        """Part settings by what they set."""
        values: list[str] = []
        documents: dict[tuple[str, str], tuple[str, Node]] = {}
        for setting in settings:
            path, equals, text = setting.partition("=")
            where = named_document(path.strip(), text.strip()) if equals else None
            if where is None:
                values.append(setting)
            else:
                documents[where] = (setting, Node(text.strip(), Mark(FILE, 0, 0), source=text.strip()))
        return cls(tuple(values), documents)

    @property
    def references(self) -> dict[tuple[str, str], Node]:
        """The names of other workloads and models, by section and label."""
        return {where: node for where, (_, node) in self.documents.items()}

    def apply(self, tree: Node) -> tuple[Node, tuple[Override, ...]]:
        """Set all values in a tree, in which the other documents stand already; return what each setting set, too.

        Raises:
            SpecError: says of each setting that fails what is wrong.
        """
        overrides = [Override(setting, (where,)) for where, (setting, _) in self.documents.items()]
        faults: list[Fault] = []
        for setting in self.values:
            path, equals, text = setting.partition("=")
            try:
                if not equals:
                    message = "expected path=value, such as models.native.costs.syscall=300 cycles"
                    raise SpecError([Fault(FILE, 0, 0, setting, message)])
                before = tree
                tree, paths = override(tree, path.strip(), text.strip())
                tree = _with_overridden_sources(before, tree, paths)
                overrides.append(Override(setting, paths))
            except SpecError as error:
                faults.extend(error.faults)
        if faults:
            raise SpecError(faults)
        return tree, tuple(overrides)


def _with_overridden_sources(before: Node, tree: Node, paths: Sequence[Where]) -> Node:
    """Let the source of each cost that was set say so: the source of its old value is none of the new one's."""
    for path in paths:
        if len(path) >= 3 and path[-1] == "cost" and path[-3] == "costs":
            entry = node_at(before, path[:-1])
            cost, old = entry.child("cost"), entry.child("source")
            if cost is None or old is None:
                continue  # a key is missing, which is a fault of its own
            source = f"--set, in place of {cost.source} ({old.source})"
            for key, text in (("source", source), ("status", "assumed")):
                tree = override(tree, dotted((*path[:-1], key)), json.dumps(text)).root
    return tree


def check_labels(tree: Node, entries: Iterable[tuple[str, str]]) -> None:
    """Refuse another workload or model for a label that the experiment does not have.

    Raises:
        SpecError: one fault for each such label.
    """
    faults = []
    for section, label in entries:
        child = tree.child(section)
        labels = [str(part) for part, _ in child.children()] if child is not None else []
        if label not in labels:
            near = did_you_mean(label, labels) or f" (they are {', '.join(labels)})"
            faults.append(Fault(FILE, 0, 0, f"{section}.{label}", f"there is no '{label}' in '{section}'{near}"))
    if faults:
        raise SpecError(faults)


def of_setting(fault: Fault, overrides: Sequence[Override]) -> Fault:
    """Return a fault; that of a cost set beyond its bounds says how they are set, too."""
    set_costs = {dotted(path[:-1]) for each in overrides for path in each.paths if path[-1] == "cost"}
    if fault.path not in set_costs or not fault.message.endswith(MOVE_THE_BOUND):
        return fault
    found = fault.message.removesuffix(MOVE_THE_BOUND)
    message = f"{found}set the bound too, with --set {fault.path}.low=... or --set {fault.path}.high=..."
    return Fault(FILE, 0, 0, fault.path, message)
