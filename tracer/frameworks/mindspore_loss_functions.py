"""MindSpore's functions and primitives that make losses, in torch's words.

Pure data. `ops` functions come first, those of `mint.nn.functional` and the primitives are other names of the same.
"""

from __future__ import annotations

from tracer.frameworks.loss_functions import LossRule

_INT32 = "MindSpore's cross entropies take labels of int32 only"
_NONE = "its reduction is 'none' by default, PyTorch's 'mean'"


def _row(op: str, signature: str, *more: str, notes: tuple[str, ...] = (), **renamed: str) -> LossRule:
    """A function of `mindspore.ops`; `renamed` is torch's word for an argument."""
    return LossRule((op, *more), op, signature, tuple(renamed.items()), called=f"ops.{op}", notes=notes)


LOSSES: tuple[LossRule, ...] = (
    _row(
        "cross_entropy",
        "input, target, weight=None, ignore_index=-100, reduction='mean', label_smoothing=0.0",
        "cross_entropy_ext",
        notes=(_INT32,),
    ),
    LossRule(
        ("SoftmaxCrossEntropyWithLogits",),
        "cross_entropy",
        "logits, labels, sparse=False, reduction='none'",
        (("logits", "input"), ("labels", "target")),
        called="nn.SoftmaxCrossEntropyWithLogits",
        notes=(_NONE, "its labels are one-hot unless sparse=True", _INT32),
    ),
    LossRule(
        ("SparseSoftmaxCrossEntropyWithLogits",),
        "cross_entropy",
        "logits, labels, is_grad=False",
        (("logits", "input"), ("labels", "target")),
        (("reduction", "mean"),),
        called="ops.SparseSoftmaxCrossEntropyWithLogits",
        notes=(_INT32,),
    ),
    _row(
        "nll_loss",
        "inputs, target, weight=None, ignore_index=-100, reduction='mean', label_smoothing=0.0",
        "nll_loss_ext",
        "NLLLoss",
        inputs="input",
        notes=(_INT32,),
    ),
    _row("mse_loss", "input, target, reduction='mean'", "mse_loss_ext"),
    _row("l1_loss", "input, target, reduction='mean'", "l1_loss_ext"),
    LossRule(("MAELoss",), "l1_loss", "logits, labels, reduction='mean'", called="nn.MAELoss"),
    LossRule(("RMSELoss",), "rmse_loss", "logits, labels", fixed=(("reduction", "mean"),), called="nn.RMSELoss"),
    _row("smooth_l1_loss", "input, target, beta=1.0, reduction='none'", "SmoothL1Loss", notes=(_NONE,)),
    _row("huber_loss", "input, target, reduction='mean', delta=1.0"),
    _row(
        "binary_cross_entropy",
        "logits, labels, weight=None, reduction='mean'",
        "BinaryCrossEntropy",
        logits="input",
        labels="target",
    ),
    _row(
        "binary_cross_entropy_with_logits",
        "input, target, weight=None, pos_weight=None, reduction='mean'",
        "BCEWithLogitsLoss",
        notes=("the constructor of nn.BCEWithLogitsLoss takes reduction first, PyTorch's takes weight",),
    ),
    LossRule(
        ("SigmoidCrossEntropyWithLogits",),
        "binary_cross_entropy_with_logits",
        "logits, labels",
        fixed=(("reduction", "none"),),
        called="ops.SigmoidCrossEntropyWithLogits",
    ),
    LossRule(
        ("kl_div", "KLDivLoss"),
        "kl_div",
        "logits, labels, reduction='mean'",
        (("logits", "input"), ("labels", "target")),
        (("log_target", False),),
        called="ops.kl_div",
        notes=("it has no log_target",),
    ),
    _row("gaussian_nll_loss", "x, target, var, full=False, eps=1e-06, reduction='mean'", x="input"),
    _row("soft_margin_loss", "input, target, reduction='mean'", "SoftMarginLoss"),
    _row(
        "hinge_embedding_loss",
        "inputs, targets, margin=1.0, reduction='mean'",
        inputs="input",
        targets="target",
    ),
    _row("margin_ranking_loss", "input1, input2, target, margin=0.0, reduction='mean'"),
    _row("cosine_embedding_loss", "input1, input2, target, margin=0.0, reduction='mean'"),
    _row(
        "triplet_margin_loss",
        "anchor, positive, negative, margin=1.0, p=2, eps=1e-06, swap=False, reduction='mean'",
        notes=("the constructor of nn.TripletMarginLoss takes p first, PyTorch's takes margin",),
    ),
    _row("multi_margin_loss", "input, target, p=1, margin=1.0, weight=None, reduction='mean'", "MultiMarginLoss"),
    _row("multilabel_margin_loss", "input, target, reduction='mean'", "MultilabelMarginLoss"),
    _row("multilabel_soft_margin_loss", "input, target, weight=None, reduction='mean'"),
    _row(
        "ctc_loss",
        "log_probs, targets, input_lengths, target_lengths, blank=0, reduction='mean', zero_infinity=False",
    ),
)

REDUCTIONS = {0: "sum", 1: "mean", 2: "none"}
"""What a primitive calls a reduction."""
