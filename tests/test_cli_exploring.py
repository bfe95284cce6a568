"""`vmmsim breakeven` and `vmmsim sensitivity`: what they print, draw and refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from matplotlib.image import imread
from typer.testing import CliRunner

from simulator.cli import __main__  # noqa: F401 (it adds the commands)
from simulator.cli.options import app

EXPERIMENT = """
document: experiment
title: cheap
workloads:
  w: {document: workload, title: w, events: [{user_compute: 20 us}, {syscall: 40}, {port_in: 2}, {pte_modify: 3}]}
models: [pentium4-672/native, pentium4-672/software-vmm, pentium4-672/hardware-vmm]
baseline: native
"""
PORT_IN = "models.hardware-vmm.costs.emulate_port_in"
ROUND_TRIP = "models.hardware-vmm.costs.{vm_exit,vm_entry,vmcb_read}"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "e.yaml").write_text(EXPERIMENT)
    return tmp_path


def vmmsim(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == code, done.output
    return done.stdout if code == 0 else done.stderr


def test_break_even_is_said_and_drawn(folder: Path) -> None:
    text = vmmsim("breakeven", "e.yaml", "--param", PORT_IN, "--between", "0 cycles", "90000 cycles")
    assert "w: software-vmm and hardware-vmm over models.hardware-vmm.costs.emulate_port_in" in text
    assert "solved exactly" in text
    assert text.rstrip().endswith("results/e-breakeven/breakeven-w.png")
    assert imread(folder / "results" / "e-breakeven" / "breakeven-w.png").std() > 0


def test_no_break_even_is_proved() -> None:
    text = vmmsim("breakeven", "e.yaml", "--param", PORT_IN, "--between", "0 cycles", "10 cycles", "--no-plots")
    assert "no break-even in this range: at 0 cycles software-vmm takes" in text
    assert "certain: the difference is a straight line" in text


def test_what_json_says_holds_when_it_is_set(folder: Path) -> None:
    """The value found, set with --set, gives totals that are equal within a tick per event."""
    arguments = ("--param", PORT_IN, "--between", "0 cycles", "90000 cycles", "--json", "--no-plots")
    (found,) = json.loads(vmmsim("breakeven", "e.yaml", *arguments))
    assert found["exact"] is True
    value = found["break_even"][0]["value"]
    run = vmmsim("run", "e.yaml", "--set", f"{PORT_IN}={value}", "--no-plots", "--json")
    totals = {row["model"]: float(row["total_cycles"]) for row in json.loads(run)["totals"]}
    assert abs(totals["software-vmm"] - totals["hardware-vmm"]) <= 45 / 1000


def test_two_parameters_have_a_frontier(folder: Path) -> None:
    across = ("--param", PORT_IN, "--between", "0 cycles", "90000 cycles")
    up = ("--param", ROUND_TRIP, "--between", "0 x", "5 x")
    (found,) = json.loads(vmmsim("breakeven", "e.yaml", *across, *up, "--json", "--scan", "6"))
    assert len(found["frontier"]) > 2
    assert len(found["ratios"]) == len(found["ratios"][0]) == 7
    assert (folder / "results" / "e-breakeven" / "frontier-w.svg").exists()
    value, factor = found["frontier"][0]
    single = ("--param", ROUND_TRIP, "--between", "0 x", "5 x", "--set", f"{PORT_IN}={value}", "--json", "--no-plots")
    (line,) = json.loads(vmmsim("breakeven", "e.yaml", *single))
    assert abs(float(line["break_even"][0]["value"].split()[0]) - float(factor.split()[0])) < 0.001


def test_sensitivity_is_said_and_drawn(folder: Path) -> None:
    bounds = "models.hardware-vmm.costs.vm_exit=1931 ± 500 cycles"
    text = vmmsim("sensitivity", "e.yaml", "--set", bounds, "--sobol", "16")
    assert "total with all costs at their low" in text
    assert "Sobol indices" in text
    assert (folder / "results" / "e-sensitivity" / "tornado-w-hardware-vmm.png").exists()
    data = json.loads(vmmsim("sensitivity", "e.yaml", "--set", bounds, "--json", "--no-plots"))
    hardware = next(each for each in data["sensitivity"] if each["model"] == "hardware-vmm")
    assert {each["action"] for each in hardware["swings"]} == {"vm_exit"}
    counts = {each["action"]: each["cycles_per_cycle"] for each in hardware["derivatives"]}
    assert counts["syscall"] == 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("breakeven", "e.yaml", "--param", PORT_IN, "--between", "0 cycles"), "expected --between LOW HIGH once"),
        (("breakeven", "e.yaml", "--param", f"{PORT_IN}s", "--between", "0 x", "1 x"), "did you mean"),
        (("breakeven", "e.yaml", "--param", PORT_IN, "--between", "0 x", "1 x", "--workload", "v"), "no workload 'v'"),
        (("breakeven", "e.yaml", "--param", PORT_IN, "--between", "0 x", "1 x", "--models", "a", "b"), "no model 'a'"),
        (("sensitivity", "e.yaml", "--vary", f"{PORT_IN}=1"), "expected PATH=LOW..HIGH"),
        (("sensitivity", "e.yaml", "--vary", f"{PORT_IN}=0 x..1 x"), "give their number of samples too"),
        (("sensitivity", "e.yaml", "--sobol", "5"), "a power of two"),
        (("sensitivity", "e.yaml", "--model", "natve"), "did you mean 'native'"),
    ],
)
def test_wrong_input_is_said_in_words(arguments: tuple[str, ...], message: str) -> None:
    assert message in vmmsim(*arguments, code=2)
