"""Why a guest left for KVM, by the names of Intel and AMD, and what the guest did there in the terms of the taxonomy.

The kernel prints short names (``npf``), the plugins of perf and trace-cmd others (``EXIT_NPF``), manuals
longer ones (``EXIT_REASON_HLT``); ``reason_name`` makes them one. What a reason's numbers mean
(``info1``, ``info2``, ``intr_info``) is that of the Intel SDM, volume 3, chapter 29 'VM exits', and of the AMD APM,
volume 2, chapter 15 and appendix C.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from simulator.events import BY_CODE, kind_code
from simulator.workload.importers.perf_text import PAGE_SHIFT

CPUID = kind_code("cpuid")
CR8_WRITE = kind_code("cr8_write")
EXCEPTION = kind_code("exception")
FIRST_TOUCH = kind_code("first_touch")
HALT = kind_code("halt")
HOST_INTERRUPT = kind_code("host_interrupt")
INTERRUPT_COMPLETION = kind_code("interrupt_completion")
MMIO_READ = kind_code("mmio_read")
MMIO_WRITE = kind_code("mmio_write")
MSR_READ = kind_code("msr_read")
MSR_WRITE = kind_code("msr_write")
PAGE_FAULT = kind_code("page_fault")
PORT_IN = kind_code("port_in")
PORT_OUT = kind_code("port_out")
RDTSC = kind_code("rdtsc")
SPACE_SWITCH = kind_code("space_switch")
TLB_FLUSH_ALL = kind_code("tlb_flush_all")
TLB_FLUSH_PAGE = kind_code("tlb_flush_page")

NONE = 0
"""The kind of an exit that the taxonomy has no event for."""
NOT_EXITING = "what does not exit: system calls, page faults under nested paging, task switches, page-table writes"
"""What exits tell nothing of."""
WHOSE_FAULTS = "which page faults were the guest's own and which the VMM's"
"""What page faults that exited do not tell."""
VMM_FAULTS = (
    "under shadow paging most page faults that exit are the VMM's own (hidden faults, writes to traced page tables), "
    "not to be replayed as if they were the guest's"
)
"""What a note says of page faults that exited."""
_MOST_PAGE = (1 << 51) - 1
_PAGE_FAULT_VECTOR, _NMI_TYPE = 14, 2
_APIC, _APIC_EOI = 0xFEE00000, 0xB0
_MSR_EOI = 0x80B


class Info(NamedTuple):
    """The numbers that an exit comes with; each None where the line does not tell it."""

    first: int | None = None
    second: int | None = None
    interrupt: int | None = None


class Event(NamedTuple):
    """What a guest did: the kind (``NONE`` if the taxonomy has none), page and number (-1 if not told).

    ``sure`` is whether the kind is certain; if not, a line of detail that follows may tell. ``ended`` is the interrupt
    whose end a line told, -1 if none did: the number of the event if that is a completion, and nothing otherwise.
    """

    kind: int
    page: int = -1
    number: int = -1
    sure: bool = True
    ended: int = -1


CR3_READ = Event(NONE, number=3)
"""Reading %cr3; the taxonomy has no kind for it, but with a load at once after it, it is a flush."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason: what became of it where nothing more is told, why there is no event, and who reads its numbers.

    ``others`` names what else may be among such exits where the numbers do not tell.
    """

    event: Event
    why: str = ""
    decode: Callable[[Info], Event] | None = None
    others: str = ""

    def read(self, info: Info) -> Event:
        """Return what the guest did, from the numbers of the exit where they tell more."""
        return self.event if self.decode is None else self.decode(info)

    def doubt(self) -> str:
        """Return in words what exits were taken for that nothing explains, and what they may be instead."""
        taken = f"taken for {BY_CODE[self.event.kind].name if self.event.kind else 'no event'}"
        return f"{taken}: {self.others} may be among them"


def reason_name(text: str) -> str:
    """Return one name for all the ways of writing a reason.

    >>> [reason_name(text) for text in ("EXIT_REASON_HLT", "hlt", "SVM_EXIT_IOIO", "PF excp", "EXIT_EXCP_PF")]
    ['hlt', 'hlt', 'ioio', 'excp_pf', 'excp_pf']
    """
    name = text.strip().lower().removesuffix(" failed_vmentry")
    for prefix in ("exit_reason_", "svm_exit_", "vmx_exit_", "exit_"):
        name = name.removeprefix(prefix)
    exception = name.removesuffix(" excp")
    return f"excp_{exception}" if exception != name else name


def page_of(address: int | None) -> int:
    """Return the page of an address, -1 if it is not told or no address of 64 bits."""
    return min(address >> PAGE_SHIFT, _MOST_PAGE) if address is not None else -1


UNTOLD_APIC = Event(MMIO_WRITE, page_of(_APIC), sure=False)
"""An access to the interrupt controller of which no number tells the register."""


def device_access(address: int | None, write: bool, ended: int = -1) -> Event:
    """Return what an access to device memory is: an end of interrupt in the interrupt controller, or just that."""
    if write and address == _APIC + _APIC_EOI:
        return Event(INTERRUPT_COMPLETION, number=ended, ended=ended)
    return Event(MMIO_WRITE if write else MMIO_READ, page_of(address), ended=ended)


def msr_access(register: int, write: bool, ended: int = -1) -> Event:
    """Return what an access to a model-specific register is: an end of interrupt (x2APIC), or just that."""
    if write and register == _MSR_EOI:
        return Event(INTERRUPT_COMPLETION, number=ended, ended=ended)
    return Event(MSR_WRITE if write else MSR_READ, number=register, ended=ended)


def cr_access(register: int, write: bool) -> Event:
    """Return what an access to a control register is."""
    if not write:
        return CR3_READ if register == 3 else Event(NONE)
    return Event({3: SPACE_SWITCH, 8: CR8_WRITE}.get(register, NONE))


def _intel_port(info: Info) -> Event:
    """Exit qualification: bit 3 is the direction (1: IN), bits 31 to 16 are the port."""
    if info.first is None:
        return Event(PORT_OUT, sure=False)
    return Event(PORT_IN if info.first & 8 else PORT_OUT, number=info.first >> 16 & 0xFFFF)


def _amd_port(info: Info) -> Event:
    """EXITINFO1: bit 0 is the direction (1: IN), bits 31 to 16 are the port."""
    if info.first is None:
        return Event(PORT_OUT, sure=False)
    return Event(PORT_IN if info.first & 1 else PORT_OUT, number=info.first >> 16 & 0xFFFF)


def _amd_msr(info: Info) -> Event:
    """EXITINFO1: 1 is a write."""
    if info.first is None:
        return Event(MSR_WRITE, sure=False)
    return Event(MSR_WRITE if info.first & 1 else MSR_READ)


def _intel_cr(info: Info) -> Event:
    """Exit qualification: bits 3 to 0 are the register, bits 5 and 4 the access (0: a write, 1: a read)."""
    if info.first is None:
        return Event(SPACE_SWITCH, sure=False)
    access = info.first >> 4 & 3
    return cr_access(info.first & 15, access == 0) if access < 2 else Event(NONE)


def _intel_exception(info: Info) -> Event:
    """Interruption information: bits 7 to 0 are the vector, bits 10 to 8 the type; a page fault's address is first."""
    if info.interrupt is None:
        return Event(NONE, sure=False)
    vector = info.interrupt & 0xFF
    if info.interrupt >> 8 & 7 == _NMI_TYPE:
        return Event(HOST_INTERRUPT)
    return Event(PAGE_FAULT, page_of(info.first)) if vector == _PAGE_FAULT_VECTOR else Event(EXCEPTION, number=vector)


