"""A view: something to look at, in parts for people, and the same as data for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.table import Table


@dataclass(frozen=True, slots=True)
class View:
    """Something to look at: ``parts`` are texts and tables for people, ``data`` is the same for JSON."""

    parts: tuple[str | Table, ...]
    data: Any
