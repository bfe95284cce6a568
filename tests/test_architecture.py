"""Imports go one way: each part may use what stands before it in this order, and nothing after it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import simulator

PACKAGE = Path(simulator.__file__).parent

ORDER = (
    ("errors", "units"),
    ("events",),
    ("stream", "actions", "costs"),
    ("mechanisms", "workload"),
    ("model",),
    ("spec",),
    ("engine",),
    ("result",),
    ("reprice", "retime", "uncertainty", "replays"),
    ("earlier",),
    ("executors", "jobs"),
    ("replaying",),
    ("run",),
    ("analysis", "sweep"),
    ("report",),
    ("calibrate", "estimate"),
    ("notebook",),
    ("cli",),
)
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def part(module: str) -> str:
    return module.split(".")[1]


def imported_parts(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("simulator."):
            found.add(part(node.module))
        elif isinstance(node, ast.Import):
            found |= {part(alias.name) for alias in node.names if alias.name.startswith("simulator.")}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_go_one_way(path: Path) -> None:
    mine = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for other in imported_parts(path):
        assert other == mine or LEVEL[other] <= LEVEL[mine], f"{mine} must not import {other}"


def test_every_part_has_its_place_in_the_order() -> None:
    parts = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
    assert parts == set(LEVEL)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_only_the_command_line_prints(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    prints = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in ("print", "exit")]
    assert not prints or path.parent.name == "cli"
