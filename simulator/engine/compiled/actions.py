"""Actions taken: they are counted by virtual CPU, kind and output, empty the TLB, or are adapted by code site."""

from __future__ import annotations

from simulator.engine.compiled import layout as at
from simulator.engine.compiled.hashing import FREE, enter, place
from simulator.engine.compiled.jit import compiled, inlined
from simulator.events import BY_CODE

_KINDS = max(BY_CODE) + 1


@compiled
def empty_tlb(m, v):
    """Empty the TLB of a virtual CPU: what stood in its buckets is of an older epoch."""
    cpu = m[at.CPUS] + v * at.CPU_COLUMNS
    m[cpu + at.NEWEST] = m[cpu + at.FREE_NODE] = at.NONE
    m[cpu + at.HELD] = m[cpu + at.NODES_USED] = 0
    m[cpu + at.TLB_EPOCH] += 1


@inlined
def take(m, v, kind, output, n):
    """Take the actions of an output that no mechanism adapts; return their ticks."""
    if n == 0:
        return 0
    row = m[at.OUTPUTS] + output * at.OUTPUT_COLUMNS
    m[m[at.COUNTS] + (v * _KINDS + kind) * m[at.OUTPUTS_THERE] + output] += n
    if m[row + at.EMPTIES]:
        empty_tlb(m, v)
    return n * m[row + at.PRICE]


@compiled
def emit(m, v, kind, site, output, n):
    """Take the actions of an output, which may be adapted by code site."""
    if n == 0:
        return 0
    row = m[at.OUTPUTS] + output * at.OUTPUT_COLUMNS
    ticks, form = take(m, v, kind, output, n), m[row + at.FORM]
    if form == at.NONE:
        return ticks
    n *= m[row + at.TIMES]
    if m[row + at.INNOCENT]:
        return ticks + execute_innocent(m, v, kind, site, form, n)
    return ticks + execute_guilty(m, v, kind, site, form, n)


@inlined
def _site(m, kind, site):
    """Return the row of a code site; events without one share one for each kind."""
    second = kind if site < 0 else at.NONE
    row = place(m, at.SITES, site + 2, second)
    if m[row] == FREE:
        enter(m, at.SITES, row, site + 2, second)
    return row


@compiled
def execute_guilty(m, v, kind, site, form, n):
    """Execute an operation ``n`` times that needs its adapted form; see ``AdaptiveTranslation``."""
    known, outputs, ticks = _site(m, kind, site), m[at.FORMS] + form * at.FORM_COLUMNS, 0
    m[known + at.INNOCENT_RUNS] = 0
    if not m[known + at.IS_ADAPTED]:
        traps = min(n, m[at.GUILTY_AFTER] - m[known + at.TRAPS])
        m[known + at.TRAPS] += traps
        ticks += take(m, v, kind, m[outputs + at.TRAPPING], traps)
        n -= traps
        if m[known + at.TRAPS] == m[at.GUILTY_AFTER]:
            m[known + at.IS_ADAPTED], m[known + at.TRAPS] = 1, 0
            ticks += take(m, v, kind, at.RETRANSLATE, 1)
    return ticks + take(m, v, kind, m[outputs + at.ADAPTED], n)


@compiled
def execute_innocent(m, v, kind, site, form, n):
    """Execute an operation ``n`` times that would not trap; see ``AdaptiveTranslation``."""
    known, outputs = _site(m, kind, site), m[at.FORMS] + form * at.FORM_COLUMNS
    ticks = take(m, v, kind, m[outputs + at.INNOCENT_OUT], n)
    if not m[known + at.IS_ADAPTED]:
        return ticks
    after = m[at.INNOCENT_AFTER]
    checked = min(n, after - m[known + at.INNOCENT_RUNS]) if after else n
    m[known + at.INNOCENT_RUNS] += checked
    if m[outputs + at.ADAPTED_INNOCENT] != at.NONE:
        ticks += take(m, v, kind, m[outputs + at.ADAPTED_INNOCENT], checked)
    if m[known + at.INNOCENT_RUNS] == after:
        m[known + at.IS_ADAPTED] = m[known + at.INNOCENT_RUNS] = 0
        ticks += take(m, v, kind, at.RETRANSLATE, 1)
    return ticks
