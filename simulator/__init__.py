"""vmmsim: a discrete-event architectural cost simulator for virtualization."""

__version__ = "0.1.0"
