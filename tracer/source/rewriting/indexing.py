"""The functions that pick, place and fill: a row each where both signatures do not say it all."""

from __future__ import annotations

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.conversions import as_int32, one_of, plain_number
from tracer.source.rewriting.rules import ByHand, Rule, Written, constant, made, to
from tracer.source.rewriting.shaping import repeatable

_INT32 = "the index must be int32 in MindSpore"

_ONE_SHAPE = "index and src must be of one shape in MindSpore: cut src to the shape of index"


def _of_one_value(bound: Bound, name: str) -> Written:
    """`x.scatter(dim, index, 0.5)`: the value at every place of the index."""
    index, value, source = bound.value("index"), bound.text(name), bound.value("input")
    assert index is not None
    assert source is not None
    named = repeatable(index) and repeatable(source)
    it, places = (source.text, index.text) if named else ("it", "index")
    updates = f"mindspore.ops.full_like({places}, {value}, dtype={it}.dtype)"
    text = f"mindspore.ops.tensor_scatter_elements({it}, {places}, {updates}, {bound.text('dim')})"
    text = text if named else f"(lambda it, index: {text})({source.text}, {index.text})"
    return Written(text, ("MindSpore takes a tensor and no single value",))


def _added(bound: Bound) -> str:
    value = bound.value("source")
    assert value is not None
    return value.text if bound.literal("alpha") == 1 else f"{value.atom} * {bound.operand('alpha')}"


def _selected(bound: Bound) -> Written:
    dim, value = bound.literal("dim"), bound.value("input")
    assert value is not None
    if not isinstance(dim, int) or dim < -1:
        raise ByHand("index the tensor: x[:, i] for dimension 1")
    places = ", ".join([*[":"] * dim, bound.text("index")]) if dim >= 0 else f"..., {bound.text('index')}"
    return Written(f"{value.atom}[{places}]", ("MindSpore's select chooses by a condition: the tensor is indexed",))


def _filled(bound: Bound) -> Written:
    text = f"{bound.atom('input')}.masked_fill({bound.text('mask')}, {bound.text('value')})"
    return Written(text, ("MindSpore's function takes no whole number for a float tensor: the method does",))


def _receiver(bound: Bound) -> str:
    assert bound.receiver is not None
    return bound.receiver.text


