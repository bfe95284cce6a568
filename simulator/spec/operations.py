"""Operations in YAML: what a kernel does for one fork, one exec or one packet, as events, with parameters."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from simulator.spec.steps import StepSpec, synthetic
from simulator.spec.types import Identifier, Spec, Text
from simulator.workload.synthetic import SyntheticStream


class OperationSpec(Spec):
    """One operation: its events, in which ``$name`` stands for a parameter, and the defaults of its parameters."""

    about: Text
    source: str = ""
    parameters: dict[Identifier, Any] = Field(default_factory=dict)
    events: Annotated[list[Any], Field(min_length=1), WithJsonSchema({"type": "array", "items": {"type": "object"}})]


class OperationsSpec(Spec):
    """An operations document: operations by name; one may use others of the same document."""

    document: Literal["operations"]
    title: Text
    description: str = ""
    source: str = ""
    operations: Annotated[dict[Identifier, OperationSpec], Field(min_length=1)]


class ExpandedOperationSpec(OperationSpec):
    """An operation with the defaults in place of its parameters, and with the operations that it uses."""

    events: list[StepSpec]

    def stream(self, name: str) -> SyntheticStream:
        """Return the rows of one operation."""
        return synthetic(name, [self.events], seed=1)


class ExpandedOperationsSpec(OperationsSpec):
    """An operations document, with each operation expanded."""

    operations: Annotated[dict[Identifier, ExpandedOperationSpec], Field(min_length=1)]  # type: ignore[assignment]
