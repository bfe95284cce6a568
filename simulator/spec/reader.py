"""YAML text to a tree of nodes: files, text and lines as YAML 1.2 has them, and PyYAML's complaints in plain words."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import yaml

from simulator.errors import Fault, SpecError
from simulator.spec.composer import CONTROL, Composer, character
from simulator.spec.node import Mark, Node, described, in_order

MAX_BYTES = 8 * 2**20

_CONTROLS_NAMED = 20
_ONCE_BREAKS = ("\x85", "\u2028", "\u2029")
_ORDINARY = "\xa0"


class _Loader(yaml.SafeLoader):
    """Reads line breaks as YAML 1.2 has them: LF, CR or both. Those that only YAML 1.1 has are text like any other."""

    def peek(self, index: int = 0) -> str:
        """Return the next character, by which it is decided what follows: none of those that are no breaks any more."""
        char: str = super().peek(index)
        return _ORDINARY if char in _ONCE_BREAKS else char

    def forward(self, length: int = 1) -> None:
        """Go on, and count lines."""
        for _ in range(length):
            once_a_break = super().peek() in _ONCE_BREAKS
            line, column = self.line, self.column
            super().forward()
            if once_a_break:
                self.line, self.column = line, column + 1


def parse(text: str, file: str) -> Node:
    """Read a document whose top level is a mapping; ``file`` is the name for its marks.

    Raises:
        SpecError: with every fault found, in the order of the text.
    """
    node = parse_value(text, file)
    if node is None or (node.value is None and not node.source):
        raise SpecError([Mark(file, 1, 1).fault((), "the document is empty: expected a mapping (key: value)")])
    if not isinstance(node.value, dict):
        message = f"expected a mapping (key: value) at the top level, found {described(node)}"
        raise SpecError([node.mark.fault((), message)])
    return node


def parse_value(text: str, file: str) -> Node | None:
    """Read a document of any shape; None where it has no content at all.

    Raises:
        SpecError: with every fault found, in the order of the text.
    """
    _refuse_controls(text, file)
    composer = Composer(file)
    loader = (_Loader if any(char in text for char in _ONCE_BREAKS) else yaml.SafeLoader)(text)
    try:
        while loader.check_event():
            composer.feed(loader.get_event())  # type: ignore[no-untyped-call]
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark or loader.get_mark()
        raise composer.stop(composer.mark(place), _tidied(error)) from None
    except SpecError:
        raise
    except (ValueError, OverflowError):  # PyYAML lets these through for escapes and versions out of range
        message = "this is not YAML: a number in an escape or a directive is out of range"
        raise composer.stop(composer.mark(loader.get_mark()), message) from None
    finally:
        loader.dispose()
    if composer.faults:
        raise SpecError(in_order(composer.faults), composer.root)
    return composer.root


def load(path: Path, shown_as: str | None = None) -> Node:
    """Read the document in a file; ``shown_as`` is the name for its marks, instead of the path.

    Raises:
        SpecError: the file cannot be read, is larger than 8 MiB, is not UTF-8, or has faults in it.
    """
    file = str(path) if shown_as is None else shown_as
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(file, "there is no such file") from None
    except IsADirectoryError:
        raise _unreadable(file, "expected a file, found a directory") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _unreadable(file, f"the file cannot be read: {reason}") from None
    if len(raw) > MAX_BYTES:
        raise _unreadable(file, f"expected a file of at most {MAX_BYTES // 2**20} MiB; it is larger")
    return parse(_decoded(raw, file), file)


def _unreadable(file: str, message: str) -> SpecError:
    return SpecError([Fault(file, 0, 0, "", message)])


def _decoded(raw: bytes, file: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        mark = _mark_after(raw[: error.start].decode("utf-8"), file)
        message = f"expected UTF-8 text, found the byte 0x{raw[error.start]:02X}"
        raise SpecError([mark.fault((), message)]) from None


def _mark_after(text: str, file: str) -> Mark:
    """Return the place that follows ``text`` in a file that begins with it."""
    lines = re.split(r"\r\n|[\n\r]", text)
    return Mark(file, len(lines), len(lines[-1].replace("\ufeff", "")) + 1)


def _refuse_controls(text: str, file: str) -> None:
    found = itertools.islice(CONTROL.finditer(text), _CONTROLS_NAMED)
    faults = [
        _mark_after(text[: match.start()], file).fault((), f"{character(match.group())} is not allowed")
        for match in found
    ]
    if faults:
        raise SpecError(faults)


_TIDY = (
    (r"found character '\\t' that cannot start any token", "a tab cannot stand here: indent with spaces"),
    (r"found character '(.+)' that cannot start any token", r"a value cannot start with \1: put it in quotes"),
    (r"mapping values are not allowed here", "a ':' cannot stand here: put text that holds ': ' in quotes"),
    (r"could not find expected ':'", "expected 'key: value', found no ':'"),
    (r"'?<stream end>'?|'\\x00'|unexpected end of stream", "the end of the text"),
    (r"'?<block end>'?", "the end of the block"),
    (r"'<block mapping start>'", "a mapping"),
    (r"'<block sequence start>'", "a list"),
    (r"'<scalar>'", "text"),
    (r"(the end of the block, but found) '\?'", r"\1 a key: is the indentation right?"),
)


def _tidied(error: yaml.MarkedYAMLError) -> str:
    """Return PyYAML's complaint on one line and in plain words."""
    problem = error.problem or "it cannot be read"
    for pattern, words in _TIDY:
        problem = re.sub(pattern, words, problem)
    if error.context and error.context_mark:
        problem = f"{problem} ({error.context} that starts at line {error.context_mark.line + 1})"
    return "this is not YAML: " + " ".join(problem.split())
