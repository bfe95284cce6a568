"""Shadow paging, compiled; see ``mechanisms/shadow_paging.py``.

Each address space with a shadow has a slot. Its entries and tables are keyed by a number that no earlier shadow had
(the slot and its generation), so that a shadow is dropped in one step; what is left of it goes when tables grow.
"""

from __future__ import annotations

from simulator.engine.compiled import layout as at
from simulator.engine.compiled.actions import emit
from simulator.engine.compiled.faulted import forget_faults, note_faults, pending, take_pending
from simulator.engine.compiled.hashing import FREE, enter, place, remove
from simulator.engine.compiled.jit import compiled, inlined, part
from simulator.events import BY_NAME

_PAGE_FAULT = BY_NAME["page_fault"].code
_FLUSH_ALL = BY_NAME["tlb_flush_all"].code
_TOUCH = BY_NAME["touch"].code
_DESTROY = BY_NAME["space_destroy"].code
_SWITCH = BY_NAME["space_switch"].code
_MODIFY = BY_NAME["pte_modify"].code
_CLEAR = BY_NAME["pte_clear"].code
_SET = BY_NAME["pte_set"].code


@inlined
def _row(m, slot):
    """Return where a slot begins."""
    return m[at.SLOTS] + slot * at.SLOT_COLUMNS


@inlined
def _identity(m, slot):
    """Return the number by which entries and tables of a shadow are keyed; never 0."""
    return (m[_row(m, slot) + at.GENERATION] << at.SLOT_BITS) | (slot + 1)


@inlined
def _slot_of(m, space):
    """Return the slot of a space, NONE if it has no shadow. Keys are spaces + 2, which are above 0."""
    row = place(m, at.SPACES, space + 2, 0)
    return at.NONE if m[row] == FREE else m[row + at.SLOT_OF_SPACE]


@inlined
def _append(m, slot):
    """Put a slot at the end of the order: it ran last."""
    last = m[at.LAST_SPACE]
    m[_row(m, slot) + at.BEFORE], m[_row(m, slot) + at.AFTER] = last, at.NONE
    if last == at.NONE:
        m[at.FIRST_SPACE] = slot
    else:
        m[_row(m, last) + at.AFTER] = slot
    m[at.LAST_SPACE] = slot


@inlined
def _detach(m, slot):
    before, after = m[_row(m, slot) + at.BEFORE], m[_row(m, slot) + at.AFTER]
    if before == at.NONE:
        m[at.FIRST_SPACE] = after
    else:
        m[_row(m, before) + at.AFTER] = after
    if after == at.NONE:
        m[at.LAST_SPACE] = before
    else:
        m[_row(m, after) + at.BEFORE] = before


@inlined
def _ensure(m, space):
    """Return the slot of a space; a new shadow, that never ran, if it has none.

    Most often it is the space that ran last.
    """
    last = m[at.LAST_SPACE]
    if last != at.NONE and m[_row(m, last) + at.SPACE] == space:
        return last
    row = place(m, at.SPACES, space + 2, 0)
    if m[row] != FREE:
        return m[row + at.SLOT_OF_SPACE]
    slot = m[at.FREE_SLOT]
    if slot != at.NONE:
        m[at.FREE_SLOT] = m[_row(m, slot) + at.AFTER]
    else:
        slot = m[at.SLOTS_USED]
        m[at.SLOTS_USED] += 1
    generation = m[_row(m, slot) + at.GENERATION] + 1
    for column in range(at.SLOT_COLUMNS):
        m[_row(m, slot) + column] = 0
    m[_row(m, slot) + at.SPACE], m[_row(m, slot) + at.GENERATION], m[_row(m, slot) + at.LIVE] = space, generation, 1
    m[_row(m, slot) + at.TRACE_EPOCH] = 1
    enter(m, at.SPACES, row, space + 2, 0)
    m[row + at.SLOT_OF_SPACE] = slot
    _append(m, slot)
    return slot


@inlined
def _to_the_end(m, slot):
    """Note that a space runs."""
    if slot != m[at.LAST_SPACE]:
        _detach(m, slot)
        _append(m, slot)


@inlined
def _ensure_last(m, space):
    """Return the slot of a space that runs."""
    slot = _ensure(m, space)
    _to_the_end(m, slot)
    return slot


