"""The lines of a recording, many at a time, split into columns by what perf aligns; the commonest fields as numbers.

perf pads the parts of a line, so that nearly all lines of a file have the same *layout*: the place (comm, pid/tid,
CPU), the time and the tracepoint stand in the same bytes. They are cut out of all lines of a block at once, and each
different text of a place or tracepoint is read once a block. The few tracepoints whose fields differ from line to line
have them read at once too; of all others, each different text is read once a block. A line that does not fit
(another layout, odd fields) is left to be read by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator.workload.importers import perf_text
from simulator.workload.importers.columns import (
    LONGEST,
    Layouts,
    Mask,
    Texts,
    as_mask,
    as_numpy,
    different,
    halves,
    lines_of,
)
from simulator.workload.importers.perf_block import COLUMNS, NUMBERS, ODD, TIME, A, B, Block, parse_name
from simulator.workload.importers.perf_text import PAGE_SHIFT, Layout, Memo
from simulator.workload.importers.spool import Matrix

_PLACE = re.compile(rb"\s{0,64}\S(?:.{0,62}\S)?\s{1,64}\d{1,9}/\d{1,9}\s{1,64}\[\d{1,9}\]")
_NAME = re.compile(rb":\s{1,64}([^\s:]\S*?): ")
_SECONDS = re.compile(rb"\s{1,64}(\d{1,9})\.")
_SYSCALL = re.compile(r"NR (\d{1,3}) .*")
_SYSCALL_BYTES = 7  # up to the blank after a number of three digits
_NS_DIGITS = 9

Read = Callable[[Block, Texts], tuple[Any, Any, Any]]
"""Reads the fields of one tracepoint's lines: two columns of numbers, and for which lines they do not hold.

