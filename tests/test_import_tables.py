"""CSV and JSON lines: a stream that goes out and comes back is the same; what is wrong is said by file and line."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import K, stream

from simulator.errors import StreamError
from simulator.spec.build import load_workload
from simulator.spec.library import root
from simulator.stream import COLUMNS, EventStream, Header, ParquetStream, content_hash
from simulator.workload.exporters.synthetic import Synthetic
from simulator.workload.exporters.table import export_csv, export_jsonl
from simulator.workload.importers.csv_rows import import_csv
from simulator.workload.importers.formats import Importer
from simulator.workload.importers.jsonl import import_jsonl

Export = Callable[[EventStream, Path], int]
FORMATS: list[tuple[str, Export, Importer]] = [
    ("csv", export_csv, import_csv),
    ("csv.gz", export_csv, import_csv),
    ("jsonl", export_jsonl, import_jsonl),
]
RECORDINGS = sorted((root() / "workloads" / "recorded").glob("*.parquet"))
HEADER = "vcpu,kind,count,user_ns\n"


@pytest.fixture(params=FORMATS, ids=lambda form: form[0])
def form(request: pytest.FixtureRequest) -> tuple[str, Export, Importer]:
    found: tuple[str, Export, Importer] = request.param
    return found


def there_and_back(events: EventStream, form: tuple[str, Export, Importer], folder: Path) -> ParquetStream:
    suffix, export, importer = form
    rows = export(events, folder / f"rows.{suffix}")
    header, report = importer(folder / f"rows.{suffix}", folder / "back.parquet")
    assert report.with_event == {"row": rows}
    back = ParquetStream.open(folder / "back.parquet")
    assert back.header == header
    return back


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recording_comes_back_whole(path: Path, form: tuple[str, Export, Importer], tmp_path: Path) -> None:
    recording = ParquetStream.open(path)
    back = there_and_back(recording, form, tmp_path)
    assert content_hash(back) == content_hash(recording)
    added = f"imported_{form[0].split('.')[0]}"
    kept = {key: value for key, value in back.header.provenance.items() if key != added}
    assert replace(back.header, provenance=kept) == recording.header
    assert back.header.provenance[added]["rows"] == recording.rows


CELLS = {column.name: st.integers(column.least, 2**31 if "64" in column.dtype else 100) for column in COLUMNS}
CELLS |= {"kind": st.sampled_from(sorted(K.values())), "device": st.integers(-1, 2)}
ROWS = st.lists(st.fixed_dictionaries({"kind": CELLS.pop("kind")}, optional=CELLS), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ROWS, min_size=1, max_size=3), st.lists(st.integers(0, 12), max_size=2))
def test_any_stream_comes_back(
    form: tuple[str, Export, Importer], tmp_path: Path, vcpus: list[list[dict[str, int]]], cuts: list[int]
) -> None:
    events = stream(*vcpus, devices=['a "disk", old', "b", "ü"], cuts=cuts)
    assert content_hash(there_and_back(events, form, tmp_path)) == content_hash(events)


def test_a_synthetic_workload_comes_back_as_the_same_workload(tmp_path: Path) -> None:
    """Nothing is taken off its gaps when it is imported, as it would be off those of a recording."""
    events = stream([{"kind": K["syscall"], "user_ns": 5}, {"kind": K["syscall"], "user_ns": 1}])
    back = there_and_back(Synthetic.of(events), FORMATS[0], tmp_path)
    _, workload, _ = load_workload(back.path)
    assert workload.clipping.gaps == 0
    assert [batch.column("user_ns").tolist() for batch in workload.stream.batches(0)] == [[5, 1]]


def written(text: str, importer: Importer, folder: Path, name: str) -> tuple[ParquetStream, Header]:
    (folder / name).write_text(text)
    header, _ = importer(folder / name, folder / "out.parquet")
    return ParquetStream.open(folder / "out.parquet"), header


def test_rows_of_ones_own(tmp_path: Path) -> None:
    """Few columns, no header of a stream, virtual CPUs that alternate, cells left out."""
    text = "# made by hand\nkind,vcpu,number,device,count\nsyscall,1,39,,\nport_in,0,96,keyboard,2\nsyscall,1,,,3\n"
    csv, header = written(text, import_csv, tmp_path, "mine.csv")
    lines = (
        '{"kind": "syscall", "vcpu": 1, "number": 39}\n{"kind": "port_in", "number": 96, "device": "keyboard", "count": 2}\n'
        '{"count": 3, "kind": "syscall", "vcpu": 1, "number": null}'
    )
    jsonl, _ = written(lines, import_jsonl, tmp_path, "mine.jsonl")
    expected = stream(
        [{"kind": K["port_in"], "number": 96, "device": 0, "count": 2}],
        [{"kind": K["syscall"], "number": 39}, {"kind": K["syscall"], "count": 3}],
        devices=["keyboard"],
    )
    assert content_hash(csv) == content_hash(jsonl) == content_hash(expected)
    assert (header.title, header.vcpus, header.devices) == ("mine", 2, ("keyboard",))
    assert header.provenance["host_costs"] == "recording-host/none"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"t:1: the file has no row"),
        (HEADER, r"t:1: the file has no row"),
        (
            "vcpu,kimd\n0,syscall\n",
            r"t:1: unknown column 'kimd' \(did you mean 'kind'\?\); expected columns of vcpu, kind",
        ),
        ("vcpu,count\n0,1\n", r"t:1: expected a column 'kind', found vcpu, count"),
        ("kind,kind\n", r"t:1: the column 'kind' stands twice"),
        (
            HEADER + "0,syscall,1,5\n0,sycall,1,5\n",
            r"t:3: column 'kind': .* found 'sycall' \(did you mean 'syscall'\?\)",
        ),
        (HEADER + "0,syscall,1,5\n0,,1,5\n", r"t:3: column 'kind': expected an event kind, found nothing"),
        (HEADER + "0,syscall,1,5\n0,syscall,1\n", r"t:3: expected 4 cells \(vcpu, kind, count, user_ns\), found 3"),
        (HEADER + "0,syscall,1,5\n\n0,syscall,1,5\n", r"t:3: column 'kind': expected an event kind, found nothing"),
        (HEADER + "0,syscall,1,5\n0,syscall,1,5.5\n", r"t:3: column 'user_ns': expected a whole number, found '5.5'"),
        (
            HEADER + "0,syscall, 07 ,0x1F\n0,syscall,1,0x\n",
            r"t:3: column 'user_ns': expected a whole number, found '0x'",
        ),
        (HEADER + "0,syscall,1,99999999999999999999\n", r"t:2: column 'user_ns': expected a whole number"),
        (HEADER + "0,syscall,1,5\n0,syscall,0,5\n", r"t:3: column 'count': expected 1 or more \(how many events"),
        (
            HEADER + "0,syscall,1,5\n-1,syscall,1,5\n",
            r"t:3: column 'vcpu': expected 0 to 4,095 \(a virtual CPU\), found -1",
        ),
        (HEADER + '0,"syscall,1,5\n0,syscall,1,5\n', r"t:2: expected comma-separated cells"),
        ("# vmmsim {}\n" + HEADER, r"t:1: expected the header of a stream as `vmmsim export` writes it"),
    ],
)
def test_what_is_wrong_in_csv_is_said(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t").write_text(text)
    with pytest.raises(StreamError, match=message):
        import_csv(tmp_path / "t", tmp_path / "out.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


GOOD = '{"kind": "syscall"}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"t:1: the file has no row"),
        (GOOD + "{]\n", r"t:2: expected a JSON object .*found '\{\]'"),
        (GOOD + "[1]\n", r"t:2: expected a JSON object, found '\[1\]'"),
        (GOOD + "\n" + GOOD, r"t:2: expected a JSON object"),
        (GOOD + GOOD.strip() + GOOD, r"t:2: expected a JSON object"),
        (GOOD + '{"kind": "syscall", "pages": 1}\n', r"t:2: unknown column 'pages' \(did you mean 'page'\?\)"),
        (GOOD + '{"kind": 3}\n', r"t:2: column 'kind': expected a name, found '3'"),
        (GOOD + '{"kind": "syscall", "count": "3"}\n', r"t:2: column 'count': expected a whole number, found '3'"),
        (GOOD + '{"kind": "syscall", "count": 1.5}\n', r"t:2: column 'count': expected a whole number, found 1.5"),
        (GOOD + '{"count": 3}\n', r"t:2: column 'kind': expected an event kind, found nothing"),
        ('{"count": 3}\n', r"t:1: expected a 'kind' in every row, found none"),
        ('{"vmmsim": 3}\n', r"t:1: expected the header of a stream"),
        ('{"vmmsim":{},"vmmsim":1}\n', r"t:1: expected the header of a stream"),
        (GOOD + '{"kind": "sys\udcffcall"}\n', r"t:2: expected text in UTF-8, found the byte 0xff"),
        ('{"vmmsim": {"title":\n', r"t:1: expected the header of a stream as JSON"),
    ],
)
def test_what_is_wrong_in_json_lines_is_said(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(StreamError, match=message):
        import_jsonl(tmp_path / "t", tmp_path / "out.parquet")


@pytest.mark.parametrize("importer", [import_csv, import_jsonl])
def test_lines_are_counted_across_blocks(tmp_path: Path, importer: Importer) -> None:
    """A fault far into a file that is read in many blocks is told by its line."""
    row, bad = ("0,syscall,1,5\n", "0,syscall,1,x\n") if importer is import_csv else (GOOD, '{"kind": "x"}\n')
    head = HEADER if importer is import_csv else ""
    text = head + row * 60_000 + bad
    (tmp_path / "t.gz").write_bytes(gzip.compress(text.encode()))
    with pytest.raises(StreamError, match=rf"t.gz:{text.count(chr(10))}: column"):
        importer(tmp_path / "t.gz", tmp_path / "out.parquet")


def test_a_header_bounds_its_virtual_cpus(tmp_path: Path) -> None:
    events = stream([{"kind": K["syscall"]}])
    export_csv(events, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open("a") as file:
        file.write("1,syscall\n")
    with pytest.raises(
        StreamError, match=r"t.csv:4: column 'vcpu': expected 0 to 0 \(a virtual CPU that the header has\)"
    ):
        import_csv(tmp_path / "t.csv", tmp_path / "out.parquet")
    export_csv(replace(events, header=replace(events.header, vcpus=1)), tmp_path / "t.csv")
    text = (tmp_path / "t.csv").read_text().replace('"vcpus": 1', '"vcpus": 1000000000')
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(StreamError, match=r"t.csv:1: expected 1 to 4,096 vcpus, found 1000000000"):
        import_csv(tmp_path / "t.csv", tmp_path / "out.parquet")


def test_a_device_that_csv_cannot_hold_is_refused(tmp_path: Path) -> None:
    events = stream([{"kind": K["interrupt"], "device": 0}], devices=["a\nb"])
    with pytest.raises(StreamError, match="cannot be written as CSV"):
        export_csv(events, tmp_path / "t.csv")
    assert content_hash(there_and_back(events, FORMATS[2], tmp_path)) == content_hash(events)
