"""Every example in the README and the guides runs."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.spec.build import check_document
from simulator.spec.library import root

PAGES = [page for page in (root() / "README.md", *sorted((root() / "docs").glob("*.md"))) if page.is_file()]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[tuple[str, str]]:
    found = ((page.name, block) for page in PAGES for block in BLOCK.findall(page.read_text(encoding="utf-8")))
    return [(name, text) for name, (tag, text) in found if tag == language]


def commands() -> list[str]:
    """Return the lines of shell examples that begin with vmmsim, without those that need a recording of one's own."""
    lines = (line for _, text in blocks("sh") for line in text.splitlines())
    return sorted({line.split("  #")[0].strip() for line in lines if line.startswith("vmmsim ") and "mine" not in line})


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


@pytest.mark.parametrize("name_and_text", blocks("yaml"), ids=lambda pair: pair[0])
def test_yaml_examples_are_valid(name_and_text: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(name_and_text[1])
    assert check_document(path)[1] == []


def test_shell_examples_run_in_order(tmp_path: Path) -> None:
    """In one folder, runs first, since other examples show what they wrote."""
    shutil.copytree(root() / "experiments", tmp_path / "experiments")
    for command in sorted(commands(), key=lambda line: " run " not in line):
        arguments = [sys.executable, "-m", "simulator.cli", *shlex.split(command)[1:]]
        done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert len(commands()) >= 8


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
