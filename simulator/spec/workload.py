"""Workloads in YAML: a program of events for each virtual CPU, or a recording."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, create_model, model_validator

from simulator.errors import did_you_mean
from simulator.events import BY_NAME, COMPUTE_KINDS, HALT, KINDS, REQUEST_KINDS, EventKind
from simulator.spec.cost_model import CostModelSpec
from simulator.spec.types import Duration, Number, Positive, Provenance, Rate, Size, Spec, Text
from simulator.stream import AS_RECORDED, ASYNCHRONOUS, BLOCKING, Header
from simulator.workload.synthetic import Arrivals, CountedMix, Gap, InOrder, Repeat, Row, Step, SyntheticStream


def _shorthand(key: str) -> BeforeValidator:
    """Let a bare value stand for a mapping with one key."""
    return BeforeValidator(lambda value: value if isinstance(value, dict) else {key: value})


class EventSpec(Spec):
    """Some events alike in a row; a bare number stands for ``count``."""

    count: Positive = 1
    task: Number | None = None
    space: Number | None = None
    page: Number | None = None
    site: Number | None = None
    number: Number | None = None


class ComputeSpec(Spec):
    """A stretch of computation; a bare duration stands for ``duration``."""

    duration: Duration


class RequestSpec(EventSpec):
    """Requests to a device of the machine; ``blocking``: the virtual CPU goes on only when each has completed."""

    device: Text
    size: Size = 0
    blocking: bool


class HaltSpec(EventSpec):
    """A halt; ``blocking`` (as a rule): it sleeps until the next interrupt."""

    blocking: bool = True


def _schema_of(kind: EventKind) -> Any:
    if kind.code in COMPUTE_KINDS:
        return Annotated[ComputeSpec, _shorthand("duration")]
    if kind.code in REQUEST_KINDS:
        return RequestSpec
    return Annotated[HaltSpec if kind.code == HALT else EventSpec, _shorthand("count")]


def _row(kind: EventKind, spec: Any, devices: list[str]) -> Row:
    """Return the row that an event of the document stands for; its device is entered in the list of devices."""
    if isinstance(spec, ComputeSpec):
        return Row({"kind": kind.code, "user_ns" if kind.name == "user_compute" else "kernel_ns": spec.duration})
    values = {name: value for name, value in spec if isinstance(value, int) and name != "blocking"}
    if isinstance(spec, RequestSpec):
        if spec.device not in devices:
            devices.append(spec.device)
        values["device"] = devices.index(spec.device)
        values["completion"] = BLOCKING if spec.blocking else ASYNCHRONOUS
    if isinstance(spec, HaltSpec):
        values["completion"] = BLOCKING if spec.blocking else AS_RECORDED
    return Row({"kind": kind.code, **values})


_ALL_KINDS: dict[str, Any] = {kind.name: (_schema_of(kind) | None, None) for kind in KINDS}
_EVENT_KINDS = {name: value for name, value in _ALL_KINDS.items() if BY_NAME[name].code not in COMPUTE_KINDS}
_Counts: Any = create_model("Counts", __base__=Spec, __doc__="Events by kind, and how many of each.", **_EVENT_KINDS)


_MOST_SHUFFLED = 100_000_000


class MixSpec(Spec):
    """A given number of events of several kinds, shuffled one by one."""

    counts: _Counts

    @model_validator(mode="after")
    def _check(self) -> MixSpec:
        total = sum(spec.count for _, spec in self.counts if spec is not None)
        if not 1 <= total <= _MOST_SHUFFLED:
            raise ValueError(
                f"expected 1 to {_MOST_SHUFFLED:,} events to shuffle, found {total:,}: repeat a smaller mix"
            )
        return self

    def step(self, devices: list[str]) -> Step:
        """Return the part of a program that this is."""
        parts = []
        for name, spec in self.counts:
            if spec is not None:
                row = _row(BY_NAME[name], spec, devices)
                parts.append((Row({**row.values, "count": 1}), spec.count))
        return CountedMix(parts)


_MOST_ARRIVALS_HZ = 10**9


class ArrivalsSpec(Spec):
    """Events that arrive at given rates while a mode computes.

    ``during``: how much computation there is in all; or ``count``: how many events. ``gaps``: how the computation
    between two arrivals is distributed.
    """

    rates: Annotated[dict[Text, Rate], Field(min_length=1)]
    during: Duration | None = None
    count: Positive | None = None
    mode: Literal["user", "kernel"] = "user"
    gaps: Literal["exponential", "constant", "uniform"] = "exponential"

    @model_validator(mode="after")
    def _check(self) -> ArrivalsSpec:
        if (self.during is None) == (self.count is None):
            raise ValueError("expected either 'during' (a duration) or 'count' (a number of events)")
        if sum(self.rates.values()) > _MOST_ARRIVALS_HZ:
            raise ValueError("expected rates of at most 1 GHz together: arrivals are whole nanoseconds apart")
        for name in self.rates:
            if name not in _EVENT_KINDS:
                raise ValueError(f"no event kind '{name}' that can arrive{did_you_mean(name, _EVENT_KINDS)}")
            if BY_NAME[name].code in REQUEST_KINDS:
                raise ValueError(f"'{name}' needs a device: put it in a sequence or a mix")
        return self

    def step(self, _devices: list[str]) -> Step:
        """Return the part of a program that this is."""
        parts = [(Row({"kind": BY_NAME[name].code}), rate) for name, rate in self.rates.items()]
        total = sum((rate for _, rate in parts), Fraction(0))
        return Arrivals(parts, Gap(10**9 / total, self.gaps), self.mode, self.during, self.count)


class RepeatSpec(Spec):
    """A part of a program, several times over."""

    times: Positive
    events: Annotated[list[StepSpec], Field(min_length=1)]

    def step(self, devices: list[str]) -> Step:
        """Return the part of a program that this is."""
        return Repeat(self.times, _program(self.events, devices))


class _OneOf(Spec):
    """One step of a program: exactly one key, an event kind or one of repeat, mix, arrivals."""

    @model_validator(mode="after")
    def _exactly_one(self) -> _OneOf:
        given = [name for name, value in self if value is not None]
        if len(given) != 1:
            raise ValueError(f"expected one event kind, or one of repeat, mix, arrivals; found {given or 'none'}")
        return self

    def step(self, devices: list[str]) -> Step:
        """Return the part of a program that this is."""
        name, spec = next((name, value) for name, value in self if value is not None)
        if name in BY_NAME:
            return _row(BY_NAME[name], spec, devices)
        part: Step = spec.step(devices)
        return part


StepSpec: Any = create_model(
    "StepSpec",
    __base__=_OneOf,
    __doc__=_OneOf.__doc__,
    **_ALL_KINDS,
    repeat=(RepeatSpec | None, None),
    mix=(MixSpec | None, None),
    arrivals=(ArrivalsSpec | None, None),
)
RepeatSpec.model_rebuild()
StepSpec.model_rebuild()

Program = Annotated[list[StepSpec], Field(min_length=1)]


def _program(events: list[Any], devices: list[str]) -> Step:
    return InOrder([step.step(devices) for step in events])


class VcpuSpec(Spec):
    """The program of one virtual CPU, or of several alike (each draws its own random numbers)."""

    events: Program
    copies: Positive = 1


class WorkloadSpec(Spec):
    """A workload document: ``events`` (one virtual CPU), ``vcpus`` (several), or a ``recording``.

    ``timer``: the rate of a periodic timer on each virtual CPU. ``host_costs``: the cost model of the machine that made
    the recording; what its events cost there is taken off the recorded gaps.
    """

    document: Literal["workload"]
    title: Text
    description: str = ""
    source: str = ""
    timer: Rate | None = None
    events: Program | None = None
    vcpus: Annotated[list[VcpuSpec], Field(min_length=1)] | None = None
    recording: Text | None = None
    host_costs: Annotated[CostModelSpec | None, WithJsonSchema({"type": "string"})] = None
    provenance: Provenance = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_kind(self) -> WorkloadSpec:
        given = [name for name in ("events", "vcpus", "recording") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of events, vcpus, recording; found {given or 'none'}")
        if self.host_costs and not self.recording:
            raise ValueError("host_costs belongs to a recording; a synthetic workload has none")
        if self.recording and not self.host_costs:
            raise ValueError("a recording needs host_costs: the cost model of the machine that made it")
        return self

    def synthetic(self, name: str, seed: int) -> SyntheticStream:
        """Return the stream of a synthetic workload; its random numbers follow from its name and the seed."""
        devices: list[str] = []
        specs = self.vcpus or [VcpuSpec(events=self.events or [])]
        programs = [_program(spec.events, devices) for spec in specs for _ in range(spec.copies)]
        header = Header(title=self.title, vcpus=len(programs), devices=tuple(devices))
        return SyntheticStream(header, programs, name, seed)
