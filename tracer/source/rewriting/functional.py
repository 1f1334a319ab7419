"""The functions of torch.nn.functional: a row each where both signatures do not say it all."""

from __future__ import annotations

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.conversions import as_float, as_int32, whole
from tracer.source.rewriting.padding import PADDING
from tracer.source.rewriting.rules import ByHand, Rule, Written, to
from tracer.source.rewriting.shaping import repeatable, twice
from tracer.source.rewriting.sliding import SLIDING
from tracer.source.rewriting.writing import NOT_LITERAL, Value, number

_F = "torch.nn.functional"
_MINT = "mindspore.mint.nn.functional"
_NO_KERNEL = "MindSpore's {name} has no kernel on the CPU: it is put together"


def _axis_of(call: Bound) -> str:
    """The first of the dimensions that are normalised, and so of the weights."""
    shape = call.value("normalized_shape")
    assert shape is not None
    worth = shape.literal
    if isinstance(worth, (tuple, list)):
        return str(-len(worth))
    elements = getattr(shape.node, "elts", None)
    return str(-len(elements)) if elements is not None else f"-len({shape.text})"


def _layer_norm(call: Bound) -> Written:
    source, axis, shape = call.value("input"), _axis_of(call), call.value("normalized_shape")
    assert source is not None
    assert shape is not None
    text = f"tuple({shape.text})" if shape.text.startswith("[") else shape.text
    weight = _given(call, "weight") or f"mindspore.ops.ones({text}, X.dtype)"
    bias = _given(call, "bias") or f"mindspore.ops.zeros({text}, X.dtype)"
    first = axis if axis == "-1" else f"X.ndim - {axis.removeprefix('-')}"
    whole = f"mindspore.ops.LayerNorm({first}, {first}, {_eps(call)})(X, {weight}, {bias})[0]"
    whole = twice(source, whole) if whole.count("X") > 1 else whole.replace("X", source.text)
    return Written(whole, (_NO_KERNEL.format(name="layer_norm"),))


def _eps(call: Bound) -> str:
    value = call.value("eps")
    assert value is not None
    return number(as_float(value))


def _given(call: Bound, name: str) -> str:
    return "" if call.literal(name) is None else call.operand(name)


def _instance_norm(call: Bound) -> Written:
    """As many groups as channels."""
    if call.literal("running_mean") is not None or call.literal("use_input_stats") is not True:
        raise ByHand("MindSpore keeps no running statistics of single images")
    source = call.value("input")
    assert source is not None
    text = f"mindspore.ops.group_norm(X, X.shape[1], {call.text('weight')}, {call.text('bias')}, {_eps(call)})"
    return Written(
        twice(source, text),
        ("MindSpore has no such function: there are as many groups as channels",),
        len(call.given) == 1,
    )


def _rms_norm(call: Bound) -> Written:
    source = call.value("input")
    assert source is not None
    axes = f"tuple(range({_axis_of(call)}, 0))"
    eps = "1.1920929e-07" if call.literal("eps") is None else call.operand("eps")
    weight = _given(call, "weight")
    text = f"X * mindspore.ops.rsqrt((X * X).mean({axes}, True) + {eps})" + (f" * {weight}" if weight else "")
    return Written(twice(source, text), (_NO_KERNEL.format(name="rms_norm"),))


def _batch_norm(call: Bound) -> Written:
    if call.literal("training") is not False:
        raise ByHand("MindSpore's batch_norm changes no running statistics: use mindspore.nn.BatchNorm2d")
    given = [call.text(name) for name in ("input", "running_mean", "running_var")]
    given.append(_given(call, "weight") or f"mindspore.ops.ones_like({given[1]})")
    given.append(_given(call, "bias") or f"mindspore.ops.zeros_like({given[1]})")
    eps = [f"eps={_eps(call)}"] if call.has("eps") else []
    return Written(
        f"mindspore.ops.batch_norm({', '.join([*given, *eps])})",
        ("MindSpore's batch_norm must be given weight and bias",),
    )


def _normalised(call: Bound) -> Written:
    source = call.value("input")
    assert source is not None
    order = [] if call.literal("p") in (2, 2.0) else [call.text("p")]
    length = ", ".join(["X", *order, f"axis={call.text('dim')}", "keepdims=True"])
    text = f"X / mindspore.ops.clamp(mindspore.ops.vector_norm({length}), min={number(call.text('eps'))})"
    return Written(twice(source, text), (_NO_KERNEL.format(name="normalize"),))


