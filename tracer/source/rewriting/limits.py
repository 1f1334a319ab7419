"""What MindSpore's kernels do otherwise on the CPU, whatever the arguments: with NaN, float64, and nothing at all."""

from __future__ import annotations

NAN = "on the CPU MindSpore passes over NaN here, where torch gives NaN"
FLOAT64 = "on the CPU MindSpore computes float64 only to the digits of float32 here"
EMPTY = "of a tensor without elements MindSpore gives numbers that mean nothing here"
SIGNS = "on the CPU MindSpore does not tell -0.0 from 0.0 here"

COMPLEX = "of complex numbers MindSpore's are of dtype complex64, torch's of dtype float32"

_NAN = (
    "amax amin argmax argmin clamp clip div divide floor_divide fmod gelu hardshrink hardswish hardtanh max maximum "
    "max_pool2d min minimum mish nextafter relu relu6 remainder softplus softshrink threshold true_divide xlogy"
)
_FLOAT64 = (
    "addcdiv addcmul avg_pool2d celu cosine_similarity deg2rad digamma ger hamming_window igamma igammac l1_loss "
    "log_softmax logit logspace mse_loss msort nanmean nansum rad2deg renorm selu softplus sort std std_mean "
    "unique var var_mean"
)
_EMPTY = "any mean prod"
_SIGNS = "copysign signbit"
_COMPLEX = "abs absolute"

LIMITS = ((_NAN, NAN), (_FLOAT64, FLOAT64), (_EMPTY, EMPTY), (_SIGNS, SIGNS), (_COMPLEX, COMPLEX))
"""Names of functions and methods, and what is to be said of them."""


def limits_of(target: str) -> str:
    """What is to be known of a function or method by its full MindSpore name; "" where nothing is."""
    room, _, name = target.rpartition(".")
    if room not in ("mindspore.ops", "mindspore.Tensor", "mindspore.mint", "mindspore.mint.nn.functional"):
        return ""
    return "; ".join(said for names, said in LIMITS if name in names.split())
