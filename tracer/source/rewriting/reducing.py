"""The functions that sum up, order and count: a row each where both signatures do not say it all."""

from __future__ import annotations

import ast

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.conversions import as_bool, as_float, no_list
from tracer.source.rewriting.rules import Argument, ByHand, Rule, Written, made, to
from tracer.source.rewriting.shaping import repeatable
from tracer.source.rewriting.suggestion import Status
from tracer.source.rewriting.writing import NOT_LITERAL, with_pieces

_PLACES = "the places are of dtype int32 in MindSpore"
_BYTES = "of whole numbers MindSpore looks at one byte: it is given truth values, and gives dtype bool"
_PAIR = "a plain tuple in MindSpore: [0] for .values, [1] for .indices"


def _ddof(bound: Bound) -> str:
    """How much less than the count the squares are divided by."""
    if bound.has("correction") and bound.literal("correction") is not None:
        return bound.text("correction")
    worth = bound.literal("unbiased")
    if worth is NOT_LITERAL and bound.has("unbiased"):
        return f"int({bound.text('unbiased')})"
    return "0" if worth is False else "1"


def _spread(name: str) -> tuple[Rule, ...]:
    """`std`, `var` and their kin: torch divides by one less than the count, MindSpore by the count."""
    mint_ddof = made("correction", lambda call: None if _ddof(call) == "1" else _ddof(call))
    forms = (
        ("input, unbiased=True", lambda call: call.has("unbiased") and isinstance(call.literal("unbiased"), bool)),
        ("input, dim=None, unbiased=True, keepdim=False, *, out=None", None),
        ("input, dim=None, *, correction=1, keepdim=False, out=None", None),
    )
    return tuple(
        Rule(
            f"torch.{name}",
            f"mindspore.ops.{name}",
            mint=f"mindspore.mint.{name}",
            takes=takes,
            when=when,
            arguments=(
                "input",
                to("dim", "axis", convert=no_list, form=True),
                made("ddof", _ddof, "ddof left out is 0 in MindSpore: torch divides by one less"),
                to("keepdim", "keepdims", keyword=True),
            ),
            mint_arguments=("input", "dim", mint_ddof, to("keepdim", keyword=True)),
            drops=("unbiased", "correction"),
            silent=False if when else None,
        )
        for takes, when in forms
    )


def has_dimension(call: Bound) -> bool:
    """Is the second argument a dimension, and not another tensor?"""
    return "dim" not in call.positional or call.has("keepdim") or isinstance(call.literal("dim"), int)


def _largest(name: str) -> tuple[Rule, ...]:
    """`max` and `min`: along a dimension, of all, of two; MindSpore's ops give the place too, whatever is asked."""
    ops, mint = f"mindspore.ops.{name}", f"mindspore.mint.{name}"
    return (
        Rule(
            f"torch.{name}",
            ops,
            mint=mint,
            takes="input, dim, keepdim=False, *, out=None",
            when=has_dimension,
            arguments=("input", to("dim", "axis"), to("keepdim", "keepdims")),
            mint_arguments=("input", "dim", "keepdim"),
            differences=(_PAIR,),
            mint_differences=(_PAIR,),
        ),
        Rule(
            f"torch.{name}",
            ops,
            mint=mint,
            takes="input, *, out=None",
            write=lambda call: Written(
                f"{ops}({call.text('input')})[0]", (f"MindSpore's {name} gives the place too",), silent=True
            ),
            mint_arguments=("input",),
        ),
        Rule(
            f"torch.{name}",
            ops,
            mint=mint,
            takes="input, other, *, out=None",
            write=lambda call: Written(
                f"{mint}({call.text('input')}, {call.text('other')})",
                (f"mindspore.ops.{name} takes no other tensor: mint's does, and a dimension too",),
            ),
            mint_write=lambda call: Written(
                f"{mint}({call.text('input')}, {call.text('other')})",
                status="same" if "other" in call.positional else "renamed",
            ),
        ),
    )


def _ordered(name: str, *mine: Argument | str, takes: str, mint: tuple[Argument | str, ...], pair: bool) -> Rule:
    return Rule(
        f"torch.{name}",
        f"mindspore.ops.{name}",
        mint=f"mindspore.mint.{name}",
        takes=takes,
        arguments=mine,
        mint_arguments=mint,
        differences=(_PLACES, _PAIR) if pair else (_PLACES,),
        mint_differences=(_PAIR,) if pair else (),
    )


