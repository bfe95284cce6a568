"""The tracepoints that a recording asks for, and what a stream lacks without each."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """Tracepoints that tell one thing together, and what a stream without them lacks."""

    tracepoints: tuple[str, ...]
    without: str
    needed: bool = False


GROUPS = (
    Group(
        (
            "sched:sched_switch",
            "sched:sched_waking",
            "sched:sched_wakeup_new",
            "sched:sched_process_fork",
            "sched:sched_process_exec",
            "sched:sched_process_exit",
        ),
        "which task runs where, and what it waits for, is not known",
        needed=True,
    ),
    Group(
        ("raw_syscalls:sys_enter", "raw_syscalls:sys_exit"),
        "system calls, and what is user and what kernel time, are not known",
        needed=True,
    ),
    Group(
        ("exceptions:page_fault_user", "exceptions:page_fault_kernel"),
        "no page faults: what they cost is missing under every model, so slowdowns are too low",
    ),
    Group(
        ("kmem:rss_stat",),
        "page-table writes only where a fault implies one: none of fork, exec, exit, mmap and munmap; "
        "what shadow paging costs is far too low",
    ),
    Group(
        ("tlb:tlb_flush",),
        "no TLB flushes; address-space switches are guessed from context switches",
    ),
    Group(
        ("irq_vectors:local_timer_entry", "irq_vectors:local_timer_exit"),
        "no timer interrupts",
    ),
    Group(
        ("irq_vectors:reschedule_entry", "irq_vectors:call_function_single_entry"),
        "no interrupts from one CPU to another",
    ),
    Group(
        ("irq:irq_handler_entry", "irq:irq_handler_exit", "irq:softirq_entry", "irq:softirq_exit"),
        "no interrupts of devices; who ended a wait in them is told from the sleeper alone",
    ),
    Group(
        ("block:block_rq_issue", "block:block_rq_complete"),
        "no disk requests; waits for a disk are waits of a fixed time",
    ),
    Group(
        ("msr:read_msr", "msr:write_msr"),
        "no accesses to model-specific registers, so none of the exits that timers and interrupts between CPUs cause",
    ),
)
WANTED = tuple(name for group in GROUPS for name in group.tracepoints)


def scheduling(names: Collection[str]) -> list[str]:
    """Return the tracepoints of the scheduler among some, in order.

    They are kept even of the recorder itself: they tell when a CPU is somebody else's.
    """
    return [name for name in names if name.startswith("sched:")]


def missing(available: Collection[str]) -> Iterator[tuple[Group, list[str]]]:
    """Yield each group of which the kernel lacks tracepoints, with those that it lacks."""
    for group in GROUPS:
        if lacking := [name for name in group.tracepoints if name not in available]:
            yield group, lacking
