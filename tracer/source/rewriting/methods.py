"""The methods of tensors: a row each where both signatures do not say it all, and the function of its name neither."""

from __future__ import annotations

import ast

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.conversions import no_list, one_shape, one_tuple
from tracer.source.rewriting.reducing import has_dimension
from tracer.source.rewriting.rules import Argument, ByHand, Rule, Writer, Written, to
from tracer.source.rewriting.shaping import below_zero
from tracer.source.rewriting.writing import Value

_ANY = "dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False"
_DTYPE = to("dtype", keyword=True)
_PAIR = "a plain tuple in MindSpore: [0] for .values, [1] for .indices"


def _it(bound: Bound) -> str:
    assert bound.receiver is not None
    return bound.receiver.atom


def _tiles(value: Value) -> str:
    """How often along each dimension: one number or tuple as it is, a list as a tuple."""
    if isinstance(value.node, ast.Tuple) and len(value.node.elts) == 1 and isinstance(value.node.elts[0], ast.List):
        return no_list(Value(value.node.elts[0], value.text[1:-2]))
    return one_shape(value)


def _sized(bound: Bound) -> Written:
    if bound.literal("dim") is None:
        return Written(f"{_it(bound)}.shape")
    return Written(f"{_it(bound)}.shape[{bound.text('dim')}]")


def _converted(dtype: str) -> Writer:
    def write(bound: Bound) -> Written:
        return Written(f"{_it(bound)}.to(mindspore.{dtype})")

    return write


def _new_full(bound: Bound) -> Written:
    dtype = bound.text("dtype") if bound.literal("dtype") is not None else f"{_it(bound)}.dtype"
    return Written(f"mindspore.ops.full({bound.text('size')}, {bound.text('fill_value')}, dtype={dtype})")


def _new_tensor(bound: Bound) -> Written:
    dtype = bound.text("dtype") if bound.literal("dtype") is not None else f"{_it(bound)}.dtype"
    return Written(f"mindspore.tensor({bound.text('data')}, dtype={dtype})")


def _typed(bound: Bound) -> Written:
    worth = bound.literal("dtype")
    if worth is None or isinstance(worth, str):
        raise ByHand("x.dtype says it in MindSpore; a dtype by its text: x.to(mindspore.float32)")
    return Written(f"{_it(bound)}.to({bound.text('dtype')})")


def _largest(name: str) -> tuple[Rule, ...]:
    method = f"mindspore.Tensor.{name}"
    return (
        Rule(f"torch.Tensor.{name}", method, takes="()", arguments=()),
        Rule(
            f"torch.Tensor.{name}",
            method,
            takes="dim, keepdim=False",
            when=has_dimension,
            arguments=("dim", "keepdim"),
            differences=(_PAIR,),
        ),
        Rule(
            f"torch.Tensor.{name}",
            f"mindspore.mint.{name}",
            takes="other",
            write=lambda call: Written(
                f"mindspore.mint.{name}({call.receiver.text if call.receiver else ''}, {call.text('other')})",
                ("MindSpore's method takes no other tensor: mint's function does",),
            ),
        ),
    )


def _same(
    name: str, takes: str, *arguments: Argument | str, differences: tuple[str, ...] = (), silent: bool | None = None
) -> Rule:
    """A method of the same name, where the function of that name is otherwise."""
    return Rule(
        f"torch.Tensor.{name}",
        f"mindspore.Tensor.{name}",
        takes=takes or "()",
        arguments=arguments,
        differences=differences,
        silent=silent,
    )


