"""The optimizers and schedulers of torch.optim: a row each, as in `layers.py`."""

from __future__ import annotations

from tracer.source.rewriting.rules import Rule

OPTIMIZERS: tuple[Rule, ...] = ()
