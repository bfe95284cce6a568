"""From a resolved tree to an experiment that is ready to run; everything that is wrong is said at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from simulator.errors import Fault, InputError, ModelError, SpecError, StreamError, did_you_mean
from simulator.events import (
    ACTIVITY_KINDS,
    BY_CODE,
    BY_NAME,
    EVENTS_PER_INTERRUPT,
    INTERRUPT,
    INTERRUPT_COMPLETION,
    KERNEL_COMPUTE,
    REQUEST_KINDS,
    USER_COMPUTE,
)
from simulator.model import CostModel
from simulator.spec.cost_model import MOVE_THE_BOUND, CostModelSpec
from simulator.spec.diagnostics import Diagnostics
from simulator.spec.expand import expand_experiment, expand_operations, expand_workload
from simulator.spec.experiment import TO_BASELINE, UNITS, ExperimentSpec, ReferenceSpec
from simulator.spec.fit import fit_faults
from simulator.spec.library import DocumentKind, find
from simulator.spec.node import Mark, Node, Where, dotted, in_order, locate, node_at, walk
from simulator.spec.operations import ExpandedOperationsSpec, OperationsSpec
from simulator.spec.overrides import FILE, entry_named, exchanged, named_document, override, places
from simulator.spec.resolve import Resolver
from simulator.spec.sweep import SweepSpec, coordinates
from simulator.spec.types import Spec
from simulator.spec.validation import validate
from simulator.spec.workload import WorkloadSpec
from simulator.stream import AS_RECORDED, START_SIGNAL, EventStream, ParquetStream, exact_sum
from simulator.workload.assumed import Assumed
from simulator.workload.combine import scale
from simulator.workload.cut import cut
from simulator.workload.recorded import Clipping, WithoutHostCosts

S = TypeVar("S", bound=Spec)

_LONG_RUN_ROWS = 30_000_000
_WHOSE_COSTS = (
    "these are the costs of the machine that made the recording, recording-host/native where a .parquet file stands "
    "alone; a workload with 'recording' and 'host_costs' names another"
)


@dataclass(frozen=True, slots=True)
class Workload:
    """A stream with what is around it.

    ``kinds`` are the event kinds that a replay of it will meet, ``devices`` those of the machine that it will use,
    ``rows`` is how many rows it has, ``events`` how many events without those of a timer's ticks, nor activity (where
    that is random, about how many), ``is_random`` whether the seed matters,
    ``interacts`` whether a row waits for a signal or posts one, hands a request to a device, or halts until an
    interrupt: if none does, and there is no timer, each virtual CPU runs as if it were alone.
    """

    name: str
    stream: EventStream
    timer_hz: Fraction | None
    kinds: frozenset[int]
    devices: frozenset[str]
    rows: int
    events: int
    is_random: bool = False
    interacts: bool = False
    recording: EventStream | None = None
    clipping: Clipping = field(default_factory=Clipping)


@dataclass(frozen=True, slots=True)
class Override:
    """One ``--set``: its text, and each path of the resolved tree that it set."""

    text: str
    paths: tuple[Where, ...]


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment that is ready to run. ``tree`` is its whole input, after references, `extends` and overrides."""

    spec: ExperimentSpec
    tree: Node
    workloads: Mapping[str, Workload]
    models: Mapping[str, CostModel]
    overrides: tuple[Override, ...]
    warnings: tuple[str, ...]

    def only(self, workloads: Collection[str], models: Collection[str]) -> Experiment:
        """Return a part of the experiment, without its references: some workloads under some models."""
        return replace(
            self,
            spec=self.spec.model_copy(update={"references": []}),
            workloads={name: workload for name, workload in self.workloads.items() if name in workloads},
            models={name: model for name, model in self.models.items() if name in models},
        )


def load_experiment(path: Path, settings: Sequence[str] = ()) -> Experiment:
    """Load an experiment file with all it refers to, apply ``path=value`` settings, and check everything.

    Raises:
        SpecError: one fault for each thing that is wrong.
    """
    values, references = _references(settings)
    tree, _, faults = _resolve(path, "experiment", {where: node for where, (_, node) in references.items()})
    _check_labels(tree, references)
    tree, overrides = _apply(tree, values)
    replaced = (Override(setting, (where,)) for where, (setting, _) in references.items())
    return _build(tree, faults, (*replaced, *overrides), None)


