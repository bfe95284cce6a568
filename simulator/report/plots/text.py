"""Text in plots: how wide it is in print, and how a name is made to fit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from simulator.report.plots.style import FONT, POINTS


@lru_cache(maxsize=4096)
def inches(text: str) -> float:
    """Return how wide a line of text is in the plots' font and size."""
    font = FontProperties(family=FONT, size=POINTS)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72


def widest(texts: Iterable[str]) -> float:
    """Return how wide the widest line of some texts is, 0 if there are none."""
    return max((inches(line) for text in texts for line in text.split("\n")), default=0.0)


def lines(texts: Iterable[str]) -> int:
    """Return how many lines the tallest of some texts has."""
    return max(text.count("\n") for text in texts) + 1


def wrap(text: str, room: float) -> str:
    """Break a name after its separators into at most three lines that fit into so many inches.

    What is longer still gets an ellipsis.

    >>> wrap("compile-2files-j2", 0.5)
    'compile-\\n2files-j2'
    """
    broken = [""]
    for piece in re.findall(r"[^-_/,=. ]+[-_/,=. ]*|[-_/,=. ]+", text):
        if broken[-1] and inches(broken[-1] + piece.rstrip()) > room:
            broken.append("")
        broken[-1] += piece
    broken[2:] = ["".join(broken[2:])] if len(broken) > 2 else []
    return "\n".join(shortened(line.rstrip(), room) for line in broken)


def shortened(text: str, room: float) -> str:
    """Return a line that fits: what is too long loses its middle, for the ends of names tell them apart."""
    if inches(text) <= room:
        return text
    for kept in range(len(text) - 1, 1, -1):
        short = f"{text[: (kept + 1) // 2]}…{text[-(kept // 2) :]}"
        if inches(short) <= room:
            return short
    return "…"


def typographic(text: str) -> str:
    """Return a number with a true minus sign, as the ticks have it."""
    return text.replace("-", "\N{MINUS SIGN}")


def listed(names: Iterable[str], most: int = 6) -> str:
    """Return names for a sentence, no more than ``most`` of them.

    >>> listed("abcdef"), listed("abcdefgh")
    ('a, b, c, d, e, f', 'a, b, c, d, e, f and 2 more')
    """
    every = list(names)
    rest = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + rest