INDEXING: tuple[Rule, ...] = (
    Rule(
        "torch.gather",
        "mindspore.ops.gather_elements",
        mint="mindspore.mint.gather",
        takes="input, dim, index, *, sparse_grad=False, out=None",
        arguments=("input", "dim", "index"),
        mint_arguments=("input", "dim", "index"),
        drops=("sparse_grad",),
    ),
    Rule(
        "torch.masked_fill",
        "mindspore.ops.masked_fill",
        takes="input, mask, value",
        when=lambda call: isinstance(call.literal("value"), int) and not isinstance(call.literal("value"), bool),
        write=_filled,
    ),
    Rule(
        "torch.masked_fill",
        "mindspore.ops.masked_fill",
        takes="input, mask, value",
        arguments=("input", "mask", to("value", convert=plain_number, form=True)),
    ),
    Rule(
        "torch.Tensor.masked_fill",
        "mindspore.Tensor.masked_fill",
        takes="mask, value",
        arguments=("mask", to("value", convert=plain_number, form=True)),
    ),
    Rule(
        "torch.nonzero",
        "mindspore.ops.nonzero",
        mint="mindspore.mint.nonzero",
        takes="input, *, as_tuple=False, out=None",
        when=lambda call: call.literal("as_tuple") is False,
        arguments=("input",),
        mint_arguments=("input", to("as_tuple", keyword=True)),
        drops=("as_tuple",),
    ),
    Rule(
        "torch.nonzero",
        "mindspore.ops.nonzero",
        mint="mindspore.mint.nonzero",
        takes="input, *, as_tuple=False, out=None",
        when=lambda call: call.literal("as_tuple") is True,
        write=lambda call: Written(
            f"tuple(mindspore.ops.nonzero({call.text('input')}).T)",
            ("as_tuple has no kernel on the CPU: the columns are taken apart",),
        ),
        mint_arguments=("input", to("as_tuple", keyword=True)),
    ),
    Rule(
        "torch.masked_scatter",
        "mindspore.ops.masked_scatter",
        takes="input, mask, source",
        write=lambda call: Written(
            f"{call.atom('input')}.masked_scatter({call.text('mask')}, {call.text('source')})",
            ("MindSpore has it as a method",),
        ),
    ),
    Rule("torch.argwhere", "mindspore.ops.argwhere", takes="input", arguments=("input",)),
    Rule(
        "torch.where",
        "mindspore.ops.nonzero",
        mint="mindspore.mint.where",
        takes="condition",
        write=lambda call: Written(
            f"tuple(mindspore.ops.nonzero({call.text('condition')}).T)",
            ("the places where it holds are nonzero's columns in MindSpore",),
            silent=True,
        ),
        mint_arguments=("condition",),
    ),
    Rule(
        "torch.where",
        "mindspore.ops.where",
        mint="mindspore.mint.where",
        takes="condition, input, other, *, out=None",
        arguments=("condition", "input", "other"),
        mint_arguments=("condition", "input", "other"),
    ),
    *(
        Rule(name, by_hand="index the tensor: y = x.copy(); y[indices] = values (y[indices] += values to accumulate)")
        for name in ("torch.index_put", "torch.Tensor.index_put")
    ),
    Rule(
        "torch.Tensor.where",
        "mindspore.ops.where",
        takes="condition, other",
        write=lambda call: Written(
            f"mindspore.ops.where({call.text('condition')}, {_receiver(call)}, {call.text('other')})",
            ("what the tensor is where the condition holds stands second",),
        ),
    ),
    Rule(
        "torch.scatter",
        "mindspore.ops.tensor_scatter_elements",
        mint="mindspore.mint.scatter",
        takes="input, dim, index, src, *, out=None",
        when=lambda call: not isinstance(call.literal("src"), (int, float)),
        arguments=(
            to("input", "input_x"),
            to("index", "indices", keyword=True),
            to("src", "updates", keyword=True),
            to("dim", "axis", keyword=True),
        ),
        mint_arguments=("input", "dim", "index", "src"),
        silent=False,
        advice=_ONE_SHAPE,
    ),
    Rule(
        "torch.scatter",
        "mindspore.ops.tensor_scatter_elements",
        takes="input, dim, index, src, *, reduce, out=None",
        when=lambda call: not isinstance(call.literal("src"), (int, float)),
        arguments=(
            to("input", "input_x"),
            to("index", "indices", keyword=True),
            to("src", "updates", keyword=True),
            to("dim", "axis", keyword=True),
            to("reduce", "reduction", convert=one_of({"add": "'add'"})),
        ),
        silent=False,
        advice=_ONE_SHAPE,
    ),
    Rule(
        "torch.scatter_add",
        "mindspore.ops.tensor_scatter_elements",
        mint="mindspore.mint.scatter_add",
        takes="input, dim, index, src",
        arguments=(
            to("input", "input_x"),
            to("index", "indices", keyword=True),
            to("src", "updates", keyword=True),
            to("dim", "axis", keyword=True),
            constant("reduction", "'add'"),
        ),
        mint_arguments=("input", "dim", "index", "src"),
        silent=False,
        advice=_ONE_SHAPE,
    ),
    Rule(
        "torch.scatter",
        "mindspore.ops.tensor_scatter_elements",
        takes="input, dim, index, value, *, out=None",
        write=lambda call: _of_one_value(call, "value"),
    ),
    *(
        Rule(
            f"torch.index_{what}",
            f"mindspore.ops.index_{what}",
            takes=f"input, dim, index, {value}",
            arguments=mine,
            drops=("source", "alpha"),
        )
        for what, value, mine in (
            (
                "add",
                "source, *, alpha=1, out=None",
                (
                    to("input", "x", convert=lambda value: f"{value.atom}.copy()", why="MindSpore adds in place"),
                    to("index", "indices", convert=as_int32, keyword=True, loud=True, why=_INT32),
                    made("y", _added),
                    to("dim", "axis", keyword=True),
                ),
            ),
            (
                "fill",
                "value",
                (
                    to("input", "x"),
                    to("dim", "axis"),
                    to("index", convert=as_int32, loud=True, why=_INT32),
                    "value",
                ),
            ),
        )
    ),
    Rule(
        "torch.index_select",
        "mindspore.ops.index_select",
        mint="mindspore.mint.index_select",
        takes="input, dim, index, *, out=None",
        arguments=("input", to("dim", "axis"), "index"),
        mint_arguments=("input", "dim", "index"),
    ),
    Rule(
        "torch.select",
        "mindspore.ops.select",
        mint="mindspore.mint.select",
        takes="input, dim, index",
        write=_selected,
        mint_arguments=("input", "dim", "index"),
    ),
    Rule(
        "torch.take_along_dim",
        "mindspore.ops.gather_elements",
        takes="input, indices, dim, *, out=None",
        when=lambda call: call.literal("dim") is not None,
        arguments=("input", to("dim", keyword=True), to("indices", "index", keyword=True)),
        advice="indices are not broadcast in MindSpore",
    ),
)
