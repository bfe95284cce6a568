"""The types of YAML values: quantities with units, read from text such as ``'1931 cycles'``."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from simulator.units import Clock, Cost, parse_bandwidth, parse_clock, parse_duration, parse_rate, parse_size

T = TypeVar("T")


class Spec(BaseModel):
    """The base of all specs: no unknown keys, no coercion, no change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


def _quantity(parse: Callable[[str], T], example: str) -> Any:
    def read(value: Any) -> T:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise ValueError(f"expected a quantity with a unit, such as '{example}'")
        return parse(str(value))

    return PlainValidator(read), WithJsonSchema({"type": "string", "examples": [example]})


CostValue = Annotated[Cost, *_quantity(Cost.parse, "1931 cycles")]
SpreadCostValue = Annotated[
    Cost,
    _quantity(Cost.parse, "1931 cycles")[0],
    WithJsonSchema(
        {
            "type": "string",
            "description": "cycles or a time; 1500 ± 200 cycles (or +-) stands for a low of 1300 and a high of 1700",
            "examples": ["1931 cycles", "1500 ± 200 cycles"],
        }
    ),
]
"""The cost of an action; what is behind a ± is split off before (``CostSpec``)."""
ClockValue = Annotated[Clock, *_quantity(parse_clock, "3800 MHz")]
Duration = Annotated[int, *_quantity(partial(parse_duration, example="10 us"), "10 us")]
Rate = Annotated[Fraction, *_quantity(parse_rate, "100 Hz")]
Size = Annotated[int, *_quantity(parse_size, "4 KiB")]
Bandwidth = Annotated[int, *_quantity(parse_bandwidth, "100 MB/s")]

Text = Annotated[str, Field(min_length=1)]
Number = Annotated[int, Field(ge=0, lt=2**63)]
Positive = Annotated[int, Field(ge=1, le=10**15)]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")]

Provenance = Annotated[dict[str, Any], Field(description="How the document was made; no replay reads it.")]
