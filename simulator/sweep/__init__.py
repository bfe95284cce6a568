"""Sweeps: an experiment at many points. `plan` says what is to be replayed, `store` keeps it, `sweeping` does it."""
