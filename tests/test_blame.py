"""What each run costs more than the baseline's, and which event is to blame."""

from __future__ import annotations

from dataclasses import asdict, replace
from decimal import Decimal

from rich.console import Console

from simulator.report.blame import BlameRow, blame, blame_grid, blame_table
from simulator.result import BreakdownRow, TotalsRow


def total(model: str, seconds: str, relative: str | None, busy: str) -> TotalsRow:
    """A run on a clock of 1 GHz."""
    cycles = Decimal(seconds) * 10**9
    return TotalsRow(
        "w", model, "m", "", 10, cycles, Decimal(seconds), Decimal(busy) * 10**9, Decimal(0), Decimal(0),
        None if relative is None else Decimal(relative),
    )  # fmt: skip


def cell(model: str, event: str, action: str, actions: int, seconds: str) -> BreakdownRow:
    return BreakdownRow("w", model, "", event, action, 5, actions, Decimal(seconds) * 10**9, Decimal(seconds))


TOTALS = [total("native", "2", "1", "1"), total("vmm", "4", "2", "3")]
CELLS = [
    cell("native", "user_compute", "compute", 1, "0.6"),
    cell("native", "syscall", "syscall", 5, "0.3"),
    cell("native", "page_fault", "page_fault", 5, "0.1"),
    cell("vmm", "user_compute", "compute", 1, "0.6"),
    cell("vmm", "syscall", "syscall", 5, "0.2"),
    cell("vmm", "page_fault", "page_fault", 5, "0.1"),
    cell("vmm", "page_fault", "vm_exit", 1000, "1.5"),
    cell("vmm", "halt", "vm_exit", 500, "0.6"),
]


def row(model: str) -> BlameRow:
    return next(row for row in blame(TOTALS, CELLS, "native") if row.model == model)


def test_a_run_beside_the_baseline() -> None:
    """1,500 exits in 4 s, and 2.1 s more in the two kinds that exit, at 1 GHz."""
    assert asdict(row("vmm")) == {
        "workload": "w",
        "model": "vmm",
        "point": "",
        "slowdown": 2,
        "busy_ratio": 3,
        "kernel_percent": 80,
        "exits": 1500,
        "exits_per_second": 375,
        "cycles_per_exit": 1_400_000,
        "blamed_event": "page_fault",
        "blamed_percent": Decimal("71.429"),
    }


def test_the_baseline_itself_has_nobody_to_blame() -> None:
    native = row("native")
    assert (native.slowdown, native.busy_ratio, native.kernel_percent) == (Decimal(1), Decimal(1), Decimal(40))
    assert native.exits == 0
    assert (native.cycles_per_exit, native.blamed_event, native.blamed_percent) == (None, "", None)


def test_next_to_no_overhead_is_nobodys_fault() -> None:
    """At 0.5 % of the baseline's busy time, and just above it."""
    at = [*CELLS[:6], replace(CELLS[6], seconds=Decimal("0.105")), replace(CELLS[7], seconds=Decimal(0))]
    cells = [*CELLS[:3], *CELLS[:3]]
    cells[3:] = [replace(each, model="vmm") for each in CELLS[:3]]
    cells[4] = replace(cells[4], seconds=Decimal("0.305"))
    assert [each.blamed_event for each in blame(TOTALS, cells, "native")] == ["", ""]
    cells[4] = replace(cells[4], seconds=Decimal("0.3051"))
    assert [each.blamed_event for each in blame(TOTALS, cells, "native")] == ["", "syscall"]
    assert blame(TOTALS, at, "native")[1].blamed_event == "page_fault"


def test_without_a_baseline_there_is_nothing_to_compare_with() -> None:
    assert blame(TOTALS, CELLS, None) == []
    assert blame([replace(TOTALS[1], relative_to_baseline=None)], CELLS[3:], "native") == []


def test_the_table_for_people() -> None:
    grid = blame_grid(blame(TOTALS, CELLS, "native"))
    assert grid.rows[1] == ("w", "vmm", "2.00×", "3.00×", "80 %", "375", "1.40M", "page_fault", "71 %")
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(blame_table(blame(TOTALS, CELLS, "native"), "native"))
    assert "What it costs over native" in capture.get()
