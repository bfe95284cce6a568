"""The experiments of a folder."""

from __future__ import annotations

from pathlib import Path

from simulator.errors import InputError, SpecError
from simulator.spec.resolve import Resolver


def experiments_in(folder: Path) -> list[Path]:
    """Return the experiments directly in a folder, by name; a file that cannot be read is one, so that a run says why.

    Raises:
        InputError: there are none, or two of one name.
    """
    files = [path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and path.is_file()]
    found = sorted(path for path in files if not path.name.startswith(".") and _may_be_experiment(path))
    if not found:
        raise InputError(f"{folder}: no experiments in this directory (files with 'document: experiment' in .yaml)")
    stems = [path.stem for path in found]
    if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
        raise InputError(f"{folder}: two experiments of the name {', '.join(twice)}: their results would be one")
    return found


def experiments_below(folder: Path) -> list[Path]:
    """Return the experiments in a folder and in the folders below it, but for hidden ones; in the order of their paths.

    Raises:
        InputError: there are none.
    """
    files = (path for path in sorted(folder.rglob("*")) if path.suffix in (".yaml", ".yml") and path.is_file())
    seen = (path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    found = [path for path in seen if _may_be_experiment(path)]
    if not found:
        raise InputError(f"{folder}: no experiments in this directory or below (files with 'document: experiment')")
    return found


def _may_be_experiment(path: Path) -> bool:
    try:
        return Resolver().kind(path) == "experiment"
    except (SpecError, OSError):
        return True
