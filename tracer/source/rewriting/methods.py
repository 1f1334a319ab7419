"""The methods of tensors: a row each where both signatures do not say it all."""

from __future__ import annotations

from tracer.source.rewriting.rules import Rule

METHODS: tuple[Rule, ...] = ()
