"""Workloads: generators of synthetic streams, importers of recordings, and recorded streams made ready for a replay."""
