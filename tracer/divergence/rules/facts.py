"""What is known to differ between frameworks for an op, and is no setting that one could write otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Fact:
    """One difference between PyTorch and MindSpore, measured on CPU; `ops` are patterns."""

    ops: tuple[str, ...]
    sentence: str


FACTS = (
    Fact(
        ("tanh", "tanhshrink"),
        "MindSpore's tanh on CPU is an approximation: up to 1e-4 from PyTorch's is its rounding, no fault of the port",
    ),
    Fact(
        ("lstm", "gru", "rnn", "lstm_cell", "gru_cell", "rnn_cell"),
        "MindSpore's tanh on CPU, which recurrent layers use, is an approximation: a few 1e-5 are its rounding",
    ),
    Fact(
        ("elu", "celu", "selu", "softplus", "mish", "logsigmoid"),
        "MindSpore's exp on CPU, which this op is made of, is less exact than PyTorch's (a few 1e-6 relative)",
    ),
    Fact(("elu",), "MindSpore's nn.ELU takes alpha=1.0 only"),
    Fact(
        ("relu",),
        "where the input is NaN, MindSpore on CPU gives 0 and PyTorch NaN: a NaN vanishes at the first ReLU",
    ),
    Fact(("relu6", "hardtanh"), "where the input is NaN, MindSpore on CPU gives a bound and PyTorch NaN"),
    Fact(
        ("max_pool*", "adaptive_max_pool*"),
        "where a window holds NaN, MindSpore on CPU ignores it and PyTorch gives NaN",
    ),
    Fact(("hardswish",), "at minus infinity MindSpore on CPU gives 0 and PyTorch NaN"),
    Fact(
        ("softmax", "log_softmax", "softmin", "softmax2d", "multi_head_attention"),
        "where a whole row is minus infinity (fully masked), MindSpore on CPU gives 0 and PyTorch NaN",
    ),
    Fact(("leaky_relu",), "at exactly 0 MindSpore's gradient is the mean of the two slopes and PyTorch's is the slope"),
    Fact(("hardtanh", "relu6"), "exactly at a bound MindSpore's gradient is 0.5 and PyTorch's is 0"),
    Fact(("rrelu",), "in evaluation MindSpore draws random slopes, where PyTorch takes the mean slope"),
    Fact(
        ("embedding",),
        "with a padding_idx MindSpore's padding row gets a gradient and is trained; PyTorch keeps its gradient at zero",
    ),
    Fact(("embedding",), "a negative index is an error in PyTorch and wraps silently in MindSpore"),
    Fact(("embedding",), "when it starts, MindSpore's table is drawn from N(0, 0.01) and PyTorch's from N(0, 1)"),
    Fact(
        ("multi_head_attention", "transformer_*layer"),
        "when it starts, MindSpore's out_proj.bias is random and PyTorch's is zero",
    ),
    Fact(
        ("upsample",),
        "with mode 'bicubic' the two kernels differ (0.2 with align_corners False, 2e-3 with True); other modes agree",
    ),
    Fact(
        ("avg_pool*",),
        "with pad_mode 'same' MindSpore never counts the padding, whatever count_include_pad says",
    ),
    Fact(
        ("conv?d", "max_pool*", "avg_pool*"),
        "with pad_mode 'same' and a stride, MindSpore pads more at the end than at the start where PyTorch's padding "
        "is symmetric: equal shape, other values",
    ),
    Fact(
        ("conv_transpose2d",),
        "for output_padding MindSpore's Conv2dTranspose appends zeros (no bias), where PyTorch computes those rows",
    ),
    Fact(
        ("batch_norm",),
        "MindSpore's momentum is the share that is kept: its 0.9 is PyTorch's 0.1",
    ),
    Fact(
        ("batch_norm", "dropout*"),
        "MindSpore nets start in evaluation mode until set_train(), PyTorch nets in training mode",
    ),
    Fact(("dropout",), "the first positional argument of MindSpore's Dropout is keep_prob: Dropout(0.1) drops 90 %"),
    Fact(("instance_norm",), "MindSpore's InstanceNorm has affine=True and moving statistics, and no CPU kernel"),
    Fact(("cross_entropy",), "MindSpore takes int32 labels only"),
    Fact(("kl_div",), "MindSpore's KLDivLoss has no log_target"),
    Fact(("smooth_l1_loss",), "the first argument of MindSpore's SmoothL1Loss is beta, and its reduction is 'none'"),
    Fact(
        ("binary_cross_entropy_with_logits",),
        "the first argument of MindSpore's BCEWithLogitsLoss is reduction, of PyTorch's it is weight",
    ),
    Fact(
        ("triplet_margin_loss",), "MindSpore's TripletMarginLoss takes p first and margin last; PyTorch's margin first"
    ),
    Fact(
        ("local_response_norm",),
        "PyTorch divides alpha by the number of channels it sums, MindSpore does not",
    ),
    Fact(
        ("unfold",),
        "MindSpore's Unfold takes sizes as [1, rows, columns, 1], and its padding is 'valid' or 'same' only",
    ),
)


def known_differences(op: str, reference_framework: str, candidate_framework: str) -> tuple[str, ...]:
    """Sentences on what differs for an op between two frameworks and is no setting; none within one framework."""
    if {reference_framework, candidate_framework} != {"torch", "mindspore"}:
        return ()
    return tuple(fact.sentence for fact in FACTS if any(fnmatchcase(op, pattern) for pattern in fact.ops))
