"""Lines of ftrace, many at a time, written as ``perf script`` would have written them.

Nearly all lines of a file have one of a few layouts (``columns``): where the place (comm, thread, process, CPU) ends,
and where seconds and their fraction do. Each different place, second and tracepoint of a block is written once. A line
that does not fit is written by itself (``Rewriter.line``), which says what is right; columns do the same, sooner.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from simulator.workload.importers.columns import LONGEST, Layouts, Mask, Texts, as_numpy, different, lines_of
from simulator.workload.importers.perf_handlers import Handlers
from simulator.workload.importers.perf_text import Memo
from simulator.workload.importers.spool import Matrix
from simulator.workload.importers.trace_text import UNKNOWN_PROCESS, Layout, Line, Place, ftrace_parser

NO_SYSTEM = "trace"
"""What stands for the system of a tracepoint that is not known."""
NO_EVENT = -1
"""The time of a line that is no event."""
_IDLE = "<idle>"
_US_DIGITS = 6
_PARTS = 3  # into which what follows a time falls at ": ": nothing, the tracepoint, its fields
_MOST_BLANKS = 63  # with which a tracepoint is padded, after the first
_SECONDS = re.compile(rb"\s{1,64}(?:[a-zA-Z0-9.#]{4,8}\s{1,64})?(\d{1,9})\.")
_EVENT = re.compile(rb"(?:\w{1,64}:)?(\w{1,64})")
_SWITCH = re.compile(r"(.*):(\d{1,9}) \[-?\d+\] (\S+) ==> (.*):(\d{1,9}) \[-?\d+\]")
_WAKE = re.compile(r"(.*):(\d{1,9}) \[-?\d+\](?: success=\d)? CPU:(\d{1,9})")
_FLUSH = re.compile(r"pages=(-?\d+) reason=(.*)")
_OWN_WAYS = ("sched_switch", "sched_waking", "sched_wakeup_new", "tlb_flush")
"""Tracepoints whose fields a plugin of trace-cmd writes in its own way."""


@dataclass(slots=True)
class Rewritten:
    """The ``lines`` of a block, and what perf would have written: a line that is no event becomes nothing.

    ``times`` are in nanoseconds (``NO_EVENT`` for what is none). ``imprecise`` lines have times in microseconds, and
    those ``without_process`` tell a thread and not its process.
    """

    lines: Texts
    times: Matrix
    imprecise: int = 0
    without_process: int = 0
    _parts: list[tuple[Matrix, Texts]] = field(default_factory=list)
    _edges: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros(1, np.int32))
    _data: Any = b""

    def add(self, numbers: Matrix, times: Any, lines: Texts) -> None:
        """Add what lines (by number) became, with their newlines."""
        self.times[numbers] = times
        self._parts.append((numbers, lines))

    def join(self) -> Rewritten:
        """Put what was added into the order of the lines, when all are there; return itself."""
        order = np.argsort(np.concatenate([numbers for numbers, _ in self._parts]), kind="stable")
        joined = pa.concat_arrays([lines for _, lines in self._parts]).take(pa.array(order))
        _, edges, self._data = joined.buffers()
        self._edges = np.frombuffer(edges, np.int32)
        return self

    def run(self, begin: int, end: int) -> bytes:
        """Return perf's lines from number ``begin`` up to ``end``."""
        return bytes(memoryview(self._data)[self._edges[begin] : self._edges[end]])

    def text(self, number: int) -> str:
        """Return a line of the block, without its newline."""
        return _decoded(self.lines[number].as_py()[:-1])


