"""What others do with the same events: a bare SimPy loop, and a count by kind in DuckDB, polars and pandas."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import polars
import simpy


def bare_simpy(events: int) -> None:
    """Run a SimPy process that does nothing but wait, once for each event."""

    def process(env: simpy.Environment):  # type: ignore[no-untyped-def]
        for _ in range(events):
            yield env.timeout(242)

    env = simpy.Environment()
    env.process(process(env))
    env.run()


def duckdb_counts(path: Path) -> None:
    """Count events by kind."""
    duckdb.execute(f"SELECT kind, count(*) FROM '{path}' GROUP BY kind").fetchall()


def polars_counts(path: Path) -> None:
    """Count events by kind."""
    polars.scan_parquet(path).group_by("kind").len().collect()


def pandas_costs(path: Path) -> float:
    """Group by kind and multiply with costs, as a user would write it (without state, and in floats)."""
    events = pd.read_parquet(path, columns=["kind", "user_ns"])
    costs = pd.Series(242.0, index=range(64))
    cycles = (events.groupby("kind").size() * costs).sum() + events["user_ns"].sum() * 3.8
    return float(cycles)
