"""How much a call computes, by formula: multiply-adds from its op, its settings and its shapes.

Formulas are those of the textbook algorithm, whatever the kernel really does (Winograd and FFT multiply less). Ops that
only go over elements (norms, activations, pooling) have no multiply-adds here: their elements are counted apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tracer.divergence.graph import CallGraph, CallId, Node
from tracer.divergence.rules import value_of
from tracer.trace.schema import ROOT, Layer, Value


@dataclass(frozen=True)
class Work:
    """What a call computes.

    Attributes:
        forward: multiply-adds of the forward; None where no formula knows the layer.
        backward: multiply-adds of the backward: as many as the forward has for the gradient of the input, and as many
            again for that of the weights where they are trained.
        elements: operations on single elements, of ops without multiply-adds.
        formula: in words; empty where there is none.
    """

    forward: int | None
    backward: int | None = None
    elements: int = 0
    formula: str = ""


UNKNOWN = Work(None)


def work_of(graph: CallGraph, id_: CallId) -> Work:
    """The work of one call that is judged whole; of containers sum up those inside."""
    node = graph.nodes[id_]
    op = node.meaning.op
    if not op or not node.outputs:
        return UNKNOWN
    found = _products(node, graph.layers)
    if found is not None:
        macs, formula = found
        times = 1 + _trained(node, graph.layers)
        return Work(macs, macs * times, formula=formula)
    elements = _elements(node)
    return UNKNOWN if elements is None else Work(0, 0, elements[0], elements[1])


def together(works: list[Work]) -> Work:
    """The work of several calls; those that no formula knows make a sum of the others only where there are any."""
    known = [work for work in works if work.forward is not None]
    if not known:
        return UNKNOWN
    return Work(
        sum(work.forward or 0 for work in known),
        sum(work.backward or 0 for work in known),
        sum(work.elements for work in known),
        known[0].formula if len({work.formula for work in known}) == 1 else "",
    )


# --------------------------------------------------------------------------------------------------------------------
# Products
# --------------------------------------------------------------------------------------------------------------------

Counted = tuple[int, str] | None


def _products(node: Node, layers: Mapping[str, Layer]) -> Counted:
    op = node.meaning.op
    if op == "transformer_encoder_layer":
        return _encoder_layer(node, layers)
    of = _BY_OP.get(op)
    return None if of is None else of(node)


def _linear(node: Node) -> Counted:
    features = _number(node, "in_features") or _last(_weight(node)) or _last(_shape(node.inputs))
    return None if features is None else (_numel(node.outputs) * features, "outputs * in_features")


def _bilinear(node: Node) -> Counted:
    first, second = _number(node, "in1_features"), _number(node, "in2_features")
    if first is None or second is None:
        return None
    return _numel(node.outputs) * first * (second + 1), "outputs * in1_features * (in2_features + 1)"


def _conv(node: Node) -> Counted:
    per_output = _kernel(node, "in_channels")
    return (
        None
        if per_output is None
        else (_numel(node.outputs) * per_output, "outputs * in_channels / groups * kernel size")
    )


def _conv_transpose(node: Node) -> Counted:
    per_input = _kernel(node, "out_channels")
    if per_input is None or not node.inputs:
        return None
    return _numel(node.inputs) * per_input, "inputs * out_channels / groups * kernel size"


def _kernel(node: Node, channels: str) -> int | None:
    """Channels of one group times the size of the kernel: what one output (input) is multiplied with."""
    shape = _weight(node)
    if shape is not None and len(shape) > 1:
        return math.prod(shape[1:])
    count, groups, kernel = _number(node, channels), _number(node, "groups") or 1, _sizes(node, "kernel_size")
    return None if count is None or kernel is None else count // groups * math.prod(kernel)


_GATES = {"lstm": 4, "gru": 3, "rnn": 1}


def _recurrent(node: Node) -> Counted:
    op = node.meaning.op.removesuffix("_cell")
    size, hidden = _number(node, "input_size"), _number(node, "hidden_size")
    if size is None or hidden is None or not node.inputs:
        return None
    steps = _numel(node.inputs) // max(size, 1)
    given = _number(node, "proj_size") or hidden
    directions = 2 if value_of(node.meaning, "bidirectional") is True else 1
    macs = 0
    for layer in range(_number(node, "num_layers") or 1):
        into = size if layer == 0 else given * directions
        macs += directions * (_GATES[op] * hidden * (into + given) + (given * hidden if given != hidden else 0))
    formula = "steps * samples * layers * directions * gates * hidden * (input + hidden)"
    return steps * macs, "samples * gates * hidden * (input + hidden)" if op != node.meaning.op else formula


def _attention(node: Node) -> Counted:
    embed = _number(node, "embed_dim")
    given = {value.leaf: value for value in node.inputs}
    query = given.get("0") or given.get("query")
    if embed is None or query is None or len(query.shape) not in {2, 3}:
        return None
    key = given.get("1") or given.get("key") or query
    value = given.get("2") or given.get("value") or key
    batch_first = value_of(node.meaning, "batch_first") is True
    samples, length = _lengths(query, batch_first=batch_first)
    _, source = _lengths(key, batch_first=batch_first)
    attended = source + (value_of(node.meaning, "add_bias_kv") is True)
    attended += value_of(node.meaning, "add_zero_attn") is True
    projections = embed * (2 * length * embed + source * (key.shape[-1] + value.shape[-1]))
    macs = samples * (projections + 2 * length * attended * embed)
    return macs, "the four projections + queries * keys * embed_dim for the scores and again for their sum"


def _encoder_layer(node: Node, layers: Mapping[str, Layer]) -> Counted:
    """An encoder layer inside which nothing was called (torch runs it as one in evaluation)."""
    inside = prefix(node.id.path)
    weights = [p.shape for path, layer in layers.items() if path.startswith(inside) for p in layer.parameters]
    matrices = sum(math.prod(shape) for shape in weights if len(shape) == 2)
    if node.children or not node.inputs or not matrices or len(node.inputs[0].shape) != 3:
        return None
    attention = layers.get(f"{inside}self_attn")
    batch_first = bool(attention and attention.settings.get("batch_first"))
    samples, length = _lengths(node.inputs[0], batch_first=batch_first)
    embed = node.inputs[0].shape[-1]
    return samples * length * (matrices + 2 * length * embed), "all its matrices for each position + the attention"


def _lengths(value: Value, *, batch_first: bool) -> tuple[int, int]:
    """How many samples, and how long each is."""
    if len(value.shape) == 2:
        return 1, value.shape[0]
    return (value.shape[0], value.shape[1]) if batch_first else (value.shape[1], value.shape[0])


_BY_OP: Mapping[str, Callable[[Node], Counted]] = {
    "linear": _linear,
    "bilinear": _bilinear,
    "multi_head_attention": _attention,
    **{f"conv{n}d": _conv for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": _conv_transpose for n in (1, 2, 3)},
    **dict.fromkeys(("lstm", "gru", "rnn", "lstm_cell", "gru_cell", "rnn_cell"), _recurrent),
}

# --------------------------------------------------------------------------------------------------------------------
# Elements
# --------------------------------------------------------------------------------------------------------------------


def _elements(node: Node) -> tuple[int, str] | None:
    """Operations on single elements of an op without multiply-adds."""
    op, family = node.meaning.op, node.meaning.family
    if op in {"identity", "flatten", "unflatten"} or (node.meaning.transparent and not node.call.training):
        return 0, "nothing is computed"
    if op == "embedding":
        return _numel(node.outputs), "elements looked up"
    if op == "embedding_bag":
        width = _last(_shape(node.outputs)) or 1
        return _numel(node.inputs) * width, "indices * embedding_dim"
    if "pool" in op:
        kernel = _sizes(node, "kernel_size")
        if kernel is None or "unpool" in op:
            return _numel(node.inputs), "elements of the input"
        rank = len(kernel) if len(kernel) > 1 else next((int(c) for c in op if c.isdigit()), 1)
        return _numel(node.outputs) * math.prod(kernel * rank if len(kernel) == 1 else kernel), "outputs * window"
    if family in {"norm", "activation", "softmax", "shape", "dropout", "loss"}:
        return max(_numel(node.inputs), _numel(node.outputs)), "elements"
    return None


# --------------------------------------------------------------------------------------------------------------------
# What a node says
# --------------------------------------------------------------------------------------------------------------------


def _numel(values: tuple[Value, ...]) -> int:
    """Elements of the first tensor."""
    return math.prod(values[0].shape) if values else 0


def _shape(values: tuple[Value, ...]) -> tuple[int, ...] | None:
    return values[0].shape if values else None


def _last(shape: tuple[int, ...] | None) -> int | None:
    return shape[-1] if shape else None


def _weight(node: Node) -> tuple[int, ...] | None:
    found = node.meaning.parameters.get("weight")
    return found.shape if found is not None else None


def _number(node: Node, name: str) -> int | None:
    value = value_of(node.meaning, name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _sizes(node: Node, name: str) -> list[int] | None:
    value = value_of(node.meaning, name)
    found = value if isinstance(value, list) else [value]
    return [v for v in found if isinstance(v, int)] if found and all(isinstance(v, int) for v in found) else None


def prefix(path: str) -> str:
    """What the paths of all layers inside a layer begin with."""
    return "" if path == ROOT else f"{path}."


def _trained(node: Node, layers: Mapping[str, Layer]) -> bool:
    """Are weights of the layer, or of what lies inside it, trained?"""
    inside = prefix(node.id.path)
    within = [layer for path, layer in layers.items() if path.startswith(inside)] if node.meaning.atomic else []
    return any(p.trainable and not p.buffer for layer in (node.layer, *within) for p in layer.parameters)
