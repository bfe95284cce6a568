"""What the source of a recording could not see: kept in the header of the stream, told in every run of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from simulator.stream import Header

UNTOLD = "not_told"
"""The entry of a header's provenance that names, in words, what its source tells nothing of."""
LAID_OUT = "laid_out"
"""The entry that names what its source does not tell of the events that it does tell, so that someone had to choose."""


def untold(header: Header) -> tuple[str, ...]:
    """Return a sentence for each thing that a workload lacks because its source could not see it, each once.

    Of a stream made of several, what each of them lacks.
    """
    return tuple(dict.fromkeys(_told(header.provenance, header.history)))


def _told(provenance: Mapping[str, Any], history: Any) -> Iterator[str]:
    if UNTOLD in provenance:
        yield (
            f"its source ({provenance.get('source', 'not named')}) tells nothing of {provenance[UNTOLD]}: what these "
            "cost is missing under every model"
        )
    if LAID_OUT in provenance:
        yield (
            f"its source ({provenance.get('source', 'not named')}) does not tell {provenance[LAID_OUT]}: the "
            "workload lays that out, and what hangs on it, such as hits and waits, is no finding"
        )
    missing = provenance.get("tracepoints_missing", {})
    if isinstance(missing, Mapping):
        yield from map(str, missing.values())
    for entry in history:
        for source in entry["inputs"]:
            yield from _told(source.get("provenance", {}), source.get("history", ()))
