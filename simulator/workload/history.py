"""What was done with a stream since it was made: each operation adds an entry to the history in the header.

An entry says which operation it was, with its parameters, by which version of vmmsim, and what it was done to: the
title of each input and the hash of its rows (``stream.content_hash``). Of several inputs, each also keeps its own
provenance and history, since the result has no others; of a single one they stay in the header, and the history grows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from simulator import __version__
from simulator.stream import EventStream, content_hash
from simulator.workload.batches import Described


def with_history(
    stream: EventStream,
    operation: str,
    parameters: Mapping[str, Any],
    inputs: Sequence[EventStream],
    title: str | None = None,
) -> Described:
    """Return a stream whose header tells how it came from its inputs; reads these once, for their hashes.

    ``parameters`` are as JSON has them, durations in whole nanoseconds. ``title`` replaces the stream's own.
    """
    alone = len(inputs) == 1
    entry = {
        "operation": operation,
        "parameters": dict(parameters),
        "inputs": [_input(source, alone) for source in inputs],
        "tool": f"vmmsim {__version__}",
    }
    header = stream.header
    before = inputs[0].header.history if alone else ()
    return Described(replace(header, title=title or header.title, history=(*before, entry)), stream)


def _input(stream: EventStream, alone: bool) -> dict[str, Any]:
    header = stream.header
    told = {"title": header.title, "content_sha256": content_hash(stream)}
    return told if alone else {**told, "provenance": dict(header.provenance), "history": list(header.history)}
