"""What is in a stream, read once from end to end: counts, times, tasks, address spaces, devices; and when it happened.

Memory grows with the number of tasks and address spaces, not with the rows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import mul

import numpy as np

from simulator.events import BY_CODE, BY_NAME, COMPUTE_KINDS, CONTEXT_SWITCH, REQUEST_KINDS
from simulator.stream import Array, Batch, EventStream, Header, exact_sum
from simulator.workload.batches import first_task, recorded_moments

MODES = ("user_ns", "kernel_ns", "idle_ns")
"""The columns in which time goes by."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "syscalls": ("syscall",),
    "faults": ("page_fault", "exception"),
    "pte writes": ("pte_modify", "pte_clear", "pte_set"),
    "tlb, space": ("space_switch", "tlb_flush_page", "tlb_flush_all", "tlb_miss", "space_destroy"),
    "switches": ("context_switch", "wake"),
    "interrupts": ("interrupt", "interrupt_completion", "host_interrupt"),
    "halts": ("halt",),
    "i/o": ("port_in", "port_out", "mmio_read", "mmio_write", "disk_request", "network_request"),
    "registers": ("cr8_write", "interrupt_flag_write", "rdtsc", "cpuid", "msr_read", "msr_write"),
    "code/touch": ("call_ret", "new_code", "kernel_code", "first_touch", "touch"),
}
"""The kinds of event by what they have to do with; every kind but computation is in one group."""

BINS = 240
"""Parts of equal length into which a timeline is divided; may be merged into 60 or 80."""

_PTE_WRITES = [BY_NAME[name].code for name in GROUPS["pte writes"]]
_PAGE_FAULT, _SPACE_DESTROY = (BY_NAME[name].code for name in ("page_fault", "space_destroy"))
_MOST = 2**63 - 1


@dataclass(slots=True)
class CpuSummary:
    """One virtual CPU: rows, events, and nanoseconds by mode."""

    rows: int = 0
    events: int = 0
    times: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class SpaceSummary:
    """One address space: events that name it, page faults, page-table writes, and how often it was torn down."""

    events: int = 0
    page_faults: int = 0
    page_table_writes: int = 0
    torn_down: int = 0


@dataclass(slots=True)
class DeviceSummary:
    """One device: events that name it by kind, and the bytes of its requests."""

    events: Counter[str] = field(default_factory=Counter)
    bytes: int = 0


