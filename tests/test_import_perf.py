"""The importer of perf recordings: what each line becomes, and the laws that hold for every recording."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.errors import StreamError
from simulator.events import BY_CODE
from simulator.stream import EventStream, ParquetStream, check_batch, content_hash, write_parquet
from simulator.workload.importers import perf_reader, settle, text
from simulator.workload.importers.perf import ImportReport, import_perf
from simulator.workload.importers.unreadable import UNREADABLE

SAMPLES = sorted((Path(__file__).parent / "data").glob("*.perf-script.txt"))
START = 5_000_000_000
ALWAYS_AN_EVENT = {
    "raw_syscalls:sys_enter": "syscall",
    "exceptions:page_fault_user": "page_fault",
    "exceptions:page_fault_kernel": "page_fault",
    "sched:sched_switch": "context_switch",
    "sched:sched_waking": "wake",
    "sched:sched_wakeup_new": "wake",
    "irq_vectors:local_timer_entry": "interrupt",
    "irq_vectors:reschedule_entry": "interrupt",
    "irq_vectors:call_function_single_entry": "interrupt",
    "irq:irq_handler_entry": "interrupt",
    "block:block_rq_issue": "disk_request",
    "msr:read_msr": "msr_read",
    "msr:write_msr": "msr_write",
}
NEVER_AN_EVENT = {
    "raw_syscalls:sys_exit",
    "sched:sched_process_fork",
    "sched:sched_process_exec",
    "sched:sched_process_exit",
    "irq:softirq_entry",
    "irq:softirq_exit",
    "block:block_rq_complete",
}


# Recordings in a few words.


@dataclass
class Recording:
    """Lines of ``perf script``, written by CPU, task and microseconds since the start."""

    lines: list[str] = field(default_factory=list)

    def add(self, cpu: int, tid: int, us: float, event: str, fields: str, comm: str = "", process: int = -1) -> None:
        comm = comm or ("swapper" if tid == 0 else f"task{tid}")
        seconds, ns = divmod(START + round(us * 1000), 10**9)
        place = f"{comm:>16} {tid if process < 0 else process:5}/{tid:<5} [{cpu:03}]"
        self.lines.append(f"{place} {seconds:5}.{ns:09}: {event:>38}: {fields}")

    def syscall(self, cpu: int, tid: int, us: float, number: int = 39, arguments: str = "0, 0, 0, 0, 0, 0") -> None:
        self.add(cpu, tid, us, "raw_syscalls:sys_enter", f"NR {number} ({arguments})")

    def sysret(self, cpu: int, tid: int, us: float, number: int = 39, result: int = 0) -> None:
        self.add(cpu, tid, us, "raw_syscalls:sys_exit", f"NR {number} = {result}")

    def fault(self, cpu: int, tid: int, us: float, address: int = 0x1000, code: int = 6, mode: str = "user") -> None:
        fields = f"address={address:#x} ip=0x401000 error_code={code:#x}"
        self.add(cpu, tid, us, f"exceptions:page_fault_{mode}", fields)

    def rss(self, cpu: int, tid: int, us: float, mm: int, kind: str, pages: int, current: int = 1) -> None:
        fields = f"mm_id={mm} curr={current} type=MM_{kind} size={pages * 4096}B"
        self.add(cpu, tid, us, "kmem:rss_stat", fields)

    def switch(self, cpu: int, before: int, after: int, us: float, state: str = "S") -> None:
        names = [f"swapper/{cpu}" if tid == 0 else f"task{tid}" for tid in (before, after)]
        fields = (
            f"prev_comm={names[0]} prev_pid={before} prev_prio=120 prev_state={state} ==> "
            f"next_comm={names[1]} next_pid={after} next_prio=120"
        )
        self.add(cpu, before, us, "sched:sched_switch", fields)

    def wake(self, cpu: int, tid: int, woken: int, us: float, target: int = 0, event: str = "sched_waking") -> None:
        fields = f"comm=task{woken} pid={woken} prio=120 target_cpu={target:03}"
        self.add(cpu, tid, us, f"sched:{event}", fields)

    def flush(self, cpu: int, tid: int, us: float, pages: int, reason: int) -> None:
        texts = ("flush on task switch", "remote shootdown", "local shootdown", "local MM shootdown", "remote IPI send")
        self.add(cpu, tid, us, "tlb:tlb_flush", f"pages:{pages} reason:{texts[reason]} ({reason})")

    def timer(self, cpu: int, tid: int, us: float, edge: str) -> None:
        self.add(cpu, tid, us, f"irq_vectors:local_timer_{edge}", "vector=236")

    def ipi(self, cpu: int, tid: int, us: float) -> None:
        self.add(cpu, tid, us, "irq_vectors:reschedule_entry", "vector=253")

    def text(self) -> str:
        return "".join(line + "\n" for line in self.lines)


@pytest.fixture
def recording() -> Recording:
    return Recording()


@dataclass
class Imported:
    """What the importer made of a text, row by row."""

    stream: EventStream
    report: ImportReport

    def rows(self, cpu: int = 0) -> list[dict[str, int]]:
        """All rows of one CPU, by column, with ``event`` the name of the kind and ``at`` its time in nanoseconds."""
        rows: list[dict[str, int]] = []
        names: tuple[str, ...] = (
            "user_ns",
            "kernel_ns",
            "idle_ns",
            "kind",
            "count",
            "task",
            "space",
            "page",
            "site",
            "size",
        )
        names += ("device", "number", "waits", "wait_latency_ns", "posts", "post_delay_ns")
        at = 0
        for batch in self.stream.batches(cpu):
            for values in zip(*(batch.column(name).tolist() for name in names), strict=True):
                at += sum(values[:3])
                rows.append({**dict(zip(names, values, strict=True)), "at": at})
        return rows

    def events(self, cpu: int = 0) -> list[str]:
        return [BY_CODE[row["kind"]].name for row in self.rows(cpu)]

    def only(self, *names: str, cpu: int = 0) -> list[dict[str, int]]:
        return [row for row in self.rows(cpu) if BY_CODE[row["kind"]].name in names]

    def one(self, name: str, cpu: int = 0) -> dict[str, int]:
        (row,) = self.only(name, cpu=cpu)
        return row

    def poster(self, signal: int) -> dict[str, int]:
        """The row that posts a signal."""
        (row,) = [row for cpu in range(self.stream.header.vcpus) for row in self.rows(cpu) if row["posts"] == signal]
        return row


def imported(path: Path, text: str) -> Imported:
    file = path / "recording.txt"
    file.write_text(text, encoding="utf-8")
    return checked(*import_perf(file))


def checked(stream: EventStream, report: ImportReport) -> Imported:
    """Every recording, whatever it holds, obeys these laws."""
    result = Imported(stream, report)
    categories = (report.with_event, report.without_event, report.unknown)
    assert sum(sum(lines.values()) for lines in categories) == report.lines
    events: Counter[str] = Counter()
    for cpu in range(stream.header.vcpus):
        for batch in stream.batches(cpu):
            check_batch(batch, stream.header, f"CPU {cpu}")
        for row in result.rows(cpu):
            events[BY_CODE[row["kind"]].name] += row["count"]
    assert events == report.events
    assert all(report.events[name] >= count for name, count in report.derived.items())
    check_replay(result)
    check_ends_of_spaces(result)
    return result


def check_ends_of_spaces(result: Imported) -> None:
    """A space is torn down once, and nothing happens in it afterwards."""
    ends = {}
    for cpu in range(result.stream.header.vcpus):
        for number, row in enumerate(result.rows(cpu)):
            if BY_CODE[row["kind"]].name == "space_destroy":
                assert row["space"] >= 0
                assert row["space"] not in ends
                ends[row["space"]] = (row["at"], cpu, number)
    for cpu in range(result.stream.header.vcpus):
        for number, row in enumerate(result.rows(cpu)):
            at, own, last = ends.get(row["space"], (row["at"], cpu, number))
            assert row["at"] <= at
            assert row["at"] < at or cpu != own or number <= last


def check_replay(result: Imported) -> None:
    """Replayed at no cost, each row falls on its recorded time; soft rows of idle time may fall before it."""
    rows = [result.rows(cpu) for cpu in range(result.stream.header.vcpus)]
    signals, done, now = {0: 0}, [0] * len(rows), [0] * len(rows)
    soft = [False] * len(rows)
    while sum(done) < sum(map(len, rows)):
        before = sum(done)
        for cpu, own in enumerate(rows):
            while done[cpu] < len(own):
                row = own[done[cpu]]
                if row["waits"] >= 0 and row["waits"] not in signals:
                    break
                time = now[cpu] + row["user_ns"] + row["kernel_ns"]
                if row["waits"] >= 0:
                    time = max(time, signals[row["waits"]] + row["wait_latency_ns"])
                    soft[cpu] = False
                elif row["idle_ns"]:
                    soft[cpu] = True
                assert time <= row["at"] if soft[cpu] else time == row["at"], (cpu, done[cpu], row)
                if row["posts"] >= 0:
                    assert row["posts"] not in signals
                    signals[row["posts"]] = time + row["post_delay_ns"]
                now[cpu] = time
                done[cpu] += 1
        assert sum(done) > before, "the replay is stuck"


# Samples of real recordings, checked against the text itself.


@pytest.fixture(params=SAMPLES, ids=lambda path: path.name.split(".")[0])
def sample(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def grep(text: str, pattern: str) -> int:
    return sum(bool(re.search(pattern, line)) for line in text.splitlines())


def test_samples_are_there() -> None:
    assert len(SAMPLES) == 4


def test_a_sample_gives_as_many_events_as_it_has_lines(sample: Path) -> None:
    text = sample.read_text(encoding="utf-8")
    report = checked(*import_perf(sample)).report
    assert report.lines == text.count("\n")
    assert not report.unknown
    wanted: Counter[str] = Counter()
    for tracepoint, event in ALWAYS_AN_EVENT.items():
        lines = grep(text, rf"\d: +{tracepoint}: ")
        wanted[event] += lines
        assert report.with_event.get(tracepoint, 0) == lines
    assert {event: report.events.get(event, 0) for event in wanted} == wanted
    for tracepoint in NEVER_AN_EVENT:
        assert report.without_event.get(tracepoint, 0) == grep(text, rf"\d: +{tracepoint}: ")
    assert report.events.get("space_switch", 0) == grep(text, r"tlb_flush: pages:-?\d+ reason:.*\(0\)$")
    assert report.events.get("tlb_flush_all", 0) == grep(text, r"tlb_flush: pages:-1 reason:.*\([123]\)$")


def test_flushed_pages_are_those_of_the_lines(sample: Path) -> None:
    flushed = re.findall(r"tlb_flush: pages:([1-9]\d*) reason:.*\([123]\)$", sample.read_text(encoding="utf-8"), re.M)
    assert checked(*import_perf(sample)).report.events.get("tlb_flush_page", 0) == sum(map(int, flushed))


def test_gaps_add_up_to_the_time_of_the_last_row(sample: Path) -> None:
    lines = re.findall(r"\[(\d+)\] +(\d+)\.(\d+): +(\S+):", sample.read_text(encoding="utf-8"))
    times = [(int(cpu), int(s) * 10**9 + int(ns), name) for cpu, s, ns, name in lines]
    start = times[0][1]
    result = checked(*import_perf(sample))
    assert result.stream.header.recorded_ns == times[-1][1] - start
    for cpu in range(result.stream.header.vcpus):
        sure = [time - start for number, time, name in times if number == cpu and name in ALWAYS_AN_EVENT]
        end = result.rows(cpu)[-1]["at"]
        assert end >= max(sure)
        assert end in {time - start for number, time, _ in times if number == cpu}


def test_packed_and_plain_give_the_same_rows(sample: Path, tmp_path: Path) -> None:
    packed = tmp_path / "sample.txt.gz"
    packed.write_bytes(gzip.compress(sample.read_bytes()))
    assert content_hash(import_perf(packed)[0]) == content_hash(import_perf(sample)[0])


def test_a_sample_survives_parquet(sample: Path, tmp_path: Path) -> None:
    stream, _ = import_perf(sample)
    write_parquet(stream, tmp_path / "sample.parquet")
    assert content_hash(ParquetStream.open(tmp_path / "sample.parquet")) == content_hash(stream)


def test_rows_that_do_not_fit_in_memory_are_the_same(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = content_hash(import_perf(sample)[0])
    monkeypatch.setattr(text, "BLOCK_BYTES", 500)
    monkeypatch.setattr(perf_reader, "BUFFER_BYTES", 2000)
    monkeypatch.setattr(settle, "ROWS_PER_BATCH", 7)
    stream, _ = import_perf(sample)
    assert content_hash(stream) == whole
    sizes = [len(batch) for vcpu in range(stream.header.vcpus) for batch in stream.batches(vcpu)]
    assert len(sizes) > 20
    assert max(sizes) == 7


def test_forks_copy_and_protect(tmp_path: Path) -> None:
    """One iteration of forkwait: 24 entries copied; two of the parent's pages had been written since the last fork."""
    report = checked(*import_perf(SAMPLES[2])).report
    assert SAMPLES[2].name.startswith("forkwait-middle")
    forks = grep(SAMPLES[2].read_text(encoding="utf-8"), "sched_process_fork")
    assert forks
    assert any(f"forks copied {forks * 24} anonymous entries" in note for note in report.notes)


