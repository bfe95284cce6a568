"""Importers: recordings of real systems become event streams, one module a format."""
