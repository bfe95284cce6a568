"""The mechanisms, one file each. To add one: write its file, and add its class to ``MECHANISMS``."""

from __future__ import annotations

from simulator.mechanisms.base import Event, Mechanism, Parameters, StatelessMechanism
from simulator.mechanisms.binary_translation import BinaryTranslation
from simulator.mechanisms.direct_execution import DirectExecution
from simulator.mechanisms.no_cost import NoCost
from simulator.mechanisms.vm_exits import VmExits

MECHANISMS: tuple[type[Mechanism], ...] = (DirectExecution, NoCost, VmExits, BinaryTranslation)
BY_NAME: dict[str, type[Mechanism]] = {mechanism.name: mechanism for mechanism in MECHANISMS}

__all__ = ["BY_NAME", "MECHANISMS", "Event", "Mechanism", "Parameters", "StatelessMechanism"]