def rebuild(experiment: Experiment, settings: Sequence[str]) -> Experiment:
    """Return an experiment with further ``path=value`` settings; workloads that they leave alone are not built again.

    Raises:
        SpecError: one fault for each thing that is wrong.
    """
    values, references = _references(settings)
    _check_labels(experiment.tree, references)
    tree, resolver = experiment.tree, Resolver()
    for where, (_, node) in references.items():
        tree = exchanged(tree, where, resolver.entry(where, node))
    tree, overrides = _apply(tree, values)
    replaced = (Override(setting, (where,)) for where, (setting, _) in references.items())
    return _build(tree, resolver.faults, (*experiment.overrides, *replaced, *overrides), experiment)


def _build(tree: Node, faults: list[Fault], overrides: tuple[Override, ...], earlier: Experiment | None) -> Experiment:
    """Validate a resolved tree and build its parts; a workload of ``earlier`` with the same tree is taken over."""
    diagnostics = Diagnostics()
    try:
        spec = _validate(expand_experiment(tree, diagnostics), ExperimentSpec, faults, diagnostics)
    except SpecError as error:
        raise SpecError([_of_setting(fault, overrides) for fault in error.faults]) from None
    builder = _Builder(tree, diagnostics.warnings)
    models = {name: builder.model(("models", name), name, model) for name, model in spec.models.items()}
    workloads = {
        name: workload
        for name, found in spec.workloads.items()
        if (workload := _taken_over(name, tree, spec.seed, earlier))
        or (workload := builder.workload(("workloads", name), name, found, spec.seed))
    }
    whole = {name: model for name, model in models.items() if not spec.models[name].abstract}
    builder.check_recipes(workloads, whole)
    builder.check_devices(workloads, whole)
    builder.check_names(spec)
    builder.check_fit(spec)
    builder.check_sweep(spec.sweep)
    builder.warn_of_long_runs(workloads)
    builder.raise_faults()
    return Experiment(spec, tree, workloads, models, overrides, tuple(builder.warnings))


def _of_setting(fault: Fault, overrides: Sequence[Override]) -> Fault:
    """Return a fault; that of a cost set beyond its bounds says how they are set, too."""
    set_costs = {dotted(path[:-1]) for each in overrides for path in each.paths if path[-1] == "cost"}
    if fault.path not in set_costs or not fault.message.endswith(MOVE_THE_BOUND):
        return fault
    found = fault.message.removesuffix(MOVE_THE_BOUND)
    message = f"{found}set the bound too, with --set {fault.path}.low=... or --set {fault.path}.high=..."
    return Fault("--set", 0, 0, fault.path, message)


def _taken_over(name: str, tree: Node, seed: int, earlier: Experiment | None) -> Workload | None:
    """Return a workload as it was built before, if nothing that it is made of has changed."""
    if earlier is None or earlier.spec.seed != seed:
        return None
    where = ("workloads", name)
    return earlier.workloads.get(name) if node_at(tree, where) is node_at(earlier.tree, where) else None


def load_model(path: Path) -> tuple[CostModelSpec, CostModel, list[str]]:
    """Load and check one cost model; return its spec, the model, and warnings.

    Raises:
        SpecError: one fault for each thing that is wrong.
    """
    tree, _, faults = _resolve(path, "cost-model")
    spec = _validate(tree, CostModelSpec, faults)
    builder = _Builder(tree)
    model = builder.model((), path.stem, spec)
    builder.raise_faults()
    return spec, model, builder.warnings


def load_workload(path: Path, seed: int = 1) -> tuple[WorkloadSpec, Workload, list[str]]:
    """Load and check one workload, YAML or a recording in Parquet; return its spec, the workload, and warnings.

    Raises:
        SpecError: one fault for each thing that is wrong.
    """
    tree, _, faults = _resolve(path, "workload")
    diagnostics = Diagnostics()
    spec = _validate(expand_workload(tree, diagnostics), WorkloadSpec, faults, diagnostics)
    builder = _Builder(tree, diagnostics.warnings)
    workload = builder.workload((), path.stem, spec, seed)
    builder.raise_faults()
    assert workload is not None, "a workload is missing only where there was a fault"
    return spec, workload, builder.warnings