def _amd_nested_fault(info: Info) -> Event:
    """EXITINFO1 is the error code (bit 3: a reserved bit, by which KVM marks devices; bit 1: a write), 2 an address."""
    if info.first is None:
        return Event(FIRST_TOUCH, sure=False)
    if info.first & 8:
        return device_access(info.second, bool(info.first & 2))
    return Event(FIRST_TOUCH, page_of(info.second))


def _intel_nested_fault(info: Info) -> Event:
    """Exit qualification: how memory was accessed; the address is in no number."""
    return Event(FIRST_TOUCH, sure=info.first is not None)


def _apic_access(info: Info) -> Event:
    """Exit qualification: bits 11 to 0 are the offset in the page, bits 15 to 12 the type (1: a write)."""
    if info.first is None:
        return UNTOLD_APIC
    return device_access(_APIC + (info.first & 0xFFF), info.first >> 12 & 15 == 1)


def _apic_write(info: Info) -> Event:
    """Exit qualification: the offset in the page."""
    return device_access(_APIC + (info.first & 0xFFF), True) if info.first is not None else UNTOLD_APIC


def _amd_apic_access(info: Info) -> Event:
    """EXITINFO1: bits 11 to 4 are the offset in the page, bit 32 is the way (1: a write)."""
    if info.first is None:
        return UNTOLD_APIC
    return device_access(_APIC + (info.first & 0xFF0), bool(info.first >> 32 & 1))


def _flushed_page(info: Info) -> Event:
    return Event(TLB_FLUSH_PAGE, page_of(info.first))


def _amd_fault(info: Info) -> Event:
    return Event(PAGE_FAULT, page_of(info.second))


def _all(names: str, reason: Reason) -> dict[str, Reason]:
    return dict.fromkeys(names.split(), reason)


_VECTORS = {"de": 0, "db": 1, "bp": 3, "of": 4, "br": 5, "ud": 6, "nm": 7, "df": 8, "ts": 10, "np": 11, "ss": 12}
_VECTORS |= {"gp": 13, "mf": 16, "ac": 17, "mc": 18, "xf": 19}
_OWN = "an exit of the VMM's own making: natively there is nothing"
_NO_KIND = "the taxonomy has no kind for what the guest did"

