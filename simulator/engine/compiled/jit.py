"""The compiler: numba, with a cache on disk that is as old as these sources."""

from __future__ import annotations

import os
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numba import config as _config
from numba import njit

config: Any = _config
_SOURCES = sorted(Path(__file__).parent.glob("*.py"))


def _cache() -> bool:
    """Give the compiler a folder for this version of the sources and of itself; False where none can be written.

    Numba by itself sees no change of a function in another file than the one that calls it.
    """
    key = sha256(version("numba").encode() + b"".join(path.read_bytes() for path in _SOURCES)).hexdigest()[:16]
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "vmmsim" / f"kernel-{key}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    config.CACHE_DIR = str(folder)
    return os.access(folder, os.W_OK)


compiled: Any = njit(nogil=True, cache=_cache(), error_model="numpy")
"""Compile a function; it lets other threads run meanwhile."""
