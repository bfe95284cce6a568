"""What a recording's source could not see is told in every run of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from support import K, stream

from simulator.report.writer import write_result
from simulator.run import run_experiment
from simulator.run.experiment import notes_on
from simulator.spec.build import load_experiment, load_workload
from simulator.spec.library import root
from simulator.stream import Header, write_parquet
from simulator.workload.combine import concat
from simulator.workload.exporters.synthetic import Synthetic
from simulator.workload.history import with_history
from simulator.workload.importers.ftrace import import_ftrace
from simulator.workload.importers.kvm import import_kvm
from simulator.workload.importers.kvm_stat import read_kvm_stat, workload_text
from simulator.workload.importers.perf import import_perf
from simulator.workload.importers.strace import import_strace
from simulator.workload.untold import untold

SAMPLES = Path(__file__).parent / "samples"
ANY = root() / "experiments/any-recording.yaml"


def test_a_run_of_what_strace_saw_says_what_it_did_not_see(tmp_path: Path) -> None:
    recording, _ = import_strace(SAMPLES / "tasks.strace-T.txt")
    write_parquet(recording, tmp_path / "a.parquet")
    result = run_experiment(load_experiment(ANY, [f"workloads.recording={tmp_path / 'a.parquet'}"]))
    (note,) = (note for note in result.notes if "tells nothing of" in note)
    assert "recording: its source (strace) tells nothing of page faults, page-table writes, TLB flushes" in note
    write_result(result, tmp_path / "out", "", plots=True)
    assert "its source (strace) tells nothing of page faults" in (tmp_path / "out/report.html").read_text()


def test_exits_do_not_tell_what_does_not_exit(tmp_path: Path) -> None:
    header, _ = import_kvm(SAMPLES / "kvm-intel.perf.txt", tmp_path / "a.parquet")
    (told,) = untold(header)
    assert "its source (exits under KVM) tells nothing of what does not exit: system calls" in told


def notes_of_table(folder: Path, table: str, computation: int | None) -> list[str]:
    """What an experiment with the workload of a table of ``perf kvm stat`` says of it."""
    (folder / "t.txt").write_text(table)
    (folder / "t.yaml").write_text(workload_text(read_kvm_stat(folder / "t.txt"), "t", computation))
    (folder / "e.yaml").write_text(
        "{document: experiment, title: e, workloads: [t.yaml], models: [recording-host/none], baseline: none}"
    )
    return list(notes_on(load_experiment(folder / "e.yaml")))


def test_a_table_of_exits_tells_neither_what_does_not_exit_nor_an_order(tmp_path: Path) -> None:
    table = (SAMPLES / "kvm-stat-intel.txt").read_text()
    lacking, order = notes_of_table(tmp_path, table, 5_920_291_800)
    assert lacking.startswith(
        "t: its source (perf kvm stat report) tells nothing of what does not exit: system calls, page faults under "
        "nested paging, task switches, page-table writes: what these cost is missing"
    )
    assert order == (
        "t: its source (perf kvm stat report) does not tell the order of exits, the times between them, whose they were "
        "(virtual CPU, task, address space), nor their pages, registers and ports: whatever stands for that here was "
        "chosen, and what hangs on it is no finding"
    )
    assert "tells nothing of the guest's own computation; what does" in notes_of_table(tmp_path, table, None)[0]


def test_a_table_of_accesses_tells_no_other_exits(tmp_path: Path) -> None:
    head = "      MSR Access    Samples  Samples%     Time%         Avg time\n"
    table = f"{head}     0x6e0:W    5    100.00%    100.00%    2.00us ( +-   0.00% )\nTotal Samples:5, Total events handled time:10.00us.\n"
    lacking, order = notes_of_table(tmp_path, table, 1000)
    assert "tells nothing of other exits; what does not exit: " in lacking
    assert "address space): whatever stands for that here was chosen" in order


def test_the_header_of_an_exported_table_says_what_it_does_not_tell(tmp_path: Path) -> None:
    notes_of_table(tmp_path, (SAMPLES / "kvm-stat-intel.txt").read_text(), None)
    stream = load_workload(tmp_path / "t.yaml")[1].stream
    assert Synthetic.of(stream).header.provenance["not_told"].startswith("the guest's own computation; ")


def test_tracepoints_that_are_not_there_are_told(tmp_path: Path) -> None:
    lines = (SAMPLES.parent / "data/forkwait-start.perf-script.txt").read_text().splitlines(keepends=True)
    (tmp_path / "all.txt").write_text("".join(lines))
    assert untold(import_perf(tmp_path / "all.txt")[0].header) == ()
    (tmp_path / "some.txt").write_text("".join(line for line in lines if "page_fault" not in line))
    (told,) = untold(import_perf(tmp_path / "some.txt")[0].header)
    assert told.startswith("its source (perf script) tells nothing of page faults: ")


def test_a_whole_trace_has_nothing_untold() -> None:
    assert untold(import_ftrace(SAMPLES / "spin.trace-cmd-ns.txt")[0].header) == ()


def test_tracepoints_that_a_kernel_lacks_are_told_as_the_recorder_told_them() -> None:
    header = Header("t", provenance={"tracepoints_missing": {"a:b": "no page faults", "a:c": "no page faults"}})
    assert untold(header) == ("no page faults",)


def test_recordings_in_a_row_say_what_each_lacks() -> None:
    parts = []
    for lacking in ("page faults", "interrupts"):
        part = stream([{"kind": K["syscall"], "user_ns": 1000}])
        parts.append(replace(part, header=replace(part.header, provenance={"source": "s", "not_told": lacking})))
    assert [told.split(":")[0] for told in untold(with_history(concat(parts), "concat", {}, parts).header)] == [
        "its source (s) tells nothing of page faults",
        "its source (s) tells nothing of interrupts",
    ]
