"""The importer of strace: what calls become, on which CPUs, and the laws that hold for every recording."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import replay
from test_import_perf import Imported, check_ends_of_spaces, check_replay

from simulator.errors import StreamError
from simulator.events import BY_CODE
from simulator.spec.build import load_model
from simulator.spec.library import root
from simulator.stream import check_batch
from simulator.workload.importers.strace import import_strace
from simulator.workload.importers.strace_tracer import SHORTEST_SLEEP_NS
from simulator.workload.importers.syscalls import NUMBERS

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.strace*.txt"))
START = 1_700_000_000_000_000
"""Microseconds."""


def line(task: int, us: int, text: str) -> str:
    seconds, fraction = divmod(START + us, 10**6)
    return f"{task}  {seconds}.{fraction:06} {text}\n"


def imported(folder: Path, *lines: str) -> Imported:
    (folder / "t.txt").write_text("".join(lines))
    return checked(folder / "t.txt")


def checked(path: Path) -> Imported:
    """Every recording counts each line once, and replayed at no cost each row falls on its recorded time."""
    result = Imported(*import_strace(path))
    report = result.report
    for cpu in range(result.stream.header.vcpus):
        for batch in result.stream.batches(cpu):
            check_batch(batch, result.stream.header, f"CPU {cpu}")
    check_replay(result)
    check_ends_of_spaces(result)
    assert sum(report.with_event.values()) == report.events["syscall"]
    ends = report.without_event.get("end of a call", 0)
    whole = sum(sum(lines.values()) for lines in (report.with_event, report.without_event, report.unknown))
    assert whole == report.lines, (whole, report.lines, ends)
    return result


@pytest.fixture(params=SAMPLES, ids=lambda path: path.name.removesuffix(".txt"))
def sample(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_numbers_of_calls() -> None:
    known = {"read": 0, "clone": 56, "execve": 59, "pidfd_send_signal": 424, "clone3": 435, "rseq": 334, "mseal": 462}
    assert {name: NUMBERS[name] for name in known} == known


def test_samples_are_there() -> None:
    assert len(SAMPLES) == 4


def test_a_sample_gives_each_call_once(sample: Path) -> None:
    text = sample.read_text()
    result = checked(sample)
    begun = re.findall(r"\d\.\d{6} (\w+)\(", text)
    assert sum(result.report.with_event.values()) == len(begun)
    assert result.report.with_event["mmap"] == begun.count("mmap")
    assert not result.report.unknown
    assert result.report.events["syscall"] == len(begun)


def test_a_sample_has_its_spaces_and_tasks(sample: Path) -> None:
    """Each exec and each fork that is no thread makes a space; all have ended, and the first was strace's own."""
    text = sample.read_text()
    execs = len(re.findall(r"execve\(.* = 0", text))
    forks = len(re.findall(r" clone\(", text))
    report = checked(sample).report
    assert report.events["space_destroy"] == execs + forks + 1


def test_the_three_ways_of_writing_give_the_same_calls() -> None:
    calls = [checked(path).report.with_event for path in SAMPLES if path.name.startswith("spin")]
    assert calls[0] == calls[1] == calls[2]


@pytest.mark.parametrize(
    "sample", [path for path in SAMPLES if path.name != "spin.strace.txt"], ids=lambda path: path.stem
)
def test_kernel_time_is_that_of_the_calls(sample: Path) -> None:
    """All time in the kernel is in calls, or from a task's last call to its end."""
    result = checked(sample)
    took = {round(float(seconds) * 10**9) for seconds in re.findall(r"<(\d+\.\d{6})>$", sample.read_text(), re.M)}
    kernel = sum(row["kernel_ns"] for cpu in range(result.stream.header.vcpus) for row in result.rows(cpu))
    assert 0 < kernel <= sum(took) + 2_000_000


def test_a_recording_ends_in_a_replay_when_it_ended(sample: Path) -> None:
    """Under a model in which events cost nothing, the replay ends with the last row of the recording."""
    result = checked(sample)
    model = load_model(root() / "cost_models" / "recording-host" / "none.yaml")[1]
    outcome = replay(result.stream, model)
    last = max(result.rows(cpu)[-1]["at"] for cpu in range(result.stream.header.vcpus))
    assert outcome.makespan == 1000 * last


def test_time_goes_to_user_mode_between_calls_and_to_the_kernel_in_them(tmp_path: Path) -> None:
    calls = [line(70, 0, "getpid() = 70 <0.000005>"), line(70, 25, "getpid() = 70 <0.000002>")]
    first, second = imported(tmp_path, *calls).only("syscall")
    assert (first["user_ns"], first["kernel_ns"]) == (0, 0)
    assert (second["user_ns"], second["kernel_ns"]) == (20_000, 5_000)
    calls = [text.replace(" <0.000005>", "") for text in calls]
    first, second = imported(tmp_path, *calls).only("syscall")
    assert (second["user_ns"], second["kernel_ns"]) == (25_000, 0)


