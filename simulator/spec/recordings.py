"""Recordings by file or by name, for what is done to the streams themselves."""

from __future__ import annotations

from pathlib import Path

from simulator.errors import InputError
from simulator.spec.build import load_workload
from simulator.spec.library import find
from simulator.stream import EventStream, ParquetStream


def open_recording(reference: str) -> EventStream:
    """Open a recording: a Parquet file, or that of a workload, which may be a file or a name in the library.

    Raises:
        InputError: there is none, it cannot be read, or the workload is synthetic.
    """
    path = find(reference, "workload", Path())
    if path.suffix == ".parquet":
        return ParquetStream.open(path)
    _, workload, _ = load_workload(path)
    if workload.recording is None:
        raise InputError(
            f"'{reference}' is a synthetic workload; expected a recording: a .parquet file, or one by name"
        )
    return workload.recording