class Timeline:
    """Events by kind, and nanoseconds by mode, in each of ``BINS`` equal parts of the recorded time.

    ``edges`` are nanoseconds, one more than there are parts. A gap goes by as kernel, then user, then idle time. What
    lies beyond the recorded time is in the last part, and ``beyond_ns`` says how far it reaches.
    """

    def __init__(self, recorded_ns: int) -> None:
        self.edges: Array = -(-np.arange(BINS + 1, dtype=np.int64) * recorded_ns // BINS)
        self.events: dict[int, list[int]] = defaultdict(lambda: [0] * BINS)
        self.times: dict[str, Array] = {mode: np.zeros(BINS, np.int64) for mode in MODES}
        self.beyond_ns = 0

    def add(self, batch: Batch, begin: int) -> int:
        """Add rows of one virtual CPU, which was at recorded time ``begin``; return where it is after them."""
        if not len(batch):
            return begin
        moments = recorded_moments(batch, begin)
        parts, kinds, counts = self._parts(moments), batch.columns["kind"], batch.column("count")
        for kind in set(np.unique(kinds).tolist()) - COMPUTE_KINDS:
            added = _sums(parts[kinds == kind], counts[kinds == kind], BINS)
            self.events[kind] = [n + more for n, more in zip(self.events[kind], added, strict=True)]
        starts = moments - batch.gaps()
        for mode in ("kernel_ns", "user_ns", "idle_ns"):
            self._spread(self.times[mode], starts, batch.column(mode))
            starts = starts + batch.column(mode)
        self.beyond_ns = max(self.beyond_ns, int(moments[-1] - self.edges[-1]))
        return int(moments[-1])

    def by_name(self) -> dict[str, list[int]]:
        """Return the events in each part by the name of their kind."""
        return {BY_CODE[kind].name: events for kind, events in sorted(self.events.items())}

    def group(self, name: str) -> list[int]:
        """Return the events of a group in each part."""
        kinds = [BY_NAME[kind].code for kind in GROUPS[name]]
        return [sum(parts) for parts in zip(*(self.events.get(kind, [0] * BINS) for kind in kinds), strict=True)]

    def _parts(self, moments: Array) -> Array:
        parts: Array = np.clip(np.searchsorted(self.edges, moments, side="right") - 1, 0, BINS - 1)
        return parts

    def _spread(self, times: Array, starts: Array, lengths: Array) -> None:
        """Add stretches of time to the parts in which they lie; few reach over an edge."""
        some = np.flatnonzero(lengths)
        starts, lengths = starts[some], lengths[some]
        ends = starts + lengths
        first, last = self._parts(starts), self._parts(ends - 1)
        within = first == last
        np.add.at(times, first[within], lengths[within])
        for row in np.flatnonzero(~within).tolist():
            edges = np.clip(self.edges[first[row] : last[row] + 2], starts[row], ends[row])
            edges[-1] = ends[row]
            times[first[row] : last[row] + 1] += np.diff(edges)


@dataclass(slots=True)
class Summary:
    """What is in a stream: exact counts and nanoseconds. Tasks are by name, ``timeline`` is None if not recorded."""

    header: Header
    rows: int = 0
    events: Counter[str] = field(default_factory=Counter)
    cpus: list[CpuSummary] = field(default_factory=list)
    tasks: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    spaces: dict[int, SpaceSummary] = field(default_factory=lambda: defaultdict(SpaceSummary))
    devices: dict[str, DeviceSummary] = field(default_factory=lambda: defaultdict(DeviceSummary))
    waits: int = 0
    timeline: Timeline | None = None

    @classmethod
    def of(cls, stream: EventStream) -> Summary:
        """Read a stream, once."""
        header = stream.header
        summary = cls(header, timeline=Timeline(header.recorded_ns) if header.recorded_ns else None)
        for vcpu in range(header.vcpus):
            cpu = CpuSummary()
            summary.cpus.append(cpu)
            running, now = -1, 0
            for batch in stream.batches(vcpu):
                running = summary._tasks(batch, running) if header.tasks else running
                if summary.timeline is not None:
                    now = summary.timeline.add(batch, now)
                summary._events(batch, cpu)
                summary._spaces(batch)
                summary._devices(batch)
        return summary

    @property
    def times(self) -> dict[str, int]:
        """Nanoseconds by mode, of all virtual CPUs."""
        return {mode: sum(cpu.times[mode] for cpu in self.cpus) for mode in MODES}

    def _events(self, batch: Batch, cpu: CpuSummary) -> None:
        kinds, counts = batch.columns["kind"], batch.column("count")
        for kind in set(np.unique(kinds).tolist()) - COMPUTE_KINDS:
            events = exact_sum(counts[kinds == kind])
            self.events[BY_CODE[kind].name] += events
            cpu.events += events
        for mode in MODES:
            cpu.times[mode] += exact_sum(batch.column(mode))
        cpu.rows += len(batch)
        self.rows += len(batch)
        self.waits += int(np.count_nonzero(batch.column("waits") >= 0))

    def _tasks(self, batch: Batch, running: int) -> int:
        """Add computation by task; return which runs after the batch.

        What a context switch computed before it is that of the task switched from.
        """
        names = self.header.tasks
        running = running if running >= 0 else first_task(batch)
        switches = np.flatnonzero(batch.columns["kind"] == CONTEXT_SWITCH)
        owners = np.concatenate(([running], batch.column("task")[switches]))
        stretch = np.searchsorted(switches, np.arange(len(batch)))
        numbers, which = np.unique(owners, return_inverse=True)
        for mode in ("user_ns", "kernel_ns"):
            sums = _sums(which[stretch], batch.column(mode), len(numbers))
            for task, ns in zip(numbers.tolist(), sums, strict=True):
                if ns:
                    self.tasks[names.get(task, f"task {task}" if task >= 0 else "(not told)")][mode] += ns
        return int(owners[-1])

    def _spaces(self, batch: Batch) -> None:
        rows = np.flatnonzero(batch.column("space") >= 0)
        kinds, counts = batch.columns["kind"][rows], batch.column("count")[rows]
        numbers, which = np.unique(batch.column("space")[rows], return_inverse=True)
        found = [
            _sums(which[of], counts[of], len(numbers))
            for of in (
                np.ones(len(rows), np.bool_),
                kinds == _PAGE_FAULT,
                np.isin(kinds, _PTE_WRITES),
                kinds == _SPACE_DESTROY,
            )
        ]
        for number, events, faults, writes, ends in zip(numbers.tolist(), *found, strict=True):
            space = self.spaces[number]
            space.events += events
            space.page_faults += faults
            space.page_table_writes += writes
            space.torn_down += ends

    def _devices(self, batch: Batch) -> None:
        devices, kinds, counts = batch.column("device"), batch.columns["kind"], batch.column("count")
        for number in np.unique(devices[devices >= 0]).tolist():
            device = self.devices[self.header.devices[number]]
            rows = devices == number
            for kind in np.unique(kinds[rows]).tolist():
                of = rows & (kinds == kind)
                device.events[BY_CODE[kind].name] += exact_sum(counts[of])
                if kind in REQUEST_KINDS:
                    sizes = np.maximum(batch.column("size")[of], 0).tolist()
                    device.bytes += sum(map(mul, sizes, counts[of].tolist()))


def _sums(groups: Array, values: Array, number: int) -> list[int]:
    """Return the sum of the values in each group, exact however large."""
    fits = not len(values) or int(values.max()) <= _MOST // len(values)
    sums: Array = np.zeros(number, dtype=np.int64 if fits else object)
    np.add.at(sums, groups, values if fits else values.astype(object))
    return [int(value) for value in sums]
