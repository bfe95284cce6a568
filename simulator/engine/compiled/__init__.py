"""Mechanisms with state at compiled speed, by numba, where it is installed.

``program.py`` turns a model's chain into tables, ``state.py`` holds the mechanisms' state in arrays, ``kernel.py`` is
compiled, and ``walker.py`` walks stretches with it. What a row does is written twice, here and in
``simulator/mechanisms``; those are the definition, and tests hold the two equal.
"""

from __future__ import annotations

from importlib.util import find_spec


def available() -> bool:
    """Tell whether numba is installed; it is not imported for that."""
    return find_spec("numba") is not None
