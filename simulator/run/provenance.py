"""What is needed to make a result again: the program, its inputs, and where it ran."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from typing import Any

import numpy as np

import simulator
from simulator.earlier import code_hash
from simulator.recordings import recording_hash
from simulator.result import SCHEMA_VERSION
from simulator.spec.build import Experiment
from simulator.spec.library import root
from simulator.spec.node import fingerprint, plain, readable
from simulator.stream import StreamHash
from simulator.workload.untold import FALSE_TIMES, whose_times


def recording_hashes(experiment: Experiment) -> dict[str, StreamHash]:
    """Return the hash of each recording, by workload."""
    found = {name: recording_hash(workload) for name, workload in experiment.workloads.items()}
    return {name: digest for name, digest in found.items() if digest is not None}


def false_times(experiment: Experiment) -> dict[str, str]:
    """Return whose the times of workloads are that are those of no machine, by the workload's name."""
    found = {name: whose_times((each.recording or each.stream).header) for name, each in experiment.workloads.items()}
    return {name: whose for name, whose in found.items() if whose}


def metadata(experiment: Experiment, engine: str, recordings: Mapping[str, StreamHash]) -> dict[str, Any]:
    """Return what is needed to make a result again; ``recordings`` are their hashes, by workload."""
    whose = false_times(experiment)
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {
            "name": "vmmsim",
            "version": simulator.__version__,
            "commit": _commit(),
            "code_sha256": code_hash(),
        },
        "engine": engine,
        "experiment": readable(plain(experiment.tree)),
        "overrides": [override.text for override in experiment.overrides],
        "inputs": {
            "experiment_sha256": fingerprint(experiment.tree),
            "recordings_sha256": {name: digest.rows for name, digest in recordings.items()},
            "headers_sha256": {name: digest.header for name, digest in recordings.items()},
        },
        "seed": experiment.spec.seed,
        **({FALSE_TIMES: whose} if whose else {}),
        "host": {
            "system": platform.platform(),
            "machine": platform.machine(),
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
    }


def _commit() -> str | None:
    """Return the commit of the checkout that the program runs from, with ``-dirty`` if files differ from it.

    None if the program runs from an installed package.
    """
    if not (root() / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(root()), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
