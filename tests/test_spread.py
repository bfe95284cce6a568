"""Costs written as ``1500 ± 200 cycles``: short for low and high, in documents, in --set and in the JSON Schema."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from simulator.errors import SpecError
from simulator.spec.build import load_experiment, load_model
from simulator.spec.library import root
from simulator.spec.schemas import json_schema

MODEL = "document: cost-model\ntitle: m\nextends: pentium4-672/hardware-vmm\ncosts:\n"


def load(folder: Path, costs: str) -> dict[str, list[str]]:
    path = folder / "m.yaml"
    path.write_text(MODEL + costs)
    entries = load_model(path)[1].costs.entries
    return {name: [str(entry.cost), str(entry.low), str(entry.high)] for name, entry in entries.items()}


def test_a_spread_is_low_and_high(tmp_path: Path) -> None:
    costs = load(tmp_path, "  vm_exit: {cost: 1500 ± 200 cycles}\n  vmcb_read: {cost: 50 +- 2.5 cycles}\n")
    assert costs["vm_exit"] == ["1500 cycles", "1300 cycles", "1700 cycles"]
    assert costs["vmcb_read"] == ["50 cycles", "47.5 cycles", "52.5 cycles"]


def test_a_spread_beside_bounds_is_refused_at_its_place(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"m.yaml:5:22: costs.fill_shadow_entry: '2500 ± 9 cycles' gives low and high"):
        load(tmp_path, "  fill_shadow_entry: {cost: 2500 ± 9 cycles}\n")
    dropped = load(tmp_path, "  fill_shadow_entry: {cost: 2500 ± 9 cycles, low: null, high: null}\n")
    assert dropped["fill_shadow_entry"] == ["2500 cycles", "2491 cycles", "2509 cycles"]


def test_a_spread_can_be_set() -> None:
    path = root() / "experiments" / "quickstart.yaml"
    loaded = load_experiment(path, ["models.hardware-vmm.costs.vm_exit=1500 ± 200 cycles"])
    assert str(loaded.models["hardware-vmm"].costs.entries["vm_exit"].high) == "1700 cycles"


def test_the_schema_for_editors_says_so() -> None:
    schema = json_schema("cost-model")
    assert "1500 ± 200 cycles" in str(schema)
    document = {"document": "cost-model", "extends": "x", "costs": {"vm_exit": {"cost": "1500 ± 200 cycles"}}}
    jsonschema.validate(document, schema)
