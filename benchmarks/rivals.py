"""What others do with the same events: a count by kind in DuckDB and polars, costs in pandas."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import polars
import pyarrow.parquet as pq


def duckdb_counts(path: Path) -> None:
    """Count events by kind."""
    duckdb.execute(f"SELECT kind, count(*) FROM '{path}' GROUP BY kind").fetchall()


def polars_counts(path: Path) -> None:
    """Count events by kind."""
    polars.scan_parquet(path).group_by("kind").len().collect()


def read_alone(path: Path) -> None:
    """Read kinds and gaps."""
    pq.read_table(path, columns=["kind", "user_ns"])


def pandas_costs(path: Path) -> float:
    """Group by kind and multiply with costs, as a user would write it (without state, and in floats)."""
    events = pd.read_parquet(path, columns=["kind", "user_ns"])
    costs = pd.Series(242.0, index=range(64))
    cycles = (events.groupby("kind").size() * costs).sum() + events["user_ns"].sum() * 3.8
    return float(cycles)
