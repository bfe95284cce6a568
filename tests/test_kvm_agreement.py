"""The exits that KVM took of a guest, beside those that the models predict from what the guest's own kernel saw."""

from __future__ import annotations

import csv
import runpy
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

from simulator.run import run_experiment
from simulator.spec.build import load_experiment
from simulator.spec.library import root
from simulator.stream import ParquetStream, content_hash
from simulator.workload.importers.ftrace import import_ftrace
from simulator.workload.recorder import implied

FOLDER = root() / "workloads" / "kvm"
PAGE = (root() / "docs" / "kvm.md").read_text(encoding="utf-8")
PROGRAMS = ("forkwait", "page-touch", "pingpong-processes")
KEPT, DROPPED, NESTED = "hardware-vmm", "hardware-vmm-resync", "nested-paging"
WRITES = ("pte_set", "pte_clear", "pte_modify")
LEAVES = {"native_set_pte", "ptep_clear_flush", "copy_page_range", "unmap_page_range"}
UPPER = {"native_set_pmd", "native_set_pud", "native_set_p4d"}
TIMER = ("msr", "interrupts")
COMPARED = ("write_cr3", "invlpg", "faults, user", "writes, leaf")
ROWS = {
    "loads of %cr3": "write_cr3",
    "`invlpg`": "invlpg",
    "faults on user addresses": "faults, user",
    "writes to leaf tables": "writes, leaf",
    "**these four**": "compared",
    "writes to upper tables": "writes, upper",
    "zeroing of former tables": "zeroing",
    "faults on kernel addresses": "faults, kernel",
    "reads of %cr3": "read_cr3",
    "`cpuid`": "cpuid",
    "**all but the timer's**": "untimed",
    "writes of registers": "msr",
    "interrupts": "interrupts",
}
with (FOLDER / "exits.csv").open(newline="", encoding="utf-8") as file:
    EXITS = list(csv.DictReader(file))

Classes = Counter[str]
Predicted = dict[tuple[str, str], Classes]


def class_of(row: dict[str, str]) -> str:
    """The class of an exit of KVM's, as the tables have them."""
    if row["reason"] != "PF":
        return "interrupts" if row["reason"] in {"interrupt", "vintr"} else row["reason"]
    if (row["what"], row["access"]) == ("direct map", "write present"):
        if row["by"] in LEAVES | UPPER:
            return "writes, leaf" if row["by"] in LEAVES else "writes, upper"
        if row["by"] == "clear_page_rep":
            return "zeroing"
    return "faults, user" if row["what"] == "user" else "faults, kernel"


def counted(program: str, paging: str) -> Classes:
    """KVM's exits, but for that which ends the window."""
    classes: Classes = Counter()
    for row in EXITS:
        if (row["program"], row["paging"]) == (program, paging) and row["reason"] != "io":
            classes[class_of(row)] += int(row["exits"])
    return summed(classes)


def summed(classes: Classes) -> Classes:
    untimed = sum(n for name, n in classes.items() if name not in TIMER)
    return classes + Counter({"compared": sum(classes[name] for name in COMPARED), "untimed": untimed})


@pytest.fixture(scope="module")
def predicted() -> Predicted:
    """The exits of each workload under each model, in the same classes."""
    found: Predicted = {}
    for row in run_experiment(load_experiment(root() / "experiments" / "kvm.yaml")).breakdown:
        classes = found.setdefault((row.workload, row.model), Counter())
        if row.action == "vm_exit":
            classes[_of_event(row.event)] += row.actions
        elif row.action == "fill_shadow_entry" and row.event in WRITES:
            classes["writes, leaf"] -= row.actions  # those exits are hidden faults
            classes["faults, user"] += row.actions
    return {names: summed(classes) for names, classes in found.items()}


def _of_event(event: str) -> str:
    classes = {
        "space_switch": "write_cr3",
        "tlb_flush_all": "write_cr3",
        "tlb_flush_page": "invlpg",
        "msr_write": "msr",
    }
    classes |= {"page_fault": "faults, user", **dict.fromkeys(WRITES, "writes, leaf")}
    return {**classes, "interrupt": "interrupts", "interrupt_completion": "interrupts"}[event]


def in_guest(program: str, kind: str) -> int:
    return implied.events(ParquetStream.open(FOLDER / f"{program}-shadow.parquet"), kind)


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_the_guest_asks_for_exits_as_often_as_predicted(program: str, predicted: Predicted) -> None:
    """Loads of %cr3 and invlpg, to the exit; of registers those that set the timer."""
    kvm = counted(program, "shadow")
    timer = sum(int(r["exits"]) for r in EXITS if (r["program"], r["paging"], r["what"]) == (program, "shadow", "6e0"))
    for model in (KEPT, DROPPED):
        exits = predicted[f"{program}-shadow", model]
        assert (exits["write_cr3"], exits["invlpg"]) == (kvm["write_cr3"], kvm["invlpg"])
        assert 0 <= exits["msr"] - timer <= 1, "the guest traces from before its first mark on"
    assert kvm["read_cr3"] == in_guest(program, "tlb_flush_all"), "Linux loads %cr3 with what it read from it"


