"""The compiled walk: steps of a batch one after the other, with what mechanisms with state make of them."""

from __future__ import annotations

from simulator.engine.compiled import layout as at
from simulator.engine.compiled.actions import emit, empty_tlb, execute_guilty
from simulator.engine.compiled.hashing import FREE, clear, enter, place, room
from simulator.engine.compiled.jit import bare, compiled, inlined, part
from simulator.engine.compiled.shadow import serve_shadow
from simulator.engine.compiled.tlb import serve_tlb
from simulator.events import BY_NAME

_SWITCH = BY_NAME["space_switch"].code
_DESTROY = BY_NAME["space_destroy"].code
_FIRST_TOUCH = BY_NAME["first_touch"].code
_TOUCH = BY_NAME["touch"].code
_PTE_CLEAR = BY_NAME["pte_clear"].code
_PTE_SET = BY_NAME["pte_set"].code
_PTE_MODIFY = BY_NAME["pte_modify"].code
_NEW_CODE = BY_NAME["new_code"].code
_SPARE = 8
"""Keys that a row may add to a table beside those of its pages."""


@compiled
def _serve_nested(m, v, kind, n):
    """Take guest pages into use or free them; see ``NestedPaging``."""
    if kind == _PTE_CLEAR:
        m[at.IN_USE] = max(m[at.IN_USE] - n, 0)
        return 0
    new = n
    if kind != _FIRST_TOUCH:
        m[at.IN_USE] += n
        new = max(m[at.IN_USE] - m[at.BACKED], 0)
    each = m[at.PAGES_PER_VIOLATION]
    violations = (new + each - 1) // each
    m[at.BACKED] += violations * each
    return emit(m, v, kind, at.NONE, at.NESTED_VIOLATION, violations)


@compiled
def _translate(m, v, kind, n):
    units = (n + m[at.UNIT] - 1) // m[at.UNIT]
    return emit(m, v, kind, at.NONE, at.TRANSLATE, n) + emit(m, v, kind, at.NONE, at.CHAIN_UNIT, units)


@compiled
def _flush_cache(m, v, kind, n):
    m[at.FILL] = 0
    clear(m, at.PIECES)
    return emit(m, v, kind, at.NONE, at.FLUSH_CACHE, n)


@part
def _serve_cache(m, v, kind, n, site, size):
    """Run code, and translate what the translation cache does not hold; see ``TranslationCache``."""
    if kind == _NEW_CODE:
        ticks = _translate(m, v, kind, n)
        flushes, last = divmod(m[at.FILL] + n - 1, m[at.CAPACITY])
        if flushes:
            ticks += _flush_cache(m, v, kind, flushes)
        m[at.FILL] = last + 1
        return ticks
    if m[place(m, at.PIECES, site + 2, size)] != FREE:
        return 0
    ticks = _translate(m, v, kind, size)
    if m[at.FILL] + size > m[at.CAPACITY]:
        ticks += _flush_cache(m, v, kind, 1)
    m[at.FILL] += size
    enter(m, at.PIECES, place(m, at.PIECES, site + 2, size), site + 2, size)
    return ticks


@part
def _serve(m, v, kind, n, space, page, site, size):
    """Serve the events of a row that is asked; return the ticks of what mechanisms with state take, and they alone."""
    does, cpu, ticks = m[at.KINDS] + kind * at.KIND_COLUMNS, m[at.CPUS] + v * at.CPU_COLUMNS, 0
    if kind == _SWITCH:
        m[cpu + at.CURRENT], m[cpu + at.SWITCHED] = space, 1
    elif space < 0 and kind != _DESTROY:
        space = m[cpu + at.CURRENT]
    if m[does + at.KIND_EMPTIES]:
        empty_tlb(m, v)
    if m[does + at.SHADOWED]:
        ticks += serve_shadow(m, v, kind, site, space, page, n)
    if m[does + at.NESTED]:
        ticks += _serve_nested(m, v, kind, n)
    if m[does + at.FORM_OF_KIND] != at.NONE:
        ticks += execute_guilty(m, v, kind, site, m[does + at.FORM_OF_KIND], n)
    if m[does + at.CACHED]:
        ticks += _serve_cache(m, v, kind, n, site, size)
    if m[does + at.LOOKED_UP]:
        ticks += serve_tlb(m, v, kind, n, space, page)
    return ticks


@inlined
def keys_added(m, kind, n, page):
    """Return how many keys a row may add to the table of shadow entries, and how many to any other table, at most."""
    placed = page >= 0 and (kind == _PTE_SET or kind == _PTE_MODIFY or kind == _PTE_CLEAR)
    if not (m[m[at.KINDS] + kind * at.KIND_COLUMNS + at.SHADOWED] and (kind == _TOUCH or placed)):
        return 0, _SPARE
    return 0 if kind == _PTE_CLEAR else (n >> at.PAGES_SHIFT) + 2, _SPARE + n // m[at.ENTRIES_PER_TABLE]


