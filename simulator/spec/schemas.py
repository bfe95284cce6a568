"""The schema of each kind of document, and the same as JSON Schema."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from simulator.spec.cost_model import CostModelSpec
from simulator.spec.experiment import ExperimentSpec
from simulator.spec.operations import OperationsSpec
from simulator.spec.workload import WorkloadSpec

SCHEMAS: dict[str, type[BaseModel]] = {
    "experiment": ExperimentSpec,
    "workload": WorkloadSpec,
    "operations": OperationsSpec,
    "cost-model": CostModelSpec,
}

_TERMS = {"type": "array", "minItems": 1}
_FILLED_IN = {
    "description": "a parameter's name, or arithmetic",
    "anyOf": [
        {"type": "string", "pattern": r"^\$[A-Za-z_]"},
        {"type": "object", "properties": {"product": _TERMS, "sum": _TERMS}, "additionalProperties": False},
    ],
}
_OPERATION = {"type": ["integer", "string", "object"], "description": "an operation: how often, or its parameters"}


def json_schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of a kind of document, for editors.

    In the parts of a workload, a number or a quantity may be a parameter or arithmetic, and a step an operation.
    """
    schema = SCHEMAS[kind].model_json_schema()
    if kind == "workload":
        parts = schema["$defs"]
        parts["StepSpec"]["additionalProperties"] = _OPERATION
        for part in parts.values():
            part["properties"] = {name: _or_filled_in(entry) for name, entry in part.get("properties", {}).items()}
    return schema


def _or_filled_in(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a value, which may be filled in if it is a number or a quantity."""
    members = entry.get("anyOf", [entry])
    if not any(member.get("type") == "integer" or "examples" in member for member in members):
        return entry
    return {"anyOf": [*members, _FILLED_IN]}