def experiments_in(folder: Path) -> list[Path]:
    """Return the experiments directly in a folder, by name; a file that cannot be read is one, so that a run says why.

    Raises:
        InputError: there are none, or two of one name.
    """
    files = [path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and path.is_file()]
    found = sorted(path for path in files if not path.name.startswith(".") and _may_be_experiment(path))
    if not found:
        raise InputError(f"{folder}: no experiments in this directory (files with 'document: experiment' in .yaml)")
    stems = [path.stem for path in found]
    if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
        raise InputError(f"{folder}: two experiments of the name {', '.join(twice)}: their results would be one")
    return found


def _may_be_experiment(path: Path) -> bool:
    try:
        return Resolver().kind(path) == "experiment"
    except (SpecError, OSError):
        return True


def load_operations(path: Path) -> tuple[ExpandedOperationsSpec, list[str]]:
    """Load and check a document of operations; return them expanded with their defaults, and warnings.

    Raises:
        SpecError: one fault for each thing that is wrong.
    """
    tree, _, faults = _resolve(path, "operations")
    diagnostics = Diagnostics()
    _validate(tree, OperationsSpec, faults)
    spec = _validate(expand_operations(tree, diagnostics), ExpandedOperationsSpec, faults, diagnostics)
    return spec, diagnostics.warnings


def check_document(path: Path) -> tuple[DocumentKind, list[str]]:
    """Check a document of any kind; return its kind, and warnings.

    Raises:
        SpecError: one fault for each thing that is wrong.
    """
    kind = Resolver().kind(path)
    match kind:
        case "experiment":
            return kind, list(load_experiment(path).warnings)
        case "workload":
            return kind, load_workload(path)[2]
        case "operations":
            return kind, load_operations(path)[1]
        case "cost-model":
            return kind, load_model(path)[2]


def _references(settings: Sequence[str]) -> tuple[list[str], dict[tuple[str, str], tuple[str, Node]]]:
    """Part the settings that name another workload or model from those that set values."""
    values: list[str] = []
    references: dict[tuple[str, str], tuple[str, Node]] = {}
    for setting in settings:
        path, equals, text = setting.partition("=")
        where = named_document(path.strip(), text.strip()) if equals else None
        if where is None:
            values.append(setting)
        else:
            references[where] = (setting, Node(text.strip(), Mark(FILE, 0, 0), source=text.strip()))
    return values, references


def _check_labels(tree: Node, entries: Iterable[tuple[str, str]]) -> None:
    """Refuse another workload or model for a label that the experiment does not have."""
    faults = []
    for section, label in entries:
        child = tree.child(section)
        labels = [str(part) for part, _ in child.children()] if child is not None else []
        if label not in labels:
            near = did_you_mean(label, labels) or f" (they are {', '.join(labels)})"
            faults.append(Fault(FILE, 0, 0, f"{section}.{label}", f"there is no '{label}' in '{section}'{near}"))
    if faults:
        raise SpecError(faults)


def _resolve(
    path: Path, kind: DocumentKind, references: Mapping[tuple[str, str], Node] | None = None
) -> tuple[Node, DocumentKind, list[Fault]]:
    resolver = Resolver(references)
    try:
        return *resolver.resolve(path, kind), resolver.faults
    except SpecError as error:
        raise SpecError(in_order([*resolver.faults, *error.faults])) from None


def _validate(tree: Node, schema: type[S], faults: list[Fault], diagnostics: Diagnostics | None = None) -> S:
    """Validate a tree; faults that were found before, or while it was expanded, are raised with those found now."""
    diagnostics = diagnostics or Diagnostics()
    try:
        spec = validate(tree, schema)
    except SpecError as error:
        raise SpecError(in_order([*faults, *diagnostics.settled(list(error.faults))])) from None
    if faults or diagnostics.faults:
        raise SpecError(in_order([*faults, *diagnostics.faults]))
    return spec


def _apply(tree: Node, settings: Sequence[str]) -> tuple[Node, tuple[Override, ...]]:
    """Apply all settings, or say of each one that fails what is wrong."""
    overrides: list[Override] = []
    faults: list[Fault] = []
    for setting in settings:
        path, equals, text = setting.partition("=")
        try:
            if not equals:
                message = "expected path=value, such as models.native.costs.syscall=300 cycles"
                raise SpecError([Fault("--set", 0, 0, setting, message)])
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


