"""Runs the command line: `python -m simulator.cli` is `vmmsim`."""

from __future__ import annotations

from simulator.cli import calibrating, documents, importing, running, sweeping
from simulator.cli.options import app

COMMANDS = (running, sweeping, documents, importing, calibrating)
"""The modules that add commands to the application."""


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
