"""Damaged recordings of every format: a few cases here, as many as asked for with ``python -m tests.fuzz``."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fuzz import formats
from fuzz.formats import FORMATS, HangError, data_of, run

from simulator.errors import StreamError
from simulator.stream import content_hash
from simulator.workload.importers.perf import import_perf
from simulator.workload.importers.perf_columns import Columns

CASES = 200
SEED = 1
ONCE_FAILED = (("perf", 3, 16_969), ("perf", 2, 22_176))
"""Cases (format, seed, number) that an importer once failed; each stays."""


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_recordings_are_imported_or_refused(name: str, tmp_path: Path) -> None:
    ends = {run(name, tmp_path / "case.txt", data_of(name, SEED, number)) for number in range(CASES)}
    assert ends == {"imported", "refused"}


@pytest.mark.parametrize(("name", "seed", "number"), ONCE_FAILED)
def test_what_once_failed_does_not_again(name: str, seed: int, number: int, tmp_path: Path) -> None:
    assert run(name, tmp_path / "case.txt", data_of(name, seed, number)) in ("imported", "refused")


def test_a_case_is_told_by_its_seed_and_number() -> None:
    assert data_of("perf", 1, 5) == data_of("perf", 1, 5)
    assert len({data_of("perf", seed, number) for seed in (1, 2) for number in range(20)}) > 35


def test_columns_and_single_lines_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a layout, no line is read by columns."""

    def imported(path: Path) -> Any:
        try:
            stream, report = import_perf(path)
        except StreamError as error:
            return str(error)
        return content_hash(stream), report

    path = tmp_path / "case.txt"
    for number in range(CASES):
        path.write_bytes(data_of("perf", SEED + 1, number))
        by_columns = imported(path)
        with monkeypatch.context() as patch:
            patch.setattr(Columns, "_learn", lambda *_: None)
            assert imported(path) == by_columns, f"case {number}"


def test_what_is_wrong_with_an_importer_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample, path = (formats.DATA / "forkwait-start.perf-script.txt").read_bytes(), tmp_path / "case.txt"

    def loses_a_line(file: Path) -> Any:
        stream, report = import_perf(file)
        return stream, replace(report, lines=report.lines - 1, unknown={**report.unknown, "unreadable line": -1})

    def crashes(file: Path) -> Any:
        raise KeyError(file)

    def hangs(file: Path) -> Any:
        time.sleep(60)

    def names_no_file(file: Path) -> Any:
        raise StreamError("something is wrong")

    monkeypatch.setattr(formats, "SECONDS", 1)
    for importer, error in (
        (loses_a_line, AssertionError),
        (crashes, KeyError),
        (hangs, HangError),
        (names_no_file, AssertionError),
    ):
        monkeypatch.setitem(FORMATS, "perf", replace(FORMATS["perf"], read=importer))
        with pytest.raises(error):
            run("perf", path, sample)
