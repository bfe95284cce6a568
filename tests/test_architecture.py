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
    ("earlier", "recordings"),
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


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[Path]:
    """Return the modules of the package that a module imports: at once, when they are needed, or for their types."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    places = [PACKAGE.parent.joinpath(*name.split(".")) for name in names]
    files = {file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")}
    return files & set(MODULES) - {path}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_go_one_way(path: Path) -> None:
    mine = part(path)
    for other in map(part, imported(path)):
        assert other == mine or LEVEL[other] <= LEVEL[mine], f"{mine} must not import {other}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    """What two modules both need stands in a third. What is left is in circles, or between them."""
    left = {path: imported(path) for path in MODULES}
    while free := [
        path for path, others in left.items() if not others & left.keys() or path not in set().union(*left.values())
    ]:
        for path in free:
            del left[path]
    assert [path.relative_to(PACKAGE).as_posix() for path in left] == []


def test_every_part_has_its_place_in_the_order() -> None:
    assert set(map(part, MODULES)) == set(LEVEL)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_only_the_command_line_prints(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    prints = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in ("print", "exit")]
    assert not prints or path.parent.name == "cli"
