"""What a file seems to be that is not what it was taken for: the command that would import it."""

from __future__ import annotations

import re

from simulator.workload.importers.trace_text import parse_ftrace, parse_perf

_STRACE = re.compile(r"(?:\[pid\s{1,9}\d{1,9}\] |\d{1,9} {1,9})?\d{9,12}\.\d{6,9} (?:\w{1,40}\(|---|\+\+\+|<\.\.\.)")


def looks_like(text: str) -> str:
    """Return what a line seems to be of, as a part of a message; nothing if it is like none of the known.

    >>> looks_like("# tracer: nop")
    '; this looks like ftrace (vmmsim import trace-cmd)'
    >>> looks_like("what is this")
    ''
    """
    if text.startswith(("# tracer: ", "cpus=")) or parse_ftrace(text) is not None:
        return "; this looks like ftrace (vmmsim import trace-cmd)"
    if parse_perf(text) is not None:
        return "; this looks like the text of perf script (vmmsim import perf, or kvm)"
    if _STRACE.match(text):
        return "; this looks like strace (vmmsim import strace)"
    if text.startswith("PERFILE2"):
        return "; this looks like the data of perf record (vmmsim import perf-data)"
    return ""
