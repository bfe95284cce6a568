"""Recordings told from each other: by the hash of all that a replay reads of them, made once while their files stay."""

from __future__ import annotations

import pickle
import platform
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

from simulator.spec.build import Workload
from simulator.stream import EventStream, ParquetStream, StreamHash


def recording_hash(workload: Workload) -> StreamHash | None:
    """Return the hash of a workload's recording; None if it has none.

    What is made of files (a window, copies side by side) is read once as long as these stay as they are.
    """
    if workload.recording is None:
        return None
    return _hash_of(_Described.of(workload.recording), workload.recording)


class _Described(pickle.Pickler):
    """Puts down what a stream is made of: files by their path and state, in place of their rows."""

    def persistent_id(self, part: Any) -> tuple[Any, ...] | None:
        """Return what stands for a file."""
        if not isinstance(part, ParquetStream):
            return None
        state = part.path.stat()
        return str(part.path.resolve()), state.st_dev, state.st_ino, state.st_mtime_ns, state.st_size

    @classmethod
    def of(cls, stream: EventStream) -> str:
        """Return the SHA-256 of the description; equal ones are of equal rows."""
        written = BytesIO()
        cls(written).dump(stream)
        return sha256(written.getvalue()).hexdigest()


def described(workload: Workload) -> str:
    """Return what tells a workload's recording, on this machine, as long as its files stay; empty if it has none."""
    if workload.recording is None:
        return ""
    as_sent = pickle.loads(pickle.dumps(workload.recording))  # what its parts share is told alike only once it was sent
    return _here(as_sent)


def is_as_described(workload: Workload, description: str) -> bool:
    """Tell whether the recording of a workload that was sent here is certain to be the one described."""
    return workload.recording is not None and _here(workload.recording) == description


def _here(stream: EventStream) -> str:
    return f"{_machine()} {_Described.of(stream)}"


@cache
def _machine() -> str:
    """Return what tells this machine, since it was started, from all others; a name where the system has no such."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return platform.node()


_HASHES: dict[str, StreamHash] = {}


def _hash_of(described: str, stream: EventStream) -> StreamHash:
    if described not in _HASHES:
        _HASHES[described] = StreamHash.of(stream)
    return _HASHES[described]