def _one_hot(call: Bound) -> Written:
    source, classes = call.value("input"), call.literal("num_classes")
    assert source is not None
    text = f"mindspore.ops.one_hot(X, {call.text('num_classes')})"
    if classes == -1:
        text = "mindspore.ops.one_hot(X, int(X.max()) + 1)"
        return Written(twice(source, text), ("MindSpore must be told how many classes there are",))
    return Written(text.replace("X", source.text), () if classes is not NOT_LITERAL else (_COUNTED,))


_COUNTED = "the number of classes must be said in MindSpore: -1 is not counted from the numbers"


def _embedding(call: Bound) -> Written:
    if call.literal("max_norm") is not None or call.literal("scale_grad_by_freq") is not False:
        raise ByHand("MindSpore's gather knows no max_norm and scales no gradients")
    said = ["MindSpore's embedding has no kernel on the CPU: the rows are gathered"]
    if call.literal("padding_idx") is not None:
        said.append("the row of padding_idx gets a gradient in MindSpore: set it to zero")
    return Written(f"mindspore.ops.gather({call.text('weight')}, {call.text('input')}, 0)", tuple(said))


def _over_a_guess(call: Bound, own: str) -> Written:
    """Without dim torch takes one by the number of dimensions."""
    value = call.value("input")
    assert value is not None
    dtype = "" if call.literal("dtype") is None else f".astype({call.text('dtype')})"
    text = f"mindspore.ops.{own}(X{dtype}, 0 if X.ndim in (0, 1, 3) else 1)"
    return Written(
        twice(value, text), ("without dim torch takes the first or second, MindSpore the last",), silent=True
    )


def _without_dim(name: str) -> Rule:
    return Rule(
        f"{_F}.{name}",
        f"mindspore.ops.{name}",
        mint=None if name == "softmin" else f"{_MINT}.{name}",
        takes="input, dim=None, _stacklevel=3, dtype=None",
        when=lambda call: call.literal("dim") is None,
        write=lambda call: _over_a_guess(call, name),
        mint_arguments=("input", "dim", to("dtype", keyword=True)),
        drops=("_stacklevel",),
    )


def _log_softmax(call: Bound) -> Written:
    value = call.value("input")
    assert value is not None
    source = value.text if call.literal("dtype") is None else f"{value.atom}.astype({call.text('dtype')})"
    said = () if call.literal("dtype") is None else ("MindSpore's log_softmax has no dtype: the numbers are converted",)
    return Written(f"mindspore.ops.log_softmax({source}, {call.text('dim')})", said)


_ATTENDS = "query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False"


def _attention(call: Bound) -> Written:
    """Scaled dot-product attention by its formula: a mask of truth values hides, one of numbers is added."""
    if call.literal("enable_gqa") is not False:
        raise ByHand("whether heads are grouped must be known: repeat key and value for them and write the formula")
    parts = [call.value(name) for name in ("query", "key", "value")]
    given = [part for part in parts if part is not None]
    if all(repeatable(part) for part in given):
        return Written(_attended(call, *(part.text for part in given)), _said(call))
    text = f"(lambda query, key, value: {_attended(call, 'query', 'key', 'value')})"
    return Written(f"{text}({', '.join(part.text for part in given)})", _said(call))


def _said(call: Bound) -> tuple[str, ...]:
    hidden = "where a mask hides every key torch gives 0 and the formula does not"
    return (_FORMULA,) if call.literal("attn_mask") is None else (_FORMULA, hidden)


def _attended(call: Bound, query: str, key: str, value: str) -> str:
    scale = f"{query}.shape[-1] ** -0.5" if call.literal("scale") is None else call.operand("scale")
    if call.has("scale") and call.literal("scale") is NOT_LITERAL:
        scale = f"{query}.shape[-1] ** -0.5 if {scale} is None else {scale}"
    scores = f"mindspore.ops.matmul({query}, {key}.swapaxes(-2, -1)) * ({scale})"
    square = f"mindspore.ops.ones(({query}.shape[-2], {key}.shape[-2]), mindspore.bool_)"
    causal = f"mindspore.ops.where({square}.tril(), 0.0, float('-inf'))"
    if call.literal("is_causal") is True:
        scores += f" + {causal}"
    elif call.literal("is_causal") is not False:
        scores += f" + ({causal} if {call.operand('is_causal')} else 0)"
    if call.literal("attn_mask") is not None:
        scores += f" + {_mask(call.value('attn_mask'))}"
    weights = f"mindspore.ops.softmax({scores}, -1)"
    if call.literal("dropout_p") != 0:
        weights = f"mindspore.ops.dropout({weights}, {call.text('dropout_p')})"
    return f"mindspore.ops.matmul({weights}, {value})"


_FORMULA = "MindSpore has no such function for the CPU: its formula"


