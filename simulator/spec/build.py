"""From a resolved tree to an experiment that is ready to run; everything that is wrong is said at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import numpy as np

from simulator.errors import Fault, InputError, ModelError, SpecError, did_you_mean
from simulator.events import BY_CODE, INTERRUPT, INTERRUPT_COMPLETION, KERNEL_COMPUTE, USER_COMPUTE
from simulator.mechanisms import BY_NAME
from simulator.model import CostModel
from simulator.spec.cost_model import CostModelSpec
from simulator.spec.experiment import UNITS, ExperimentSpec
from simulator.spec.library import DocumentKind, find
from simulator.spec.node import Node, dotted, in_order, locate, walk
from simulator.spec.overrides import override
from simulator.spec.resolve import Resolver
from simulator.spec.types import Spec
from simulator.spec.validation import validate
from simulator.spec.workload import WorkloadSpec
from simulator.stream import AS_RECORDED, Batch, EventStream, ParquetStream
from simulator.workload.recorded import Clipping, WithoutHostCosts

Where = tuple[str | int, ...]
S = TypeVar("S", bound=Spec)


@dataclass(frozen=True, slots=True)
class Workload:
    """A stream with what is around it. ``kinds`` are the event kinds that a replay of it will meet.

    ``rows`` is how many rows it has (for random streams, about how many).
    """

    name: str
    stream: EventStream
    timer_hz: Fraction | None
    kinds: frozenset[int]
    rows: int
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


def load_experiment(path: Path, settings: Sequence[str] = ()) -> Experiment:
    """Load an experiment file with all it refers to, apply ``path=value`` settings, and check everything.

    Raises:
        SpecError: one fault for each thing that is wrong.
    """
    tree, _, faults = _resolve(path, "experiment")
    tree, overrides = _apply(tree, settings)
    spec = _validate(tree, ExperimentSpec, faults)
    builder = _Builder(tree)
    models = {name: builder.model(("models", name), name, model) for name, model in spec.models.items()}
    workloads = {
        name: workload
        for name, found in spec.workloads.items()
        if (workload := builder.workload(("workloads", name), name, found, spec.seed)) is not None
    }
    builder.check_recipes(workloads, models)
    builder.check_names(spec)
    builder.raise_faults()
    return Experiment(spec, tree, workloads, models, overrides, tuple(builder.warnings))


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
    spec = _validate(tree, WorkloadSpec, faults)
    builder = _Builder(tree)
    workload = builder.workload((), path.stem, spec, seed)
    builder.raise_faults()
    assert workload is not None, "a workload is missing only where there was a fault"
    return spec, workload, builder.warnings


def check_document(path: Path) -> tuple[DocumentKind, list[str]]:
    """Check a document of any kind; return its kind, and warnings.

    Raises:
        SpecError: one fault for each thing that is wrong.
    """
    _, kind, _ = _resolve(path, None)
    if kind == "experiment":
        return kind, list(load_experiment(path).warnings)
    return kind, load_model(path)[2] if kind == "cost-model" else load_workload(path)[2]


def _resolve(path: Path, kind: DocumentKind | None) -> tuple[Node, DocumentKind, list[Fault]]:
    resolver = Resolver()
    try:
        return *resolver.resolve(path, kind), resolver.faults
    except SpecError as error:
        raise SpecError(in_order([*resolver.faults, *error.faults])) from None


def _validate(tree: Node, schema: type[S], faults: list[Fault]) -> S:
    """Validate a tree; faults that were found before are raised together with those found now."""
    try:
        spec = validate(tree, schema)
    except SpecError as error:
        raise SpecError(in_order([*faults, *error.faults])) from None
    if faults:
        raise SpecError(in_order(faults))
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
            tree, paths = override(tree, path.strip(), text.strip())
            overrides.append(Override(setting, paths))
        except SpecError as error:
            faults.extend(error.faults)
    if faults:
        raise SpecError(faults)
    return tree, tuple(overrides)


class _Builder:
    """Builds the parts of a document, and collects faults and warnings on the way."""

    def __init__(self, tree: Node) -> None:
        self._tree = tree
        self._faults: list[Fault] = []
        self.warnings: list[str] = []

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
        emitted: set[str] = set()
        for mechanism, parameters in model.mechanisms.items():
            actions = BY_NAME[mechanism](parameters).emits()
            emitted |= actions
            for action in sorted(actions - set(model.costs.entries)):
                near = did_you_mean(action, model.costs.entries)
                place = self._recipe((*where, "mechanisms", mechanism), action)
                self.fault(place, f"the action '{action}' has no cost: add it under costs{near}")
        self._warn_of_dead_costs(where, name, emitted)
        return model

    def _recipe(self, where: Where, action: str) -> Where:
        """Return the path below ``where`` at which a recipe first lists an action, else ``where`` itself."""
        found = (path for path, node in walk(self._at(where)) if path and path[-1] == action and node.is_scalar)
        return (*where, *next(found, ()))

    def _at(self, where: Where) -> Node:
        """Return the node at a path of the tree, which must be there."""
        node = self._tree
        for part in where:
            child = node.child(part)
            assert child is not None, where
            node = child
        return node

    def _warn_of_dead_costs(self, where: Where, name: str, emitted: set[str]) -> None:
        own_file = locate(self._tree, where).file
        for action, entry in self._at((*where, "costs")).children():
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
                stream = spec.synthetic(name, seed)
                kinds = _with_interrupts(stream.kinds(), spec.timer, bool(stream.header.devices))
                return Workload(name, stream, spec.timer, kinds, stream.rows())
            return self._recorded(where, name, spec)
        except InputError as error:
            self.fault((*where, "recording"), str(error))
            return None

    def _recorded(self, where: Where, name: str, spec: WorkloadSpec) -> Workload | None:
        recording = ParquetStream.open(find(spec.recording or "", "workload", Path()))
        kinds = _kinds(recording)
        if not kinds:
            self.fault((*where, "recording"), "the recording holds no events")
            return None
        assert spec.host_costs is not None
        before = len(self._faults)
        host = self.model((*where, "host_costs"), f"host_costs of {name}", spec.host_costs)
        costs = self._host_costs((*where, "host_costs"), host, kinds)
        if len(self._faults) > before:
            return None
        stream = WithoutHostCosts(recording, costs.__getitem__)
        requests = any((batch.column("completion") != AS_RECORDED).any() for batch in _all_batches(recording))
        kinds = _with_interrupts(kinds, spec.timer, requests)
        return Workload(name, stream, spec.timer, kinds, recording.rows, recording, stream.clipping)

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
                self.fault((*where, "mechanisms"), str(error))
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
            served = {kind for m, parameters in model.mechanisms.items() for kind in BY_NAME[m](parameters).reads()}
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

    def check_names(self, spec: ExperimentSpec) -> None:
        """Note labels that no workload or model has, and figures whose unit does not fit the quantity."""
        if spec.baseline is not None and spec.baseline not in spec.models:
            self.fault(("baseline",), _unknown("model", spec.baseline, spec.models))
        for i, reference in enumerate(spec.references):
            where: Where = ("references", i)
            if reference.quantity == "relative_to_baseline" and spec.baseline is None:
                self.fault((*where, "quantity"), "the experiment has no baseline")
            for workload, values in reference.values.items():
                place: Where = (*where, "values", workload)
                if workload not in spec.workloads:
                    self.fault(place, _unknown("workload", workload, spec.workloads))
                for model, (_, unit) in values.items():
                    if model not in spec.models:
                        self.fault((*place, model), _unknown("model", model, spec.models))
                    if unit != UNITS[reference.quantity]:
                        expected = UNITS[reference.quantity]
                        self.fault((*place, model), f"{reference.quantity} is given in '{expected}', found '{unit}'")


def _unknown(what: str, name: str, known: Mapping[str, object]) -> str:
    return f"the experiment has no {what} '{name}'{did_you_mean(name, known)}; it has {', '.join(known)}"


def _with_interrupts(kinds: frozenset[int], timer: Fraction | None, requests: bool) -> frozenset[int]:
    return kinds | {INTERRUPT, INTERRUPT_COMPLETION} if timer or requests else kinds


def _kinds(stream: EventStream) -> frozenset[int]:
    """Return the event kinds of a recording, those of its gaps included."""
    kinds: set[int] = set()
    for batch in _all_batches(stream):
        kinds.update(map(int, np.unique(batch.columns["kind"])))
        for kind, column in ((USER_COMPUTE, "user_ns"), (KERNEL_COMPUTE, "kernel_ns")):
            if batch.column(column).any():
                kinds.add(kind)
    return frozenset(kinds)


def _all_batches(stream: EventStream) -> Iterator[Batch]:
    for vcpu in range(stream.header.vcpus):
        yield from stream.batches(vcpu)