def _unique(bound: Bound) -> Written:
    """Only what stands on its own: the distinct values, sorted."""
    if bound.literal("return_inverse") or bound.literal("return_counts") or bound.literal("dim") is not None:
        raise ByHand("on the CPU MindSpore has the values alone, in the order of their first place, and the inverse")
    text = f"mindspore.ops.unique({bound.text('input')})[0]"
    said = ("MindSpore's unique gives the inverse too, and the values in the order of their first place",)
    return Written(f"mindspore.ops.sort({text})[0]", said, silent=not bound.has("sorted"))


def _counted(bound: Bound) -> Written:
    given = [bound.text("input")]
    given += [f"{name}={bound.text(name)}" for name in ("weights", "minlength") if bound.has(name)]
    text = f"mindspore.ops.bincount({', '.join(given)})"
    if bound.literal("weights") is not None:
        return Written(text, ("of whole numbers as weights MindSpore makes float32",))
    return Written(f"{text}.astype(mindspore.int64)", ("MindSpore's counts are of dtype float32",))


def _searched(bound: Bound) -> Written:
    """`searchsorted`: of one row for all by MindSpore's numpy, of a row for each by counting what is smaller."""
    side = bound.literal("side") if bound.literal("side") is not None else bound.literal("right")
    if bound.literal("sorter") is not None or side not in ("left", "right", True, False):
        raise ByHand("count what is smaller: (sequence[..., None, :] < values[..., None]).sum(-1), <= from the right")
    more, smaller = (", 'right'", "<=") if side in ("right", True) else ("", "<")
    text = (
        f"mindspore.numpy.searchsorted(S, X{more}) if S.ndim == 1 else (S[..., None, :] {smaller} X[..., None]).sum(-1)"
    )
    text = f"({text}).astype(mindspore.{'int32' if bound.literal('out_int32') is True else 'int64'})"
    sequence, values = bound.given["sorted_sequence"], bound.given["input"]
    if repeatable(sequence) and repeatable(values):
        names = {"S": sequence.node, "X": values.node}
        tree = ast.parse(text, mode="eval").body
        places: dict[ast.AST, ast.expr] = {}
        places |= {node: names[node.id] for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in names}
        text = ast.unparse(with_pieces(tree, places))
    else:
        text = f"(lambda S, X: {text})({sequence.text}, {values.text})"
    return Written(text, ("MindSpore's kernel refuses the shapes, for some calls and not for others",))


def _norm(bound: Bound) -> Written:
    """`torch.norm`: of a whole tensor its elements are one vector, whatever its shape."""
    worth, dim, given = bound.literal("p"), bound.literal("dim"), bound.value("dim")
    more = [f"axis={no_list(given)}"] if dim is not None and given is not None else []
    more += [
        f"{own}={bound.text(name)}" for name, own in (("keepdim", "keepdims"), ("dtype", "dtype")) if bound.has(name)
    ]
    order = "2" if worth in ("fro", None) else bound.text("p")
    if worth == "nuc" or (worth is NOT_LITERAL and not _is_infinite(order) and dim is None):
        raise ByHand("which norm it is cannot be read off the source: mindspore.ops.norm(x, ord, dim)")
    text = f"mindspore.ops.vector_norm({', '.join([bound.text('input'), *([] if order == '2' else [order]), *more])})"
    return Written(
        text,
        ("MindSpore's ops.norm takes the norm of a matrix: vector_norm is of all elements",),
        "p" in bound.positional and dim is None and worth not in ("fro", None),
    )


def _is_infinite(text: str) -> bool:
    return "inf" in text


def _may_be_whole(call: Bound) -> bool:
    """Does it go unnoticed that MindSpore looks at one byte of whole numbers? Classic refuses the names of torch."""
    value = call.value("input")
    by_name = {"dim", "keepdim"} & (set(call.given) - set(call.positional))
    return value is not None and as_bool(value) != value.text and not by_name


def _any_of_mint(call: Bound) -> Written:
    value = call.value("input")
    assert value is not None
    given = [as_bool(value), *(call.text(name) for name in ("dim", "keepdim") if name in call.positional)]
    given += [
        f"{name}={call.text(name)}" for name in ("dim", "keepdim") if name in set(call.given) - {*call.positional}
    ]
    differs = given[0] != value.text
    status: Status | None = None if differs else "same"
    return Written(f"mindspore.mint.any({', '.join(given)})", (_BYTES,) if differs else (), differs, status)


