"""`vmmsim record`: whose lines it keeps, what it takes off, and what it says where this machine cannot record."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from support import K, replay, simple_model, stream
from test_import_perf import START, Recording, recordings

from simulator.errors import RecordError
from simulator.stream import Batch, EventStream, MemoryStream, ParquetStream
from simulator.workload.importers.perf import import_perf
from simulator.workload.recorder import implied, others, overhead
from simulator.workload.recorder.kept import Kept, Who
from simulator.workload.recorder.overhead import Correction, Method
from simulator.workload.recorder.permissions import available_tracepoints, explain_failure, find_perf
from simulator.workload.recorder.processes import kernel_threads, with_descendants
from simulator.workload.recorder.tasks import Program
from simulator.workload.recorder.tracepoints import WANTED

ALWAYS = (0, 1 << 62)
OWN, STRANGER, LOOP, KERNEL = 7, 8, 9, 11


def kept(recording: Recording, who: Who | None = None, window: tuple[int, int] = ALWAYS) -> tuple[list[str], Kept]:
    program = Program(who or Who({OWN}, kernel={KERNEL}, stand_ins={LOOP}), window)
    return [text.split("]", 1)[1].split(None, 1)[1] for text in program.lines(recording.lines)], program.kept


@pytest.fixture
def recording() -> Recording:
    return Recording()


# Whose lines are kept.


def test_lines_of_others_are_left_out_and_their_time_is_idle(recording: Recording) -> None:
    recording.syscall(0, OWN, 0)
    recording.switch(0, OWN, STRANGER, 1, "R")
    recording.flush(0, OWN, 1, -1, 0)
    recording.syscall(0, STRANGER, 2)
    recording.fault(0, STRANGER, 3)
    recording.timer(0, STRANGER, 4, "entry")
    recording.switch(0, STRANGER, OWN, 11)
    recording.flush(0, STRANGER, 11, -1, 0)
    recording.sysret(0, OWN, 12)
    program = Program(Who({OWN}), ALWAYS)
    lines = list(program.lines(recording.lines))
    assert [line.split()[0] for line in lines] == ["task7", "task7", "swapper", "task7"]
    assert "next_comm=swapper/0 next_pid=0 " in lines[1]
    assert "prev_comm=swapper/0 prev_pid=0 " in lines[2]
    assert (program.kept.switches, program.kept.preempted, program.kept.others_ns) == (1, 1, 10_000)


def test_a_switch_between_others_is_no_switch(recording: Recording) -> None:
    recording.syscall(0, OWN, 0)
    recording.switch(0, OWN, STRANGER, 1)
    recording.switch(0, STRANGER, 0, 2)
    recording.switch(0, 0, STRANGER + 10, 3)
    recording.switch(0, STRANGER + 10, OWN, 4)
    assert len([line for line in kept(recording)[0] if line.startswith("sched:sched_switch")]) == 2


def test_the_page_table_base_is_loaded_anew_only_for_another_process(recording: Recording) -> None:
    recording.syscall(0, OWN, 0)
    recording.switch(0, OWN, STRANGER, 1)
    recording.switch(0, STRANGER, OWN + 30, 2)
    recording.flush(0, STRANGER, 2, -1, 0)
    assert kept(recording, Who({OWN, OWN + 30}))[0][-1].startswith("tlb:tlb_flush")


def test_whoever_wakes_the_program_counts(recording: Recording) -> None:
    recording.syscall(0, OWN, 0)
    recording.wake(1, STRANGER, OWN, 1)
    recording.wake(1, STRANGER, STRANGER + 10, 2)
    recording.wake(0, OWN, STRANGER, 3)
    program = Program(Who({OWN}), ALWAYS)
    lines = list(program.lines(recording.lines))
    assert [line.split()[0] for line in lines] == ["task7", "swapper", "task7"]


def test_a_task_that_waits_for_others_on_its_cpu_waits_idly(recording: Recording, tmp_path: Path) -> None:
    """Woken at 2 us on a CPU of others, which give way at 9 us: no computation in between."""
    recording.syscall(0, OWN, 0)
    recording.switch(0, OWN, STRANGER, 1)
    recording.wake(0, STRANGER, OWN, 2)
    recording.switch(0, STRANGER, OWN, 9)
    recording.sysret(0, OWN, 10)
    recording.syscall(0, OWN, 11)
    path = tmp_path / "kept.txt"
    program = Program(Who({OWN}), ALWAYS)
    path.write_text("".join(f"{line}\n" for line in program.lines(recording.lines)))
    [batch] = others.as_idle(MemoryStream.of(import_perf(path)[0]), program.kept.others, [0], START).rows[0]
    assert program.kept.others == {0: [(START + 1_000, START + 9_000)]}
    assert batch.column("kernel_ns").sum() == 2_000
    assert batch.column("idle_ns").sum() == 8_000


def test_a_task_need_not_wait_for_others(recording: Recording, tmp_path: Path) -> None:
    """Preempted by others from 1 to 9 us, and asleep from 20 to 50 us, of which it could run from 40: 8 and 10 us."""
    recording.syscall(0, OWN, 0)
    recording.syscall(1, OWN + 30, 0)
    recording.switch(1, OWN + 30, STRANGER, 0)
    recording.switch(0, OWN, STRANGER, 1, "R")
    recording.switch(0, STRANGER, OWN, 9)
    recording.sysret(0, OWN, 10)
    recording.syscall(0, OWN, 11)
    recording.switch(0, OWN, STRANGER, 20, "S")
    recording.wake(1, STRANGER, OWN, 40)
    recording.switch(0, STRANGER, OWN, 50)
    recording.sysret(0, OWN, 51)
    recording.syscall(0, OWN, 52)
    path = tmp_path / "kept.txt"
    program = Program(Who({OWN, OWN + 30}), ALWAYS)
    path.write_text("".join(f"{line}\n" for line in program.lines(recording.lines)))
    assert program.kept.delays == {0: [(START + 9_000, 8_000), (START + 50_000, 10_000)]}
    imported, _ = import_perf(path)
    changed, taken = others.undelayed(MemoryStream.of(imported), program.kept.delays, [0, 1], START)
    columns = ("wait_latency_ns", "post_delay_ns")
    before, after = (
        sum(int(batch.column(name).sum()) for batch in batches(each) for name in columns)
        for each in (imported, changed)
    )
    assert before - after == 18_000
    assert taken == 18_000
    # The replay ends that much sooner: 52 us less 18 us.
    model = simple_model(dict.fromkeys(("syscall", "context_switch", "halt", "wake", "space_switch"), "0 ns"))
    assert replay(imported, model).makespan == 52_000 * 1000
    assert replay(changed, model).makespan == 34_000 * 1000


@given(
    bounds=st.lists(st.integers(0, 60), max_size=12, unique=True).map(sorted),
    gaps=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12),
)
def test_no_more_than_the_time_of_others_becomes_idle(bounds: list[int], gaps: list[tuple[int, int]]) -> None:
    """Against a count of each nanosecond by itself; where a row has idle time too, kernel time goes first."""
    times = list(zip(bounds[::2], bounds[1::2], strict=False))
    rows = [{"kind": K["syscall"], "kernel_ns": kernel, "idle_ns": idle} for kernel, idle in gaps]
    [batch] = others.as_idle(stream(rows), {0: times}, [0], 0).rows[0]
    now, expected = 0, []
    for kernel, idle in gaps:
        theirs = sum(begin <= ns < end for ns in range(now, now + kernel + idle) for begin, end in times)
        expected.append((kernel - min(kernel, theirs), idle + min(kernel, theirs)))
        now += kernel + idle
    assert list(zip(batch.column("kernel_ns").tolist(), batch.column("idle_ns").tolist(), strict=True)) == expected


def test_children_of_the_program_are_the_programs_until_their_number_is_used_again(recording: Recording) -> None:
    recording.add(0, OWN, 0, "sched:sched_process_fork", "comm=x pid=7 child_comm=x child_pid=20")
    recording.syscall(1, 20, 1)
    recording.add(0, STRANGER, 2, "sched:sched_process_fork", "comm=x pid=8 child_comm=x child_pid=20")
    recording.syscall(1, 20, 3)
    assert len(kept(recording)[0]) == 2


def test_threads_are_told_by_their_process(recording: Recording) -> None:
    recording.syscall(0, OWN, 0)
    recording.add(0, 21, 1, "raw_syscalls:sys_enter", "NR 39 (0, 0, 0, 0, 0, 0)", process=OWN)
    recording.add(0, 22, 2, "raw_syscalls:sys_enter", "NR 39 (0, 0, 0, 0, 0, 0)", process=STRANGER)
    assert len(kept(recording)[0]) == 2


def test_a_command_begins_where_it_executes(recording: Recording) -> None:
    recording.syscall(0, OWN, 0, 13)
    recording.syscall(0, OWN, 1, 59)
    recording.sysret(0, OWN, 2, 59)
    lines, counts = kept(recording, Who((), command=OWN))
    assert len(lines) == 2
    assert counts.own_lines == 2


def test_switches_of_which_the_kernel_counts_some_are_told(recording: Recording) -> None:
    recording.syscall(0, OWN, 0, 59)
    for us in (1, 3, 8):
        if us == 8:
            recording.add(0, OWN, 7, "sched:sched_process_exec", f"filename=/x pid={OWN} old_pid={OWN}")
        recording.switch(0, OWN, 0, us, "D")
        recording.wake(0, 0, OWN, us + 1)
        recording.switch(0, 0, OWN, us + 1.5)
    recording.add(0, OWN, 20, "sched:sched_process_exit", f"comm=x pid={OWN} prio=120")
    recording.switch(0, OWN, 0, 21, "D")
    recording.wake(0, 0, OWN, 22)
    recording.switch(0, 0, OWN, 23)
    recording.switch(0, OWN, 0, 24, "Z")
    _, counts = kept(recording, Who((), command=OWN))
    assert (counts.switches, counts.ends, counts.at_edges) == (5, 1, 3)


def test_a_stand_in_is_the_idle_task_and_its_idle_ticks_are_none(recording: Recording) -> None:
    recording.syscall(0, OWN, 0)
    recording.switch(0, OWN, LOOP, 1)
    recording.timer(0, LOOP, 2, "entry")
    recording.timer(0, LOOP, 3, "exit")
    recording.syscall(0, LOOP, 4)
    recording.timer(0, LOOP, 5, "entry")
    recording.wake(0, LOOP, OWN, 6)
    recording.timer(0, LOOP, 7, "exit")
    recording.switch(0, LOOP, OWN, 8)
    lines, counts = kept(recording)
    assert [line.split(":")[1] for line in lines] == [
        *("sys_enter", "sched_switch", "local_timer_entry", "sched_waking", "local_timer_exit", "sched_switch")
    ]
    assert (counts.others_ns, counts.preempted) == (0, 0)


def test_the_completion_of_a_request_is_kept_whoever_runs(recording: Recording) -> None:
    recording.add(0, OWN, 0, "block:block_rq_issue", "254,0 RA 4096 () 8 + 8 0x2,0,4 [x]")
    recording.add(1, STRANGER, 1, "block:block_rq_complete", "254,0 RA () 999 + 8 0x2,0,4 [0]")
    recording.add(1, STRANGER, 1, "block:block_rq_complete", "254,0 RA () 8 + 8 0x2,0,4 [0]")
    recording.add(1, STRANGER, 1, "irq:irq_handler_exit", "irq=36 ret=handled")
    assert [line.split(":")[1] for line in kept(recording)[0]] == ["block_rq_issue", "block_rq_complete"]


@pytest.mark.parametrize("runs", [0, LOOP, STRANGER])
def test_a_task_waits_for_its_disk_whatever_the_interrupt_finds(
    runs: int, recording: Recording, tmp_path: Path
) -> None:
    recording.syscall(0, OWN, 0)
    recording.add(0, OWN, 1, "block:block_rq_issue", "254,0 RA 4096 () 8 + 8 0x2,0,4 [x]")
    recording.switch(0, OWN, runs, 2)
    recording.add(0, runs, 9, "irq:irq_handler_entry", "irq=36 name=disk")
    recording.add(0, runs, 10, "irq:irq_handler_exit", "irq=36 ret=handled")
    recording.add(0, runs, 11, "irq:softirq_entry", "vec=4 [action=BLOCK]")
    recording.add(0, runs, 12, "block:block_rq_complete", "254,0 RA () 8 + 8 0x2,0,4 [0]")
    recording.wake(0, runs, OWN, 13)
    recording.switch(0, runs, OWN, 14)
    recording.sysret(0, OWN, 15)
    path = tmp_path / "kept.txt"
    program = Program(Who({OWN}, kernel={KERNEL}, stand_ins={LOOP}), ALWAYS)
    path.write_text("".join(f"{line}\n" for line in program.lines(recording.lines)))
    report = import_perf(path)[1]
    assert report.waits == {"device": 1}
    assert report.events["interrupt"] == report.events["interrupt_completion"] == 1


def test_threads_of_the_kernel_stay_while_they_work_for_the_program(recording: Recording) -> None:
    """Woken by the program, or by the completion of a request: until they sleep. In the background they are others."""
    recording.add(0, OWN, 0, "block:block_rq_issue", "254,0 RA 4096 () 8 + 8 0x2,0,4 [x]")
    recording.switch(1, 0, KERNEL, 1)
    recording.switch(1, KERNEL, 0, 2)
    recording.wake(0, OWN, KERNEL, 3, target=1)
    recording.switch(1, 0, KERNEL, 4)
    recording.switch(1, KERNEL, 0, 5)
    recording.switch(1, 0, KERNEL, 6)
    recording.switch(1, KERNEL, 0, 7)
    recording.add(1, 0, 8, "block:block_rq_complete", "254,0 RA () 8 + 8 0x2,0,4 [0]")
    recording.wake(1, 0, KERNEL, 8, target=1)
    recording.switch(1, 0, KERNEL, 9)
    recording.switch(1, KERNEL, 0, 10)
    recording.ipi(1, 0, 11)
    recording.wake(1, 0, KERNEL, 12, target=1)
    recording.timer(0, OWN, 13, "entry")
    recording.wake(0, OWN, KERNEL, 14, target=1)
    recording.switch(1, 0, KERNEL, 15)
    assert [line.split(":")[1] for line in kept(recording)[0]] == [
        *("block_rq_issue", "sched_waking", "sched_switch", "sched_switch"),
        *("block_rq_complete", "sched_waking", "sched_switch", "sched_switch"),
        *("local_timer_entry", "sched_waking"),
    ]


def test_all_cpus_leaves_out_the_recorder_alone(recording: Recording) -> None:
    for tid in (OWN, STRANGER, LOOP):
        recording.syscall(0, tid, tid)
    assert len(kept(recording, Who(None, recorder={STRANGER}))[0]) == 2


def test_only_lines_in_the_window_are_kept(recording: Recording) -> None:
    for us in range(5):
        recording.syscall(0, OWN, us)
    assert len(kept(recording, window=(START + 1000, START + 3000))[0]) == 3


def test_lost_events_are_counted(recording: Recording) -> None:
    recording.syscall(0, OWN, 0)
    recording.lines.append("            perf  7973/7973  [001]  1133.022668185: PERF_RECORD_LOST lost 7071")
    lines, counts = kept(recording)
    assert (len(lines), counts.lost, counts.read) == (1, 7071, 1)


def test_a_thread_that_the_kernel_forgot_is_named_by_its_last_switch(recording: Recording) -> None:
    """perf has no number for it, and none for the flush that follows."""
    recording.syscall(0, OWN, 0)
    recording.switch(0, OWN, 0, 1, "X")
    recording.flush(0, OWN, 1, -1, 0)
    whole = list(Program(Who({OWN}), ALWAYS).lines(recording.lines))
    nameless = [re.sub(r" +task7 +7/7    ", "             :-1    -1/-1    ", line) for line in recording.lines[1:]]
    program = Program(Who({OWN}), ALWAYS)
    assert list(program.lines([recording.lines[0], *nameless])) == whole
    assert program.kept.ends == 1


def test_a_task_that_runs_with_no_switch_to_it_is_noticed(recording: Recording) -> None:
    recording.syscall(0, OWN, 0)
    recording.switch(0, OWN, 0, 1)
    recording.flush(0, OWN, 1, -1, 0)
    recording.sysret(0, OWN, 2)
    recording.switch(0, OWN, 0, 3)
    recording.switch(0, 0, OWN, 4)
    recording.sysret(0, OWN, 5)
    assert kept(recording)[1].unseen == 2  # at the first line of all, and where it went on


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=recordings(), own=st.sets(st.sampled_from([7, 8, 9])), loops=st.sets(st.just(9)))
def test_what_is_kept_of_any_recording_can_be_imported(
    text: str, own: set[int], loops: set[int], tmp_path: Path
) -> None:
    """Whatever the lines: time runs forward, nothing is unreadable, and strangers have no rows."""
    program = Program(Who(own | {7}, stand_ins=loops - own), ALWAYS)
    path = tmp_path / "kept.txt"
    lines = list(program.lines(text.splitlines()))
    assume(any("sys_enter" in line for line in lines))  # its number may be somebody else's by then
    path.write_text("".join(f"{line}\n" for line in lines))
    imported, report = import_perf(path)
    assert not report.unknown
    assert sum(map(len, program.kept.times.values())) == program.kept.lines == report.lines
    before = [batch.column("user_ns").sum() + batch.column("kernel_ns").sum() for batch in batches(imported)]
    corrected, correction = overhead.take_off(
        MemoryStream.of(imported), program.kept.times, Correction(Method.PROBE, 300, "")
    )
    after = [batch.column("user_ns").sum() + batch.column("kernel_ns").sum() for batch in batches(corrected)]
    assert sum(before) - sum(after) == correction.taken_ns <= 300 * program.kept.lines
    assert all((batch.column(name) >= 0).all() for batch in batches(corrected) for name in ("user_ns", "kernel_ns"))


def batches(stream: EventStream) -> list[Batch]:
    return [batch for vcpu in range(stream.header.vcpus) for batch in stream.batches(vcpu)]


# What the recording cost.


def test_each_gap_pays_for_the_lines_in_it() -> None:
    """Lines at 0, 10, 20 and 40 us; rows at 10 and 40 us: one line, then two, the second of them at 20 us."""
    rows = [{"kind": K["syscall"], "kernel_ns": 10_000}, {"kind": K["syscall"], "user_ns": 25_000, "kernel_ns": 5_000}]
    times = {0: [0, 10_000, 20_000, 40_000]}
    corrected, correction = overhead.take_off(stream(rows), times, Correction(Method.PROBE, 4_000, ""))
    [batch] = corrected.rows[0]
    assert batch.column("kernel_ns").tolist() == [6_000, 0]
    assert batch.column("user_ns").tolist() == [0, 22_000]
    assert (correction.taken_ns, correction.clipped_ns) == (12_000, 0)


def test_what_a_gap_cannot_pay_is_clipped_and_idle_time_pays_nothing() -> None:
    rows = [{"kind": K["syscall"], "kernel_ns": 1_000}, {"kind": K["interrupt"], "idle_ns": 50_000}]
    corrected, correction = overhead.take_off(
        stream(rows), {3: [0, 1_000, 51_000]}, Correction(Method.PROBE, 4_000, "")
    )
    [batch] = corrected.rows[0]
    assert batch.column("kernel_ns").tolist() == [0, 0]
    assert batch.column("idle_ns").tolist() == [0, 50_000]
    assert (correction.taken_ns, correction.clipped_ns) == (1_000, 3_000)


def test_the_cost_of_a_line_by_either_method() -> None:
    assert overhead.by_probe(200, 1400).ns_per_line == 600
    assert overhead.by_probe(300, 200).ns_per_line == 0
    assert overhead.by_command(10**9, 10**9 + 700_000, 1000).ns_per_line == 700
    assert overhead.by_command(10**9, 9 * 10**8, 1000).ns_per_line == 0


# What a stream says of the program.


def test_the_peak_is_that_of_the_largest_space_at_one_moment() -> None:
    """Two spaces on two CPUs: 5 - 3 + 4 pages in one, 5 in the other."""
    one = [
        {"kind": K["pte_set"], "count": 5, "space": 0, "kernel_ns": 10},
        {"kind": K["pte_set"], "count": 4, "space": 0, "kernel_ns": 20},
        {"kind": K["pte_set"], "count": 5, "space": 1},
    ]
    other = [{"kind": K["pte_clear"], "count": 3, "space": 0, "idle_ns": 15}]
    assert implied.peak_resident_bytes(stream(one, other)) == 6 * 4096
    assert implied.peak_resident_bytes(stream([{"kind": K["syscall"]}])) == 0
    faults = [{"kind": K["page_fault"], "task": 7, "space": 0}, {"kind": K["page_fault"], "task": 8, "space": 1}]
    assert implied.peak_resident_bytes(stream(one, other, faults), without={7}) == 5 * 4096
    assert implied.events(stream(faults), "page_fault", without={7}) == 1


def test_switches_are_counted_by_who_gave_up_the_cpu() -> None:
    to = [7, 0, 11, 7, 8, 0]
    rows = [{"kind": K["context_switch"], "task": task} for task in to]
    assert implied.switches(stream(rows)) == 4
    assert implied.switches(stream(rows), without={11}) == 3
    assert implied.switches(stream([{"kind": K["syscall"], "task": 7}, *rows[1:]])) == 4
    assert implied.events(stream([{"kind": K["syscall"], "count": 3}]), "syscall") == 3


def test_processes_are_found_with_their_threads_and_children() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            assert {os.getpid(), child.pid} <= with_descendants([os.getpid()])
        finally:
            child.kill()
    assert not kernel_threads() & with_descendants([os.getpid()])
    with pytest.raises(RecordError, match="--pid 4194999: there is no such process"):
        with_descendants([4194999])


# What is said where it cannot record.


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            "Error:\nAccess to performance monitoring operations is limited.",
            "kernel.perf_event_paranoid is 3, .*CAP_PERFMON",
        ),
        ("Permission error mapping pages.", "CAP_PERFMON"),
        ("Error: unknown option `control'", "5.10 or newer"),
        ("failed to mmap with 12 (Cannot allocate memory)", "perf_event_mlock_kb"),
        ("", "it said nothing"),
    ],
)
def test_a_failure_of_perf_is_explained(said: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "paranoid").write_text("3\n")
    assert re.search(expected, explain_failure(said, tmp_path / "paranoid"))


def fake(folder: Path, **orders: object) -> dict[str, str]:
    """Put a stand-in for perf on the PATH; return the environment."""
    (folder / "bin").mkdir(exist_ok=True)
    perf = folder / "bin" / "perf"
    perf.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).parent / "fake_perf.py"} "$@"\n')
    perf.chmod(0o755)
    orders = {"tracepoints": WANTED, "pid_file": str(folder / "pid"), **orders}
    (folder / "orders.json").write_text(json.dumps(orders))
    return {**os.environ, "FAKE_PERF": str(folder / "orders.json"), "PATH": f"{perf.parent}:{os.environ['PATH']}"}


COMMAND = "echo $$ > pid; sleep 0.3"


def recorded(folder: Path, environment: dict[str, str], *options: str, script: str = COMMAND) -> tuple[int, str, str]:
    words = [sys.executable, "-m", "simulator.cli", "record", *options, "--", "sh", "-c", script]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


BODY = [(us, "raw_syscalls:sys_enter", "NR 39 (0, 0, 0, 0, 0, 0)") for us in range(9000, 0, -1000)]


def test_a_recording_by_a_stand_in_for_perf(tmp_path: Path) -> None:
    code, out, err = recorded(tmp_path, fake(tmp_path, body=BODY), "--json", script=f"{COMMAND}; exit 7")
    data = json.loads(out)
    assert (code, err) == (7, "")
    assert data["events"]["syscall"] == 10
    assert (data["exit_code"], data["missing"], data["lines"]["lost"]) == (7, {}, 0)
    told = ParquetStream.open(tmp_path / "sh.parquet").header.provenance
    assert told["command"] == shlex.join(["sh", "-c", f"{COMMAND}; exit 7"])
    assert told["overhead"]["method"] == "probe"
    assert {"machine", "cpu", "date", "tracepoints_missing", "lost_events"} <= set(told)


def test_what_the_kernel_does_not_have_is_said_with_what_it_means(tmp_path: Path) -> None:
    names = [name for name in WANTED if not name.startswith(("exceptions:", "kmem:"))]
    code, out, _ = recorded(tmp_path, fake(tmp_path, tracepoints=names, body=BODY))
    assert code == 0
    assert "this kernel has no exceptions:page_fault_user, exceptions:page_fault_kernel: no page faults" in out
    assert "this kernel has no kmem:rss_stat: page-table writes only where" in out
    told = ParquetStream.open(tmp_path / "sh.parquet").header.provenance
    assert set(told["tracepoints_missing"]) == set(WANTED) - set(names)


def test_without_the_scheduler_there_is_no_recording(tmp_path: Path) -> None:
    names = [name for name in WANTED if name != "sched:sched_switch"]
    code, _, err = recorded(tmp_path, fake(tmp_path, tracepoints=names))
    assert code == 2
    assert "no tracepoint sched:sched_switch" in err


def test_no_tracepoints_at_all_are_explained(tmp_path: Path) -> None:
    fake(tmp_path, tracepoints=[])
    perf = str(tmp_path / "bin" / "perf")
    empty, absent, there = tmp_path / "empty", tmp_path / "absent", tmp_path / "there"
    empty.mkdir()
    (there / "events").mkdir(parents=True)
    os.environ["FAKE_PERF"] = str(tmp_path / "orders.json")
    try:
        for folder, said in (
            (empty, "mount -t tracefs"),
            (absent, "without tracepoints"),
            (there, "no permission to read"),
        ):
            with pytest.raises(RecordError, match=said):
                available_tracepoints(perf, folder)
    finally:
        del os.environ["FAKE_PERF"]


def test_lost_events_beyond_a_share_are_refused(tmp_path: Path) -> None:
    text = ["            perf  7973/7973  [001]  1133.022668185: PERF_RECORD_LOST lost 5"]
    environment = fake(tmp_path, body=BODY, text=text)
    code, _, err = recorded(tmp_path, environment)
    assert code == 1
    assert "5 of 15 events were lost (33.3 %), more than 0.1 %" in err
    assert not (tmp_path / "sh.parquet").exists()
    code, out, _ = recorded(tmp_path, environment, "--most-lost", "50%")
    assert code == 0
    assert "5 of 15 events were lost, and are missing here" in out


def test_a_kernel_that_refuses_is_explained_and_nothing_is_left_behind(tmp_path: Path) -> None:
    said = "Error:\nAccess to performance monitoring and observability operations is limited."
    code, _, err = recorded(tmp_path, fake(tmp_path, refuses=said), "--overhead", "none")
    assert code == 2
    assert "kernel.perf_event_paranoid" in err
    assert "CAP_PERFMON" in err
    assert not (tmp_path / "sh.parquet").exists()


def test_without_perf_it_says_what_to_install(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": str(tmp_path)}
    words = [sys.executable, "-m", "simulator.cli", "record", "--", sys.executable, "-V"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "apt-get install linux-perf" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "nothing to record: give a command after --"),
        (("--duration", "soon", "--all-cpus"), "--duration soon: expected a time such as 10s"),
        (("--duration", "0s", "--all-cpus"), "--duration 0s: expected"),
        (("--most-lost", "few", "--all-cpus"), "--most-lost few: expected a value such as 0.1%"),
        (("--overhead", "twize", "--all-cpus"), r"expected one of probe, twice, none (did you mean 'twice'?)"),
        (("--buffer", "much", "--all-cpus"), "--buffer much: expected a value such as 8M"),
        (("--all-cpus", "--out", "x.txt"), "expected a name that ends in .parquet"),
        (("--out", "x.parquet", "--", "no-such-program"), "no-such-program: there is no such program"),
    ],
)
def test_wrong_usage_is_said_in_words(options: Sequence[str], said: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "simulator.cli", "record", *options]
    done = subprocess.run(words, cwd=tmp_path, env=fake(tmp_path), capture_output=True, text=True, check=False)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr


def test_an_interrupt_keeps_what_was_recorded(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "simulator.cli", "record", "--json", "--", "sh", "-c", "echo $$ > pid; sleep 60"]
    environment = fake(tmp_path, body=BODY)
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        while not (tmp_path / "pid").exists():
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.3)
        os.killpg(process.pid, signal.SIGINT)
        data = json.loads(process.communicate()[0])
    assert process.returncode == 130
    assert data["interrupted"]
    assert data["events"]["syscall"] == 10
    assert (tmp_path / "sh.parquet").is_file()


def test_a_duration_ends_the_command(tmp_path: Path) -> None:
    environment = fake(tmp_path, body=BODY)
    code, out, _ = recorded(
        tmp_path, environment, "--json", "--duration", "400ms", script="echo $$ > pid; exec sleep 60"
    )
    assert code == 0
    assert json.loads(out)["events"]["syscall"] == 10


# With the real one.


def why_not() -> str:
    """Return why perf cannot record here; empty where it can."""
    words = [sys.executable, "-m", "simulator.cli", "record", "--out", "/dev/null/x.parquet", "--", "true"]
    try:
        available_tracepoints(find_perf())
    except RecordError as error:
        return str(error)
    words[words.index("/dev/null/x.parquet")] = "probe.parquet"
    from tempfile import TemporaryDirectory  # noqa: PLC0415

    with TemporaryDirectory() as folder:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip()


def test_record_and_run_in_two_commands(tmp_path: Path) -> None:
    """A program that sleeps, forks and touches pages: recorded, checked by the kernel's counters, and priced."""
    reason = why_not()
    if reason:
        pytest.skip(f"perf cannot record here: {reason}")
    script = "import subprocess, time; x = bytearray(1 << 22); time.sleep(0.01); subprocess.run(['true']); exit(5)"
    words = [sys.executable, "-m", "simulator.cli", "record", "--json", "--out", "mine.parquet"]
    done = subprocess.run(
        [*words, "--", sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 5, done.stderr
    data = json.loads(done.stdout)
    for kind, counted in data["kernel_counted"].items():
        assert abs(data["of_the_program"][kind] - counted) <= max(counted // 50, 5), kind
    assert data["peak_resident_bytes"] > 1 << 22
    assert implied.events(ParquetStream.open(tmp_path / "mine.parquet"), "syscall") == data["events"]["syscall"]
    run = [sys.executable, "-m", "simulator.cli", "run", "mine.parquet", "--no-plots", "--json"]
    result = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    totals = {row["model"]: row for row in json.loads(result.stdout)["totals"]}
    assert (
        float(totals["hardware-vmm"]["relative_to_baseline"])
        > float(totals["nested-paging"]["relative_to_baseline"])
        >= 1
    )