def _mask(mask: Value | None) -> str:
    assert mask is not None
    text = "(X if X.dtype != mindspore.bool_ else mindspore.ops.where(X, 0.0, float('-inf')))"
    if repeatable(mask):
        text = text.replace("(X if", "(0 if X is None else X if", 1)
    return twice(mask, text)


def _ctc(call: Bound) -> Written:
    given = [call.text(name) for name in ("log_probs", "targets", "input_lengths", "target_lengths")]
    given += [f"{name}={call.text(name)}" for name in ("blank", "reduction", "zero_infinity") if call.has(name)]
    return Written(f"mindspore.ops.ctc_loss({', '.join(given)})[0]", ("MindSpore's gives the log of alpha too",), True)


def _smooth(call: Bound) -> Written:
    low, high = call.operand("lower"), call.operand("upper")
    if call.literal("training") is not False:
        raise ByHand("MindSpore's rrelu draws its slope in evaluation too: draw it yourself")
    return Written(
        f"mindspore.ops.leaky_relu({call.text('input')}, ({low} + {high}) / 2)",
        ("MindSpore's rrelu draws its slope in evaluation too: the mean slope is given",),
        silent=not call.has("training"),
    )


def _as_float32(value: Value) -> str:
    return f"{value.atom}.astype(mindspore.float32)"


