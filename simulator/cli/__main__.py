"""Runs the command line: `python -m simulator.cli` is `vmmsim`."""

from __future__ import annotations

from simulator.cli import (
    calibrating,
    comparing,
    documents,
    estimating,
    explaining,
    exploring,
    exporting,
    importing,
    importing_tables,
    importing_traces,
    recording,
    running,
    streams,
    sweeping,
)
from simulator.cli.options import app

COMMANDS = (
    running,
    sweeping,
    estimating,
    comparing,
    explaining,
    documents,
    recording,
    importing,
    importing_traces,
    importing_tables,
    exporting,
    streams,
    calibrating,
    exploring,
)
"""The modules that add commands to the application."""


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