class Rewriter:
    """Rewrites blocks; knows the layouts met so far, and what texts that come again and again become."""

    def __init__(self) -> None:
        self.parser = ftrace_parser()
        self._layouts: Layouts[Layout] = Layouts()
        self._places = Memo(self._parse_place)
        self._seconds = Memo(_parse_seconds)
        self._events = Memo(_parse_event)
        self._names = {name.partition(":")[2]: name for name in Handlers().table()}

    def rewrite(self, block: bytes) -> Rewritten:
        """Rewrite whole lines, each ended by a newline."""
        lines, _ = lines_of(block)
        found = Rewritten(lines, np.full(len(lines), NO_EVENT, np.int64))

        def fill(where: Matrix, part: Texts, layout: Layout) -> Mask:
            return self._fill(found, where, part, layout)

        left = self._layouts.fit(lines, fill, lambda number: self.parser.layout(found.text(number)))
        self._fill_alone(found, left)
        return found.join()

    def line(self, line: Line) -> str:
        """Return a line as perf writes it, without its newline."""
        seconds, ns = divmod(line.time, 10**9)
        name = self._name(line.event, line.fields.startswith("vector="))
        fields = _fields(line.event, line.fields)
        return f"{_write_place(Place(*line[:4]))}{_write_seconds(seconds)}{ns:09}{_write_name(name)}{fields}"

    def _fill(self, found: Rewritten, where: Matrix, lines: Texts, layout: Layout) -> Mask:
        """Rewrite those lines that fit a layout, and return which; they stand at ``where`` in the block."""
        place, places = different(pc.binary_slice(lines, 0, layout.place_end))
        second, seconds = different(pc.binary_slice(lines, layout.place_end, layout.seconds_end))
        fraction = pc.binary_slice(lines, layout.seconds_end, layout.time_end).view(pa.string())
        written, without_process = zip(*(self._places[text] for text in places), strict=True)
        counted = np.array([self._seconds[text] for text in seconds], np.int64)
        parts = pc.split_pattern(pc.binary_slice(lines, layout.time_end, LONGEST), b": ", max_splits=2)
        first = as_numpy(parts.offsets)
        fits = as_numpy(pc.string_is_ascii(lines.view(pa.string()))) & (as_numpy(pc.binary_length(lines)) <= LONGEST)
        fits &= as_numpy(pc.ascii_is_decimal(fraction))
        fits &= as_numpy(pc.binary_length(fraction)) == layout.time_end - layout.seconds_end
        fits &= np.array([text is not None for text in written], bool)[place] & (counted[second] >= 0)
        fits &= np.diff(first) == _PARTS
        own = np.flatnonzero(fits)
        if len(own):
            texts = [parts.values.take(pa.array(first[own] + number)) for number in range(_PARTS)]
            names, fields, readable = self._names_and_fields(*texts)
            fits[own[~readable]] = False
            own, kept = own[readable], pa.array(readable)
            imprecise = layout.time_end - layout.seconds_end == _US_DIGITS
            fraction = fraction.take(pa.array(own))
            found.add(
                where[own],
                counted[second[own]] * 10**9 + as_numpy(pc.cast(fraction, pa.int64())) * (1000 if imprecise else 1),
                pc.binary_join_element_wise(
                    _texts(written, place[own]),
                    _texts([_write_seconds(number) for number in counted.tolist()], second[own]),
                    fraction,
                    "000" if imprecise else "",
                    names.filter(kept),
                    fields.filter(kept),
                    "",
                ),
            )
            found.imprecise += imprecise * len(own)
            found.without_process += int(np.array(without_process, bool)[place[own]].sum())
        return fits

    def _names_and_fields(self, blank: Texts, event: Texts, fields: Texts) -> tuple[Texts, Texts, Mask]:
        """Return tracepoints and fields as perf writes them, and which could be read."""
        name, events = different(event)
        known = [self._events[text] for text in events]
        padded = as_numpy(pc.binary_length(fields))
        fields = pc.ascii_ltrim(fields.view(pa.string()), " ")
        readable = (as_numpy(pc.binary_length(blank)) == 0) & np.array([text != "" for text in known], bool)[name]
        readable &= padded - as_numpy(pc.binary_length(fields)) <= _MOST_BLANKS
        _, edges, data = fields.buffers()
        readable &= np.frombuffer(data, np.uint8)[np.frombuffer(edges, np.int32)[:-1]] > ord(" ")
        vector = as_numpy(pc.starts_with(fields, "vector="))
        names = [_write_name(self._name(text, has_vector)) for text in known for has_vector in (False, True)]
        for number in np.flatnonzero(np.isin(known, _OWN_WAYS)).tolist():
            own = name == number
            texts = (_fields(known[number], text[:-1]) + "\n" for text in fields.filter(pa.array(own)).to_pylist())
            fields = pc.replace_with_mask(fields, pa.array(own), pa.array(texts, pa.string()))
        return _texts(names, name * 2 + vector), fields, readable

    def _fill_alone(self, found: Rewritten, numbers: Matrix) -> None:
        """Rewrite lines, by number, one by one."""
        texts = []
        for number in numbers.tolist():
            line = self.parser.parse(found.text(number))
            texts.append(f"{self.line(line)}\n" if line is not None else "")
            if line is not None:
                found.times[number] = line.time
                found.imprecise += not line.precise
                found.without_process += _lacks_process(line)
        found.add(numbers, found.times[numbers], pa.array(texts, pa.string()))

    def _name(self, event: str, has_vector: bool) -> str:
        """Return the name of a tracepoint with its system; vectors of interrupts are told by their field."""
        name = self._names.get(event)
        if name is not None:
            return name
        return f"{'irq_vectors' if has_vector and event.endswith(('_entry', '_exit')) else NO_SYSTEM}:{event}"

    def _parse_place(self, text: bytes) -> tuple[str | None, bool]:
        """Return a place as perf writes it (None if it is none), and whether it lacks the process."""
        place = self.parser.parse_place(_decoded(text))
        return (_write_place(place), _lacks_process(place)) if place is not None else (None, False)


