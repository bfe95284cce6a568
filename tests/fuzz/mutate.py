"""Damages a recording at random, as disks, editors, other tools and other versions of a tool would."""

from __future__ import annotations

import gzip
import lzma
import re
from collections.abc import Callable
from random import Random

import pyarrow as pa

LINES = (5, 40, 250)
NUMBER = re.compile(rb"\d+")
ODD_NUMBERS = (
    *(b"", b"0", b"-1", b"1e9", b"0x", b"0x10", b"1_0", b"007", b"NaN", b"inf", b" ", b"\xc2\xb2"),
    *(str(2**bits + more).encode() for bits in (8, 15, 16, 31, 32, 62, 63, 64, 128) for more in (-1, 0)),
)
ODD_BYTES = (b"\0", b"\xff", b"\r", b"\n", b"\r\n", b"\t", b" ", b":", b"=", b",", b'"', b"[", b"(", b"\xc3\xa9")

PACKS: tuple[Callable[[bytes], bytes], ...] = (
    lambda data: gzip.compress(data, 1, mtime=0),
    lambda data: lzma.compress(data, preset=0),
    lambda data: bytes(pa.compress(data, codec="zstd", asbytes=True)),
)


def case(sample: bytes, draw: Random) -> bytes:
    """Return some lines of a sample, damaged once or several times, and perhaps packed and damaged again."""
    lines = sample.splitlines(keepends=True)
    first = draw.choice((0, draw.randrange(len(lines))))
    part = lines[first : first + draw.randint(1, draw.choice(LINES))]
    for _ in range(draw.choice((0, 1, 1, 1, 2, 3, 10))):
        if part:
            draw.choice(LINE_DAMAGES)(part, draw)
    data = b"".join(part)
    if draw.random() < 0.3:
        data = draw.choice(BYTE_DAMAGES)(data, draw)
    if draw.random() < 0.15:
        data = draw.choice(PACKS)(data)
        if draw.random() < 0.7:
            data = draw.choice(BYTE_DAMAGES)(data, draw)
    return data


# Damages of lines.


def _cut(lines: list[bytes], draw: Random) -> None:
    at = draw.randrange(len(lines))
    lines[at] = lines[at][: draw.randrange(len(lines[at]) + 1)].rstrip(b"\n") + b"\n"


def _drop(lines: list[bytes], draw: Random) -> None:
    del lines[draw.randrange(len(lines))]


def _repeat(lines: list[bytes], draw: Random) -> None:
    at = draw.randrange(len(lines))
    lines[at:at] = [lines[at]] * draw.randint(1, 3)


def _move(lines: list[bytes], draw: Random) -> None:
    lines.insert(draw.randrange(len(lines)), lines.pop(draw.randrange(len(lines))))


def _swap_fields(lines: list[bytes], draw: Random) -> None:
    at = draw.randrange(len(lines))
    parts = re.split(rb"( +)", lines[at])
    one, other = draw.randrange(len(parts)), draw.randrange(len(parts))
    parts[one], parts[other] = parts[other], parts[one]
    lines[at] = b"".join(parts)


def _borrow_field(lines: list[bytes], draw: Random) -> None:
    at = draw.randrange(len(lines))
    parts = re.split(rb"( +)", lines[at])
    parts[draw.randrange(len(parts))] = draw.choice(draw.choice(lines).split(b" "))
    lines[at] = b"".join(parts)


def _number(lines: list[bytes], draw: Random) -> None:
    at = draw.randrange(len(lines))
    found = list(NUMBER.finditer(lines[at]))
    if found:
        begin, end = draw.choice(found).span()
        lines[at] = lines[at][:begin] + draw.choice(ODD_NUMBERS) + lines[at][end:]


def _digit(lines: list[bytes], draw: Random) -> None:
    at = draw.randrange(len(lines))
    places = [place for place, byte in enumerate(lines[at]) if chr(byte).isdigit()]
    if places:
        place = draw.choice(places)
        lines[at] = lines[at][:place] + str(draw.randrange(10)).encode() + lines[at][place + 1 :]


def _insert(lines: list[bytes], draw: Random) -> None:
    at = draw.randrange(len(lines))
    place = draw.randrange(len(lines[at]) + 1)
    lines[at] = lines[at][:place] + draw.choice(ODD_BYTES) * draw.choice((1, 1, 3, 200)) + lines[at][place:]


def _blank(lines: list[bytes], draw: Random) -> None:
    lines.insert(draw.randrange(len(lines) + 1), draw.choice((b"\n", b"# a comment\n", b"   \n", b"\r\n", b"lost 5\n")))


# Damages of bytes.


def _flip(data: bytes, draw: Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(draw.choice((1, 1, 5))):
        if damaged:
            damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
    return bytes(damaged)


def _truncate(data: bytes, draw: Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _hole(data: bytes, draw: Random) -> bytes:
    begin = draw.randrange(len(data) + 1)
    return data[:begin] + data[begin + draw.randrange(200) :]


def _zeros(data: bytes, draw: Random) -> bytes:
    begin = draw.randrange(len(data) + 1)
    size = min(draw.randrange(200), len(data) - begin)
    return data[:begin] + bytes(size) + data[begin + size :]


def _dos(data: bytes, _draw: Random) -> bytes:
    return data.replace(b"\n", b"\r\n")


LINE_DAMAGES = (_cut, _drop, _repeat, _move, _swap_fields, _borrow_field, _number, _number, _digit, _insert, _blank)
BYTE_DAMAGES = (_flip, _flip, _truncate, _hole, _zeros, _dos)
