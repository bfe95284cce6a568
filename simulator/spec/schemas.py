"""The schema of each kind of document, and the same as JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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


_EXTENDS = {"type": "string", "description": "the name or the path of a document that this one is merged onto"}
_EXTENSIBLE = ("workload", "cost-model")

Schema = dict[str, Any]


def json_schema(kind: str) -> Schema:
    """Return the JSON Schema of a kind of document, for editors.

    In the parts of a workload, a number or a quantity may be a parameter or arithmetic, and a step an operation. What
    extends another document may leave out any key, and remove one with null.
    """
    schema = SCHEMAS[kind].model_json_schema()
    parts = schema.get("$defs", {})
    if kind == "workload":
        for name, part in parts.items():
            parts[name] = {**part, "properties": _each(part.get("properties", {}), _or_filled_in)}
        parts["StepSpec"]["additionalProperties"] = _OPERATION
    return _or_overlay(schema) if kind in _EXTENSIBLE else schema


def _each(entries: Mapping[str, Schema], change: Callable[[Schema], Schema]) -> dict[str, Schema]:
    return {name: change(entry) for name, entry in entries.items()}


def _or_filled_in(entry: Schema) -> Schema:
    """Return the schema of a value in which each number and quantity may be filled in."""
    if entry.get("type") == "integer" or "examples" in entry:
        return {"anyOf": [entry, _FILLED_IN]}
    changed = dict(entry)
    for key in ("items", "additionalProperties"):
        if isinstance(entry.get(key), dict):
            changed[key] = _or_filled_in(entry[key])
    for key in ("anyOf", "oneOf"):
        if key in entry:
            changed[key] = [_or_filled_in(member) for member in entry[key]]
    return changed


def _or_overlay(schema: Schema) -> Schema:
    """Return the schema of a document that is whole, or an overlay if it extends another one."""
    parts = schema.pop("$defs", {})
    overlay = _Overlay(parts).of(schema)
    overlay["properties"] |= {"extends": _EXTENDS, "document": schema["properties"]["document"]}
    overlay["required"] = ["document", "extends"]
    whole = {**schema, "properties": {**schema["properties"], "extends": {"type": "null"}}}
    extends = {"properties": {"extends": {"type": "string"}}, "required": ["extends"]}
    return {"$defs": parts, "type": "object", "if": extends, "then": overlay, "else": whole}


@dataclass(frozen=True)
class _Overlay:
    """Makes schemas of what is merged onto a document; those of its parts are entered among ``parts``."""

    parts: dict[str, Schema]

    def of(self, schema: Schema) -> Schema:
        """Return a schema in which no key of a mapping is required, and each may be null; lists are replaced whole."""
        changed = {key: value for key, value in schema.items() if key not in ("required", "minProperties")}
        if "$ref" in schema:
            changed["$ref"] = self._part(schema["$ref"])
        for key in ("properties", "patternProperties"):
            if key in schema:
                changed[key] = _each(schema[key], self._or_null)
        if isinstance(schema.get("additionalProperties"), dict):
            changed["additionalProperties"] = self._or_null(schema["additionalProperties"])
        for key in ("anyOf", "oneOf"):
            if key in schema:
                changed["anyOf"] = [self.of(member) for member in changed.pop(key)]
        return changed

    def _or_null(self, schema: Schema) -> Schema:
        return {"anyOf": [self.of(schema), {"type": "null"}]}

    def _part(self, reference: str) -> str:
        """Return the reference of the overlay of a part, which is made once."""
        name = reference.rpartition("/")[2]
        if f"{name}Overlay" not in self.parts:
            self.parts[f"{name}Overlay"] = {}  # a part may refer to itself
            self.parts[f"{name}Overlay"] = self.of(self.parts[name])
        return f"{reference}Overlay"