def _truth(name: str) -> Rule:
    return Rule(
        f"torch.{name}",
        f"mindspore.ops.{name}",
        mint=f"mindspore.mint.{name}",
        takes="input, dim=None, keepdim=False, *, out=None",
        arguments=(
            to("input", convert=as_bool, loud=True, why=_BYTES),
            to("dim", "axis"),
            to("keepdim", "keep_dims"),
        ),
        mint_arguments=(to("input", convert=as_bool, loud=True, why=_BYTES), "dim", "keepdim"),
        silent=_may_be_whole if name == "any" else False,
        mint_write=_any_of_mint if name == "any" else None,
    )


def _trapezoids(name: str) -> tuple[Rule, ...]:
    dim = to("dim", keyword=True)
    return (
        Rule(
            f"torch.{name}",
            "mindspore.ops.trapz",
            takes="y, *, dx=1.0, dim=-1",
            arguments=("y", to("dx", convert=as_float, keyword=True, form=True), dim),
        ),
        Rule(f"torch.{name}", "mindspore.ops.trapz", takes="y, x, *, dim=-1", arguments=("y", "x", dim)),
    )


def _nansum(bound: Bound) -> Written:
    own = (("dim", "axis"), ("keepdim", "keepdims"), ("dtype", "dtype"))
    given = [bound.text("input"), *(f"{new}={bound.text(old)}" for old, new in own if bound.has(old))]
    return Written(f"mindspore.ops.nansum({', '.join(given)})", ("mint's nansum refuses dim and keepdim",))


def _nonzeros(bound: Bound) -> Written:
    where = f"mindspore.ops.ne({bound.text('input')}, 0)"
    along = "" if bound.literal("dim") is None else bound.text("dim")
    return Written(f"{where}.sum({along})", ("MindSpore counts no truth values, and others in dtype int32",))


def _middle(name: str) -> tuple[Rule, ...]:
    """`median` and `nanmedian`: of all, or along a dimension with the places."""
    mint = "mindspore.mint.median" if name == "median" else None
    return (
        Rule(
            f"torch.{name}",
            f"mindspore.ops.{name}",
            mint=mint,
            takes="input, dim, keepdim=False, *, out=None",
            arguments=("input", to("dim", "axis"), to("keepdim", "keepdims")),
            mint_arguments=("input", "dim", "keepdim"),
            differences=(_PAIR,),
            mint_differences=(_PAIR,),
        ),
        Rule(
            f"torch.{name}",
            f"mindspore.ops.{name}",
            mint=mint,
            takes="input, *, out=None",
            write=lambda call: Written(
                f"mindspore.ops.{name}({_flat(call)})[0]",
                ("MindSpore's median is along the last dimension, with the place",),
                silent=True,
            ),
            mint_arguments=("input",),
        ),
    )


def _flat(call: Bound) -> str:
    value = call.value("input")
    assert value is not None
    return f"{value.atom}.reshape(-1)"


