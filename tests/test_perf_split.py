"""Large recordings are split by another process: it says the same, fails the same, and ends when it is not needed."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import vmmsim

from simulator.errors import RunError, StreamError
from simulator.stream import content_hash
from simulator.workload.importers import perf_process
from simulator.workload.importers.perf import import_perf
from simulator.workload.importers.perf_block import ODD, TIME, A
from simulator.workload.importers.perf_columns import Columns
from simulator.workload.importers.perf_process import splitting

SAMPLES = sorted((Path(__file__).parent / "data").glob("*.perf-script.txt"))


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is large, and there are processors enough."""
    monkeypatch.setattr(perf_process, "LARGE_BYTES", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name.split(".")[0])
def test_another_process_says_the_same(sample: Path, request: pytest.FixtureRequest) -> None:
    stream, report = import_perf(sample)
    request.getfixturevalue("apart")
    stream_apart, report_apart = import_perf(sample, progress=lambda _done, _total: None)
    assert content_hash(stream_apart) == content_hash(stream)
    assert report_apart == report
    assert stream_apart.header == stream.header


@pytest.mark.usefixtures("apart")
def test_a_process_that_is_there_already_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    expected, _ = import_perf(SAMPLES[0])
    with splitting(SAMPLES[0]) as splitter:
        assert splitter is not None
        monkeypatch.setattr(sys, "executable", "none-other-is-started")
        stream, _ = import_perf(SAMPLES[0], splitter=splitter)
    assert content_hash(stream) == content_hash(expected)


STARTED = """
import os, subprocess, sys
from simulator.cli.__main__ import main
from simulator.workload.importers import perf_process

class Started(subprocess.Popen):
    def __init__(self, *arguments, **options):
        print("started", "numpy" in sys.modules, "pyarrow" in sys.modules, os.environ["OPENBLAS_NUM_THREADS"])
        super().__init__(*arguments, **options)

perf_process.LARGE_BYTES, os.cpu_count, subprocess.Popen = 0, lambda: 2, Started
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def test_the_command_starts_the_process_before_it_loads_what_is_large(tmp_path: Path) -> None:
    alone, apart = tmp_path / "alone.parquet", tmp_path / "apart.parquet"
    assert vmmsim("import", "perf", SAMPLES[0], "--out", alone, cwd=tmp_path).returncode == 0
    command = [sys.executable, "-c", STARTED, "import", "perf", str(SAMPLES[0]), "--out", str(apart)]
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "started False False 1"
    assert "pyarrow.compute" not in done.stderr.split()
    assert apart.read_bytes() == alone.read_bytes()


@pytest.mark.usefixtures("apart")
def test_another_process_fails_the_same(tmp_path: Path) -> None:
    path = tmp_path / "cut.txt"
    path.write_bytes(gzip.compress(SAMPLES[0].read_bytes())[:-20])
    with pytest.raises(StreamError, match=r"cut\.txt:\d+: the gzip data are truncated"):
        import_perf(path)
    with pytest.raises(StreamError, match="no such file"):
        import_perf(tmp_path / "none.txt")


@pytest.mark.usefixtures("apart")
def test_a_process_that_ends_early_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(RunError, match="has ended before it was done"):
        import_perf(SAMPLES[0])


@pytest.mark.usefixtures("apart")
def test_the_process_ends_with_whoever_reads(tmp_path: Path) -> None:
    """Time runs backward in the first lines of a file that is much larger than what fits in a pipe."""
    path = tmp_path / "backward.txt"
    path.write_bytes(SAMPLES[0].read_bytes() * 100)
    with pytest.raises(StreamError, match="time runs backward"):
        import_perf(path)


def test_lines_of_many_layouts_are_all_read_by_columns() -> None:
    """Each block may bring layouts; those that fit most lines stay, however odd single lines are."""
    columns = Columns()
    lines = [
        f"{'task':>{width}} 7/7 [000] {second:{1 + width % 3}}.{number:09}: {'msr:read_msr':>{20 + width % 2}}: 3b, value 0\n"
        for second in (1, 123_456)
        for width in (5, 6, 7)
        for number in range(20)
    ]
    junk = [f"junk {'x' * number} 7/7 [000] 5.{number:09}: a:b: c\n" for number in range(30)]
    for number in range(30):
        columns.split("".join((*lines, junk[number])).encode())
    block = columns.split("".join(lines).encode())
    assert (block.columns[TIME] >= 0).all()
    assert set(block.fields(A)) == {0x3B}


def test_a_line_that_was_split_is_told_by_its_head_and_one_that_was_not_as_it_stands() -> None:
    lines = [
        "  Web Content     7/9     [001]    12.000000345:   irq:irq_handler_exit: irq=3 ret=handled",
        "  Web Content     7/9     [001]    12.000000346:   irq:irq_handler_exit: irq=9223372036854775808 ret=handled",
    ]
    block = Columns().split("".join(f"{line}\n" for line in lines).encode())
    assert block.columns[TIME].tolist() == [12_000_000_345, ODD]
    assert block.line(0) == b"  Web Content     7/9     [001] 12.000000345:   irq:irq_handler_exit: ..."
    assert block.line(1).decode() == lines[1]
