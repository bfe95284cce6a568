"""The importer of ftrace: the same buffer in three ways of writing it, and lines that are no events."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from fuzz.formats import data_of
from test_import_perf import Imported, checked

from simulator.errors import StreamError
from simulator.events import BY_CODE
from simulator.stream import content_hash
from simulator.workload.importers.ftrace import import_ftrace
from simulator.workload.importers.ftrace_columns import NO_EVENT, Rewriter
from simulator.workload.importers.perf import import_perf
from simulator.workload.importers.trace_text import Line, Parser, ftrace_parser, perf_parser

FOLDER = Path(__file__).parent / "samples"
SAMPLES = [FOLDER / f"spin.{name}.txt" for name in ("ftrace", "trace-cmd", "trace-cmd-ns")]
ONE_LINE = "  bash-70  [000] d..1.  5.000001: sched_waking: comm=a pid=71 prio=120 target_cpu=000\n"


def imported(text: str, folder: Path) -> Imported:
    (folder / "t.txt").write_text(text)
    return checked(*import_ftrace(folder / "t.txt"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name.split(".")[1])
def test_a_sample_obeys_the_laws_of_recordings(path: Path) -> None:
    report = checked(*import_ftrace(path)).report
    text = path.read_text()
    assert report.lines == text.count("\n")
    assert not report.unknown
    assert report.without_event.get("comment", 0) == sum(line.startswith(("#", "cpus=")) for line in text.splitlines())
    for name in ("sys_enter", "sched_switch", "page_fault_user", "sched_waking", "write_msr"):
        counted = sum(
            n for lines in (report.with_event, report.without_event) for k, n in lines.items() if k.endswith(f":{name}")
        )
        assert counted == text.count(f" {name}: ")


def test_one_buffer_gives_one_stream_however_it_is_written() -> None:
    """The plugins of trace-cmd write some fields in another way, and nanoseconds are more exact; the rest is the same."""
    rows = {path.name: [checked(*import_ftrace(path)).rows(cpu) for cpu in range(2)] for path in SAMPLES}
    times = ("user_ns", "kernel_ns", "idle_ns", "at", "wait_latency_ns", "post_delay_ns")
    plain = {
        name: [[{key: value for key, value in row.items() if key not in times} for row in cpu] for cpu in cpus]
        for name, cpus in rows.items()
    }
    assert plain["spin.trace-cmd.txt"] == plain["spin.trace-cmd-ns.txt"]
    kinds = {name: Counter(BY_CODE[row["kind"]].name for cpu in cpus for row in cpu) for name, cpus in rows.items()}
    assert kinds["spin.ftrace.txt"] == kinds["spin.trace-cmd.txt"]
    for cpu in range(2):
        for coarse, fine in zip(rows["spin.trace-cmd.txt"][cpu], rows["spin.trace-cmd-ns.txt"][cpu], strict=True):
            assert abs(coarse["at"] - fine["at"]) <= 1000


def test_a_line_means_what_it_means_to_perf(tmp_path: Path) -> None:
    """A trace with processes and whole microseconds, written by hand in both ways."""
    lines = [
        ("sys_enter", "raw_syscalls", "NR 39 (0, 0, 0, 0, 0, 0)"),
        ("sys_exit", "raw_syscalls", "NR 39 = 70"),
        ("page_fault_user", "exceptions", "address=0x7ff000 ip=0x401000 error_code=0x6"),
        ("local_timer_entry", "irq_vectors", "vector=236"),
        ("local_timer_exit", "irq_vectors", "vector=236"),
        ("irq_work_entry", "irq_vectors", "vector=246"),
    ]
    ftrace = "".join(f"  a b-71  (     70) [001] d..1.  5.{n:06}: {e}: {f}\n" for n, (e, _, f) in enumerate(lines))
    perf = "".join(
        f"  a b   70/71  [001]     5.{n:06}000: {s + ':' + e:>38}: {f}\n" for n, (e, s, f) in enumerate(lines)
    )
    (tmp_path / "perf.txt").write_text(perf)
    stream = imported(ftrace, tmp_path).stream
    assert content_hash(stream) == content_hash(import_perf(tmp_path / "perf.txt")[0])
    assert stream.header.tasks == {0: "swapper", 71: "a b"}


def test_columns_and_single_lines_are_rewritten_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a layout, no line is rewritten by columns; damaged samples have lines of all sorts."""

    def rewritten(blocks: list[bytes]) -> list[tuple[bytes, list[int], int, int]]:
        rewriter = Rewriter()
        results = [rewriter.rewrite(block) for block in blocks]
        return [(r.run(0, len(r.times)), r.times.tolist(), r.imprecise, r.without_process) for r in results]

    blocks = [path.read_bytes() for path in SAMPLES]
    blocks += [data for number in range(300) if (data := data_of("ftrace", 1, number)).endswith(b"\n")]
    by_columns = rewritten(blocks)
    monkeypatch.setattr(Parser, "layout", lambda *_: None)
    assert rewritten(blocks) == by_columns


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name.split(".")[1])
def test_all_lines_of_a_sample_are_rewritten_by_columns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Rewriter, line: Line) -> str:
        raise AssertionError(line)

    monkeypatch.setattr(Rewriter, "line", refuse)
    times = Rewriter().rewrite(path.read_bytes()).times
    assert (times != NO_EVENT).sum() == sum("[00" in line for line in path.read_text().splitlines())


