"""The section `sweep` of an experiment: which parameters take which values, and how these are combined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from simulator.errors import Fault, SpecError
from simulator.spec.ranges import MOST_VALUES, listed, parse_values
from simulator.spec.types import Spec, Text

Combine = Literal["grid", "zip"]

SWEEP_FILE = "--over"


def _values(value: Any) -> tuple[str, ...]:
    if isinstance(value, list | tuple):
        if not value:
            raise ValueError("expected values, found an empty list")
        return listed([_text(entry) for entry in value])
    return parse_values(_text(value))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | Decimal):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    raise ValueError("expected numbers, with their unit, or names: a list of them, or a range as one text")


Values = Annotated[
    tuple[str, ...],
    PlainValidator(_values),
    WithJsonSchema(
        {
            "anyOf": [{"type": ["string", "number"]}, {"type": "array", "minItems": 1}],
            "examples": ["500..2000 cycles in 16", "1..1000 us in 7 log", "0..10 step 2", ["100 Hz", "250 Hz"]],
        }
    ),
]


class SweepSpec(Spec):
    """What `vmmsim sweep` varies: ``over`` gives the values of each path, as after --set.

    ``combine``: every value of one with every value of the others (``grid``), or first with first, second with second
    (``zip``).
    """

    over: Annotated[dict[Text, Values], Field(min_length=1)]
    combine: Combine = "grid"


def sweep_of(overs: Mapping[str, str], combine: Combine) -> SweepSpec:
    """Return what texts of the form PATH: RANGE ask for.

    Raises:
        SpecError: one fault for each that is no range.
    """
    faults = []
    values: dict[str, tuple[str, ...]] = {}
    for path, text in overs.items():
        try:
            values[path] = parse_values(text)
        except ValueError as error:
            faults.append(Fault(SWEEP_FILE, 0, 0, path, str(error)))
    if faults:
        raise SpecError(faults)
    return SweepSpec(over=values, combine=combine)


def coordinates(sweep: SweepSpec) -> Iterator[tuple[str, ...]]:
    """Give the values of each point, in the order of the paths; the last path varies fastest.

    Raises:
        ValueError: lists of several lengths cannot be taken together, or there are too many points.
    """
    lengths = {path: len(values) for path, values in sweep.over.items()}
    if sweep.combine == "zip":
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"{number} of {path}" for path, number in lengths.items())
            raise ValueError(f"expected as many values of each path for zip, found {found}")
        return zip(*sweep.over.values(), strict=True)
    number = 1
    for length in lengths.values():
        number *= length
    if number > MOST_VALUES:
        raise ValueError(f"expected at most {MOST_VALUES:,} points, found {number:,}")
    return product(*sweep.over.values())