@compiled
def _drop(m, slot):
    _detach(m, slot)
    remove(m, at.SPACES, place(m, at.SPACES, m[_row(m, slot) + at.SPACE] + 2, 0))
    m[at.ROOTED_SPACES] -= m[_row(m, slot) + at.ROOTED]
    m[_row(m, slot) + at.LIVE] = 0
    m[_row(m, slot) + at.AFTER] = m[at.FREE_SLOT]
    m[at.FREE_SLOT] = slot


@inlined
def _add_entry(m, slot, page):
    """Add a shadow entry; return 1 if it was missing."""
    identity, pages, bit = _identity(m, slot), page >> at.PAGES_SHIFT, _bit(page)
    row = place(m, at.ENTRIES, identity, pages)
    if m[row] == FREE:
        enter(m, at.ENTRIES, row, identity, pages)
    elif m[row + at.PRESENT] & bit:
        return 0
    m[row + at.PRESENT] |= bit
    m[_row(m, slot) + at.ENTRIES_HELD] += 1
    return 1


@inlined
def _has_entry(m, slot, page):
    row = place(m, at.ENTRIES, _identity(m, slot), page >> at.PAGES_SHIFT)
    return m[row] != FREE and (m[row + at.PRESENT] & _bit(page)) != 0


@inlined
def _install(m, slot, first, end):
    """Add the shadow entries of pages."""
    for page in range(first, end):
        _add_entry(m, slot, page)


@inlined
def _bit(page):
    """Return the bit of a page in its row of entries."""
    return 1 << (page & ((1 << at.PAGES_SHIFT) - 1))


@compiled
def _remove_entries(m, slot, page, n):
    for each in range(page, page + n):
        row, bit = place(m, at.ENTRIES, _identity(m, slot), each >> at.PAGES_SHIFT), _bit(each)
        if m[row] != FREE and m[row + at.PRESENT] & bit:
            m[row + at.PRESENT] &= ~bit
            m[_row(m, slot) + at.ENTRIES_HELD] -= 1
            if m[row + at.PRESENT] == 0:
                remove(m, at.ENTRIES, row)


@inlined
def _table_of(m, page):
    """Return which page of a page table holds the entry of a page."""
    if page < 0:
        return at.NONE
    return page >> m[at.TABLE_SHIFT] if m[at.TABLE_SHIFT] >= 0 else page // m[at.ENTRIES_PER_TABLE]


@inlined
def _table_row(m, slot, table):
    """Return the row of a page-table page, a new one without flags if it was not known."""
    identity = _identity(m, slot)
    row = place(m, at.TABLES, identity, table)
    if m[row] == FREE:
        enter(m, at.TABLES, row, identity, table)
    return row


@inlined
def _add_table(m, slot, table):
    row = _table_row(m, slot, table)
    if not m[row + at.FLAGS] & at.IN_SHADOW:
        m[row + at.FLAGS] |= at.IN_SHADOW
        m[_row(m, slot) + at.TABLES_HELD] += 1
        m[_row(m, slot) + at.UNTRACED_TABLES] += m[row + at.DROPPED_IN] == m[_row(m, slot) + at.TRACE_EPOCH]


@compiled
def _is_running(m, space, but):
    if space == but:
        return True
    for v in range(m[at.VCPUS]):
        if (
            m[m[at.CPUS] + v * at.CPU_COLUMNS + at.SWITCHED]
            and m[m[at.CPUS] + v * at.CPU_COLUMNS + at.CURRENT] == space
        ):
            return True
    return False


@inlined
def _shadow(m, v, kind, site, space):
    """Return the slot of a space that runs, and the ticks of building its shadow if there was none."""
    slot = _ensure_last(m, space)
    return slot, 0 if m[_row(m, slot) + at.ROOTED] else _build(m, v, kind, site, space, slot)


@compiled
def _build(m, v, kind, site, space, slot):
    """Build the shadow of a space that runs; return the ticks."""
    m[_row(m, slot) + at.ROOTED] = 1
    ticks = emit(m, v, kind, site, at.BUILD_ROOT, 1)
    m[at.ROOTED_SPACES] += 1
    if m[at.ROOTED_SPACES] > m[at.CACHED_ROOTS]:
        idle = m[at.FIRST_SPACE]
        while idle != at.NONE and (
            not m[_row(m, idle) + at.ROOTED] or _is_running(m, m[_row(m, idle) + at.SPACE], space)
        ):
            idle = m[_row(m, idle) + at.AFTER]
        if idle != at.NONE:
            _drop(m, idle)
            ticks += emit(m, v, kind, site, at.FREE_ROOT, 1)
    return ticks


