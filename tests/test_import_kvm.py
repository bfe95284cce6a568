"""The importer of exits under KVM: what each reason becomes, and the laws that hold for every trace."""

from __future__ import annotations

import lzma
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.engine.base import Replay
from simulator.engine.reference import ReferenceEngine
from simulator.errors import StreamError
from simulator.events import BY_CODE
from simulator.spec.build import load_model, load_workload
from simulator.spec.library import root
from simulator.stream import Header, ParquetStream, content_hash
from simulator.workload.importers import kvm_reasons, trace_text
from simulator.workload.importers.kvm import import_kvm
from simulator.workload.importers.kvm_reasons import NONE, REASONS, Info, reason_name
from simulator.workload.importers.perf import ImportReport
from simulator.workload.untold import untold

SAMPLES = sorted((Path(__file__).parent / "samples").glob("kvm-*.*.txt"))
KERNEL = 0xFFFFFFFF81A3C0F2
USER = 0x55D0C0A41B30

# Names of exit reasons as the tables of Linux 6.18 have them, and those of libtraceevent's plugin that differ.
VMX = """EXCEPTION_NMI EXTERNAL_INTERRUPT TRIPLE_FAULT INIT_SIGNAL SIPI_SIGNAL INTERRUPT_WINDOW NMI_WINDOW TASK_SWITCH CPUID
HLT INVD INVLPG RDPMC RDTSC VMCALL VMCLEAR VMLAUNCH VMPTRLD VMPTRST VMREAD VMRESUME VMWRITE VMOFF VMON CR_ACCESS
DR_ACCESS IO_INSTRUCTION MSR_READ MSR_WRITE INVALID_STATE MSR_LOAD_FAIL MWAIT_INSTRUCTION MONITOR_TRAP_FLAG
MONITOR_INSTRUCTION PAUSE_INSTRUCTION MCE_DURING_VMENTRY TPR_BELOW_THRESHOLD APIC_ACCESS EOI_INDUCED GDTR_IDTR LDTR_TR
EPT_VIOLATION EPT_MISCONFIG INVEPT RDTSCP PREEMPTION_TIMER INVVPID WBINVD XSETBV APIC_WRITE RDRAND INVPCID VMFUNC ENCLS
RDSEED PML_FULL XSAVES XRSTORS UMWAIT TPAUSE BUS_LOCK NOTIFY TDCALL MSR_READ_IMM MSR_WRITE_IMM PENDING_INTERRUPT"""
SVM = """read_cr0 read_cr4 read_cr8 write_cr0 write_cr3 write_cr4 write_cr8 read_dr7 write_dr7 interrupt nmi smi init vintr
cr0_sel_write read_idtr read_rt write_gdtr rdtsc rdpmc pushf popf cpuid rsm iret swint invd pause hlt invlpg invlpga io
msr task_switch ferr_freeze shutdown vmrun hypercall vmload vmsave stgi clgi skinit rdtscp icebp wbinvd monitor mwait
xsetbv write_efer_trap write_cr0_trap write_cr4_trap write_cr8_trap invpcid buslock idle-halt npf avic_incomplete_ipi
avic_unaccelerated_access vmgexit vmgexit_mmio_read vmgexit_mmio_write vmgexit_nmi_complete vmgexit_ap_hlt_loop
vmgexit_page_state_change vmgexit_hypervisor_feature invalid_guest_state EXIT_IOIO EXIT_INTR EXIT_VMMCALL EXIT_TR_READ
EXIT_MWAIT_COND EXIT_ERR EXIT_EXCP_PF EXIT_EXCP_XF EXIT_NPF"""
VECTORS = """DE DB BP OF BR UD NM DF TS NP SS GP PF MF AC MC XF"""


def imported(path: Path, folder: Path) -> tuple[ParquetStream, Header, ImportReport]:
    """Import a file; whatever it holds, each line is counted once, and each event."""
    target = folder / "stream.parquet"
    header, report = import_kvm(path, target)
    categories = (report.with_event, report.without_event, report.unknown)
    assert sum(sum(lines.values()) for lines in categories) == report.lines
    stream = ParquetStream.open(target)
    events: Counter[str] = Counter()
    for row in rows(stream):
        events[BY_CODE[row["kind"]].name] += 1
    assert events == report.events
    return stream, header, report


