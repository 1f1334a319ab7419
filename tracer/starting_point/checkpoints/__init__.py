"""Files of parameters, read and written without any framework: a family, one file for each format."""

from tracer.starting_point.checkpoints.base import Checkpoint, Entry
from tracer.starting_point.checkpoints.opening import open_checkpoint
from tracer.starting_point.checkpoints.writing import write_checkpoint

__all__ = ["Checkpoint", "Entry", "open_checkpoint", "write_checkpoint"]
