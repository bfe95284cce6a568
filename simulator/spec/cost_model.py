"""Cost models in YAML: machine, mechanisms and costs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, create_model, model_validator

from simulator.costs import CostEntry, CostTable
from simulator.mechanisms import BY_NAME, MECHANISMS, Parameters
from simulator.mechanisms.base import ActionName
from simulator.model import CostModel, Device, Machine
from simulator.spec.types import (
    Bandwidth,
    ClockValue,
    CostValue,
    Duration,
    Positive,
    Provenance,
    Spec,
    SpreadCostValue,
    Text,
)
from simulator.units import Cost

MOVE_THE_BOUND = "move the bound too"
Status = Literal["published", "derived", "assumed", "fitted"]


class CostSpec(Spec):
    """The cost of one action: cycles or a time, its source, how it is known, and bounds where they are known.

    ``1500 ± 200 cycles`` is short for a cost with its ``low`` and its ``high``.
    """

    cost: SpreadCostValue
    source: Text
    status: Status
    low: CostValue | None = None
    high: CostValue | None = None

    @model_validator(mode="before")
    @classmethod
    def _spread_is_bounds(cls, given: Any) -> Any:
        written = given.get("cost") if isinstance(given, dict) else None
        spread = Cost.parse_spread(written) if isinstance(written, str) else None
        if spread is None:
            return given
        if any(given.get(bound) is not None for bound in ("low", "high")):
            raise ValueError(
                f"'{written}' gives low and high: leave them out, or set them to null to drop those of a base"
            )
        return given | dict(zip(("cost", "low", "high"), map(str, spread), strict=True))

    @model_validator(mode="after")
    def _bounds_hold(self) -> CostSpec:
        given = (self.low, self.cost, self.high)
        bounds = [bound for bound in given if bound is not None]
        comparable = len({bound.in_cycles for bound in bounds}) == 1
        if comparable and [b.amount for b in bounds] != sorted(b.amount for b in bounds):
            named = ", ".join(
                f"{name} {value}" for name, value in zip(("low", "cost", "high"), given, strict=True) if value
            )
            raise ValueError(f"expected low <= cost <= high, found {named}: {MOVE_THE_BOUND}")
        return self


class DeviceSpec(Spec):
    """A device: the service time of one request, how many it serves at a time, and its bandwidth if that counts."""

    service_time: Duration
    servers: Positive = 1
    bandwidth: Bandwidth | None = None
    source: Text


class MachineSpec(Spec):
    """The machine: clock rate, physical CPUs (default: as many as virtual ones), their time slice, and devices."""

    name: Text
    clock: ClockValue
    physical_cpus: Positive | None = None
    time_slice: Duration = Field(default="10 ms", validate_default=True)
    devices: dict[Text, DeviceSpec] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _time_slice_is_long_enough(self) -> MachineSpec:
        if self.time_slice == 0:
            raise ValueError("expected a time_slice above 0")
        return self


_MechanismsSpec: Any = create_model(
    "MechanismsSpec",
    __base__=Spec,
    __doc__="The mechanisms of a model, each with its parameters.",
    **{mechanism.name: (mechanism.schema | None, None) for mechanism in MECHANISMS},  # type: ignore[call-overload]
)


class CostModelSpec(Spec):
    """A cost model document. An ``abstract`` one lacks what the models that extend it add, and cannot be run itself."""

    document: Literal["cost-model"]
    title: Text
    description: str = ""
    abstract: bool = False
    machine: MachineSpec
    mechanisms: _MechanismsSpec
    costs: Annotated[dict[ActionName, CostSpec], Field(min_length=1)]
    provenance: Provenance = Field(default_factory=dict)

    def parameters(self) -> dict[str, Parameters]:
        """Return the parameters of each mechanism that the model has, in the order of the list of mechanisms."""
        return {name: getattr(self.mechanisms, name) for name in BY_NAME if getattr(self.mechanisms, name) is not None}

    def build(self, name: str) -> CostModel:
        """Return the cost model under a name."""
        return CostModel(name, self._machine(), self._costs(), self.parameters())

    def _machine(self) -> Machine:
        spec = self.machine
        devices = {
            name: Device(device.service_time, device.servers, device.bandwidth or 0)
            for name, device in spec.devices.items()
        }
        return Machine(spec.name, spec.clock, spec.physical_cpus, spec.time_slice, devices)

    def _costs(self) -> CostTable:
        entries = {name: CostEntry(c.cost, c.source, c.status, c.low, c.high) for name, c in self.costs.items()}
        return CostTable(entries, self.machine.clock)
