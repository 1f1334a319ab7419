"""The functions of torch.nn.functional: a row each where both signatures do not say it all."""

from __future__ import annotations

from tracer.source.rewriting.rules import Rule

FUNCTIONAL: tuple[Rule, ...] = ()
