"""The points of the result of a sweep: found by some of their coordinates, and what they were made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from simulator.errors import InputError, did_you_mean
from simulator.result import Replayed, Result
from simulator.units import Cost

_LISTED = 5
"""Points that an error names; the rest is a number."""


def names(result: Result) -> list[str]:
    """Return the names of the points that a result keeps the counts of; none if it is no sweep."""
    return list(dict.fromkeys(replayed.point for replayed in result.replays if replayed.point))


def point_named(result: Result, text: str) -> str:
    """Return the name of the one point that a text means: its name, or as many of its coordinates as tell it apart.

    Of the path of a coordinate the end is enough: ``vm_exit=500 cycles``.

    Raises:
        InputError: no point is meant, or several are; or the result is no sweep and a point is named all the same.
    """
    known = names(result)
    if text in known or (not known and not text):
        return text
    if not known:
        raise InputError(f"'{result.title}' has no point '{text}': it is no sweep")
    if not text:
        raise InputError(
            f"'{result.title}' is a sweep: say at which point, as in MODEL@'{known[0]}'; it has {_listed(known)}"
        )
    wanted = [part.strip().partition("=") for part in text.split(";")]
    values = coordinates(result)
    found = [name for name in known if all(any(_means(each, of) for of in values[name].items()) for each in wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"'{text}' is at {len(found)} points of '{result.title}': say more; they are {_listed(found)}")
    raise InputError(f"'{result.title}' has no point '{text}'{did_you_mean(text, known)}; it has {_listed(known)}")


def inputs(result: Result, point: str) -> Mapping[str, Any]:
    """Return the experiment as it was at a point, as plain values: its ``models``, ``workloads`` and ``seed``.

    Costs that a point sets are as the experiment has them: the replays know what they were.
    """
    base: Mapping[str, Any] = result.metadata["experiment"]
    sweep = result.metadata.get("sweep", {})
    variants = sweep.get("variants", [])
    number = next((entry.get("variant") for entry in sweep.get("points", []) if entry["point"] == point), None)
    if number is None or not variants:
        return base
    changed = variants[number]
    sections = {name: {**base[name], **changed.get(name, {})} for name in ("workloads", "models")}
    seed = {"seed": changed["seed"]} if "seed" in changed else {}
    return {**base, **sections, **seed}


def costs_of(replayed: Replayed, written: Mapping[str, Any]) -> Iterator[tuple[str, Cost]]:
    """Give what each action cost in a replay, in the unit it is written in; a point may set another amount."""
    for action, ticks in replayed.ticks.items():
        entry = written.get(action, {})
        cost = written_cost(str(entry["cost"])) if "cost" in entry else Cost(Fraction(ticks, 1000), in_cycles=True)
        if cost.ticks(replayed.clock) != ticks:
            per = 1000 if cost.in_cycles else replayed.clock.ticks_per_ns
            cost = Cost(Fraction(ticks, per), cost.in_cycles)
        yield action, cost


def written_cost(text: str) -> Cost:
    """Return a cost as a document has it, with or without ±."""
    spread = Cost.parse_spread(text)
    return spread[0] if spread else Cost.parse(text)


def coordinates(result: Result) -> dict[str, Mapping[str, str]]:
    """Return the value of each path at each point of a sweep, by name; nothing for a run."""
    return {entry["point"]: entry["coordinates"] for entry in result.metadata.get("sweep", {}).get("points", [])}


def _means(wanted: tuple[str, str, str], coordinate: tuple[str, str]) -> bool:
    path, _, value = wanted
    whole, holds = coordinate
    return value.strip() == holds and (whole == path.strip() or whole.endswith(f".{path.strip()}"))


def _listed(points: list[str]) -> str:
    more = f", and {len(points) - _LISTED} more" if len(points) > _LISTED else ""
    return ", ".join(f"'{name}'" for name in points[:_LISTED]) + more