Raises one of ``UNREADABLE`` if that cannot be said.
"""
UNREADABLE = (pa.ArrowInvalid, UnicodeDecodeError, OverflowError)


class Columns:
    """Splits blocks into columns; knows the layouts met so far, and what texts that come again and again mean."""

    def __init__(self) -> None:
        self._layouts: Layouts[Layout] = Layouts()
        self._readers: dict[str, tuple[Read, int]] = {
            "raw_syscalls:sys_enter": (self._syscall_enter, NUMBERS),
            "raw_syscalls:sys_exit": (self._syscall_exit, NUMBERS),
            "exceptions:page_fault_user": (self._fault, B),
            "exceptions:page_fault_kernel": (self._fault, B),
            "kmem:rss_stat": (self._counter, B),
            "msr:read_msr": (self._msr, A),
            "msr:write_msr": (self._msr, A),
        }
        self._seconds = Memo(_parse_seconds)
        self._syscalls = Memo(_parse_syscall)
        self._clones = Memo(_parse_clone)
        self._fault_ends = Memo(_readable(lambda text: perf_text.parse_fault_end(text.removesuffix("\n"))))
        self._counters = Memo(_readable(perf_text.parse_counter_head))
        self._registers = Memo(_readable(perf_text.parse_msr))
        self._last_line = b""

    def split(self, data: bytes) -> Block:
        """Split whole lines, each ended by a newline, into columns."""
        lines, edges = lines_of(data)
        block = Block(np.full((len(COLUMNS), len(lines)), ODD, np.int64), self._repeats(lines))

        def line(number: int) -> bytes:
            return data[edges[number] : edges[number + 1] - 1]

        self._layouts.fit(lines, partial(self._fill, block), lambda number: self._layout(line(number)))
        block.alone = {number: line(number) for number in np.flatnonzero(block.columns[TIME] == ODD).tolist()}
        return block

    @staticmethod
    def _layout(line: bytes) -> Layout | None:
        with suppress(ValueError):
            return perf_text.parse_head(line).layout
        return None

    def _repeats(self, lines: Texts) -> frozenset[int]:
        """Return the lines that are equal to the line before, by number."""
        same = np.flatnonzero(as_numpy(pc.equal(lines.slice(1), lines.slice(0, len(lines) - 1)))) + 1
        first = [0] if lines[0].as_py() == self._last_line else []
        self._last_line = lines[len(lines) - 1].as_py()
        return frozenset((*first, *same.tolist()))

    def _fill(self, block: Block, where: Matrix, lines: Texts, layout: Layout) -> Mask:
        """Fill the columns of those lines that fit a layout, and return which; they stand at ``where`` in the block."""
        place, places = different(pc.binary_slice(lines, 0, layout.place_end))
        name, names = different(pc.binary_slice(lines, layout.time_end, layout.fields))
        second, seconds = different(pc.binary_slice(lines, layout.place_end, layout.time_end - _NS_DIGITS))
        ns = pc.binary_slice(lines, layout.time_end - _NS_DIGITS, layout.time_end).view(pa.string())
        fits = as_numpy(pc.ascii_is_decimal(ns)) & (as_numpy(pc.binary_length(ns)) == _NS_DIGITS)
        if not fits.all():
            ns = pc.if_else(as_mask(fits), ns, pa.scalar("0"))
        time = np.array([self._seconds[text] for text in seconds], np.int64)[second] + as_numpy(pc.cast(ns, pa.int64()))
        fits &= time >= 0
        fits &= as_numpy(pc.binary_length(lines)) <= LONGEST
        fits &= np.array([_PLACE.fullmatch(text) is not None for text in places], bool)[place]
        fits &= np.array([_NAME.fullmatch(text) is not None for text in names], bool)[name]
        found = np.stack((place + len(block.places), name + len(block.names), time))
        block.columns[: TIME + 1, where[fits]] = found[:, fits]
        block.places += places
        block.names += names
        others = np.zeros(len(names), bool)  # the tracepoints of which each different text is read once
        for index, text in enumerate(names):
            tracepoint = parse_name(text)
            read, meant = self._readers.get(tracepoint, (None, A))
            if read is not None:
                own = fits & (name == index)
                fields = pc.binary_slice(lines.filter(as_mask(own)), layout.fields, LONGEST).view(pa.string())
                self._fill_numbers(read, block, where[own], fields)
            elif perf_text.parser(tracepoint) is not None:
                others[index] = True
            else:
                meant = NUMBERS
            block.meant.append(meant)
        own = fits & others[name]
        self._fill_meanings(block, where[own], lines.filter(as_mask(own)), layout)
        return np.asarray(fits, bool)

    def _fill_numbers(self, read: Read, block: Block, where: Matrix, fields: Texts) -> None:
        """Fill the fields of the lines of one tracepoint; those that cannot be read here become odd."""
        try:
            a, b, odd = read(block, fields)
        except UNREADABLE:
            block.columns[:, where] = ODD
        else:
            block.columns[A, where], block.columns[B, where] = a, b
            block.columns[:, where[odd]] = ODD

    def _fill_meanings(self, block: Block, where: Matrix, lines: Texts, layout: Layout) -> None:
        """Fill the fields of lines of several tracepoints with what they mean; those that mean nothing become odd."""
        text, texts = different(pc.binary_slice(lines, layout.time_end, LONGEST))
        cut = layout.fields - layout.time_end
        numbers = np.array([self._add(block, _parse_fields(text[:cut], text[cut:-1])) for text in texts], np.int64)
        block.columns[A, where] = numbers[text]
        block.columns[:, where[numbers[text] == ODD]] = ODD

    @staticmethod
    def _add(block: Block, meaning: Any) -> int:
        """Return the index of a meaning that is new to the block; ``ODD`` for what could not be read."""
        if meaning is UNREAD:
            return ODD
        block.meanings.append(meaning)
        return len(block.meanings) - 1

    # The fields of the tracepoints that are read here; what the numbers are says the handler of each.

    def _syscall_exit(self, _block: Block, fields: Texts) -> tuple[Any, Any, Any]:
        number, texts = different(pc.binary_slice(fields.view(pa.binary()), 0, _SYSCALL_BYTES))
        numbers = np.array([self._syscalls[text] for text in texts], np.int64)[number]
        return numbers, 0, numbers < 0

    def _syscall_enter(self, block: Block, fields: Texts) -> tuple[Any, Any, Any]:
        numbers, _, odd = self._syscall_exit(block, fields)
        shares = np.isin(numbers, perf_text.SHARE_SPACE)
        for row in np.flatnonzero(numbers == perf_text.CLONE).tolist():
            flags = self._clones[fields[row].as_py().partition(",")[0]]
            shares[row], odd[row] = flags > 0, flags < 0
        return numbers, shares, odd

    def _fault(self, block: Block, fields: Texts) -> tuple[Any, Any, Any]:
        odd = ~as_numpy(pc.starts_with(fields, "address=0x"))
        address, end = halves(fields, " ip=")
        known = self._known(block, end, self._fault_ends)
        pages = as_numpy(pc.cast(pc.utf8_slice_codeunits(address, len("address=")), pa.uint64())) >> PAGE_SHIFT
        return pages, known, odd | (known < 0)

    def _counter(self, block: Block, fields: Texts) -> tuple[Any, Any, Any]:
        odd = ~as_numpy(pc.ends_with(fields, "B\n"))
        head, size = halves(fields, " size=")
        known = self._known(block, head, self._counters)
        return as_numpy(pc.cast(pc.utf8_slice_codeunits(size, 0, -len("B\n")), pa.int64())), known, odd | (known < 0)

    def _msr(self, block: Block, fields: Texts) -> tuple[Any, Any, Any]:
        register, _ = halves(fields, ", value ")
        known = self._known(block, register, self._registers)
        return known, 0, known < 0

    def _known(self, block: Block, parts: Texts, memo: Memo[str, Any]) -> Matrix:
        """Return for each text the index of what it means (``ODD`` if nothing); each different one is read once."""
        part, texts = different(parts)
        return np.array([self._add(block, memo[text]) for text in texts], np.int64)[part]


UNREAD = object()
"""What a text means that cannot be read."""


def _parse_fields(name: bytes, fields: bytes) -> Any:
    """Return what the fields of a line mean, ``UNREAD`` if they cannot be read."""
    parse = perf_text.parser(parse_name(name))
    return _readable(parse)(fields.decode("utf-8", errors="backslashreplace")) if parse is not None else UNREAD


def _readable(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return what reads a text as ``parse`` does, and says where it cannot."""

    def read(text: str) -> Any:
        try:
            return parse(text)
        except ValueError:
            return UNREAD

    return read


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
