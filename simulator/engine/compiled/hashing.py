"""Tables of the kernel's memory: rows with a key of two numbers, found by linear probing; half are used at most.

A row is told by where it begins. One whose first number is 0 is free, so first numbers of keys must not be 0.
"""

from __future__ import annotations

from simulator.engine.compiled import layout as at
from simulator.engine.compiled.jit import compiled, inlined

FREE = 0


@inlined
def mixed(first, second):
    """Return a number of two whose lower bits are well spread: they come from those in the middle of the products."""
    h = first * 7046029254386353131 + second * 1609587929392839161
    return h ^ (h >> 32)


@inlined
def place(m, table, first, second):
    """Return the row of a key, or the free row where it belongs."""
    base, mask, width = m[table], m[table + at.MASK], m[table + at.WIDTH]
    index = mixed(first, second) & mask
    row = base + index * width
    while m[row] != FREE and (m[row] != first or m[row + 1] != second):
        index = (index + 1) & mask
        row = base + index * width
    return row


@inlined
def enter(m, table, row, first, second):
    """Enter a key in a free row, whose other columns become 0."""
    m[row], m[row + 1] = first, second
    for column in range(2, m[table + at.WIDTH]):
        m[row + column] = 0
    m[table + at.USED] += 1


@compiled
def remove(m, table, row):
    """Free a row, and move up those behind it that would not be found otherwise."""
    base, mask, width = m[table], m[table + at.MASK], m[table + at.WIDTH]
    gap = (row - base) // width
    index = (gap + 1) & mask
    while m[base + index * width] != FREE:
        row = base + index * width
        home = mixed(m[row], m[row + 1]) & mask
        if ((index - home) & mask) >= ((index - gap) & mask):
            for column in range(width):
                m[base + gap * width + column] = m[row + column]
            gap = index
        index = (index + 1) & mask
    m[base + gap * width] = FREE
    m[table + at.USED] -= 1


@compiled
def clear(m, table):
    """Free all rows."""
    for index in range(m[table + at.MASK] + 1):
        m[m[table] + index * m[table + at.WIDTH]] = FREE
    m[table + at.USED] = 0


@inlined
def room(m, table):
    """Return how many more keys leave half of the rows free."""
    return (m[table + at.MASK] + 1) // 2 - m[table + at.USED]
