"""The verbs in Python, each a short recipe."""

from tracer.api.curves import curve
from tracer.api.not_finite import find_nan
from tracer.api.profiles import profile
from tracer.api.recordings import record, recording
from tracer.api.samples import compare_init, fix_random, inputs, load_samples, save_samples
from tracer.api.scans import scan
from tracer.api.starting_points import compare_weights, convert_weights, load_weights, weight_map
from tracer.api.structures import structure
from tracer.api.verdicts import compare, diff

__all__ = [
    "compare",
    "compare_init",
    "compare_weights",
    "convert_weights",
    "curve",
    "diff",
    "find_nan",
    "fix_random",
    "inputs",
    "load_samples",
    "load_weights",
    "profile",
    "record",
    "recording",
    "save_samples",
    "scan",
    "structure",
    "weight_map",
]
