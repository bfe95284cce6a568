"""What can go wrong, as types; and how messages suggest the name that was meant, and list those that are known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_LISTED = 12


class SimulatorError(Exception):
    """The root of every error that vmmsim raises on purpose."""


class InputError(SimulatorError, ValueError):
    """The user's input is wrong: the command line exits with 2."""


class RunError(SimulatorError, RuntimeError):
    """The input was accepted and the run failed all the same: the command line exits with 1."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in one place of a document.

    ``line`` and ``column`` count from 1, and are 0 where no place in the file can be named.
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class SpecError(InputError):
    """Everything that is wrong in a document, all at once: one line a fault.

    ``tree`` is what could be read of the document in spite of the faults, if anything, so that the rest of it can be
    checked too.
    """

    def __init__(self, faults: Iterable[Fault], tree: object = None) -> None:
        self.faults = tuple(faults)
        self.tree = tree
        super().__init__("\n".join(map(str, self.faults)))


class StreamError(InputError):
    """An event stream, or the file it stands in, is not what it should be."""


class RecordError(InputError):
    """This machine, as it is set up, cannot record: the message says what to install or to set."""


class ModelError(InputError):
    """A cost model cannot price what it is asked to: a recipe or a cost is missing."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the nearest known name, or an empty string if none is near.

    >>> did_you_mean("vm_exti", ["vm_exit", "vm_entry"])
    " (did you mean 'vm_exit'?)"
    >>> did_you_mean("zebra", ["vm_exit"])
    ''
    """
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean '{near[0]}'?)" if near else ""


def install(extra: str) -> str:
    """Return the command, in the checkout, that installs vmmsim with an extra, at the versions that it is tested with.

    >>> install("dask")
    "python -m pip install --constraint constraints.txt --editable '.[dask]'"
    """
    return f"python -m pip install --constraint constraints.txt --editable '.[{extra}]'"


def listed(names: Sequence[str]) -> str:
    """Return names for a message: all, or of many the first twelve.

    >>> listed(["vm_exit", "vm_entry"])
    'vm_exit, vm_entry'
    >>> listed([str(number) for number in range(20)])
    '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ...'
    """
    return ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