@pytest.mark.parametrize("parser", [perf_parser(), ftrace_parser()], ids=["perf", "ftrace"])
def test_places_read_once_say_what_whole_lines_say(parser: Parser) -> None:
    """Parts of lines in any order: a comm may hold what looks like a place."""
    draw, known = Random(1), 0
    parts = [
        " ",
        "  ",
        "a",
        "b-5",
        "-7",
        "7/8",
        " 71 ",
        "[000]",
        "[001] ",
        "]",
        "(  70) ",
        "d..1. ",
        "fmt: ",
        "5.000001: ",
        "s:e: ",
    ]
    for _ in range(20_000):
        text = "".join(draw.choices(parts, k=draw.randint(3, 12)))
        text += draw.choice(
            ["", " 5.000002: s:wake: x", "-9 [001] d..1. 5.000002: wake: x", " 7/8 [001] 5.000002: s:wake: x"]
        )
        match = parser.whole.match(text)
        line = parser.parse(text)
        assert (line is None) == (match is None), text
        if line is not None and match is not None:
            known += 1
            assert (line.comm, line.fields) == (match["comm"], text[match.end() :]), text
            assert (line.tid, line.cpu) == (int(match["tid"]), int(match["cpu"])), text
    assert known > 1000


def test_what_a_recorder_lost_is_said(tmp_path: Path) -> None:
    report = imported(f"{ONE_LINE}CPU:1 [LOST 1234 EVENTS]\nCPU:0 [6 EVENTS DROPPED]\n", tmp_path).report
    assert report.without_event == {"lost events": 2}
    assert any(note == "1,240 events lost by the recorder, as the file says" for note in report.notes)


def test_unknown_tracepoints_are_named(tmp_path: Path) -> None:
    text = ONE_LINE + ONE_LINE.replace("sched_waking", "hrtimer_start").replace("000001", "000002")
    assert imported(text, tmp_path).report.unknown == {"hrtimer_start": 1}


def test_unreadable_lines_are_counted_with_their_number(tmp_path: Path) -> None:
    lines = [ONE_LINE] * 300
    lines[120] = ONE_LINE.replace("pid=71", "pid=x")
    lines[70] = "not a line of a trace\n"
    report = imported("# tracer: nop\n" + "".join(lines), tmp_path).report
    assert (report.unknown, report.first_unreadable_line) == ({"unreadable line": 2}, 72)
    assert "2 lines unreadable, the first is line 72" in report.notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "# tracer: nop\n" + ONE_LINE + ONE_LINE.replace("5.0", "4.0"),
            r"t.txt:3: time runs backward on CPU 0: 4.0000",
        ),
        (
            "# tracer: nop\nwhat\n",
            r"t.txt:2: 1 of 2 lines cannot be read, this one first: 'what'; expected the `trace`",
        ),
        ("# tracer: nop\n", r"t.txt:1: the file has no event"),
        (
            " CPU 0/KVM-7     [000] d..1.   1.000002: kvm_exit: vcpu 0 reason cpuid rip 0x1\n",
            r"the file has no event; it has 1 exits of guests, which `vmmsim import kvm` reads",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.txt").write_text(text)
    with pytest.raises(StreamError, match=message):
        import_ftrace(tmp_path / "t.txt")
