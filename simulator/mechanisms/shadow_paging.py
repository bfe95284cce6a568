"""Shadow paging: shadow page tables as a cache of the guest's, kept coherent by traces."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from pydantic import Field

from simulator.events import BY_NAME
from simulator.mechanisms.base import WHOLE_ORDER, Emit, Event, Mechanism, Parameters
from simulator.mechanisms.spaces import SPACE_SWITCH, CurrentSpaces, pages

_PAGE_FAULT = BY_NAME["page_fault"].code
_TOUCH = BY_NAME["touch"].code
_DESTROY = BY_NAME["space_destroy"].code
_FLUSH_PAGE, _FLUSH_ALL = BY_NAME["tlb_flush_page"].code, BY_NAME["tlb_flush_all"].code
_PTE_SET = BY_NAME["pte_set"].code
_PTE_CLEAR = BY_NAME["pte_clear"].code
_WRITES = {BY_NAME[name].code: name for name in ("pte_modify", "pte_clear", "pte_set")}
_UNPLACED = -1
_EMITTED = (
    "true_fault", "hidden_fault", "switch_space", "build_shadow_root", "reload_shadow_root", "free_shadow_root",
    "validate_shadow_entry", "resync_shadow_entry", "drop_trace", "traced_pte_set_only",
)  # fmt: skip


class ShadowPagingParameters(Parameters):
    """The structure of the software MMU.

    ``coherency``: ``trace`` emulates each write to a traced page table (2006); ``resync`` drops the trace on the first
    write, and makes shadow and guest agree again at the next reload or flush of all (Workstation 2.0).
    ``eager_install``: a traced write that makes an entry present installs it in the shadow too, which saves the hidden
    fault. ``cached_roots``: address spaces whose shadows are kept, the least recently run dropped first.
    ``prevalidated``: shadow entries, at most, that are validated when a kept shadow is loaded. ``recycled_tables``:
    page-table pages of dead spaces, at most, that stay traced, since the VMM does not see a process end; new spaces
    take their page tables from these first, as from a kernel's list of free tables. ``entries_per_table``: entries in a
    page of a page table.
    """

    coherency: Literal["trace", "resync"] = "trace"
    eager_install: bool = True
    cached_roots: Annotated[int, Field(ge=1)] = 16
    prevalidated: Annotated[int, Field(ge=0)] = 0
    recycled_tables: Annotated[int, Field(ge=0)] = 0
    entries_per_table: Annotated[int, Field(ge=1)] = 512


@dataclass(slots=True)
class _Shadow:
    """The shadow of one address space: entries by page, the guest tables that have shadows, and stale writes.

    ``rooted`` is false while the space never ran. ``plain`` are tables in use that have no shadow. ``untraced`` are
    those with a shadow whose trace was dropped.
    """

    rooted: bool = False
    entries: set[int] = field(default_factory=set)
    tables: set[int] = field(default_factory=set)
    plain: set[int] = field(default_factory=set)
    untraced: set[int] = field(default_factory=set)
    stale: int = 0


class ShadowPaging(Mechanism):
    """The software MMU of both VMMs of 2006.

    Reads: ``page_fault``, ``touch``, ``pte_modify``, ``pte_clear``, ``pte_set``, ``space_switch``, ``tlb_flush_page``,
    ``tlb_flush_all``, ``space_destroy``. State: the space in which each virtual CPU runs; for each space with a shadow,
    the pages that have a shadow entry and the guest's page tables that have shadows, which are traced; how many tables
    of dead spaces still are; the accesses of each virtual CPU that faulted last and were not made again yet. Emits:

    - ``true_fault``: a page fault that the guest's own tables cause; it is forwarded.
    - ``hidden_fault``: a page of a ``touch`` has no shadow entry yet. So has one whose entry was just written where
      the shadow did not follow (to a table without a shadow or a trace), when the faulting access is made again.
    - ``traced_pte_modify``, ``traced_pte_clear``, ``traced_pte_set``: a write to a traced table;
      ``traced_pte_set_only``: the last without ``eager_install``. ``pte_modify``, ``pte_clear``, ``pte_set``: a write
      to a table that is not traced, as natively.
    - ``switch_space`` with ``reload_shadow_root`` (the shadow was kept; ``validate_shadow_entry`` for each entry
      validated) or ``build_shadow_root``; ``free_shadow_root`` where one is dropped or its space is torn down.
    - under ``resync``: ``drop_trace``, and ``resync_shadow_entry`` for each write since, at the next reload or flush of
      all; a flush of pages repairs no more entries than it has pages.

    Writes whose page is not known count as writes to a table that is shadowed once its space has run.
    """

    name = "shadow_paging"
    schema = ShadowPagingParameters
    looks_at = frozenset({"space", "page"})

    def __init__(self, parameters: ShadowPagingParameters) -> None:
        self._parameters = parameters
        self._spaces = CurrentSpaces()
        self._shadows: OrderedDict[int, _Shadow] = OrderedDict()
        self._faulted: dict[int, tuple[int, range]] = {}
        self._recyclable = self._rooted = 0

    def reads(self) -> frozenset[int]:
        """Return the kinds that concern page tables and address spaces."""
        return frozenset({_PAGE_FAULT, _TOUCH, _DESTROY, SPACE_SWITCH, _FLUSH_PAGE, _FLUSH_ALL, *_WRITES})

    def emits(self) -> frozenset[str]:
        """Return all that it can take under any of its parameters."""
        return frozenset(_EMITTED).union(_WRITES.values(), (f"traced_{name}" for name in _WRITES.values()))

    def serve(self, event: Event, emit: Emit) -> None:
        """Serve one event, or several alike."""
        if event.kind == _PAGE_FAULT:
            emit("true_fault", event.count)
            self._faulted[event.vcpu] = (self._spaces.of(event), pages(event))
        elif event.kind in _WRITES:
            self._write(event, emit)
        elif event.kind == _TOUCH:
            self._take_pending(event)
            self._touch(self._shadow(self._spaces.of(event), emit), pages(event), emit)
        elif event.kind == SPACE_SWITCH:
            self._switch(event, emit)
        elif event.kind == _DESTROY:
            self._destroy(event.space, emit)
        elif shadow := self._shadows.get(self._spaces.of(event)):
            if event.kind == _FLUSH_ALL:
                self._resync(shadow, emit)
            else:
                self._repair(shadow, event.count, emit)

    def touches(self, event: Event) -> Iterator[tuple[Hashable, bool]]:
        """Give the shadow of the event's space and whether that still lives, the number of shadows, and dead tables.

        Which shadow ran longest ago hangs on the order of all rows; it matters once one has to be dropped.
        """
        if event.kind == _PAGE_FAULT:  # the virtual CPU makes a note for itself, which lasts as long as the space
            yield ("life", self._spaces.of(event)), False
            return
        space = event.space if event.kind in {SPACE_SWITCH, _DESTROY} else self._spaces.of(event)
        shadow = self._shadows.get(space) or _Shadow()
        yield ("space", space), True
        if event.kind == _DESTROY:
            yield ("life", space), True
            yield "shadows", True
            yield "dead tables", True
        elif not shadow.rooted and (event.kind in {SPACE_SWITCH, _TOUCH} or self._pending(event)):
            yield "shadows", True
            if self._rooted >= self._parameters.cached_roots:
                yield WHOLE_ORDER, True
        if event.kind in _WRITES and self._has_new_table(shadow, event):
            yield "dead tables", self._recyclable > 0

    def _has_new_table(self, shadow: _Shadow, event: Event) -> bool:
        """Tell whether an event writes to a table that is new to its space."""
        first, last = self._table(event.page), self._table(event.page + event.count - 1 if event.page >= 0 else -1)
        known = shadow.tables | shadow.plain | ({_UNPLACED} if shadow.tables else set())
        return any(table not in known for table in range(first, last + 1))

    def _shadow(self, space: int, emit: Emit) -> _Shadow:
        """Return the shadow of a space that runs; it is built if there is none."""
        shadow = self._shadows.setdefault(space, _Shadow())
        self._shadows.move_to_end(space)
        if not shadow.rooted:
            shadow.rooted = True
            emit("build_shadow_root", 1)
            self._evict(space, emit)
        return shadow

    def _evict(self, space: int, emit: Emit) -> None:
        """Drop the shadow that ran longest ago, if there are too many; those that run now are never dropped."""
        self._rooted += 1
        if self._rooted <= self._parameters.cached_roots:
            return
        running = self._spaces.running() | {space}
        idle = next((each for each, kept in self._shadows.items() if kept.rooted and each not in running), None)
        if idle is not None:
            del self._shadows[idle]
            self._rooted -= 1
            emit("free_shadow_root", 1)

    def _destroy(self, space: int, emit: Emit) -> None:
        """Drop the shadow of a dead space, and what faulted in it; some of its tables stay traced."""
        self._faulted = {vcpu: note for vcpu, note in self._faulted.items() if note[0] != space}
        shadow = self._shadows.pop(space, None)
        if shadow is not None:
            traced = len(shadow.tables - shadow.untraced)
            self._recyclable = min(self._recyclable + traced, self._parameters.recycled_tables)
            self._rooted -= shadow.rooted
            emit("free_shadow_root", int(shadow.rooted))

    def _traced_shadow(self, space: int, table: int) -> _Shadow | None:
        """Return the shadow of a space if one of its tables is traced; else None.

        A table that is new to its space may be one of a dead space, which still is.
        """
        shadow = self._shadows.setdefault(space, _Shadow())
        if table in shadow.tables or (table == _UNPLACED and shadow.tables):
            return shadow
        if table in shadow.plain or not self._recyclable:
            shadow.plain.add(table)
            return None
        self._recyclable -= 1
        shadow.tables.add(table)
        return shadow

    def _switch(self, event: Event, emit: Emit) -> None:
        self._spaces.switch(event)
        emit("switch_space", event.count)
        shadow = self._shadows.get(event.space)
        if shadow is None or not shadow.rooted:
            self._resync(self._shadow(event.space, emit), emit)
            emit("reload_shadow_root", event.count - 1)
            return
        self._shadows.move_to_end(event.space)
        emit("reload_shadow_root", event.count)
        emit("validate_shadow_entry", event.count * min(self._parameters.prevalidated, len(shadow.entries)))
        self._resync(shadow, emit)

    def _touch(self, shadow: _Shadow, touched: range, emit: Emit) -> None:
        missing = [page for page in touched if page not in shadow.entries]
        emit("hidden_fault", len(missing))
        shadow.entries.update(missing)
        shadow.tables.update({self._table(page) for page in missing})

    def _table(self, page: int) -> int:
        """Return which page of a page table holds the entry of a page."""
        return page // self._parameters.entries_per_table if page >= 0 else _UNPLACED

    def _write(self, event: Event, emit: Emit) -> None:
        """Write entries, those of each page of a page table by themselves."""
        size = self._parameters.entries_per_table
        while event.page >= 0 and event.page % size + event.count > size:
            part = size - event.page % size
            self._write_table(replace(event, count=part), emit)
            event = replace(event, page=event.page + part, count=event.count - part)
        self._write_table(event, emit)

    def _write_table(self, event: Event, emit: Emit) -> None:
        space, name = self._spaces.of(event), _WRITES[event.kind]
        table = self._table(event.page)
        shadow = self._traced_shadow(space, table)
        again = self._pending(event)
        if shadow is None and len(again) > 1:  # once the first is made again, its table is traced
            first = again.start + 1 - event.page
            self._write_table(replace(event, count=first), emit)
            self._write_table(replace(event, page=again.start + 1, count=event.count - first), emit)
        elif shadow is None:
            emit(name, event.count)
            self._retry(event, emit)
        elif self._parameters.coherency == "trace":
            self._traced(shadow, event, emit)
        else:
            self._write_without_trace(shadow, table, event, emit)

    def _pending(self, event: Event) -> range:
        """Return the pages of an event whose accesses faulted before, and are made again when the guest returns."""
        space, faulted = self._faulted.get(event.vcpu, (0, range(0)))
        if event.kind == _PTE_CLEAR or event.page < 0 or space != self._spaces.of(event):
            return range(0)
        return range(max(faulted.start, event.page), min(faulted.stop, event.page + event.count))

    def _take_pending(self, event: Event) -> range:
        """Note that accesses that faulted are made again; return their pages.

        They are made in order, so those to pages before were given up.
        """
        again = self._pending(event)
        if again:
            space, faulted = self._faulted[event.vcpu]
            self._faulted[event.vcpu] = (space, range(again.stop, faulted.stop))
        return again

    def _retry(self, event: Event, emit: Emit) -> None:
        """Make faulting accesses again, after their entries were written where the shadow did not follow.

        They faulted, so whatever the shadow holds of their pages does not let them through.
        """
        again = self._take_pending(event)
        if again:
            shadow = self._shadow(self._spaces.of(event), emit)
            shadow.entries.difference_update(again)
            self._touch(shadow, again, emit)

    def _traced(self, shadow: _Shadow, event: Event, emit: Emit) -> None:
        name = _WRITES[event.kind]
        written = pages(event) if event.page >= 0 else range(0)
        if event.kind == _PTE_SET and not self._parameters.eager_install:
            emit("traced_pte_set_only", event.count)
            self._retry(event, emit)
            return
        emit(f"traced_{name}", event.count)
        shadow.entries.update(self._take_pending(event))
        if event.kind == _PTE_SET:
            shadow.entries.update(written)
        elif event.kind == _PTE_CLEAR:
            shadow.entries.difference_update(written)

    def _write_without_trace(self, shadow: _Shadow, table: int, event: Event, emit: Emit) -> None:
        """Let the first write to a table fault and drop its trace; the others, and it, are stale until a resync."""
        name, first = _WRITES[event.kind], table not in shadow.untraced
        if first:
            emit("drop_trace", 1)
            shadow.untraced.add(table)
        emit(name, event.count)
        shadow.stale += event.count
        if event.kind == _PTE_CLEAR and event.page >= 0:
            shadow.entries.difference_update(pages(event))
        self._retry(event, emit)

    def _repair(self, shadow: _Shadow, count: int, emit: Emit) -> None:
        """Make the entries of some pages agree, as many as are stale at most; their tables stay untraced."""
        repaired = min(count, shadow.stale)
        emit("resync_shadow_entry", repaired)
        shadow.stale -= repaired

    def _resync(self, shadow: _Shadow, emit: Emit) -> None:
        emit("resync_shadow_entry", shadow.stale)
        shadow.stale = 0
        shadow.untraced.clear()
