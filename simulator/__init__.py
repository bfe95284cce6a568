"""vmmsim: a discrete-event architectural cost simulator for virtualization.

In a notebook, ``simulator.run("quickstart")`` runs an experiment; see ``simulator.notebook``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.notebook import run as run

__version__ = "0.1.0"


class _Package(ModuleType):
    """The package, in which `run` is the function, loaded when it is first asked for.

    There is a module of that name too, and the import system would bind it here: `from simulator.run import ...`
    finds it all the same.
    """

    def _run(self) -> Callable[..., Any]:
        from simulator.notebook import run as function  # noqa: PLC0415 - so that importing the package stays cheap

        return function

    run = property(_run, lambda self, module: None)  # noqa: ARG005


sys.modules[__name__].__class__ = _Package
