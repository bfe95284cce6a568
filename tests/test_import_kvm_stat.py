"""The table of perf kvm stat: a workload with the same counts, or what is wrong with the table."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from simulator.cli import __main__  # noqa: F401 (the commands enter themselves)
from simulator.cli.options import app
from simulator.errors import StreamError
from simulator.events import BY_CODE
from simulator.spec.build import load_workload
from simulator.workload.importers.kvm_stat import computation_ns, read_kvm_stat, report, workload_text

SAMPLE = Path(__file__).parent / "samples" / "kvm-stat-intel.txt"
RECORDED = Path(__file__).parent / "samples" / "kvm-stat-amd.txt"
HEAD = "             VM-EXIT    Samples  Samples%     Time%    Min Time    Max Time         Avg time\n\n"


def row(name: str, samples: int, each: str = "2.21") -> str:
    return f"{name:>20} {samples:10}    42.52%     2.61%      0.92us     91.40us  {each:>7}us ( +-   0.31% )\n"


def table(*rows: tuple[str, int], head: str = HEAD, handled: str = "100.00") -> str:
    total = sum(samples for _, samples in rows)
    text = "".join(row(name, samples) for name, samples in rows)
    return f"\nAnalyze events for all VMs, all VCPUs:\n\n{head}{text}\nTotal Samples:{total}, Total events handled time:{handled}us.\n\n"


def events_of(text: str, folder: Path, computation: int | None = None) -> tuple[Counter[str], int]:
    """The events of the workload that a table becomes, and its computation in nanoseconds."""
    (folder / "t.txt").write_text(text)
    (folder / "t.yaml").write_text(workload_text(read_kvm_stat(folder / "t.txt"), "a title", computation))
    _, workload, warnings = load_workload(folder / "t.yaml")
    assert not warnings
    events: Counter[str] = Counter()
    computed = 0
    for batch in workload.stream.batches(0):
        computed += int(batch.column("user_ns").sum())
        for kind, count in zip(batch.columns["kind"].tolist(), batch.column("count").tolist(), strict=True):
            events[BY_CODE[kind].name] += count
    del events["user_compute"]
    return events, computed


def test_the_sample(tmp_path: Path) -> None:
    events, computed = events_of(SAMPLE.read_text(), tmp_path, 5_920_291_800)
    assert events == report(read_kvm_stat(SAMPLE)).events
    assert (events["first_touch"], events["halt"], events["interrupt"]) == (48_210, 12_044, 12_044)
    assert computed == 5_920_291_800
    found = report(read_kvm_stat(SAMPLE))
    assert (found.without_event, found.unknown) == ({"PAUSE_INSTRUCTION": 440}, {"SOMETHING_NEW": 70})
    samples = [found.events, found.without_event, found.unknown]
    assert sum(sum(counts.values()) for counts in samples) - found.events["interrupt"] == 113_386


def test_a_recorded_table_of_a_guest_that_exits_a_known_number_of_times(tmp_path: Path) -> None:
    """As workloads/kvm/scripts/exits.c says: all but the last exit, after which there is no entry and so no time."""
    events, _ = events_of(RECORDED.read_text(), tmp_path)
    assert events["port_out"] + events["port_in"] == 20 + 10
    assert events["msr_write"] + events["msr_read"] == 6 + 4
    assert (events["cpuid"], events["halt"]) == (8, 2)
    assert events["first_touch"] == 25, "which are 16 + 1 first touches, and 5 + 3 accesses to a device"
    assert report(read_kvm_stat(RECORDED)).notes == (
        "30 io taken for port_out: port_in may be among them",
        "25 npf taken for first_touch: device accesses may be among them",
        "10 msr taken for msr_write: msr_read may be among them",
        "derived: 2 interrupt (taken to end each halt)",
    )


def notes(tmp_path: Path, *rows: tuple[str, int]) -> tuple[str, ...]:
    """What is said of a table beside its counts; the workload's text says the same."""
    (tmp_path / "t.txt").write_text(table(*rows))
    found = report(read_kvm_stat(tmp_path / "t.txt")).notes
    text = workload_text(read_kvm_stat(tmp_path / "t.txt"), "a title", None)
    assert [line.removeprefix("# note: ") for line in text.splitlines() if "# note: " in line] == [*found]
    return found


def test_a_table_says_what_else_its_rows_may_hold(tmp_path: Path) -> None:
    assert notes(tmp_path, ("EPT_VIOLATION", 9), ("APIC_WRITE", 7), ("EXCEPTION_NMI", 1234), ("CPUID", 1)) == (
        "9 EPT_VIOLATION taken for first_touch: device accesses may be among them",
        "7 APIC_WRITE taken for mmio_write: ends of interrupts may be among them",
        "1,234 EXCEPTION_NMI taken for no event: page faults, other exceptions and host interrupts may be among them",
    )
    text = workload_text(read_kvm_stat(tmp_path / "t.txt"), "a title", None)
    assert "# 1,234 EXCEPTION_NMI, 2.21 us each under KVM: not told" in text
    assert notes(tmp_path, ("CPUID", 1), ("PAUSE_INSTRUCTION", 3), ("read_cr4", 2)) == ()
    text = workload_text(read_kvm_stat(tmp_path / "t.txt"), "a title", None)
    assert "# 3 PAUSE_INSTRUCTION, 2.21 us each under KVM: no event" in text
    assert "# 2 read_cr4, 2.21 us each under KVM: no event" in text


