"""The kernel's own counts of what a command and its descendants did, to set beside a recording.

Counters are opened on this process, switched off, to be inherited: a child's copy begins to count when it executes a
program, and what its descendants count comes back when they end. They go through ``perf_event_open`` itself, so that
they share nothing with the recording but the kernel.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from simulator.workload.recorder.permissions import TRACEFS

_SYSTEM_CALL = {"x86_64": 298, "aarch64": 241}
_SOFTWARE, _TRACEPOINT = 1, 2
_PAGE_FAULTS, _CONTEXT_SWITCHES = 2, 3
_ATTRIBUTES = struct.Struct("IIQQQQQ")  # type, size, config, period, sample_type, read_format, flags
_SIZE = 64  # PERF_ATTR_SIZE_VER0
_DISABLED, _INHERIT, _ENABLE_ON_EXEC = 1 << 0, 1 << 1, 1 << 12
_CLOSE_ON_EXEC = 8
_SYSCALLS_ID = "events/raw_syscalls/sys_enter/id"


@dataclass(slots=True)
class Counters:
    """Counters that are open; ``why_not`` says which could not be opened, and why."""

    why_not: dict[str, str] = field(default_factory=dict)
    _open: dict[str, int] = field(default_factory=dict)

    def read(self) -> Mapping[str, int]:
        """Return what the command's programs have done so far, those that have ended included."""
        return {name: struct.unpack("Q", os.read(file, 8))[0] for name, file in self._open.items()}


@contextmanager
def counting() -> Iterator[Counters]:
    """Open counters for all programs that are executed from now on by children of this process."""
    counters = Counters()
    wanted = {
        "page_fault": (_SOFTWARE, _PAGE_FAULTS),
        "context_switch": (_SOFTWARE, _CONTEXT_SWITCHES),
        "syscall": (_TRACEPOINT, -1),
    }
    try:
        for name, (kind, config) in wanted.items():
            try:
                number = config if config >= 0 else int((TRACEFS / _SYSCALLS_ID).read_text())
                counters._open[name] = _open(kind, number)
            except OSError as error:
                counters.why_not[name] = error.strerror or str(error)
        yield counters
    finally:
        for file in counters._open.values():
            os.close(file)


def _open(kind: int, config: int) -> int:
    """Open one counter; raises OSError."""
    number = _SYSTEM_CALL.get(platform.machine())
    if number is None:
        raise OSError(0, f"perf_event_open is not known on {platform.machine()}")
    flags = _DISABLED | _INHERIT | _ENABLE_ON_EXEC
    attributes = _ATTRIBUTES.pack(kind, _SIZE, config, 0, 0, 0, flags).ljust(_SIZE, b"\0")
    buffer = ctypes.create_string_buffer(attributes, _SIZE)
    library = ctypes.CDLL(None, use_errno=True)
    file = library.syscall(number, buffer, 0, -1, -1, _CLOSE_ON_EXEC)
    if file < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(file)
