"""The functions that put together, cut, turn and stretch: a row each where both signatures do not say it all."""

from __future__ import annotations

import ast

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.conversions import no_list, one_shape
from tracer.source.rewriting.rules import ByHand, Rule, Written, constant, to
from tracer.source.rewriting.writing import Value

_ONE_DTYPE = "MindSpore's tensors must be of one dtype here: torch widens them by itself"


def all_of(name: str) -> Rule:
    """`torch.atleast_1d(a, b)`: a tensor, or several as one tuple."""
    return Rule(
        f"torch.{name}",
        f"mindspore.ops.{name}",
        takes="*tensors",
        arguments=(to("*tensors", "inputs", convert=one_shape, form=True, loud=True),),
    )


def _cuts(name: str, axis: bool) -> tuple[Rule, ...]:
    """`torch.tensor_split` and its kin, whose number or places of cuts have three names."""
    given = (to("dim", "axis"),) if axis else ()
    more = ", dim=0" if axis else ""
    return tuple(
        Rule(
            f"torch.{name}",
            f"mindspore.ops.{name}",
            takes=f"input, {where}{more}",
            arguments=("input", to(where, "indices_or_sections"), *given),
        )
        for where in ("indices_or_sections", "sections", "indices", "tensor_indices_or_sections")
    )


def repeatable(value: Value) -> bool:
    """May the value be written twice: a name, or attributes and constant places of one?"""
    node = value.node
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, (ast.Constant, ast.Name)):
            return False
        node = node.value
    return isinstance(node, ast.Name)


def twice(value: Value, text: str) -> str:
    """`text`, which names the value as X more than once; what cannot be written twice becomes a lambda's argument."""
    if repeatable(value):
        return text.replace("X", value.text)
    return f"(lambda it: {text.replace('X', 'it')})({value.text})"


def _unflattened(bound: Bound) -> Written:
    dim, value = bound.literal("dim"), bound.value("input")
    if not isinstance(dim, int) or value is None:
        raise ByHand("MindSpore has no unflatten: reshape, with the sizes of the other dimensions")
    after = "" if dim == -1 else f" + X.shape[{dim + 1}:]"
    text = f"X.reshape(X.shape[:{dim}] + tuple({bound.text('sizes')}){after})"
    return Written(twice(value, text), ("MindSpore has no unflatten: the tensor is reshaped",))


def _diagonal_or_matrix(bound: Bound) -> Written:
    value, offset = bound.value("input"), bound.text("diagonal")
    assert value is not None
    text = f"(mindspore.ops.diag_embed(X, {offset}) if X.ndim == 1 else X.diagonal({offset}))"
    if bound.literal("diagonal") == 0:
        text = "(mindspore.ops.diag_embed(X) if X.ndim == 1 else X.diagonal())"
    return Written(
        twice(value, text),
        ("MindSpore's diag makes a matrix of every row of a matrix",),
        silent=not bound.has("diagonal"),
    )


def _numel(bound: Bound) -> Written:
    return Written(f"mindspore.ops.numel({bound.text('input')})", status="same")


def _mint_flatten(bound: Bound) -> Written:
    given = [
        bound.text("input"),
        *(f"{name}={bound.text(name)}" for name in ("start_dim", "end_dim") if bound.has(name)),
    ]
    return Written(f"mindspore.mint.flatten({', '.join(given)})", status="same")


