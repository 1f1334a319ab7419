"""The pairs of nets, and what a check by hand (`by_hand.py`) found out about each port."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.published import maps, mends


@dataclass(frozen=True)
class Finding:
    """Where the port first goes wrong: both paths, the setting in torch's word, and what makes that right.

    `cause` may be a kind of cause instead ("code"). `place` is "between" where a function in one net's code has gone wrong and not a layer; then `seen` holds the paths
    of the first layers that show it, for the check by hand sees layers only.
    """

    reference: str
    candidate: str
    cause: str
    mend: mends.Mend
    sentence: str
    place: str = "layer"
    seen: tuple[str, str] | None = None

    @property
    def origin(self) -> tuple[str, str]:
        return self.reference, self.candidate


@dataclass(frozen=True)
class Pair:
    """Two nets that should be one.

    `findings` are in the order in which they come to light: each when those before it are mended. A faithful port has
    none. `size` is the height and width of the images, which are two with three channels.
    """

    reference: str
    candidate: str
    rename: Callable[[str], str]
    size: int
    findings: tuple[Finding, ...] = ()


_GELU = "nn.GELU() is the tanh approximation in MindSpore, exact in torch"
_SAME = "pad_mode='same' puts the odd row of padding at the end, torch's padding=1 at the start"
_EPS = "the port's BatchNorm has another epsilon"

PAIRS = {
    "resnet50": Pair(
        "resnet50",
        "resnet50",
        maps.resnet,
        64,
        (Finding("maxpool", "max_pool", "padding", mends.symmetric_pooling, _SAME),),
    ),
    "mobilenet_v3_large": Pair(
        "mobilenet_v3_large",
        "mobilenet_v3_large_100",
        maps.mobilenet_v3,
        64,
        (
            Finding("features.0.1", "features.1", "eps", mends.norm_eps(1e-3), _EPS),
            Finding("features.2.block.1.0", "features.4.layers.3", "padding", mends.symmetric_convolutions, _SAME),
        ),
    ),
    "vit_base_patch32_224": Pair(
        "timm:vit_base_patch32_224",
        "vit_b_32_224",
        maps.same,
        224,
        (Finding("blocks.0.mlp.act", "blocks.0.mlp.act", "approximate", mends.exact_gelu, _GELU),),
    ),
    "mobilenet_v2": Pair("mobilenet_v2", "mobilenet_v2_100", maps.mobilenet_v2, 64),
    "densenet121": Pair("densenet121", "densenet121", maps.densenet, 64),
    "efficientnet_b0": Pair(
        "efficientnet_b0",
        "efficientnet_b0",
        maps.efficientnet,
        64,
        (Finding("features.0.0", "features.0", "padding", mends.symmetric_convolutions, _SAME),),
    ),
    "mnasnet1_0": Pair(
        "mnasnet1_0",
        "mnasnet_100",
        maps.mnasnet,
        64,
        (Finding("layers.1", "features.1", "eps", mends.norm_eps(1e-5), _EPS),),
    ),
    "convnext_tiny": Pair(
        "convnext_tiny",
        "convnext_tiny",
        maps.convnext,
        64,
        (Finding("features.1.0.block.4", "feature.1.0.act", "approximate", mends.exact_gelu, _GELU),),
    ),
    "squeezenet1_1": Pair(
        "squeezenet1_1",
        "squeezenet1_1",
        maps.squeezenet,
        64,
        (
            Finding(
                "features.0",
                "features.0",
                "padding",
                mends.unpadded_stem,
                "the port pads its first convolution, the reference does not",
            ),
        ),
    ),
    "inception_v3": Pair(
        "inception_v3",
        "inception_v3",
        maps.inception_v3,
        107,
        (
            Finding(
                "Mixed_5b",
                "inception5b",
                "code",
                mends.pooling_counts_padding,
                "average pooling in pad_mode='same' leaves the padding out of the mean, torch's function counts it",
                "between",
                ("Mixed_5b.branch_pool.conv", "inception5b.branch_pool.1.conv"),
            ),
        ),
    ),
}
