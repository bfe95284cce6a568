"""Engines, by name: ``reference`` is the definition of correct, and every other must give equal outcomes."""

from __future__ import annotations

from simulator.engine.base import Engine
from simulator.engine.fast import FastEngine
from simulator.engine.reference import ReferenceEngine
from simulator.errors import InputError, did_you_mean

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (FastEngine(), ReferenceEngine())}


def engine_named(name: str) -> Engine:
    """Return an engine by name.

    Raises:
        InputError: no such engine; the message names the nearest.
    """
    if name not in ENGINES:
        raise InputError(f"no engine '{name}'{did_you_mean(name, ENGINES)}; expected one of {', '.join(ENGINES)}")
    return ENGINES[name]