SHAPING: tuple[Rule, ...] = (
    *(
        Rule(
            f"torch.{name}",
            "mindspore.ops.cat",
            mint=f"mindspore.mint.{mint}",
            takes="tensors, dim=0, *, out=None",
            arguments=("tensors", to("dim", "axis")),
            mint_arguments=("tensors", "dim"),
            advice=_ONE_DTYPE,
        )
        for name, mint in (("cat", "cat"), ("concat", "concat"), ("concatenate", "cat"))
    ),
    Rule(
        "torch.stack",
        "mindspore.ops.stack",
        mint="mindspore.mint.stack",
        takes="tensors, dim=0, *, out=None",
        arguments=("tensors", to("dim", "axis")),
        mint_arguments=("tensors", "dim"),
        advice=_ONE_DTYPE,
    ),
    *(all_of(name) for name in ("atleast_1d", "atleast_2d", "atleast_3d")),
    *_cuts("tensor_split", axis=True),
    *_cuts("hsplit", axis=False),
    *_cuts("vsplit", axis=False),
    *(
        Rule(
            "torch.dsplit",
            "mindspore.ops.tensor_split",
            takes=f"input, {where}",
            arguments=("input", to(where, "indices_or_sections"), constant("axis", "2")),
        )
        for where in ("sections", "indices")
    ),
    Rule(
        "torch.broadcast_to",
        "mindspore.ops.broadcast_to",
        mint="mindspore.mint.broadcast_to",
        takes="input, size",
        arguments=("input", to("size", "shape")),
        mint_arguments=("input", to("size", "shape")),
    ),
    Rule(
        "torch.broadcast_tensors", by_hand="broadcast each tensor by itself: mindspore.ops.broadcast_to(tensor, shape)"
    ),
    Rule(
        "torch.meshgrid",
        "mindspore.ops.meshgrid",
        mint="mindspore.mint.meshgrid",
        takes="*tensors, indexing='ij'",
        when=lambda call: len(call.rest) > 1,
        arguments=("*tensors", to("indexing", always=True, keyword=True)),
        mint_arguments=("*tensors", to("indexing", keyword=True)),
    ),
    Rule(
        "torch.meshgrid",
        "mindspore.ops.meshgrid",
        mint="mindspore.mint.meshgrid",
        takes="*tensors, indexing='ij'",
        arguments=(
            to("*tensors", "inputs", convert=lambda value: f"*{one_shape(value)}", form=True, loud=True),
            to("indexing", always=True, keyword=True),
        ),
        mint_arguments=("*tensors", to("indexing", keyword=True)),
        silent=False,
    ),
    Rule(
        "torch.flatten",
        "mindspore.ops.flatten",
        mint="mindspore.mint.flatten",
        takes="input, start_dim=0, end_dim=-1",
        arguments=("input", to("start_dim", always=True, keyword=True), to("end_dim", keyword=True)),
        mint_write=_mint_flatten,
        silent=lambda call: not call.has("start_dim"),
    ),
    Rule("torch.unflatten", "mindspore.Tensor.reshape", takes="input, dim, sizes", write=_unflattened),
    Rule(
        "torch.permute",
        "mindspore.ops.permute",
        mint="mindspore.mint.permute",
        takes="input, dims",
        arguments=("input", to("dims", "axis")),
        mint_arguments=("input", to("dims", convert=no_list, form=True, loud=True)),
    ),
    Rule("torch.adjoint", "mindspore.ops.adjoint", takes="input", arguments=(to("input", "x"),)),
    Rule(
        "torch.diag",
        "mindspore.ops.diag",
        mint="mindspore.mint.diag",
        takes="input, diagonal=0, *, out=None",
        write=_diagonal_or_matrix,
        mint_arguments=("input", "diagonal"),
    ),
    Rule(
        "torch.cartesian_prod",
        "mindspore.ops.cartesian_prod",
        takes="*tensors",
        arguments=("*tensors",),
        when=lambda call: len(call.rest) > 1,
    ),
    Rule("torch.numel", "mindspore.ops.numel", takes="input", write=_numel),
    Rule(
        "torch.clone",
        "mindspore.Tensor.copy",
        mint="mindspore.mint.clone",
        takes="input, *, memory_format=None",
        write=lambda call: Written(f"{call.atom('input')}.copy()"),
        mint_arguments=("input",),
    ),
    Rule(
        "torch.roll",
        "mindspore.ops.roll",
        mint="mindspore.mint.roll",
        takes="input, shifts, dims=None",
        arguments=("input", "shifts", "dims"),
        mint_arguments=("input", "shifts", "dims"),
    ),
    Rule(
        "torch.narrow",
        "mindspore.ops.narrow",
        mint="mindspore.mint.narrow",
        takes="input, dim, start, length",
        arguments=("input", to("dim", "axis"), "start", "length"),
        mint_arguments=("input", "dim", "start", "length"),
        when=lambda call: not below_zero(call.literal("start")),
    ),
    Rule("torch.view_as_real", "mindspore.ops.view_as_real", takes="input", arguments=("input",)),
)


def below_zero(worth: object) -> bool:
    """Is it a number under zero?"""
    return isinstance(worth, (int, float)) and worth < 0