@compiled
def _destroy(m, v, kind, site, space):
    forget_faults(m, space)
    slot = _slot_of(m, space)
    if slot == at.NONE:
        return 0
    traced = m[_row(m, slot) + at.TABLES_HELD] - m[_row(m, slot) + at.UNTRACED_TABLES]
    m[at.RECYCLABLE] = min(m[at.RECYCLABLE] + traced, m[at.RECYCLED_TABLES])
    rooted = m[_row(m, slot) + at.ROOTED]
    _drop(m, slot)
    return emit(m, v, kind, site, at.FREE_ROOT, rooted)


@compiled
def _resync(m, v, kind, site, slot):
    ticks = emit(m, v, kind, site, at.RESYNC_ENTRY, m[_row(m, slot) + at.STALE])
    m[_row(m, slot) + at.STALE] = m[_row(m, slot) + at.UNTRACED_TABLES] = 0
    m[_row(m, slot) + at.TRACE_EPOCH] += 1
    return ticks


@compiled
def _flush(m, v, kind, site, space, n):
    """Make shadow and guest agree again: in all, or in the entries of some pages, whose tables stay untraced."""
    slot = _slot_of(m, space)
    if slot == at.NONE:
        return 0
    if kind == _FLUSH_ALL:
        return _resync(m, v, kind, site, slot)
    repaired = min(n, m[_row(m, slot) + at.STALE])
    m[_row(m, slot) + at.STALE] -= repaired
    return emit(m, v, kind, site, at.RESYNC_ENTRY, repaired)


@compiled
def _switch(m, v, kind, site, space, n):
    ticks = emit(m, v, kind, site, at.SWITCH_SPACE, n)
    slot = _slot_of(m, space)
    if slot == at.NONE or not m[_row(m, slot) + at.ROOTED]:
        slot, built = _shadow(m, v, kind, site, space)
        ticks += built + _resync(m, v, kind, site, slot)
        return ticks + emit(m, v, kind, site, at.RELOAD_ROOT, n - 1)
    _to_the_end(m, slot)
    ticks += emit(m, v, kind, site, at.RELOAD_ROOT, n)
    validated = n * min(m[at.PREVALIDATED], m[_row(m, slot) + at.ENTRIES_HELD])
    ticks += emit(m, v, kind, site, at.VALIDATE_ENTRY, validated)
    return ticks + _resync(m, v, kind, site, slot)


@inlined
def _touch(m, v, kind, site, slot, page, n):
    """Touch pages; those without a shadow entry take hidden faults."""
    if n == 1 and _has_entry(m, slot, page):
        return 0
    return _touch_all(m, v, kind, site, slot, page, n)


@compiled
def _touch_all(m, v, kind, site, slot, page, n):
    missing, last = 0, at.NONE - 1
    for i in range(n):
        each = page + i if page >= 0 else page - i
        if _add_entry(m, slot, each):
            missing += 1
            table = _table_of(m, each)
            if table != last:
                _add_table(m, slot, table)
                last = table
    return emit(m, v, kind, site, at.HIDDEN_FAULT, missing)


@compiled
def _retry(m, v, kind, site, space, page, n):
    """Make faulting accesses again, after their entries were written where the shadow did not follow."""
    first, end = take_pending(m, v, kind, space, page, n)
    if first == end:
        return 0
    slot, ticks = _shadow(m, v, kind, site, space)
    _remove_entries(m, slot, first, end - first)
    return ticks + _touch_all(m, v, kind, site, slot, first, end - first)


@inlined
def _traced_slot(m, space, table):
    """Return the slot of a space if one of its tables is traced, else NONE."""
    slot = _ensure(m, space)
    row = _table_row(m, slot, table)
    flags = m[row + at.FLAGS]
    if flags & at.IN_SHADOW or (table == at.NONE and m[_row(m, slot) + at.TABLES_HELD]):
        return slot
    if flags & at.IN_PLAIN or not m[at.RECYCLABLE]:
        m[row + at.FLAGS] |= at.IN_PLAIN
        return at.NONE
    m[at.RECYCLABLE] -= 1
    _add_table(m, slot, table)
    return slot


