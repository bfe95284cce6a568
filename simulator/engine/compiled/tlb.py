"""The TLB, compiled: for each virtual CPU a list of nodes by use, and buckets to find them; see ``mechanisms/tlb.py``.

A node or a bucket is told by its number on its virtual CPU; ``_node`` and ``_bucket`` say where it stands.
"""

from __future__ import annotations

from simulator.engine.compiled import layout as at
from simulator.engine.compiled.actions import empty_tlb, take
from simulator.engine.compiled.hashing import mixed
from simulator.engine.compiled.jit import compiled, inlined, part
from simulator.events import BY_NAME

_TOUCH = BY_NAME["touch"].code
_MISS = BY_NAME["tlb_miss"].code
_FLUSH_PAGE = BY_NAME["tlb_flush_page"].code
_FLUSH_ALL = BY_NAME["tlb_flush_all"].code
_DESTROY = BY_NAME["space_destroy"].code


@inlined
def _node(m, v, number):
    return m[at.NODES] + (v * m[at.TLB_ENTRIES] + number) * at.NODE_COLUMNS


@inlined
def _bucket(m, v, number):
    return m[at.BUCKETS] + (v * m[at.TLB_BUCKETS] + number) * at.BUCKET_COLUMNS


@inlined
def _first_in(m, v, bucket):
    """Return the first node in a bucket, NONE if it holds none of this epoch."""
    row = _bucket(m, v, bucket)
    current = m[m[at.CPUS] + v * at.CPU_COLUMNS + at.TLB_EPOCH]
    return m[row + at.HEAD] if m[row + at.EPOCH] == current else at.NONE


@inlined
def _find(m, v, space, page, bucket):
    """Return the node of a translation in its bucket, NONE if it is not held."""
    number = _first_in(m, v, bucket)
    while number != at.NONE:
        row = _node(m, v, number)
        if m[row + at.NODE_PAGE] == page and m[row + at.NODE_SPACE] == space:
            return number
        number = m[row + at.NEXT_IN_BUCKET]
    return number


@inlined
def _unlink(m, v, number):
    """Take a node out of the order of use."""
    cpu, row = m[at.CPUS] + v * at.CPU_COLUMNS, _node(m, v, number)
    newer, older = m[row + at.NEWER], m[row + at.OLDER]
    if newer == at.NONE:
        m[cpu + at.NEWEST] = older
    else:
        m[_node(m, v, newer) + at.OLDER] = older
    if older == at.NONE:
        m[cpu + at.OLDEST] = newer
    else:
        m[_node(m, v, older) + at.NEWER] = newer


@inlined
def _link_newest(m, v, number):
    cpu, row = m[at.CPUS] + v * at.CPU_COLUMNS, _node(m, v, number)
    newest = m[cpu + at.NEWEST]
    m[row + at.NEWER], m[row + at.OLDER] = at.NONE, newest
    if newest == at.NONE:
        m[cpu + at.OLDEST] = number
    else:
        m[_node(m, v, newest) + at.NEWER] = number
    m[cpu + at.NEWEST] = number


@compiled
def _drop(m, v, number):
    """Take a node out of the order of use and of its bucket, and set it free."""
    _unlink(m, v, number)
    cpu, row = m[at.CPUS] + v * at.CPU_COLUMNS, _node(m, v, number)
    bucket, behind = _bucket(m, v, m[row + at.BUCKET]), m[row + at.NEXT_IN_BUCKET]
    other = m[bucket + at.HEAD]
    if other == number:
        m[bucket + at.HEAD] = behind
    else:
        while m[_node(m, v, other) + at.NEXT_IN_BUCKET] != number:
            other = m[_node(m, v, other) + at.NEXT_IN_BUCKET]
        m[_node(m, v, other) + at.NEXT_IN_BUCKET] = behind
    m[row + at.OLDER] = m[cpu + at.FREE_NODE]
    m[cpu + at.FREE_NODE] = number
    m[cpu + at.HELD] -= 1


@inlined
def _new_node(m, v):
    """Return a node that holds nothing: a free one, or else that of the translation used longest ago."""
    cpu = m[at.CPUS] + v * at.CPU_COLUMNS
    if m[cpu + at.HELD] == m[at.TLB_ENTRIES]:
        _drop(m, v, m[cpu + at.OLDEST])
    number = m[cpu + at.FREE_NODE]
    if number != at.NONE:
        m[cpu + at.FREE_NODE] = m[_node(m, v, number) + at.OLDER]
    else:
        number = m[cpu + at.NODES_USED]
        m[cpu + at.NODES_USED] += 1
    m[cpu + at.HELD] += 1
    return number


@inlined
def _look_up(m, v, space, page):
    """Look one translation up, and take it in if it is missing; return 1 for a miss."""
    cpu, bucket = m[at.CPUS] + v * at.CPU_COLUMNS, mixed(space, page) & (m[at.TLB_BUCKETS] - 1)
    number = _find(m, v, space, page, bucket)
    if number != at.NONE:
        if m[cpu + at.NEWEST] != number:
            _unlink(m, v, number)
            _link_newest(m, v, number)
        return 0
    number = _new_node(m, v)
    row, heads = _node(m, v, number), _bucket(m, v, bucket)
    m[row + at.NODE_SPACE], m[row + at.NODE_PAGE], m[row + at.BUCKET] = space, page, bucket
    m[row + at.NEXT_IN_BUCKET] = _first_in(m, v, bucket)
    m[heads + at.EPOCH], m[heads + at.HEAD] = m[cpu + at.TLB_EPOCH], number
    _link_newest(m, v, number)
    return 1


@compiled
def _drop_space(m, space):
    """Forget a space on all virtual CPUs."""
    for v in range(m[at.VCPUS]):
        number = m[m[at.CPUS] + v * at.CPU_COLUMNS + at.NEWEST]
        while number != at.NONE:
            row = _node(m, v, number)
            older = m[row + at.OLDER]
            if m[row + at.NODE_SPACE] == space:
                _drop(m, v, number)
            number = older


@part
def serve_tlb(m, v, kind, n, space, page):
    """Look pages up, or flush; ``space`` is that of the event, the current one if it names none."""
    step = 1 if page >= 0 else -1
    if kind == _TOUCH:
        misses = 0
        for i in range(n):
            misses += _look_up(m, v, space, page + step * i)
        return take(m, v, kind, at.PAGE_WALK, misses)
    if kind == _MISS:
        return take(m, v, kind, at.PAGE_WALK, n)
    if kind == _FLUSH_PAGE:
        for i in range(n):
            bucket = mixed(space, page + step * i) & (m[at.TLB_BUCKETS] - 1)
            number = _find(m, v, space, page + step * i, bucket)
            if number != at.NONE:
                _drop(m, v, number)
    elif kind == _DESTROY:
        _drop_space(m, space)
    elif kind == _FLUSH_ALL or not m[at.TLB_TAGGED]:
        empty_tlb(m, v)
    return 0
