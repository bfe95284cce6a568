"""The mechanisms, one file each. To add one: write its file, and add its class to ``MECHANISMS``."""

from __future__ import annotations

from simulator.mechanisms.adaptive_translation import AdaptiveTranslation
from simulator.mechanisms.base import Event, Mechanism, Parameters, StatelessMechanism
from simulator.mechanisms.binary_translation import BinaryTranslation
from simulator.mechanisms.chain import Chain
from simulator.mechanisms.direct_execution import DirectExecution
from simulator.mechanisms.hybrid import Hybrid
from simulator.mechanisms.nested_paging import NestedPaging
from simulator.mechanisms.no_cost import NoCost
from simulator.mechanisms.page_walk import PageWalk
from simulator.mechanisms.shadow_paging import ShadowPaging
from simulator.mechanisms.tlb import Tlb
from simulator.mechanisms.translation_cache import TranslationCache
from simulator.mechanisms.trap_and_emulate import TrapAndEmulate
from simulator.mechanisms.vm_exits import VmExits

MECHANISMS: tuple[type[Mechanism], ...] = (
    # what the VMM does about memory, which becomes faults, traces and violations
    ShadowPaging,
    NestedPaging,
    # how the guest runs, and how it leaves to the VMM
    Hybrid,
    BinaryTranslation,
    AdaptiveTranslation,
    TranslationCache,
    TrapAndEmulate,
    VmExits,
    DirectExecution,
    NoCost,
    # the hardware below it all
    Tlb,
    PageWalk,
)
"""In the order in which actions go down: those of one mechanism reach only the mechanisms after it."""
BY_NAME: dict[str, type[Mechanism]] = {mechanism.name: mechanism for mechanism in MECHANISMS}

__all__ = ["BY_NAME", "MECHANISMS", "Chain", "Event", "Mechanism", "Parameters", "StatelessMechanism"]
