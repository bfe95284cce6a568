"""Experiments in YAML: workloads x cost models, a baseline, references to compare with, and plots."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from simulator.spec.cost_model import CostModelSpec
from simulator.spec.fit import FitSpec, ReferenceStatus
from simulator.spec.types import Number, Spec, Text
from simulator.spec.workload import WorkloadSpec

Quantity = Literal["cycles_per_event", "total_seconds", "relative_to_baseline"]
"""What a reference gives: busy cycles over events; the makespan in seconds; the makespan over the baseline's."""

Plot = Literal["time-by-event", "overhead-by-event", "slowdown", "cost-per-event"]

UNITS: dict[str, str] = {"cycles_per_event": "cycles", "total_seconds": "s", "relative_to_baseline": "x"}

_NAMED = {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "object"}]}


def _published(value: Any) -> tuple[Decimal, str]:
    """Read ``'242 cycles'``, ``'6.02 s'`` or ``'1.05 x'``: a number with one of the units of the quantities."""
    number, _, unit = value.partition(" ") if isinstance(value, str) else (str(value), "", "")
    try:
        amount = Decimal(number)
    except ArithmeticError:
        raise ValueError(f"expected a number with a unit, such as '242 cycles', found '{value}'") from None
    if unit not in UNITS.values():
        raise ValueError(f"expected a unit, one of {', '.join(UNITS.values())}, as in '242 cycles'; found '{value}'")
    return amount, unit


Published = Annotated[tuple[Decimal, str], PlainValidator(_published), WithJsonSchema({"type": "string"})]


class ReferenceSpec(Spec):
    """Published or measured figures of one quantity: workload -> model -> value, with their source.

    ``status`` is ``input`` (the cost models were given these figures), ``fitted``, or ``predicted``.
    """

    quantity: Quantity
    status: ReferenceStatus
    source: Text
    values: Annotated[dict[Text, dict[Text, Published]], Field(min_length=1)]


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
