"""PyTorch's functions that make losses, and the nodes that its autograd graph has for them.

Pure data. A node ("NllLossBackward0") is known by the name of its function; what it saved ("self", "target", "weight")
bears the names it has there.
"""

from __future__ import annotations

from tracer.frameworks.loss_functions import LossRule

_OLD = "size_average=None, reduce=None"


def _row(op: str, tensors: str, settings: str = "", *more: str) -> LossRule:
    """A function of `torch.nn.functional`; reduction='mean' is its default as it is of all of them."""
    signature = ", ".join(part for part in (tensors, settings) if part)
    return LossRule((op, *more), op, signature, called=f"F.{op}")


LOSSES: tuple[LossRule, ...] = (
    _row(
        "cross_entropy",
        "input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean'",
        "label_smoothing=0.0",
        "cross_entropy_loss",
    ),
    _row(
        "nll_loss",
        "input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction='mean'",
        "",
        "nll_loss2d",
        "nll_loss_nd",
        "nll_loss_forward",
        "nll_loss2d_forward",
    ),
    _row("mse_loss", f"input, target, {_OLD}, reduction='mean', weight=None"),
    _row("l1_loss", f"input, target, {_OLD}, reduction='mean', weight=None"),
    _row("smooth_l1_loss", f"input, target, {_OLD}, reduction='mean', beta=1.0"),
    _row("huber_loss", "input, target, reduction='mean', delta=1.0, weight=None"),
    _row("binary_cross_entropy", f"input, target, weight=None, {_OLD}, reduction='mean'"),
    _row(
        "binary_cross_entropy_with_logits", f"input, target, weight=None, {_OLD}, reduction='mean'", "pos_weight=None"
    ),
    _row("kl_div", f"input, target, {_OLD}, reduction='mean', log_target=False"),
    _row(
        "poisson_nll_loss",
        "input, target, log_input=True, full=False, size_average=None, eps=1e-08, reduce=None, reduction='mean'",
    ),
    _row("gaussian_nll_loss", "input, target, var, full=False, eps=1e-06, reduction='mean'"),
    _row("soft_margin_loss", f"input, target, {_OLD}, reduction='mean'"),
    _row("hinge_embedding_loss", f"input, target, margin=1.0, {_OLD}, reduction='mean'"),
    _row("margin_ranking_loss", f"input1, input2, target, margin=0.0, {_OLD}, reduction='mean'"),
    _row("cosine_embedding_loss", f"input1, input2, target, margin=0.0, {_OLD}, reduction='mean'"),
    _row(
        "triplet_margin_loss",
        f"anchor, positive, negative, margin=1.0, p=2.0, eps=1e-06, swap=False, {_OLD}, reduction='mean'",
    ),
    _row(
        "triplet_margin_with_distance_loss",
        "anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False, reduction='mean'",
    ),
    _row("multi_margin_loss", f"input, target, p=1, margin=1.0, weight=None, {_OLD}, reduction='mean'"),
    _row("multilabel_margin_loss", f"input, target, {_OLD}, reduction='mean'", "", "multilabel_margin_loss_forward"),
    _row("multilabel_soft_margin_loss", f"input, target, weight=None, {_OLD}, reduction='mean'"),
    _row(
        "ctc_loss",
        "log_probs, targets, input_lengths, target_lengths, blank=0, reduction='mean', zero_infinity=False",
    ),
)

REDUCTIONS = {0: "none", 1: "mean", 2: "sum"}
"""What a node of the graph calls a reduction."""
