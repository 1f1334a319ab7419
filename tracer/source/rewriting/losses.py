"""The losses of torch.nn: a row each, as in `layers.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.layer_arguments import FUNCTION, function
from tracer.source.rewriting.rules import Argument, Rule, Written, made, to
from tracer.source.rewriting.shaping import twice
from tracer.source.rewriting.writing import ByHand, Value, number

_OLD = ("size_average", "reduce")
_INT32 = "the labels are int32 in MindSpore: it refuses int64"


def _is_old(call: Bound) -> bool:
    """Is the reduction said as it was before torch 0.4?"""
    return any(call.literal(name) is not None for name in _OLD if call.has(name))


def _reduction(call: Bound) -> str:
    """The reduction that the old arguments stand for."""
    known = {name: call.literal(name) for name in _OLD}
    if not all(worth is None or isinstance(worth, bool) for worth in known.values()):
        raise ByHand("what size_average and reduce stand for cannot be read off the source: give reduction")
    if known["reduce"] is False:
        return "'none'"
    return "'sum'" if known["size_average"] is False else "'mean'"


def _loss(
    torch: str,
    *before: Argument | str,
    mindspore: str = "",
    mint: bool = False,
    after: tuple[Argument | str, ...] = (),
    mean: bool = False,
    differences: tuple[str, ...] = (),
    loud: Callable[[Bound], bool] | None = None,
) -> tuple[Rule, ...]:
    """The rows of a loss: one for the reduction as it was said long ago, one for all else."""
    name, target = f"torch.nn.{torch}", f"mindspore.nn.{mindspore or torch}"
    old = made("reduction", _reduction, "size_average and reduce say what reduction says")
    return (
        Rule(
            name,
            target,
            arguments=(*before, old, *after),
            drops=(*_OLD, "reduction"),
            when=_is_old,
            differences=differences,
        ),
        Rule(
            name,
            target,
            mint=f"mindspore.mint.nn.{torch}" if mint else None,
            arguments=(*before, to("reduction", always=mean), *after),
            differences=differences,
            loud=loud,
        ),
    )


_WEIGHT = "MindSpore reads beyond a weight that is not of the input's shape: give it broadcast to that shape"


def _weighted(call: Bound) -> bool:
    return call.literal("weight") is not None


def _both(when: Callable[[Bound], bool] | None) -> Callable[[Bound], bool]:
    return lambda call: _weighted(call) and (when is None or when(call))


def _weighted_entropy(call: Bound) -> Written:
    if any(call.has(name) for name in _OLD):
        raise ByHand("say what size_average and reduce say by reduction")
    value = call.value("input")
    assert value is not None
    reduction = f", reduction={call.text('reduction')}" if call.has("reduction") else ""
    weight = f"mindspore.ops.broadcast_to({call.text('weight')}, X.shape)"
    text = f"mindspore.ops.binary_cross_entropy(X, {call.text('target')}, {weight}{reduction})"
    return Written(twice(value, text), (_WEIGHT,))


def _whole(value: Value) -> str:
    """A norm's degree, an int in MindSpore."""
    worth = value.literal
    if isinstance(worth, float) and not worth.is_integer():
        raise ByHand("p is an int in MindSpore")
    return str(int(worth)) if isinstance(worth, (int, float)) else value.text


def _similarity(call: Bound) -> Written:
    return function(call, "mindspore.ops.cosine_similarity", "x1, x2", "dim", "eps")


def _distance(call: Bound) -> Written:
    size = f"ord={call.text('p')}, dim=-1, keepdim={call.text('keepdim')}"
    return Written(f"lambda x1, x2: mindspore.ops.norm(x1 - x2 + {number(call.operand('eps'))}, {size})", (FUNCTION,))


LOSSES: tuple[Rule, ...] = (
    *_loss("L1Loss", mint=True),
    *_loss("MSELoss", mint=True),
    *_loss("SmoothL1Loss", to("beta", keyword=True), mint=True, mean=True),
    Rule("torch.nn.HuberLoss", "mindspore.nn.HuberLoss", arguments=("reduction", "delta")),
    *_loss(
        "CrossEntropyLoss",
        "weight",
        "ignore_index",
        after=(to("label_smoothing", keyword=True),),
        mint=True,
        differences=(_INT32,),
    ),
    *_loss("NLLLoss", "weight", "ignore_index", mint=True),
    *(replace(rule, when=_both(rule.when), differences=(_WEIGHT,)) for rule in _loss("BCELoss", "weight", mint=True)),
    *_loss("BCELoss", "weight", mint=True),
    Rule(
        "torch.nn.functional.binary_cross_entropy",
        "mindspore.ops.binary_cross_entropy",
        mint="mindspore.mint.nn.functional.binary_cross_entropy",
        when=_weighted,
        write=_weighted_entropy,
    ),
    Rule(
        "torch.nn.functional.binary_cross_entropy",
        "mindspore.ops.binary_cross_entropy",
        mint="mindspore.mint.nn.functional.binary_cross_entropy",
        arguments=(to("input", "logits"), to("target", "labels"), "weight", to("reduction", keyword=True)),
        mint_arguments=("input", "target", "weight", to("reduction", keyword=True)),
    ),
    *_loss(
        "BCEWithLogitsLoss",
        to("weight", keyword=True),
        after=(to("pos_weight", keyword=True),),
        mint=True,
        loud=lambda call: "weight" in call.positional,
    ),
    *_loss("KLDivLoss", mint=True),
    *_loss("PoissonNLLLoss", "log_input", "full", "eps"),
    Rule(
        "torch.nn.GaussianNLLLoss",
        "mindspore.nn.GaussianNLLLoss",
        arguments=(to("full", keyword=True), to("eps", keyword=True), to("reduction", keyword=True)),
    ),
    *_loss("HingeEmbeddingLoss", "margin"),
    *_loss("CosineEmbeddingLoss", "margin", mint=True),
    *_loss("MarginRankingLoss", "margin"),
    *_loss("SoftMarginLoss", mint=True),
    *_loss("MultiLabelSoftMarginLoss", "weight"),
    *_loss("MultiLabelMarginLoss", mindspore="MultilabelMarginLoss", differences=(_INT32,)),
    *_loss("MultiMarginLoss", "p", "margin", after=(to("weight", keyword=True),)),
    *_loss(
        "TripletMarginLoss",
        to("p", convert=_whole, keyword=True),
        to("swap", keyword=True),
        to("eps", keyword=True),
        after=(to("margin", keyword=True),),
        loud=lambda call: "margin" in call.positional and isinstance(call.literal("margin"), float),
    ),
    Rule(
        "torch.nn.TripletMarginWithDistanceLoss",
        "mindspore.nn.TripletMarginWithDistanceLoss",
        arguments=(
            to("distance_function", keyword=True),
            to("swap", keyword=True),
            to("reduction", keyword=True),
            to("margin", keyword=True),
        ),
    ),
    Rule("torch.nn.CTCLoss", "mindspore.nn.CTCLoss", arguments=("blank", "reduction", "zero_infinity")),
    Rule(
        "torch.nn.AdaptiveLogSoftmaxWithLoss",
        by_hand="MindSpore has none: write a cell of Dense layers, one for each cluster, and log_softmax.",
    ),
    Rule("torch.nn.CosineSimilarity", "mindspore.ops.cosine_similarity", write=_similarity),
    Rule(
        "torch.nn.LinearCrossEntropyLoss",
        by_hand="MindSpore has none: write mindspore.nn.Dense and mindspore.nn.CrossEntropyLoss.",
    ),
    Rule("torch.nn.PairwiseDistance", "mindspore.ops.norm", write=_distance),
)