REASONS: Mapping[str, Reason] = {
    "cpuid": Reason(Event(CPUID)),
    **_all("hlt idle-halt mwait mwait_instruction", Reason(Event(HALT))),
    **_all("rdtsc rdtscp", Reason(Event(RDTSC))),
    "io_instruction": Reason(Event(PORT_OUT, sure=False), decode=_intel_port, others="port_in"),
    **_all("io ioio", Reason(Event(PORT_OUT, sure=False), decode=_amd_port, others="port_in")),
    **_all("msr_read msr_read_imm", Reason(Event(MSR_READ))),
    **_all("msr_write msr_write_imm", Reason(Event(MSR_WRITE))),
    "msr": Reason(Event(MSR_WRITE, sure=False), decode=_amd_msr, others="msr_read"),
    "cr_access": Reason(
        Event(SPACE_SWITCH, sure=False),
        decode=_intel_cr,
        others="tlb_flush_all, cr8_write, reads and other registers",
    ),
    "write_cr3": Reason(Event(SPACE_SWITCH)),
    **_all("write_cr8 write_cr8_trap", Reason(Event(CR8_WRITE))),
    "invlpg": Reason(Event(TLB_FLUSH_PAGE), decode=_flushed_page),
    "invlpga": Reason(Event(TLB_FLUSH_PAGE)),
    "invpcid": Reason(Event(TLB_FLUSH_ALL)),
    **_all(
        "external_interrupt interrupt intr nmi smi preemption_timer init init_signal sipi_signal",
        Reason(Event(HOST_INTERRUPT)),
    ),
    "ept_violation": Reason(Event(FIRST_TOUCH), decode=_intel_nested_fault, others="device accesses"),
    "npf": Reason(Event(FIRST_TOUCH), decode=_amd_nested_fault, others="device accesses"),
    "ept_misconfig": Reason(Event(MMIO_WRITE, sure=False), others="mmio_read"),
    "vmgexit_mmio_read": Reason(Event(MMIO_READ)),
    "vmgexit_mmio_write": Reason(Event(MMIO_WRITE)),
    "apic_access": Reason(UNTOLD_APIC, decode=_apic_access, others="mmio_read and ends of interrupts"),
    "apic_write": Reason(UNTOLD_APIC, decode=_apic_write, others="ends of interrupts"),
    "avic_unaccelerated_access": Reason(
        UNTOLD_APIC, decode=_amd_apic_access, others="mmio_read and ends of interrupts"
    ),
    "avic_incomplete_ipi": Reason(Event(MMIO_WRITE, page_of(_APIC))),
    "eoi_induced": Reason(Event(INTERRUPT_COMPLETION)),
    "exception_nmi": Reason(
        Event(NONE, sure=False), _NO_KIND, _intel_exception, "page faults, other exceptions and host interrupts"
    ),
    "excp_pf": Reason(Event(PAGE_FAULT), decode=_amd_fault),
    **{f"excp_{name}": Reason(Event(EXCEPTION, number=vector)) for name, vector in _VECTORS.items()},
    **_all(
        "interrupt_window pending_interrupt nmi_window vintr pause pause_instruction pml_full bus_lock buslock notify "
        "monitor_trap_flag tpr_below_threshold vmcall hypercall vmmcall vmgexit vmgexit_nmi_complete "
        "vmgexit_ap_hlt_loop vmgexit_ap_jump_table vmgexit_page_state_change vmgexit_guest_request "
        "vmgexit_ext_guest_request vmgexit_ap_creation vmgexit_hypervisor_feature tdcall",
        Reason(Event(NONE), _OWN),
    ),
    "read_cr3": Reason(CR3_READ, _NO_KIND),
    **_all(
        "read_cr0 read_cr2 read_cr4 read_cr8 write_cr0 write_cr2 write_cr4 cr0_sel_write write_cr0_trap "
        "write_cr4_trap write_efer_trap dr_access "
        + " ".join(f"{way}_dr{number}" for way in ("read", "write") for number in range(8))
        + " gdtr_idtr ldtr_tr read_idtr read_gdtr read_ldtr read_rt read_tr write_idtr write_gdtr write_ldtr write_rt "
        "write_tr idtr_read gdtr_read ldtr_read tr_read idtr_write gdtr_write ldtr_write tr_write rdpmc rdpru rdrand "
        "rdseed pushf popf rsm iret swint icebp invd wbinvd xsetbv xsaves xrstors monitor monitor_instruction "
        "mwait_cond umwait tpause task_switch ferr_freeze shutdown triple_fault invept invvpid vmclear vmlaunch "
        "vmptrld vmptrst vmread vmresume vmwrite vmoff vmon vmrun vmload vmsave stgi clgi skinit vmfunc encls",
        Reason(Event(NONE), _NO_KIND),
    ),
    **_all(
        "invalid_state invalid_guest_state msr_load_fail mce_during_vmentry err",
        Reason(Event(NONE), "the entry failed"),
    ),
}
"""What the guest did, by reason; those of Linux 6.18, and names that earlier kernels and tools have for them."""
