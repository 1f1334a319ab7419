"""The verbs in Python, each a short recipe."""

from tracer.api.recordings import record, recording
from tracer.api.samples import fix_random, inputs, load_samples, save_samples
from tracer.api.verdicts import diff

__all__ = ["diff", "fix_random", "inputs", "load_samples", "record", "recording", "save_samples"]
