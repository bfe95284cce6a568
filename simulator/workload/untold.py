"""What a recording's source could not see, and whose its times are: kept in its header, told in every run of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from simulator.stream import Header

UNTOLD = "not_told"
"""The entry of a header's provenance that names, in words, what its source tells nothing of."""
LAID_OUT = "laid_out"
"""The entry that names what its source does not tell of the events that it does tell, so that someone had to choose."""
FALSE_TIMES = "false_times"
"""The entry that says, in words, whose the times are if they are those of no machine: ``an emulator's``."""


def untold(header: Header) -> tuple[str, ...]:
    """Return a sentence for each thing that a workload lacks because its source could not see it, each once.

    Of a stream made of several, what each of them lacks.
    """
    return tuple(dict.fromkeys(_told(header.provenance, header.history)))


def whose_times(header: Header) -> str:
    """Return whose the times of a workload are if they are those of no machine, so that only counts tell; else nothing.

    Of a stream made of several, ``in part`` whose, unless it is so of each.
    """
    sources = list(_sources(header.provenance, header.history))
    found = [str(provenance[FALSE_TIMES]) for provenance in sources if FALSE_TIMES in provenance]
    whose = " and ".join(dict.fromkeys(found))
    return f"in part {whose}" if 0 < len(found) < len(sources) else whose


def times_notes(whose: Mapping[str, str]) -> Iterator[str]:
    """Say of workloads, by their names, that their times are not those of a machine: a note for each who made them."""
    for source in dict.fromkeys(whose.values()):
        names = ", ".join(name for name, other in whose.items() if other == source)
        yield f"times of {names} are {source}: compare counts alone"


def _sources(provenance: Mapping[str, Any], history: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the provenance of a stream, or of each of those that it was made of."""
    inputs = [source for entry in history for source in entry["inputs"] if "provenance" in source]
    if provenance or not inputs:
        yield provenance
    for source in inputs:
        yield from _sources(source["provenance"], source.get("history", ()))


def _told(provenance: Mapping[str, Any], history: Any) -> Iterator[str]:
    if UNTOLD in provenance:
        yield (
            f"its source ({provenance.get('source', 'not named')}) tells nothing of {provenance[UNTOLD]}: what these "
            "cost is missing under every model"
        )
    if LAID_OUT in provenance:
        yield (
            f"its source ({provenance.get('source', 'not named')}) does not tell {provenance[LAID_OUT]}: "
            "whatever stands for that here was chosen, and what hangs on it is no finding"
        )
    missing = provenance.get("tracepoints_missing", {})
    if isinstance(missing, Mapping):
        yield from map(str, missing.values())
    for entry in history:
        for source in entry["inputs"]:
            yield from _told(source.get("provenance", {}), source.get("history", ()))
