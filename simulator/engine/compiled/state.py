"""The memory of the kernel: how it is laid out before a replay, and how its tables grow."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from simulator.engine.compiled import layout as at
from simulator.engine.compiled.hashing import FREE, place
from simulator.engine.compiled.jit import compiled
from simulator.engine.compiled.program import Program, TooLargeError
from simulator.mechanisms.spaces import KERNEL_SPACE
from simulator.stream import Array

_FIRST_ROWS = 1 << 8


def first_memory(program: Program, vcpus: int) -> Array:
    """Return the memory before a replay."""
    header = np.zeros(at.HEADER, dtype=np.int64)
    header[list(program.parameters)] = list(program.parameters.values())
    header[at.VCPUS] = vcpus
    header[[at.FIRST_SPACE, at.LAST_SPACE, at.FREE_SLOT]] = at.NONE
    header[at.BACKED] = program.backed_pages
    header[at.OUTPUTS_THERE] = len(program.outputs)
    cpus = np.zeros((vcpus, at.CPU_COLUMNS), dtype=np.int64)
    cpus[:, at.CURRENT] = KERNEL_SPACE
    cpus[:, [at.NEWEST, at.FREE_NODE]] = at.NONE
    cpus[:, at.TLB_EPOCH] = 1
    parts = {
        at.KINDS: program.kinds,
        at.OUTPUTS: program.outputs,
        at.FORMS: program.forms,
        at.COUNTS: np.zeros((vcpus, *program.counted), dtype=np.int64),
        at.CPUS: cpus,
        at.NODES: np.zeros((vcpus, header[at.TLB_ENTRIES], at.NODE_COLUMNS), dtype=np.int64),
        at.BUCKETS: np.zeros((vcpus, header[at.TLB_BUCKETS], at.BUCKET_COLUMNS), dtype=np.int64),
    }
    for name, where in zip(parts, _starts(at.HEADER, parts.values()), strict=True):
        header[name] = where
    fixed = np.concatenate([header, *(part.ravel() for part in parts.values())])
    return _with_tables(fixed, _FIRST_ROWS, dict.fromkeys(at.ALL_TABLES, _FIRST_ROWS))


def _starts(first: int, parts: Iterable[Array]) -> list[int]:
    sizes = [part.size for part in parts]
    return [first + sum(sizes[:i]) for i in range(len(sizes))]


def counts(memory: Array, program: Program, vcpu: int) -> Array:
    """Return how often one virtual CPU took each output in events of each kind; a row for each kind."""
    size = program.counted[0] * program.counted[1]
    begin = memory[at.COUNTS] + vcpu * size
    return memory[begin : begin + size].reshape(program.counted)


def stale_entries(memory: Array) -> int:
    """Return how many shadow entries await a resync."""
    slots = memory[memory[at.SLOTS] :][: memory[at.SLOTS_THERE] * at.SLOT_COLUMNS]
    return int(slots.reshape(-1, at.SLOT_COLUMNS)[:, at.STALE].sum())


def _with_tables(fixed: Array, slots: int, rows: dict[int, int]) -> Array:
    """Return a memory with slots, and with empty tables of so many rows, behind its fixed parts."""
    sizes = {table: rows[table] * at.WIDTHS[table] for table in at.ALL_TABLES}
    memory = np.zeros(len(fixed) + slots * at.SLOT_COLUMNS + sum(sizes.values()), dtype=np.int64)
    memory[: len(fixed)] = fixed
    memory[at.SLOTS], memory[at.SLOTS_THERE] = len(fixed), slots
    begin = len(fixed) + slots * at.SLOT_COLUMNS
    for table in at.ALL_TABLES:
        memory[table], memory[table + at.MASK] = begin, rows[table] - 1
        memory[table + at.WIDTH], memory[table + at.USED] = at.WIDTHS[table], 0
        begin += sizes[table]
    return memory


def grown(memory: Array, entries: int, others: int) -> Array:
    """Return a memory with room for so many more keys of shadow entries, and ``others`` in each other table.

    The rows of shadows that are gone are left out.

    Raises:
        TooLargeError: there are more shadows at a time than a key can tell apart.
    """
    used, slots = int(memory[at.SLOTS_USED]), int(memory[at.SLOTS_THERE])
    if used + others > slots:
        slots = _power_of_two(2 * (used + others))
    if slots >= 1 << at.SLOT_BITS:
        raise TooLargeError(f"{used:,} address spaces have a shadow, too many for the compiled kernel")
    keys = {table: int(memory[table + at.USED]) for table in at.ALL_TABLES}
    for table in (at.ENTRIES, at.TABLES):
        keys[table] = int(count_live(memory, table))
    more = {table: entries if table == at.ENTRIES else others for table in at.ALL_TABLES}
    rows = {table: max(_power_of_two(4 * (n + more[table])), _FIRST_ROWS) for table, n in keys.items()}
    larger = _with_tables(memory[: memory[at.SLOTS]], slots, rows)
    larger[at.ROOM] = 0
    held = used * at.SLOT_COLUMNS
    larger[larger[at.SLOTS] : larger[at.SLOTS] + held] = memory[memory[at.SLOTS] : memory[at.SLOTS] + held]
    for table in at.ALL_TABLES:
        move(memory, larger, table)
    return larger


def _power_of_two(least: int) -> int:
    return 1 << max(int(least) - 1, 1).bit_length()


@compiled
def _is_live(m, table, row):
    """Tell whether a row holds a key, and not that of a shadow that is gone."""
    if m[row] == FREE:
        return False
    if table not in (at.ENTRIES, at.TABLES):
        return True
    slot = m[at.SLOTS] + ((m[row] & ((1 << at.SLOT_BITS) - 1)) - 1) * at.SLOT_COLUMNS
    return m[slot + at.LIVE] != 0 and m[slot + at.GENERATION] == m[row] >> at.SLOT_BITS


@compiled
def count_live(m, table):
    """Return how many keys of a table are of use."""
    live = 0
    for index in range(m[table + at.MASK] + 1):
        live += _is_live(m, table, m[table] + index * m[table + at.WIDTH])
    return live


@compiled
def move(m, larger, table):
    """Copy the rows of a table that are of use into the same table, empty, of another memory."""
    for index in range(m[table + at.MASK] + 1):
        row = m[table] + index * m[table + at.WIDTH]
        if _is_live(m, table, row):
            there = place(larger, table, m[row], m[row + 1])
            for column in range(m[table + at.WIDTH]):
                larger[there + column] = m[row + column]
            larger[table + at.USED] += 1