REDUCING: tuple[Rule, ...] = (
    _truth("any"),
    _truth("all"),
    *(
        Rule(
            f"torch.{name}",
            f"mindspore.ops.{name}",
            mint=f"mindspore.mint.{name}",
            takes="input, dim=(), keepdim=False, *, out=None",
            arguments=("input", to("dim", "axis"), to("keepdim", "keepdims")),
            mint_arguments=("input", "dim", "keepdim"),
        )
        for name in ("amax", "amin")
    ),
    Rule(
        "torch.argmin",
        "mindspore.ops.argmin",
        mint="mindspore.mint.argmin",
        takes="input, dim=None, keepdim=False, *, out=None",
        arguments=("input", to("dim", "axis"), to("keepdim", "keepdims")),
        mint_arguments=("input", "dim", "keepdim"),
        differences=(_PLACES,),
    ),
    Rule(
        "torch.cummax",
        "mindspore.ops.cummax",
        mint="mindspore.mint.cummax",
        takes="input, dim, *, out=None",
        arguments=("input", to("dim", "axis")),
        mint_arguments=("input", "dim"),
        differences=(_PAIR,),
        mint_differences=(_PAIR,),
    ),
    Rule(
        "torch.nansum",
        "mindspore.ops.nansum",
        takes="input, dim=None, keepdim=False, *, dtype=None",
        arguments=("input", to("dim", "axis"), to("keepdim", "keepdims"), to("dtype", keyword=True)),
        mint_write=_nansum,
    ),
    Rule(
        "torch.cummin",
        "mindspore.ops.cummin",
        mint="mindspore.mint.cummin",
        takes="input, dim, *, out=None",
        arguments=("input", to("dim", "axis")),
        mint_arguments=("input", "dim"),
        differences=(_PLACES, _PAIR),
        mint_differences=(_PAIR,),
    ),
    *(
        Rule(
            f"torch.{name}",
            f"mindspore.ops.{name}",
            mint=f"mindspore.mint.{name}",
            takes="input, dim, *, dtype=None, out=None",
            arguments=("input", to("dim", axis), to("dtype", keyword=True)),
            mint_arguments=("input", "dim", to("dtype", keyword=True)),
            advice="of truth values and int32 torch sums in int64: give MindSpore an int64",
        )
        for name, axis in (("cumsum", "axis"), ("cumprod", "dim"))
    ),
    *(rule for name in ("std", "var", "std_mean", "var_mean") for rule in _spread(name)),
    *_largest("max"),
    *_largest("min"),
    _ordered(
        "sort",
        to("input", "input_x"),
        to("dim", "axis"),
        "descending",
        takes="input, dim=-1, descending=False, stable=False, *, out=None",
        mint=("input", to("dim", keyword=True), to("descending", keyword=True), to("stable", keyword=True)),
        pair=True,
    ),
    _ordered(
        "argsort",
        "input",
        to("dim", "axis"),
        "descending",
        takes="input, dim=-1, descending=False, stable=False",
        mint=("input", "dim", "descending", to("stable", keyword=True)),
        pair=False,
    ),
    _ordered(
        "topk",
        "input",
        "k",
        to("dim", always=True, loud=True),
        "largest",
        "sorted",
        takes="input, k, dim=-1, largest=True, sorted=True, *, out=None",
        mint=("input", "k", "dim", "largest", "sorted"),
        pair=True,
    ),
    *(rule for name in ("median", "nanmedian") for rule in _middle(name)),
    Rule(
        "torch.unique",
        "mindspore.ops.unique",
        mint="mindspore.mint.unique",
        takes="input, sorted=True, return_inverse=False, return_counts=False, dim=None",
        write=_unique,
        mint_arguments=("input", "sorted", "return_inverse", "return_counts", "dim"),
    ),
    Rule(
        "torch.unique_consecutive",
        "mindspore.ops.unique_consecutive",
        mint="mindspore.mint.unique_consecutive",
        takes="input, return_inverse=False, return_counts=False, dim=None",
        arguments=("input", "return_inverse", "return_counts", "dim"),
        mint_arguments=("input", "return_inverse", "return_counts", "dim"),
    ),
    Rule(
        "torch.bincount",
        "mindspore.ops.bincount",
        mint="mindspore.mint.bincount",
        takes="input, weights=None, minlength=0",
        write=_counted,
        mint_arguments=("input", "weights", "minlength"),
    ),
    Rule(
        "torch.bucketize",
        "mindspore.ops.bucketize",
        takes="input, boundaries, *, out_int32=False, right=False, out=None",
        when=lambda call: not isinstance(call.literal("input"), (int, float)),
        arguments=("input", "boundaries", to("right", keyword=True)),
        drops=("out_int32",),
        differences=("the places are of dtype int32 in MindSpore, whatever out_int32 says",),
    ),
    Rule(
        "torch.searchsorted",
        "mindspore.ops.searchsorted",
        mint="mindspore.mint.searchsorted",
        takes="sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None, out=None",
        when=lambda call: not isinstance(call.literal("input"), (int, float)),
        write=_searched,
        mint_write=_searched,
    ),
    Rule(
        "torch.norm",
        "mindspore.ops.norm",
        mint="mindspore.mint.norm",
        takes="input, p='fro', dim=None, keepdim=False, out=None, dtype=None",
        write=_norm,
        mint_arguments=("input", "p", "dim", "keepdim", to("dtype", keyword=True)),
    ),
    Rule(
        "torch.linalg.vector_norm",
        "mindspore.ops.vector_norm",
        mint="mindspore.mint.linalg.vector_norm",
        takes="x, ord=2, dim=None, keepdim=False, *, dtype=None, out=None",
        arguments=("x", "ord", to("dim", "axis"), to("keepdim", "keepdims"), to("dtype", keyword=True)),
        mint_arguments=("x", "ord", "dim", "keepdim", to("dtype", keyword=True)),
    ),
    Rule(
        "torch.diff",
        "mindspore.ops.diff",
        takes="input, n=1, dim=-1, prepend=None, append=None, *, out=None",
        arguments=(to("input", "x"), to("n", only=(1,)), to("dim", "axis"), "prepend", "append"),
    ),
    *_trapezoids("trapz"),
    *_trapezoids("trapezoid"),
    Rule(
        "torch.count_nonzero",
        "mindspore.ops.count_nonzero",
        mint="mindspore.mint.count_nonzero",
        takes="input, dim=None",
        write=_nonzeros,
        mint_arguments=("input", "dim"),
    ),
)
