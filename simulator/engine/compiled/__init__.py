"""Mechanisms with state at compiled speed, by numba, where it is installed.

``program.py`` turns a model's chain into tables, ``state.py`` holds the mechanisms' state in arrays, ``kernel.py`` is
compiled, and ``walker.py`` walks stretches with it. What a row does is written twice, here and in
``simulator/mechanisms``; those are the definition, and tests hold the two equal.
"""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module

_log = logging.getLogger(__name__)


@cache
def available() -> bool:
    """Tell whether numba is installed and works; of one that does not, say so."""
    try:
        import_module("numba")
    except Exception as error:  # noqa: BLE001 (it checks versions of others when it is imported, in many ways)
        if not (isinstance(error, ModuleNotFoundError) and error.name == "numba"):
            _log.warning("numba does not work, so nothing is compiled: %s", error)
        return False
    return True
