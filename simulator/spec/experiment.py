"""Experiments in YAML: workloads x cost models, a baseline, references to compare with, and plots."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator

from simulator.events import BY_NAME, kind_code
from simulator.spec.cost_model import CostModelSpec
from simulator.spec.fit import FitSpec, ReferenceStatus
from simulator.spec.sweep import SweepSpec
from simulator.spec.types import Number, Spec, Text
from simulator.spec.workload import WorkloadSpec

OVERHEAD = "overhead_seconds"
Quantity = Literal[
    "cycles_per_event",
    "total_cycles",
    "total_seconds",
    "relative_to_baseline",
    "percent_of_baseline",
    "overhead_seconds",
]
"""What a reference gives: busy cycles over events; the makespan in cycles, or in seconds; the makespan over the
baseline's; the baseline's makespan over this one, in percent (performance: more is better); busy seconds, of all events
or of some kinds, minus the baseline's."""

Plot = Literal[
    "time-by-event", "overhead-by-event", "overhead-by-source", "slowdown", "performance", "cost-per-event", "blame"
]

UNITS: dict[Quantity, str] = {
    "cycles_per_event": "cycles",
    "total_cycles": "cycles",
    "total_seconds": "s",
    "relative_to_baseline": "x",
    "percent_of_baseline": "%",
    "overhead_seconds": "s",
}
TO_BASELINE: frozenset[Quantity] = frozenset({"relative_to_baseline", "percent_of_baseline", "overhead_seconds"})
"""The quantities that need a baseline."""

_NAMED = {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "object"}]}


def _published(value: Any) -> tuple[Decimal, str]:
    """Read ``'242 cycles'``, ``'6.02 s'`` or ``'1.05 x'``: a number with one of the units of the quantities."""
    number, _, unit = value.partition(" ") if isinstance(value, str) else (str(value), "", "")
    try:
        amount = Decimal(number)
    except ArithmeticError:
        raise ValueError(f"expected a number with a unit, such as '242 cycles', found '{value}'") from None
    if unit not in UNITS.values():
        units = ", ".join(dict.fromkeys(UNITS.values()))
        raise ValueError(f"expected a unit, one of {units}, as in '242 cycles'; found '{value}'")
    return amount, unit


def _event(name: str) -> str:
    kind_code(name)
    return name


Published = Annotated[tuple[Decimal, str], PlainValidator(_published), WithJsonSchema({"type": "string"})]
EventName = Annotated[str, AfterValidator(_event), WithJsonSchema({"enum": list(BY_NAME)})]


class ReferenceSpec(Spec):
    """Published or measured figures of one quantity: workload -> model -> value, with their source.

    ``status`` is ``input`` (the cost models were given these figures), ``fitted``, or ``predicted``. The quantity
    ``overhead_seconds`` may be that of one kind of event (``event``), or of several together (``events``), called
    ``label``. A ``note`` says what a reader of the figures must know.
    """

    quantity: Quantity
    event: EventName | None = None
    events: Annotated[list[EventName], Field(min_length=1)] | None = None
    label: Text | None = None
    status: ReferenceStatus
    source: Text
    note: Text | None = None
    values: Annotated[dict[Text, dict[Text, Published]], Field(min_length=1)]

    @model_validator(mode="after")
    def _events_fit(self) -> ReferenceSpec:
        if self.event and self.events:
            raise ValueError("expected 'event' or 'events', found both")
        if self.kinds and self.quantity != OVERHEAD:
            raise ValueError(f"only {OVERHEAD} is by event, found {self.quantity}")
        if self.label and not self.kinds:
            raise ValueError("a label names an event or events, found none")
        if len(set(self.kinds)) < len(self.kinds):
            raise ValueError("an event stands twice in 'events'")
        return self

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of event that the quantity is of; none where it is of the whole run."""
        return (self.event,) if self.event else tuple(self.events or ())

    @property
    def source_of_overhead(self) -> str:
        """What the kinds of event are called: the label, or else their names; empty where there are none."""
        return self.label or " + ".join(self.kinds)

    @property
    def name(self) -> str:
        """The quantity as the rows of a comparison name it, such as ``overhead_seconds of in/out``."""
        return f"{self.quantity} of {self.source_of_overhead}" if self.kinds else self.quantity


class ExperimentSpec(Spec):
    """An experiment document; workloads and models are names, paths, or label: name pairs."""

    document: Literal["experiment"]
    title: Text
    description: str = ""
    seed: Number = 1
    workloads: Annotated[dict[Text, WorkloadSpec], Field(min_length=1), WithJsonSchema(_NAMED)]
    models: Annotated[dict[Text, CostModelSpec], Field(min_length=1), WithJsonSchema(_NAMED)]
    baseline: Text | None = None
    references: list[ReferenceSpec] = Field(default_factory=list)
    plots: list[Plot] = Field(default_factory=list)
    fit: FitSpec | None = None
    sweep: SweepSpec | None = None
