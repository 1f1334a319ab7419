"""The nets whose weights are moved by the tracer alone: those of `pairs.py`, and more for which nobody wrote a map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.published import mends
from tests.published.pairs import PAIRS


@dataclass(frozen=True)
class Family:
    """Two nets that should be one.

    `mends` are the port's known faults, each made right, so that the nets' outputs can be held against each other.
    `rename` is a map by hand where there is one: it judges, and places nothing. `needs_calls`: structure alone leaves
    choices between layers of equal shapes, which the calls of both nets settle. `size` is the height and width of the
    two images. `left` says what else is wrong with the port, where that is no small thing to mend: then the outputs are
    no judge. `runs`: does the port run at all?
    """

    reference: str
    candidate: str
    size: int
    mends: tuple[mends.Mend, ...] = ()
    rename: Callable[[str], str] | None = None
    needs_calls: bool = False
    left: str = ""
    runs: bool = True


FAMILIES = {
    name: Family(p.reference, p.candidate, p.size, tuple(f.mend for f in p.findings), p.rename, name == "inception_v3")
    for name, p in PAIRS.items()
} | {
    "resnext50_32x4d": Family("timm:resnext50_32x4d", "resnext50_32x4d", 64, (mends.symmetric_pooling,)),
    "res2net50": Family("timm:res2net50_26w_4s", "res2net50", 64),
    "seresnet50": Family("timm:seresnet50", "seresnet50", 64, (mends.symmetric_pooling,)),
    "ghostnet_100": Family("timm:ghostnet_100", "ghostnet_100", 64),
    "mixnet_s": Family("timm:mixnet_s", "mixnet_s", 64, (mends.silu_in_gates,)),
    "repvgg_a0": Family("timm:repvgg_a0", "repvgg_a0", 64),
    "mobilenet_v1": Family("timm:mobilenetv1_100", "mobilenet_v1_100", 64, (mends.clipped_relu,)),
    "pvt_v2_b0": Family("timm:pvt_v2_b0", "pvt_v2_b0", 224, left="padding of its patches and reductions"),
    "edgenext_xx_small": Family("timm:edgenext_xx_small", "edgenext_xx_small", 64),
    "visformer_tiny": Family("timm:visformer_tiny", "visformer_tiny", 224, (mends.exact_gelu,)),
    "xcit_tiny_12_p16": Family(
        "timm:xcit_tiny_12_p16_224", "xcit_tiny_12_p16_224", 224, (mends.exact_gelu,), left="the code of its attention"
    ),
    "pit_ti": Family("timm:pit_ti_224", "pit_ti", 224, (mends.exact_gelu,)),
    "coat_tiny": Family(
        "timm:coat_tiny",
        "coat_tiny",
        224,
        (mends.encodes_the_residual, mends.exact_gelu),
        left="what its parallel blocks are given",
    ),
    "crossvit_9": Family(
        "timm:crossvit_9_240",
        "crossvit_9",
        240,
        (mends.exact_gelu,),
        left="how it resizes images; the code of its fusions",
    ),
    "volo_d1": Family("timm:volo_d1_224", "volo_d1", 224, left="it calls `ops.pad` with nested paddings", runs=False),
    "poolformer_s12": Family("timm:poolformer_s12", "poolformer_s12", 224, (mends.pools_before_norm,)),
    "swin_tiny": Family("timm:swin_tiny_patch4_window7_224", "swin_tiny", 224, (mends.exact_gelu,)),
}
