"""What references compare with: each quantity against its closed form, and what is wrong with a reference."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from simulator.errors import SpecError
from simulator.result import ComparisonRow, Result
from simulator.run import run_experiment
from simulator.spec.build import load_experiment, load_model
from simulator.spec.checks import device_faults
from simulator.spec.library import root
from simulator.spec.reader import parse

MODEL = """\
document: cost-model
title: {name}
machine: {{name: m, clock: {clock}}}
mechanisms:
  direct_execution:
    events:
      user_compute: {{compute: 1}}
      syscall: {{syscall: 1}}
      port_in: {{port_in: 1}}
      port_out: {{port_out: 1}}
      cr8_write: {{cr8_write: 1}}
      halt: {{syscall: 1}}
costs:
  compute: {{cost: 1 ns, source: definition, status: published}}
  syscall: {{cost: {syscall} cycles, source: test, status: assumed}}
  port_in: {{cost: {port_in} cycles, source: test, status: assumed}}
  port_out: {{cost: 5 cycles, source: test, status: assumed}}
  cr8_write: {{cost: {cr8_write} cycles, source: test, status: assumed}}
"""
EXPERIMENT = """\
document: experiment
title: small
workloads:
  w:
    document: workload
    title: small
    events:
      - user_compute: 10 us
      - syscall: 1000
      - port_in: 100
      - port_out: 100
      - cr8_write: 100