class _Builder:
    """Builds the parts of a document, and collects faults and warnings on the way."""

    def __init__(self, tree: Node, warnings: Sequence[str] = ()) -> None:
        self._tree = tree
        self._faults: list[Fault] = []
        self.warnings: list[str] = list(warnings)

    def fault(self, where: Where, message: str) -> None:
        """Note one thing that is wrong."""
        self._faults.append(locate(self._tree, where).fault(where, message))

    def raise_faults(self) -> None:
        """Raise all that was noted, if anything was."""
        if self._faults:
            raise SpecError(in_order(self._faults))

    def model(self, where: Where, name: str, spec: CostModelSpec) -> CostModel:
        """Build a cost model; an action without a cost is a fault, a cost that nothing can use a warning."""
        model = spec.build(name)
        if spec.abstract:
            if where:
                message = f"'{spec.title}' is abstract: name a cost model that extends it"
                mark = node_at(self._tree, where[:-1]).keys.get(str(where[-1]), locate(self._tree, where))
                self._faults.append(mark.fault(where, message))
            return model
        chain = model.build()
        in_vain = list(chain.deaf())
        unheard = {(mechanism.name, action) for mechanism, action, _ in in_vain}
        for mechanism, action in chain.leaving():
            if action not in model.costs.entries and (mechanism.name, action) not in unheard:
                near = did_you_mean(action, model.costs.entries)
                place = self._recipe((*where, "mechanisms", mechanism.name), action)
                self.fault(place, f"the action '{action}' has no cost: add it under costs{near}")
        for mechanism, action, heard in in_vain:
            near = did_you_mean(action, [*heard, *BY_NAME])
            place = self._first_mention((*where, "mechanisms", mechanism.name), action)
            self.fault(place, f"'{action}' is no event kind, and no action of a mechanism that stands before{near}")
        self._warn_of_dead_costs(where, name, {action for _, action in chain.leaving()})
        return model

    def _recipe(self, where: Where, action: str) -> Where:
        """Return the path below ``where`` at which a recipe first lists an action, else ``where`` itself."""
        return self._first_key(where, action, lambda node: node.is_scalar)

    def _first_key(self, where: Where, key: str, fits: Callable[[Node], bool] = lambda _: True) -> Where:
        """Return the path below ``where`` at which a key first has a value that fits, else ``where`` itself."""
        found = (path for path, node in walk(node_at(self._tree, where)) if path and path[-1] == key and fits(node))
        return (*where, *next(found, ()))

    def _first_mention(self, where: Where, name: str) -> Where:
        """Return the path below ``where`` at which a name is first a key or a value, else ``where`` itself."""
        found = (path for path, node in walk(node_at(self._tree, where)) if name in (node.value, *path[-1:]))
        return (*where, *next(found, ()))

    def _warn_of_dead_costs(self, where: Where, name: str, emitted: set[str]) -> None:
        own_file = locate(self._tree, where).file
        for action, entry in node_at(self._tree, (*where, "costs")).children():
            if action not in emitted and entry.mark.file == own_file:
                mark = entry.mark
                self.warnings.append(
                    f"{mark.file}:{mark.line}:{mark.column}: {dotted((*where, 'costs', action))}: no mechanism of the "
                    f"cost model '{name}' can take this action"
                )

    def workload(self, where: Where, name: str, spec: WorkloadSpec, seed: int) -> Workload | None:
        """Build a workload; None, and a fault, where its stream cannot be read."""
        try:
            if spec.recording is None:
                stream = spec.synthetic(seed)
                devices = frozenset(stream.header.devices)
                kinds = _with_interrupts(stream.kinds(), spec.timer, devices)
                rows, events = stream.rows(), stream.events()
                traits = stream.is_random, stream.interacts
                return Workload(name, stream, spec.timer, kinds, devices, rows, events, *traits)
            return self._recorded(where, name, spec)
        except InputError as error:
            self.fault((*where, "recording"), str(error))
            return None

    def _recorded(self, where: Where, name: str, spec: WorkloadSpec) -> Workload | None:
        file = ParquetStream.open(find(spec.recording or "", "workload", Path()))
        try:
            recording, rows = self._selected(spec, file)
        except StreamError as error:
            self.fault((*where, "copies" if spec.cut is None else "cut"), str(error))
            return None
        kinds, devices, events, interacts = _survey(recording)
        if not kinds:
            self.fault((*where, "recording"), "the recording holds no events")
            return None
        assert spec.host_costs is not None
        before = len(self._faults)
        host = self.model((*where, "host_costs"), f"host_costs of {name}", spec.host_costs)
        if spec.host_costs.abstract:
            return None
        costs = self._host_costs((*where, "host_costs"), host, kinds)
        if len(self._faults) > before:
            return None
        computed = WithoutHostCosts.of(recording, costs)
        stream: EventStream = computed
        if spec.assume is not None:
            stream = assumed = Assumed(computed, spec.assume.assumptions())
            kinds, rows = kinds | assumed.kinds(), assumed.rows()
        kinds = _with_interrupts(kinds, spec.timer, devices)
        traits = False, interacts, recording, computed.clipping
        return Workload(name, stream, spec.timer, kinds, devices, rows, events, *traits)

    @staticmethod
    def _selected(spec: WorkloadSpec, file: ParquetStream) -> tuple[EventStream, int]:
        """Return the window and the copies of a recording that a workload asks for, and how many rows these are."""
        recording: EventStream = file
        rows = file.rows
        if spec.cut is not None:
            recording = cut(recording, spec.cut.begin, spec.cut.end)
            rows = sum(len(batch) for vcpu in range(recording.header.vcpus) for batch in recording.batches(vcpu))
        return (recording if spec.copies is None else scale(recording, spec.copies)), rows * (spec.copies or 1)

    def _host_costs(self, where: Where, host: CostModel, kinds: frozenset[int]) -> dict[int, int]:
        """Return what one event of each kind cost on the machine recorded, in nanoseconds."""
        costs: dict[int, int] = {}
        try:
            pricing = host.start()
        except ModelError:
            return costs  # an action without a cost: a fault already
        for kind in sorted(kinds - {USER_COMPUTE, KERNEL_COMPUTE}):
            try:
                price = pricing.price(kind)
            except ModelError as error:
                self.fault((*where, "mechanisms"), f"{error}; {_WHOSE_COSTS}")
                continue
            nanoseconds, rest = divmod(price or 0, host.machine.clock.ticks_per_ns)
            if rest or price is None:
                self.fault(
                    (*where, "costs"), f"the cost of '{BY_CODE[kind].name}' is not a whole number of nanoseconds"
                )
            costs[kind] = nanoseconds
        return costs

    def check_recipes(self, workloads: Mapping[str, Workload], models: Mapping[str, CostModel]) -> None:
        """Note each event of a workload for which a model has no recipe."""
        for name, model in models.items():
            served = model.build().reads()
            missing: dict[int, list[str]] = {}
            for workload in workloads.values():
                for kind in sorted(workload.kinds - served):
                    missing.setdefault(kind, []).append(workload.name)
            for kind, users in missing.items():
                event = BY_CODE[kind].name
                near = did_you_mean(event, [BY_CODE[known].name for known in served])
                self.fault(
                    ("models", name, "mechanisms"),
                    f"no recipe for the event '{event}' of workload {', '.join(users)}: list it under one of the "
                    f"mechanisms{near}",
                )

    def check_devices(self, workloads: Mapping[str, Workload], models: Mapping[str, CostModel]) -> None:
        """Note each device to which a workload sends requests and which the machine of a model lacks."""
        for name, model in models.items():
            for workload in workloads.values():
                for device in workload.devices - set(model.machine.devices):
                    near = did_you_mean(device, model.machine.devices)
                    self.fault(
                        ("models", name, "machine", "devices"),
                        f"workload {workload.name} sends requests to the device '{device}', which is not there{near}",
                    )

    def warn_of_long_runs(self, workloads: Mapping[str, Workload]) -> None:
        """Name each workload that is so long that it is worth knowing before how long a replay takes."""
        for workload in workloads.values():
            if workload.rows > _LONG_RUN_ROWS:
                self.warnings.append(
                    f"workload {workload.name} has about {workload.rows:,} rows: `vmmsim estimate` says how long a "
                    "run takes"
                )

    def check_names(self, spec: ExperimentSpec) -> None:
        """Note labels that no workload or model has, and figures whose unit does not fit the quantity."""
        if spec.baseline is not None and spec.baseline not in spec.models:
            self.fault(("baseline",), _unknown("model", spec.baseline, spec.models))
        labels: dict[str, tuple[str, ...]] = {}
        for i, reference in enumerate(spec.references):
            where: Where = ("references", i)
            if reference.quantity in TO_BASELINE and spec.baseline is None:
                self.fault((*where, "quantity"), "the experiment has no baseline")
            label = reference.source_of_overhead
            if set(labels.setdefault(label, reference.kinds)) != set(reference.kinds):
                self.fault(where, f"an earlier reference uses the label '{label}' for {', '.join(labels[label])}")
            self._check_values(where, reference, spec)

    def _check_values(self, where: Where, reference: ReferenceSpec, spec: ExperimentSpec) -> None:
        expected = UNITS[reference.quantity]
        for workload, values in reference.values.items():
            place: Where = (*where, "values", workload)
            if workload not in spec.workloads:
                self.fault(place, _unknown("workload", workload, spec.workloads))
            for model, (_, unit) in values.items():
                if model not in spec.models:
                    self.fault((*place, model), _unknown("model", model, spec.models))
                if unit != expected:
                    self.fault((*place, model), f"{reference.quantity} is given in '{expected}', found '{unit}'")

    def check_fit(self, spec: ExperimentSpec) -> None:
        """Note what is wrong with the section `fit` in this experiment."""
        if spec.fit is not None:
            for where, message in fit_faults(self._tree, spec.fit, [reference.status for reference in spec.references]):
                self.fault(("fit", *where), message)

    def check_sweep(self, sweep: SweepSpec | None) -> None:
        """Note what is wrong with the section `sweep` in this experiment."""
        for where, message in sweep_faults(self._tree, sweep) if sweep else ():
            self.fault(("sweep", *where), message)


