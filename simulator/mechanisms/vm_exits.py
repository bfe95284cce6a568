"""VM exits: which events leave guest mode, and the actions of one round trip."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simulator.mechanisms.base import Parameters, Recipes, StatelessMechanism, add_recipes


class VmExitsParameters(Parameters):
    """What exits, and how often a round trip touches the control block.

    ``handlers`` gives, for each event kind that exits, or action of another mechanism (a hidden fault, a write to a
    traced page table), the actions of its handler. ``vmcb_reads`` and ``vmcb_writes``
    are the reads and writes of the virtual-machine control block in one exit: 'about ten' reads in a typical exit
    (Adams & Agesen 2006, section 4).
    """

    vmcb_reads: Annotated[int, Field(ge=0)] = 10
    vmcb_writes: Annotated[int, Field(ge=0)] = 0
    handlers: Recipes


class VmExits(StatelessMechanism):
    """A hardware VMM's exits: exit, control-block reads and writes, handler, entry.

    Reads and answers: what is listed in ``handlers``. State: none, an exit remembers nothing of the one before. Emits:
    ``vm_exit``, ``vmcb_read``, ``vmcb_write``, ``vm_entry`` and the actions of the handlers. What an exit does to the
    TLB is the matter of ``tlb``, which may watch ``vm_exit``.
    """

    name = "vm_exits"
    schema = VmExitsParameters

    def __init__(self, parameters: VmExitsParameters) -> None:
        reads, writes = parameters.vmcb_reads, parameters.vmcb_writes
        round_trip = {"vm_exit": 1, "vmcb_read": reads, "vmcb_write": writes, "vm_entry": 1}
        taken = {event: {action: n for action, n in round_trip.items() if n} for event in parameters.handlers}
        super().__init__(add_recipes(taken, parameters.handlers))

    def emits(self) -> frozenset[str]:
        """Return all actions of the handlers, and those of the round trip, whatever their number."""
        return super().emits() | {"vm_exit", "vmcb_read", "vmcb_write", "vm_entry"}
