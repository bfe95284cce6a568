"""The results of all experiments of a folder: a directory with a result each, one comparison, and an index."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import simulator
from simulator.errors import InputError
from simulator.report import html
from simulator.report.writer import (
    RESULT_FILE,
    as_json,
    check_directory,
    check_target,
    columns,
    whole_directory,
    write_csv,
    write_result,
)
from simulator.result import SCHEMA_VERSION, ComparisonRow, Result, frame

if TYPE_CHECKING:
    import pandas as pd

COLLECTION_FILE = "collection.json"
_FILES = {COLLECTION_FILE, "comparison.csv", "index.html"}


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one experiment; ``error`` is why it failed, empty if it did not."""

    name: str
    title: str = ""
    warnings: tuple[str, ...] = ()
    error: str = ""


@dataclass(slots=True)
class Collection:
    """The experiments of a folder, as far as they have run; their results are below ``folder``."""

    title: str
    settings: Sequence[str]
    folder: Path
    entries: list[Entry] = field(default_factory=list)
    rows: list[tuple[str, ComparisonRow]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    plots: dict[str, Path | None] = field(default_factory=dict)
    """The first plot of each experiment that has been drawn."""

    def add(
        self, name: str, result: Result, resolved_yaml: str, plots: bool = True, experiment: str | None = None
    ) -> None:
        """Write a result into the folder, and keep its comparison; ``experiment`` is how the user names it.

        Raises:
            InputError: the name is one of the collection's own files.
        """
        if name in _FILES:
            raise InputError(f"an experiment cannot be called '{name}': the file of that name stands beside it")
        write_result(result, self.folder / name, resolved_yaml, plots, experiment)
        self.entries.append(Entry(name, result.title, result.warnings))
        drawn = (self.folder / name / "plots" / f"{plot}.svg" for plot in result.plots)
        self.plots[name] = next((path for path in drawn if path.is_file()), None)
        self.rows += [(name, row) for row in result.comparison]
        self.remarks += [f"{name}: {remark}" for remark in result.remarks]

    def fail(self, name: str, error: str) -> None:
        """Note that an experiment failed, and why."""
        self.entries.append(Entry(name, error=error or "failed"))

    @property
    def failed(self) -> int:
        """How many experiments failed."""
        return sum(bool(entry.error) for entry in self.entries)

    @property
    def comparison(self) -> pd.DataFrame:
        """All comparisons, with the name of the experiment as the first column."""
        table = frame([row for _, row in self.rows], ComparisonRow)
        table.insert(0, "experiment", [name for name, _ in self.rows])
        return table

    def data(self) -> dict[str, Any]:
        """Return the collection for JSON."""
        entries = [{**asdict(entry), "error": entry.error or None} for entry in self.entries]
        comparison = [{"experiment": name, **as_json(row)} for name, row in self.rows]
        return {"title": self.title, "overrides": self.settings, "experiments": entries, "comparison": comparison}

    def write(self) -> None:
        """Write what is of all the experiments together."""
        header = ["experiment", *columns(ComparisonRow)]
        write_csv(self.folder / "comparison.csv", header, ((name, *astuple(row)) for name, row in self.rows))
        page = html.render_index(self.title, list(self._index()), self.comparison, self.remarks)
        (self.folder / "index.html").write_text(page, encoding="utf-8")
        about = {"schema_version": SCHEMA_VERSION, "tool": {"name": "vmmsim", "version": simulator.__version__}}
        text = json.dumps({**about, **self.data()}, indent=1) + "\n"
        (self.folder / COLLECTION_FILE).write_text(text, encoding="utf-8")

    def _index(self) -> Iterator[html.IndexEntry]:
        for entry in self.entries:
            has_report = (self.folder / entry.name / "report.html").is_file()
            link = f"./{quote(entry.name)}/report.html" if has_report else ""
            yield html.IndexEntry(entry.name, entry.title, link, entry.error, self.plots.get(entry.name))


@contextmanager
def collecting(target: Path, title: str, settings: Sequence[str] = ()) -> Iterator[Collection]:
    """Give a collection that is written to ``target`` as a whole at the end, unless all of it failed.

    Raises:
        InputError: the target exists and is something else than an earlier collection.
    """
    with whole_directory(target, check_collection_target) as folder:
        collection = Collection(title, settings, folder)
        yield collection
        if collection.failed < len(collection.entries):
            collection.write()


def check_collection_target(directory: Path) -> None:
    """Refuse to replace anything but an earlier collection.

    Raises:
        InputError: the directory exists and is none, or holds what is no part of one.
    """
    check_directory(directory)
    paths = sorted(directory.iterdir()) if directory.is_dir() else []
    if paths and not (directory / COLLECTION_FILE).is_file():
        raise InputError(f"{directory}: exists and holds no {COLLECTION_FILE}: choose another --out, or remove it")
    for path in paths:
        if (path / RESULT_FILE).is_file():
            check_target(path)
        elif path.name not in _FILES:
            raise InputError(f"{directory}: holds files that are no part of a result, and would be lost: {path.name}")
