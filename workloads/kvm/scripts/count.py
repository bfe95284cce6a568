"""Counts KVM's exits in each program's window of the host's trace: count.py PAGING FOLDER, as rows of exits.csv.

A window lies between two writes of port 0x80 with the byte of window.c. Where the reason is a page fault, ``address``
tells of what: ``direct map`` is memory as the guest's kernel sees all of it, where it writes page tables; ``kernel`` is
the rest of the kernel's half, ``user`` the other. ``by`` is the function of the guest's kernel that made the access, or
``user``.
"""

import re
import sys
from bisect import bisect_right
from collections import Counter
from pathlib import Path

PROGRAMS = ("forkwait", "page-touch", "pingpong-processes")
MARK = re.compile(r"kvm_pio: pio_write at 0x80 .* val 0x55")
EXIT = re.compile(r"kvm_exit: .*reason (\S+)(?: excp)? rip (0x\w+) info1 0x\w+ info2 (0x\w+)")
DIRECT_MAP = range(0xFFFF888000000000, 0xFFFFC88000000000)


def functions(path: Path) -> list[tuple[int, str]]:
    """Return where each function of the guest's kernel begins, from its /proc/kallsyms."""
    fields = (line.split() for line in path.read_text().splitlines())
    return sorted((int(address, 16), name) for address, kind, name, *_ in fields if kind in "tT")


def main(paging: str, folder: Path) -> None:
    """Print the rows of one way of paging."""
    symbols = functions(folder / "guest-symbols.txt")
    starts = [start for start, _ in symbols]
    marks, counts = 0, Counter[tuple[int, str, str, str]]()
    with (folder / f"host-{paging}.txt").open() as lines:
        for line in lines:
            if MARK.search(line):
                marks += 1
            elif marks % 2 and (found := EXIT.search(line)):
                reason, rip, address = found[1], int(found[2], 16), int(found[3], 16)
                where = by = ""
                if reason == "PF":
                    where = "direct map" if address in DIRECT_MAP else "kernel" if address >> 63 else "user"
                    by = symbols[bisect_right(starts, rip) - 1][1] if rip >> 63 else "user"
                counts[marks // 2, reason, where, by] += 1
    if marks != 2 * len(PROGRAMS):
        sys.exit(f"host-{paging}.txt: {marks} marks, expected {2 * len(PROGRAMS)}")
    for (window, reason, where, by), count in sorted(counts.items()):
        sys.stdout.write(f"{PROGRAMS[window]},{paging},{reason},{where},{by},{count}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
