"""A real Dask cluster on this machine: a scheduler and two workers, each a process of its own; one is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from command_line import VMMSIM, vmmsim
from test_sweep import SWEEP, files, folder

__all__ = ["folder"]

pytest.importorskip("distributed", reason="Dask is not installed")


@contextmanager
def process(*arguments: str, cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    log = (cwd / f"{arguments[0]}.log").open("ab")
    started = subprocess.Popen([sys.executable, "-m", *arguments], cwd=cwd, stdout=log, stderr=log)
    try:
        yield started
    finally:
        started.kill()
        started.wait()
        log.close()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def worker(address: str, cwd: Path) -> AbstractContextManager[subprocess.Popen[bytes]]:
    options = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1")
    return process("distributed.cli.dask_worker", address, *options, cwd=cwd)


def test_a_worker_killed_in_mid_sweep_loses_nothing(folder: Path) -> None:
    """The files are those of a sweep in one process, though a worker died when some replays were done."""
    assert vmmsim(*SWEEP, "--jobs", "1", "--out", "here", cwd=folder).returncode == 0
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    options = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    with (
        process("distributed.cli.dask_scheduler", *options, cwd=folder),
        worker(address, folder) as first,
        worker(address, folder) as second,
    ):
        wait_for_workers(address)
        command = [*VMMSIM, *SWEEP, "--executor", "dask", "--scheduler", address, "--out", "there"]
        sweeping = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while sweeping.poll() is None and not list(folder.glob("there.store/*/*.json")):
            time.sleep(0.001)
        os.kill(first.pid, signal.SIGKILL)
        was_under_way = sweeping.poll() is None
        _, errors = sweeping.communicate(timeout=300)
        assert sweeping.returncode == 0, errors.decode()
        assert was_under_way
        assert second.poll() is None
    assert files(folder / "here") == files(folder / "there")
    assert files(folder / "here.store") == files(folder / "there.store")


def test_a_cluster_that_goes_away_is_told_and_what_was_done_is_kept(folder: Path) -> None:
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    options = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    with (
        process("distributed.cli.dask_scheduler", *options, cwd=folder) as scheduler,
        worker(address, folder),
        worker(address, folder),
    ):
        wait_for_workers(address)
        command = [*VMMSIM, *SWEEP, "--executor", "dask", "--scheduler", address, "--out", "there"]
        sweeping = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while sweeping.poll() is None and not list(folder.glob("there.store/*/*.json")):
            time.sleep(0.001)
        scheduler.kill()
        _, errors = sweeping.communicate(timeout=120)
    assert sweeping.returncode == 1, errors.decode()
    assert "the Dask cluster lost a replay" in errors.decode()
    assert list(folder.glob("there.store/*/*.json"))
    assert not (folder / "there").exists()


def wait_for_workers(address: str) -> None:
    code = f"from distributed import Client; Client({address!r}, timeout=60).wait_for_workers(2, timeout=120)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_scheduler_that_is_not_there_is_told(folder: Path) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    done = vmmsim(*SWEEP, "--executor", "dask", "--scheduler", address, cwd=folder)
    assert done.returncode == 2, done.stderr
    assert f"no Dask scheduler answers at {address}" in done.stderr
    assert "Traceback" not in done.stderr
