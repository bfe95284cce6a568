"""What a fit leaves behind: an overlay of each model and workload it was to write, and how its values were found."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

import simulator
from simulator.calibrate.fit import Estimate, Fit
from simulator.errors import InputError, SpecError
from simulator.result import ComparisonRow
from simulator.spec.build import Experiment
from simulator.spec.library import DocumentKind, find
from simulator.spec.node import Node, Where, dotted, fingerprint, node_at, plain
from simulator.spec.reader import load
from simulator.spec.resolve import label_of
from simulator.spec.scalars import scalar

_KINDS: dict[str, DocumentKind] = {"models": "cost-model", "workloads": "workload"}
_WIDTH = 116
_HEADING = "# Written by `vmmsim calibrate fit`: fit again rather than change values here.\n"


class _Dumper(yaml.SafeDumper):
    """Writes YAML that reads back as the same values by the core schema of YAML 1.2."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Write everything out."""
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if _reads_as_text(text) else "'")


def _represent_decimal(dumper: yaml.SafeDumper, number: Decimal) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:float", f"{number:f}")


def _reads_as_text(text: str) -> bool:
    try:
        return isinstance(scalar(text), str)
    except ValueError:
        return False


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(Decimal, _represent_decimal)


class Targets:
    """The files that a fit writes, by the part of the experiment that each is an overlay of (`models.NAME`).

    Raises:
        InputError: a file exists and is no fitted document, or a part has no name that could be extended.
    """

    def __init__(self, path: Path, experiment: Experiment, out: Path | None) -> None:
        assert experiment.spec.fit is not None, "the caller has checked that there is a section fit"
        writes = experiment.spec.fit.writes
        target = out or Path("results") / f"{path.stem}.fit{'.yaml' if len(writes) == 1 else ''}"
        labels = [name.partition(".")[2] for name in writes]
        stems = labels if len(set(labels)) == len(labels) else writes
        several = {name: target / f"{stem.replace('/', '-')}.yaml" for name, stem in zip(writes, stems, strict=True)}
        self.files = {writes[0]: target} if len(writes) == 1 else several
        self.bases = {name: _base(path, name, file) for name, file in self.files.items()}
        for name, file in self.files.items():
            _check_target(file, _kind(name))
        _check_overrides(experiment, writes)


def write(fit: Fit, targets: Targets) -> None:
    """Write each document; a file takes its name only when all of it is there."""
    texts = {file: _text(document(fit, name, targets.bases[name])) for name, file in targets.files.items()}
    for file, text in texts.items():
        _write(file, text)


def document(fit: Fit, name: str, base: str) -> dict[str, Any]:
    """Return the overlay of one part of the experiment: the values that were fitted, and those that `--set` gave."""
    part = tuple(name.split(".", 1))
    paths = [path for estimate in fit.estimates for path in estimate.parameter.paths]
    paths += [path for override in fit.experiment.overrides for path in override.paths]
    tree = node_at(fit.experiment.tree, part)
    title = tree.child("title")
    values = _overlay(tree, [_entry(path[2:]) for path in paths if path[:2] == part])
    return {
        "document": _kind(name),
        "title": f"{plain(title) if title else name}, fitted to: {fit.experiment.spec.title}",
        "extends": base,
        **values,
        "provenance": provenance(fit, part),
    }


def provenance(fit: Fit, part: tuple[str, ...]) -> dict[str, Any]:
    """Return how the values of a part were found, as a plain mapping that is the same whenever the fit is."""
    experiment = fit.experiment
    estimates = [each for each in fit.estimates if any(path[:2] == part for path in each.parameter.paths)]
    rows = [row for row in fit.rows if (row.workload if part[0] == "workloads" else row.model) == part[1]]
    assert experiment.spec.fit is not None, "it was fitted"
    return {
        "tool": "vmmsim calibrate fit",
        "version": simulator.__version__,
        "experiment": experiment.spec.title,
        "experiment_file": Path(experiment.tree.mark.file).name,
        "experiment_sha256": fingerprint(fit.given.tree),
        "seed": experiment.spec.seed,
        "evaluations": fit.evaluations,
        "parameters": [estimate_as_data(estimate) for estimate in estimates],
        "references": [figure_as_data(row) for row in rows],
        "sum_of_squares_of_all": f"{sum(residual**2 for residual in fit.residuals):.4g}",
        "warnings": list(fit.warnings),
    }


