"""Stand-ins of the idle task: some kernels do not trace what a CPU does when it wakes from its sleep.

There, the interrupt that ends the sleep, the waking of a task in it and the switch to that task are missing from a
recording. A loop at the lowest priority (SCHED_IDLE) on each CPU keeps the CPU from sleeping, so that all is traced;
the recorder takes its lines for those of the idle task. A CPU that wakes from a sleep takes longer to come to its task.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

_LOOP = ("/bin/sh", "-c", "while :; do :; done")


@contextmanager
def kept_awake(wanted: bool) -> Iterator[list[int]]:
    """Keep all CPUs from sleeping, if wanted; give the numbers of the processes that do."""
    loops: list[subprocess.Popen[bytes]] = []
    try:
        for cpu in sorted(os.sched_getaffinity(0)) if wanted else ():
            loop = subprocess.Popen(_LOOP, stdin=subprocess.DEVNULL, start_new_session=True)
            loops.append(loop)
            os.sched_setscheduler(loop.pid, os.SCHED_IDLE, os.sched_param(0))
            os.sched_setaffinity(loop.pid, {cpu})
        yield [loop.pid for loop in loops]
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