def sweep_faults(tree: Node, sweep: SweepSpec) -> Iterator[tuple[Where, str]]:
    """Yield what is wrong with a sweep over a tree: the place in the section, and the message."""
    for path in sweep.over:
        try:
            entry = entry_named(path)
            if entry:
                _check_labels(tree, [entry])
            elif any(place[0] not in ("workloads", "models", "seed") for place in places(tree, path)):
                yield ("over", path), "expected a path to what a replay reads: in workloads, models, or the seed"
        except SpecError as error:
            yield ("over", path), "; ".join(fault.message for fault in error.faults)
    try:
        coordinates(sweep)
    except ValueError as error:
        yield ("combine",), str(error)


def _unknown(what: str, name: str, known: Mapping[str, object]) -> str:
    return f"the experiment has no {what} '{name}'{did_you_mean(name, known)}; it has {', '.join(known)}"


def _with_interrupts(kinds: frozenset[int], timer: Fraction | None, devices: frozenset[str]) -> frozenset[int]:
    return kinds | {INTERRUPT, INTERRUPT_COMPLETION} if timer or devices else kinds


class _Survey(NamedTuple):
    """What a recording holds: kinds, those of gaps included; devices of requests; events; whether it interacts."""

    kinds: frozenset[int]
    devices: frozenset[str]
    events: int
    interacts: bool


