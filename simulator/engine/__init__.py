"""Engines: ``reference`` is the definition of correct."""
