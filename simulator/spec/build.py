"""From a resolved tree to an experiment that is ready to run; everything that is wrong is said at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from simulator.errors import Fault, InputError, ModelError, SpecError, StreamError
from simulator.events import BY_CODE, INTERRUPT, INTERRUPT_COMPLETION, KERNEL_COMPUTE, USER_COMPUTE
from simulator.model import CostModel
from simulator.spec.checks import dead_costs, device_faults, model_faults, name_faults, recipe_faults
from simulator.spec.cost_model import CostModelSpec
from simulator.spec.diagnostics import Diagnostics
from simulator.spec.expand import expand_experiment, expand_operations, expand_workload
from simulator.spec.experiment import ExperimentSpec
from simulator.spec.fit import fit_faults
from simulator.spec.library import DocumentKind, find
from simulator.spec.node import Node, Where, in_order, locate, node_at
from simulator.spec.operations import ExpandedOperationsSpec, OperationsSpec
from simulator.spec.overrides import entry_named, exchanged, places
from simulator.spec.resolve import Resolver
from simulator.spec.settings import Override, Settings, check_labels, of_setting
from simulator.spec.sweep import SweepSpec, coordinates
from simulator.spec.types import Spec
from simulator.spec.validation import validate
from simulator.spec.workload import WorkloadSpec
from simulator.stream import EventStream, ParquetStream
from simulator.workload.assumed import Assumed
from simulator.workload.combine import scale
from simulator.workload.cut import cut
from simulator.workload.recorded import Clipping, WithoutHostCosts
from simulator.workload.survey import survey

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


def load_experiment(path: Path, settings: Sequence[str] = (), recording: str | None = None) -> Experiment:
    """Load an experiment file with all it refers to, apply ``path=value`` settings, and check everything.

    With ``recording``, a path from the working folder, that is its only workload, called by the name of its file.

    Raises:
        SpecError: one fault for each thing that is wrong.
    """
    given = Settings.of(settings)
    tree, resolver = _resolve(path, "experiment", given.references, recording)
    overrides: tuple[Override, ...] = ()
    try:
        check_labels(tree, given.references)
        tree, overrides = given.apply(tree)
    except SpecError as error:
        if not resolver.faults:
            raise
        resolver.faults += [fault for fault in error.faults if fault.path.partition(".")[0] not in resolver.incomplete]
    return _build(tree, resolver, overrides, None)


def rebuild(experiment: Experiment, settings: Sequence[str]) -> Experiment:
    """Return an experiment with further ``path=value`` settings; workloads that they leave alone are not built again.

    Raises:
        SpecError: one fault for each thing that is wrong.
    """
    given = Settings.of(settings)
    check_labels(experiment.tree, given.references)
    tree, resolver = experiment.tree, Resolver()
    for where, node in given.references.items():
        tree = exchanged(tree, where, resolver.entry(where, node))
    tree, overrides = given.apply(tree)
    return _build(tree, resolver, (*experiment.overrides, *overrides), experiment)


def _build(tree: Node, resolver: Resolver, overrides: tuple[Override, ...], earlier: Experiment | None) -> Experiment:
    """Validate a resolved tree and build its parts; a workload of ``earlier`` with the same tree is taken over."""
    diagnostics = Diagnostics()
    try:
        spec = _validate(expand_experiment(tree, diagnostics), ExperimentSpec, resolver, diagnostics)
    except SpecError as error:
        raise SpecError([of_setting(fault, overrides) for fault in error.faults]) from None
    builder = _Builder(tree, diagnostics.warnings)
    models = {name: builder.model(("models", name), name, model) for name, model in spec.models.items()}
    workloads = {
        name: workload
        for name, found in spec.workloads.items()
        if (workload := _taken_over(name, tree, spec.seed, earlier))
        or (workload := builder.workload(("workloads", name), name, found, spec.seed))
    }
    whole = {name: model for name, model in models.items() if not spec.models[name].abstract}
    builder.collect(recipe_faults({name: workload.kinds for name, workload in workloads.items()}, whole))
    builder.collect(device_faults(tree, {name: found.devices for name, found in workloads.items()}, whole))
    builder.collect(name_faults(spec))
    if spec.fit is not None:
        builder.collect(fit_faults(tree, spec.fit, [reference.status for reference in spec.references]), ("fit",))
    if spec.sweep is not None:
        builder.collect(sweep_faults(tree, spec.sweep), ("sweep",))
    builder.warn_of_long_runs(workloads)
    builder.raise_faults()
    return Experiment(spec, tree, workloads, models, overrides, tuple(builder.warnings))


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
    tree, resolver = _resolve(path, "cost-model")
    spec = _validate(tree, CostModelSpec, resolver)
    builder = _Builder(tree)
    model = builder.model((), path.stem, spec)
    builder.raise_faults()
    return spec, model, builder.warnings


def load_workload(path: Path) -> tuple[WorkloadSpec, Workload, list[str]]:
    """Load and check one workload, YAML or a recording in Parquet; return its spec, the workload, and warnings.

    What is random in it is drawn from the seed 1.

    Raises:
        SpecError: one fault for each thing that is wrong.
    """
    tree, resolver = _resolve(path, "workload")
    diagnostics = Diagnostics()
    spec = _validate(expand_workload(tree, diagnostics), WorkloadSpec, resolver, diagnostics)
    builder = _Builder(tree, diagnostics.warnings)
    workload = builder.workload((), path.stem, spec, seed=1)
    builder.raise_faults()
    assert workload is not None, "a workload is missing only where there was a fault"
    return spec, workload, builder.warnings


def load_operations(path: Path) -> tuple[ExpandedOperationsSpec, list[str]]:
    """Load and check a document of operations; return them expanded with their defaults, and warnings.

    Raises:
        SpecError: one fault for each thing that is wrong.
    """
    tree, resolver = _resolve(path, "operations")
    diagnostics = Diagnostics()
    _validate(tree, OperationsSpec, resolver)
    spec = _validate(expand_operations(tree, diagnostics), ExpandedOperationsSpec, resolver, diagnostics)
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


def _resolve(
    path: Path,
    kind: DocumentKind,
    references: Mapping[tuple[str, str], Node] | None = None,
    recording: str | None = None,
) -> tuple[Node, Resolver]:
    """Return the tree of a document with all that it refers to, and its resolver, which knows what is wrong with it."""
    resolver = Resolver(references, recording)
    try:
        return resolver.resolve(path, kind), resolver
    except SpecError as error:
        raise SpecError(in_order([*resolver.faults, *error.faults])) from None


def _validate(tree: Node, schema: type[S], resolver: Resolver, diagnostics: Diagnostics | None = None) -> S:
    """Validate a tree; faults that were found before, or while it was expanded, are raised with those found now."""
    diagnostics = diagnostics or Diagnostics()
    try:
        spec = validate(tree, schema)
    except SpecError as error:
        told = [fault for fault in error.faults if fault.path not in resolver.incomplete]  # why it is empty was said
        raise SpecError(in_order([*resolver.faults, *diagnostics.settled(told)])) from None
    if resolver.faults or diagnostics.faults:
        raise SpecError(in_order([*resolver.faults, *diagnostics.faults]))
    return spec


class _Builder:
    """Builds the parts of a document, and collects faults and warnings on the way."""

    def __init__(self, tree: Node, warnings: Sequence[str] = ()) -> None:
        self._tree = tree
        self._faults: list[Fault] = []
        self.warnings: list[str] = list(warnings)

    def fault(self, where: Where, message: str) -> None:
        """Note one thing that is wrong."""
        self._faults.append(self._located(where, message))

    def warn(self, where: Where, message: str) -> None:
        """Note one thing that is worth knowing."""
        self.warnings.append(str(self._located(where, message)))

    def _located(self, where: Where, message: str) -> Fault:
        return locate(self._tree, where).fault(where, message)

    def raise_faults(self) -> None:
        """Raise all that was noted, if anything was."""
        if self._faults:
            raise SpecError(in_order(self._faults))

    def collect(self, faults: Iterable[tuple[Where, str]], below: Where = ()) -> None:
        """Note all that a check yields; ``below`` is what its paths count from."""
        for where, message in faults:
            self.fault((*below, *where), message)

    def model(self, where: Where, name: str, spec: CostModelSpec) -> CostModel:
        """Build a cost model; an action without a cost is a fault, a cost that nothing can use a warning."""
        model = spec.build(name)
        if spec.abstract:
            if where:
                message = f"'{spec.title}' is abstract: name a cost model that extends it"
                mark = node_at(self._tree, where[:-1]).keys.get(str(where[-1]), locate(self._tree, where))
                self._faults.append(mark.fault(where, message))
            return model
        self.collect(model_faults(self._tree, where, model))
        for place, message in dead_costs(self._tree, where, model):
            self.warn(place, message)
        return model

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
        kinds, devices, events, interacts = survey(recording)
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

    def warn_of_long_runs(self, workloads: Mapping[str, Workload]) -> None:
        """Name each workload that is so long that it is worth knowing before how long a replay takes."""
        for workload in workloads.values():
            if workload.rows > _LONG_RUN_ROWS:
                self.warnings.append(
                    f"workload {workload.name} has about {workload.rows:,} rows: `vmmsim estimate` says how long a "
                    "run takes"
                )


def sweep_faults(tree: Node, sweep: SweepSpec) -> Iterator[tuple[Where, str]]:
    """Yield what is wrong with a sweep over a tree: the place in the section, and the message."""
    for path in sweep.over:
        try:
            entry = entry_named(path)
            if entry:
                check_labels(tree, [entry])
            elif any(place[0] not in ("workloads", "models", "seed") for place in places(tree, path)):
                yield ("over", path), "expected a path to what a replay reads: in workloads, models, or the seed"
        except SpecError as error:
            yield ("over", path), "; ".join(fault.message for fault in error.faults)
    try:
        coordinates(sweep)
    except ValueError as error:
        yield ("combine",), str(error)


def _with_interrupts(kinds: frozenset[int], timer: Fraction | None, devices: frozenset[str]) -> frozenset[int]:
    return kinds | {INTERRUPT, INTERRUPT_COMPLETION} if timer or devices else kinds
