"""A file given to the wrong importer: the message names the right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.errors import StreamError
from simulator.workload.importers.formats import Importer, written
from simulator.workload.importers.ftrace import import_ftrace
from simulator.workload.importers.kvm import import_kvm
from simulator.workload.importers.perf import import_perf
from simulator.workload.importers.strace import import_strace

TESTS = Path(__file__).parent
FILES = {
    "trace-cmd": ["samples/spin.ftrace.txt", "samples/spin.trace-cmd-ns.txt"],
    "perf": ["data/forkwait-start.perf-script.txt"],
    "strace": ["samples/spin.strace-T.txt", "samples/spin.strace-stderr.txt"],
}
IMPORTERS: dict[str, Importer] = {
    "trace-cmd": written(import_ftrace),
    "perf": written(import_perf),
    "strace": written(import_strace),
    "kvm": import_kvm,
}
READS_TOO = {("kvm", "trace-cmd"), ("kvm", "perf")}
"""These lines can be read, but have no exit among them."""


@pytest.mark.parametrize("importer", IMPORTERS)
@pytest.mark.parametrize(("right", "name"), [(right, name) for right, names in FILES.items() for name in names])
def test_the_right_importer_is_named(importer: str, right: str, name: str, tmp_path: Path) -> None:
    if importer == right:
        IMPORTERS[importer](TESTS / name, tmp_path / "out.parquet")
        return
    expected = "no kvm_exit line" if (importer, right) in READS_TOO else rf"this looks like .*vmmsim import {right}"
    with pytest.raises(StreamError, match=expected):
        IMPORTERS[importer](TESTS / name, tmp_path / "out.parquet")
