"""The methods that write over their tensor and have no counterpart that does not: a row each."""

from __future__ import annotations

import ast

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.receivers import is_its_own
from tracer.source.rewriting.rules import ByHand, Rule, Written, to
from tracer.source.rewriting.shaping import repeatable

_OVER = "copy_ writes it over the tensor"
_DRAWN = "MindSpore draws other numbers from the same seed"
_NEW_SHAPE = "MindSpore changes no shape in place: bind the name to the result, x = x.{name}(...)"


def tensor(bound: Bound, name: str = "") -> str:
    """The tensor that is written over: a name, or attributes of one (a part of a tensor is a copy in MindSpore)."""
    value = bound.value(name) if name else bound.receiver
    if value is None or not repeatable(value) or any(isinstance(part, ast.Subscript) for part in ast.walk(value.node)):
        raise ByHand("a part of a tensor is a copy in MindSpore: write x[part] = ..., or give the result a name")
    return value.text


def over(name: str, takes: str, text: str, advice: str = "", floats: tuple[str, ...] = ()) -> Rule:
    """A method whose new numbers `text` gives: X is the tensor, a name in braces an argument, `floats` no ints."""

    def write(bound: Bound) -> Written:
        assert bound.receiver is not None
        fresh = is_its_own(bound.receiver.node)
        it = "it" if fresh else tensor(bound)
        given = {p.name: bound.text(p.name) for p in bound.signature.parameters}
        given.update({one: f"{given[one]}.0" for one in floats if type(bound.literal(one)) is int})
        new = text.format(**given).replace("X", it)
        whole = f"{it}.copy_({new})"
        return Written(f"(lambda it: {whole})({bound.receiver.text})" if fresh else whole, (_OVER,))

    return Rule(f"torch.Tensor.{name}", "mindspore.Tensor.copy_", takes=takes, write=write, advice=advice)


IN_PLACE: tuple[Rule, ...] = (
    Rule(
        "torch.Tensor.copy_",
        "mindspore.Tensor.copy_",
        takes="other, non_blocking=False",
        arguments=(to("other", "src"),),
    ),
    over("zero_", "()", "mindspore.ops.zeros_like(X)"),
    over("fill_", "value", "mindspore.ops.full_like(X, {value})"),
    over("normal_", "mean=0, std=1, *, generator=None", "mindspore.ops.normal(X.shape, {mean}, {std})", _DRAWN),
    over(
        "uniform_",
        "from_=0, to=1, *, generator=None",
        "mindspore.ops.rand_like(X) * (({to}) - ({from_})) + ({from_})",
        _DRAWN,
    ),
    over(
        "bernoulli_",
        "p=0.5, *, generator=None",
        "mindspore.ops.bernoulli(X, {p})",
        _DRAWN,
        floats=("p",),
    ),
    over("fill_diagonal_", "fill_value, wrap=False", "X.fill_diagonal(float({fill_value}), {wrap})"),
    *(
        Rule(f"torch.Tensor.{name}_", by_hand=_NEW_SHAPE.format(name=name))
        for name in ("unsqueeze", "squeeze", "t", "transpose", "swapaxes", "swapdims", "resize", "set")
    ),
)
