"""The lines of a recording, many at a time, split into columns by what perf aligns; the commonest fields as numbers.

perf pads the parts of a line, so that nearly all lines of a file have the same *layout*: the place (comm, pid/tid,
CPU), the time and the tracepoint stand in the same bytes. They are cut out of all lines of a block at once, and each
different text of a place or tracepoint is read once a block. The few tracepoints that make up most lines have their
fields read at once too. A line that does not fit (another layout, odd fields) is left to be read by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from simulator.workload.importers import perf_text
from simulator.workload.importers.perf_text import PAGE_SHIFT, CounterHead, Layout, Memo
from simulator.workload.importers.spool import Matrix

Texts = Any
"""A column of texts: an Arrow array. Whole lines and fields have their newlines."""
Mask = npt.NDArray[np.bool_]

_PLACE = re.compile(rb"\s{0,64}\S(?:.{0,62}\S)?\s{1,64}\d{1,9}/\d{1,9}\s{1,64}\[\d{1,9}\]")
_NAME = re.compile(rb":\s{1,64}([^\s:]\S*?): ")
_SECONDS = re.compile(rb"\s{1,64}(\d{1,9})\.")
_SYSCALL = re.compile(r"NR (\d{1,3}) .*")
_SYSCALL_BYTES = 7  # up to the blank after a number of three digits
_NS_DIGITS = 9
_TRIED = 100
MOST_LAYOUTS = 8
LONGEST = 4096  # bytes; Arrow makes room for as many of every line
ODD = -1


@dataclass(slots=True)
class Block:
    """Some lines, as columns.

    ``place`` and ``name`` are indices into the different texts of places and tracepoints (``places``, ``names``), and
    ``time`` is in nanoseconds. ``a``, ``b`` and ``c`` are the numbers of the fields where the tracepoint is one that is
    read here; else ``a`` is the index of the fields in ``texts``. All are ``ODD`` for a line that has to be read by
    itself. ``heads`` are the different heads of memory counters. ``repeats`` are lines that are equal to the line
    before. ``columns`` has place, name, time, a, b and c, one row each.
    """

    data: bytes
    edges: npt.NDArray[np.int32]
    repeats: frozenset[int]
    columns: Matrix
    places: list[bytes] = field(default_factory=list)
    names: list[bytes] = field(default_factory=list)
    heads: list[CounterHead] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.edges) - 1

    def line(self, number: int) -> bytes:
        """Return one line, by its number from 0, without its newline."""
        return self.data[self.edges[number] : self.edges[number + 1] - 1]


Read = Callable[[Block, Texts], tuple[Any, Any, Any, Any]]
"""Reads the fields of one tracepoint's lines: three columns of numbers, and for which lines they do not hold.

