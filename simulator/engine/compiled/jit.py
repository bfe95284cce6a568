"""The compiler: numba, with a cache on disk that is as old as these sources."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numba import config as _config
from numba import njit, types
from numba.extending import intrinsic

config: Any = _config
_SOURCES = sorted(Path(__file__).parent.glob("*.py"))


def _cache() -> str | None:
    """Return a folder for what this numba compiles of these sources; None where none can be written.

    Numba by itself sees no change of a function in another file than the one that calls it.
    """
    key = sha256(version("numba").encode() + b"".join(path.read_bytes() for path in _SOURCES)).hexdigest()[:16]
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = base / "vmmsim" / f"kernel-{key}"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # the latter where nobody knows a home
        return None
    return str(folder) if os.access(folder, os.W_OK) else None


_FOLDER = _cache()


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function; it lets other threads run meanwhile."""
    return _compiled(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function into each that calls it: for small ones that every row goes through."""
    return _compiled(function, forceinline=True)


def part(function: Callable[..., Any]) -> Any:
    """Compile a function as a part of the one that calls it, and not by itself.

    It is for long ones that are called from one place: each layer that is compiled by itself is optimized again in all
    those above it, which took most of a minute.
    """
    return _compiled(function, inline="always")


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function; what else numba compiles is kept where it always was."""
    others = config.CACHE_DIR
    config.CACHE_DIR = _FOLDER or others
    try:
        return njit(nogil=True, cache=_FOLDER is not None, error_model="numpy", **options)(function)
    finally:
        config.CACHE_DIR = others


def _bare(typing: Any, array: Any) -> Any:  # noqa: ARG001 (numba's interface)
    """Tell numba how to give the place of an array: handed on in one register, and read without a look at a length.

    Indices must not be negative, and somebody else must keep the array alive.
    """
    signature = types.CPointer(array.dtype)(array)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return signature, generate


bare: Any = intrinsic(_bare)
