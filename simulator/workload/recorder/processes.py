"""The processes of this machine, and the wait for some of them to end."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from simulator.errors import RecordError

PROC = Path("/proc")
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD in the kernel's include/linux/sched.h
_PARENT, _FLAGS = 1, 6  # after the name: state, parent, group, session, terminal, its group, flags
_SECONDS_TO_END = 5


def _stat() -> Iterator[tuple[int, int, int]]:
    """Yield number, parent and flags of each process."""
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                text = (folder / "stat").read_text(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            rest = text.rpartition(")")[2].split()
            yield int(folder.name), int(rest[_PARENT]), int(rest[_FLAGS])


def kernel_threads() -> set[int]:
    """Return the kernel's own threads."""
    return {pid for pid, _, flags in _stat() if flags & _KERNEL_THREAD}


def with_descendants(pids: Collection[int]) -> set[int]:
    """Return all tasks of some processes and of those that they have forked, threads included.

    Raises:
        RecordError: there is no such process.
    """
    parents = {pid: parent for pid, parent, _ in _stat()}
    if unknown := sorted(set(pids) - parents.keys()):
        raise RecordError(f"--pid {unknown[0]}: there is no such process")
    found = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
        found |= more
    return {task for pid in found for task in _threads(pid)}


def _threads(pid: int) -> Iterable[int]:
    try:
        return [int(folder.name) for folder in (PROC / str(pid) / "task").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def start(command: Sequence[str], output: int | None = None) -> subprocess.Popen[bytes]:
    """Start a command; ``output`` is where its standard output goes, if elsewhere than ours.

    Raises:
        RecordError: there is no such program, or it must not be executed.
    """
    program = shutil.which(command[0])
    if program is None:
        raise RecordError(f"{command[0]}: there is no such program, or it must not be executed")
    try:
        return subprocess.Popen(command, stdout=output, executable=program)
    except OSError as error:
        raise RecordError(f"{command[0]}: {error.strerror}") from None


def wait_for(pids: Collection[int], seconds: float | None) -> bool:
    """Wait until all processes have ended, or so many seconds have passed, or the user interrupts.

    Return whether the user did. With no process, wait for one of the others.
    """
    end = None if seconds is None else time.monotonic() + seconds
    files = {_open(pid) for pid in pids} - {-1}
    poll = select.poll()
    for file in files:
        poll.register(file, select.POLLIN)
    waiting = set(files)
    try:
        while waiting or not pids:
            left = None if end is None else max(end - time.monotonic(), 0)
            ended = [file for file, _ in poll.poll(None if left is None else 1000 * left)]
            if not ended:
                return False
            for file in ended:
                poll.unregister(file)
                waiting.discard(file)
        return False
    except KeyboardInterrupt:
        return True
    finally:
        for file in files:
            os.close(file)


def _open(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return -1


def end_of(command: subprocess.Popen[bytes], interrupted: bool) -> int:
    """Wait for a command, which is told to end if it has not; return its exit code as a shell tells it.

    After an interrupt from the keyboard it has had its own; otherwise it gets ours. One that has run for as long as it
    was given has done its part: 0.
    """
    if command.poll() is None and not interrupted:
        _tell(command, signal.SIGTERM)
        return 0
    if command.poll() is None and not _has_terminal():
        _tell(command, signal.SIGINT)
    code = command.wait()
    return 128 - code if code < 0 else code


def _tell(command: subprocess.Popen[bytes], number: signal.Signals) -> None:
    command.send_signal(number)
    try:
        command.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        command.kill()
        command.wait()


def _has_terminal() -> bool:
    """Whether an interrupt comes from a terminal, which sends it to the command too."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
