"""From a document to a pydantic model, with every error in plain words at its place in the file."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from simulator.errors import SpecError
from simulator.spec.findings import Finding, finding_of
from simulator.spec.node import Node, in_order, plain

M = TypeVar("M", bound=BaseModel)


def validate(node: Node, model: type[M]) -> M:
    """Return the document as ``model``.

    Raises:
        SpecError: with one fault for each error of pydantic, in the order of the file. Of the members of a union only
            the one that fits best speaks.
    """
    try:
        return model.model_validate(plain(node))
    except ValidationError as error:
        findings = [finding_of(node, model, detail) for detail in error.errors(include_url=False)]
    raise SpecError(in_order([finding.fault() for finding in _settled(findings)]))


def _settled(findings: list[Finding], depth: int = 0) -> list[Finding]:
    """Return the findings that matter, where a union ``depth`` unions down has one set for each of its members."""
    settled: list[Finding] = []
    unions: dict[tuple[str | int, ...], dict[str | int, list[Finding]]] = {}
    for finding in findings:
        if len(finding.labels) <= depth:
            settled.append(finding)
            continue
        index, _ = finding.labels[depth]
        unions.setdefault(finding.loc[:index], {}).setdefault(finding.loc[index], []).append(finding)
    for members in unions.values():
        settled += _best([_settled(member, depth + 1) for member in members.values()], depth)
    return settled


def _best(members: list[list[Finding]], depth: int) -> list[Finding]:
    """Return the findings of the member with the fewest, of those that the value has the right type for."""
    fitting = [member for member in members if not _is_mismatch(member, depth)]
    if fitting:
        return min(fitting, key=len)
    first = members[0][0]
    first.wanted = " or ".join(dict.fromkeys(member[0].wanted for member in members))
    first.hint = next((member[0].hint for member in members if member[0].hint), "")
    return [first]


def _is_mismatch(member: list[Finding], depth: int) -> bool:
    finding = member[0]
    return len(member) == 1 and bool(finding.wanted) and len(finding.path) == finding.labels[depth][1]