@pytest.mark.parametrize("took", [SHORTEST_SLEEP_NS - 1000, SHORTEST_SLEEP_NS])
def test_a_call_that_waits_sleeps_if_it_takes_long_enough(tmp_path: Path, took: int) -> None:
    calls = [line(70, 0, "getpid() = 70 <0.000001>"), line(70, 5, f"pause() = 0 <{took / 10**9:.6f}>")]
    result = imported(tmp_path, *calls, line(70, 500, "getpid() = 70 <0.000001>"))
    slept = took >= SHORTEST_SLEEP_NS
    assert result.events().count("context_switch") == (2 if slept else 0)
    rows = result.only("syscall", "context_switch")
    assert rows[-1]["user_ns"] == 495_000 - took
    assert sum(row["idle_ns"] for row in result.rows()) == (took if slept else 0)


def test_reads_of_files_do_not_sleep_and_others_may(tmp_path: Path) -> None:
    def switches(read: str, *before: str) -> int:
        texts = [*before, f'{read} "x", 1) = 1 <0.000900>', "getpid() = 70 <0.000001>"]
        calls = [line(70, 1000 * number, text) for number, text in enumerate(texts)]
        return imported(tmp_path, *calls).events().count("context_switch")

    opened = 'openat(AT_FDCWD, "f", O_RDONLY) = 3 <0.000001>'
    assert switches("read(3,", opened) == 0
    assert switches("read(3,", opened, "close(3) = 0 <0.000001>") == 2
    assert switches("read(3</etc/passwd>,") == 0
    assert switches("read(3<pipe:[77]>,") == 2


def test_a_child_gets_a_cpu_and_its_exit_wakes_its_parent(tmp_path: Path) -> None:
    result = imported(
        tmp_path,
        line(70, 0, "clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD) = 71 <0.000010>"),
        line(70, 20, "wait4(-1,  <unfinished ...>"),
        line(71, 40, "exit_group(0) = ?"),
        line(71, 60, "+++ exited with 0 +++"),
        line(70, 75, "<... wait4 resumed>[{WIFEXITED(s)}], 0, NULL) = 71 <0.000055>"),
        line(70, 80, "exit_group(0) = ?"),
        line(70, 90, "+++ exited with 0 +++"),
    )
    assert result.stream.header.vcpus == 2
    wakes = [row for cpu in range(2) for row in result.only("wake", cpu=cpu)]
    assert [row["task"] for row in wakes] == [71, 70]
    waiting = [row for row in result.rows(0) if row["waits"] == wakes[1]["posts"]]
    assert [(BY_CODE[row["kind"]].name, row["task"], row["wait_latency_ns"]) for row in waiting] == [
        ("context_switch", 70, 15_000)
    ]
    assert result.report.events["space_destroy"] == 2


def test_a_child_may_be_heard_of_before_its_fork_is_done(tmp_path: Path) -> None:
    result = imported(
        tmp_path,
        line(70, 0, "clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>"),
        line(71, 5, "getpid() = 71 <0.000001>"),
        line(70, 9, "<... clone resumed>) = 71 <0.000009>"),
        line(70, 20, "getpid() = 70 <0.000001>"),
        line(71, 30, "getpid() = 71 <0.000001>"),
    )
    assert result.report.with_event == {"getpid": 3, "clone": 1}
    assert sorted(row["task"] for cpu in range(2) for row in result.only("syscall", cpu=cpu)) == [70, 70, 71, 71]


def test_a_vfork_makes_its_parent_wait_on_the_same_cpu(tmp_path: Path) -> None:
    result = imported(
        tmp_path,
        line(70, 0, "vfork( <unfinished ...>"),
        line(71, 5, 'execve("/bin/true", ["true"], 0x7ff) = 0 <0.000020>'),
        line(71, 30, "exit_group(0) = ?"),
        line(71, 35, "+++ exited with 0 +++"),
        line(70, 50, "<... vfork resumed>) = 71 <0.000050>"),
    )
    assert result.stream.header.vcpus == 1
    assert result.report.events["space_destroy"] == 1
    assert result.stream.header.tasks[71] == "true"


def test_threads_share_a_space_and_processes_do_not(tmp_path: Path) -> None:
    for flags, destroyed in (("CLONE_VM|CLONE_THREAD|CLONE_FILES", 1), ("SIGCHLD", 2)):
        result = imported(
            tmp_path,
            line(70, 0, f"clone(child_stack=0x1, flags={flags}) = 71 <0.000010>"),
            line(71, 20, "exit(0) = ?"),
            line(71, 30, "+++ exited with 0 +++"),
            line(70, 40, "exit_group(0) = ?"),
            line(70, 50, "+++ exited with 0 +++"),
        )
        assert result.report.events["space_destroy"] == destroyed


