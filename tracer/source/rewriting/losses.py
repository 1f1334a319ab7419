"""The losses of torch.nn: a row each, as in `layers.py`."""

from __future__ import annotations

from tracer.source.rewriting.rules import Rule

LOSSES: tuple[Rule, ...] = ()
