"""The exits that KVM took of a guest, beside those that the models predict from what the guest's own kernel saw."""

from __future__ import annotations

import csv
from collections import Counter

import pytest

from simulator.run import run_experiment
from simulator.spec.build import load_experiment
from simulator.spec.library import root
from simulator.stream import ParquetStream
from simulator.workload.recorder import implied

FOLDER = root() / "workloads" / "kvm"
PROGRAMS = ("forkwait", "page-touch", "pingpong-processes")
WRITES = ("pte_set", "pte_clear", "pte_modify")
LEAVES = {"native_set_pte", "ptep_clear_flush", "copy_page_range", "unmap_page_range", "clear_page_rep"}
UPPER = {"native_set_pmd", "native_set_pud", "native_set_p4d"}
ROWS = {
    "loads of %cr3": "write_cr3",
    "`invlpg`": "invlpg",
    "writes of registers": "msr",
    "faults on user addresses": "faults, user",
    "writes to leaf tables": "writes, leaf",
    "writes to upper tables": "writes, upper",
    "faults on kernel addresses": "faults, kernel",
    "reads of %cr3": "read_cr3",
    "`cpuid`": "cpuid",
    "interrupts": "interrupts",
    "**all**": "all",
}
with (FOLDER / "exits.csv").open(newline="", encoding="utf-8") as file:
    EXITS = list(csv.DictReader(file))

Classes = Counter[str]


def class_of(reason: str, address: str, by: str) -> str:
    """The class of an exit of KVM's, as the tables have them."""
    if reason == "PF":
        if address == "direct map" and by in LEAVES | UPPER:
            return "writes, leaf" if by in LEAVES else "writes, upper"
        return "faults, user" if address == "user" else "faults, kernel"
    return "interrupts" if reason in {"interrupt", "vintr"} else reason


def counted(program: str, paging: str) -> Classes:
    """KVM's exits, but for that which ends the window."""
    classes: Classes = Counter()
    for row in EXITS:
        if (row["program"], row["paging"]) == (program, paging) and row["reason"] != "io":
            classes[class_of(row["reason"], row["address"], row["by"])] += int(row["exits"])
    classes["all"] = classes.total()
    return classes


@pytest.fixture(scope="module")
def predicted() -> dict[tuple[str, str], Classes]:
    """The exits of each workload under each model, in the same classes."""
    found: dict[tuple[str, str], Classes] = {}
    for row in run_experiment(load_experiment(root() / "experiments" / "kvm.yaml")).breakdown:
        classes = found.setdefault((row.workload, row.model), Counter())
        if row.action == "vm_exit":
            classes[_of_event(row.event)] += row.actions
            classes["all"] += row.actions
        elif row.action == "fill_shadow_entry" and row.event in WRITES:
            classes["writes, leaf"] -= row.actions  # those exits are hidden faults
            classes["faults, user"] += row.actions
    return found


def _of_event(event: str) -> str:
    classes = {
        "space_switch": "write_cr3",
        "tlb_flush_all": "write_cr3",
        "tlb_flush_page": "invlpg",
        "msr_write": "msr",
    }
    classes |= {"page_fault": "faults, user", **dict.fromkeys(WRITES, "writes, leaf")}
    return {**classes, "interrupt": "interrupts", "interrupt_completion": "interrupts"}[event]


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_the_guest_asks_for_exits_as_often_as_predicted(
    program: str, predicted: dict[tuple[str, str], Classes]
) -> None:
    """Loads of %cr3 and invlpg to the exit; writes of registers but for those at the window's edges."""
    kvm = counted(program, "shadow")
    for model in ("hardware-vmm", "hardware-vmm-resync"):
        exits = predicted[f"{program}-shadow", model]
        assert (exits["write_cr3"], exits["invlpg"]) == (kvm["write_cr3"], kvm["invlpg"])
        assert abs(exits["msr"] - kvm["msr"]) <= 4
    nested = counted(program, "nested")
    assert abs(predicted[f"{program}-nested", "nested-paging"]["msr"] - nested["msr"]) <= 1
    assert not {"write_cr3", "invlpg", "faults, user", "writes, leaf"} & set(nested)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_full_flush_reads_cr3_too(program: str) -> None:
    """Linux flushes all by loading %cr3 with what it read from it; the models take one exit for it."""
    stream = ParquetStream.open(FOLDER / f"{program}-shadow.parquet")
    assert implied.events(stream, "tlb_flush_all") == counted(program, "shadow")["read_cr3"]


def test_a_page_touched_for_the_first_time_exits_twice_where_traces_are_dropped(
    predicted: dict[tuple[str, str], Classes],
) -> None:
    """Once for the fault, which is the guest's; once more as its handler's write did not reach the shadow."""
    kvm = counted("page-touch", "shadow")["faults, user"]
    dropped = predicted["page-touch-shadow", "hardware-vmm-resync"]["faults, user"]
    kept = predicted["page-touch-shadow", "hardware-vmm"]["faults, user"]
    assert 0.97 * kvm < dropped < kvm
    assert 0.49 * kvm < kept < 0.51 * kvm


@pytest.mark.parametrize("program", PROGRAMS)
def test_kvm_lies_nearer_to_dropped_traces_than_to_kept_ones(
    program: str, predicted: dict[tuple[str, str], Classes]
) -> None:
    kvm = counted(program, "shadow")["all"]
    dropped, kept = (predicted[f"{program}-shadow", model]["all"] for model in ("hardware-vmm-resync", "hardware-vmm"))
    assert dropped < kvm < kept
    assert kvm - dropped < kept - kvm


def test_the_tables_of_the_page_are_computed(predicted: dict[tuple[str, str], Classes]) -> None:
    rows = [line.strip("| ").split(" | ") for line in (root() / "docs/kvm.md").read_text().splitlines() if "|" in line]
    found = 0
    for workload, name, *numbers in (row for row in rows if row[0].removesuffix("*").strip("`") in _workloads()):
        program, _, paging = workload.strip("`").rpartition("-")
        models = ("hardware-vmm-resync", "hardware-vmm") if paging == "shadow" else ("nested-paging",)
        classes = [counted(program, paging), *(predicted[workload.strip("`"), model] for model in models)]
        assert [_number(cell) for cell in numbers] == [each[ROWS[name.strip()]] for each in classes], (workload, name)
        found += 1
    assert found == 3 * len(ROWS) + 3 * 4


def _workloads() -> set[str]:
    return {f"{program}-{paging}" for program in PROGRAMS for paging in ("shadow", "nested")}


def _number(cell: str) -> int:
    return int(cell.strip("* ").replace(",", "").replace("–", "0"))