@compiled
def _traced(m, v, kind, site, slot, space, page, n):
    """Write entries of a traced table: each write is emulated."""
    if kind == _MODIFY:
        _install(m, slot, *take_pending(m, v, kind, space, page, n))
        return emit(m, v, kind, site, at.TRACED_MODIFY, n)
    if kind == _CLEAR:
        ticks = emit(m, v, kind, site, at.TRACED_CLEAR, n)
        if page >= 0:
            _remove_entries(m, slot, page, n)
        return ticks
    if not m[at.EAGER_INSTALL]:
        return emit(m, v, kind, site, at.SET_ONLY, n) + _retry(m, v, kind, site, space, page, n)
    take_pending(m, v, kind, space, page, n)
    if page >= 0:
        _install(m, slot, page, page + n)
    return emit(m, v, kind, site, at.TRACED_SET, n)


@inlined
def _plain_output(kind):
    if kind == _MODIFY:
        return at.MODIFY
    return at.CLEAR if kind == _CLEAR else at.SET


@compiled
def _write_without_trace(m, v, kind, site, slot, table, space, page, n):
    """Let the first write to a table fault and drop its trace; the others, and it, are stale until a resync."""
    row, ticks = _table_row(m, slot, table), 0
    if m[row + at.DROPPED_IN] != m[_row(m, slot) + at.TRACE_EPOCH]:
        ticks += emit(m, v, kind, site, at.DROP_TRACE, 1)
        m[row + at.DROPPED_IN] = m[_row(m, slot) + at.TRACE_EPOCH]
        m[_row(m, slot) + at.UNTRACED_TABLES] += (m[row + at.FLAGS] & at.IN_SHADOW) != 0
    ticks += emit(m, v, kind, site, _plain_output(kind), n)
    m[_row(m, slot) + at.STALE] += n
    if kind == _CLEAR and page >= 0:
        _remove_entries(m, slot, page, n)
    return ticks + _retry(m, v, kind, site, space, page, n)


@compiled
def _write_table(m, v, kind, site, space, page, n):
    """Write entries of one page of a page table."""
    ticks = 0
    while True:
        table = _table_of(m, page)
        slot = _traced_slot(m, space, table)
        first, end = pending(m, v, kind, space, page, n)
        if slot != at.NONE and m[at.TRACED_COHERENCY]:
            return ticks + _traced(m, v, kind, site, slot, space, page, n)
        if slot != at.NONE:
            return ticks + _write_without_trace(m, v, kind, site, slot, table, space, page, n)
        part = first + 1 - page if end - first > 1 else n  # once the first is made again, its table is traced
        ticks += emit(m, v, kind, site, _plain_output(kind), part)
        ticks += _retry(m, v, kind, site, space, page, part)
        if part == n:
            return ticks
        page, n = page + part, n - part


@part
def _write(m, v, kind, site, space, page, n):
    """Write entries, those of each page of a page table by themselves."""
    ticks, size = 0, m[at.ENTRIES_PER_TABLE]
    while n > 0:
        apart = page >= 0 and _table_of(m, page) != _table_of(m, page + n - 1)
        part = size - page % size if apart else n
        ticks += _write_table(m, v, kind, site, space, page, part)
        page, n = page + part, n - part
    return ticks


@part
def serve_shadow(m, v, kind, site, space, page, n):
    """Serve events that concern page tables and address spaces; ``space`` is that of the event."""
    if kind == _PAGE_FAULT:
        note_faults(m, v, space, page, n)
        return emit(m, v, kind, site, at.TRUE_FAULT, n)
    if kind == _SET or kind == _CLEAR or kind == _MODIFY:
        return _write(m, v, kind, site, space, page, n)
    if kind == _TOUCH:
        take_pending(m, v, kind, space, page, n)
        slot, ticks = _shadow(m, v, kind, site, space)
        return ticks + _touch(m, v, kind, site, slot, page, n)
    if kind == _SWITCH:
        return _switch(m, v, kind, site, space, n)
    if kind == _DESTROY:
        return _destroy(m, v, kind, site, space)
    return _flush(m, v, kind, site, space, n)
