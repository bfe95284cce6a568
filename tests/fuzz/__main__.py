"""Runs many cases, and says which failed."""

from __future__ import annotations

import argparse
import tempfile
import traceback
from collections import Counter
from pathlib import Path

from .formats import FORMATS, data_of, run

SHOWN = 10
EVERY = 10_000


def main() -> int:
    """Run the cases that the command line asks for; return the exit code: 1 if any failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Damage recordings, and import them.")
    parser.add_argument("format", choices=FORMATS)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--keep", type=Path, help="a folder for the files of failed cases")
    asked = parser.parse_args()
    ends: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(asked.first, asked.first + asked.cases):
            if ends and ends.total() % EVERY == 0:
                print(f"{ends.total():,} cases, {ends['FAILED']} failed", flush=True)
            data = data_of(asked.format, asked.seed, number)
            try:
                ends[run(asked.format, Path(folder) / "case.txt", data)] += 1
            except Exception:
                ends["FAILED"] += 1
                if ends["FAILED"] <= SHOWN:
                    print(f"case {number} of seed {asked.seed}:\n{traceback.format_exc(limit=-3)}", flush=True)
                if asked.keep:
                    asked.keep.mkdir(parents=True, exist_ok=True)
                    (asked.keep / f"{asked.format}-{asked.seed}-{number}.txt").write_bytes(data)
    print(f"{asked.format}, seed {asked.seed}: " + ", ".join(f"{count:,} {end}" for end, count in sorted(ends.items())))
    return int(ends["FAILED"] > 0)


if __name__ == "__main__":
    raise SystemExit(main())
