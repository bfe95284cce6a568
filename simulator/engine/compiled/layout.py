"""Where each number stands in the kernel's memory, one array of 64-bit integers.

It begins with a header: parameters, single numbers of state, and where the parts are. A part is a run of rows of equal
length; the names of its columns are counted from the beginning of a row. A *table* is a part whose rows are found by a
key of two numbers; the header has its place, its number of rows less one (a mask), the length of a row, and how many
keys it holds.
"""

from __future__ import annotations

# The header: parameters
(
    USER_RATE, KERNEL_RATE, TRACED_COHERENCY, EAGER_INSTALL, CACHED_ROOTS, PREVALIDATED, RECYCLED_TABLES,
    ENTRIES_PER_TABLE, PAGES_PER_VIOLATION, GUILTY_AFTER, INNOCENT_AFTER, CAPACITY, UNIT, TLB_ENTRIES, TLB_TAGGED,
    TLB_BUCKETS, VCPUS, TABLE_SHIFT,
) = range(18)  # fmt: skip
# state
(
    FIRST_SPACE, LAST_SPACE, ROOTED_SPACES, RECYCLABLE, FREE_SLOT, SLOTS_USED, SLOTS_THERE, IN_USE, BACKED, FILL, ROOM,
) = range(18, 29)  # fmt: skip
# parts
(
    KINDS, OUTPUTS, FORMS, COUNTS, OUTPUTS_THERE, CPUS, NODES, BUCKETS, SLOTS,
) = range(29, 38)  # fmt: skip
# tables, four numbers each
SPACES, ENTRIES, TABLES, SITES, PIECES = range(38, 58, 4)
ALL_TABLES = (SPACES, ENTRIES, TABLES, SITES, PIECES)
MASK, WIDTH, USED = 1, 2, 3
WIDTHS = {SPACES: 3, ENTRIES: 3, TABLES: 4, SITES: 5, PIECES: 2}
HEADER = 58

# A row for each event kind
KIND_PRICE, ASKED, SHADOWED, NESTED, FORM_OF_KIND, CACHED, LOOKED_UP, KIND_EMPTIES, KIND_COLUMNS = range(9)

# A row for each output, which is a bundle of actions that a mechanism takes together
PRICE, EMPTIES, FORM, INNOCENT, TIMES, OUTPUT_COLUMNS = range(6)

# Outputs with a place of their own; those of forms follow them
(
    TRUE_FAULT, HIDDEN_FAULT, SWITCH_SPACE, BUILD_ROOT, RELOAD_ROOT, FREE_ROOT, VALIDATE_ENTRY, RESYNC_ENTRY,
    DROP_TRACE, SET_ONLY, MODIFY, CLEAR, SET, TRACED_MODIFY, TRACED_CLEAR, TRACED_SET, NESTED_VIOLATION, TRANSLATE,
    CHAIN_UNIT, FLUSH_CACHE, PAGE_WALK, RETRANSLATE, NAMED_OUTPUTS,
) = range(23)  # fmt: skip

# A row for each form of an operation that adapts: its outputs
TRAPPING, ADAPTED, INNOCENT_OUT, ADAPTED_INNOCENT, FORM_COLUMNS = range(5)

# A row for each virtual CPU
(
    CURRENT, SWITCHED, FAULT_SPACE, FAULT_PAGE, FAULTS, NEWEST, HELD, FREE_NODE, NODES_USED, TLB_EPOCH, CPU_COLUMNS,
) = range(11)  # fmt: skip

# A row for each address space that has, or had, a shadow
(
    SPACE, BEFORE, AFTER, ROOTED, ENTRIES_HELD, TABLES_HELD, UNTRACED_TABLES, STALE, GENERATION, TRACE_EPOCH, LIVE,
    SLOT_COLUMNS,
) = range(12)  # fmt: skip
SLOT_BITS = 24

# Columns of tables, after the key
SLOT_OF_SPACE = 2
PRESENT = 2
PAGES_SHIFT = 6
"""A row of entries tells by its bits which of 64 pages have a shadow entry: 2 to the power of this."""
FLAGS, DROPPED_IN = 2, 3
IN_SHADOW, IN_PLAIN = 1, 2
TRAPS, IS_ADAPTED, INNOCENT_RUNS = 2, 3, 4

# A row for each translation that a TLB may hold, and one for each of its buckets
NODE_SPACE, NODE_PAGE, NEWER, OLDER, NEXT_IN_BUCKET, BUCKET, NODE_COLUMNS = range(7)
BUCKET_COLUMNS = 1
EPOCH_SHIFT = 24
"""A bucket is one number: the epoch in which it was last used, and in its lower bits its first node + 1, 0 for none."""

DONE, GROW, BAD_CODE = 0, 1, 2
"""How a walk ended: as asked; before a row for which a table is too small; before a piece of code of a wrong size."""

NONE = -1
