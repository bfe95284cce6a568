"""What people are told when what they wrote is nearly right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import EXPERIMENT, WORKLOAD, refused, small_experiment, vmmsim
from support import K, stream

from simulator.errors import InputError, SpecError, install
from simulator.report.recording import difference_in_words
from simulator.report.writer import check_directory
from simulator.spec.build import load_experiment
from simulator.spec.library import root
from simulator.stream import write_parquet

RECORDED = root() / "experiments/recorded.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_experiment(tmp_path)


def faults(path: Path, *settings: str) -> list[str]:
    """Return what is said of an experiment, without the folders of its files."""
    with pytest.raises(SpecError) as caught:
        load_experiment(path, settings)
    return [str(fault).removeprefix(f"{path.parent}/") for fault in caught.value.faults]


def test_faults_of_other_sections_are_told_where_every_entry_of_one_is_wrong(folder: Path) -> None:
    wrong = EXPERIMENT.replace("w.yaml", "v.yaml").replace("m.yaml", "n.yaml").replace("baseline", "baselin")
    (folder / "e.yaml").write_text(wrong)
    found = faults(folder / "e.yaml")
    assert [fault.split(": ")[:2] for fault in found] == [
        ["e.yaml:3:13", "workloads.0"],
        ["e.yaml:4:10", "models.0"],
        ["e.yaml:5:1", "baselin"],
    ]


def test_a_setting_of_an_entry_that_was_not_found_is_no_further_fault(folder: Path) -> None:
    (folder / "e.yaml").write_text(EXPERIMENT.replace("m.yaml", "n.yaml"))
    (missing,) = faults(folder / "e.yaml", "models.m.costs.syscall=11 cycles")
    assert "models.0: no cost-model 'n.yaml'" in missing
    found = faults(folder / "e.yaml", "models.m.costs.syscall=11 cycles", "sede=2")
    assert found[0].startswith("--set: sede: there is no 'sede'")
    assert found[1:] == [missing]


def test_a_name_set_that_is_not_found_is_the_only_fault(folder: Path) -> None:
    (found,) = faults(folder / "e.yaml", "models.m=n.yaml")
    assert found.startswith("--set: models.m: no cost-model 'n.yaml'")


@pytest.mark.parametrize("null", ["null", "~", "Null"])
def test_an_entry_cannot_be_left_out_by_set(folder: Path, null: str) -> None:
    for path in ("models.m", "workloads.w"):
        assert faults(folder / "e.yaml", f"{path}={null}") == [
            f"--set: {path}: --set cannot leave an entry out: write an experiment without it"
        ]


def test_one_name_where_a_list_of_names_belongs(folder: Path) -> None:
    (folder / "e.yaml").write_text(EXPERIMENT.replace("[w.yaml]", "w.yaml"))
    assert faults(folder / "e.yaml") == ["e.yaml:3:12: workloads: expected a list of names: write [w.yaml]"]


def test_a_number_without_a_unit_is_told_the_units(folder: Path) -> None:
    (folder / "w.yaml").write_text(WORKLOAD.replace("1 us", "10"))
    assert "the unit is missing: write '10 us' (units: ps, ns, us, " in faults(folder / "e.yaml")[0]


@pytest.mark.parametrize(("clock", "written"), [("3.8", "3.8 GHz"), ("3800", "3800 MHz")])
def test_a_clock_without_a_unit_is_told_one_that_will_do(folder: Path, clock: str, written: str) -> None:
    (found,) = faults(folder / "e.yaml", f"models.m.machine.clock={clock}")
    assert f"the unit is missing: write '{written}' (units: Hz, /s, kHz, MHz, GHz)" in found
    assert (
        load_experiment(folder / "e.yaml", [f"models.m.machine.clock={written}"]).models["m"].machine.clock.mhz == 3800
    )


def test_a_path_without_its_beginning_is_told_the_whole(folder: Path) -> None:
    (found,) = faults(folder / "e.yaml", "costs.syscall=11 cycles")
    assert "there is no 'costs' in the document (did you mean 'models.m.costs.syscall'?)" in found
    (found,) = faults(RECORDED, "costs.vm_exit=11 cycles")
    assert "(did you mean 'models.*.costs.vm_exit'?)" in found


def test_a_file_to_import_is_told_the_command(folder: Path) -> None:
    (folder / "a.csv").write_text("kind\nsyscall\n")
    (folder / "b.jsonl").write_text('{"kind": "syscall"}\n')
    (folder / "c.data").write_text("what is this\n")
    assert "import it first: vmmsim import csv a.csv --out a.parquet" in refused(vmmsim("run", "a.csv", cwd=folder))
    assert "vmmsim import jsonl b.jsonl --out b.parquet" in refused(vmmsim("run", "b.jsonl", cwd=folder))
    assert "vmmsim import" not in refused(vmmsim("run", "c.data", cwd=folder))


def test_a_recording_of_the_library_is_told_how_it_runs_alone(folder: Path) -> None:
    message = refused(vmmsim("run", "recorded/forkwait-500", cwd=folder))
    assert "it belongs under 'workloads:' of an experiment" in message
    assert "vmmsim run any-recording --set workloads.recording=recorded/forkwait-500" in message
    assert "any-recording" not in refused(vmmsim("run", "pentium4-672/native", cwd=folder))


def test_a_device_that_is_not_there_is_told_where_it_is_asked_for(folder: Path) -> None:
    request = "{disk_request: {device: ssd, size: 4 KiB, blocking: true}}"
    (folder / "w.yaml").write_text(WORKLOAD.replace("syscall: 1000", f"repeat: {{times: 2, events: [{request}]}}"))
    (folder / "e.yaml").write_text(
        EXPERIMENT.replace("m.yaml", "pentium4-672/native, pentium4-672/software-vmm").replace("baseline: m\n", "")
    )
    assert faults(folder / "e.yaml") == [
        "w.yaml:4:57: workloads.w.events.0.repeat.events.0.disk_request.device: the machine of native, software-vmm "
        "has no device 'ssd'; it has disk, network"
    ]


def test_a_device_of_a_recording_is_told_with_the_recording(folder: Path) -> None:
    rows = [{"kind": K["disk_request"], "device": 0, "completion": 1}]
    write_parquet(stream(rows, devices=("ssd",)), folder / "a.parquet")
    (folder / "e.yaml").write_text(
        EXPERIMENT.replace("w.yaml", "a.parquet").replace("m.yaml", "pentium4-672/native").replace("baseline: m\n", "")
    )
    (found,) = faults(folder / "e.yaml")
    assert found.startswith("a.parquet: workloads.a.recording: the machine of native has no device 'ssd'")


def test_values_of_a_sweep_in_brackets_are_told_the_form(folder: Path) -> None:
    message = refused(
        vmmsim("sweep", "e.yaml", "--over", "models.m.costs.syscall=[1, 2] cycles", "--out", "o", cwd=folder)
    )
    assert "write the values without brackets: 1, 2 cycles" in message


def test_a_target_that_cannot_be_made_is_refused_before_the_run(folder: Path) -> None:
    message = refused(vmmsim("run", "e.yaml", "--out", "/proc/there/out", cwd=folder))
    assert message.startswith("/proc/there/out: cannot be made in /proc: ")
    (folder / "file").write_text("")
    assert refused(vmmsim("run", "e.yaml", "--out", "file/out", cwd=folder)).startswith("file/out: cannot be made in ")
    assert refused(vmmsim("sweep", "e.yaml", "--out", "/proc/out", cwd=folder)).startswith("/proc/out: cannot be made")
    with pytest.raises(InputError, match="cannot be made in /proc"):
        check_directory(Path("/proc/out"))
    check_directory(folder / "new" / "out")
    assert not (folder / "new").exists()


def test_a_report_that_goes_with_the_result_it_belonged_to_is_told(folder: Path) -> None:
    run = ["run", "e.yaml", "--out", "out"]
    (folder / "e.yaml").write_text(EXPERIMENT + "plots: [slowdown]\n")
    assert vmmsim(*run, cwd=folder).stderr == ""
    assert vmmsim(*run, "--no-plots", cwd=folder).stderr == (
        "warning: out: plots and report.html went with the result that was there: this run was asked for none\n"
    )
    assert vmmsim(*run, "--no-plots", cwd=folder).stderr == ""


def test_options_of_vmmsim_behind_a_command_to_record_are_told(folder: Path, tmp_path: Path) -> None:
    message = vmmsim("record", "--overhead", "non", "true", "--out", "x.parquet", cwd=folder).stderr
    assert "warning: --out stands behind the command, so it is true's: vmmsim's own stand before it" in message
    for words in (["--", "true", "--out", "x"], ["true", "--other"], ["--out", "x.parquet", "true", "-o"]):
        assert "warning" not in vmmsim("record", "--overhead", "non", *words, cwd=folder).stderr


def test_experiments_in_folders_below_are_validated(folder: Path) -> None:
    (folder / "all/deep/er").mkdir(parents=True)
    text = EXPERIMENT.replace("w.yaml", "../../../w.yaml").replace("m.yaml", "../../../m.yaml")
    (folder / "all/deep/er/a.yaml").write_text(text)
    (folder / "all/deep/b.yaml").write_text(EXPERIMENT.replace("w.yaml", "../../v.yaml"))
    (folder / "all/deep/.hidden.yaml").write_text("x: [")
    done = vmmsim("validate", "all", cwd=folder)
    assert done.stdout == "all/deep/er/a.yaml: a valid experiment\n"
    assert "all/deep/b.yaml:3:13: workloads.0: no workload '../../v.yaml'" in refused(done)


def test_a_run_of_one_recording_calls_it_by_its_file(folder: Path) -> None:
    rows = [{"kind": K["syscall"], "user_ns": 1000}]
    write_parquet(stream(rows), folder / "mine.parquet")
    setting = ["--set", "workloads.mine.copies=2"]
    done = vmmsim("run", "mine.parquet", "--out", "out", "--json", *setting, cwd=folder)
    assert {row["workload"] for row in json.loads(done.stdout)["totals"]} == {"mine"}
    page = (folder / "out/report.html").read_text()
    assert '"experiment": "mine.parquet"' in page
    assert "workloads.recording" not in page


def test_totals_say_what_the_times_are_sums_of(folder: Path) -> None:
    out = vmmsim("run", "e.yaml", "--out", "out", "--no-plots", cwd=folder).stdout
    assert "each up to its own end" in " ".join(out.split())


@pytest.mark.parametrize(
    ("counted", "kept", "difference"),
    [(1, 2, "+1 event"), (0, 3, "+3 events"), (40, 40, "none"), (1000, 993, "-7 events"), (1000, 989, "-1.1 %")],
)
def test_differences_of_few_events_are_told_in_events(counted: int, kept: int, difference: str) -> None:
    assert difference_in_words(counted, kept) == difference


def test_how_to_install_an_extra_is_told_as_the_readme_does() -> None:
    readme = (root() / "README.md").read_text()
    assert install("compiled") in readme
    assert install("sensitivity") in (root() / "docs/what-if.md").read_text()
    assert install("dask") in (root() / "docs/scaling.md").read_text()
    for path in [root() / "README.md", *(root() / "docs").rglob("*.md"), *(root() / "simulator").rglob("*.py")]:
        assert "install 'vmmsim[" not in path.read_text(), path
