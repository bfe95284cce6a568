"""Every example in the README, the guides and the docstrings runs."""

from __future__ import annotations

import doctest
import importlib
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

import simulator
from simulator.mechanisms import BY_NAME, Parameters
from simulator.spec.build import check_document, load_model
from simulator.spec.library import root

PACKAGE = Path(simulator.__file__).parent
PAGES = [page for page in (root() / "README.md", *sorted((root() / "docs").glob("*.md"))) if page.is_file()]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[tuple[str, str]]:
    found = ((page.name, block) for page in PAGES for block in BLOCK.findall(page.read_text(encoding="utf-8")))
    return [(name, text) for name, (tag, text) in found if tag == language]


def commands() -> list[str]:
    """Return the lines of shell examples that begin with vmmsim, without those that need a recording of one's own."""
    lines = (line for _, text in blocks("sh") for line in text.splitlines())
    own = (line.split("  #")[0].strip() for line in lines if line.startswith("vmmsim ") and "mine" not in line)
    return list(dict.fromkeys(own))


@pytest.mark.skipif(
    not (root() / "README.md").is_file(), reason="the documentation is not part of an installed package"
)
def test_the_readme_begins_with_two_commands_of_one_line() -> None:
    (_, first), (_, second) = blocks("sh")[:2]
    assert first.count("\n") == second.count("\n") == 1
    assert "vmmsim run experiments/quickstart.yaml" in first
    assert "pytest" in second
    for command in (first, second):
        assert command.startswith("python3 -m venv .venv && .venv/bin/python -m pip install")
        assert "--constraint constraints.txt" in command


MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted
    assert not found.failed


@pytest.mark.parametrize("name_and_text", blocks("yaml"), ids=lambda pair: pair[0])
def test_yaml_examples_are_valid(name_and_text: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(name_and_text[1])
    assert check_document(path)[1] == []


def test_shell_and_python_examples_run_in_order(tmp_path: Path) -> None:
    """In one folder, runs first, since other examples show what they wrote; then those in Python."""
    shutil.copytree(root() / "experiments", tmp_path / "experiments")
    for command in sorted(commands(), key=lambda line: " run " not in line):
        arguments = [sys.executable, "-m", "simulator.cli", *shlex.split(command)[1:]]
        done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert len(commands()) >= 8
    scripts: dict[str, str] = {}
    for name, text in blocks("python"):  # the blocks of one page are one program
        scripts[name] = scripts.get(name, "") + text
    for name, text in scripts.items():
        done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{name}\n{done.stderr}"


def test_links_lead_somewhere() -> None:
    pattern = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
    links = [(page, link) for page in PAGES for link in pattern.findall(page.read_text(encoding="utf-8"))]
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()] == []


# The page of the models.

STATUSES = ("published", "derived", "assumed", "fitted")
SHOWN_IN = {
    "shadow_paging": "pentium4-672/hardware-vmm",
    "nested_paging": "lookahead/nested-paging",
    "hybrid": "lookahead/hybrid-vmm",
    "binary_translation": "pentium4-672/software-vmm",
    "adaptive_translation": "pentium4-672/software-vmm",
    "translation_cache": "pentium4-672/software-vmm",
    "trap_and_emulate": "pentium4-672/trap-and-emulate",
    "vm_exits": "pentium4-672/hardware-vmm",
    "direct_execution": "pentium4-672/native",
    "no_cost": "pentium4-672/native",
    "tlb": "pentium4-672/native",
    "page_walk": "pentium4-672/native",
}
"""The model whose values the table of a mechanism's parameters has."""


documented = pytest.mark.skipif(not (root() / "docs").is_dir(), reason="no documentation in an installed package")


def models_page() -> str:
    return (root() / "docs" / "models.md").read_text(encoding="utf-8")


def sections() -> dict[str, str]:
    """Return the section of each mechanism, in the order of the page."""
    parts = re.split(r"^##+ `(\w+)`.*$|^## .*$", models_page(), flags=re.MULTILINE)
    return {name: text for name, text in zip(parts[1::2], parts[2::2], strict=True) if name}


def cell(value: object) -> str:
    """Return how a table says a value: numbers and words as in YAML, mappings by how many entries they have."""
    if isinstance(value, Mapping):
        return str(len(value))
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


@documented
def test_the_models_page_has_every_mechanism_in_order() -> None:
    assert list(sections()) == list(BY_NAME)


@documented
@pytest.mark.parametrize("name", BY_NAME)
def test_the_models_page_has_every_parameter_and_its_shipped_value(name: str) -> None:
    _, model, _ = load_model(root() / "cost_models" / f"{SHOWN_IN[name]}.yaml")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", sections()[name], re.MULTILINE))
    shipped = {key: getattr(model.mechanisms[name], key) for key in BY_NAME[name].schema.model_fields}
    assert rows.keys() == shipped.keys()
    for key, value in shipped.items():
        if not isinstance(value, Parameters):
            said = rows[key].split()[0] if isinstance(value, Mapping) else rows[key]
            assert said == cell(value), f"{name}.{key}"


@documented
def test_the_models_page_counts_the_costs_of_every_model() -> None:
    """An abstract model cannot take all of its actions, and is not counted."""
    expected = {}
    for path in sorted((root() / "cost_models").rglob("*.yaml")):
        spec, model, _ = load_model(path)
        taken = {action for _, action in model.build().leaving()} & model.costs.entries.keys()
        counts = Counter(model.costs.entries[action].status for action in taken)
        name = path.relative_to(root() / "cost_models").with_suffix("").as_posix()
        expected[name] = ["–"] * 4 if spec.abstract else [str(counts[status]) for status in STATUSES]
    rows = re.findall(r"^\| `([\w-]+/[\w-]+)` \|.*?\|(.*)\|$", models_page(), re.MULTILINE)
    assert {name: [part.strip() for part in numbers.split("|")] for name, numbers in rows} == expected


@documented
def test_pictures_are_small_and_all_shown() -> None:
    pictures = sorted((root() / "docs" / "pictures").glob("*.svg"))
    assert {f"pictures/{picture.name}" for picture in pictures} == set(
        re.findall(r"\]\((pictures/[^)]+)\)", models_page())
    )
    for picture in pictures:
        assert picture.stat().st_size < 8000, picture.name
        assert "<title" in picture.read_text(encoding="utf-8")
