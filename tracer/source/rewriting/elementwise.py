"""The functions that work element by element: a row each where both signatures do not say it all."""

from __future__ import annotations

from dataclasses import replace

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.conversions import as_float, as_tensor
from tracer.source.rewriting.rules import ByHand, Rule, Written, to
from tracer.source.rewriting.shaping import repeatable, twice
from tracer.source.rewriting.writing import Value


def _same(torch: str, own: str, *arguments: str, mint: str | None = None) -> Rule:
    """A function that MindSpore has, whatever its parameters are called."""
    names = arguments or ("input",)
    return Rule(
        f"torch.{torch}",
        f"mindspore.ops.{own}",
        mint=f"mindspore.mint.{mint}" if mint else None,
        takes=f"{', '.join(names)}, *, out=None",
        arguments=names,
        mint_arguments=names,
    )


def _whole(value: Value) -> str:
    worth = value.literal
    if isinstance(worth, (int, float)) and float(worth) in (float("inf"), float("-inf")):
        raise ByHand("MindSpore takes no infinite p there")
    if isinstance(worth, float) and worth.is_integer():
        return str(int(worth))
    if isinstance(worth, float) or value.text.startswith("float("):
        raise ByHand("MindSpore takes a whole number as p there")
    return value.text


def _rounded(call: Bound) -> Written:
    """To so many places: MindSpore rounds to whole numbers alone."""
    decimals = call.literal("decimals")
    if not isinstance(decimals, int):
        raise ByHand("MindSpore's round knows no decimals on the CPU: round x * 10 ** n and divide again")
    if decimals == 0:
        return Written(f"mindspore.ops.round({call.text('input')})", status="same")
    value = call.value("input")
    assert value is not None
    factor, back = (f"{10 ** abs(decimals)}", "/") if decimals > 0 else (f"{10 ** abs(decimals)}", "*")
    text = f"mindspore.ops.round({value.atom} {'*' if decimals > 0 else '/'} {factor}) {back} {factor}"
    return Written(text, ("MindSpore's round knows no decimals on the CPU",))


def _reversed(call: Bound) -> Written:
    first = f"{call.atom('input')} * {call.atom('alpha')}" if call.literal("alpha") != 1 else call.text("input")
    return Written(
        f"mindspore.ops.sub({call.text('other')}, {first})",
        ("MindSpore has no rsub: the other comes first",),
        not call.has("alpha"),
    )


def _by_dtype(call: Bound) -> Written:
    """Not bit by bit: MindSpore has no kernel for it on the CPU."""
    value = call.value("input")
    assert value is not None
    text = "(mindspore.ops.logical_not(X) if X.dtype == mindspore.bool_ else mindspore.ops.bitwise_xor(X, -1))"
    return Written(twice(value, text), ("MindSpore's bitwise_not has no kernel on the CPU",))


def _product_with_log(call: Bound) -> Written:
    if isinstance(call.literal("input"), (int, float)):
        raise ByHand("mint's takes no number first")
    return Written(f"mindspore.mint.xlogy({call.text('input')}, {call.text('other')})", status="same")


def _alike(call: Bound) -> Written:
    """One answer: of one shape, and equal everywhere."""
    one, other = call.value("input"), call.value("other")
    assert one is not None
    assert other is not None
    if not repeatable(one) or not repeatable(other):
        raise ByHand("give both names: a.shape == b.shape and bool((a == b).all())")
    text = f"({one.text}.shape == {other.text}.shape and bool(({one.text} == {other.text}).all()))"
    return Written(text, ("MindSpore's equal answers for each element",), silent=True)