def _survey(stream: EventStream) -> _Survey:
    """Read a recording through.

    Raises:
        StreamError: a row waits for a signal that no row posts.
    """
    kinds: set[int] = set()
    devices: set[str] = set()
    awaited: set[int] = set()
    posted = {START_SIGNAL}
    asks, events = False, 0
    for batch in (batch for vcpu in range(stream.header.vcpus) for batch in stream.batches(vcpu)):
        kinds.update(np.unique(batch.columns["kind"]).tolist())
        counts = batch.column("count")
        events += exact_sum(counts[~np.isin(batch.columns["kind"], list(ACTIVITY_KINDS))])
        for kind, column in ((USER_COMPUTE, "user_ns"), (KERNEL_COMPUTE, "kernel_ns")):
            if batch.column(column).any():
                kinds.add(kind)
        asking = batch.column("completion") != AS_RECORDED
        asks = asks or bool(asking.any())
        requests = asking & np.isin(batch.columns["kind"], list(REQUEST_KINDS))
        events += EVENTS_PER_INTERRUPT * exact_sum(counts[requests])
        for device in np.unique(batch.column("device")[requests]).tolist():
            devices.add(stream.header.devices[device] if device >= 0 else "(none named)")
        for signals, column in ((awaited, "waits"), (posted, "posts")):
            values = batch.column(column)
            signals.update(values[values >= 0].tolist())
    if awaited - posted:
        raise StreamError(
            f"rows wait for the signal {min(awaited - posted)}, which no row posts: is the recording cut?"
        )
    return _Survey(frozenset(kinds), frozenset(devices), events, asks or bool(awaited) or len(posted) > 1)
