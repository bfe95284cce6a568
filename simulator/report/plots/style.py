"""What plots look like: the palette, the hatches, the sizes for print, and matplotlib's settings.

An event kind has the same colour and hatch in every plot of every report, so two reports can be laid side by side;
the hatch carries it through a grey-scale print.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any, NamedTuple

import matplotlib

# The first seven are Okabe and Ito's palette without black ("Color Universal Design", 2008).
ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
INK, GREY, LIGHT_GREY, WHITE = "#222222", "#9A9A9A", "#D0D0D0", "#FFFFFF"


class Style(NamedTuple):
    """How a kind of bar is filled: its colour and its hatch."""

    colour: str
    hatch: str = ""

    @property
    def bar(self) -> dict[str, Any]:
        """How matplotlib names them; an edge is drawn in the hatch's colour."""
        return {"facecolor": self.colour, "hatch": self.hatch, "edgecolor": INK}


OTHER = "other"
OTHER_STYLE = Style(WHITE)
COMPUTE_STYLES = MappingProxyType({"user_compute": Style(LIGHT_GREY), "kernel_compute": Style(GREY)})
EVENT_STYLES: Mapping[str, Style] = MappingProxyType(
    {
        "syscall": Style(BLUE),
        "page_fault": Style(VERMILION, "////"),
        "pte_set": Style(GREEN, "\\\\\\\\"),
        "pte_modify": Style(ORANGE, "xxxx"),
        "pte_clear": Style(YELLOW, "||||"),
        "space_switch": Style(PURPLE, "----"),
        "new_code": Style(SKY, "\\\\\\\\"),
        "port_in": Style(SKY, "||||"),
        "call_ret": Style(PURPLE, "++++"),
        "exception": Style(YELLOW, "////"),
        "cr8_write": Style(GREEN, "----"),
        "tlb_flush_page": Style(SKY, "////"),
        "tlb_flush_all": Style(PURPLE, "\\\\\\\\"),
        "interrupt": Style(VERMILION, "||||"),
        "interrupt_completion": Style(VERMILION, "++++"),
        "first_touch": Style(GREEN, "xxxx"),
        "context_switch": Style(BLUE, "////"),
        "port_out": Style(SKY, "xxxx"),
        "mmio_read": Style(SKY, "++++"),
        "mmio_write": Style(SKY, "----"),
        "interrupt_flag_write": Style(GREEN, "++++"),
        "halt": Style(YELLOW, "++++"),
        "rdtsc": Style(PURPLE, "////"),
        "cpuid": Style(PURPLE, "xxxx"),
        "msr_read": Style(ORANGE, "----"),
        "msr_write": Style(ORANGE, "||||"),
        "disk_request": Style(BLUE, "----"),
        "network_request": Style(BLUE, "||||"),
        "wake": Style(YELLOW, "----"),
        "touch": Style(ORANGE, "////"),
        "kernel_code": Style(SKY, "...."),
        "tlb_miss": Style(BLUE, "xxxx"),
        "space_destroy": Style(PURPLE, "||||"),
        "host_interrupt": Style(GREY, "////"),
    }
)
MECHANISM_STYLES: Mapping[str, Style] = MappingProxyType(
    {
        "direct_execution": Style(LIGHT_GREY),
        "vm_exits": Style(BLUE, "////"),
        "shadow_paging": Style(VERMILION),
        "binary_translation": Style(ORANGE, "xxxx"),
        "adaptive_translation": Style(YELLOW, "||||"),
        "translation_cache": Style(SKY, "\\\\\\\\"),
        "trap_and_emulate": Style(PURPLE),
        "nested_paging": Style(GREEN, "----"),
        "hybrid": Style(SKY, "++++"),
        "tlb": Style(PURPLE, "////"),
        "page_walk": Style(GREEN, "xxxx"),
        "no_cost": Style(GREY, "||||"),
    }
)
_HATCHES = ("", "////", "\\\\\\\\", "xxxx", "----", "++++", "||||", "....")
_MODEL_STYLES = (
    (LIGHT_GREY, 0),
    (BLUE, 1),
    (ORANGE, 0),
    (GREEN, 2),
    (PURPLE, 3),
    (YELLOW, 4),
    (VERMILION, 5),
    (SKY, 6),
)
"""Colours of models, each with the place of its first hatch."""


def event_style(event: str) -> Style:
    """Return the style of an event kind; a kind without one of its own gets one by its name, always the same.

    >>> event_style("syscall").colour, event_style("my_event") == event_style("my_event")
    ('#0072B2', True)
    """
    known: dict[str, Style] = {**EVENT_STYLES, **COMPUTE_STYLES, OTHER: OTHER_STYLE}
    if event in known:
        return known[event]
    return list(EVENT_STYLES.values())[zlib.crc32(event.encode()) % len(EVENT_STYLES)]


def model_style(index: int) -> Style:
    """Return the style of the model at a place: colours come again after eight, each with another hatch.

    >>> len({model_style(index) for index in range(64)})
    64
    """
    again, place = divmod(index, len(_MODEL_STYLES))
    colour, first = _MODEL_STYLES[place]
    return Style(colour, _HATCHES[(first + 3 * again) % len(_HATCHES)])


def model_styles(models: Sequence[str]) -> dict[str, Style]:
    """Return the styles of models, in their order: the same in every plot of one report."""
    return {model: model_style(index) for index, model in enumerate(models)}


def mechanism_style(mechanism: str) -> Style:
    """Return the style of what a mechanism takes; one without a style of its own looks like the rest."""
    return MECHANISM_STYLES.get(mechanism, OTHER_STYLE)


# Sizes are in inches, as systems conferences set them.
SINGLE_COLUMN, DOUBLE_COLUMN = 3.4, 7.0
PAGE_HEIGHT = 8.5
BAR_PITCH = 0.15  # from one horizontal bar to the next: a line of text fits
LINE = 0.12  # from one line of text to the next
GAP = 0.2  # between axes side by side, and to the right of the last: half a tick's label fits
FOOT = 0.4  # for the ticks and the label below axes
DPI = 200
FONT, POINTS = "DejaVu Sans", 7  # it comes with matplotlib, so every machine draws the same

_SETTINGS: Mapping[str, Any] = {
    "font.family": [FONT],
    "font.size": POINTS,
    "axes.titlesize": POINTS,
    "axes.labelsize": POINTS,
    "xtick.labelsize": POINTS,
    "ytick.labelsize": POINTS,
    "legend.fontsize": POINTS,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.linewidth": 0.4,
    "grid.color": "#DDDDDD",
    "hatch.linewidth": 0.4,
    "patch.linewidth": 0.4,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "text.parse_math": False,  # a '$' in a name is a '$'
    "svg.hashsalt": "vmmsim",
    "svg.fonttype": "path",
}


def settings() -> AbstractContextManager[None]:
    """Return a context in which matplotlib has the settings of these plots, whatever the user's own are."""
    defaults: dict[Any, Any] = {k: v for k, v in matplotlib.rcParamsDefault.items() if not k.startswith("backend")}
    return matplotlib.rc_context(defaults | dict(_SETTINGS))
