"""The TLB, compiled: for each virtual CPU a ring of nodes by use, and buckets to find them; see ``mechanisms/tlb.py``.

In the ring, the newest stands beside the oldest: so the oldest becomes the newest, with no link changed, where a full
TLB takes in a translation in place of the oldest.
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
    held, epoch = m[_bucket(m, v, bucket)], m[m[at.CPUS] + v * at.CPU_COLUMNS + at.TLB_EPOCH]
    return (held & ((1 << at.EPOCH_SHIFT) - 1)) - 1 if held >> at.EPOCH_SHIFT == epoch else at.NONE


@inlined
def _put_first(m, v, bucket, number):
    """Let a node, or NONE, be the first in a bucket."""
    epoch = m[m[at.CPUS] + v * at.CPU_COLUMNS + at.TLB_EPOCH]
    m[_bucket(m, v, bucket)] = (epoch << at.EPOCH_SHIFT) + number + 1


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
    m[_node(m, v, newer) + at.OLDER] = older
    m[_node(m, v, older) + at.NEWER] = newer
    if m[cpu + at.NEWEST] == number:
        m[cpu + at.NEWEST] = at.NONE if older == number else older


@inlined
def _link_newest(m, v, number):
    cpu, row = m[at.CPUS] + v * at.CPU_COLUMNS, _node(m, v, number)
    newest = m[cpu + at.NEWEST]
    if newest == at.NONE:
        m[row + at.NEWER] = m[row + at.OLDER] = number
    else:
        oldest = m[_node(m, v, newest) + at.NEWER]
        m[row + at.NEWER], m[row + at.OLDER] = oldest, newest
        m[_node(m, v, newest) + at.NEWER] = number
        m[_node(m, v, oldest) + at.OLDER] = number
    m[cpu + at.NEWEST] = number


@inlined
def _take_out(m, v, number):
    """Take a node out of its bucket."""
    row = _node(m, v, number)
    bucket, behind = m[row + at.BUCKET], m[row + at.NEXT_IN_BUCKET]
    other = _first_in(m, v, bucket)
    if other == number:
        _put_first(m, v, bucket, behind)
    else:
        while m[_node(m, v, other) + at.NEXT_IN_BUCKET] != number:
            other = m[_node(m, v, other) + at.NEXT_IN_BUCKET]
        m[_node(m, v, other) + at.NEXT_IN_BUCKET] = behind


@compiled
def _drop(m, v, number):
    """Take a node out of the order of use and of its bucket, and set it free."""
    _unlink(m, v, number)
    _take_out(m, v, number)
    cpu = m[at.CPUS] + v * at.CPU_COLUMNS
    m[_node(m, v, number) + at.OLDER] = m[cpu + at.FREE_NODE]
    m[cpu + at.FREE_NODE] = number
    m[cpu + at.HELD] -= 1


@inlined
def _new_newest(m, v):
    """Return the newest node, which holds nothing: a free one, or else that of the translation used longest ago."""
    cpu = m[at.CPUS] + v * at.CPU_COLUMNS
    if m[cpu + at.HELD] == m[at.TLB_ENTRIES]:
        number = m[_node(m, v, m[cpu + at.NEWEST]) + at.NEWER]
        _take_out(m, v, number)
        m[cpu + at.NEWEST] = number
        return number
    number = m[cpu + at.FREE_NODE]
    if number != at.NONE:
        m[cpu + at.FREE_NODE] = m[_node(m, v, number) + at.OLDER]
    else:
        number = m[cpu + at.NODES_USED]
        m[cpu + at.NODES_USED] += 1
    m[cpu + at.HELD] += 1
    _link_newest(m, v, number)
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
    number = _new_newest(m, v)
    row = _node(m, v, number)
    m[row + at.NODE_SPACE], m[row + at.NODE_PAGE], m[row + at.BUCKET] = space, page, bucket
    m[row + at.NEXT_IN_BUCKET] = _first_in(m, v, bucket)
    _put_first(m, v, bucket, number)
    return 1


@compiled
def _drop_space(m, space):
    """Forget a space on all virtual CPUs."""
    for v in range(m[at.VCPUS]):
        cpu = m[at.CPUS] + v * at.CPU_COLUMNS
        number = m[cpu + at.NEWEST]
        for _ in range(m[cpu + at.HELD]):
            older = m[_node(m, v, number) + at.OLDER]
            if m[_node(m, v, number) + at.NODE_SPACE] == space:
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