FUNCTIONAL: tuple[Rule, ...] = (
    *SLIDING,
    *PADDING,
    *(_without_dim(name) for name in ("softmax", "log_softmax", "softmin")),
    Rule(
        f"{_F}.softmax",
        "mindspore.ops.softmax",
        mint=f"{_MINT}.softmax",
        takes="input, dim, _stacklevel=3, dtype=None",
        arguments=("input", to("dim", "axis"), to("dtype", keyword=True)),
        mint_arguments=("input", "dim", to("dtype", keyword=True)),
        drops=("_stacklevel",),
    ),
    Rule(
        f"{_F}.softmin",
        "mindspore.ops.softmin",
        takes="input, dim, _stacklevel=3, dtype=None",
        arguments=("input", to("dim", "axis"), to("dtype", keyword=True)),
        drops=("_stacklevel",),
    ),
    Rule(
        f"{_F}.ctc_loss",
        "mindspore.ops.ctc_loss",
        takes="log_probs, targets, input_lengths, target_lengths, blank=0, reduction='mean', zero_infinity=False",
        write=_ctc,
    ),
    *(
        Rule(
            name,
            "mindspore.ops.layer_norm",
            mint=f"{_MINT}.layer_norm",
            takes="input, normalized_shape, weight=None, bias=None, eps=1e-05",
            write=_layer_norm,
            mint_arguments=("input", "normalized_shape", "weight", "bias", "eps"),
        )
        for name in (f"{_F}.layer_norm", "torch.layer_norm")
    ),
    Rule(
        f"{_F}.rms_norm",
        "mindspore.ops.rms_norm",
        takes="input, normalized_shape, weight=None, eps=None",
        write=_rms_norm,
    ),
    Rule(
        f"{_F}.group_norm",
        "mindspore.ops.group_norm",
        mint=f"{_MINT}.group_norm",
        takes="input, num_groups, weight=None, bias=None, eps=1e-05",
        arguments=("input", "num_groups", "weight", "bias", "eps"),
        mint_arguments=("input", "num_groups", "weight", "bias", "eps"),
    ),
    Rule(
        f"{_F}.batch_norm",
        "mindspore.ops.batch_norm",
        mint=f"{_MINT}.batch_norm",
        takes="input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-05",
        write=_batch_norm,
        mint_arguments=("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
    ),
    Rule(
        f"{_F}.normalize",
        mint=f"{_MINT}.normalize",
        takes="input, p=2.0, dim=1, eps=1e-12, out=None",
        write=_normalised,
        mint_arguments=("input", "p", "dim", "eps"),
    ),
    Rule(
        f"{_F}.one_hot",
        "mindspore.ops.one_hot",
        mint=f"{_MINT}.one_hot",
        takes="input, num_classes=-1",
        write=_one_hot,
        mint_arguments=("input", "num_classes"),
    ),
    Rule(
        f"{_F}.embedding",
        "mindspore.ops.embedding",
        mint=f"{_MINT}.embedding",
        takes="input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False",
        write=_embedding,
        mint_arguments=("input", "weight", "padding_idx", "max_norm", "norm_type", "scale_grad_by_freq"),
        drops=("sparse",),
    ),
    Rule(f"{_F}.scaled_dot_product_attention", takes=_ATTENDS, write=_attention),
    *(
        Rule(
            name,
            "mindspore.ops.softmax",
            mint=f"{_MINT}.softmax",
            takes="input, dim, dtype=None, *, out=None",
            arguments=("input", to("dim", "axis"), to("dtype", keyword=True)),
            mint_arguments=("input", "dim", to("dtype", keyword=True)),
        )
        for name in ("torch.softmax", "torch.special.softmax")
    ),
    *(
        Rule(
            name,
            "mindspore.ops.log_softmax",
            mint=f"{_MINT}.log_softmax",
            takes=takes,
            write=_log_softmax,
            mint_arguments=("input", "dim", to("dtype", keyword=True)),
        )
        for name, takes in (
            (f"{_F}.log_softmax", "input, dim=None, _stacklevel=3, dtype=None"),
            ("torch.log_softmax", "input, dim, dtype=None, *, out=None"),
            ("torch.special.log_softmax", "input, dim, dtype=None"),
        )
    ),
    Rule("torch.relu", "mindspore.ops.relu", mint=f"{_MINT}.relu", takes="input", arguments=("input",)),
    Rule(
        f"{_F}.elu",
        "mindspore.ops.elu",
        mint=f"{_MINT}.elu",
        takes="input, alpha=1.0, inplace=False",
        arguments=("input", to("alpha", only=(1.0,))),
        mint_arguments=("input", "alpha"),
    ),
    Rule(
        f"{_F}.mish",
        "mindspore.ops.mish",
        mint=f"{_MINT}.mish",
        takes="input, inplace=False",
        arguments=("input",),
        mint_arguments=("input",),
    ),
    Rule(
        f"{_F}.softplus",
        "mindspore.ops.softplus",
        mint=f"{_MINT}.softplus",
        takes="input, beta=1, threshold=20",
        arguments=("input", "beta", "threshold"),
        mint_arguments=("input", "beta", "threshold"),
    ),
    Rule(
        f"{_F}.threshold",
        "mindspore.ops.threshold",
        mint=f"{_MINT}.threshold",
        takes="input, threshold, value, inplace=False",
        arguments=("input", to("threshold", "thr"), "value"),
        mint_arguments=("input", "threshold", "value"),
    ),
    Rule(
        f"{_F}.rrelu",
        "mindspore.ops.rrelu",
        takes="input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False",
        write=_smooth,
    ),
    Rule(
        f"{_F}.dropout2d",
        "mindspore.ops.dropout2d",
        mint=f"{_MINT}.dropout2d",
        takes="input, p=0.5, training=True, inplace=False",
        arguments=("input", "p", "training"),
        mint_arguments=("input", "p", "training"),
    ),
    Rule(
        f"{_F}.multi_margin_loss",
        "mindspore.ops.multi_margin_loss",
        takes="input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction='mean'",
        arguments=(
            "input",
            "target",
            to("p", convert=whole("MindSpore takes a whole number there"), form=True),
            to("margin", convert=whole("MindSpore takes a whole number there"), form=True),
            "weight",
            to("reduction", keyword=True),
        ),
    ),
    Rule(
        f"{_F}.margin_ranking_loss",
        "mindspore.ops.margin_ranking_loss",
        takes="input1, input2, target, margin=0, size_average=None, reduce=None, reduction='mean'",
        arguments=(
            "input1",
            "input2",
            to("target", convert=_as_float32, loud=True, why="target must be of the dtype of the inputs in MindSpore"),
            to("margin", convert=as_float, form=True),
            to("reduction", keyword=True),
        ),
    ),
    Rule(
        f"{_F}.multilabel_margin_loss",
        "mindspore.ops.multilabel_margin_loss",
        takes="input, target, size_average=None, reduce=None, reduction='mean'",
        arguments=(
            "input",
            to("target", convert=as_int32, loud=True, why="target must be int32 in MindSpore"),
            to("reduction", keyword=True),
        ),
    ),
    Rule(
        f"{_F}.instance_norm",
        takes="input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, "
        "momentum=0.1, eps=1e-05",
        write=_instance_norm,
    ),
    Rule(
        f"{_F}.huber_loss",
        "mindspore.ops.huber_loss",
        takes="input, target, reduction='mean', delta=1.0, weight=None",
        arguments=("input", "target", "reduction", "delta"),
    ),
    Rule(
        f"{_F}.triplet_margin_loss",
        "mindspore.ops.triplet_margin_loss",
        takes="anchor, positive, negative, margin=1.0, p=2, eps=1e-06, swap=False, size_average=None, reduce=None, "
        "reduction='mean'",
        arguments=(
            "anchor",
            "positive",
            "negative",
            "margin",
            to("p", convert=whole("MindSpore takes a whole number there"), form=True),
            "eps",
            "swap",
            to("reduction", keyword=True),
        ),
    ),
)
