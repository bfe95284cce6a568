"""The shipped operations of a current Linux: programs composed of them against the recordings they were measured in.

Compared are the kinds that the operations of a program are made of. Not compared: ``interrupt``,
``interrupt_completion``, ``msr_write`` and ``halt`` (the recordings have two processors that go idle), ``space_switch``,
``context_switch`` and ``wake`` of the compile (two processors, the recorder, threads of the kernel and waits for the
disk), and ``kernel_code`` (no recording has it). Of overheads, those under nested paging are not: they hang on the most
memory in use at a time, and the recorded compile runs two compilers at a time.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from simulator.result import Result
from simulator.run import run_experiment
from simulator.spec.build import load_experiment
from simulator.spec.library import root

MEMORY = ("page_fault", "pte_set", "pte_clear", "tlb_flush_page", "tlb_flush_all", "space_destroy", "syscall")
COMPARED = {
    "forkwait": (*MEMORY, "pte_modify", "space_switch", "wake"),
    "compile": MEMORY,
}


@pytest.fixture(scope="module")
def check() -> Result:
    return run_experiment(load_experiment(root() / "experiments/operations-check.yaml"))


def events(result: Result, workload: str) -> dict[str, int]:
    return {row.event: row.events for row in result.breakdown if (row.workload, row.model) == (workload, "native")}


def overhead(result: Result, workload: str, model: str, without: tuple[str, ...] = ()) -> Decimal:
    """Busy cycles beyond native, in all but some kinds of events."""
    cycles: dict[str, Decimal] = defaultdict(Decimal)
    for row in result.breakdown:
        if row.workload == workload and row.event not in without:
            cycles[row.model] += row.cycles
    return cycles[model] - cycles["native"]


@pytest.mark.parametrize(("program", "kind"), [(p, kind) for p, kinds in COMPARED.items() for kind in kinds])
def test_a_composed_program_has_the_events_of_the_recorded_one(check: Result, program: str, kind: str) -> None:
    composed, recorded = (events(check, f"{program}-{form}")[kind] for form in ("composed", "recorded"))
    assert composed == pytest.approx(recorded, rel=0.05)


@pytest.mark.parametrize("program", sorted(COMPARED))
@pytest.mark.parametrize("model", ["software-vmm", "hardware-vmm"])
def test_a_composed_program_has_the_overhead_of_the_recorded_one(check: Result, program: str, model: str) -> None:
    composed, recorded = (
        overhead(check, f"{program}-{form}", model, without=("kernel_code",)) for form in ("composed", "recorded")
    )
    assert abs(composed / recorded - 1) < Decimal("0.15")


def test_translating_kernel_code_once_is_little_of_what_forkwait_costs(check: Result) -> None:
    """The composed forkwait stays within 15 % of the recorded one with the kernel code that no recording shows."""
    composed, recorded = (overhead(check, f"forkwait-{form}", "software-vmm") for form in ("composed", "recorded"))
    assert abs(composed / recorded - 1) < Decimal("0.15")


def test_each_operation_runs_under_each_way_of_running_a_guest(tmp_path: Path) -> None:
    """Each once, with its defaults; a timer ends the halt."""
    listed = load_operations()
    steps = "\n".join(f"      - {name}: 1" for name in listed)
    experiment = tmp_path / "each.yaml"
    experiment.write_text(
        "document: experiment\ntitle: Each operation once\nworkloads:\n  each:\n    document: workload\n"
        "    title: each\n    timer: 250 Hz\n    operations: operations/linux-6\n    events:\n"
        f"{steps}\n"
        "models: [pentium4-672/native, pentium4-672/software-vmm, pentium4-672/hardware-vmm, lookahead/nested-paging]\n"
        "baseline: native\n"
    )
    result = run_experiment(load_experiment(experiment))
    assert not result.warnings
    native, *others = (total.busy_cycles for total in result.totals)
    assert all(busy > native for busy in others)


def load_operations() -> list[str]:
    """The names of the operations, each of which says where it comes from."""
    document = yaml.safe_load((root() / "workloads/operations/linux-6.yaml").read_text())
    assert all(operation["source"] for operation in document["operations"].values())
    return list(document["operations"])