# Page tables and address spaces.


def test_a_fault_and_the_counter_after_it_name_the_same_page(recording: Recording, tmp_path: Path) -> None:
    recording.rss(0, 7, 0, 99, "FILEPAGES", 10)
    recording.fault(0, 7, 1, address=0x7F0000003123, code=4)
    recording.rss(0, 7, 2, 99, "FILEPAGES", 26)
    result = imported(tmp_path, recording.text())
    fault, entries = result.rows()
    assert (fault["page"], fault["site"], fault["user_ns"]) == (0x7F0000003, 0x401000, 1000)
    assert (entries["count"], entries["page"], entries["space"]) == (16, 0x7F0000003, fault["space"])
    assert result.report.without_event == {"kmem:rss_stat": 1}
    assert any("1 memory counters with an unknown base" in note for note in result.report.notes)


def test_a_fault_on_a_present_page_rewrites_its_entry(recording: Recording, tmp_path: Path) -> None:
    recording.fault(0, 7, 1, address=0x5000, code=7)
    recording.flush(0, 7, 2, 1, 3)
    recording.fault(0, 7, 3, address=0x6000, code=7)
    result = imported(tmp_path, recording.text())
    copied, written_in_place = ["page_fault", "pte_clear", "tlb_flush_page", "pte_set"], ["page_fault", "pte_modify"]
    assert result.events() == [*copied, *written_in_place]
    assert [row["page"] for row in result.rows()] == [5, 5, 5, 5, 6, 6]
    assert [row["at"] for row in result.rows()] == [0, 1000, 1000, 1000, 2000, 2000]
    assert result.report.derived == {"pte_modify": 1}


def test_a_page_of_zeros_is_set_and_then_replaced(recording: Recording, tmp_path: Path) -> None:
    recording.fault(0, 7, 1, address=0x5000, code=4)
    recording.fault(0, 7, 2, address=0x5000, code=7)
    recording.rss(0, 7, 3, 100, "ANONPAGES", 1)
    recording.rss(0, 7, 4, 100, "ANONPAGES", 2)
    recording.flush(0, 7, 5, 1, 3)
    recording.fault(0, 7, 6, address=0x6000, code=4)
    recording.fault(0, 7, 7, address=0x6000, code=4)
    recording.switch(0, 7, 0, 8, "D")
    result = imported(tmp_path, recording.text())
    written = [(name, row["page"]) for name, row in zip(result.events(), result.rows(), strict=True) if "pte" in name]
    assert written[0] == ("pte_set", 5), "the shared page of zeros, as the task goes on"
    assert ("pte_clear", 5) in written, "it gives way to a page of its own"
    assert ("pte_set", 6) not in written, "a fault that comes again, or sleeps, has set nothing yet"