def _texts(different: Sequence[str], which: Matrix) -> Texts:
    return pa.array(different, pa.string()).take(pa.array(which))


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", errors="backslashreplace")


def _parse_seconds(text: bytes) -> int:
    match = _SECONDS.fullmatch(text)
    return int(match[1]) if match is not None else -1


def _parse_event(text: bytes) -> str:
    match = _EVENT.fullmatch(text)
    return match[1].decode() if match is not None else ""


def _lacks_process(place: Place | Line) -> bool:
    return place.process == UNKNOWN_PROCESS and place.tid != 0


def _write_place(place: Place) -> str:
    idle = place.tid == 0
    comm = "swapper" if idle and place.comm == _IDLE else place.comm
    process = place.tid if idle or place.process == UNKNOWN_PROCESS else place.process
    return f"{comm:>16} {process:>7}/{place.tid:<7} [{place.cpu:03}]"


def _write_seconds(seconds: int) -> str:
    return f" {seconds:>10}."


def _write_name(name: str) -> str:
    return f": {name:>38}: "


def _fields(event: str, text: str) -> str:
    """Return the fields of a line as the kernel prints them, where a plugin of trace-cmd has its own way."""
    if event == "sched_switch":
        match = _SWITCH.fullmatch(text)
        if match is not None:
            comm, pid, state, next_comm, next_pid = match.groups()
            return (
                f"prev_comm={comm} prev_pid={pid} prev_prio=0 prev_state={state} ==> "
                f"next_comm={next_comm} next_pid={next_pid} next_prio=0"
            )
    elif event in ("sched_waking", "sched_wakeup_new"):
        match = _WAKE.fullmatch(text)
        if match is not None:
            comm, pid, cpu = match.groups()
            return f"comm={comm} pid={pid} prio=0 target_cpu={cpu}"
    elif event == "tlb_flush":
        match = _FLUSH.fullmatch(text)
        if match is not None:
            return f"pages:{match[1]} reason:{match[2]}"
    return text
