"""The verbs in Python, each a short recipe."""

from tracer.api.recordings import record, recording
from tracer.api.verdicts import diff

__all__ = ["diff", "record", "recording"]