ELEMENTWISE: tuple[Rule, ...] = (
    _same("true_divide", "div", "input", "other", mint="div"),
    _same("positive", "positive"),
    _same("fix", "trunc", mint="fix"),
    _same("lgamma", "lgamma"),
    _same("fmin", "fmin", "input", "other"),
    _same("bitwise_left_shift", "bitwise_left_shift", "input", "other"),
    _same("bitwise_right_shift", "bitwise_right_shift", "input", "other"),
    _same("special.erf", "erf", mint="erf"),
    _same("special.erfinv", "erfinv", mint="erfinv"),
    _same("special.expit", "sigmoid", mint="sigmoid"),
    _same("special.digamma", "digamma"),
    _same("special.psi", "digamma"),
    _same("special.gammaln", "lgamma"),
    _same("special.i0", "bessel_i0"),
    _same("special.i0e", "bessel_i0e"),
    _same("special.i1", "bessel_i1"),
    _same("special.i1e", "bessel_i1e"),
    *(
        Rule(
            name,
            "mindspore.ops.xlogy",
            mint="mindspore.mint.xlogy",
            takes="input, other, *, out=None",
            arguments=("input", "other"),
            mint_write=_product_with_log,
        )
        for name in ("torch.xlogy", "torch.special.xlogy")
    ),
    Rule(
        "torch.special.logit",
        "mindspore.ops.logit",
        takes="input, eps=None, *, out=None",
        arguments=("input", "eps"),
    ),
    Rule("torch.bitwise_not", "mindspore.mint.bitwise_not", takes="input, *, out=None", write=_by_dtype),
    Rule(
        "torch.equal",
        "mindspore.ops.equal",
        mint="mindspore.mint.equal",
        takes="input, other",
        write=_alike,
        mint_arguments=("input", "other"),
    ),
    Rule(
        "torch.div",
        "mindspore.ops.floor_divide",
        mint="mindspore.mint.floor_divide",
        takes="input, other, *, rounding_mode=None, out=None",
        when=lambda call: call.literal("rounding_mode") == "floor",
        arguments=("input", "other"),
        mint_arguments=("input", "other"),
        drops=("rounding_mode",),
        silent=False,
    ),
    Rule(
        "torch.div",
        "mindspore.ops.div",
        mint="mindspore.mint.div",
        takes="input, other, *, rounding_mode=None, out=None",
        arguments=("input", "other", to("rounding_mode", keyword=True)),
        mint_arguments=("input", "other", to("rounding_mode", keyword=True)),
    ),
    Rule(
        "torch.Tensor.div",
        "mindspore.Tensor.div",
        takes="other, *, rounding_mode=None",
        when=lambda call: call.literal("rounding_mode") != "floor",
        arguments=("other", to("rounding_mode", keyword=True)),
    ),
    Rule(
        "torch.rsub",
        "mindspore.ops.sub",
        takes="input, other, *, alpha=1",
        write=_reversed,
    ),
    *(
        Rule(
            name,
            "mindspore.ops.round",
            mint="mindspore.mint.round",
            takes="input, *, decimals=0, out=None",
            write=_rounded,
            mint_write=lambda call: replace(_rounded(call), text=_rounded(call).text.replace(".ops.", ".mint.")),
        )
        for name in ("torch.round", "torch.special.round")
    ),
    Rule(
        "torch.lerp",
        "mindspore.ops.lerp",
        mint="mindspore.mint.lerp",
        takes="input, end, weight, *, out=None",
        arguments=("input", "end", to("weight", convert=as_float, form=True)),
        mint_arguments=("input", "end", to("weight", convert=as_float, form=True)),
    ),
    *(
        Rule(
            name,
            "mindspore.ops.polygamma",
            takes="n, input, *, out=None",
            arguments=(to("n", convert=as_tensor, loud=True, why="n is a tensor in MindSpore"), "input"),
        )
        for name in ("torch.polygamma", "torch.special.polygamma")
    ),
    Rule(
        "torch.dist",
        "mindspore.ops.dist",
        takes="input, other, p=2",
        arguments=("input", "other", to("p", convert=_whole, form=True)),
    ),
    *(
        Rule(
            f"torch.{name}",
            "mindspore.ops.mean",
            mint="mindspore.mint.mean",
            takes=takes,
            arguments=("input", to("dim", "axis"), to("keepdim", "keep_dims"))[: 1 if "dim" not in takes else 3],
            mint_arguments=("input", "dim", "keepdim", to("dtype", keyword=True))
            if "dim" in takes
            else ("input", to("dtype", keyword=True)),
        )
        for name, takes in (
            ("mean", "input, *, dtype=None, out=None"),
            ("mean", "input, dim, keepdim=False, *, dtype=None, out=None"),
        )
    ),
)
