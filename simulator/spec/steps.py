"""Steps of a program in YAML: events of each kind, and what repeats, mixes and times them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, create_model, model_validator

from simulator.errors import did_you_mean
from simulator.events import BY_CODE, BY_NAME, COMPUTE_KINDS, HALT, KINDS, REQUEST_KINDS, EventKind
from simulator.spec.types import Duration, Number, Positive, Rate, Size, Spec, Text
from simulator.stream import AS_RECORDED, ASYNCHRONOUS, BLOCKING, COLUMN, Header
from simulator.workload.arrivals import Arrivals, Gap
from simulator.workload.steps import CountedMix, InOrder, Repeat, Row, Step
from simulator.workload.synthetic import Range, SyntheticStream, range_mark


def _or_bare(schema: Any, key: str, bare: Any) -> Any:
    """Return the type of a mapping for which a bare value of one of its keys may stand."""
    spread = BeforeValidator(lambda value: value if isinstance(value, dict) else {key: value}, bare | schema)
    return Annotated[schema, spread]


class RangeSpec(Spec):
    """Values for successive rows of a step: from the first, up to and without the second; in order, or drawn."""

    range: Annotated[list[Number], Field(min_length=2, max_length=2)]
    order: Literal["sequential", "uniform"] = "sequential"

    @model_validator(mode="after")
    def _check(self) -> RangeSpec:
        first, end = self.range
        if first >= end:
            raise ValueError(f"expected a range from a number to a greater one, found [{first}, {end}]")
        return self


NumberOrRange = Annotated[
    Annotated[RangeSpec, Tag("range")] | Annotated[Number, Tag("number")],
    Discriminator(lambda value: "range" if isinstance(value, dict | RangeSpec) else "number"),
]


class EventSpec(Spec):
    """Some events alike in a row; a bare number stands for ``count``. Each kind has the keys of its columns, too."""

    count: Positive = 1
    task: Number | None = None
    space: NumberOrRange | None = None


class ComputeSpec(Spec):
    """A stretch of computation; a bare duration stands for ``duration``."""

    duration: Duration


class RequestSpec(EventSpec):
    """Requests to a device of the machine; ``blocking``: the virtual CPU goes on only when each has completed."""

    device: Text
    size: Size = 0
    blocking: bool


class HaltSpec(EventSpec):
    """A halt; ``blocking`` (as a rule): it sleeps until the next interrupt, if no request completed before it."""

    blocking: bool = True


_COLUMN_TYPES: dict[str, Any] = {"page": NumberOrRange, "site": NumberOrRange, "number": NumberOrRange, "size": Number}
"""The types of the columns that only some kinds have; requests have a device and a size in bytes of their own."""

_NEEDED = {
    "kernel_code": ("size", "a size, in instructions"),
    "space_destroy": ("space", "the space that is torn down"),
}
"""The column that an event of a kind cannot do without, and what stands in it."""


def _needs(name: str) -> dict[str, Any]:
    """Return the validator of a kind that cannot do without one of its columns; none for the others."""
    if name not in _NEEDED:
        return {}
    column, what = _NEEDED[name]

    def check(spec: EventSpec) -> EventSpec:
        if getattr(spec, column) is None:
            raise ValueError(f"{name} needs {what}")
        return spec

    return {"_needs": model_validator(mode="after")(check)}


def _schema_of(kind: EventKind) -> Any:
    if kind.code in COMPUTE_KINDS:
        return _or_bare(ComputeSpec, "duration", Duration)
    if kind.code in REQUEST_KINDS:
        return RequestSpec
    if kind.code == HALT:
        return _or_bare(HaltSpec, "count", Positive)
    columns: dict[str, Any] = {
        name: (_COLUMN_TYPES[name] | None, None) for name in kind.columns if name in _COLUMN_TYPES
    }
    name = "".join(part.title() for part in kind.name.split("_"))
    schema = create_model(
        f"{name}Spec", __base__=EventSpec, __doc__=kind.about, __validators__=_needs(kind.name), **columns
    )
    return _or_bare(schema, "count", Positive)


@dataclass(slots=True)
class _Stock:
    """What the programs of a workload share: the devices that they name, and the ranges of their columns."""

    devices: list[str] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)

    def device(self, name: str) -> int:
        """Return the index of a device, which is entered in the list."""
        if name not in self.devices:
            self.devices.append(name)
        return self.devices.index(name)

    def cell(self, value: int | RangeSpec) -> int:
        """Return what stands in a row for the value of a column: the value, or the mark of its range."""
        if isinstance(value, int):
            return value
        first, end = value.range
        self.ranges.append(Range(first, end, value.order))
        return range_mark(len(self.ranges) - 1)


def _row(kind: EventKind, spec: Any, stock: _Stock) -> Row:
    """Return the row that an event of the document stands for."""
    if isinstance(spec, ComputeSpec):
        return Row({"kind": kind.code, "user_ns" if kind.name == "user_compute" else "kernel_ns": spec.duration})
    values = {name: stock.cell(value) for name, value in spec if name in COLUMN and isinstance(value, int | RangeSpec)}
    if isinstance(spec, RequestSpec):
        values["device"] = stock.device(spec.device)
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

    def step(self, stock: _Stock) -> Step:
        """Return the part of a program that this is."""
        parts = []
        for name, spec in self.counts:
            if spec is not None:
                row = _row(BY_NAME[name], spec, stock)
                parts.append((Row({**row.values, "count": 1}), spec.count))
        return CountedMix(parts)


_MOST_ARRIVALS_HZ = 10**9
_MORE_THAN_A_RATE = {BY_CODE[code].name: "a device" for code in REQUEST_KINDS} | {
    name: what for name, (_, what) in _NEEDED.items()
}
ARRIVING = tuple(name for name in _EVENT_KINDS if name not in _MORE_THAN_A_RATE)
"""The event kinds that may have a rate."""


def _arriving(name: str) -> str:
    if name in _MORE_THAN_A_RATE:
        raise ValueError(f"'{name}' needs {_MORE_THAN_A_RATE[name]}: put it in a sequence or a mix, or under 'of'")
    if name in BY_NAME and name not in ARRIVING:
        raise ValueError(f"'{name}' cannot arrive: it goes on between arrivals, as long as 'during' and 'mode' say")
    if name not in ARRIVING:
        raise ValueError(f"no event kind '{name}' that can arrive{did_you_mean(name, ARRIVING)}")
    return name


class ArrivingSpec(Spec):
    """A part of a program that arrives at a rate, as a whole."""

    rate: Rate
    events: Annotated[list[StepSpec], Field(min_length=1)]


class ArrivalsSpec(Spec):
    """Events that arrive at given rates while a mode computes.

    ``rates``: by event kind or operation, with their defaults; ``of``: parts of several events. ``during``: how much
    computation there is in all; or ``count``: how many arrivals. ``gaps``: how the computation between two arrivals is
    distributed.
    """

    rates: dict[Annotated[Text, AfterValidator(_arriving)], Rate] = Field(default_factory=dict)
    of: list[ArrivingSpec] = Field(default_factory=list)
    during: Duration | None = None
    count: Positive | None = None
    mode: Literal["user", "kernel"] = "user"
    gaps: Literal["exponential", "constant", "uniform"] = "exponential"

    def _hertz(self) -> Fraction:
        return sum([*self.rates.values(), *(part.rate for part in self.of)], Fraction(0))

    @model_validator(mode="after")
    def _check(self) -> ArrivalsSpec:
        if not self.rates and not self.of:
            raise ValueError("expected 'rates' (by event kind or operation), or 'of' (a list of a rate and events)")
        if (self.during is None) == (self.count is None):
            raise ValueError("expected either 'during' (a duration) or 'count' (a number of events)")
        if self._hertz() > _MOST_ARRIVALS_HZ:
            raise ValueError("expected rates of at most 1 GHz together: arrivals are whole nanoseconds apart")
        return self

    def step(self, stock: _Stock) -> Step:
        """Return the part of a program that this is."""
        parts: list[tuple[Step, Fraction]] = [
            (Row({"kind": BY_NAME[name].code}), rate) for name, rate in self.rates.items()
        ]
        parts += [(_program(part.events, stock), part.rate) for part in self.of]
        return Arrivals(parts, Gap(10**9 / self._hertz(), self.gaps), self.mode, self.during, self.count)


class RepeatSpec(Spec):
    """A part of a program, several times over."""

    times: Positive
    events: Annotated[list[StepSpec], Field(min_length=1)]

    def step(self, stock: _Stock) -> Step:
        """Return the part of a program that this is."""
        return Repeat(self.times, _program(self.events, stock))


class _OneOf(Spec):
    """One step of a program: exactly one key, an event kind or one of repeat, mix, arrivals."""

    @model_validator(mode="after")
    def _exactly_one(self) -> _OneOf:
        given = [name for name, value in self if value is not None]
        if len(given) != 1:
            raise ValueError(f"expected one event kind, or one of repeat, mix, arrivals; found {given or 'none'}")
        return self

    def step(self, stock: _Stock) -> Step:
        """Return the part of a program that this is."""
        name, spec = next((name, value) for name, value in self if value is not None)
        if name in BY_NAME:
            return _row(BY_NAME[name], spec, stock)
        part: Step = spec.step(stock)
        return part


STRUCTURES: dict[str, Any] = {"repeat": RepeatSpec, "mix": MixSpec, "arrivals": ArrivalsSpec}
_EXAMPLES = {
    "user_compute": "10 us",
    "kernel_compute": "10 us",
    "disk_request": "{device: disk, blocking: true}",
    "network_request": "{device: network, blocking: false}",
    "kernel_code": "{size: 100}",
    "space_destroy": "{space: 1}",
}
EXAMPLES = {name: f"{name}: {_EXAMPLES.get(name, '1')}" for name in _ALL_KINDS}
"""A step of each event kind, as it is written."""
STEPS = (*_ALL_KINDS, *STRUCTURES)
"""The keys that a step may have in any workload."""

_STEP_KEYS: dict[str, Any] = {**_ALL_KINDS, **{name: (schema | None, None) for name, schema in STRUCTURES.items()}}
StepSpec: Any = create_model("StepSpec", __base__=_OneOf, __doc__=_OneOf.__doc__, **_STEP_KEYS)
RepeatSpec.model_rebuild()
ArrivingSpec.model_rebuild()
ArrivalsSpec.model_rebuild()
StepSpec.model_rebuild()

Program = Annotated[list[StepSpec], Field(min_length=1)]


def synthetic(
    title: str, programs: Sequence[Sequence[Any]], seed: int, provenance: Mapping[str, Any] | None = None
) -> SyntheticStream:
    """Return the stream of one program (a list of steps) for each virtual CPU; title and seed say what is drawn."""
    stock = _Stock()
    steps = [_program(events, stock) for events in programs]
    header = Header(title=title, vcpus=len(steps), devices=tuple(stock.devices), provenance=provenance or {})
    return SyntheticStream(header, steps, seed, tuple(stock.ranges))


def _program(events: Sequence[Any], stock: _Stock) -> Step:
    return InOrder([step.step(stock) for step in events])
