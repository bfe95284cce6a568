"""The section `fit` of an experiment: which values are free, between which bounds, and what they are fitted to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from simulator.errors import SpecError, did_you_mean
from simulator.spec.node import Node, Where, dotted
from simulator.spec.overrides import places
from simulator.spec.types import Spec, Text
from simulator.units import split_quantity

ReferenceStatus = Literal["input", "fitted", "predicted"]

SECTIONS = ("models", "workloads")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number with the unit that it was written with, if any."""

    value: Decimal
    unit: str

    def __str__(self) -> str:
        return f"{self.value:f} {self.unit}".strip()


def _amount(value: Any) -> Amount:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise ValueError("expected a number, with the unit of the value that it stands for, such as '500 cycles'")
    return Amount(*split_quantity(str(value)))


AmountValue = Annotated[
    Amount, PlainValidator(_amount), WithJsonSchema({"type": ["string", "number"], "examples": ["500 cycles"]})
]
OneOrMore = Annotated[
    list[Text],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class FitParameterSpec(Spec):
    """A value that is free between two bounds; all its paths are set to the same value.

    ``start`` is where the search begins: the geometric mean of the bounds where both are above 0, else their middle.
    ``scale``: whether steps are ratios (``log``, the default where ``low`` is above 0) or differences.
    """

    path: OneOrMore
    low: AmountValue
    high: AmountValue
    start: AmountValue | None = None
    about: str = ""
    scale: Literal["log", "linear"] | None = None

    @model_validator(mode="after")
    def _check(self) -> FitParameterSpec:
        units = {amount.unit for amount in (self.low, self.high, self.start) if amount is not None}
        if len(units) > 1:
            raise ValueError(f"expected one unit for low, high and start, found {', '.join(map(repr, sorted(units)))}")
        if self.low.value >= self.high.value:
            raise ValueError(f"expected low < high, found low {self.low}, high {self.high}")
        if self.start is not None and not self.low.value <= self.start.value <= self.high.value:
            raise ValueError(f"expected low <= start <= high, found start {self.start} for {self.low} .. {self.high}")
        if self.scale == "log" and self.low.value <= 0:
            raise ValueError(f"expected a low above 0 for the scale log, found {self.low}: use the scale linear")
        return self

    @property
    def is_log(self) -> bool:
        """Whether steps are ratios."""
        return self.low.value > 0 if self.scale is None else self.scale == "log"


class FitSpec(Spec):
    """What `vmmsim calibrate fit` does with the experiment.

    ``writes``: the models and workloads (`models.NAME`) of which a fitted overlay is written. ``references``: the
    status of the references that are fitted to.
    """

    writes: OneOrMore
    parameters: Annotated[list[FitParameterSpec], Field(min_length=1)]
    references: ReferenceStatus = "fitted"


def fit_faults(tree: Node, fit: FitSpec, statuses: Sequence[str]) -> Iterator[tuple[Where, str]]:
    """Yield what is wrong with a `fit` section in its experiment: the place in the section, and the message.

    ``statuses`` are those of the references that the experiment has.
    """
    if fit.references not in statuses:
        has = f"its references are {', '.join(dict.fromkeys(statuses))}" if statuses else "it has no references"
        yield ("references",), f"the experiment has no reference with the status '{fit.references}' to fit to: {has}"
    written = [tuple(name.split(".", 1)) for name in fit.writes]
    known = [f"{section}.{label}" for section in SECTIONS for label, _ in _children(tree, section)]
    for name in fit.writes:
        if name not in known:
            yield ("writes",), f"expected one of {', '.join(known)}, found '{name}'{did_you_mean(name, known)}"
    seen: set[Where] = set()
    for i, parameter in enumerate(fit.parameters):
        found: set[Where] = set()
        for path in parameter.path:
            where: Where = ("parameters", i, "path")
            try:
                found |= set(places(tree, path))
            except SpecError as error:
                yield where, "; ".join(f"{fault.path}: {fault.message}" for fault in error.faults)
        for message in _misplaced(found, seen, written):
            yield ("parameters", i, "path"), message
        seen |= found


def _misplaced(found: set[Where], seen: set[Where], written: list[tuple[str, ...]]) -> Iterator[str]:
    """Yield what is wrong with the places that the paths of one parameter lead to."""
    outside = sorted(dotted(path) for path in found if path[0] not in SECTIONS or len(path) < 3)
    if outside:
        yield f"expected a value of a model or a workload, found {', '.join(outside)}"
    elif found and not any(path[:2] in written for path in found):
        yield "nothing of this would be written: the path leads into none of fit.writes"
    for path in sorted(found & seen, key=dotted):
        yield f"a second parameter that sets {dotted(path)}"


def _children(tree: Node, section: str) -> Iterator[tuple[str | int, Node]]:
    child = tree.child(section)
    return child.children() if child is not None else iter(())
