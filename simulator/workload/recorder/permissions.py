"""What the machine lets a recording do: is ``perf`` there, may we use it, which tracepoints has the kernel?

Every refusal says what to install or which setting to change.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from simulator.errors import RecordError
from simulator.workload.recorder.tracepoints import WANTED, missing

TRACEFS = Path("/sys/kernel/tracing")
PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
_DENIED = ("permission", "not permitted", "access to performance monitoring", "can't access trace events", "eacces")
_OPTION = ("unknown option", "no such option", "invalid option")


def find_perf() -> str:
    """Return the path of ``perf``.

    Raises:
        RecordError: it is not installed; the message says how to install it.
    """
    path = shutil.which("perf")
    if path is None:
        raise RecordError(
            "recording needs perf, and there is none on the PATH: install it "
            "(Debian: apt-get install linux-perf; Ubuntu: linux-tools-generic; Fedora, Arch: perf)"
        )
    return path


def available_tracepoints(perf: str, tracefs: Path = TRACEFS) -> list[str]:
    """Return those of the wanted tracepoints that the running kernel has, as ``perf list`` tells.

    Raises:
        RecordError: perf sees none at all, or none of those without which there is no stream; the message says why.
    """
    listed = subprocess.run([perf, "list", "--raw-dump", "tracepoint"], capture_output=True, text=True, check=False)
    known = set(listed.stdout.split())
    if not any(":" in name for name in known):
        raise RecordError(_why_no_tracepoints(tracefs))
    for group, lacking in missing(known):
        if group.needed:
            names = ", ".join(lacking)
            raise RecordError(f"this kernel has no tracepoint {names}: {group.without}, so there can be no recording")
    return [name for name in WANTED if name in known]


def _why_no_tracepoints(tracefs: Path) -> str:
    """Return why perf sees no tracepoints: the kernel's file system of tracepoints is absent, or closed to us."""
    try:
        mounted = any(tracefs.iterdir())
    except PermissionError:
        return (
            f"no permission to read {tracefs}, where the kernel lists its tracepoints: run as root, or "
            f"`sudo mount -o remount,mode=755 {tracefs}`"
        )
    except FileNotFoundError:
        return (
            f"{tracefs} does not exist: this kernel was built without tracepoints (CONFIG_TRACEPOINTS, CONFIG_FTRACE)"
        )
    if mounted:
        return (
            f"perf lists no tracepoints, though {tracefs} is there: no permission to read {tracefs}/events (be root, "
            f"or `sudo mount -o remount,mode=755 {tracefs}`), or a perf without libtraceevent"
        )
    return f"{tracefs} is empty: `sudo mount -t tracefs tracefs {tracefs}` (in a container: on its host)"


def explain_failure(stderr: str, paranoid: Path = PARANOID) -> str:
    """Return why ``perf record`` did not start, from what it printed, and which setting or capability is missing."""
    said = " ".join(stderr.split())
    lowered = said.lower()
    if any(word in lowered for word in _DENIED):
        level = _read(paranoid)
        return (
            f"the kernel does not let perf record: kernel.perf_event_paranoid is {level}, and events of the kernel on "
            "all CPUs need -1 (`sudo sysctl kernel.perf_event_paranoid=-1`), or the capability CAP_PERFMON "
            "(`sudo setcap cap_perfmon,cap_sys_ptrace,cap_ipc_lock=ep $(readlink -f $(which perf))`), or root; in a "
            f"container the capability must be given to it. perf said: {said[:300]}"
        )
    if "mlock" in lowered or "mmap" in lowered:
        return (
            "the kernel gives perf too little memory for its buffers: raise kernel.perf_event_mlock_kb, or ask for "
            f"less with --buffer. perf said: {said[:300]}"
        )
    if any(word in lowered for word in _OPTION):
        return f"this perf is too old: 5.10 or newer is needed (--control). perf said: {said[:300]}"
    return f"perf record did not start: {said[:500] or 'it said nothing'}"


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return "not known"
