"""The columnar event stream: what a workload is to the engines, in memory and as Parquet.

A stream gives, for each virtual CPU, batches of rows in the order in which that CPU runs them. A row is one event, or
``count`` alike in a row. Before its event a row may compute (``user_ns``, ``kernel_ns``), and before that wait for a
*signal* which another row posts. Signals carry the causes of a recording: who woke whom, which request ended which
wait. A reader holds a few batches per virtual CPU at a time, so memory does not grow with the stream.

The order within one row is: compute, wait for the signal, the event, post the signal, block.
"""

from __future__ import annotations

from simulator.stream.columns import (
    AS_RECORDED,
    ASYNCHRONOUS,
    BLOCKING,
    COLUMN,
    COLUMNS,
    ROWS_PER_BATCH,
    START_SIGNAL,
    Array,
    Batch,
    Column,
    exact_sum,
)
from simulator.stream.event_stream import EventStream, MemoryStream, Narrowable, check_batch
from simulator.stream.hashes import StreamHash, content_hash, header_hash
from simulator.stream.header import FORMAT_VERSION, Header
from simulator.stream.parquet import HEADER_KEY, ParquetStream, check_stream_target, write_parquet

__all__ = [
    "ASYNCHRONOUS",
    "AS_RECORDED",
    "BLOCKING",
    "COLUMN",
    "COLUMNS",
    "FORMAT_VERSION",
    "HEADER_KEY",
    "ROWS_PER_BATCH",
    "START_SIGNAL",
    "Array",
    "Batch",
    "Column",
    "EventStream",
    "Header",
    "MemoryStream",
    "Narrowable",
    "ParquetStream",
    "StreamHash",
    "check_batch",
    "check_stream_target",
    "content_hash",
    "exact_sum",
    "header_hash",
    "write_parquet",
]
