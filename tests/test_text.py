"""Text from any file: packed or not, cut or whole, in blocks of whole lines."""

from __future__ import annotations

import gzip
import itertools
import lzma
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import StreamError
from simulator.workload.importers import text
from simulator.workload.importers.text import read_blocks, read_lines, whole_lines

Pack = Callable[[bytes], bytes]
PACKS: dict[str, Pack] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "xz": lzma.compress,
    "zstd": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}
LINES = "".join(f"line {number} of some text\n" for number in range(20_000)).encode()

each_packing = pytest.mark.parametrize("name", PACKS)


@each_packing
@pytest.mark.parametrize("parts", [1, 2])
def test_packed_files_are_known_by_their_content(name: str, parts: int, tmp_path: Path) -> None:
    """An archive may be several, one after the other."""
    file = tmp_path / "recording.txt"
    half = len(LINES) // parts
    file.write_bytes(b"".join(PACKS[name](LINES[at : at + half]) for at in range(0, len(LINES), half)))
    assert b"".join(read_blocks(file)) == LINES


def test_the_content_counts_not_the_name(tmp_path: Path) -> None:
    file = tmp_path / "recording.gz"
    file.write_bytes(PACKS["zstd"](LINES))
    assert b"".join(read_blocks(file)) == LINES


@each_packing
def test_truncated_archives_name_the_line_reached(name: str, tmp_path: Path) -> None:
    file, data = tmp_path / "cut.txt", PACKS[name](LINES)
    for cut in (len(data) - 1, len(data) - 9, len(data) // 2, 7):
        file.write_bytes(data[:cut])
        with pytest.raises(StreamError, match=rf"cut\.txt:\d+: the {name} data are truncated or corrupt"):
            list(read_blocks(file))


@each_packing
def test_a_flipped_bit_is_found_where_there_is_a_checksum(name: str, tmp_path: Path) -> None:
    """A flip in the first bytes makes it look like text; zstd has a checksum only if it was asked for."""
    file, data, draw = tmp_path / "flipped", PACKS[name](LINES[:5000]), random.Random(1)
    for _ in range(200):
        damaged = bytearray(data)
        damaged[draw.randrange(6, len(data))] ^= 1 << draw.randrange(8)
        file.write_bytes(damaged)
        try:
            read = b"".join(read_blocks(file, open_end=True))
        except StreamError as error:
            assert f"the {name} data are truncated or corrupt" in str(error)
        else:
            assert name == "zstd" or read.startswith(LINES[:5000])


def test_a_name_that_promises_an_archive_is_believed(tmp_path: Path) -> None:
    file = tmp_path / "recording.xz"
    file.write_bytes(b"plain text\n")
    with pytest.raises(StreamError, match=r"recording\.xz:1: the xz data are truncated or corrupt"):
        list(read_blocks(file))


@settings(deadline=None)
@given(data=st.text(alphabet="ab\r\n", max_size=60), cuts=st.lists(st.integers(1, 9), min_size=1))
def test_blocks_are_whole_lines_however_the_bytes_arrive(data: str, cuts: list[int]) -> None:
    raw = data.encode()
    ends = list(itertools.accumulate(itertools.islice(itertools.cycle(cuts), len(raw)), initial=0))
    chunks = [raw[begin:end] for begin, end in itertools.pairwise(ends)]
    blocks = list(whole_lines(chunks, "pipe", open_end=True))
    assert all(block.endswith(b"\n") for block in blocks)
    if raw.endswith(b"\n") or not raw:
        assert b"".join(blocks) == raw.replace(b"\r\n", b"\n")
        assert list(whole_lines(chunks, "pipe")) == blocks
    else:
        assert b"".join(blocks) == (raw + b"\n").replace(b"\r\n", b"\n")
        line = data.count("\n") + 1
        with pytest.raises(StreamError, match=f"pipe:{line}: the file is cut in the middle"):
            list(whole_lines(chunks, "pipe"))


def test_a_line_without_end_is_refused_before_memory_is_full(tmp_path: Path) -> None:
    file = tmp_path / "zeros.txt"
    file.write_bytes(b"one\n" + bytes(text.LINE_BYTES * 3) + b"\n")
    with pytest.raises(StreamError, match=r"zeros\.txt:2: a line longer than 1,048,576 bytes"):
        list(read_blocks(file))


def test_lines_are_decoded_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_bytes(b"caf\xc3\xa9\r\n\xff\n\nlast")
    assert list(itertools.chain(*read_lines(file, open_end=True))) == ["café", "\\xff", "", "last"]


def test_progress_is_in_bytes_on_disk(tmp_path: Path) -> None:
    file = tmp_path / "lines.txt.gz"
    file.write_bytes(gzip.compress(LINES * 3))
    seen: list[tuple[int, int]] = []
    for _ in read_blocks(file, lambda *numbers: seen.append(numbers)):
        pass
    assert seen[-1] == (file.stat().st_size,) * 2
    assert seen == sorted(seen)