def rows(stream: ParquetStream, vcpu: int | None = None) -> list[dict[str, int]]:
    found = []
    for each in range(stream.header.vcpus) if vcpu is None else [vcpu]:
        for batch in stream.batches(each):
            lists = {name: values.tolist() for name, values in batch.columns.items()}
            found += [{name: lists[name][row] for name in lists} for row in range(len(batch))]
    return found


def trace(*lines: str) -> str:
    """Lines of two threads from ``microseconds thread event fields``."""
    text = []
    for line in lines:
        us, tid, event, fields = line.split(maxsplit=3)
        text.append(f" CPU {tid}/KVM   7/{tid}  [000]   10.{int(us) * 1000:09d}:  kvm:{event}: {fields}\n")
    return "".join(text)


def one_exit(
    tmp_path: Path, reason: str, numbers: str = "", *details: str, before: str = ""
) -> list[tuple[str, int, int]]:
    """The events (kind, page, number) of one exit, with lines of detail after it and one before."""
    file = tmp_path / "one.txt"
    lines = ["0 70 kvm_entry vcpu 0", *([f"5 70 {before}"] if before else [])]
    lines.append(f"5 70 kvm_exit reason {reason} rip 0x1000{numbers}")
    lines += [f"6 70 {detail}" for detail in details]
    file.write_text(trace(*lines, "9 70 kvm_entry vcpu 0", "11 70 kvm_exit reason CPUID rip 0x1000 info 0 0"))
    stream, _, _ = imported(file, tmp_path)
    *found, last = rows(stream)
    assert BY_CODE[last["kind"]].name == "cpuid"
    assert sum(row["user_ns"] for row in [*found, last]) == 7000
    return [(BY_CODE[row["kind"]].name, row["page"], row["number"]) for row in found]