def test_a_table_of_shadow_paging_says_that_faults_are_mostly_the_vmms_own(tmp_path: Path) -> None:
    (note,) = notes(tmp_path, ("PF excp", 71), ("CPUID", 1))
    assert note.startswith("71 page_fault: under shadow paging most page faults that exit are the VMM's own")
    text = workload_text(read_kvm_stat(tmp_path / "t.txt"), "a title", None)
    assert "which page faults were the guest's own" in text


def test_loads_of_cr3_in_a_table_may_be_flushes(tmp_path: Path) -> None:
    flushes = "space_switch may be tlb_flush_all: Linux flushes all by reading %cr3 and loading it again"
    assert notes(tmp_path, ("write_cr3", 9), ("read_cr3", 4)) == (f"up to 4 of 9 {flushes}",)
    assert notes(tmp_path, ("write_cr3", 2), ("read_cr3", 4)) == (f"up to 2 of 2 {flushes}",)
    assert notes(tmp_path, ("write_cr3", 9)) == ()
    assert notes(tmp_path, ("read_cr3", 4), ("CPUID", 1)) == ()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(["CPUID", "HLT", "npf", "PF excp", "WHAT"]), st.integers(1, 10**7), min_size=1),
    st.integers(0, 10**12),
)
def test_counts_and_computation_are_exact(tmp_path: Path, rows: dict[str, int], computation: int) -> None:
    text = table(*rows.items())
    if rows.keys() == {"WHAT"}:
        with pytest.raises(StreamError, match="no row of the table is an event of the guest"):
            events_of(text, tmp_path)
        return
    kinds = {"CPUID": "cpuid", "HLT": "halt", "npf": "first_touch", "PF excp": "page_fault"}
    expected = {kinds[name]: count for name, count in rows.items() if name in kinds}
    expected |= {"interrupt": rows["HLT"]} if "HLT" in rows else {}
    events, computed = events_of(text, tmp_path, computation)
    assert events == expected
    assert computed == computation


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        ("IO Port Access", "0x70:POUT", "port_out"),
        ("IO Port Access", "0x71:PIN", "port_in"),
        ("MMIO Access", "0xfee00300:W", "mmio_write"),
        ("MMIO Access", "0xfee00390:R", "mmio_read"),
        ("MSR Access", "0x6e0:W", "msr_write"),
        ("MSR Access", "0x3b:R", "msr_read"),
    ],
)
def test_tables_of_accesses(tmp_path: Path, head: str, name: str, kind: str) -> None:
    assert events_of(table((name, 5), head=HEAD.replace("VM-EXIT", head)), tmp_path)[0] == {kind: 5}


def test_a_table_of_older_perf_has_no_least_and_most(tmp_path: Path) -> None:
    text = table(("hlt", 5)).replace("     0.92us     91.40us", "").replace("    Min Time    Max Time", "")
    assert events_of(text, tmp_path)[0] == {"halt": 5, "interrupt": 5}


def test_computation_is_what_exits_leave(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(table(("CPUID", 5), handled="1500.50"))
    stat = read_kvm_stat(tmp_path / "t.txt")
    assert computation_ns(stat, 1_000_000, 2) == 499_500
    with pytest.raises(StreamError, match=r"t.txt: exits took 1500.50 us, more than 1 virtual CPUs have"):
        computation_ns(stat, 1_000_000, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"t.txt:1: expected the table of `perf kvm stat report`.* found the end of the file"),
        ("\nhello\n", r"t.txt:2: expected the table of `perf kvm stat report`.*, found 'hello'"),
        (HEAD + "CPUID 5\n", r"t.txt:3: expected rows of a name, samples, two shares .*, found 'CPUID 5'"),
        (HEAD + row("CPUID", 5), r"t.txt:3: expected rows .* and then a total, found the end of the file"),
        (table(("CPUID", 5)).replace("Samples:5", "Samples:6"), r"t.txt:8: expected .* the 6 samples .*, found 5"),
        (table(("CPU\x14ID", 5)), r"t.txt:6: expected rows of a name"),
        (table(("CPUID", 5)) * 2, r"t.txt:13: a second table"),
        (table(), r"t.txt:7: the table has no exit"),
        (table(("CPUID", 5)) + row("HLT", 5), r"t.txt:10: expected rows"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.txt").write_text(text)
    with pytest.raises(StreamError, match=message):
        read_kvm_stat(tmp_path / "t.txt")


def test_the_command_writes_a_workload_and_nothing_over_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["import", "perf-kvm-stat", str(SAMPLE), *arguments])
        return done.exit_code, done.output

    for _ in range(2):  # what it wrote itself is written anew
        code, text = run("--duration", "10 s")
        assert (code, "5.92 s of computation" in text) == (0, True)
    assert run("--duration", "1 s")[0] == 2
    assert run("--duration", "long") == (2, run("--duration", "long")[1])
    Path("mine.yaml").write_text("document: workload\n")
    code, text = run("--out", "mine.yaml")
    assert (code, "it is there, and not from here" in text) == (2, True)
    assert run("--out", "mine.parquet")[0] == 2
