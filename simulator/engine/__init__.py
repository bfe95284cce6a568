"""Engines, by name: ``reference`` is the definition of correct, and every other must give equal outcomes."""

from __future__ import annotations

from simulator.engine.base import Engine
from simulator.engine.fast import FastEngine
from simulator.engine.reference import ReferenceEngine

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (FastEngine(), ReferenceEngine())}
