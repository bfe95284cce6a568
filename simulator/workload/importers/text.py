"""Recordings that are text: opened plain or compressed, and read by blocks of whole lines, whatever their size.

A file may be packed with gzip, xz or zstd: its first bytes tell, whatever its name. Memory does not grow with the file:
a block holds about ``BLOCK_BYTES``, and a line that is longer than ``LINE_BYTES`` is refused.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from simulator.errors import StreamError

BLOCK_BYTES = 1 << 20
LINE_BYTES = 1 << 20
_HASHED_BYTES = 1 << 23  # at once: a thread that hashes takes the interpreter's lock back after each part

Progress = Callable[[int, int], None]
"""Is told the bytes of the file read so far, as they are on disk, and all of them."""


@dataclass(frozen=True, slots=True)
class Packing:
    """One way of packing: its name, the first bytes and the suffix by which it is known, and what unpacks it."""

    name: str
    magic: bytes
    suffix: str
    unpack: Callable[[BinaryIO], BinaryIO]


def _gzip(file: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=file))


def _xz(file: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, lzma.LZMAFile(file))


def _zstd(file: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, pa.input_stream(file, compression="zstd"))


PACKINGS = (
    Packing("gzip", b"\x1f\x8b", ".gz", _gzip),
    Packing("xz", b"\xfd7zXZ\0", ".xz", _xz),
    Packing("zstd", b"\x28\xb5\x2f\xfd", ".zst", _zstd),
)
_DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError)


def read_blocks(path: Path, progress: Progress | None = None, open_end: bool = False) -> Iterator[bytes]:
    r"""Give a file's text in blocks of whole lines, each line ended by ``\n`` (where the file has ``\r\n``, too).

    The last line needs its newline, as a file that was cut has none, unless ``open_end``.

    Raises:
        StreamError: no such file; packed data that end early or are corrupt; a line longer than ``LINE_BYTES``; a last
            line without its newline. The message names file and line.
    """
    if not path.is_file():
        raise StreamError(f"{path}: no such file")
    total = path.stat().st_size
    with path.open("rb") as file:
        for block in whole_lines(_chunks(file, path), str(path), open_end):
            yield block
            if progress is not None:
                progress(file.tell(), total)


def read_lines(path: Path, progress: Progress | None = None, open_end: bool = False) -> Iterator[list[str]]:
    """Give a file's lines without their newlines, some thousands at a time; bytes that are no UTF-8 are escaped.

    Raises:
        StreamError: as ``read_blocks``.
    """
    for block in read_blocks(path, progress, open_end):
        yield lines_of(block)


def lines_of(block: bytes) -> list[str]:
    """Return the lines of a block without their newlines; bytes that are no UTF-8 are escaped."""
    return block[:-1].decode("utf-8", errors="backslashreplace").split("\n")


def whole_lines(chunks: Iterable[bytes], where: str, open_end: bool = False) -> Iterator[bytes]:
    """Cut bytes that arrive in any pieces into blocks of whole lines, as ``read_blocks`` gives them.

    Raises:
        StreamError: a line longer than ``LINE_BYTES``; a last line without its newline; what ``chunks`` raised as
            ``DamagedError``. The message begins with ``where`` and the line's number.
    """
    lines = 0
    rest = b""
    try:
        for chunk in chunks:
            end = chunk.rfind(b"\n") + 1
            if end:
                block = b"".join((rest, memoryview(chunk)[:end]))  # copied once
                lines += block.count(b"\n")
                yield block.replace(b"\r\n", b"\n") if b"\r" in block else block
                rest = chunk[end:]
            else:
                rest += chunk
            if len(rest) > LINE_BYTES:
                raise DamagedError(f"a line longer than {LINE_BYTES:,} bytes; expected lines of text")
        if rest and not open_end:
            raise DamagedError("the file is cut in the middle of a line (the last line has no newline)")
    except DamagedError as damage:
        raise StreamError(f"{where}:{lines + 1}: {damage}") from damage.__cause__
    if rest:
        yield (rest + b"\n").replace(b"\r\n", b"\n")


class DamagedError(Exception):
    """The bytes of a file end early or are not what they should be; ``whole_lines`` says where."""


def _chunks(file: BinaryIO, path: Path) -> Iterator[bytes]:
    packing = _packing(file, path)
    source = packing.unpack(file) if packing else file
    while True:
        try:
            data = source.read(BLOCK_BYTES)
        except _DAMAGED as error:
            if packing is None:
                raise
            raise DamagedError(f"the {packing.name} data are truncated or corrupt ({error})") from error
        if not data:
            return
        yield data


def _packing(file: BinaryIO, path: Path) -> Packing | None:
    """Tell by its first bytes what a file is packed with; only where they are none of the known, by its name."""
    head = file.read(max(len(packing.magic) for packing in PACKINGS))
    file.seek(0)
    by_content = (packing for packing in PACKINGS if head.startswith(packing.magic))
    by_name = (packing for packing in PACKINGS if path.suffix == packing.suffix)
    return next(by_content, None) or next(by_name, None)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as they are on disk."""
    digest, part = hashlib.sha256(), memoryview(bytearray(_HASHED_BYTES))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(part):
            digest.update(part[:count])
    return digest.hexdigest()
