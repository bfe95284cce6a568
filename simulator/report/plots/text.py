"""Text in plots: how wide it is in print, and how a name is made to fit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from simulator.report.plots.style import FONT, POINTS

_MOST_LINES = 8  # of a name


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
    """Break a name into lines that fit into so many inches, after the separators of its parts if that is enough.

    A part that is too long by itself is broken after hyphens, underscores and dots, and in the middle of a word if need
    be. Of a name that takes more than eight lines the last one loses its middle.

    >>> wrap("compile-2files-j2", 0.5), wrap("hardware-vmm: vm_exit", 0.9)
    ('compile-\\n2files-j2', 'hardware-vmm:\\nvm_exit')
    """
    broken = [""]
    for piece in _pieces(text, room):
        if broken[-1] and inches((broken[-1] + piece).rstrip()) > room:
            broken.append("")
        broken[-1] += piece
    if len(broken) > _MOST_LINES:
        whole, rest = broken[: _MOST_LINES - 1], broken[_MOST_LINES - 1 :]
        return "\n".join([*(line.rstrip() for line in whole), shortened("".join(rest), room)])
    return "\n".join(line.rstrip() for line in broken)


def _pieces(text: str, room: float) -> Iterator[str]:
    """Yield the parts of a name between which it may be broken."""
    for part in re.findall(r"[^/,;:= ]+[/,;:= ]*|[/,;:= ]+", text):
        if inches(part.rstrip()) <= room:
            yield part
            continue
        for word in re.findall(r"[^-_.]+[-_.]*|[-_.]+", part):
            yield from [word] if inches(word.rstrip()) <= room else word


def breaks_words(text: str, room: float) -> bool:
    """Whether ``wrap`` has to break a name in the middle of a word."""
    return any(inches(word) > room for word in re.findall(r"[^-_/,;:=. ]+[-_/,;:=.]*", text))


def parameter_words(path: str) -> str:
    """Return the path of a parameter as an axis names it.

    >>> parameter_words("models.hardware-vmm.costs.{vm_exit,vm_entry}"), parameter_words("models.hardware-vmm")
    ('hardware-vmm: vm_exit, vm_entry', 'models.hardware-vmm')
    """
    words = path.removeprefix("models.") if path.count(".") > 1 else path
    return words.replace(".costs.", ": ").replace(",", ", ").replace("{", "").replace("}", "")


def tails(paths: Sequence[str]) -> list[str]:
    """Return paths without the folders that they do not need to be told apart.

    >>> tails(["pentium4-672/native", "lookahead/hybrid-vmm"]), tails(["p4/native", "host/native"])
    (['native', 'hybrid-vmm'], ['p4/native', 'host/native'])
    """
    parts = [path.split("/") for path in paths]
    for kept in range(1, max(map(len, parts)) + 1):
        short = ["/".join(each[-kept:]) for each in parts]
        if len(set(short)) == len(set(paths)):
            return short
    return list(paths)


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