models: [native.yaml, vmm.yaml]
baseline: native
references:
"""
# At 1 and 2 GHz; native 10 + 10 + 10 + 0.5 + 10 = 40.5 us; vmm 10 + 50 + 100 + 0.25 + 2.5 = 162.75 us.
COSTS = {
    "native": {"clock": "1 GHz", "syscall": 10, "port_in": 100, "cr8_write": 100},
    "vmm": {"clock": "2 GHz", "syscall": 100, "port_in": 2000, "cr8_write": 50},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, costs in COSTS.items():
        (tmp_path / f"{name}.yaml").write_text(MODEL.format(name=name, **costs))
    return tmp_path


def run(folder: Path, *references: str, more: str = "") -> Result:
    lines = [f"  - {{source: made up, status: predicted, {reference}}}" for reference in references]
    (folder / "e.yaml").write_text(EXPERIMENT + "\n".join(lines) + "\n" + more)
    return run_experiment(load_experiment(folder / "e.yaml"))


def compared(folder: Path, reference: str, published: str) -> ComparisonRow:
    [row] = run(folder, f"{reference}, values: {{w: {{vmm: {published}}}}}").comparison
    return row


@pytest.mark.parametrize(
    ("reference", "published", "quantity", "modelled"),
    [
        ("quantity: total_cycles", "325500 cycles", "total_cycles", "325500"),
        ("quantity: total_seconds", "1 s", "total_seconds", "0.00016275"),
        ("quantity: percent_of_baseline", "50 %", "percent_of_baseline", "24.884792627"),
        ("quantity: overhead_seconds", "1 s", "overhead_seconds", "0.00012225"),
        ("quantity: overhead_seconds, event: syscall", "1 s", "overhead_seconds of syscall", "0.00004"),
        ("quantity: overhead_seconds, event: cr8_write", "-1 s", "overhead_seconds of cr8_write", "-0.0000075"),
        ("quantity: overhead_seconds, event: port_out", "0 s", "overhead_seconds of port_out", "-0.00000025"),
        ("quantity: overhead_seconds, event: user_compute", "0 s", "overhead_seconds of user_compute", "0"),
        (
            "quantity: overhead_seconds, events: [port_in, port_out], label: in/out",
            "1 s",
            "overhead_seconds of in/out",
            "0.00008975",
        ),
        (
            "quantity: overhead_seconds, events: [port_in, port_out]",
            "1 s",
            "overhead_seconds of port_in + port_out",
            "0.00008975",
        ),
    ],
)
def test_closed_forms(folder: Path, reference: str, published: str, quantity: str, modelled: str) -> None:
    row = compared(folder, reference, published)
    assert (row.quantity, row.modelled) == (quantity, Decimal(modelled))


def test_the_error_is_relative_and_there_is_none_of_nothing(folder: Path) -> None:
    assert compared(folder, "quantity: overhead_seconds, event: syscall", "0.00005 s").error_percent == -20
    assert compared(folder, "quantity: overhead_seconds, event: cr8_write", "-0.000005 s").error_percent == 50
    assert compared(folder, "quantity: overhead_seconds, event: syscall", "0 s").error_percent is None


def test_the_baseline_has_all_of_its_performance_and_no_overhead(folder: Path) -> None:
    native = "values: {w: {native: 100 %}}", "values: {w: {native: 0 s}}"
    rows = run(folder, f"quantity: percent_of_baseline, {native[0]}", f"quantity: overhead_seconds, {native[1]}")
    assert [row.modelled for row in rows.comparison] == [100, 0]


def test_sources_are_in_the_order_of_the_references_and_notes_are_kept(folder: Path) -> None:
    values = "values: {w: {vmm: 1 s}}"
    result = run(
        folder,
        f"quantity: overhead_seconds, events: [port_in, port_out], label: in/out, note: two, {values}",
        f"quantity: overhead_seconds, event: syscall, {values}",
        f"quantity: overhead_seconds, events: [port_out, port_in], label: in/out, note: two, {values}",
        f"quantity: total_seconds, {values}",
    )
    sources = [(name, set(kinds)) for name, kinds in result.sources.items()]
    assert sources == [("in/out", {"port_in", "port_out"}), ("syscall", {"syscall"})]
    assert result.remarks == ("w, overhead seconds of in/out: two",)


def test_events_that_a_workload_does_not_have_are_a_warning(folder: Path) -> None:
    result = run(folder, "quantity: overhead_seconds, event: halt, values: {w: {vmm: 1 s}}")
    assert result.warnings == ("overhead_seconds of halt: the workload 'w' has no such event",)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("quantity: overhead_seconds, event: sycsall, values: {w: {vmm: 1 s}}", "no event kind 'sycsall' (did you mean 'syscall'?)"),
        ("quantity: overhead_seconds, event: halt, events: [syscall], values: {w: {vmm: 1 s}}", "expected 'event' or 'events', found both"),
        ("quantity: total_seconds, event: halt, values: {w: {vmm: 1 s}}", "only overhead_seconds is by event, found total_seconds"),
        ("quantity: overhead_seconds, label: x, values: {w: {vmm: 1 s}}", "a label names an event or events, found none"),
        ("quantity: overhead_seconds, events: [], values: {w: {vmm: 1 s}}", "expected 1 or more entries"),
        ("quantity: overhead_seconds, events: [halt, halt], values: {w: {vmm: 1 s}}", "an event stands twice in 'events'"),
        ("quantity: percent_of_baseline, values: {w: {vmm: 1.2 x}}", "percent_of_baseline is given in '%', found 'x'"),
        ("quantity: overhead_seconds, values: {w: {vmm: 5 %}}", "overhead_seconds is given in 's', found '%'"),
    ],
)  # fmt: skip
def test_references_that_make_no_sense(folder: Path, reference: str, message: str) -> None:
    with pytest.raises(SpecError) as raised:
        run(folder, reference)
    assert message in str(raised.value)
    assert "e.yaml:" in str(raised.value)


def test_a_label_names_the_same_events_everywhere(folder: Path) -> None:
    values = "label: x, values: {w: {vmm: 1 s}}"
    with pytest.raises(SpecError, match="an earlier reference uses the label 'x' for syscall"):
        run(
            folder,
            f"quantity: overhead_seconds, event: syscall, {values}",
            f"quantity: overhead_seconds, event: halt, {values}",
        )


@pytest.mark.parametrize("quantity", ["percent_of_baseline", "overhead_seconds"])
def test_what_is_relative_needs_a_baseline(folder: Path, quantity: str) -> None:
    published = "5 %" if quantity == "percent_of_baseline" else "5 s"
    text = EXPERIMENT.replace("baseline: native\n", "")
    reference = f"  - {{quantity: {quantity}, source: x, status: fitted, values: {{w: {{vmm: {published}}}}}}}\n"
    (folder / "e.yaml").write_text(text + reference)
    with pytest.raises(SpecError, match="the experiment has no baseline"):
        load_experiment(folder / "e.yaml")


def test_devices_that_a_machine_lacks_are_named_in_order() -> None:
    _, model, _ = load_model(root() / "cost_models/pentium4-672/native.yaml")
    names = ["disk-a", "disk-b", "disk-c", "disk-d", "disk-e", "disk-f", "disk-g", "disk-h"]
    tree = parse("workloads: {w: {}}", "f")
    found = [message.split("'")[1] for _, message in device_faults(tree, {"w": frozenset(names)}, {"m": model})]
    assert found == names


@pytest.mark.parametrize(
    ("setting", "changed"),
    [
        ("models.vmm.costs.syscall=101 cycles", ["input, changed", "input, changed"]),
        ("models.native.costs.syscall=11 cycles", ["input", "input, changed"]),
        ("workloads.w.events.1.syscall=1001", ["input, changed", "input, changed"]),
        ("models.vmm.costs.syscall.source=another", ["input", "input"]),
    ],
)
def test_a_figure_of_what_an_override_changed_says_so(folder: Path, setting: str, changed: list[str]) -> None:
    references = "".join(
        f"  - {{quantity: {quantity}, source: x, status: input, values: {{w: {{vmm: {value}}}}}}}\n"
        for quantity, value in (("total_seconds", "1 s"), ("relative_to_baseline", "4 x"))
    )
    (folder / "e.yaml").write_text(EXPERIMENT + references)
    assert [row.status for row in run_experiment(load_experiment(folder / "e.yaml")).comparison] == ["input", "input"]
    assert [row.status for row in run_experiment(load_experiment(folder / "e.yaml", [setting])).comparison] == changed
