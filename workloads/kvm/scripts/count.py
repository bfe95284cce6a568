"""Counts KVM's exits in each program's window of the host's trace: count.py PAGING FOLDER, as rows of exits.csv.

A window lies between two writes of port 0x80 with the byte of window.c. ``what`` is the register of an access to a
model-specific register, and the place of the address of a page fault: ``direct map`` is memory as the guest's kernel
sees all of it, where it writes page tables; ``kernel`` is the rest of the kernel's half, ``user`` the other.
``access`` is what a page fault's error code tells, and ``by`` the function of the guest's kernel that made it, or
``user``.
"""

import re
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# In the order in which guest-init runs them, which host-record.sh and keep.sh name, too.
PROGRAMS = ("forkwait", "page-touch", "pingpong-processes")
WRITTEN = re.compile(r"# entries-in-buffer/entries-written: (\d+)/(\d+)")
MARK = re.compile(r"kvm_pio: pio_write at 0x80 .* val 0x55")
EXIT = re.compile(r"kvm_exit: .*reason (\S+)(?: excp)? rip (0x\w+) info1 (0x\w+) info2 (0x\w+)")
REGISTER = re.compile(r"kvm_msr: msr_\w+ (\w+) =")
DIRECT_MAP = range(0xFFFF888000000000, 0xFFFFC88000000000)
PRESENT, WRITE, FETCH = 1, 2, 16


class Exit(NamedTuple):
    """What is told apart."""

    reason: str
    what: str = ""
    access: str = ""
    by: str = ""


def functions(path: Path) -> list[tuple[int, str]]:
    """Return where each function of the guest's kernel begins, from its /proc/kallsyms."""
    fields = (line.split() for line in path.read_text().splitlines())
    return sorted((int(address, 16), name) for address, kind, name, *_ in fields if kind in "tTwW")


def fault(rip: int, error: int, address: int, symbols: list[tuple[int, str]]) -> Exit:
    """Return what a page fault was about."""
    what = "direct map" if address in DIRECT_MAP else "kernel" if address >> 63 else "user"
    access = "write" if error & WRITE else "fetch" if error & FETCH else "read"
    by = symbols[bisect_right(symbols, (rip, "\uffff")) - 1][1] if rip >> 63 else "user"
    return Exit("PF", what, f"{access} {'present' if error & PRESENT else 'absent'}", by)


def exits(path: Path, symbols: list[tuple[int, str]]) -> Iterator[tuple[int, Exit]]:
    """Give each exit within a window, with the window's number.

    Raises:
        ValueError: an exit cannot be read, events were lost, or marks are missing.
    """
    marks, register = 0, False
    with path.open() as lines:
        for line in lines:
            if (written := WRITTEN.match(line)) and written[1] != written[2]:
                raise ValueError(f"{path}: events were lost: {line.strip()}")
            if MARK.search(line):
                marks += 1
            elif marks % 2 and "kvm_exit: " in line:
                found = EXIT.search(line)
                if not found:
                    raise ValueError(f"{path}: {line.strip()}")
                rip, error, address = (int(found[i], 16) for i in (2, 3, 4))
                register = found[1] == "msr"
                if not register:
                    yield marks // 2, fault(rip, error, address, symbols) if found[1] == "PF" else Exit(found[1])
            elif register and (told := REGISTER.search(line)):
                register = False
                yield marks // 2, Exit("msr", told[1])
    if marks != 2 * len(PROGRAMS):
        raise ValueError(f"{path}: {marks} marks, expected {2 * len(PROGRAMS)}")


def main(paging: str, folder: Path) -> None:
    """Print the rows of one way of paging."""
    symbols = functions(folder / "guest-symbols.txt")
    counts = Counter(exits(folder / f"host-{paging}.txt", symbols))
    for (window, each), count in sorted(counts.items()):
        sys.stdout.write(f"{PROGRAMS[window]},{paging},{','.join(each)},{count}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
