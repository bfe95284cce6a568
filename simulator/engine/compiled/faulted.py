"""What each virtual CPU notes of its last faults, compiled; see ``mechanisms/shadow_paging.py``."""

from __future__ import annotations

from simulator.engine.compiled import layout as at
from simulator.engine.compiled.jit import compiled, inlined
from simulator.events import BY_NAME

_CLEAR = BY_NAME["pte_clear"].code


@inlined
def _cpu(m, v):
    """Return where the row of a virtual CPU begins."""
    return m[at.CPUS] + v * at.CPU_COLUMNS


@inlined
def note_faults(m, v, space, page, n):
    """Note accesses that fault, instead of those noted before."""
    cpu = _cpu(m, v)
    m[cpu + at.FAULT_SPACE], m[cpu + at.FAULT_PAGE], m[cpu + at.FAULTS] = space, page, n if page >= 0 else 0


@compiled
def forget_faults(m, space):
    """Forget what faulted in a space."""
    for v in range(m[at.VCPUS]):
        if m[_cpu(m, v) + at.FAULT_SPACE] == space:
            m[_cpu(m, v) + at.FAULTS] = 0


@inlined
def pending(m, v, kind, space, page, n):
    """Return the first of the pages of a row whose accesses faulted before and are made again, and the end of them."""
    cpu = _cpu(m, v)
    if m[cpu + at.FAULTS] == 0 or kind == _CLEAR or page < 0 or m[cpu + at.FAULT_SPACE] != space:
        return 0, 0
    first = max(m[cpu + at.FAULT_PAGE], page)
    end = min(m[cpu + at.FAULT_PAGE] + m[cpu + at.FAULTS], page + n)
    return first, max(first, end)


@inlined
def take_pending(m, v, kind, space, page, n):
    """Note that accesses that faulted are made again; return what ``pending`` does.

    They are made in order, so those to pages before were given up.
    """
    first, end = pending(m, v, kind, space, page, n)
    if first != end:
        m[_cpu(m, v) + at.FAULTS] -= end - m[_cpu(m, v) + at.FAULT_PAGE]
        m[_cpu(m, v) + at.FAULT_PAGE] = end
    return first, end
