"""tracer: the first layer where a port goes wrong, and why."""

__version__ = "0.1.0"
