"""Run an experiment: replay each workload under each model, price the counts, and set them beside the references."""

from __future__ import annotations

from simulator.run.experiment import default_engine, notes_on, run_experiment
from simulator.run.pricing import Run, breakdown_rows, priced, replay
from simulator.run.provenance import metadata, recording_hashes
from simulator.run.references import compare

__all__ = [
    "Run",
    "breakdown_rows",
    "compare",
    "default_engine",
    "metadata",
    "notes_on",
    "priced",
    "recording_hashes",
    "replay",
    "run_experiment",
]
