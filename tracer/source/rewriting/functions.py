"""The functions of torch: a row each where both signatures do not say it all."""

from __future__ import annotations

from tracer.source.rewriting.rules import Rule, to

FUNCTIONS: tuple[Rule, ...] = (
    Rule(
        "torch.cat",
        "mindspore.ops.cat",
        mint="mindspore.mint.cat",
        takes="tensors, dim=0, *, out=None",
        arguments=("tensors", to("dim", "axis")),
    ),
)
