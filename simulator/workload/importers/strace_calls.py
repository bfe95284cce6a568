"""What strace's text tells of a system call: whether it may sleep, and on which descriptors.

strace tells how long a call took and not whether its task slept meanwhile. So this goes by name: calls that exist to
wait, and reads and the like on descriptors that are no files.
"""

from __future__ import annotations

import re

FORKS = frozenset({"clone", "clone3", "fork", "vfork"})
EXECS = frozenset({"execve", "execveat"})
EXITS = frozenset({"exit", "exit_group"})
WAITS_FOR_CHILD = frozenset({"wait4", "waitid"})
KILLS = frozenset({"kill", "tkill", "tgkill"})

_SLEEPS = frozenset({"nanosleep", "clock_nanosleep", "pause", "wait4", "waitid", "restart_syscall"})
_SLEEPS |= {"poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2", "rt_sigtimedwait"}
_SLEEPS |= {"rt_sigsuspend", "semop", "semtimedop", "msgrcv", "msgsnd", "mq_timedreceive", "mq_timedsend", "flock"}
_SLEEPS |= {"accept", "accept4", "connect", "recvfrom", "recvmsg", "recvmmsg", "futex_wait", "futex_waitv"}
_SLEEPS |= {"io_getevents", "io_pgetevents", "fsync", "fdatasync", "sync", "syncfs", "msync"}
_ON_DESCRIPTOR = frozenset({"read", "readv", "write", "writev"})
_OPENS = frozenset({"open", "openat", "openat2", "creat"})
DESCRIPTORS = _OPENS | {"close"}
_FIRST_NUMBER = re.compile(r"(\d{1,9})(<.)?")
_FILE_MARK = "</"  # what -y adds to the descriptor of a file: its path
_TARGETS = re.compile(r"(\d{1,9})(?:, (\d{1,9}))?(?:, |$)")


def may_sleep(name: str, arguments: str, files: set[int]) -> bool:
    """Tell whether a call may put its task to sleep; ``files`` are the descriptors known to be of files.

    >>> may_sleep("read", "3, ", {3}), may_sleep("read", "0, ", {3}), may_sleep("getpid", "", set())
    (False, True, False)
    """
    if name in _ON_DESCRIPTOR:
        match = _FIRST_NUMBER.match(arguments)
        return match is not None and match[2] != _FILE_MARK and int(match[1]) not in files
    return name in _SLEEPS or (name == "futex" and "FUTEX_WAIT" in arguments)


def note_descriptors(name: str, arguments: str, result: int | None, files: set[int]) -> None:
    """Keep the descriptors of files by what a call did that succeeded."""
    if name in _OPENS and result is not None and result >= 0:
        files.add(result)
    elif name == "close":
        match = _FIRST_NUMBER.match(arguments)
        if match is not None:
            files.discard(int(match[1]))


def is_vfork(name: str, arguments: str) -> bool:
    """Tell whether a fork makes its parent wait until the child execs or exits."""
    return name == "vfork" or "CLONE_VFORK" in arguments


def shares_space(name: str, arguments: str) -> bool:
    """Tell whether the child of a fork lives in its parent's address space."""
    return name == "vfork" or (name != "fork" and "CLONE_VM" in arguments)


def killed(arguments: str) -> int:
    """Return the task that a signal was sent to; -1 if that is not told.

    >>> killed("70, SIGTERM"), killed("70, 71, SIGTERM"), killed("-70, SIGTERM")
    (70, 71, -1)
    """
    match = _TARGETS.match(arguments)
    return int(match[2] or match[1]) if match is not None else -1


def program(arguments: str) -> str:
    """Return the name that an execve gives its task.

    >>> program('"/usr/bin/true", ["true"], 0x7ffe /* 3 vars */')
    'true'
    """
    match = re.match(r'(?:AT_FDCWD, |\d{1,9}(?:<[^>]*>)?, )?"((?:[^"\\]|\\.){0,4096})"', arguments)
    name = match[1].rpartition("/")[2] if match is not None else ""
    return re.sub(r"[^\w.+-]", "_", name)[:15] or "unknown"
