"""What is known to differ between PyTorch and MindSpore for an op, and is no setting that one could write otherwise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from tracer.divergence.rules.meanings import Meaning, value_of

Phase = Literal["start", "forward", "backward"]
Condition = Callable[[Meaning], bool]


@dataclass(frozen=True)
class Fact:
    """One difference, measured on CPU. `ops` are patterns; `phase` is where it shows; `not_finite` says that it takes
    NaN or infinity; `when` that it takes layers set in some way (true of either side); `most` the largest relative L2
    that it explains, where it is a matter of rounding."""

    ops: tuple[str, ...]
    sentence: str
    phase: Phase = "forward"
    not_finite: bool = False
    when: Condition | None = None
    most: float = math.inf

    @property
    def telling(self) -> bool:
        """Does it hold under a condition only, so that it says something where that is met?"""
        return self.when is not None or self.not_finite or self.most < math.inf or self.phase == "backward"


def _pads_same(means: Meaning) -> bool:
    padding = means.settings.get("padding")
    return padding is not None and padding.own_value == "same"


def _pads_output(means: Meaning) -> bool:
    value = value_of(means, "output_padding")
    return any(value) if isinstance(value, list) else bool(value)


FACTS = (
    Fact(
        ("tanh", "tanhshrink"),
        "MindSpore's tanh on CPU is an approximation: up to 1e-4 from PyTorch's is its rounding, no fault of the port",
        most=1e-2,
    ),
    Fact(
        ("lstm", "gru", "rnn", "lstm_cell", "gru_cell", "rnn_cell"),
        "MindSpore's tanh on CPU, which recurrent layers use, is an approximation: a few 1e-5 are its rounding",
        most=1e-2,
    ),
    Fact(
        ("elu", "celu", "selu", "softplus", "mish", "logsigmoid"),
        "MindSpore's exp on CPU, which this op is made of, is less exact than PyTorch's (a few 1e-6 relative)",
        most=1e-3,
    ),
    Fact(
        ("relu",),
        "where the input is NaN, MindSpore on CPU gives 0 and PyTorch NaN: a NaN vanishes at the first ReLU",
        not_finite=True,
    ),
    Fact(
        ("relu6", "hardtanh"),
        "where the input is NaN, MindSpore on CPU gives a bound and PyTorch NaN",
        not_finite=True,
    ),
    Fact(
        ("max_pool*", "adaptive_max_pool*"),
        "where a window holds NaN, MindSpore on CPU passes over it and PyTorch gives NaN",
        not_finite=True,
    ),
    Fact(("hardswish",), "at minus infinity MindSpore on CPU gives 0 and PyTorch NaN", not_finite=True),
    Fact(
        ("softmax", "log_softmax", "softmin", "softmax2d", "multi_head_attention"),
        "where a whole row is minus infinity (fully masked), MindSpore on CPU gives 0 and PyTorch NaN",
        not_finite=True,
    ),
    Fact(
        ("softmax", "log_softmax", "softmin"),
        "without an axis PyTorch takes axis 0 for inputs of 0, 1 and 3 axes and axis 1 for others, MindSpore the last",
        when=lambda means: value_of(means, "dim", otherwise=0) is None,
    ),
    Fact(("rrelu",), "in evaluation MindSpore draws random slopes, where PyTorch takes the mean slope"),
    Fact(
        ("leaky_relu",),
        "where the input is exactly 0, MindSpore's gradient is the mean of both slopes and PyTorch's the lower slope",
        phase="backward",
    ),
    Fact(
        ("hardtanh",),
        "where the input is exactly a bound, MindSpore's gradient is half of what comes in and PyTorch's is 0",
        phase="backward",
    ),
    Fact(
        ("embedding",),
        "with a padding_idx MindSpore's padding row gets a gradient and is trained; PyTorch keeps its gradient at zero",
        phase="backward",
        when=lambda means: value_of(means, "padding_idx") is not None,
    ),
    Fact(("embedding",), "where an index is negative, PyTorch raises and MindSpore wraps round silently"),
    Fact(
        ("embedding",),
        "when it starts, MindSpore's table is drawn from N(0, 0.01) and PyTorch's from N(0, 1)",
        phase="start",
    ),
    Fact(
        ("multi_head_attention", "transformer_*layer"),
        "when it starts, MindSpore's out_proj.bias is random and PyTorch's is zero",
        phase="start",
    ),
    Fact(
        ("upsample",),
        "with mode 'bicubic' the two kernels differ (0.2 with align_corners False, 2e-3 with True); other modes agree",
        when=lambda means: value_of(means, "mode") == "bicubic",
    ),
    Fact(
        ("avg_pool*",),
        "with pad_mode 'same' MindSpore never counts the padding, whatever count_include_pad says",
        when=_pads_same,
    ),
    Fact(
        ("conv?d", "max_pool*", "avg_pool*"),
        "with pad_mode 'same' and a stride, MindSpore pads more at the end than at the start where the size asks for "
        "it: equal shape, other values than with PyTorch's symmetric padding",
        when=lambda means: value_of(means, "padding") == "same",
    ),
    Fact(
        ("conv_transpose2d",),
        "for output_padding MindSpore's Conv2dTranspose appends zeros (no bias), where PyTorch computes those rows",
        when=_pads_output,
    ),
    Fact(("instance_norm",), "MindSpore's InstanceNorm has no CPU kernel"),
    Fact(("cross_entropy",), "MindSpore takes int32 labels only, and raises on int64"),
)


def known_differences(
    op: str,
    reference_framework: str,
    candidate_framework: str,
    *,
    meanings: Sequence[Meaning] = (),
    phase: Phase | None = None,
    not_finite: bool | None = None,
    size: float = 0.0,
    telling: bool | None = None,
) -> tuple[str, ...]:
    """Sentences on what differs for an op between two frameworks and is no setting; none within one framework.

    What is known of the case leaves out the facts that cannot matter:

    Args:
        op: the common name.
        reference_framework: "torch" or "mindspore".
        candidate_framework: "torch" or "mindspore".
        meanings: the two layers; without them facts that depend on a setting are told with their condition.
        phase: where the difference was seen; a backward pass sees what the forward did as well.
        not_finite: did NaN or infinity take part?
        size: the relative L2 that is to be explained; facts about rounding explain small ones.
        telling: only facts that hold under a condition, which is met here (False: only those that always hold).
    """
    if {reference_framework, candidate_framework} != {"torch", "mindspore"}:
        return ()
    return tuple(
        fact.sentence
        for fact in FACTS
        if any(fnmatchcase(op, pattern) for pattern in fact.ops)
        and (phase is None or fact.phase == phase or (fact.phase == "forward" and phase == "backward"))
        and not (fact.not_finite and not_finite is False)
        and size <= fact.most
        and (telling is None or telling == fact.telling)
        and (fact.when is None or not meanings or any(fact.when(means) for means in meanings))
    )