Raises one of ``UNREADABLE`` if that cannot be said.
"""
UNREADABLE = (pa.ArrowInvalid, UnicodeDecodeError, OverflowError)


class Columns:
    """Splits blocks into columns; knows the layouts met so far, and what texts that come again and again mean."""

    def __init__(self) -> None:
        self._layouts: list[Layout] = []
        self._readers: dict[str, Read] = {
            "raw_syscalls:sys_enter": self._syscall_enter,
            "raw_syscalls:sys_exit": self._syscall_exit,
            "exceptions:page_fault_user": self._fault,
            "exceptions:page_fault_kernel": self._fault,
            "kmem:rss_stat": self._counter,
            "tlb:tlb_flush": self._flush,
        }
        self._seconds = Memo(_parse_seconds)
        self._syscalls = Memo(_parse_syscall)
        self._clones = Memo(_parse_clone)
        self._flushes = Memo(_parse_flush)
        self._fault_ends = Memo(perf_text.parse_fault_end)
        self._counter_heads = Memo(perf_text.parse_counter_head)
        self._last_line = b""

    def split(self, data: bytes) -> Block:
        """Split whole lines, each ended by a newline, into columns."""
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
        edges = np.concatenate(([0], ends + 1)).astype(np.int32)
        lines = pa.Array.from_buffers(pa.binary(), len(ends), [None, pa.py_buffer(edges), pa.py_buffer(data)])
        block = Block(data, edges, self._repeats(lines), np.full((6, len(ends)), ODD, np.int64))
        if not self._layouts:
            self._learn(block, range(len(block)))
        left = np.arange(len(ends))
        fitting = dict.fromkeys(self._layouts, 0)
        for layout in self._layouts:
            if len(left):
                rest = lines if len(left) == len(ends) else lines.take(pa.array(left))
                fits = self._fill(block, left, rest, layout)
                left, fitting[layout] = left[~fits], int(fits.sum())
        self._layouts.sort(key=fitting.__getitem__, reverse=True)
        self._learn(block, left.tolist())
        return block

    def _learn(self, block: Block, numbers: Sequence[int]) -> None:
        """Expect lines from now on to have the layout of the first of these that has a new one."""
        for number in numbers[:_TRIED]:
            with suppress(ValueError):
                layout = perf_text.parse_head(block.line(number)).layout
                if layout not in self._layouts:
                    self._layouts[MOST_LAYOUTS - 1 :] = [layout]  # in place of the one that fitted the fewest lines
                    return

    def _repeats(self, lines: Texts) -> frozenset[int]:
        """Return the lines that are equal to the line before, by number."""
        same = np.flatnonzero(_numpy(pc.equal(lines.slice(1), lines.slice(0, len(lines) - 1)))) + 1
        first = [0] if lines[0].as_py() == self._last_line else []
        self._last_line = lines[len(lines) - 1].as_py()
        return frozenset((*first, *same.tolist()))

    def _fill(self, block: Block, where: Matrix, lines: Texts, layout: Layout) -> Mask:
        """Fill the columns of those lines that fit a layout, and return which; they stand at ``where`` in the block."""
        place, places = _different(pc.binary_slice(lines, 0, layout.place_end))
        name, names = _different(pc.binary_slice(lines, layout.time_end, layout.fields))
        second, seconds = _different(pc.binary_slice(lines, layout.place_end, layout.time_end - _NS_DIGITS))
        ns = pc.binary_slice(lines, layout.time_end - _NS_DIGITS, layout.time_end).view(pa.string())
        fits = _numpy(pc.ascii_is_decimal(ns)) & _numpy(pc.equal(pc.binary_length(ns), _NS_DIGITS))
        if not fits.all():
            ns = pc.if_else(pa.array(fits), ns, "0")
        time = np.array([self._seconds[text] for text in seconds], np.int64)[second] + _numpy(pc.cast(ns, pa.int64()))
        fits &= time >= 0
        fits &= _numpy(pc.binary_length(lines)) <= LONGEST
        fits &= np.array([_PLACE.fullmatch(text) is not None for text in places], bool)[place]
        fits &= np.array([_NAME.fullmatch(text) is not None for text in names], bool)[name]
        found = np.stack((place + len(block.places), name + len(block.names), time))
        block.columns[:3, where[fits]] = found[:, fits]
        block.places += places
        block.names += names
        as_text = fits.copy()
        for index, text in enumerate(names):
            read = self._readers.get(parse_name(text))
            if read is not None:
                own = fits & (name == index)
                as_text &= ~own
                fields = pc.binary_slice(lines.filter(pa.array(own)), layout.fields, LONGEST).view(pa.string())
                self._fill_numbers(read, block, where[own], fields)
        texts = pc.binary_slice(lines.filter(pa.array(as_text)), layout.fields, LONGEST).to_pylist()
        block.columns[3, where[as_text]] = np.arange(len(block.texts), len(block.texts) + len(texts))
        block.texts += [text[:-1].decode("utf-8", errors="backslashreplace") for text in texts]
        return np.asarray(fits, bool)

    def _fill_numbers(self, read: Read, block: Block, where: Matrix, fields: Texts) -> None:
        """Fill the numbers of the lines of one tracepoint; those that cannot be read here become odd."""
        try:
            a, b, c, odd = read(block, fields)
        except UNREADABLE:
            block.columns[:, where] = ODD
        else:
            block.columns[3, where], block.columns[4, where], block.columns[5, where] = a, b, c
            block.columns[:, where[odd]] = ODD

    # The fields of the commonest tracepoints; what the numbers are says the handler of each.

    def _syscall_exit(self, _block: Block, fields: Texts) -> tuple[Any, Any, Any, Any]:
        number, texts = _different(pc.binary_slice(fields.view(pa.binary()), 0, _SYSCALL_BYTES))
        numbers = np.array([self._syscalls[text] for text in texts], np.int64)[number]
        return numbers, 0, 0, numbers < 0

    def _syscall_enter(self, block: Block, fields: Texts) -> tuple[Any, Any, Any, Any]:
        numbers, _, _, odd = self._syscall_exit(block, fields)
        shares = np.isin(numbers, perf_text.SHARE_SPACE)
        for row in np.flatnonzero(numbers == perf_text.CLONE).tolist():
            flags = self._clones[fields[row].as_py().partition(",")[0]]
            shares[row], odd[row] = flags > 0, flags < 0
        return numbers, shares, 0, odd

    def _fault(self, _block: Block, fields: Texts) -> tuple[Any, Any, Any, Any]:
        odd = ~_numpy(pc.starts_with(fields, "address=0x"))
        address, end = _halves(fields, " ip=")
        end, texts = _different(end)
        sites, codes = np.array([self._fault_end(text) for text in texts], np.int64).reshape(-1, 2).T
        pages = _numpy(pc.cast(pc.utf8_slice_codeunits(address, len("address=")), pa.uint64())) >> PAGE_SHIFT
        return pages, sites[end], codes[end], odd | (codes[end] < 0)

    def _counter(self, block: Block, fields: Texts) -> tuple[Any, Any, Any, Any]:
        odd = ~_numpy(pc.ends_with(fields, "B\n"))
        head, size = _halves(fields, " size=")
        head, texts = _different(head)
        known = np.array([self._counter_head(block, text) for text in texts], np.int64)[head]
        return _numpy(pc.cast(pc.utf8_slice_codeunits(size, 0, -len("B\n")), pa.int64())), known, 0, odd | (known < 0)

    def _flush(self, _block: Block, fields: Texts) -> tuple[Any, Any, Any, Any]:
        flush, texts = _different(fields)
        pages, reasons = np.array([self._flushes[text] for text in texts], np.int64).reshape(-1, 2).T[:, flush]
        return pages, reasons, 0, reasons < 0

    def _fault_end(self, text: str) -> tuple[int, int]:
        try:
            return self._fault_ends[text.removesuffix("\n")]
        except ValueError:
            return ODD, ODD

    def _counter_head(self, block: Block, text: str) -> int:
        try:
            block.heads.append(self._counter_heads[text])
        except ValueError:
            return ODD
        return len(block.heads) - 1


def parse_name(text: bytes) -> str:
    """Return the tracepoint in what stands between the time and the fields.

    >>> parse_name(b":   msr:read_msr: ")
    'msr:read_msr'
    """
    return text.decode("utf-8", errors="backslashreplace").strip(": ")


def _different(texts: Texts) -> tuple[Matrix, list[Any]]:
    """Return the different texts of a column, and for each of its rows which one it is."""
    encoded = texts.dictionary_encode()
    return _numpy(encoded.indices), encoded.dictionary.to_pylist()


def _halves(texts: Texts, pattern: str) -> tuple[Texts, Texts]:
    """Split texts at a pattern that stands once in each."""
    parts = pc.split_pattern(texts, pattern)
    if not (np.diff(_numpy(parts.offsets)) == 2).all():
        raise pa.ArrowInvalid(f"{pattern!r} does not stand once in each text")
    return parts.values[::2], parts.values[1::2]


def _numpy(column: Texts) -> npt.NDArray[Any]:
    values: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return values


def _parse_seconds(text: bytes) -> int:
    """Return seconds in nanoseconds; where they cannot be read, a number so small that nanoseconds do not make up."""
    match = _SECONDS.fullmatch(text)
    return int(match[1]) * 10**9 if match else -(10**9)


def _parse_syscall(text: bytes) -> int:
    match = _SYSCALL.fullmatch(text.decode("latin-1"))
    return int(match[1]) if match else ODD


def _parse_clone(text: str) -> int:
    """Return whether the child of a clone shares the space (1 or 0), by what stands before the second argument."""
    try:
        return int(perf_text.parse_syscall(text)[1])
    except ValueError:
        return ODD


def _parse_flush(text: str) -> tuple[int, int]:
    try:
        return perf_text.parse_tlb_flush(text)
    except ValueError:
        return ODD, ODD
