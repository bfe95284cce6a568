"""The command line as a process of its own, and a small experiment for it."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

VMMSIM = [sys.executable, "-m", "simulator.cli"]

MODEL = """\
document: cost-model
title: small
machine: {name: m, clock: 1 GHz}
mechanisms:
  direct_execution:
    events:
      syscall: {syscall: 2}
      rdtsc: {rdtsc: 1}
      user_compute: {compute: 1}
costs:
  compute: {cost: 1 ns, source: definition, status: published}
  syscall: {cost: 10 cycles, source: test, status: assumed}
  rdtsc: {cost: 3.5 cycles, source: test, status: assumed}
"""
WORKLOAD = """\
document: workload
title: small
events:
  - syscall: 1000
  - user_compute: 1 us
"""
EXPERIMENT = """\
document: experiment
title: small
workloads: [w.yaml]
models: [m.yaml]
baseline: m
"""


def small_experiment(folder: Path) -> Path:
    """Write the small experiment, ``e.yaml``, with its model and its workload; return the folder."""
    for name, text in (("m.yaml", MODEL), ("w.yaml", WORKLOAD), ("e.yaml", EXPERIMENT)):
        (folder / name).write_text(text)
    return folder


def vmmsim(*arguments: str | Path, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "100", **more}
    command = [*VMMSIM, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """Return the message of a run that refused its input, in one line a fault and without a traceback."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