def test_a_call_that_is_not_known_is_counted_and_has_no_number_of_another(tmp_path: Path) -> None:
    result = imported(tmp_path, line(70, 0, "frobnicate(1) = 0 <0.000001>"), line(70, 9, "read(0, 1) = 0 <0.000001>"))
    assert [row["number"] for row in result.only("syscall")] == [999_999, 0]
    assert "1 calls that x86-64 has no number for: 999999 stands for it" in result.report.notes


def test_a_fork_whose_child_can_have_no_such_number_is_not_read(tmp_path: Path) -> None:
    fork = line(70, 0, "clone(child_stack=NULL, flags=SIGCHLD) = 18446744073709551615 <0.000001>")
    result = imported(tmp_path, fork, *(line(70, 9, "getpid() = 70 <0.000001>") for _ in range(100)))
    assert result.report.unknown == {"unreadable line": 1}


def test_results_are_read_whatever_their_zeros(tmp_path: Path) -> None:
    texts = ("getpid() = 0070 <0.000001>", "brk(NULL) = 0x00ff <0.000001>", "getpid() = -1 EPERM (x) <0.000001>")
    result = imported(tmp_path, *(line(70, 10 * number, text) for number, text in enumerate(texts)))
    assert result.report.with_event == {"getpid": 2, "brk": 1}


def test_what_page_tables_may_have_changed_is_bounded(tmp_path: Path) -> None:
    result = imported(
        tmp_path,
        line(70, 0, "mmap(NULL, 20480, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000 <0.000001>"),
        line(70, 5, "munmap(0x7f0000000000, 8192) = 0 <0.000001>"),
        line(70, 9, "munmap(0x7f0000000000, 8192) = -1 EINVAL (Invalid argument) <0.000001>"),
    )
    notes = " ".join(result.report.notes)
    assert "5 pages were mapped" in notes
    assert "2 pages were unmapped" in notes
    assert result.events() == ["syscall"] * 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("70  09:00:00.514212 close(3) = 0\n", r"t.txt:1: the times are not absolute .*`strace -f -ttt -T -o FILE"),
        ("70  09:00:00 close(3) = 0\n", r"t.txt:1: the times are not absolute"),
        (
            "70       0.000218 close(3) = 0\n",
            r"t.txt:1: the times are not absolute .*-r the time since the line before",
        ),
        ("1795597142 close(3) = 0\n", r"t.txt:1: the times are not absolute with a fraction"),
        ("close(3) = 0\n", r"t.txt:1: the line tells no time: record with `strace -f -ttt -T -o FILE COMMAND`"),
        (line(70, 9, "close(3) = 0") + line(70, 3, "close(3) = 0"), r"t.txt:2: time runs backward: .*clock set"),
        (
            line(70, 0, "close(3) = 0") + line(70, 10**15, "close(3) = 0"),
            r"t.txt:2: expected a time within 1,000,000,000 s",
        ),
        ("hello\n", r"t.txt:1: 1 of 1 lines cannot be read, this one first: 'hello'; expected the text of `strace -f"),
        (line(70, 9, "--- SIGCHLD {si_signo=SIGCHLD} ---"), r"t.txt:1: the file has no event"),
        ("", r"t.txt:1: the file has no event"),
        (line(70, 9, "close(3) = 0")[:-1], r"t.txt:1: the file is cut in the middle of a line"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.txt").write_text(text)
    with pytest.raises(StreamError, match=message):
        import_strace(tmp_path / "t.txt")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(SAMPLES), st.data())
def test_lines_left_out_or_swapped_break_no_law(tmp_path: Path, path: Path, data: st.DataObject) -> None:
    lines = path.read_text().splitlines(keepends=True)
    kept = data.draw(st.lists(st.booleans(), min_size=len(lines), max_size=len(lines)))
    pids = sorted(set(re.findall(r"^(?:\[pid +)?(\d+)", "".join(lines), re.M)))
    swapped = data.draw(st.lists(st.sampled_from(pids), min_size=len(lines), max_size=len(lines)))
    change = data.draw(st.booleans())
    texts = [
        re.sub(r"^(\[pid +|)\d+( |\])", rf"\g<1>{pid}\g<2>", text, count=1) if change and number % 7 == 0 else text
        for number, (text, pid, keep) in enumerate(zip(lines, swapped, kept, strict=True))
        if keep
    ]
    try:
        imported(tmp_path, *texts)
    except StreamError as error:
        assert re.search(r"t.txt:\d+: ", str(error))
