"""From a file to one resolved tree: references are followed, `extends` is merged, defaults are filled in.

Merge rule of `extends`: mappings merge key by key, all the way down; any other value of the child replaces that of its
base; a `null` that the child writes removes the key. The tree that comes out is the whole input of an experiment:
`--set` paths lead through it, and result.json holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from simulator.errors import Fault, InputError, SpecError, StreamError
from simulator.mechanisms import BY_NAME, Parameters
from simulator.spec.cost_model import MachineSpec
from simulator.spec.experiment import ExperimentSpec
from simulator.spec.fit import FitSpec
from simulator.spec.library import BELONGS, ONE, DocumentKind, find, shown
from simulator.spec.node import Mark, Node, Where, merge
from simulator.spec.reader import load
from simulator.spec.types import Spec
from simulator.stream import ParquetStream

HOST_COSTS = "recording-host/native"
"""The cost model of the machine recorded, for a bare Parquet file whose header names none."""

_KINDS: tuple[DocumentKind, ...] = ("experiment", "workload", "operations", "cost-model")
_WORKLOADS = "workloads"
_SECTIONS: dict[str, DocumentKind] = {_WORKLOADS: "workload", "models": "cost-model"}
_REFERENCES: dict[DocumentKind, dict[str, DocumentKind]] = {
    "workload": {"recording": "workload", "host_costs": "cost-model", "operations": "operations"}
}
"""Which keys of a document name another one, and of what kind that is."""
_FOLLOWED = ("host_costs", "operations")
"""Which of them stand in place once resolved."""


class Resolver:
    """Resolves one document; what is wrong is collected in ``faults`` for as long as anything is left to read.

    ``references`` stand in place of those of an experiment, by section and label, relative to the working folder.
    ``recording`` is the only workload of an experiment, in place of those that it names.
    ``incomplete`` are the sections of an experiment with an entry that had to be left out.
    """

    def __init__(self, references: Mapping[tuple[str, str], Node] | None = None, recording: str | None = None) -> None:
        self.faults: list[Fault] = []
        self.incomplete: set[str] = set()
        self._references = dict(references or {})
        self._recording = recording

    def resolve(self, path: Path, kind: DocumentKind) -> Node:
        """Load a document of the given kind, and all that it refers to.

        Raises:
            SpecError: nothing of the document can be read, or it is of another kind.
        """
        node = self._load(path)
        return self._resolved(node, _kind(node, (kind,)), path)

    def entry(self, where: tuple[str, str], reference: Node) -> Node:
        """Return the document that a reference names, to stand at a section and a label of an experiment.

        Raises:
            SpecError: it cannot be found, or nothing of it can be read.
        """
        return self._entry(reference, _SECTIONS[where[0]], Path(), where)

    def _resolved(self, node: Node, kind: DocumentKind, path: Path) -> Node:
        """Follow all references of a document that stands at a path."""
        match kind:
            case "experiment":
                return self._experiment(node, path.parent)
            case "workload":
                return self._workload(node, path)
            case "cost-model":
                return self._cost_model(node, path)
            case "operations":
                return node

    def kind(self, path: Path) -> DocumentKind:
        """Return what kind of document a file says it is.

        Raises:
            SpecError: it cannot be read, or does not say.
        """
        return _kind(self._load(path), _KINDS)

    def _load(self, path: Path) -> Node:
        """Load a file; a document with faults is used as far as it could be read, a bare recording is a workload."""
        if path.suffix == ".parquet":
            return _bare_recording(path)
        try:
            return load(path, shown(path))
        except SpecError as error:
            if not isinstance(error.tree, Node) or not isinstance(error.tree.value, dict):
                raise
            self.faults.extend(error.faults)
            return error.tree

    def _experiment(self, node: Node, folder: Path) -> Node:
        """Follow the references of an experiment; an entry that cannot be followed is left out."""
        if self._recording is not None:
            mark = Mark(self._recording, 0, 0)
            name = Node(self._recording, mark, source=self._recording)
            label = label_of(name, 0, ())
            self._references[_WORKLOADS, label] = name
            node = _with(node, _WORKLOADS, Node({label: name}, mark, {label: mark}))
        for section, kind in _SECTIONS.items():
            child = node.child(section)
            if child is not None and isinstance(child.value, str):
                message = f"expected a list of names: write [{child.value}]"
                self._leave_out(section, [child.mark.fault((section,), message)])
                node = _with(node, section, replace(child, value={}))
            if child is None or child.is_scalar:
                continue
            entries: dict[str, Node] = {}
            keys: dict[str, Mark] = {}
            for part, entry in child.children():
                where = (section, part)
                try:
                    label = label_of(entry, part, where)
                    if label in entries:
                        message = f"a second entry labelled '{label}': write them as 'label: name' pairs"
                        raise SpecError([entry.mark.fault(where, message)])
                    keys[label] = child.keys.get(label, entry.mark)
                    other = self._references.get((section, label))
                    if other is None:
                        entries[label] = self._entry(entry, kind, folder, where)
                    else:
                        entries[label] = self._entry(other, kind, Path(), (section, label))
                except SpecError as error:
                    self._leave_out(section, error.faults)
            node = _with(node, section, replace(child, value=entries, keys=keys))
        filled = _with_schema_defaults(_with_schema_defaults(node, (), ExperimentSpec), ("fit",), FitSpec)
        # nothing else hangs on a sweep, so one that is not there leaves no trace in the hash of an experiment
        return filled if node.child("sweep") is not None else _without(filled, "sweep")

    def _leave_out(self, section: str, faults: Iterable[Fault]) -> None:
        """Note why an entry of a section is missing from the tree."""
        self.faults.extend(faults)
        self.incomplete.add(section)

    def _entry(self, entry: Node, kind: DocumentKind, folder: Path, where: Where) -> Node:
        """Follow a reference, or take the document that stands in place."""
        if isinstance(entry.value, str):
            return self.resolve(_found(entry, kind, folder, where), kind)
        if isinstance(entry.value, dict):
            return self._resolved(entry, kind, folder / "(in place)")
        raise SpecError([entry.mark.fault(where, f"expected the name or path of a {kind}, or the document itself")])

    def _workload(self, node: Node, path: Path) -> Node:
        """Merge a workload onto what it extends, then follow its references."""
        node = _with_defaults(self._extended(node, "workload", path, ()), {"timer": None})
        recording = node.child("recording")
        if recording is not None and isinstance(recording.value, str):
            found = shown(_found(recording, "workload", path.parent, ("recording",)))
            node = _with_defaults(_with(node, "recording", replace(recording, value=found)), {"copies": None})
        for key in _FOLLOWED:
            child = node.child(key)
            if child is not None and (isinstance(child.value, str) or not child.is_scalar):
                resolved = self._entry(child, _REFERENCES["workload"][key], path.parent, (key,))
                node = _with(node, key, resolved)
        return node

    def _cost_model(self, node: Node, path: Path) -> Node:
        """Merge a cost model onto what it extends, then fill in the defaults of its machine and mechanisms."""
        merged = self._extended(node, "cost-model", path, ())
        schemas: dict[tuple[str, ...], type[Spec | Parameters]] = {("machine",): MachineSpec}
        schemas |= {("mechanisms", name): mechanism.schema for name, mechanism in BY_NAME.items()}
        for where, schema in schemas.items():
            merged = _with_schema_defaults(merged, where, schema)
        return merged

    def _extended(self, node: Node, kind: DocumentKind, path: Path, chain: tuple[Path, ...]) -> Node:
        """Return a document of a kind merged onto what it extends."""
        node = _anchored(node, kind, path.parent)
        extends = node.child("extends")
        if extends is None or extends.value is None:
            return node
        where = ("extends",)
        if not isinstance(extends.value, str):
            raise SpecError([extends.mark.fault(where, f"expected the name or the path of one {kind}")])
        chain = (*chain, path.resolve())
        base = _found(extends, kind, path.parent, where)
        if base.resolve() in chain:
            circle = " -> ".join(shown(link) for link in (*chain, base))
            raise SpecError([extends.mark.fault(where, f"circular: {circle}")])
        below = self._load(base)
        _kind(below, (kind,))
        own = {key: value for key, value in node.children() if isinstance(key, str) and key != "extends"}
        return merge(_without(self._extended(below, kind, base, chain), "abstract"), replace(node, value=own))


def _anchored(node: Node, kind: DocumentKind, folder: Path) -> Node:
    """Return a document whose references are whole paths: merged onto another, it may end up in another folder."""
    for key, other in _REFERENCES.get(kind, {}).items():
        child = node.child(key)
        if child is not None and isinstance(child.value, str):
            path = _found(child, other, folder, (key,)).resolve()
            node = _with(node, key, replace(child, value=str(path)))
    return node


def _kind(node: Node, wanted: tuple[DocumentKind, ...]) -> DocumentKind:
    child = node.child("document")
    for kind in wanted:
        if child is not None and child.value == kind:
            return kind
    mark = child.mark if child is not None else node.mark
    message = f"expected 'document: {' | '.join(wanted)}' at the top of the file"
    if child is not None and wanted == ("experiment",) and child.value in BELONGS:
        other = str(child.value)
        message += f"; this is {ONE[other]} and belongs under {BELONGS[other]}"
    raise SpecError([mark.fault(("document",), message)])


def label_of(entry: Node, part: str | int, where: Where) -> str:
    """Return the label of an entry: its key, or in a list the last part of the reference.

    Raises:
        SpecError: an entry of a list is no reference.
    """
    if isinstance(part, str):
        return part
    if not isinstance(entry.value, str):
        message = "expected a name or a path in this list; to write a document in place, use 'label: {...}' pairs"
        raise SpecError([entry.mark.fault(where, message)])
    name = Path(entry.value).name
    return name.removesuffix(".yaml").removesuffix(".yml").removesuffix(".parquet")


def _found(reference: Node, kind: DocumentKind, folder: Path, where: Where) -> Path:
    try:
        return find(str(reference.value), kind, folder)
    except InputError as error:
        raise SpecError([reference.mark.fault(where, str(error))]) from None


def _bare_recording(path: Path) -> Node:
    """Return the workload that a recording alone stands for; its header may name the host costs that fit it."""
    mark = Mark(shown(path), 0, 0)
    try:
        named = ParquetStream.open(path).header.provenance.get("host_costs")
    except StreamError:  # what is wrong with the file is said where its rows are read
        named = None
    host_costs = named if isinstance(named, str) else HOST_COSTS
    texts = {"document": "workload", "title": path.stem, "recording": str(path.resolve()), "host_costs": host_costs}
    return Node({key: Node(text, mark, source=text) for key, text in texts.items()}, mark, dict.fromkeys(texts, mark))


def _without(node: Node, key: str) -> Node:
    entries = {part: entry for part, entry in node.children() if isinstance(part, str) and part != key}
    return replace(node, value=entries)


def _with_schema_defaults(node: Node, where: tuple[str, ...], schema: type[Spec | Parameters]) -> Node:
    """Fill in the defaults of a schema at a path, if the document has that path."""
    if not where:
        fields = schema.model_fields.items()
        return _with_defaults(
            node,
            {name: field.default for name, field in fields if not field.is_required() and not field.default_factory},
        )
    child = node.child(where[0])
    return node if child is None else _with(node, where[0], _with_schema_defaults(child, where[1:], schema))


def _with_defaults(node: Node, defaults: dict[str, str | int | None]) -> Node:
    for name, default in defaults.items():
        if isinstance(node.value, dict) and name not in node.value:
            node = _with(node, name, Node(default, node.mark, source="null" if default is None else str(default)))
    return node


def _with(node: Node, key: str, child: Node) -> Node:
    entries = {part: entry for part, entry in node.children() if isinstance(part, str)}
    return replace(node, value={**entries, key: child}, keys={**node.keys, key: node.keys.get(key, child.mark)})