METHODS: tuple[Rule, ...] = (
    _same("view", "*size", "*size"),
    Rule("torch.Tensor.view", "mindspore.Tensor.view", takes="dtype", arguments=("dtype",)),
    _same("reshape", "*shape", "*shape"),
    _same("permute", "*dims", "*dims"),
    _same("mean", "dim=None, keepdim=False, *, dtype=None", "dim", "keepdim", _DTYPE),
    _same("flatten", "start_dim=0, end_dim=-1", "start_dim", "end_dim"),
    Rule(
        "torch.Tensor.expand",
        "mindspore.Tensor.broadcast_to",
        takes="*size, implicit=False",
        arguments=(to("*size", "shape", convert=one_shape, form=True),),
        silent=False,
    ),
    _same("broadcast_to", "*size", to("*size", "shape", convert=one_shape, form=True), silent=False),
    Rule(
        "torch.Tensor.repeat",
        "mindspore.Tensor.tile",
        takes="*repeats",
        arguments=(to("*repeats", "dims", convert=_tiles, form=True),),
        silent=False,
    ),
    _same("tile", "*dims", to("*dims", "dims", convert=_tiles, form=True)),
    _same("flip", "*dims", to("*dims", "dims", convert=one_tuple, form=True, loud=True)),
    Rule("torch.Tensor.size", "mindspore.Tensor.shape", takes="dim=None", write=_sized),
    _same("take", "index", "index", silent=False),
    _same("t", ""),
    _same("is_signed", ""),
    _same("is_complex", ""),
    _same("is_floating_point", ""),
    _same("double", ""),
    _same("bfloat16", ""),
    _same("type_as", "other", "other"),
    _same("tolist", ""),
    Rule("torch.Tensor.byte", "mindspore.Tensor.to", takes="()", write=_converted("uint8")),
    Rule("torch.Tensor.char", "mindspore.Tensor.to", takes="()", write=_converted("int8")),
    Rule("torch.Tensor.type", "mindspore.Tensor.to", takes="dtype=None, non_blocking=False", write=_typed),
    Rule(
        "torch.Tensor.element_size",
        "mindspore.Tensor.itemsize",
        takes="()",
        write=lambda call: Written(f"{_it(call)}.itemsize"),
    ),
    Rule("torch.Tensor.clone", "mindspore.Tensor.copy", takes="*, memory_format=None", arguments=()),
    _same("masked_scatter", "mask, source", "mask", "source"),
    Rule(
        "torch.Tensor.narrow",
        "mindspore.Tensor.narrow",
        takes="dim, start, length",
        when=lambda call: not below_zero(call.literal("start")),
        arguments=(to("dim", "axis"), "start", "length"),
        silent=False,
    ),
    _same(
        "nansum",
        "dim=None, keepdim=False, *, dtype=None",
        to("dim", "axis"),
        to("keepdim", "keepdims"),
        "dtype",
        silent=False,
    ),
    *_largest("max"),
    *_largest("min"),
    _same("new_zeros", f"*size, {_ANY}", to("*size", "size", convert=one_shape, form=True, loud=True), _DTYPE),
    _same("new_ones", f"*size, {_ANY}", to("*size", "size", convert=one_shape, form=True, loud=True), _DTYPE),
    Rule(
        "torch.Tensor.new_empty",
        "mindspore.Tensor.new_zeros",
        takes=f"*size, {_ANY}",
        arguments=(to("*size", "size", convert=one_shape, form=True, loud=True), _DTYPE),
    ),
    Rule("torch.Tensor.new_full", "mindspore.ops.full", takes=f"size, fill_value, *, {_ANY}", write=_new_full),
    Rule("torch.Tensor.new_tensor", "mindspore.tensor", takes=f"data, *, {_ANY}", write=_new_tensor),
    Rule(
        "torch.Tensor.unfold",
        by_hand="MindSpore has no unfold of a dimension: gather the windows by their places, "
        "mindspore.ops.stack([x[..., i:i + size] for i in range(0, n - size + 1, step)], -2)",
    ),
    Rule(
        "torch.Tensor.softmax",
        "mindspore.ops.softmax",
        mint="mindspore.mint.nn.functional.softmax",
        takes="dim, dtype=None",
        arguments=(to("dim", "axis"), to("dtype", keyword=True)),
        mint_arguments=("dim", to("dtype", keyword=True)),
    ),
)
