"""Watches a run of a net and hands every call to the writer. Knows no framework: a `Watcher` does."""

from tracer.recorder.choice import Patterns
from tracer.recorder.session import Options, Session, cotangent, record_while, run_and_record

__all__ = ["Options", "Patterns", "Session", "cotangent", "record_while", "run_and_record"]
