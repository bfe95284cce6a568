"""Workloads in YAML: a program of events for each virtual CPU, or a recording."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from simulator.errors import did_you_mean
from simulator.events import ACTIVITY_KINDS, BY_NAME
from simulator.spec.cost_model import CostModelSpec
from simulator.spec.operations import OperationsSpec
from simulator.spec.steps import Program, synthetic
from simulator.spec.types import Duration, Identifier, Positive, Provenance, Rate, Spec, Text
from simulator.units import Quantity
from simulator.workload.assumed import MOST_INSTRUCTIONS, MOST_PAGES, MOST_PAGES_PER_US, Assumptions
from simulator.workload.synthetic import SyntheticStream


def _pages_per_us(value: Any) -> Fraction:
    """Read a number with up to six decimals; as text, too, since that is how results keep it exact."""
    quantity = Quantity.parse(str(value)) if isinstance(value, int | Decimal | str) else None
    pages = quantity.amount if quantity is not None and not quantity.unit else Fraction(0)
    if not 0 < pages <= MOST_PAGES_PER_US or (pages * 10**6).denominator != 1:
        raise ValueError(f"expected a number above 0, up to {MOST_PAGES_PER_US:,}, with at most six decimals")
    return pages


PagesPerMicrosecond = Annotated[
    Fraction, PlainValidator(_pages_per_us), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})
]


class AssumeSpec(Spec):
    """What a recording cannot show.

    ``working_set``: how many pages computation goes back to, and ``pages_per_us``: how many it touches in a
    microsecond. ``kernel_code``: how many instructions of the kernel an event of each kind runs.
    """

    working_set: Annotated[int, Field(ge=1, le=MOST_PAGES)] | None = None
    pages_per_us: PagesPerMicrosecond | None = None
    kernel_code: dict[Text, Annotated[int, Field(ge=1, le=MOST_INSTRUCTIONS)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check(self) -> AssumeSpec:
        if (self.working_set is None) != (self.pages_per_us is None):
            raise ValueError(
                "expected both working_set and pages_per_us, or neither: together they say what is touched"
            )
        events = [kind.name for kind in BY_NAME.values() if kind.code not in ACTIVITY_KINDS]
        for name in self.kernel_code:
            if name not in events:
                raise ValueError(f"no event kind '{name}' that runs kernel code{did_you_mean(name, events)}")
        return self

    def assumptions(self) -> Assumptions:
        """Return what is assumed, by code of event kind."""
        code = {BY_NAME[name].code: instructions for name, instructions in self.kernel_code.items()}
        return Assumptions(self.working_set or 0, self.pages_per_us or Fraction(0), code)


class VcpuSpec(Spec):
    """The program of one virtual CPU, or of several alike (each draws its own random numbers)."""

    events: Program
    copies: Positive = 1


class CutSpec(Spec):
    """A window of a recording, from a moment of recorded time to another; without ``to`` it reaches to the end."""

    begin: Duration = Field(default=0, alias="from")
    end: Duration | None = Field(default=None, alias="to")


class WorkloadSpec(Spec):
    """A workload document: ``events`` (one virtual CPU), ``vcpus`` (several), or a ``recording``.

    ``timer``: the rate of a periodic timer on each virtual CPU. ``parameters``: values for which ``$name`` stands in
    the events. ``operations``: a document of operations that steps may name. ``host_costs``: the cost model of the
    machine that made the recording; what its events cost there is taken off the recorded gaps. ``cut``: a window
    of it. ``copies``: how many of it run side by side, each on virtual CPUs of its own. ``assume``: what the recording
    cannot show.
    """

    document: Literal["workload"]
    title: Text
    description: str = ""
    source: str = ""
    timer: Rate | None = None
    parameters: dict[Identifier, Any] = Field(default_factory=dict)
    operations: Annotated[OperationsSpec | None, WithJsonSchema({"type": ["string", "object"]})] = None
    events: Program | None = None
    vcpus: Annotated[list[VcpuSpec], Field(min_length=1)] | None = None
    recording: Text | None = None
    host_costs: Annotated[CostModelSpec | None, WithJsonSchema({"type": "string"})] = None
    provenance: Provenance = Field(default_factory=dict)
    cut: CutSpec | None = None
    copies: Positive | None = None
    assume: AssumeSpec | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> WorkloadSpec:
        given = [name for name in ("events", "vcpus", "recording") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of events, vcpus, recording; found {given or 'none'}")
        if self.host_costs and not self.recording:
            raise ValueError("host_costs belongs to a recording; a synthetic workload has none")
        if self.recording and not self.host_costs:
            raise ValueError("a recording needs host_costs: the cost model of the machine that made it")
        if self.cut and not self.recording:
            raise ValueError("cut belongs to a recording; a synthetic workload is written as long as it is to be")
        if self.copies and not self.recording:
            raise ValueError("copies belong to a recording; a synthetic workload gives each entry of vcpus its copies")
        if self.assume and not self.recording:
            raise ValueError("assume belongs to a recording; a synthetic workload says it with touch and kernel_code")
        return self

    def synthetic(self, seed: int) -> SyntheticStream:
        """Return the stream of a synthetic workload; its random numbers follow from its title and the seed."""
        specs = self.vcpus or [VcpuSpec(events=self.events or [])]
        programs = [spec.events for spec in specs for _ in range(spec.copies)]
        return synthetic(self.title, programs, seed, self.provenance)
