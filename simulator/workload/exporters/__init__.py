"""Exporters: event streams become files that other programs read, one module a format."""
