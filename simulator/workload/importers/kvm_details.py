"""What the lines after an exit add to it: other tracepoints of KVM that tell a port, a register or an address.

Each function takes the event so far and the fields of a line, and returns the event with what the line tells; None
where that belongs to another event. It raises ValueError for fields that it cannot read.

A ``kvm_eoi`` alone makes no completion: KVM also writes it for an end of interrupt that the guest told in its memory,
as it next leaves for whatever reason. So it tells a vector, and the exit itself whether it is a completion.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from simulator.workload.importers import kvm_reasons as guest
from simulator.workload.importers.kvm_reasons import Event, page_of

_MSR = re.compile(r"msr_(read|write) ([0-9a-f]{1,8}) =")
_PIO = re.compile(r"pio_(read|write) at 0x([0-9a-f]{1,4}) ")
_MMIO = re.compile(r"mmio (unsatisfied-read|read|write) len \d+ gpa 0x([0-9a-f]{1,16})")
_FAST_MMIO = re.compile(r"fast mmio at gpa 0x([0-9a-f]{1,16})")
_FAULT = re.compile(r".*\baddress (?:0x)?([0-9a-f]{1,16}) error_code")
_CR = re.compile(r"cr_(read|write) ([0-9a-f]{1,2}) =")
_EOI = re.compile(r"apicid [0-9a-f]+ vector (-?\d{1,3})")
_MEMORY = (guest.FIRST_TOUCH, guest.MMIO_READ, guest.MMIO_WRITE)


def _fields(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    match = pattern.match(text)
    if match is None:
        raise ValueError(text)
    return match.groups()


def _msr(event: Event, text: str) -> Event | None:
    way, number = _fields(_MSR, text)
    if event.kind not in (guest.MSR_READ, guest.MSR_WRITE):
        return None
    return guest.msr_access(int(number, 16), way == "write", event.ended)


def _pio(event: Event, text: str) -> Event | None:
    way, port = _fields(_PIO, text)
    if event.kind not in (guest.PORT_IN, guest.PORT_OUT):
        return None
    return Event(guest.PORT_IN if way == "read" else guest.PORT_OUT, number=int(port, 16))


def _mmio(event: Event, text: str) -> Event | None:
    way, address = _fields(_MMIO, text)
    if event.kind not in (guest.INTERRUPT_COMPLETION, *_MEMORY):
        return None
    return guest.device_access(int(address, 16), way == "write", event.ended)


def _fast_mmio(event: Event, text: str) -> Event | None:
    (address,) = _fields(_FAST_MMIO, text)
    if event.kind not in _MEMORY:
        return None
    return guest.device_access(int(address, 16), True, event.ended)


def _page_fault(event: Event, text: str) -> Event | None:
    (address,) = _fields(_FAULT, text)
    if event.kind != guest.FIRST_TOUCH:
        return None
    return event._replace(page=page_of(int(address, 16)))


def _cr(event: Event, text: str) -> Event | None:
    way, number = _fields(_CR, text)
    return guest.cr_access(int(number, 16), way == "write") if not event.sure else None


def _eoi(event: Event, text: str) -> Event | None:
    (vector,) = _fields(_EOI, text)
    if event.kind not in (guest.MSR_WRITE, guest.INTERRUPT_COMPLETION, *_MEMORY):
        return None
    ended = max(int(vector), -1)
    if event.kind == guest.INTERRUPT_COMPLETION or event == guest.UNTOLD_APIC:
        return Event(guest.INTERRUPT_COMPLETION, number=ended, ended=ended)
    return event._replace(ended=ended)


DETAILS: Mapping[str, Callable[[Event, str], Event | None]] = {
    "kvm_msr": _msr,
    "kvm_pio": _pio,
    "kvm_mmio": _mmio,
    "kvm_fast_mmio": _fast_mmio,
    "kvm_page_fault": _page_fault,
    "kvm_cr": _cr,
    "kvm_eoi": _eoi,
}
"""Who reads the lines of each tracepoint."""