@compiled
def _room(m, entries, others):
    """Return for how many more keys every table has room after so many; below 0 if one has none."""
    slots = m[at.SLOTS_THERE] - m[at.SLOTS_USED]
    elsewhere = min(slots, room(m, at.TABLES), room(m, at.SPACES), room(m, at.SITES), room(m, at.PIECES))
    return min(room(m, at.ENTRIES) - entries, elsewhere - others)


@inlined
def fits(m, kind, n, page, size):
    """Tell whether a row that is asked can be served: DONE, or what hinders it."""
    coded = m[m[at.KINDS] + kind * at.KIND_COLUMNS + at.CACHED] and kind != _NEW_CODE
    if coded and not 0 < size <= m[at.CAPACITY]:
        return at.BAD_CODE
    entries, others = keys_added(m, kind, n, page)
    m[at.ROOM] -= max(entries, others)  # a lower bound, that is found anew when it is used up
    if m[at.ROOM] < 0:
        m[at.ROOM] = _room(m, entries, others)
        if m[at.ROOM] < 0:
            return at.GROW
    return at.DONE


@inlined
def ticks_of_step(m, v, step, kind, n, user, kernel, space, page, site, size):
    """Take one step of a row; return its ticks."""
    if step & 1 == 0:
        return user * m[at.USER_RATE] + kernel * m[at.KERNEL_RATE]
    does = m[at.KINDS] + kind * at.KIND_COLUMNS
    ticks = n * m[does + at.KIND_PRICE]
    return ticks + _serve(m, v, kind, n, space, page, site, size) if m[does + at.ASKED] else ticks


@inlined
def _cell(column, row):
    return column[row] if column.shape[0] > 1 else column[0]


@compiled
def walk(memory, v, columns, step, stop, budget):
    """Take steps as ``stretch.Walker`` says; return where it ended, the ticks taken, and how it ended.

    ``columns``: kind, count, user_ns, kernel_ns, space, page, site, size; one of a single row stands for all rows.
    """
    kinds, counts, user, kernel, spaces, pages, sites, sizes = columns
    m, ticks = bare(memory), 0
    while step < stop:
        row = step >> 1
        if step & 1 == 0:
            ticks += _cell(user, row) * m[at.USER_RATE] + _cell(kernel, row) * m[at.KERNEL_RATE]
            step += 1
            if ticks >= budget or step == stop:
                break
        kind, n = kinds[row], _cell(counts, row)
        does = m[at.KINDS] + kind * at.KIND_COLUMNS
        if m[does + at.ASKED]:
            page, size = _cell(pages, row), _cell(sizes, row)
            ended = fits(m, kind, n, page, size)
            if ended != at.DONE:
                return step, ticks, ended
            ticks += _serve(m, v, kind, n, _cell(spaces, row), page, _cell(sites, row), size)
        ticks += n * m[does + at.KIND_PRICE]
        step += 1
        if ticks >= budget:
            break
    return step, ticks, at.DONE


@compiled
def asked_rows(memory, columns, rows):
    """Note which rows are asked; return how many, and the ticks of all that needs no asking, of all rows.

    ``rows`` has room for the number of each row.
    """
    kinds, counts, user, kernel, _, _, _, _ = columns
    m, ticks, asked = bare(memory), 0, 0
    for row in range(kinds.shape[0]):
        does = m[at.KINDS] + kinds[row] * at.KIND_COLUMNS
        ticks += _cell(user, row) * m[at.USER_RATE] + _cell(kernel, row) * m[at.KERNEL_RATE]
        ticks += _cell(counts, row) * m[does + at.KIND_PRICE]
        rows[asked] = row
        asked += m[does + at.ASKED] != 0
    return asked, ticks


@compiled
def serve_rows(memory, v, columns, rows, first):
    """Serve rows one after the other; return at which it ended, the ticks of what was asked, and how it ended."""
    kinds, counts, _, _, spaces, pages, sites, sizes = columns
    m, ticks = bare(memory), 0
    for number in range(first, rows.shape[0]):
        row = rows[number]
        kind, n, page, size = kinds[row], _cell(counts, row), _cell(pages, row), _cell(sizes, row)
        ended = fits(m, kind, n, page, size)
        if ended != at.DONE:
            return number, ticks, ended
        ticks += _serve(m, v, kind, n, _cell(spaces, row), page, _cell(sites, row), size)
    return rows.shape[0], ticks, at.DONE
