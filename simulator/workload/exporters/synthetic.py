"""A synthetic stream on its way out: its header says that its gaps hold computation alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from simulator.stream import Batch, EventStream, Header
from simulator.workload.importers.table import HOST_COSTS


@dataclass(frozen=True, slots=True)
class Synthetic:
    """The rows of a synthetic stream; the host costs in its header make it the same workload when it is imported."""

    header: Header
    stream: EventStream

    @classmethod
    def of(cls, stream: EventStream) -> Synthetic:
        """Return a synthetic stream with the host costs in its header."""
        header = stream.header
        return cls(replace(header, provenance={"host_costs": HOST_COSTS, **header.provenance}), stream)

    def batches(self, vcpu: int) -> Iterator[Batch]:
        """Give the rows of one virtual CPU, in order."""
        return self.stream.batches(vcpu)