@pytest.mark.parametrize("program", PROGRAMS)
def test_under_nested_paging_neither_takes_exits_for_memory(program: str, predicted: Predicted) -> None:
    kvm = counted(program, "nested")
    assert set(kvm) - {"untimed"} == {"cpuid", "msr", "interrupts"}
    assert set(predicted[f"{program}-nested", NESTED]) == {"msr", "interrupts"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_fault_of_the_guest_exits_twice_where_traces_are_dropped(program: str, predicted: Predicted) -> None:
    """Once as it is the guest's own; once more as its handler's write did not reach the shadow, where it has a page."""
    faults, kvm = in_guest(program, "page_fault"), counted(program, "shadow")["faults, user"]
    dropped, kept = (predicted[f"{program}-shadow", model]["faults, user"] for model in (DROPPED, KEPT))
    assert faults <= kept <= faults + 10
    assert 1.75 * faults < dropped <= 2 * faults < kvm


@pytest.mark.parametrize("program", PROGRAMS)
def test_of_what_both_know_kvm_is_nearer_to_dropped_traces(program: str, predicted: Predicted) -> None:
    kvm = counted(program, "shadow")["compared"]
    dropped, kept = (predicted[f"{program}-shadow", model]["compared"] for model in (DROPPED, KEPT))
    assert abs(dropped - kvm) * 5 < kvm
    assert kept - kvm > abs(dropped - kvm)


def test_the_page_says_how_far_off_the_models_are(predicted: Predicted) -> None:
    text = " ".join(PAGE.split())
    more = [f"{counted(p, 'shadow')['faults, user'] - 2 * in_guest(p, 'page_fault'):,}" for p in PROGRAMS]
    assert f"twice the guest's own, and {more[0]}, {more[1]} and {more[2]} more" in text
    for kind, models in (("compared", (DROPPED, KEPT)), ("untimed", (DROPPED,))):
        for model in models:
            off = [
                round(100 * (Fraction(predicted[f"{p}-shadow", model][kind], counted(p, "shadow")[kind]) - 1), 1)
                for p in PROGRAMS
            ]
            told = ", ".join(f"{float(each):+.1f} %" for each in off[:-1]) + f" and {float(off[-1]):+.1f} %"
            assert told in text, (kind, model, told)
    children = in_guest("forkwait", "space_destroy")
    for name, number in (("writes, upper", "seven"), ("faults, kernel", "five"), ("zeroing", "ten")):
        each = {"seven": 7, "five": 5, "ten": 10}[number]
        assert round(counted("forkwait", "shadow")[name] / children) == each
        assert f"({number} for each child" in text, name
    kvm = [counted(p, "shadow") for p in PROGRAMS]
    lacks = [100 * (1 - Fraction(each["compared"], each["untimed"])) for each in kvm]
    first, second, third = (f"{float(round(each, 1)):.1f} %" for each in lacks)
    assert f"{first}, {second} and {third} of KVM's are of these" in text
    readme = " ".join((root() / "README.md").read_text(encoding="utf-8").split())
    assert f"up to {round(max(lacks))} % of all but what a timer drives" in readme


@pytest.mark.parametrize(("paging", "models", "rows"), [("shadow", (DROPPED, KEPT), 13), ("nested", (NESTED,), 3)])
def test_the_tables_of_the_page_are_computed(
    paging: str, models: tuple[str, ...], rows: int, predicted: Predicted
) -> None:
    table = PAGE[PAGE.index(f"## Under {paging} paging") :].split("\n\n| exits")[1].split("\n\n")[0].splitlines()[2:]
    assert len(table) == rows
    for name, *numbers in (line.strip("| ").split(" | ") for line in table):
        classes = [
            each for p in PROGRAMS for each in (counted(p, paging), *(predicted[f"{p}-{paging}", m] for m in models))
        ]
        assert [_number(cell) for cell in numbers] == [each[ROWS[name]] for each in classes], name


def test_exits_are_counted_from_the_hosts_trace(tmp_path: Path) -> None:
    script = runpy.run_path(str(FOLDER / "scripts" / "count.py"))
    mark = "q-1 [0] 1.0: kvm_pio: pio_write at 0x80 size 1 count 1 val 0x55\n"
    inside = (
        "q-1 [0] 1.0: kvm_exit: vcpu 0 reason PF excp rip 0xffffffff81000010 info1 0x03 info2 0xffff888000001000 x\n"
        "q-1 [0] 1.0: kvm_exit: vcpu 0 reason PF excp rip 0x401000 info1 0x14 info2 0x401000 x\n"
        "q-1 [0] 1.0: kvm_exit: vcpu 0 reason msr rip 0xffffffff81000020 info1 0x1 info2 0x0 x\n"
        "q-1 [0] 1.0: kvm_msr: msr_write 6e0 = 0x1\n"
    )
    path, symbols = tmp_path / "host.txt", [(0xFFFFFFFF81000000, "native_set_pte"), (0xFFFFFFFF81000040, "other")]
    head = "# entries-in-buffer/entries-written: 7/7\n"
    path.write_text(head + inside + mark + inside + mark + inside + mark * 4)
    assert list(script["exits"](path, symbols)) == [
        (0, ("PF", "direct map", "write present", "native_set_pte")),
        (0, ("PF", "user", "fetch absent", "user")),
        (0, ("msr", "6e0", "", "")),
    ]
    for text, wrong in ((head + mark * 5, "5 marks"), (head.replace("7/7", "7/9") + mark * 6, "events were lost")):
        path.write_text(text)
        with pytest.raises(ValueError, match=wrong):
            list(script["exits"](path, symbols))


def _number(cell: str) -> int:
    return int(cell.strip("* ").replace(",", "").replace("–", "0"))


def test_a_stream_is_what_the_importer_makes_of_the_guests_trace() -> None:
    again, _ = import_ftrace(Path(__file__).parent / "samples" / "guest-pingpong.ftrace.txt.xz")
    shipped = ParquetStream.open(FOLDER / "pingpong-processes-shadow.parquet")
    assert content_hash(again) == content_hash(shipped)
