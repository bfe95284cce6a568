"""The importer of perf.data files: through a stand-in for perf everywhere, and through perf itself where it records."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.errors import InputError, StreamError
from simulator.stream import content_hash
from simulator.workload.importers.perf import import_perf
from simulator.workload.importers.perf_data import import_perf_data

SAMPLE = Path(__file__).parent / "data" / "forkwait-start.perf-script.txt"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "mine.data"
    path.write_bytes(b"PERFILE2 and whatever only perf can read")
    return path


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Put a program named perf on the PATH; return the file to which it writes its arguments."""
    folder = folder / "bin"
    folder.mkdir()
    program, arguments = folder / "perf", folder / "arguments"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{arguments}"\n{script}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return arguments


def test_it_is_what_perf_script_says(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = f'echo "\'trace\' not valid for hardware events. Ignoring." >&2; cat "{SAMPLE}"; echo "lost 5 chunks!" >&2'
    arguments = stand_in(tmp_path, monkeypatch, script)
    stream, report = import_perf_data(data, "a title", {"machine": "a"})
    assert content_hash(stream) == content_hash(import_perf(SAMPLE)[0])
    assert arguments.read_text().split() == [
        *("script", "--ns", "-F", "comm,pid,tid,cpu,time,event,trace", "-i", str(data))
    ]
    assert [note for note in report.notes if "perf script" in note] == ["perf script: lost 5 chunks!"]
    assert (stream.header.title, stream.header.provenance["file"]) == ("a title", "mine.data")


def test_without_perf_the_message_says_what_to_install(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match=r"mine\.data: `perf` is not on the PATH.* install linux-perf on Debian"):
        import_perf_data(data)


@pytest.mark.parametrize("before", ["", "head -c 2000 {sample}; "])
def test_where_perf_fails_it_speaks_for_itself(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    stand_in(tmp_path, monkeypatch, before.format(sample=SAMPLE) + "echo 'incompatible file format' >&2; exit 255")
    with pytest.raises(StreamError, match="`perf script` failed with exit code 255: incompatible file format"):
        import_perf_data(data)


def test_text_that_cannot_be_read_ends_perf_too(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that runs backward; perf would go on for ever."""
    lines = SAMPLE.read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "backward").write_text("".join((*lines[:50], *lines[:50])), encoding="utf-8")
    stand_in(tmp_path, monkeypatch, f'echo $$ > "{tmp_path}/pid"; while cat "{tmp_path}/backward"; do :; done')
    with pytest.raises(StreamError, match=r"mine\.data:51: time runs backward"):
        import_perf_data(data)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_other_files_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(StreamError, match="no such file"):
        import_perf_data(tmp_path / "none.data")
    data.write_text("text")
    with pytest.raises(StreamError, match=r"mine\.data: not a file of `perf record`.*`vmmsim import perf`"):
        import_perf_data(data)


def test_the_command_exits_with_2_without_perf(data: Path) -> None:
    command = [sys.executable, "-m", "simulator.cli", "import", "perf-data", data.name]
    done = subprocess.run(
        command, cwd=data.parent, env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "install linux-perf" in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_what_perf_itself_recorded(tmp_path: Path) -> None:
    perf = shutil.which("perf")
    if perf is None:
        pytest.skip("perf is not installed")
    data = tmp_path / "own.data"
    command = [perf, "record", "-a", "-e", "raw_syscalls:sys_enter", "-o", str(data), "--", "true"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"perf cannot record system calls here: {' '.join(done.stderr.split())[:200]}")
    try:
        stream, report = import_perf_data(data)
    except StreamError as error:
        if "time runs backward" in str(error):
            pytest.skip(f"perf wrote its lines out of order, as it may on a machine that is too busy: {error}")
        raise
    assert report.with_event["raw_syscalls:sys_enter"] == report.lines
    assert stream.header.provenance["file"] == "own.data"
