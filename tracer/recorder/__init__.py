"""Watches a run of a net and hands every call to the writer. Knows no framework: a `Watcher` does."""

from tracer.recorder.choice import Patterns
from tracer.recorder.loop import Session
from tracer.recorder.runs import cotangent, record_while, run_and_record
from tracer.recorder.sampling import Rest, Sampling
from tracer.recorder.session import Options
from tracer.recorder.timed_loop import time_while
from tracer.recorder.timing import Repeats, time_and_record
from tracer.recorder.training import Training, train_and_record

__all__ = [
    "Options",
    "Patterns",
    "Repeats",
    "Rest",
    "Sampling",
    "Session",
    "Training",
    "cotangent",
    "record_while",
    "run_and_record",
    "time_and_record",
    "time_while",
    "train_and_record",
]
