"""Lines that an importer cannot read: how many, which was the first, and when they are too many."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from simulator.errors import StreamError
from simulator.workload.importers.guess import looks_like

UNREADABLE = "unreadable line"
"""What a report counts them as, among what is unknown."""
_REFUSED_SHARE = 100
_TEXT_SHOWN = 80


@dataclass(slots=True)
class Unreadable:
    """How many lines of a file could not be read, and the first of them: its number from 1, and its text."""

    lines: int = 0
    first: int | None = None
    text: str = ""

    def add(self, number: int, text: str) -> None:
        """Count a line; lines come in their order."""
        self.lines += 1
        if self.first is None:
            self.first, self.text = number, text

    def refuse(self, path: Path, lines: int, expected: str, remark: str = "") -> None:
        """Refuse a file of which more than one line in a hundred cannot be read: its gaps and counts would mislead.

        ``lines`` is how many there are in all, ``expected`` what they should be, and ``remark`` what is odd about the
        first that is not; without one, the message says what that seems to be.

        Raises:
            StreamError: it is such a file.
        """
        if self.lines * _REFUSED_SHARE > lines:
            raise StreamError(
                f"{path}:{self.first}: {self.lines:,} of {lines:,} lines cannot be read, this one first: "
                f"{self.text.strip()[:_TEXT_SHOWN]!r}{remark}; expected {expected}"
                f"{'' if remark else looks_like(self.text)}"
            )

    def counted(self) -> dict[str, int]:
        """Return the lines as a report counts them, if there are any."""
        return {UNREADABLE: self.lines} if self.lines else {}

    def notes(self) -> tuple[str, ...]:
        """Return what a report says of them, if there are any."""
        return (f"{self.lines} lines unreadable, the first is line {self.first}",) if self.lines else ()
