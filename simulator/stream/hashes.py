"""Hashes of streams: of the rows alone, and with what a replay reads of the header besides."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import NamedTuple

import numpy as np

from simulator.stream.columns import COLUMNS, Batch, Column
from simulator.stream.event_stream import EventStream
from simulator.stream.header import Header

_THREADS = min(4, os.cpu_count() or 1)


class StreamHash(NamedTuple):
    """What tells one stream from another: the SHA-256 of its ``rows``, and of what a replay reads of its ``header``."""

    rows: str
    header: str

    @classmethod
    def of(cls, stream: EventStream) -> StreamHash:
        """Hash a stream, which is read to its end."""
        return cls(content_hash(stream), header_hash(stream.header))


def content_hash(stream: EventStream) -> str:
    """Return a SHA-256 over the rows alone: the same rows give the same hash however they are cut into batches."""
    total = hashlib.sha256()
    with ThreadPoolExecutor(_THREADS) as pool:  # hashing lets other threads run
        for vcpu in range(stream.header.vcpus):
            parts = [hashlib.sha256() for _ in COLUMNS]
            for batch in stream.batches(vcpu):
                _all_done(pool.map(_update, parts, COLUMNS, repeat(batch)))
            for part in parts:
                total.update(part.digest())
    return total.hexdigest()


def header_hash(header: Header) -> str:
    """Return a SHA-256 of what a replay reads of a header, without which rows do not tell the outcome.

    The names of devices choose their service times; the recorded time ends a window, and begins the next copy. Where a
    stream is from, and how its tasks are called, changes nothing.
    """
    read = {"vcpus": header.vcpus, "recorded_ns": header.recorded_ns, "devices": list(header.devices)}
    return hashlib.sha256(json.dumps(read).encode()).hexdigest()


def _update(part: hashlib._Hash, column: Column, batch: Batch) -> None:
    part.update(np.ascontiguousarray(batch.column(column.name), dtype=column.dtype).data)


def _all_done(tasks: Iterable[None]) -> None:
    for _ in tasks:
        pass