@pytest.fixture(params=SAMPLES, ids=lambda path: path.name.removesuffix(".txt"))
def sample(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.mark.parametrize("name", [*VMX.split(), *SVM.split(), *(f"{name} excp" for name in VECTORS.split())])
def test_every_reason_of_the_kernel_is_known(name: str) -> None:
    reason = REASONS[reason_name(name)]
    event = reason.read(Info())
    assert event.kind in BY_CODE or reason.why
    assert event.sure or reason.others, "what is not sure is said to be something else perhaps"


def test_names_of_one_reason() -> None:
    assert {reason_name(text) for text in ("HLT", "EXIT_REASON_HLT", "SVM_EXIT_HLT", "EXIT_HLT", "hlt")} == {"hlt"}


def test_a_sample_gives_its_time_to_guest_idle_and_vmm(sample: Path, tmp_path: Path) -> None:
    """On each virtual CPU: computing + idle + the time of exits that are no halt = from its first line to its last."""
    stream, header, report = imported(sample, tmp_path)
    spans: dict[int, tuple[int, int]] = {}
    perf, ftrace = trace_text.perf_parser(), trace_text.ftrace_parser()
    for text in sample.read_text().splitlines():
        line = perf.parse(text) or ftrace.parse(text)
        if line is not None and line.event in ("kvm_entry", "kvm_exit"):
            spans[line.tid] = (spans.get(line.tid, (line.time, 0))[0], line.time)
    halts = {name for name, reason in REASONS.items() if reason.event.kind == kvm_reasons.HALT}
    served = sum(entry["host_ns"] for name, entry in header.provenance["exits"].items() if name not in halts)
    in_stream = sum(row["user_ns"] + row["kernel_ns"] + row["idle_ns"] for row in rows(stream))
    assert in_stream + served == sum(end - begin for begin, end in spans.values())
    assert not any("without the other" in note for note in report.notes)


def test_a_sample_counts_each_exit(sample: Path, tmp_path: Path) -> None:
    _, header, report = imported(sample, tmp_path)
    exits = sample.read_text().count("kvm_exit: ")
    assert sum(entry["exits"] for entry in header.provenance["exits"].values()) == exits
    counted = (report.with_event, report.without_event, report.unknown)
    assert sum(n for lines in counted for name, n in lines.items() if name.startswith(("kvm_exit", "exit "))) == exits


def test_a_reason_that_nobody_knows_is_counted_by_name(tmp_path: Path) -> None:
    unknown = {path.name: imported(path, tmp_path)[2].unknown for path in SAMPLES}
    assert unknown.pop("kvm-intel.perf.txt") == {"exit reason NOT_A_REASON_YET": 1}
    assert len(unknown) == 4
    assert not any(unknown.values())
    file = tmp_path / "t.txt"
    file.write_text(trace("5 70 kvm_exit reason UNKNOWN (166) rip 0x1", "6 70 kvm_exit reason CPUID rip 0x1"))
    assert imported(file, tmp_path)[2].unknown == {"exit reason UNKNOWN (166)": 1}


@pytest.mark.parametrize("way", ["ftrace", "trace-cmd", "perf"])
def test_a_guest_that_exits_a_known_number_of_times(way: str, tmp_path: Path) -> None:
    """What workloads/kvm/scripts/exits.c says beside its loops, and the device's page and the ports that it names."""
    stream, _, report = imported(SAMPLES[0].parent / f"kvm-exits.{way}.txt", tmp_path)
    events = {name: n for name, n in report.events.items() if name not in {"host_interrupt", "interrupt"}}
    assert events == {
        "port_out": 20 + 1, "port_in": 10, "cpuid": 8, "msr_read": 6, "msr_write": 4, "mmio_write": 5, "mmio_read": 3,
        "first_touch": 16 + 1, "halt": 2,
    }  # fmt: skip
    assert report.derived == {"interrupt": 2}, "each halt is ended by the program that runs the guest"
    assert (
        report.notes[0] == "derived: 2 interrupt (taken to end each halt for which no kvm_inj_virq line tells of one)"
    )
    where = {(BY_CODE[row["kind"]].name, row["page"], row["number"]) for row in rows(stream)}
    touched = {page for kind, page, _ in where if kind == "first_touch"}
    assert touched == {1, *range(0x10, 0x20)}
    others = {
        each for each in where if each[0] in {"port_in", "port_out", "mmio_read", "mmio_write", "msr_read", "msr_write"}
    }
    assert others == {
        ("port_out", -1, 0x3F8), ("port_out", -1, 0xF4), ("port_in", -1, 0x3FD), ("mmio_read", 0xD0, -1),
        ("mmio_write", 0xD0, -1), ("msr_read", -1, 0x1B), ("msr_write", -1, 0x3B),
    }  # fmt: skip


def test_other_tracepoints_of_kvm_are_no_unknown_lines(tmp_path: Path) -> None:
    file = tmp_path / "t.txt"
    lines = ["5 70 kvm_exit reason npf rip 0x1 info f d0008", "6 70 vcpu_match_mmio gva 0xd0008 gpa 0xd0008 Write GPA"]
    file.write_text(trace(*lines))
    _, _, report = imported(file, tmp_path)
    assert (report.unknown, report.without_event["vcpu_match_mmio"]) == ({}, 1)


def test_a_sample_replays_to_its_own_guest_time(sample: Path, tmp_path: Path) -> None:
    """Under the host costs that the stream names, which are none, a virtual CPU ends after its computing and idle time."""
    stream, _, _ = imported(sample, tmp_path)
    _, workload, _ = load_workload(stream.path)
    assert workload.clipping.gaps == 0
    model = load_model(root() / "cost_models" / "recording-host" / "none.yaml")[1]
    outcome = ReferenceEngine().run(Replay(workload.stream, model))
    for vcpu, end in enumerate(outcome.vcpus):
        times = rows(stream, vcpu)
        assert end.end == 1000 * sum(row["user_ns"] + row["kernel_ns"] + row["idle_ns"] for row in times)
        assert end.idle == 1000 * sum(row["idle_ns"] for row in times)


@pytest.mark.parametrize(
    ("reason", "numbers", "expected"),
    [
        ("IO_INSTRUCTION", " info 3f80008 0", ("port_in", -1, 0x3F8)),
        ("IO_INSTRUCTION", " info 3f80000 0", ("port_out", -1, 0x3F8)),
        ("io", " info 3f80211 0", ("port_in", -1, 0x3F8)),
        ("EXIT_IOIO", " info 3f80210 0", ("port_out", -1, 0x3F8)),
        ("msr", " info 1 0", ("msr_write", -1, -1)),
        ("msr", " info 0 0", ("msr_read", -1, -1)),
        ("npf", " info 100000006 11f4c2000", ("first_touch", 0x11F4C2, -1)),
        ("npf", " info f febf1010", ("mmio_write", 0xFEBF1, -1)),
        ("npf", " info d febf1010", ("mmio_read", 0xFEBF1, -1)),
        ("CR_ACCESS", " info 3 0", ("space_switch", -1, -1)),
        ("CR_ACCESS", " info 108 0", ("cr8_write", -1, -1)),
        ("INVLPG", " info 7f2000001000 0", ("tlb_flush_page", 0x7F2000001, -1)),
        ("APIC_ACCESS", " info 1300 0", ("mmio_write", 0xFEE00, -1)),
        ("APIC_ACCESS", " info 20 0", ("mmio_read", 0xFEE00, -1)),
        ("APIC_ACCESS", " info 10b0 0", ("interrupt_completion", -1, -1)),
        ("APIC_ACCESS", " info b0 0", ("mmio_read", 0xFEE00, -1)),
        ("APIC_WRITE", " info b0 0", ("interrupt_completion", -1, -1)),
        ("APIC_WRITE", " info 300 0", ("mmio_write", 0xFEE00, -1)),
        ("avic_unaccelerated_access", " info 1000000b0 0", ("interrupt_completion", -1, -1)),
        ("avic_unaccelerated_access", " info 100000380 0", ("mmio_write", 0xFEE00, -1)),
        ("avic_unaccelerated_access", " info 390 0", ("mmio_read", 0xFEE00, -1)),
        ("avic_incomplete_ipi", " info b0 0", ("mmio_write", 0xFEE00, -1)),
        ("npf", " info f fee000b0", ("interrupt_completion", -1, -1)),
        ("npf", " info d fee000b0", ("mmio_read", 0xFEE00, -1)),
        ("EXCEPTION_NMI", " info1 0x0000000000001008 info2 0x0 intr_info 0x80000b0e", ("page_fault", 1, -1)),
        ("EXCEPTION_NMI", " info1 0x0000000000000000 info2 0x0 intr_info 0x80000306", ("exception", -1, 6)),
        ("EXCEPTION_NMI", " info1 0x0000000000000000 info2 0x0 intr_info 0x80000202", ("host_interrupt", -1, -1)),
        ("PF excp", " info 6 7f0000003008", ("page_fault", 0x7F0000003, -1)),
        ("EXIT_WRITE_CR3", " info 0 0", ("space_switch", -1, -1)),
        ("EXTERNAL_INTERRUPT", " info 0 0", ("host_interrupt", -1, -1)),
        ("EPT_VIOLATION", " info 182 0", ("first_touch", -1, -1)),
    ],
)
def test_numbers_of_an_exit_tell_its_event(
    tmp_path: Path, reason: str, numbers: str, expected: tuple[str, int, int]
) -> None:
    assert one_exit(tmp_path, reason, numbers) == [expected]


@pytest.mark.parametrize(
    ("reason", "detail", "expected"),
    [
        ("MSR_WRITE", "kvm_msr msr_write 6e0 = 0x2a", ("msr_write", -1, 0x6E0)),
        ("msr", "kvm_msr msr_read 1b = 0x2a", ("msr_read", -1, 0x1B)),
        ("io", "kvm_pio pio_read at 0x64 size 1 count 1 val 0x1 ", ("port_in", -1, 0x64)),
        ("EPT_MISCONFIG", "kvm_mmio mmio unsatisfied-read len 4 gpa 0xfebf1000 val 0x0", ("mmio_read", 0xFEBF1, -1)),
        ("EPT_MISCONFIG", "kvm_fast_mmio fast mmio at gpa 0xfe003000", ("mmio_write", 0xFE003, -1)),
        ("EPT_VIOLATION", "kvm_page_fault address 11f4c2000 error_code 2", ("first_touch", 0x11F4C2, -1)),
        (
            "EPT_VIOLATION",
            "kvm_page_fault vcpu 0 rip 0x1 address 0x000000011f4c2000 error_code 0x2",
            ("first_touch", 0x11F4C2, -1),
        ),
        ("CR_ACCESS", "kvm_cr cr_write 8 = 0x1", ("cr8_write", -1, -1)),
        ("APIC_WRITE", "kvm_eoi apicid 0 vector 236", ("interrupt_completion", -1, 236)),
        ("APIC_WRITE", "kvm_msr msr_write 6e0 = 0x2a", ("mmio_write", 0xFEE00, -1)),
        ("EPT_MISCONFIG", "kvm_mmio mmio write len 4 gpa 0xfee000b0 val 0x0", ("interrupt_completion", -1, -1)),
        ("EPT_MISCONFIG", "kvm_mmio mmio write len 4 gpa 0xfee00300 val 0x0", ("mmio_write", 0xFEE00, -1)),
        ("MSR_WRITE", "kvm_msr msr_write 80b = 0x0", ("interrupt_completion", -1, -1)),
        ("CR_ACCESS", "kvm_cr cr_read 3 = 0x1", None),
    ],
)
def test_lines_after_an_exit_tell_more(
    tmp_path: Path, reason: str, detail: str, expected: tuple[str, int, int] | None
) -> None:
    assert one_exit(tmp_path, reason, "", detail) == ([expected] if expected is not None else [])


@pytest.mark.parametrize(
    ("reason", "numbers", "details", "expected"),
    [
        ("msr", " info 1 0", ["kvm_msr msr_write 6e0 = 0x2a"], ("msr_write", -1, 0x6E0)),
        ("MSR_WRITE", "", ["kvm_msr msr_write 830 = 0x2a"], ("msr_write", -1, 0x830)),
        ("MSR_WRITE", "", [], ("msr_write", -1, -1)),
        ("npf", " info f fe003000", ["kvm_fast_mmio fast mmio at gpa 0xfe003000"], ("mmio_write", 0xFE003, -1)),
        ("npf", " info f fe003000", [], ("mmio_write", 0xFE003, -1)),
        ("EPT_MISCONFIG", "", ["kvm_mmio mmio write len 4 gpa 0xfebf1000 val 0x0"], ("mmio_write", 0xFEBF1, -1)),
        ("APIC_WRITE", " info 300 0", [], ("mmio_write", 0xFEE00, -1)),
        ("APIC_ACCESS", " info 1300 0", [], ("mmio_write", 0xFEE00, -1)),
        ("avic_incomplete_ipi", " info 0 0", [], ("mmio_write", 0xFEE00, -1)),
        ("APIC_ACCESS", "", ["kvm_mmio mmio read len 4 gpa 0xfee00020 val 0x0"], ("mmio_read", 0xFEE00, -1)),
        ("CPUID", "", [], ("cpuid", -1, -1)),
    ],
)
def test_an_end_of_interrupt_told_in_memory_is_no_event(
    tmp_path: Path, reason: str, numbers: str, details: list[str], expected: tuple[str, int, int]
) -> None:
    """KVM reads it as the guest leaves for whatever it may be, and tells of it after the exit, or before."""
    told = "kvm_eoi apicid 0 vector 236"
    assert one_exit(tmp_path, reason, numbers, told, *details) == [expected]
    assert one_exit(tmp_path, reason, numbers, *details, before=told) == [expected]


@pytest.mark.parametrize(
    ("reason", "numbers", "details"),
    [
        ("EOI_INDUCED", "", ["kvm_eoi apicid 0 vector 40"]),
        ("APIC_WRITE", " info b0 0", ["kvm_eoi apicid 0 vector 40"]),
        ("APIC_ACCESS", " info 10b0 0", ["kvm_eoi apicid 0 vector 40"]),
        ("avic_unaccelerated_access", " info 1000000b0 0", ["kvm_eoi apicid 0 vector 40"]),
        ("MSR_WRITE", "", ["kvm_eoi apicid 0 vector 40", "kvm_msr msr_write 80b = 0x0"]),
        ("msr", " info 1 0", ["kvm_eoi apicid 0 vector 40", "kvm_msr msr_write 80b = 0x0"]),
        (
            "EPT_MISCONFIG",
            "",
            ["kvm_mmio mmio write len 4 gpa 0xfee000b0 val 0x0", "kvm_eoi apicid 0 vector 40"],
        ),
        ("npf", " info f fee000b0", ["kvm_mmio mmio write len 4 gpa 0xfee000b0 val 0x0", "kvm_eoi apicid 0 vector 40"]),
    ],
)
def test_an_end_of_interrupt_that_exits_is_a_completion_with_its_vector(
    tmp_path: Path, reason: str, numbers: str, details: list[str]
) -> None:
    """Also where an end told in memory, of another vector, stands before it."""
    told = "kvm_eoi apicid 0 vector 236"
    completion = [("interrupt_completion", -1, 40)]
    assert one_exit(tmp_path, reason, numbers, *details) == completion
    assert one_exit(tmp_path, reason, numbers, told, *details) == completion
    assert one_exit(tmp_path, reason, numbers, *details, before=told) == completion


def test_register_writes_of_a_guest_that_tells_ends_of_interrupts_in_memory(tmp_path: Path) -> None:
    """On AMD before Linux 6.5 the line of the exit stands after what KVM reads from the guest's memory."""
    stream, _, report = imported(SAMPLES[0].parent / "kvm-shadow.ftrace.txt", tmp_path)
    assert report.without_event["kvm_eoi"] == report.events["msr_write"] == 7
    assert "interrupt_completion" not in report.events
    registers = Counter(row["number"] for row in rows(stream) if BY_CODE[row["kind"]].name == "msr_write")
    assert registers == {0x6E0: 7}


def test_a_full_flush_reads_cr3_and_loads_it_again(tmp_path: Path) -> None:
    stream, _, report = imported(SAMPLES[0].parent / "kvm-shadow.ftrace.txt", tmp_path)
    assert (report.events["tlb_flush_all"], report.events["space_switch"]) == (2, 2)
    assert report.with_event["kvm_exit write_cr3"] == 4
    assert report.without_event["kvm_exit read_cr3"] == 2
    assert {row["page"] for row in rows(stream) if BY_CODE[row["kind"]].name == "tlb_flush_all"} == {-1}


READ = "5 70 kvm_exit reason read_cr3 rip 0x1000 info 0 0"
WRITE = "9 70 kvm_exit reason write_cr3 rip 0x1003 info 0 0"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([READ, "7 70 kvm_entry vcpu 0, rip 0x1003", WRITE], "tlb_flush_all"),
        ([READ, "7 70 kvm_entry vcpu 0", WRITE], "tlb_flush_all"),
        ([READ, "6 70 kvm_eoi apicid 0 vector 236", "7 70 kvm_entry vcpu 0", WRITE], "tlb_flush_all"),
        (
            [
                "5 70 kvm_exit reason CR_ACCESS rip 0x1000 info 13 0",
                "7 70 kvm_entry vcpu 0, rip 0x1003",
                "9 70 kvm_exit reason CR_ACCESS rip 0x1003 info 3 0",
            ],
            "tlb_flush_all",
        ),
        (
            [
                "5 70 kvm_exit reason CR_ACCESS rip 0x1000",
                "6 70 kvm_cr cr_read 3 = 0x10a4c2000",
                "7 70 kvm_entry vcpu 0",
                "9 70 kvm_exit reason CR_ACCESS rip 0x1003",
                "9 70 kvm_cr cr_write 3 = 0x10a4c2000",
            ],
            "tlb_flush_all",
        ),
        # what was read is changed first
        ([READ, "7 70 kvm_entry vcpu 0, rip 0x1003", WRITE.replace("1003", "100a")], "space_switch"),
        # another register is read
        ([READ.replace("cr3", "cr4"), "7 70 kvm_entry vcpu 0, rip 0x1003", WRITE], "space_switch"),
        (["5 70 kvm_exit reason CR_ACCESS rip 0x1000 info 14 0", "7 70 kvm_entry vcpu 0", WRITE], "space_switch"),
        # the guest left for something else, known or not, in between
        ([READ, *(f"7 70 {each}" for each in ("kvm_entry vcpu 0", "kvm_exit reason vintr", "kvm_entry vcpu 0")), WRITE],
         "space_switch"),
        ([READ, *(f"7 70 {each}" for each in ("kvm_entry vcpu 0", "kvm_exit reason NEW", "kvm_entry vcpu 0")), WRITE],
         "space_switch"),
        # lines are missing in between
        ([READ, WRITE], "space_switch"),
        ([READ, "6 70 kvm_entry vcpu 0", "7 70 kvm_entry vcpu 0", WRITE], "space_switch"),
        # another virtual CPU reads
        (["4 70 kvm_entry vcpu 0", READ.replace(" 70 ", " 71 "), WRITE], "space_switch"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("after", [["11 70 kvm_entry vcpu 0"], []], ids=["", "at the end"])
def test_a_load_of_cr3_that_follows_its_reading_at_once_is_a_flush(
    tmp_path: Path, lines: list[str], expected: str, after: list[str]
) -> None:
    file = tmp_path / "flush.txt"
    file.write_text(trace("0 70 kvm_entry vcpu 0, rip 0x1000", *lines, *after))
    stream, _, _ = imported(file, tmp_path)
    (event,) = [row for row in rows(stream) if row["kind"] != NONE]
    assert BY_CODE[event["kind"]].name == expected


def test_the_time_before_a_reading_of_cr3_goes_to_the_flush(tmp_path: Path) -> None:
    file = tmp_path / "flush.txt"
    file.write_text(trace("0 70 kvm_entry vcpu 0, rip 0x1000", READ, "7 70 kvm_entry vcpu 0, rip 0x1003", WRITE))
    (flush,) = rows(imported(file, tmp_path)[0])
    assert flush["user_ns"] == 5000 + 2000


def test_page_faults_that_exited_are_said_to_be_mostly_the_vmms_own(tmp_path: Path) -> None:
    """Of those in the sample, 12 repeat the exit just before: the fault is mended, but not yet in the shadow."""
    sample = SAMPLES[0].parent / "kvm-shadow.ftrace.txt"
    exits = [
        line.split("reason ")[1].split(" intr_info")[0]
        for line in sample.read_text().splitlines()
        if "kvm_exit: " in line
    ]
    faults = [text for text in exits if text.startswith("PF")]
    repeated = sum(a == b for a, b in pairwise(exits) if a.startswith("PF"))
    assert (len(faults), repeated, sum(" info2 0xffff" in text for text in faults)) == (71, 12, 31)
    _, header, report = imported(sample, tmp_path)
    assert report.events["page_fault"] == 71
    (note,) = [note for note in report.notes if "page fault" in note]
    assert note.startswith("71 page_fault: under shadow paging most page faults that exit are the VMM's own")
    (told,) = [text for text in untold(header) if "does not tell" in text]
    assert "which page faults were the guest's own" in told
    assert not any("does not tell" in text for text in untold(imported(SAMPLES[0], tmp_path)[1]))


def test_what_nothing_tells_is_taken_for_the_likelier_and_said(tmp_path: Path) -> None:
    file = tmp_path / "t.txt"
    reasons = ["npf", "EPT_VIOLATION", "APIC_WRITE", "EXCEPTION_NMI", "npf"]
    text = [f"{2 * n} 70 kvm_entry vcpu 0\n{2 * n + 1} 70 kvm_exit reason {name}" for n, name in enumerate(reasons)]
    file.write_text(trace(*"\n".join([*text, "20 70 kvm_entry vcpu 0"]).split("\n")))
    _, _, report = imported(file, tmp_path)
    taken = "exits {} that no number or line of detail explains, taken for {}: {} may be among them"
    assert [note for note in report.notes if "explains" in note] == [
        "1 " + taken.format("apic_write", "mmio_write", "ends of interrupts"),
        "1 " + taken.format("ept_violation", "first_touch", "device accesses"),
        "1 " + taken.format("exception_nmi", "no event", "page faults, other exceptions and host interrupts"),
        "2 " + taken.format("npf", "first_touch", "device accesses"),
    ]


@pytest.mark.parametrize("reason", ["PAUSE_INSTRUCTION", "vintr", "VMCALL", "DR_ACCESS", "NOT_A_REASON"])
def test_exits_without_an_event_give_their_time_to_the_next(tmp_path: Path, reason: str) -> None:
    assert one_exit(tmp_path, reason) == []


def test_a_halt_ends_by_an_interrupt(tmp_path: Path) -> None:
    file = tmp_path / "halt.txt"
    lines = ["0 70 kvm_entry vcpu 0", "4 70 kvm_exit reason HLT rip 0x1000", "104 70 kvm_inj_virq IRQ 0xec"]
    file.write_text(trace(*lines, "105 70 kvm_entry vcpu 0", "108 70 kvm_exit reason CPUID rip 0x1"))
    stream, _, report = imported(file, tmp_path)
    halt, interrupt, cpuid = rows(stream)
    assert (halt["posts"], halt["post_delay_ns"]) == (interrupt["waits"], 101_000)
    assert (interrupt["number"], interrupt["idle_ns"], cpuid["user_ns"]) == (236, 101_000, 3000)
    assert report.derived == {}
    file.write_text(trace(*lines[:2], "105 70 kvm_entry vcpu 0"))
    stream, _, report = imported(file, tmp_path)
    assert [BY_CODE[row["kind"]].name for row in rows(stream)] == ["halt", "interrupt"]
    assert report.derived == {"interrupt": 1}


def test_kernel_mode_is_where_both_ends_are_in_the_kernel(tmp_path: Path) -> None:
    file = tmp_path / "modes.txt"
    text = []
    for us, before, after in ((0, KERNEL, KERNEL), (20, KERNEL, USER), (40, USER, KERNEL), (60, USER, USER)):
        text += [f"{us} 70 kvm_entry vcpu 0, rip {before:#x}", f"{us + 10} 70 kvm_exit reason CPUID rip {after:#x}"]
    file.write_text(trace(*text))
    stream, _, _ = imported(file, tmp_path)
    assert [(row["kernel_ns"], row["user_ns"]) for row in rows(stream)] == [(10000, 0), *[(0, 10000)] * 3]


def test_two_threads_are_two_virtual_cpus(tmp_path: Path) -> None:
    file = tmp_path / "two.txt"
    lines = ["0 71 kvm_entry vcpu 0", "1 70 kvm_entry vcpu 0", "5 71 kvm_exit reason CPUID rip 0x1"]
    file.write_text(trace(*lines, "9 70 kvm_exit reason RDTSC rip 0x1"))
    stream, header, _ = imported(file, tmp_path)
    assert [[row["user_ns"] for row in rows(stream, vcpu)] for vcpu in range(2)] == [[5000], [8000]]
    assert header.provenance["vcpus"] == {"0": "CPU 71/KVM (thread 71)", "1": "CPU 70/KVM (thread 70)"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"t.txt:1: the file has no kvm_exit line"),
        (
            trace("5 70 kvm_entry vcpu 0", "3 70 kvm_exit reason HLT rip 0x1"),
            r"t.txt:2: time runs backward on virtual CPU 0",
        ),
        (trace("5 70 kvm_entry cpu 0"), r"t.txt:1: 1 of 1 lines cannot be read.*expected the text of"),
        ("what is this\n", r"t.txt:1: 1 of 1 lines cannot be read, this one first: 'what is this'"),
        (trace("5 70 kvm_entry vcpu 0").removesuffix("\n"), r"t.txt:1: the file is cut in the middle of a line"),
        (
            trace("5 70 kvm_exit reason NEW rip 0x1"),
            r"no kvm_exit line with a known reason; record with -e kvm:kvm_exit",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.txt").write_text(text)
    with pytest.raises(StreamError, match=message):
        import_kvm(tmp_path / "t.txt", tmp_path / "out.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.txt"]


def test_packed_gives_the_same_rows(sample: Path, tmp_path: Path) -> None:
    packed = tmp_path / "sample.txt.xz"
    packed.write_bytes(lzma.compress(sample.read_bytes()))
    assert content_hash(imported(packed, tmp_path)[0]) == content_hash(imported(sample, tmp_path)[0])


EVENTS = st.sampled_from(
    [
        "kvm_entry",
        *[f"kvm_exit {reason}" for reason in ("HLT", "CPUID", "PAUSE", "npf", "WHAT", "MSR", "read_cr3", "write_cr3")],
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(70, 72), EVENTS, st.integers(0, 50)), min_size=1, max_size=60))
def test_any_order_of_lines_is_accounted_for(tmp_path: Path, steps: list[tuple[int, str, int]]) -> None:
    """Lines of any threads in any order: none is lost, and a guest computes no longer than between entry and exit."""
    us, inside, guest, lines, known = 0, dict[int, int](), 0, [], False
    for tid, step, gap in steps:
        us += gap
        event, _, reason = step.partition(" ")
        fields = f"reason {reason} rip 0x1 info 0 0" if reason else "vcpu 0"
        lines.append(f"{us} {tid} {event} {fields}")
        if reason:
            guest += us - inside.pop(tid, us)
            known |= reason_name(reason) in REASONS
        else:
            inside[tid] = us
    file = tmp_path / "any.txt"
    file.write_text(trace(*lines))
    if not known:
        with pytest.raises(StreamError, match="no kvm_exit line with a known reason"):
            import_kvm(file, tmp_path / "out.parquet")
        return
    stream, header, report = imported(file, tmp_path)
    loads = report.events.get("tlb_flush_all", 0) + report.events.get("space_switch", 0)
    exits = {name: entry["exits"] for name, entry in header.provenance["exits"].items()}
    assert loads == exits.get("write_cr3", 0)
    assert report.events.get("tlb_flush_all", 0) <= exits.get("read_cr3", 0)
    computed = sum(row["user_ns"] + row["kernel_ns"] for row in rows(stream))
    assert computed <= 1000 * guest
    assert all(row["kind"] != NONE for row in rows(stream))
