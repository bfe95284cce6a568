"""The command line, as people and scripts meet it: exit codes, messages, files."""

from __future__ import annotations

import csv
import gzip
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import EXPERIMENT, MODEL, VMMSIM, WORKLOAD, refused, small_experiment, table, vmmsim
from support import K, stream

from simulator.spec.library import root
from simulator.stream import write_parquet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_experiment(tmp_path)


def test_run_writes_everything(folder: Path) -> None:
    done = vmmsim("run", "e.yaml", "--out", "out", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "quiet when piped"
    assert {path.name for path in (folder / "out").iterdir()} == {
        "result.json",
        "totals.csv",
        "breakdown.csv",
        "blame.csv",
        "report.html",
    } | ({"plots"} if (folder / "out" / "plots").exists() else set())
    (total,) = table(folder / "out" / "totals.csv")
    assert total == {
        "workload": "w",
        "model": "m",
        "machine": "m",
        "point": "",
        "events": "1000",
        "total_cycles": "21000",
        "total_seconds": "0.000021000000",
        "busy_cycles": "21000",
        "wait_cycles": "0",
        "idle_cycles": "0",
        "relative_to_baseline": "1",
    }
    result = json.loads((folder / "out" / "result.json").read_text())
    assert result["schema_version"] == 2
    assert result["experiment"]["models"]["m"]["costs"]["syscall"]["cost"] == "10 cycles"
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_json(folder: Path) -> None:
    done = vmmsim("run", "e.yaml", "--out", "out", "--json", "--no-plots", cwd=folder)
    assert json.loads(done.stdout)["totals"][0]["total_cycles"] == "21000"


@pytest.mark.parametrize(
    ("setting", "cycles"),
    [
        ("models.m.costs.syscall=11 cycles", "23000"),
        ("models.m.costs.syscall.cost=10.5 cycles", "22000"),
        ("models.*.costs.compute=2 ns", "22000"),
        ("models.m.mechanisms.direct_execution.events.syscall.syscall=3", "31000"),
        ("workloads.w.events.0.syscall=1001", "21020"),
        ("models.m.machine.clock=2 GHz", "22000"),
    ],
)
def test_set_changes_totals_by_count_times_change(folder: Path, setting: str, cycles: str) -> None:
    done = vmmsim("run", "e.yaml", "--out", "out", "--no-plots", "--set", setting, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert table(folder / "out" / "totals.csv")[0]["total_cycles"] == cycles


def test_set_nowhere_names_the_nearest(folder: Path) -> None:
    message = refused(vmmsim("run", "e.yaml", "--set", "models.m.costs.sycsall=1 cycles", cwd=folder))
    assert "did you mean 'models.m.costs.syscall'" in message
    assert not (folder / "results").exists()


def test_set_that_nothing_used_is_a_warning(folder: Path) -> None:
    for setting in ("models.m.costs.rdtsc=9 cycles", "models.m.machine.time_slice=1 ms"):
        done = vmmsim("run", "e.yaml", "--out", "out", "--no-plots", "--set", setting, cwd=folder)
        assert done.returncode == 0
        assert done.stderr == f"warning: --set {setting}: nothing in this run used it\n"


def test_set_needs_a_value_and_a_unit(folder: Path) -> None:
    assert "expected path=value" in refused(vmmsim("run", "e.yaml", "--set", "models.m.costs.syscall", cwd=folder))
    message = refused(vmmsim("run", "e.yaml", "--set", "models.m.costs.syscall=11", cwd=folder))
    assert "--set" in message and "the unit is missing: write '11 cycles'" in message


BAD = [
    ("m.yaml", "syscall: {cost: 10 cycles", "sycsall: {cost: 10 cycles", "m.yaml:7:26: models.m.mechanisms.direct_execution.events.syscall.syscall: the action 'syscall' has no cost: add it under costs (did you mean 'sycsall'?)"),
    ("m.yaml", "10 cycles", "10", "the unit is missing: write '10 cycles'"),
    ("m.yaml", "10 cycles", "-10 cycles", "m.yaml:12:19: models.m.costs.syscall.cost: a cost cannot be negative, found '-10 cycles'"),
    ("m.yaml", "title: small", "title: small\ntitle: twice", "m.yaml:3:1: title: the key 'title' stands twice (first at line 2)"),
    ("m.yaml", "title: small", "titel: small", "unknown key 'titel' (did you mean 'title'?)"),
    ("m.yaml", "title: small", "title: small\nextends: m.yaml", "circular: m.yaml -> m.yaml"),
    ("m.yaml", "title: small", "title: small\nextends: pentium/native", "no cost-model 'pentium/native'"),
    ("m.yaml", "syscall: {syscall: 2}", "sycsall: {syscall: 2}", "no event kind 'sycsall' (did you mean 'syscall'?)"),
    ("m.yaml", "syscall: {syscall: 2}", "cpuid: {syscall: 2}", "no recipe for the event 'syscall' of workload w"),
    ("m.yaml", "syscall: {syscall: 2}", "syscall: {syscall: NO}", "expected a whole number, found the text 'NO'"),
    ("w.yaml", "syscall: 1000", "syscall: 1:30", "found the text '1:30' (YAML 1.2 reads 1:30 as text, not as 90)"),
    ("w.yaml", "syscall: 1000", "syscall: 0", "w.yaml:4:14: workloads.w.events.0.syscall"),
    ("w.yaml", "events:\n  - syscall: 1000\n  - user_compute: 1 us\n", "events: []\n", "w.yaml:3:9: workloads.w.events: expected 1 or more entries"),
    ("w.yaml", "title: small", "title: !!python/object:os.system small", "!!python/object:os.system"),
    ("w.yaml", "title: small", "title: !!python/object/apply:os.system [x]", "python/object/apply"),
    ("w.yaml", "document: workload", "document: cost-model", "expected 'document: workload'"),
    ("w.yaml", "  - syscall: 1000", "\t- syscall: 1000", "tab"),
    ("e.yaml", "w.yaml", "v.yaml", "e.yaml:3:13: workloads.0: no workload 'v.yaml'"),
    ("e.yaml", "baseline: m", "baseline: n", "e.yaml:5:11: baseline: the experiment has no model 'n'"),
    ("e.yaml", "baseline: m", "plots: [slodown]", "slodown"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "message"), BAD)
def test_bad_input(folder: Path, file: str, old: str, new: str, message: str) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    for verb in (["run", "--out", "out"], ["validate"]):
        assert message in refused(vmmsim(*verb, "e.yaml", cwd=folder))
    assert not (folder / "out").exists()


@pytest.mark.parametrize(("text", "cycles"), [("1e3", "21000"), ("0010", "1200"), ("0x3E8", "21000")])
def test_numbers_are_read_as_yaml_1_2_reads_them(folder: Path, text: str, cycles: str) -> None:
    (folder / "w.yaml").write_text(WORKLOAD.replace("1000", text))
    assert vmmsim("run", "e.yaml", "--out", "out", "--no-plots", cwd=folder).returncode == 0
    assert table(folder / "out" / "totals.csv")[0]["total_cycles"] == cycles


def test_all_faults_of_a_file_come_at_once(folder: Path) -> None:
    bad = (
        WORKLOAD.replace("syscall: 1000", "syscal: 1")
        .replace("1 us", "1")
        .replace("title: small", "title: a\ntitle: b\nx: 1")
    )
    (folder / "w.yaml").write_text(bad)
    (folder / "m.yaml").write_text(MODEL.replace("3.5 cycles", "-3.5 cycles"))
    lines = refused(vmmsim("validate", "e.yaml", cwd=folder)).splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "m.yaml:13:17",
        "w.yaml:3:1",
        "w.yaml:4:1",
        "w.yaml:6:5",
        "w.yaml:7:19",
    ]


def test_missing_files(folder: Path) -> None:
    message = refused(vmmsim("run", "experiments/nanobenchmark", cwd=folder))
    assert "no such file" in message
    assert "did you mean 'quickstart'" in refused(vmmsim("run", "quickstrt", cwd=folder))
    assert "no such file" in refused(vmmsim("import", "perf", "none.txt", cwd=folder))


def test_a_corrupt_recording(folder: Path) -> None:
    whole = (root() / "workloads/recorded/forkwait-500.parquet").read_bytes()
    (folder / "r.parquet").write_bytes(whole[: len(whole) // 2])
    (folder / "e.yaml").write_text(EXPERIMENT.replace("w.yaml", "r.parquet"))
    assert "truncated or corrupt" in refused(vmmsim("run", "e.yaml", cwd=folder))


def test_a_recording_without_events(folder: Path) -> None:
    write_parquet(stream([]), folder / "empty.parquet")
    (folder / "e.yaml").write_text(EXPERIMENT.replace("w.yaml", "empty.parquet"))
    assert "the recording holds no events" in refused(vmmsim("run", "e.yaml", cwd=folder))


def test_cut_recordings_of_perf(folder: Path) -> None:
    line = "  fw  7/7  [000]  1.000000001:  raw_syscalls:sys_enter: NR 39 (0, 0, 0, 0, 0, 0)\n"
    (folder / "whole.txt").write_text(line * 3)
    assert vmmsim("import", "perf", "whole.txt", cwd=folder).returncode == 0
    assert (folder / "whole.parquet").is_file()
    (folder / "cut.txt").write_text(line * 3 + line[:30])
    assert "cut.txt:4" in refused(vmmsim("import", "perf", "cut.txt", cwd=folder))
    (folder / "cut.gz").write_bytes(gzip.compress((line * 100).encode())[:-20])
    assert "cut.gz" in refused(vmmsim("import", "perf", "cut.gz", cwd=folder))
    assert not list(folder.glob("cut*.parquet"))


def test_an_alias_bomb(folder: Path) -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))
    (folder / "w.yaml").write_text(f"document: workload\na0: &a0 [x]\n{levels}\n")
    assert "w.yaml" in refused(vmmsim("validate", "w.yaml", cwd=folder))


def test_a_directory_that_is_no_result_is_not_replaced(folder: Path) -> None:
    (folder / "precious").mkdir()
    (folder / "precious" / "thesis.tex").write_text("x")
    assert "choose another --out" in refused(vmmsim("run", "e.yaml", "--out", "precious", cwd=folder))
    assert [path.name for path in (folder / "precious").iterdir()] == ["thesis.tex"]


def test_files_in_a_result_that_are_not_ours_are_not_lost(folder: Path) -> None:
    vmmsim("run", "e.yaml", "--out", "out", "--no-plots", cwd=folder)
    (folder / "out" / "notes.txt").write_text("mine")
    assert "would be lost: notes.txt" in refused(vmmsim("run", "e.yaml", "--out", "out", cwd=folder))
    (folder / "out" / "notes.txt").unlink()
    (folder / "link").symlink_to("out")
    assert vmmsim("run", "e.yaml", "--out", "link", "--no-plots", cwd=folder).returncode == 0
    assert (folder / "link").is_symlink()


def test_import_replaces_nothing_but_streams(folder: Path) -> None:
    (folder / "notes.txt").write_text("precious")
    (folder / "notes.parquet").write_text("precious")
    line = "  fw  7/7  [000]  1.000000001:  raw_syscalls:sys_enter: NR 39 (0, 0, 0, 0, 0, 0)\n"
    (folder / "p.txt").write_text(line * 3)
    assert "ends in .parquet" in refused(vmmsim("import", "perf", "p.txt", "--out", "notes.txt", cwd=folder))
    assert "it is not replaced" in refused(vmmsim("import", "perf", "p.txt", "--out", "notes.parquet", cwd=folder))
    assert "No such file" in refused(vmmsim("import", "perf", "p.txt", "--out", "no/where.parquet", cwd=folder))
    assert [(folder / f"notes.{end}").read_text() for end in ("txt", "parquet")] == ["precious", "precious"]
    for _ in range(2):
        assert vmmsim("import", "perf", "p.txt", cwd=folder).returncode == 0


SAYS_WHEN_IT_REPLAYS = """
from simulator.cli.__main__ import main
from simulator.engine.reference import ReferenceEngine

run = ReferenceEngine.run

def begun(engine, replay, progress=None):
    print("replaying", flush=True)
    return run(engine, replay, progress)

ReferenceEngine.run = begun
main()
"""


def test_interrupting_exits_with_130_and_writes_nothing(folder: Path) -> None:
    """In the midst of a replay, which would take minutes."""
    (folder / "w.yaml").write_text(
        WORKLOAD.replace("syscall: 1000", "repeat: {times: 90000000, events: [{syscall: 1}]}")
    )
    process = subprocess.Popen(
        [sys.executable, "-c", SAYS_WHEN_IT_REPLAYS, "run", "e.yaml", "--out", "out", "--engine", "reference"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "replaying\n"
    process.send_signal(signal.SIGINT)
    said = process.communicate()
    assert process.returncode == 130
    assert said == ("", "interrupted\n")
    assert not (folder / "out").exists()


def test_what_was_set_has_another_source(folder: Path) -> None:
    vmmsim("run", "e.yaml", "--out", "out", "--no-plots", "--set", "models.m.costs.syscall=11 cycles", cwd=folder)
    cost = json.loads((folder / "out" / "result.json").read_text())["experiment"]["models"]["m"]["costs"]["syscall"]
    assert cost == {"cost": "11 cycles", "source": "--set, in place of 10 cycles (test)", "status": "assumed"}
    assert "--set models.m.costs.syscall=11 cycles" in vmmsim("show", "out", cwd=folder).stdout


def test_a_cost_without_a_source_is_named_also_when_it_is_set(folder: Path) -> None:
    (folder / "m.yaml").write_text(MODEL.replace("10 cycles, source: test,", "10 cycles,"))
    message = refused(vmmsim("run", "e.yaml", "--out", "out", "--set", "models.m.costs.syscall=11 cycles", cwd=folder))
    assert "models.m.costs.syscall: the key 'source' is missing" in message


def test_the_seed_can_be_set_and_is_unused_where_nothing_is_random(folder: Path) -> None:
    done = vmmsim("run", "e.yaml", "--out", "out", "--no-plots", "--set", "seed=3", cwd=folder)
    assert done.stderr == "warning: --set seed=3: nothing in this run used it\n"
    (folder / "w.yaml").write_text(WORKLOAD.replace("syscall: 1000", "arrivals: {count: 100, rates: {syscall: 1 kHz}}"))
    totals = []
    for seed in ("3", "3", "4"):
        done = vmmsim("run", "e.yaml", "--out", "out", "--no-plots", "--set", f"seed={seed}", cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")
        totals.append(table(folder / "out" / "totals.csv")[0]["total_cycles"])
    assert totals[0] == totals[1] != totals[2]


def test_entries_that_cannot_be_found_are_the_only_fault(folder: Path) -> None:
    (folder / "e.yaml").write_text(EXPERIMENT.replace("[w.yaml]", "[x.yaml, y.yaml]"))
    lines = refused(vmmsim("validate", "e.yaml", cwd=folder)).splitlines()
    assert [line.split(": ")[0] for line in lines] == ["e.yaml:3:13", "e.yaml:3:21"]


def test_things_of_another_kind_are_named(folder: Path) -> None:
    assert "is of the kind 'cost-model'" in refused(vmmsim("run", "pentium4-672/native", cwd=folder))
    (folder / "empty").mkdir()
    assert "no experiments in this directory" in refused(vmmsim("run", "empty", cwd=folder))
    assert "is a directory" in refused(vmmsim("show", ".", cwd=folder))
    assert "did you mean 'recorded/forkwait-500'" in refused(vmmsim("show", "recorded/forkwait-50", cwd=folder))


def test_what_is_no_experiment_is_told_where_it_belongs(folder: Path) -> None:
    message = refused(vmmsim("run", "w.yaml", cwd=folder))
    assert "w.yaml:1:11: document: expected 'document: experiment' at the top of the file" in message
    assert "this is a workload and belongs under 'workloads:' of an experiment" in message
    assert "belongs under 'models:' of an experiment" in refused(vmmsim("run", "pentium4-672/native", cwd=folder))
    (folder / "below").mkdir()
    message = refused(vmmsim("calibrate", "fit", "below", cwd=folder))
    assert "'below' is a directory: expected a file, or the name of an experiment" in message


@pytest.mark.parametrize(
    ("models", "found"),
    [("[a.yaml, m.yaml]", "e.yaml:4:10: models.a"), ("{x: a.yaml, m: m.yaml}", "e.yaml:4:10: models.x")],
)
def test_an_abstract_model_is_the_only_fault_and_stands_in_the_experiment(
    folder: Path, models: str, found: str
) -> None:
    (folder / "a.yaml").write_text(
        MODEL.replace("title: small", "title: a\nabstract: true").replace("syscall: {sys", "cpuid: {sys")
    )
    (folder / "e.yaml").write_text(EXPERIMENT.replace("[m.yaml]", models))
    assert refused(vmmsim("validate", "e.yaml", cwd=folder)).splitlines() == [
        f"{found}: 'a' is abstract: name a cost model that extends it"
    ]


def test_an_action_that_nobody_takes_is_one_fault(folder: Path) -> None:
    (folder / "m.yaml").write_text(
        "document: cost-model\ntitle: m\nextends: pentium4-672/software-vmm\n"
        "mechanisms: {adaptive_translation: {operations: {traced_pte_modify: {innocent: pte_modifyy}}}}\n"
    )
    (line,) = refused(vmmsim("validate", "m.yaml", cwd=folder)).splitlines()
    assert line.startswith("m.yaml:4:")
    assert "innocent: 'pte_modifyy' is no event kind, and no action of a mechanism that stands before" in line


def test_a_cost_set_beyond_its_bound_says_how_the_bound_is_set(folder: Path) -> None:
    (folder / "m.yaml").write_text(
        MODEL.replace("10 cycles, source: test,", "10 cycles, high: 12 cycles, source: test,")
    )
    setting = ["--set", "models.m.costs.syscall=13 cycles"]
    message = refused(vmmsim("run", "e.yaml", "--out", "out", *setting, cwd=folder))
    assert message.startswith(
        "--set: models.m.costs.syscall: expected low <= cost <= high, found cost 13 cycles, high 12"
    )
    assert "--set models.m.costs.syscall.high=..." in message
    setting += ["--set", "models.m.costs.syscall.high=14 cycles"]
    done = vmmsim("run", "e.yaml", "--out", "out", "--no-plots", *setting, cwd=folder)
    assert done.returncode == 0


def test_a_page_walk_keeps_a_level(folder: Path) -> None:
    walk = "  page_walk: {guest_levels: 3, guest_page: 2 MiB, guest_levels_cached: 2}\ncosts:"
    (folder / "m.yaml").write_text(MODEL.replace("costs:", walk))
    message = refused(vmmsim("validate", "m.yaml", cwd=folder))
    assert "page_walk: expected guest_levels_cached below 2, the levels of a walk" in message


def test_a_device_that_the_machine_lacks_is_found_by_validate(folder: Path) -> None:
    request = "disk_request: {device: disk, blocking: true}"
    (folder / "w.yaml").write_text(WORKLOAD.replace("syscall: 1000", request))
    (folder / "m.yaml").write_text(MODEL.replace("rdtsc: {rdtsc: 1}", "disk_request: {rdtsc: 1}"))
    message = refused(vmmsim("validate", "e.yaml", cwd=folder))
    assert "disk_request.device: the machine of m has no device 'disk'; it has none" in message
    assert "no recipe for the event 'interrupt' of workload w" in message


def test_usage_errors(folder: Path) -> None:
    assert vmmsim("rnu", cwd=folder).returncode == 2
    assert vmmsim("run", cwd=folder).returncode == 2
    assert "did you mean 'workload'" in refused(vmmsim("schema", "worklod", cwd=folder))


def test_a_run_that_cannot_end_exits_with_1(folder: Path) -> None:
    (folder / "w.yaml").write_text(WORKLOAD.replace("syscall: 1000", "halt: 1"))
    (folder / "m.yaml").write_text(MODEL.replace("rdtsc: {rdtsc: 1}", "halt: {rdtsc: 1}"))
    done = vmmsim("run", "e.yaml", "--out", "out", cwd=folder)
    assert done.returncode == 1
    assert "workload 'w' under 'm': virtual CPU 0 halts" in done.stderr
    assert not (folder / "out").exists()


def test_show_list_schema(folder: Path) -> None:
    assert "hardware-vmm" in vmmsim("list", cwd=folder).stdout
    shown = vmmsim("show", "pentium4-672/hardware-vmm", cwd=folder).stdout
    assert "vm_exit + 10 vmcb_read + vm_entry" in shown and "Table 1" in shown
    assert "context_switch" in vmmsim("show", "recorded/forkwait-500", cwd=folder).stdout
    vmmsim("run", "e.yaml", "--out", "out", "--no-plots", cwd=folder)
    assert "small" in vmmsim("show", "out", cwd=folder).stdout
    for document in ("experiment", "workload", "cost-model"):
        assert json.loads(vmmsim("schema", document, cwd=folder).stdout)["type"] == "object"


def test_a_killed_run_leaves_no_result_that_looks_whole(folder: Path) -> None:
    """Kill -9 at several moments: the directory is whole (an earlier result) or absent, and the next run clears up."""
    (folder / "w.yaml").write_text(WORKLOAD.replace("syscall: 1000", "repeat: {times: 60000, events: [{syscall: 1}]}"))
    command = [*VMMSIM, "run", "e.yaml", "--out", "out"]
    for delay in (0.2, 0.6, 0.9, 1.2, 1.5, 1.8):
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
        if (folder / "out").exists():
            json.loads((folder / "out" / "result.json").read_text())
            assert (folder / "out" / "report.html").read_text().rstrip().endswith("</html>")
    assert vmmsim("run", "e.yaml", "--out", "out", cwd=folder).returncode == 0
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_both_engines_write_the_same_files(tmp_path: Path) -> None:
    for engine in ("fast", "reference"):
        done = vmmsim("run", "recorded", "--no-plots", "--engine", engine, "--out", tmp_path / engine, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    for name in ("totals.csv", "breakdown.csv", "comparison.csv"):
        assert (tmp_path / "fast" / name).read_bytes() == (tmp_path / "reference" / name).read_bytes()
    results = [json.loads((tmp_path / engine / "result.json").read_text()) for engine in ("fast", "reference")]
    assert [result.pop("engine") for result in results] == ["fast", "reference"]
    for result in results:
        del result["wall_seconds"], result["events_per_second"]
    assert results[0] == results[1]


def test_an_unknown_engine_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    done = vmmsim("run", "recorded", "--engine", "fst", cwd=tmp_path)
    assert done.returncode == 2
    assert "no engine 'fst'" in done.stderr
    assert "did you mean 'fast'?" in done.stderr


# Streams to work with.


def recorded(path: Path, *rows: dict[str, int]) -> Path:
    made = stream(list(rows), devices=["disk"])
    length = sum(row.get("user_ns", 0) + row.get("idle_ns", 0) for row in rows)
    write_parquet(replace(made, header=replace(made.header, recorded_ns=length, provenance={"machine": "mine"})), path)
    return path


SYSCALLS = [{"kind": K["syscall"], "user_ns": 10**6, "task": 7, "space": 2} for _ in range(40)]


def test_streams_are_cut_copied_and_joined(folder: Path) -> None:
    recorded(folder / "a.parquet", *SYSCALLS)

    def made(*arguments: str) -> dict[str, Any]:
        done = vmmsim("stream", *arguments, "--json", cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    cut = made("cut", "a.parquet", "--from", "10 ms", "--to", "30.5ms", "--out", "cut.parquet", "--title", "a part")
    assert (cut["rows"], cut["recorded_ns"], cut["title"]) == (22, 20_500_000, "a part")
    assert made("scale", "cut.parquet", "--copies", "3", "--out", "three.parquet")["vcpus"] == 3
    assert made("concat", "cut.parquet", "a.parquet", "--out", "two.parquet")["recorded_ns"] == 60_500_000
    mixed = made("mix", "three.parquet", "two.parquet", "--out", "all.parquet")
    assert mixed["vcpus"] == 4
    (entry,) = mixed["history"]
    assert [step["operation"] for step in entry["inputs"][0]["history"]] == ["cut", "scale"]
    assert entry["inputs"][0]["history"][0]["parameters"] == {"from_ns": 10**7, "to_ns": 30_500_000}
    shown = vmmsim("show", "all.parquet", cwd=folder).stdout
    assert "mix (vmmsim" in shown and "cut, from 10.0 ms, to 30.5 ms (vmmsim" in shown
    assert "machine: mine" in vmmsim("show", "three.parquet", cwd=folder).stdout
    told = json.loads(vmmsim("show", "all.parquet", "--json", cwd=folder).stdout)
    assert told["events"] == {"syscall": 4 * 21 + 40}
    assert sum(cpu["events"] for cpu in told["cpus"]) == told["events"]["syscall"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cut", "a.parquet", "--from", "1", "--out", "x.parquet"], "--from 1: the unit is missing: write '1 s'"),
        (["cut", "a.parquet", "--to", "5 kg", "--out", "x.parquet"], "--to 5 kg: the unit 'kg' does not fit here"),
        (
            ["cut", "a.parquet", "--from", "1 s", "--out", "x.parquet"],
            "begins at 1 s, and the recording ends at 0.04 s",
        ),
        (["cut", "a.parquet", "--out", "e.yaml"], "e.yaml: expected a name that ends in .parquet"),
        (["cut", "a.parquet", "--out", "other.parquet"], "it is not replaced: remove it, or choose another name"),
        (["cut", "nothing", "--out", "x.parquet"], "no workload 'nothing'"),
        (["cut", "w.yaml", "--out", "x.parquet"], "'w.yaml' is a synthetic workload; expected a recording"),
        (["scale", "a.parquet", "--copies", "0", "--out", "x.parquet"], "expected 1 copy or more, found 0"),
        (["scale", "a.parquet", "--copies", "70000", "--out", "x.parquet"], "more than 65,536 virtual CPUs together"),
        (["mix", "a.parquet", "--out", "x.parquet"], "expected two recordings or more, found only 'a.parquet'"),
    ],
)
def test_what_no_stream_is_made_of(folder: Path, arguments: list[str], message: str) -> None:
    recorded(folder / "a.parquet", *SYSCALLS)
    (folder / "other.parquet").write_text("mine")
    assert message in refused(vmmsim("stream", *arguments, cwd=folder))
    assert not (folder / "x.parquet").exists()
    assert (folder / "other.parquet").read_text() == "mine"


def test_a_recording_is_plotted_over_time(folder: Path) -> None:
    recorded(folder / "a.parquet", *SYSCALLS)
    for name in ("a.png", "a.svg"):
        assert vmmsim("show", "a.parquet", "--plot", name, cwd=folder).returncode == 0
        assert (folder / name).stat().st_size > 1000
    assert "ends in .png or .svg" in refused(vmmsim("show", "a.parquet", "--plot", "a.pdf", cwd=folder))
    assert "there is no folder 'no'" in refused(vmmsim("show", "a.parquet", "--plot", "no/a.png", cwd=folder))
    assert "'m.yaml' is of the kind 'cost-model'" in refused(vmmsim("show", "m.yaml", "--plot", "a.png", cwd=folder))
    assert "'small' has no recorded time" in refused(vmmsim("show", "w.yaml", "--plot", "a.png", cwd=folder))


RECORDED = """\
document: experiment
title: recorded
workloads: {whole: ../a.parquet, part: {document: workload, title: part, extends: ../own.yaml}}
models: {m: ../m.yaml, host: recording-host/native}
baseline: m
"""
OWN = """\
document: workload
title: a window, twice
recording: a.parquet
host_costs: m.yaml
cut: {from: 10 ms, to: 20 ms}
copies: 2
"""


def test_a_recording_of_ones_own_in_an_experiment(folder: Path) -> None:
    recorded(folder / "a.parquet", *SYSCALLS)
    (folder / "own.yaml").write_text(OWN)
    (folder / "sub").mkdir()
    (folder / "sub" / "e.yaml").write_text(RECORDED)
    run = ["run", "sub/e.yaml", "--no-plots", "--out"]
    assert vmmsim(*run, "out", cwd=folder).returncode == 0
    assert {(row["workload"], row["model"]): row["events"] for row in totals(folder / "out")} == {
        ("whole", "m"): "40",
        ("whole", "host"): "40",
        ("part", "m"): "20",
        ("part", "host"): "20",
    }
    assert vmmsim(*run, "more", "--set", "workloads.whole.copies=3", cwd=folder).returncode == 0
    assert totals(folder / "more")[0]["events"] == "120"


def totals(directory: Path) -> list[dict[str, str]]:
    with (directory / "totals.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_messages_about_a_recording_of_ones_own(folder: Path) -> None:
    recorded(folder / "a.parquet", {"kind": K["cpuid"], "user_ns": 1000})
    (folder / "sub").mkdir()
    (folder / "sub" / "e.yaml").write_text(EXPERIMENT.replace("w.yaml", "a.parquet"))
    assert "write '../a.parquet'" in refused(vmmsim("run", "sub/e.yaml", cwd=folder))
    (folder / "e.yaml").write_text(EXPERIMENT.replace("w.yaml", "a.parquet"))
    message = refused(vmmsim("run", "e.yaml", cwd=folder))
    assert "has no recipe for the event 'cpuid'" in message
    assert "a workload with 'recording' and 'host_costs' names another" in message
    (folder / "own.yaml").write_text(OWN)
    message = refused(vmmsim("show", "own.yaml", cwd=folder))
    assert "own.yaml:5:6: cut: the window ends at 0.02 s, and the recording at 0.000001 s already" in message
    (folder / "w.yaml").write_text(WORKLOAD + "copies: 2\n")
    assert "copies belong to a recording" in refused(vmmsim("show", "w.yaml", cwd=folder))


def test_an_import_loads_neither_pandas_nor_what_reads_documents(tmp_path: Path) -> None:
    """They take longer to load than some hundred thousand lines to import."""
    sample = Path(__file__).parent / "data" / "compile-start.perf-script.txt"
    code = (
        "import sys; from simulator.cli.__main__ import main\n"
        f"sys.argv[1:] = ['import', 'perf', {str(sample)!r}, '--out', {str(tmp_path / 'x.parquet')!r}]\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(*sorted({'pandas', 'yaml', 'simulator.spec.build'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.strip() == ""
