"""The schema of each kind of document."""

from __future__ import annotations

from pydantic import BaseModel

from simulator.spec.cost_model import CostModelSpec
from simulator.spec.experiment import ExperimentSpec
from simulator.spec.operations import OperationsSpec
from simulator.spec.workload import WorkloadSpec

SCHEMAS: dict[str, type[BaseModel]] = {
    "experiment": ExperimentSpec,
    "workload": WorkloadSpec,
    "operations": OperationsSpec,
    "cost-model": CostModelSpec,
}