def estimate_as_data(estimate: Estimate) -> dict[str, Any]:
    """Return one parameter as plain data; values are text with their unit."""
    parameter = estimate.parameter
    return {
        "path": parameter.name,
        "low": parameter.text(parameter.low),
        "high": parameter.text(parameter.high),
        "start": parameter.text(parameter.start),
        "fitted": parameter.text(estimate.value),
        "at_bound": estimate.bound or "no",
        "standard_error": error_text(estimate),
    }


def error_text(estimate: Estimate) -> str:
    """Return the standard error with its unit, or why there is none."""
    return estimate.note if estimate.error is None else estimate.parameter.text(estimate.error)


def figure_as_data(row: ComparisonRow) -> dict[str, Any]:
    """Return one figure as plain data."""
    error = "" if row.error_percent is None else f"{row.error_percent:f}"
    return {
        "quantity": row.quantity,
        "workload": row.workload,
        "model": row.model,
        "published": f"{row.published:f}",
        "modelled": f"{row.modelled:f}",
        "error_percent": error,
        "source": row.source,
    }


def _kind(name: str) -> DocumentKind:
    return _KINDS[name.partition(".")[0]]


def _entry(path: Where) -> Where:
    """Return the place of the whole entry of a cost where a path leads to one of its keys."""
    return path[:-1] if path[-2:-1] and path[-3:-2] == ("costs",) else path


def _overlay(node: Node, paths: Sequence[Where]) -> Any:
    """Return what of a tree leads to some paths; lists stand whole, as an overlay replaces them whole."""
    if not isinstance(node.value, dict) or () in paths:
        return plain(node)
    inside = {key: [path[1:] for path in paths if path[0] == key] for key in node.value}
    return {key: _overlay(node.value[key], rest) for key, rest in inside.items() if rest}


def _base(path: Path, name: str, file: Path) -> str:
    """Return the name by which an overlay extends a part of the experiment: as the experiment names it.

    A path that begins beside the experiment is written from where the overlay stands.
    """
    section, _, label = name.partition(".")
    kind = _KINDS[section]
    reference = _references(path, section)[label]
    if not isinstance(reference, str):
        raise InputError(f"fit.writes: {name} stands in place in the experiment: give it a file, which can be extended")
    found = find(reference, kind, path.parent)
    if found.suffix == ".parquet":
        raise InputError(f"fit.writes: {name} is a bare recording: write a workload around it, which can be extended")
    is_beside = found.is_relative_to(path.parent)  # else it is in the library, or written from the root
    if not is_beside or Path(reference).is_absolute() or file.parent.resolve() == path.parent.resolve():
        return reference
    return Path(os.path.relpath(found.resolve(), file.resolve().parent)).as_posix()


def _references(path: Path, section: str) -> dict[str, Any]:
    """Return what an experiment writes for each model or workload, by label."""
    child = load(path, path.name).child(section)
    entries = child.children() if child is not None else ()
    return {label_of(entry, part, (section, part)): entry.value for part, entry in entries}


def _check_overrides(experiment: Experiment, writes: Sequence[str]) -> None:
    """Refuse `--set` of whole mappings in what is written: an overlay adds keys, and could not take the others away."""
    parts = [tuple(name.split(".", 1)) for name in writes]
    for override in experiment.overrides:
        for path in override.paths:
            if path[:2] in parts and isinstance(node_at(experiment.tree, path).value, dict):
                raise InputError(f"--set {override.text}: set the values of {dotted(path)} one by one for a fit")


def _check_target(file: Path, kind: DocumentKind) -> None:
    """Refuse to replace anything but an earlier document of this kind that a fit has written."""
    if not file.exists() and not file.is_symlink():
        return
    refusal = InputError(f"{file}: exists and is no {kind} that a fit has written: choose another --out, or remove it")
    try:
        tree = load(file, str(file)) if file.is_file() else None
    except SpecError:
        raise refusal from None
    values: Mapping[str, Any] = tree.value if tree is not None and isinstance(tree.value, dict) else {}
    found = [values[key].value for key in ("document",) if key in values]
    tool = values["provenance"].child("tool") if "provenance" in values else None
    if found != [kind] or tool is None or tool.value != "vmmsim calibrate fit":
        raise refusal


def _text(content: dict[str, Any]) -> str:
    body = yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return _HEADING + str(body)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
