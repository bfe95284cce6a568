"""Where documents are found: a path beside the file that names it, or a name in the library that ships with vmmsim."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import simulator
from simulator.errors import InputError, did_you_mean

DocumentKind = Literal["experiment", "workload", "operations", "cost-model"]

FOLDERS: dict[DocumentKind, str] = {
    "experiment": "experiments",
    "workload": "workloads",
    "operations": "workloads/operations",
    "cost-model": "cost_models",
}
"""Where the library keeps each kind. Names count from the first folder, so operations are called operations/NAME."""

BELONGS = {
    "workload": "'workloads:' of an experiment (by itself: vmmsim run any-recording --set workloads.recording=FILE)",
    "operations": "'operations:' of a workload",
    "cost-model": "'models:' of an experiment",
}
"""Under which key of which document one that is no experiment belongs."""
ONE: dict[str, str] = {
    "experiment": "an experiment",
    "workload": "a workload",
    "operations": "a document of operations",
    "cost-model": "a cost model",
}

_SUFFIXES = (".yaml", ".yml", ".parquet")


def root() -> Path:
    """Return the folder that holds the library: inside an installed package, or the checkout."""
    package = Path(simulator.__file__).parent
    installed = package / "library"
    return installed if installed.is_dir() else package.parent


def _shelf(kind: DocumentKind) -> Path:
    """Return the folder from which the names of a kind count."""
    return root() / FOLDERS[kind].partition("/")[0]


def names(kind: DocumentKind) -> list[str]:
    """Return the names of all documents of a kind in the library, without suffix, sorted."""
    folder = root() / FOLDERS[kind]
    others = [root() / other for other in FOLDERS.values() if other.startswith(f"{FOLDERS[kind]}/")]
    files = [path for path in folder.rglob("*") if path.suffix in _SUFFIXES]
    mine = (path for path in files if not any(path.is_relative_to(other) for other in others))
    return sorted({path.relative_to(_shelf(kind)).with_suffix("").as_posix() for path in mine})


def find(reference: str, kind: DocumentKind, beside: Path) -> Path:
    """Find a document: ``reference`` is a path from the folder ``beside``, or a name in the library.

    Raises:
        InputError: neither exists; the message names the nearest library name.
    """
    path = Path(reference).expanduser()
    suffixes = ("",) if path.suffix in _SUFFIXES else _SUFFIXES
    for folder in (beside, _shelf(kind), root()):
        for suffix in suffixes:
            candidate = folder / (str(path) + suffix)
            if candidate.is_file():
                return candidate
    if (beside / path).is_dir():
        raise InputError(f"'{reference}' is a directory: expected a file, or the name of {ONE[kind]}")
    for other in FOLDERS:
        if other != kind and reference in names(other):
            if kind == "experiment":
                raise InputError(f"'{reference}' is of the kind '{other}': it belongs under {BELONGS[other]}")
            raise InputError(f"'{reference}' is of the kind '{other}'; expected one of '{kind}'")
    if path.suffix in _SUFFIXES and path.is_file():
        raise InputError(
            f"no {kind} '{reference}': a path counts from the folder of the document that names it, '{shown(beside)}'; "
            f"for the file in the working directory write '{os.path.relpath(path, beside)}'"
        )
    known = names(kind)
    near = did_you_mean(path.with_suffix("").as_posix() if path.suffix in _SUFFIXES else reference, known)
    raise InputError(f"no {kind} '{reference}': no such file, and none of that name in the library{near}")


def find_folder(reference: str) -> Path | None:
    """Find a folder of experiments: by path, or by name in the library, such as ``paper``; None if there is none."""
    folders = (Path(), root() / FOLDERS["experiment"], root())
    candidates = (folder / Path(reference).expanduser() for folder in folders if reference)
    return next((candidate for candidate in candidates if candidate.is_dir()), None)


def shown(path: Path) -> str:
    """Return a path as people know it: from the library's root or the working directory where it lies below one."""
    absolute = path.resolve()
    for base in (Path.cwd(), root()):
        if absolute.is_relative_to(base.resolve()):
            return absolute.relative_to(base.resolve()).as_posix()
    return str(path)
