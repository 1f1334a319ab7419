"""The verbs in Python, each a short recipe."""

from tracer.api.recordings import record, recording
from tracer.api.samples import compare_init, fix_random, inputs, load_samples, save_samples
from tracer.api.verdicts import diff

__all__ = ["compare_init", "diff", "fix_random", "inputs", "load_samples", "record", "recording", "save_samples"]
