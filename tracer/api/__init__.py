"""The verbs in Python, each a short recipe."""

from tracer.api.recordings import record, recording
from tracer.api.starting_points import compare_weights, convert_weights, load_weights, weight_map
from tracer.api.verdicts import diff

__all__ = ["compare_weights", "convert_weights", "diff", "load_weights", "record", "recording", "weight_map"]