def test_a_task_that_exits_goes_on_in_the_space_of_the_kernel(recording: Recording, tmp_path: Path) -> None:
    recording.fault(0, 7, 1, address=0x5000, code=6)
    recording.add(0, 7, 2, "sched:sched_process_exit", "comm=task7 pid=7 prio=120 group_dead=true")
    recording.flush(0, 7, 3, 0, 0)
    recording.switch(0, 7, 0, 4, "Z")
    assert imported(tmp_path, recording.text()).one("space_switch")["space"] == -1


def test_counters_tell_of_a_copy_on_write_of_a_file_page(recording: Recording, tmp_path: Path) -> None:
    recording.rss(0, 7, 0, 99, "FILEPAGES", 10)
    recording.rss(0, 7, 0, 99, "ANONPAGES", 4)
    recording.fault(0, 7, 1, address=0x5000, code=7)
    recording.rss(0, 7, 2, 99, "FILEPAGES", 9)
    recording.rss(0, 7, 3, 99, "ANONPAGES", 5)
    result = imported(tmp_path, recording.text())
    assert result.events() == ["page_fault", "pte_clear", "pte_set"]
    assert [row["page"] for row in result.rows()] == [5, 5, 5]


def test_swap_entries_are_not_present(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(0, 7, 0)
    recording.rss(0, 7, 1, 99, "SWAPENTS", 1)
    recording.rss(0, 7, 2, 99, "SWAPENTS", 5)
    assert imported(tmp_path, recording.text()).events() == ["syscall"]


def fork(recording: Recording, us: float, copied: int, child: int) -> None:
    recording.syscall(0, 7, us, 56, "1200011, 0, 0, 0, 0, 0")
    recording.rss(0, 7, us + 1, 500, "ANONPAGES", 1, current=0)
    recording.rss(0, 7, us + 2, 500, "ANONPAGES", copied, current=0)
    recording.add(0, 7, us + 3, "sched:sched_process_fork", f"comm=task7 pid=7 child_comm=task7 child_pid={child}")
    recording.wake(0, 7, child, us + 4, event="sched_wakeup_new")
    recording.sysret(0, 7, us + 5, 56, child)


def test_what_a_fault_implied_is_of_its_own_task_also_before_a_waking(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(0, 7, 0)
    recording.fault(0, 7, 1, code=7)
    recording.wake(0, 7, 8, 2)
    recording.syscall(0, 7, 3)
    result = imported(tmp_path, recording.text())
    assert result.events() == ["syscall", "page_fault", "pte_modify", "wake", "syscall"]
    assert [row["task"] for row in result.rows()] == [7, 7, 7, 8, 7]


def test_a_fork_copies_entries_and_protects_those_written_since_the_last(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(0, 7, 0)
    for page in range(1, 6):
        recording.fault(0, 7, page, address=page << 12, code=6)
    recording.fault(0, 7, 6, address=1 << 12, code=7)
    fork(recording, 10, copied=8, child=8)
    recording.fault(0, 7, 20, address=2 << 12, code=7)
    recording.switch(0, 7, 8, 30)
    recording.fault(0, 8, 31, address=3 << 12, code=7)
    recording.rss(0, 8, 32, 500, "FILEPAGES", 16)
    for left in (5, 0):
        recording.rss(0, 8, 33, 500, "ANONPAGES", left, current=0)
    recording.rss(0, 8, 34, 500, "FILEPAGES", 0, current=0)
    recording.switch(0, 8, 7, 40, "Z")
    fork(recording, 50, copied=8, child=9)
    result = imported(tmp_path, recording.text())
    protects = [row for row in result.only("pte_modify") if row["at"] in (13_000, 53_000)]
    assert [row["count"] for row in protects] == [5, 1]
    parent = result.only("page_fault")[0]["space"]
    assert {row["space"] for row in protects} == {parent}
    filled = [row for row in result.only("pte_set") if row["at"] in (12_000, 52_000)]
    assert [row["count"] for row in filled] == [7, 7]
    first, second = (row["space"] for row in filled)
    assert result.one("space_destroy")["space"] == first
    assert len({parent, first, second}) == 3, "the same mm_id, but another address space"
    assert result.only("page_fault")[-1]["space"] == first
    assert sum(row["count"] for row in result.only("pte_clear") if row["space"] == first) == 24
    assert any("forks copied 16 anonymous entries, of which 6" in note for note in result.report.notes)


def process_exit(recording: Recording, tid: int, us: float, dead: str = "", process: int = -1) -> None:
    fields = f"comm=task{tid} pid={tid} prio=120{dead}"
    recording.add(0, tid, us, "sched:sched_process_exit", fields, process=process)


def test_a_child_that_exits_leaves_no_space_behind(recording: Recording, tmp_path: Path) -> None:
    """After the last entry is cleared and the kernel's own space is loaded, before the parent is woken."""
    recording.fault(0, 7, 0)
    fork(recording, 10, copied=8, child=8)
    recording.switch(0, 7, 8, 30)
    recording.syscall(0, 8, 31, 231)
    process_exit(recording, 8, 32, " group_dead=true")
    recording.flush(0, 8, 33, 0, 0)
    recording.rss(0, 8, 34, 500, "ANONPAGES", 5, current=0)
    recording.rss(0, 8, 35, 500, "ANONPAGES", 0, current=0)
    recording.flush(0, 8, 36, 0, 0)
    recording.wake(0, 8, 7, 37)
    recording.switch(0, 8, 7, 38, "Z")
    result = imported(tmp_path, recording.text())
    end = result.one("space_destroy")
    assert (end["at"], end["task"], end["space"]) == (36_000, 8, result.only("pte_clear")[-1]["space"])
    assert result.events()[-4:] == ["space_switch", "space_destroy", "wake", "context_switch"]
    assert result.report.derived["space_destroy"] == 1


def test_without_memory_counters_a_space_ends_when_its_task_is_left(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(0, 7, 1, 231)
    process_exit(recording, 7, 2)
    recording.switch(0, 7, 0, 9, "Z")
    result = imported(tmp_path, recording.text())
    assert result.events() == ["syscall", "space_destroy", "context_switch"]
    assert result.only("context_switch")[0]["kernel_ns"] == 8000


def test_a_zombie_left_its_space_even_if_no_line_tells_of_its_exit(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(0, 7, 1, 231)
    recording.switch(0, 7, 0, 9, "X")
    assert "space_destroy" in imported(tmp_path, recording.text()).events()


def test_an_exit_that_is_preempted_or_cut_off_ends_no_space(recording: Recording, tmp_path: Path) -> None:
    recording.fault(0, 7, 0)
    process_exit(recording, 7, 1)
    recording.rss(0, 7, 2, 500, "ANONPAGES", 5, current=0)
    recording.rss(0, 7, 3, 500, "ANONPAGES", 4, current=0)
    recording.flush(0, 7, 4, 0, 0)
    recording.switch(0, 7, 8, 5, "R+")
    recording.switch(0, 8, 7, 6, "S")
    recording.rss(0, 7, 7, 500, "ANONPAGES", 0, current=0)
    cut = recording.text()
    recording.switch(0, 7, 8, 8, "Z")
    assert "space_destroy" not in imported(tmp_path, cut).events()
    whole = imported(tmp_path, recording.text())
    assert whole.events()[-3:] == ["pte_clear", "space_destroy", "context_switch"]


def test_a_space_older_than_the_recording_ends_too(recording: Recording, tmp_path: Path) -> None:
    """Its counters are first seen in the exit; the fault before it was in the same space."""
    recording.fault(0, 7, 0, code=7)
    process_exit(recording, 7, 1)
    recording.rss(0, 7, 2, 500, "FILEPAGES", 5, current=0)
    recording.rss(0, 7, 3, 500, "FILEPAGES", 0, current=0)
    recording.rss(0, 7, 4, 500, "ANONPAGES", 9, current=0)
    recording.rss(0, 7, 5, 500, "ANONPAGES", 0, current=0)
    recording.switch(0, 7, 0, 6, "Z")
    result = imported(tmp_path, recording.text())
    assert len({row["space"] for row in result.only("page_fault", "pte_clear", "space_destroy")}) == 1
    assert (result.one("space_destroy")["at"], result.only("pte_clear")[-1]["count"]) == (5000, 9)


def test_a_kernel_thread_has_no_space_to_end(recording: Recording, tmp_path: Path) -> None:
    recording.wake(0, 9, 7, 1)
    process_exit(recording, 9, 2)
    recording.switch(0, 9, 0, 3, "Z")
    assert "space_destroy" not in imported(tmp_path, recording.text()).events()


@pytest.mark.parametrize("dead", [("", ""), (" group_dead=false", " group_dead=true")])
@pytest.mark.parametrize("order", [(7, 9), (9, 7)])
def test_the_last_thread_ends_the_space(
    recording: Recording, tmp_path: Path, dead: tuple[str, str], order: tuple[int, int]
) -> None:
    recording.fault(0, 7, 0)
    recording.switch(0, 7, 9, 1)
    recording.add(0, 9, 2, "raw_syscalls:sys_enter", "NR 1 (0, 0)", process=7)
    recording.switch(0, 9, order[0], 3)
    for us, tid, after, group in ((10, order[0], order[1], dead[0]), (20, order[1], 0, dead[1])):
        process_exit(recording, tid, us, group, process=7)
        recording.switch(0, tid, after, us + 1, "Z")
    end = imported(tmp_path, recording.text()).one("space_destroy")
    assert (end["at"], end["task"]) == (11_000, order[1])


def test_threads_that_were_never_seen_keep_the_space(recording: Recording, tmp_path: Path) -> None:
    recording.fault(0, 7, 0)
    process_exit(recording, 7, 1, " group_dead=false")
    recording.switch(0, 7, 0, 2, "Z")
    assert "space_destroy" not in imported(tmp_path, recording.text()).events()


def test_a_space_that_is_used_again_did_not_end(recording: Recording, tmp_path: Path) -> None:
    """Another thread of the process shared it, but had no line until later."""
    recording.rss(0, 8, 0, 500, "ANONPAGES", 5)
    recording.syscall(0, 8, 1, 231)
    process_exit(recording, 8, 2, " group_dead=true")
    recording.switch(0, 8, 7, 3, "Z")
    shared = recording.text()
    fields = "address=0x1000 ip=0x1 error_code=0x6"
    recording.add(1, 9, 5, "exceptions:page_fault_user", fields, process=8)
    assert imported(tmp_path, shared).one("space_destroy")["at"] == 1000
    assert "space_destroy" not in imported(tmp_path, recording.text()).events()


def exec_after(recording: Recording, tid: int, us: float, old: int, new: int) -> None:
    """An exec as Linux does it: arguments, the new space is entered, the old one cleared, the program loaded."""
    recording.syscall(0, tid, us, 59)
    recording.rss(0, tid, us + 1, new, "ANONPAGES", 1, current=0)
    recording.flush(0, tid, us + 2, -1, 0)
    if old:
        recording.rss(0, tid, us + 3, old, "ANONPAGES", 2, current=0)
        recording.rss(0, tid, us + 4, old, "ANONPAGES", 0, current=0)
    recording.fault(0, tid, us + 5, code=2, mode="kernel")
    recording.rss(0, tid, us + 6, new, "ANONPAGES", 2)
    recording.add(0, tid, us + 7, "sched:sched_process_exec", f"filename=/x pid={tid} old_pid={tid}")
    recording.sysret(0, tid, us + 8, 59)


@pytest.mark.parametrize("base", [True, False])
def test_an_exec_ends_the_old_space_after_its_last_entry(recording: Recording, tmp_path: Path, base: bool) -> None:
    recording.fault(0, 7, 0)
    if base:
        recording.rss(0, 7, 1, 100, "ANONPAGES", 50)
    exec_after(recording, 7, 10, old=100, new=200)
    result = imported(tmp_path, recording.text())
    end, old = result.one("space_destroy"), result.only("page_fault")[0]["space"]
    assert (end["space"], end["at"]) == (old, 14_000)
    assert result.only("page_fault")[1]["space"] != old
    cleared = [row["count"] for row in result.only("pte_clear") if row["space"] == old]
    assert cleared == ([48, 2] if base else [2])


def test_an_exec_that_clears_nothing_ends_the_old_space_when_it_has_left_it(
    recording: Recording, tmp_path: Path
) -> None:
    recording.fault(0, 7, 0)
    exec_after(recording, 7, 10, old=0, new=200)
    result = imported(tmp_path, recording.text())
    assert result.one("space_destroy")["at"] == result.one("space_switch")["at"] == 12_000


def test_an_exec_that_fails_or_is_cut_off_ends_no_space(recording: Recording, tmp_path: Path) -> None:
    recording.fault(0, 7, 0)
    recording.syscall(0, 7, 1, 59)
    recording.sysret(0, 7, 2, 59, -2)
    exec_after(recording, 7, 10, old=100, new=200)
    del recording.lines[-2:]
    assert "space_destroy" not in imported(tmp_path, recording.text()).events()


def test_a_vforked_child_that_executes_leaves_its_parent_the_space(recording: Recording, tmp_path: Path) -> None:
    recording.fault(0, 7, 0)
    recording.syscall(0, 7, 2, 58)
    recording.add(0, 7, 3, "sched:sched_process_fork", "comm=task7 pid=7 child_comm=task7 child_pid=8")
    recording.switch(0, 7, 8, 4, "D")
    exec_after(recording, 8, 10, old=0, new=200)
    recording.fault(0, 8, 20)
    recording.switch(0, 8, 7, 30)
    for tid, us, after in ((7, 40, 8), (8, 50, 0)):
        process_exit(recording, tid, us, " group_dead=true")
        recording.switch(0, tid, after, us + 1, "Z")
    result = imported(tmp_path, recording.text())
    parent, child = result.only("page_fault")[0]["space"], result.only("page_fault")[-1]["space"]
    assert [(row["space"], row["task"]) for row in result.only("space_destroy")] == [(parent, 7), (child, 8)]


def test_a_vforked_child_that_exits_leaves_its_parent_the_space(recording: Recording, tmp_path: Path) -> None:
    recording.fault(0, 7, 0)
    recording.syscall(0, 7, 2, 58)
    recording.add(0, 7, 3, "sched:sched_process_fork", "comm=task7 pid=7 child_comm=task7 child_pid=8")
    recording.switch(0, 7, 8, 4, "D")
    recording.fault(0, 8, 5)
    process_exit(recording, 8, 6, " group_dead=true")
    recording.switch(0, 8, 7, 7, "Z")
    assert "space_destroy" not in imported(tmp_path, recording.text()).events()


def test_a_thread_and_a_vfork_child_share_the_space(recording: Recording, tmp_path: Path) -> None:
    recording.fault(0, 7, 1)
    recording.syscall(0, 7, 2, 58)
    recording.add(0, 7, 3, "sched:sched_process_fork", "comm=task7 pid=7 child_comm=task7 child_pid=8")
    recording.switch(0, 7, 8, 4, "D")
    recording.fault(0, 8, 5)
    recording.switch(0, 8, 9, 6)
    recording.add(0, 9, 7, "exceptions:page_fault_user", "address=0x1000 ip=0x1 error_code=0x6", process=7)
    spaces = [row["space"] for row in imported(tmp_path, recording.text()).only("page_fault")]
    assert len(set(spaces)) == 1


@pytest.mark.parametrize("place", [":-1     7/-1   ", ":-1    -1/-1   "])
def test_a_thread_whose_number_is_forgotten_gives_up_its_cpu(place: str, recording: Recording, tmp_path: Path) -> None:
    """A thread that nobody waits for has no number any more when it switches for the last time; perf writes -1."""
    recording.add(0, 8, 0, "raw_syscalls:sys_enter", "NR 60 (0, 0, 0, 0, 0, 0)", process=7)
    recording.add(0, 8, 1, "sched:sched_process_exit", "comm=task8 pid=8 prio=120 group_dead=false", process=7)
    recording.switch(0, 8, 7, 3, state="X")
    recording.flush(0, 8, 4, 0, 0)
    recording.sysret(0, 7, 5)
    recording.syscall(0, 7, 9)
    named = imported(tmp_path, recording.text())
    own = "           task8     8/8    "
    lines = [
        line.replace(own, f"{place:>29}") if own in line and "sched_process" not in line else line
        for line in recording.lines
    ]
    assert sum(":-1" in line for line in lines) == 2
    read = imported(tmp_path, "".join(line + "\n" for line in lines))
    assert UNREADABLE not in read.report.unknown
    assert read.rows() == named.rows()
    assert read.events() == ["syscall", "context_switch", "space_switch", "syscall"]


def test_a_task_number_used_again_is_another_task(recording: Recording, tmp_path: Path) -> None:
    recording.fault(0, 8, 0)
    recording.switch(0, 8, 7, 1, "Z")
    recording.syscall(0, 7, 2, 57)
    recording.add(0, 7, 3, "sched:sched_process_fork", "comm=task7 pid=7 child_comm=task8 child_pid=8")
    recording.switch(0, 7, 8, 4)
    recording.fault(0, 8, 5)
    result = imported(tmp_path, recording.text())
    first, second = (row["space"] for row in result.only("page_fault"))
    assert first != second
    assert not any("without a sched_switch" in note for note in result.report.notes)


def test_an_exec_makes_a_new_space(recording: Recording, tmp_path: Path) -> None:
    recording.fault(0, 7, 1)
    recording.rss(0, 7, 2, 100, "ANONPAGES", 50)
    recording.syscall(0, 7, 3, 59)
    recording.rss(0, 7, 4, 200, "ANONPAGES", 1, current=0)
    recording.rss(0, 7, 5, 100, "ANONPAGES", 49)
    recording.flush(0, 7, 6, -1, 0)
    recording.fault(0, 7, 7, code=2, mode="kernel")
    recording.rss(0, 7, 8, 200, "ANONPAGES", 2)
    recording.add(0, 7, 9, "sched:sched_process_exec", "filename=/bin/x pid=7 old_pid=7", comm="x")
    recording.sysret(0, 7, 10, 59)
    recording.rss(0, 7, 11, 200, "FILEPAGES", 16)
    result = imported(tmp_path, recording.text())
    old, new = (row["space"] for row in result.only("page_fault"))
    assert old != new
    assert [(row["space"], row["count"]) for row in result.only("pte_set")] == [(old, 1), (new, 1), (new, 1), (new, 16)]
    assert result.one("pte_clear")["space"] == old
    assert result.one("space_switch")["space"] == new
    assert result.stream.header.tasks[7] == "task7"


def test_a_counter_corrects_the_space_of_the_fault_before_it(recording: Recording, tmp_path: Path) -> None:
    """An exec whose only trace is the counter of the new space after a fault in it."""
    recording.rss(0, 7, 1, 100, "ANONPAGES", 50)
    recording.syscall(0, 7, 3, 59)
    recording.rss(0, 7, 4, 200, "ANONPAGES", 1, current=0)
    recording.fault(0, 7, 7, code=2, mode="kernel")
    recording.rss(0, 7, 8, 200, "ANONPAGES", 2)
    result = imported(tmp_path, recording.text())
    assert result.one("page_fault")["space"] == result.only("pte_set")[-1]["space"]


def test_space_switches_come_from_flush_lines(recording: Recording, tmp_path: Path) -> None:
    recording.fault(0, 7, 1)
    recording.switch(0, 7, 8, 2, "R+")
    recording.flush(0, 7, 3, 0, 0)
    recording.fault(0, 8, 4)
    recording.flush(0, 8, 5, 0, 3)
    recording.flush(0, 8, 6, 3, 3)
    recording.flush(0, 8, 7, -1, 2)
    recording.flush(0, 8, 8, -1, 4)
    result = imported(tmp_path, recording.text())
    first, second = (row["space"] for row in result.only("page_fault"))
    assert first != second
    assert result.one("space_switch")["space"] == second
    assert (result.one("tlb_flush_page")["count"], result.one("tlb_flush_page")["space"]) == (3, second)
    assert result.report.without_event == {"tlb:tlb_flush": 2}
    assert "space_switch" not in result.report.derived


def test_without_flush_lines_space_switches_come_from_context_switches(recording: Recording, tmp_path: Path) -> None:
    for us, before, after in ((10, 7, 8), (20, 8, 9), (30, 9, 7), (40, 7, 0), (50, 0, 7), (60, 7, 70), (70, 70, 7)):
        if before in (7, 8, 9):
            process = 8 if before == 9 else before
            recording.add(0, before, us - 5, "raw_syscalls:sys_enter", "NR 1 (0, 0)", process=process)
        recording.switch(0, before, after, us, "S")
    result = imported(tmp_path, recording.text())
    switches = result.only("space_switch")
    assert [row["task"] for row in switches] == [8, 7], (
        "not to the other thread, the idle task, a kernel thread, and back"
    )
    assert result.report.derived["space_switch"] == 2


# Time and modes.


def test_gaps_go_to_the_mode_that_ends_them(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(0, 7, 0)
    recording.sysret(0, 7, 1)
    recording.timer(0, 7, 11, "entry")
    recording.timer(0, 7, 14, "exit")
    recording.syscall(0, 7, 34)
    recording.timer(0, 7, 36, "entry")
    recording.timer(0, 7, 37, "exit")
    recording.switch(0, 7, 0, 40)
    rows = imported(tmp_path, recording.text()).rows()
    gaps = [(row["user_ns"], row["kernel_ns"]) for row in rows]
    assert gaps == [(0, 0), (10_000, 1000), (0, 3000), (20_000, 0), (0, 2000), (0, 1000), (0, 3000)]


def test_a_signals_handler_returns_to_user_mode_from_no_call(recording: Recording, tmp_path: Path) -> None:
    """rt_sigreturn ends as ``NR -1``: whom the signal interrupted was in no call."""
    recording.syscall(0, 7, 0, 15)
    recording.sysret(0, 7, 10, -1)
    recording.timer(0, 7, 30, "entry")
    read = imported(tmp_path, recording.text())
    assert UNREADABLE not in read.report.unknown
    interrupt = read.one("interrupt")
    assert (interrupt["user_ns"], interrupt["kernel_ns"]) == (20_000, 10_000)


def test_a_task_never_seen_in_user_mode_is_in_the_kernel(recording: Recording, tmp_path: Path) -> None:
    recording.wake(0, 7, 8, 0)
    recording.timer(0, 7, 10, "entry")
    assert imported(tmp_path, recording.text()).one("interrupt")["kernel_ns"] == 10_000


def test_a_cpu_that_begins_late_computes_or_waits_for_the_start(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(0, 7, 0)
    recording.syscall(3, 8, 10)
    recording.ipi(5, 0, 20)
    recording.switch(5, 0, 9, 25)
    result = imported(tmp_path, recording.text())
    assert result.stream.header.vcpus == 3
    assert result.rows(1)[0]["user_ns"] == 10_000
    interrupt = result.rows(2)[0]
    assert (interrupt["idle_ns"], interrupt["waits"], interrupt["wait_latency_ns"]) == (20_000, 0, 20_000)


# Waits and causes.


def test_a_task_waits_for_the_task_that_woke_it(recording: Recording, tmp_path: Path) -> None:
    """Task 8 sleeps, CPU 0 idles, task 7 on CPU 1 wakes it; an interprocessor interrupt and a register write follow."""
    recording.syscall(1, 7, 0)
    recording.switch(0, 8, 0, 10)
    recording.add(0, 0, 12, "msr:write_msr", "6e0, value 7d7")
    recording.wake(1, 7, 8, 100, target=0)
    recording.ipi(0, 0, 130)
    recording.add(0, 0, 133, "msr:write_msr", "6e0, value 7d7")
    recording.switch(0, 0, 8, 135)
    result = imported(tmp_path, recording.text())
    wake = result.one("wake", cpu=1)
    assert wake["post_delay_ns"] == 0
    interrupt = result.one("interrupt")
    assert (interrupt["waits"], interrupt["wait_latency_ns"]) == (wake["posts"], 30_000)
    assert (interrupt["idle_ns"], interrupt["kernel_ns"]) == (118_000, 0)
    path = result.rows()[result.events().index("interrupt") + 1 :]
    assert [(row["kernel_ns"], row["idle_ns"]) for row in path] == [(0, 0), (3000, 0), (2000, 0)]
    assert result.events() == [
        *("context_switch", "msr_write", "halt", "interrupt", "interrupt_completion", "msr_write", "context_switch")
    ]
    assert result.one("halt")["at"] == 12_000
    assert result.report.waits == {"task": 1}


def test_a_busy_cpu_computes_until_the_switch_and_waits_too(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(1, 7, 0)
    recording.switch(0, 8, 9, 10)
    recording.wake(1, 7, 8, 100, target=0)
    recording.switch(0, 9, 8, 150, "R+")
    result = imported(tmp_path, recording.text())
    switch = result.only("context_switch")[1]
    assert (switch["kernel_ns"], switch["idle_ns"], switch["wait_latency_ns"]) == (140_000, 0, 0)
    assert switch["waits"] == result.one("wake", cpu=1)["posts"]


def test_a_preempted_task_waits_for_nothing_but_its_cpu(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(0, 8, 0)
    recording.switch(0, 8, 9, 10, "R+")
    recording.switch(0, 9, 8, 20)
    result = imported(tmp_path, recording.text())
    assert {row["waits"] for row in result.rows()} == {-1}


def test_a_preempted_task_that_moves_waits_for_its_preemption(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(0, 8, 0)
    recording.syscall(1, 7, 0)
    recording.switch(0, 8, 9, 10, "R")
    recording.switch(1, 7, 8, 30)
    result = imported(tmp_path, recording.text())
    assert result.poster(result.one("context_switch", cpu=1)["waits"])["at"] == 10_000
    assert result.report.waits == {"preempted": 1}


DISK = "254,0 RA {}77869136 + 32 0x2,0,4 [task8]"


def disk_wait(recording: Recording, waker: int) -> None:
    recording.syscall(1, 7, 0)
    recording.syscall(0, 8, 1)
    recording.add(0, 8, 10, "block:block_rq_issue", DISK.format("16384 () "))
    recording.switch(0, 8, 0, 15, "D")
    task = 7 if waker else 0
    recording.add(waker, task, 500, "irq:irq_handler_entry", "irq=36 name=virtio1-req.0")
    recording.add(waker, task, 502, "irq:irq_handler_exit", "irq=36 ret=handled")
    recording.add(waker, task, 503, "block:block_rq_complete", DISK.format("() "))
    recording.wake(waker, task, 8, 504, target=0)
    if waker:
        recording.ipi(0, 0, 520)
    recording.switch(0, 0, 8, 530)


@pytest.mark.parametrize(("woken_at", "by"), [(3.5, "timer"), (5.5, "timer"), (7, "task")])
def test_deferred_work_lasts_until_its_end_is_told(
    woken_at: float, by: str, recording: Recording, tmp_path: Path
) -> None:
    """Task 7 is interrupted from 3 to 4 us, with deferred work from 5 to 6: what wakes task 8 then is its timer."""
    recording.syscall(0, 7, 0)
    recording.syscall(1, 8, 0)
    recording.add(0, 7, 0.2, "irq:softirq_entry", "vec=1 [action=TIMER]")
    recording.add(0, 7, 0.3, "irq:softirq_exit", "vec=1 [action=TIMER]")
    recording.switch(1, 8, 0, 1)
    recording.timer(0, 7, 3, "entry")
    recording.timer(0, 7, 4, "exit")
    recording.add(0, 7, 5, "irq:softirq_entry", "vec=1 [action=TIMER]")
    recording.add(0, 7, 6, "irq:softirq_exit", "vec=1 [action=TIMER]")
    recording.wake(0, 7, 8, woken_at, target=1)
    recording.lines.sort(key=lambda line: line.split("]")[1])
    recording.switch(1, 0, 8, 9)
    recording.sysret(1, 8, 10)
    assert imported(tmp_path, recording.text()).report.waits == {by: 1}


def test_a_task_waits_for_its_disk_request(recording: Recording, tmp_path: Path) -> None:
    disk_wait(recording, waker=1)
    result = imported(tmp_path, recording.text())
    request, interrupt = result.one("disk_request"), result.one("interrupt")
    assert (request["size"], result.stream.header.devices[request["device"]]) == (16384, "disk 254,0")
    assert request["blocking"] == 0 if "blocking" in request else True
    assert request["post_delay_ns"] == 494_000
    assert (interrupt["waits"], interrupt["wait_latency_ns"]) == (request["posts"], 16_000)
    assert result.report.waits == {"device": 1}
    device = result.one("interrupt", cpu=1)
    assert (device["number"], result.stream.header.devices[device["device"]]) == (36, "virtio1-req.0")


def test_on_an_idle_cpu_the_interrupt_itself_is_the_completion(recording: Recording, tmp_path: Path) -> None:
    disk_wait(recording, waker=0)
    result = imported(tmp_path, recording.text())
    request, interrupt = result.one("disk_request"), result.one("interrupt")
    assert request["post_delay_ns"] == 490_000
    assert (interrupt["waits"], interrupt["wait_latency_ns"]) == (request["posts"], 0)
    assert [(row["kernel_ns"], row["idle_ns"]) for row in result.rows()[5:8]] == [(2000, 0), (2000, 0), (26_000, 0)]


def test_a_request_that_ends_two_waits_posts_once(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(2, 9, 0)
    disk_wait(recording, waker=1)
    recording.lines.insert(0, recording.lines.pop(0))
    second = Recording()
    second.wake(1, 7, 9, 505, target=2)
    at = next(i for i, line in enumerate(recording.lines) if "sched_waking" in line)
    recording.lines.insert(at + 1, second.lines[0])
    slept = Recording()
    slept.switch(2, 9, 10, 12, "D")
    at = next(i for i, line in enumerate(recording.lines) if "prev_state=D" in line)
    recording.lines.insert(at, slept.lines[0])
    recording.switch(2, 10, 9, 540)
    result = imported(tmp_path, recording.text())
    request = result.one("disk_request")
    later = result.only("context_switch", cpu=2)[-1]
    assert (later["waits"], later["wait_latency_ns"]) == (request["posts"], 1000)
    assert result.report.waits == {"device": 2}


def test_a_timer_ends_a_sleep_after_its_time(recording: Recording, tmp_path: Path) -> None:
    """A tick that wakes nobody is soft; the one that wakes task 8 begins the wake path."""
    recording.syscall(0, 8, 0)
    recording.switch(0, 8, 0, 10)
    for us in (1000, 2000):
        recording.timer(0, 0, us, "entry")
        recording.timer(0, 0, us + 5, "exit")
    recording.add(0, 0, 2007, "irq:softirq_entry", "vec=1 [action=TIMER]")
    recording.wake(0, 0, 8, 2010, target=0)
    recording.switch(0, 0, 8, 2020)
    result = imported(tmp_path, recording.text())
    slept = result.only("context_switch")[0]
    soft, awake = result.only("interrupt")
    assert (soft["waits"], soft["idle_ns"]) == (-1, 990_000)
    assert (awake["waits"], awake["wait_latency_ns"]) == (slept["posts"], 0)
    assert slept["post_delay_ns"] == 1_990_000
    assert result.report.derived["halt"] == 2
    assert [row["at"] for row in result.only("halt")] == [10_000, 1_005_000]
    assert result.only("context_switch")[1]["kernel_ns"] == 10_000
    assert result.report.waits == {"timer": 1}


def test_a_wait_that_nothing_recorded_ended_takes_its_time(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(0, 8, 0)
    recording.switch(0, 8, 9, 10)
    recording.switch(0, 9, 8, 50)
    result = imported(tmp_path, recording.text())
    slept, back = result.only("context_switch")
    assert (slept["post_delay_ns"], back["waits"], back["wait_latency_ns"]) == (40_000, slept["posts"], 0)


def test_an_unknown_task_on_an_idle_cpu_waits_for_the_beginning_of_the_idle_time(
    recording: Recording, tmp_path: Path
) -> None:
    recording.syscall(0, 8, 0)
    recording.switch(0, 8, 0, 10)
    recording.switch(0, 0, 9, 50)
    result = imported(tmp_path, recording.text())
    halt = result.one("halt")
    assert (halt["at"], halt["post_delay_ns"]) == (10_000, 40_000)
    assert result.only("context_switch")[1]["waits"] == halt["posts"]
    assert result.report.waits == {"idle": 1}


def test_a_cpu_idle_at_the_end_halts(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(1, 7, 0)
    recording.switch(0, 8, 0, 10)
    recording.syscall(1, 7, 20)
    assert imported(tmp_path, recording.text()).events() == ["context_switch", "halt"]


def test_a_wake_before_the_sleep_was_complete_still_counts(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(0, 8, 0)
    recording.wake(1, 7, 8, 9, target=0)
    recording.switch(0, 8, 9, 10)
    recording.switch(0, 9, 8, 50)
    result = imported(tmp_path, recording.text())
    assert result.only("context_switch")[1]["waits"] == result.one("wake", cpu=1)["posts"]


def test_a_switch_that_is_not_recorded_keeps_the_times(recording: Recording, tmp_path: Path) -> None:
    """Task 8 goes on after idle time with no line that says so; it waits for what woke it all the same."""
    recording.syscall(0, 8, 0)
    recording.switch(0, 8, 0, 10)
    recording.wake(1, 7, 8, 40, target=0)
    recording.sysret(0, 8, 50)
    recording.syscall(0, 8, 60)
    result = imported(tmp_path, recording.text())
    again = result.only("syscall")[1]
    assert (again["idle_ns"], again["user_ns"], again["at"]) == (40_000, 10_000, 60_000)
    assert (again["waits"], again["wait_latency_ns"]) == (result.one("wake", cpu=1)["posts"], 20_000)
    assert any("1 times a CPU came to another task" in note for note in result.report.notes)


# Interrupts.


def test_interrupts_without_an_exit_line_complete_at_once(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(0, 8, 0)
    recording.ipi(0, 8, 5)
    recording.syscall(0, 8, 7)
    result = imported(tmp_path, recording.text())
    assert result.events() == ["syscall", "interrupt", "interrupt_completion", "syscall"]
    assert result.report.derived == {"interrupt_completion": 1}
    completion = result.one("interrupt_completion")
    assert (completion["number"], result.stream.header.devices[completion["device"]]) == (253, "ipi")


def test_interrupts_with_an_exit_line_complete_there(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(0, 8, 0)
    recording.ipi(0, 8, 5)
    recording.add(0, 8, 6, "irq_vectors:reschedule_exit", "vector=253")
    result = imported(tmp_path, recording.text())
    assert result.events() == ["syscall", "interrupt", "interrupt_completion"]
    assert result.one("interrupt_completion")["at"] == 6000
    assert not result.report.derived


# Lines that are odd, and files that are refused.


def test_names_may_hold_anything(recording: Recording, tmp_path: Path) -> None:
    names = ["Web Content", "kworker/1:1H-kb", "memfd:sealed-91", "a] 3.000: x", "[001] 12/12", ":1234"]
    for number, name in enumerate(names):
        recording.add(0, 10 + number, number, "raw_syscalls:sys_enter", "NR 1 (0, 0)", comm=name)
        recording.add(0, 10 + number, number, "raw_syscalls:sys_enter", "NR 2 (0, 0)", comm=name)
    result = imported(tmp_path, recording.text())
    assert not result.report.unknown
    assert [row["number"] for row in result.rows()] == [1, 2] * len(names)
    assert list(result.stream.header.tasks.values())[1:] == names


def test_lines_need_not_stand_in_columns(tmp_path: Path) -> None:
    text = (
        "a 7/7 [000] 5.000000000: raw_syscalls:sys_enter: NR 1 (0)\n"
        "longer-name 123456/123456 [011] 5.000000001: msr:read_msr: 3b, value 0\n"
        "a 7/7 [000] 5.000000002: raw_syscalls:sys_exit: NR 1 = 0\n"
        "a 7/7 [000] 15.000000003:         raw_syscalls:sys_enter: NR 2 (0)\n"
    )
    result = imported(tmp_path, text)
    assert [row["at"] for row in result.rows()] == [0, 10_000_000_003]
    assert result.one("msr_read", cpu=1)["number"] == 0x3B


def test_lines_that_mean_nothing_are_counted(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(0, 7, 0)
    recording.add(0, 7, 1, "power:cpu_idle", "state=1 cpu_id=0")
    recording.lines += ["", "# a comment", "perf: lost 5 events"]
    recording.add(0, 7, 2, "kmem:rss_stat", "mm_id=1 curr=1 member=0 size=4096B")
    recording.add(0, 7, 3, "raw_syscalls:sys_enter", "NR seven")
    recording.add(0, 7, 4, "power:cpu_idle", "state=4294967295 cpu_id=0")
    for at in range(5, 505):
        recording.sysret(0, 7, at)
    result = imported(tmp_path, recording.text())
    assert result.report.unknown == {"power:cpu_idle": 2, UNREADABLE: 5}
    assert result.report.first_unreadable_line == 3
    assert result.events() == ["syscall"]


def test_lines_that_repeat_the_one_before_are_noted(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(0, 7, 0)
    recording.syscall(0, 7, 0)
    result = imported(tmp_path, recording.text())
    assert result.report.events == {"syscall": 2}
    assert any(note.startswith("1 lines repeat") for note in result.report.notes)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "the file has no event"), ("\n", "1 of 1 lines"), ("# nothing\nat all\n", "2 of 2 lines")],
)
def test_a_file_without_events_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(StreamError, match=rf"recording\.txt:1: {message}"):
        imported(tmp_path, text)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StreamError, match="no such file"):
        import_perf(tmp_path / "none.txt")


@pytest.mark.parametrize("cut", [1, 2, 30, 90])
def test_a_file_cut_in_a_line_is_refused(recording: Recording, tmp_path: Path, cut: int) -> None:
    recording.syscall(0, 7, 0)
    recording.syscall(0, 7, 1)
    with pytest.raises(StreamError, match=r"recording\.txt:2: .*middle of a line"):
        imported(tmp_path, recording.text()[:-cut])


def test_time_passes_in_lines_whose_fields_cannot_be_read(recording: Recording, tmp_path: Path) -> None:
    for at in range(200):
        recording.syscall(0, 7, at)
    recording.add(0, 7, 300, "raw_syscalls:sys_enter", "NR seven")
    recording.add(0, 7, 400, "sched:sched_switch", "prev_comm=x")
    result = imported(tmp_path, recording.text())
    assert result.report.unknown == {UNREADABLE: 2}
    assert result.stream.header.recorded_ns == 400_000
    recording.syscall(0, 7, 350)
    with pytest.raises(StreamError, match=r"recording\.txt:203: time runs backward"):
        imported(tmp_path, recording.text())


def test_time_that_runs_backward_is_refused(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(0, 7, 0)
    recording.syscall(0, 7, 10)
    recording.syscall(0, 7, 9)
    with pytest.raises(StreamError, match=r"recording\.txt:3: time runs backward on CPU 0: 5\.000009000 s"):
        imported(tmp_path, recording.text())


def test_a_line_that_perf_wrote_somewhat_late_counts_as_of_the_line_before(
    recording: Recording, tmp_path: Path
) -> None:
    """``perf script`` sorts the lines of all CPUs as it goes; on a busy machine it says that some are out of order."""
    for us in range(200):
        recording.syscall(0, 7, us * 10)
    recording.syscall(1, 8, 1989)
    recording.syscall(1, 8, 1989.5)
    recording.syscall(1, 8, 2000)
    read = imported(tmp_path, recording.text())
    assert [row["at"] for row in read.rows(1)] == [1_990_000, 1_990_000, 2_000_000]
    assert any(note.startswith("2 lines stand up to 1,000 ns late") for note in read.report.notes)


@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        (1989.5, 1989, "time runs backward on CPU 1: 5.001989000 s after 5.001989500 s"),
        (1989, 980, "time runs backward on CPU 1: 5.000980000 s after 5.001989000 s"),
        (2000, 990, "time runs backward on CPU 1: 5.000990000 s after 5.002000000 s"),
        (None, 989, "time runs backward: 5.000989000 s after 5.001990000 s"),
    ],
)
def test_lines_that_are_later_still_are_refused(
    first: float | None, then: float, message: str, recording: Recording, tmp_path: Path
) -> None:
    for us in range(200):
        recording.syscall(0, 7, us * 10)
    if first is not None:
        recording.syscall(1, 8, first)
    recording.syscall(1, 8, then)
    with pytest.raises(StreamError, match=message):
        imported(tmp_path, recording.text())


def test_a_file_that_is_not_sorted_is_refused(recording: Recording, tmp_path: Path) -> None:
    for us in range(0, 100, 2):
        recording.syscall(0, 7, us + 1)
        recording.syscall(1, 8, us)
    with pytest.raises(StreamError, match=r"recording\.txt:100: 50 of 100 lines stand after lines of other CPUs"):
        imported(tmp_path, recording.text())


def test_damaged_gzip_data_are_refused(tmp_path: Path) -> None:
    data = gzip.compress(SAMPLES[0].read_bytes())
    file = tmp_path / "damaged.gz"
    damages = [data[: len(data) // 2], data[:-3], b"no gzip at all\n", data[:500] + b"\xff" * 40 + data[540:]]
    for damaged in damages:
        file.write_bytes(damaged)
        with pytest.raises(StreamError, match=r"damaged\.gz:\d+: the gzip data are truncated or corrupt"):
            import_perf(file)


def test_the_header_tells_where_the_stream_comes_from(recording: Recording, tmp_path: Path) -> None:
    recording.syscall(0, 7, 0)
    (tmp_path / "run.perf-script.txt").write_text(recording.text(), encoding="utf-8")
    seen: list[tuple[int, int]] = []
    stream, _ = import_perf(
        tmp_path / "run.perf-script.txt", provenance={"machine": "a"}, progress=lambda *n: seen.append(n)
    )
    assert stream.header.title == "run"
    told = stream.header.provenance
    assert (told["source"], told["file"], told["lines"]) == ("perf script", "run.perf-script.txt", 1)
    assert (told["machine"], told["tracepoints"]) == ("a", {"raw_syscalls:sys_enter": 1})
    assert re.fullmatch("[0-9a-f]{64}", told["sha256"])
    assert seen == [(len(recording.text()), len(recording.text()))]


def test_a_recording_without_a_known_column_type_overflow(recording: Recording, tmp_path: Path) -> None:
    """A code address of the kernel has its highest bit set, which the column cannot hold: it is told without it."""
    fields = "address=0xffffc90000001000 ip=0xffffffff81234567 error_code=0x2"
    recording.add(0, 7, 0, "exceptions:page_fault_kernel", fields)
    row = imported(tmp_path, recording.text()).one("page_fault")
    assert (row["page"], row["site"]) == (0xFFFFC90000001, 0x7FFFFFFF81234567)


# Any recording at all.

TIDS = st.sampled_from([0, 0, 7, 8, 9])


@st.composite
def recordings(draw: st.DrawFn) -> str:
    """Lines in any order, as if any others had been lost: only time runs forward."""
    recording, us = Recording(), 0.0
    running = {0: 7, 1: 0}
    for _ in range(draw(st.integers(1, 60))):
        us += draw(st.sampled_from([0, 1, 2.5, 40]))
        cpu = draw(st.integers(0, 1))
        tid = draw(TIDS) if draw(st.integers(0, 9)) == 0 else running[cpu]
        kinds = ["switch", "wake", "timer entry", "timer exit", "ipi", "msr", "softirq", "issue", "complete", "flush"]
        kinds += ["switch", "wake"] if tid == 0 else ["syscall", "sysret", "fault", "rss", "fork", "exec", "exit"]
        kind = draw(st.sampled_from(kinds))
        running[cpu] = tid
        if kind == "switch":
            running[cpu] = draw(TIDS)
            state = draw(st.sampled_from(["S", "D", "R", "R+", "Z"])) if tid else "R"
            recording.switch(cpu, tid, running[cpu], us, state)
        else:
            _any_line(draw, recording, kind, (cpu, tid, us))
    recording.syscall(0, 7, us + 1)
    return recording.text()


def _any_line(draw: st.DrawFn, recording: Recording, kind: str, place: tuple[int, int, float]) -> None:
    number, flag = draw(st.integers(0, 3)), draw(st.integers(0, 1))
    tracepoints = {
        "msr": ("msr:write_msr", "6e0, value 7"),
        "softirq": ("irq:softirq_entry", "vec=1 [action=TIMER]"),
        "issue": ("block:block_rq_issue", f"254,0 RA 4096 () {number} + 8 0x2,0,4 [x]"),
        "complete": ("block:block_rq_complete", f"254,0 RA () {number} + 8 0x2,0,4 [0]"),
        "fork": ("sched:sched_process_fork", f"comm=x pid=7 child_comm=x child_pid={7 + number}"),
        "exec": ("sched:sched_process_exec", "filename=/x pid=7 old_pid=7"),
        "exit": ("sched:sched_process_exit", "comm=x pid=7 prio=120"),
        "sysret": ("raw_syscalls:sys_exit", "NR 1 = 0"),
    }
    writers = {
        "wake": lambda: recording.wake(place[0], place[1], 7 + number % 3, place[2], target=flag),
        "timer entry": lambda: recording.timer(*place, "entry"),
        "timer exit": lambda: recording.timer(*place, "exit"),
        "ipi": lambda: recording.ipi(*place),
        "flush": lambda: recording.flush(*place, number - 1, draw(st.integers(0, 4))),
        "syscall": lambda: recording.syscall(*place, draw(st.sampled_from([1, 56, 57, 58, 59]))),
        "fault": lambda: recording.fault(*place, number << 12, draw(st.integers(0, 7)), ("user", "kernel")[flag]),
        "rss": lambda: recording.rss(*place, number, draw(st.sampled_from(["ANONPAGES", "FILEPAGES"])), number, flag),
    }
    if kind in tracepoints:
        recording.add(*place, *tracepoints[kind])
    else:
        writers[kind]()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=recordings())
def test_the_laws_hold_for_any_lines(text: str, tmp_path: Path) -> None:
    result = imported(tmp_path, text)
    assert not result.report.unknown
    ends = [result.rows(cpu)[-1]["at"] for cpu in range(result.stream.header.vcpus) if result.rows(cpu)]
    assert max(ends) == result.stream.header.recorded_ns
    assert np.all(np.array(ends) >= 0)


def readable_lines(number: int) -> str:
    return "".join(
        f"  fw  7/7  [000]  1.{i:09}:  raw_syscalls:sys_enter: NR 39 (0, 0, 0, 0, 0, 0)\n" for i in range(number)
    )


def test_some_unreadable_lines_are_counted_and_many_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text(readable_lines(99) + "junk\n")
    assert import_perf(path)[1].unknown == {"unreadable line": 1}
    path.write_text(readable_lines(98) + "junk\njunk\n")
    with pytest.raises(StreamError, match=r"lines.txt:99: 2 of 100 lines cannot be read, this one first: 'junk'"):
        import_perf(path)


def test_time_stamps_in_microseconds_are_named(tmp_path: Path) -> None:
    path = tmp_path / "us.txt"
    path.write_text("  fw  7/7  [000]  1.000001:  raw_syscalls:sys_enter: NR 39 (0, 0, 0, 0, 0, 0)\n" * 3)
    with pytest.raises(StreamError, match=r"us.txt:1: 3 of 3 lines .* in microseconds: add --ns"):
        import_perf(path)


def test_lines_may_end_as_on_windows(tmp_path: Path) -> None:
    path = tmp_path / "crlf.txt"
    path.write_bytes(readable_lines(5000).replace("\n", "\r\n").encode())
    assert import_perf(path)[1].events == {"syscall": 5000}
