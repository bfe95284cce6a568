"""Fuzzing of importers: real recordings, damaged at random, must be imported or refused, never lost or crashed on.

    .venv/bin/python -m tests.fuzz --cases 100000 --seed 1 perf

A case is told by its format, seed and number: the same three give the same bytes.
"""
