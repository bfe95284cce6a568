"""The taxonomy: every kind of architecture-level event, in one table.

Codes stand in files and are append-only: a kind is never renumbered, reused or removed.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.errors import InputError, did_you_mean


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event: its code in files, its name in YAML and output, the columns it fills, and what it is."""

    code: int
    name: str
    columns: tuple[str, ...]
    about: str


# fmt: off
KINDS: tuple[EventKind, ...] = (
    EventKind(1, "user_compute", (), "a stretch of computation in user mode"),
    EventKind(2, "kernel_compute", (), "a stretch of computation in kernel mode"),
    EventKind(3, "syscall", ("number",), "a system call: kernel entry and return (syscall + sysret)"),
    EventKind(4, "port_in", ("number", "device"), "an IN instruction: a read from an I/O port"),
    EventKind(5, "port_out", ("number", "device"), "an OUT instruction: a write to an I/O port"),
    EventKind(6, "mmio_read", ("page", "device"), "a read from a memory-mapped device register"),
    EventKind(7, "mmio_write", ("page", "device"), "a write to a memory-mapped device register"),
    EventKind(8, "cr8_write", (), "a write to %cr8, the task-priority register, that unmasks no pending interrupt"),
    EventKind(9, "interrupt_flag_write", (), "cli, sti or popf in the kernel: a change of the interrupt flag"),
    EventKind(10, "call_ret", ("site",), "a call/return pair in kernel code"),
    EventKind(11, "page_fault", ("space", "page", "site"), "a true page fault: the guest's own tables forbid it"),
    EventKind(12, "exception", ("number", "site"), "any other exception, such as a division by zero"),
    EventKind(13, "pte_modify", ("space", "page", "site"), "a page-table write that keeps the present bit"),
    EventKind(14, "pte_clear", ("space", "page", "site"), "a page-table write: present to not-present"),
    EventKind(15, "pte_set", ("space", "page", "site"), "a page-table write: not-present to present"),
    EventKind(16, "space_switch", ("space",), "an address-space switch: a write to %cr3 that loads another space"),
    EventKind(17, "context_switch", ("task",), "the kernel switches to another task (the space may stay the same)"),
    EventKind(18, "tlb_flush_page", ("space", "page"), "invlpg: one page's translation is flushed"),
    EventKind(19, "tlb_flush_all", ("space",), "a full TLB flush that is not part of an address-space switch"),
    EventKind(20, "interrupt", ("number", "device"), "an interrupt is delivered, and returned from"),
    EventKind(21, "interrupt_completion", ("number", "device"), "the end-of-interrupt write"),
    EventKind(22, "halt", (), "hlt: the processor sleeps until an interrupt"),
    EventKind(23, "rdtsc", (), "a read of the time-stamp counter"),
    EventKind(24, "cpuid", (), "a cpuid instruction"),
    EventKind(25, "msr_read", ("number",), "rdmsr: a read of a model-specific register"),
    EventKind(26, "msr_write", ("number",), "wrmsr: a write of a model-specific register"),
    EventKind(27, "disk_request", ("device", "size"), "a request handed to a disk"),
    EventKind(28, "network_request", ("device", "size"), "a packet handed to a network device"),
    EventKind(29, "new_code", ("site",), "kernel code runs for the first time; one event an instruction"),
    EventKind(30, "first_touch", ("space", "page"), "the first access to a page of guest-physical memory"),
    EventKind(31, "wake", ("task",), "the running task makes another task runnable"),
    EventKind(32, "touch", ("space", "page"), "code accesses pages: as many as the count, one after the other"),
    EventKind(33, "kernel_code", ("site", "size"), "the kernel runs a piece of code: `size` instructions at `site`"),
    EventKind(34, "tlb_miss", (), "computation misses in the TLB, where a workload states a rate and not the pages"),
    EventKind(35, "space_destroy", ("space",), "an address space is torn down, at an exit or exec"),
    EventKind(36, "host_interrupt", (), "an interrupt for the host while a guest runs; natively there is none"),
)
# fmt: on

BY_NAME: dict[str, EventKind] = {kind.name: kind for kind in KINDS}
BY_CODE: dict[int, EventKind] = {kind.code: kind for kind in KINDS}

USER_COMPUTE = BY_NAME["user_compute"].code
KERNEL_COMPUTE = BY_NAME["kernel_compute"].code
COMPUTE_KINDS = frozenset({USER_COMPUTE, KERNEL_COMPUTE})
ACTIVITY_KINDS = COMPUTE_KINDS | {BY_NAME[name].code for name in ("touch", "kernel_code", "tlb_miss")}
"""What goes on between the operations of a guest; rates and costs per event leave it out."""
REQUEST_KINDS = frozenset({BY_NAME["disk_request"].code, BY_NAME["network_request"].code})
CONTEXT_SWITCH = BY_NAME["context_switch"].code
WAKE = BY_NAME["wake"].code
HALT = BY_NAME["halt"].code
INTERRUPT = BY_NAME["interrupt"].code
INTERRUPT_COMPLETION = BY_NAME["interrupt_completion"].code
EVENTS_PER_INTERRUPT = 2
"""Of an interrupt that an engine delivers: the interrupt, and its completion."""


def kind_code(name: str) -> int:
    """Return the code of an event kind by name.

    Raises:
        InputError: no such kind; the message names the nearest.
    """
    try:
        return BY_NAME[name].code
    except KeyError:
        raise InputError(f"no event kind '{name}'{did_you_mean(name, BY_NAME)}") from None
