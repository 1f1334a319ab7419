"""Calls of pooling, padding and resizing layers."""

from __future__ import annotations

import numpy as np

from tests.source_layers.arrays import normal
from tests.source_layers.case import calls

_1D = normal(2, 4, 11)
_2D = normal(2, 4, 9, 8)
_3D = normal(2, 3, 6, 7, 8)
_MAX = (
    "(2)",
    "(3, 2)",
    "(3, 2, 1)",
    "(3, stride=2, padding=1)",
    "(3, 1, 1, 1)",
    "(3, stride=1, padding=1, dilation=2)",
    "(kernel_size=3)",
    "(2, ceil_mode=True)",
    "(2, 2, ceil_mode=True)",
    "(3, 2, 1, ceil_mode=True)",
    "(3, 2, 0, 1, False, True)",
    "(3, stride=3, padding=1, ceil_mode=True)",
    "(2, stride=None)",
    "(2, 2, return_indices=True)",
    "(3, 2, 1, 1, True)",
)
_AVG = (
    "(2)",
    "(3, 2)",
    "(3, 2, 1)",
    "(3, stride=2, padding=1)",
    "(kernel_size=3)",
    "(2, ceil_mode=True)",
    "(2, 2, ceil_mode=True)",
    "(3, 2, 1, ceil_mode=True)",
    "(3, 2, 1, True)",
    "(3, 2, 1, False, False)",
    "(3, stride=1, padding=1, count_include_pad=False)",
    "(3, 2, 1, ceil_mode=True, count_include_pad=False)",
    "(2, stride=None)",
)

POOLING = (
    calls("torch.nn.MaxPool1d", *_MAX, "((3,), stride=(2,))", inputs=_1D),
    calls("torch.nn.MaxPool1d", "(3, 2, 1)", "(2)", inputs=normal(2, 4, 8)),
    calls("torch.nn.MaxPool1d", "(3, 2, 1)", inputs=normal(4, 8)),
    calls(
        "torch.nn.MaxPool2d", *_MAX, "((3, 2))", "((3, 2), stride=(2, 1), padding=(1, 0))", "([3, 3], 2)", inputs=_2D
    ),
    calls("torch.nn.MaxPool2d", "(3, 2, 1)", "(3, 2, 1, ceil_mode=True)", "(2, 2)", inputs=normal(2, 4, 8, 10)),
    calls("torch.nn.MaxPool2d", "(3, 2, 1)", inputs=normal(4, 8, 10)),
    calls("torch.nn.MaxPool2d", "(3, 2, 1)", inputs=(normal(2, 4, 9, 9) - 9).astype("float32")),
    calls("torch.nn.MaxPool3d", *_MAX, "((1, 2, 2), stride=(1, 2, 2))", "((3, 2, 2), 2, (1, 0, 1))", inputs=_3D),
    calls("torch.nn.AvgPool1d", *_AVG, inputs=_1D),
    calls("torch.nn.AvgPool1d", "(3, 2, 1)", inputs=normal(2, 4, 8)),
    calls(
        "torch.nn.AvgPool2d",
        *_AVG,
        "((3, 2))",
        "((3, 2), stride=(2, 1), padding=(1, 0))",
        "(2, divisor_override=3)",
        "(3, 2, 1, divisor_override=5)",
        inputs=_2D,
    ),
    calls(
        "torch.nn.AvgPool2d", "(3, 2, 1)", "(2, 2, ceil_mode=True, count_include_pad=False)", inputs=normal(2, 4, 8, 10)
    ),
    calls("torch.nn.AvgPool2d", "(3, 2, 1)", inputs=normal(4, 8, 10)),
    calls("torch.nn.AvgPool3d", *_AVG, "((1, 2, 2))", "(2, divisor_override=3)", inputs=_3D),
    calls("torch.nn.AdaptiveAvgPool1d", "(1)", "(output_size=4)", "((2,))", inputs=_1D[:, :, :8]),
    calls("torch.nn.AdaptiveAvgPool1d", "(5)", "(3)", inputs=_1D, refused=True),
    calls(
        "torch.nn.AdaptiveAvgPool2d",
        "(1)",
        "((1, 1))",
        "(output_size=(7, 7))",
        "((3, 5))",
        "((None, 4))",
        "((4, None))",
        "(5)",
        "([2, 2])",
        inputs=_2D,
    ),
    calls("torch.nn.AdaptiveAvgPool2d", "(1)", "((7, 7))", inputs=normal(4, 9, 8)),
    calls("torch.nn.AdaptiveAvgPool3d", "(1)", "((2, 3, 4))", "((None, 2, 2))", "(4)", inputs=_3D),
    calls(
        "torch.nn.AdaptiveMaxPool1d",
        "(1)",
        "(4)",
        "(output_size=2)",
        "(2, return_indices=True)",
        inputs=_1D[:, :, :8],
    ),
    calls("torch.nn.AdaptiveMaxPool1d", "(3)", "(5)", inputs=_1D, refused=True),
    calls(
        "torch.nn.AdaptiveMaxPool2d",
        "(1)",
        "((1, 1))",
        "(output_size=(3, 5))",
        "((None, 4))",
        "(5)",
        "((2, 2), True)",
        "(3, return_indices=True)",
        inputs=_2D,
    ),
    calls("torch.nn.AdaptiveMaxPool3d", "(1)", "((2, 3, 4))", "(4, return_indices=True)", inputs=_3D),
    calls(
        "torch.nn.LPPool1d",
        "(2, 3)",
        "(2, 3, 2)",
        "(norm_type=3, kernel_size=2, stride=1)",
        "(2, 3, ceil_mode=True)",
        "(1.0, 3)",
        "(2, 2, None, True)",
        inputs=np.abs(_1D),
    ),
    calls(
        "torch.nn.LPPool2d",
        "(2, 3)",
        "(2, 3, 2)",
        "(2, (3, 2), stride=(2, 1))",
        "(3, 2, ceil_mode=True)",
        "(1.2, (3, 2))",
        inputs=np.abs(_2D),
    ),
    calls("torch.nn.LPPool2d", "(2, 3)", "(1, 3)", inputs=_2D),
    calls("torch.nn.LPPool3d", "(2, 3)", inputs=np.abs(_3D)),
    calls(
        "torch.nn.MaxUnpool1d",
        "(2)",
        "(2, 2)",
        "(2, stride=2, padding=0)",
        inputs=(normal(2, 3, 4), np.tile(np.arange(0, 8, 2), (2, 3, 1))),
    ),
    calls(
        "torch.nn.MaxUnpool2d",
        "(2)",
        "(2, 2)",
        "(kernel_size=2, stride=None)",
        inputs=(normal(2, 3, 2, 2), np.tile(np.array([[0, 2], [8, 10]]), (2, 3, 1, 1))),
    ),
    calls("torch.nn.MaxUnpool3d", "(2)", inputs=(normal(1, 1, 1, 2, 2), np.array([[[[[0, 2], [8, 10]]]]]))),
    calls("torch.nn.FractionalMaxPool2d", "(2, output_size=3)", "(2, output_ratio=0.5)", inputs=_2D, drawn=True),
    calls("torch.nn.FractionalMaxPool3d", "(2, output_size=3)", inputs=_3D, drawn=True),
    *(
        calls(f"torch.nn.{kind}Pad1d", "(2)", "((1, 2))", "(padding=(2, 0))", inputs=normal(2, 3, 6))
        for kind in ("Reflection", "Replication", "Zero", "Circular")
    ),
    *(
        calls(f"torch.nn.{kind}Pad2d", "(2)", "((1, 2, 0, 3))", "(padding=(2, 0, 1, 1))", inputs=normal(2, 3, 6, 5))
        for kind in ("Reflection", "Replication", "Zero", "Circular")
    ),
    *(
        calls(f"torch.nn.{kind}Pad2d", "(2)", inputs=normal(3, 6, 5))
        for kind in ("Reflection", "Replication", "Zero", "Circular")
    ),
    *(
        calls(
            f"torch.nn.{kind}Pad3d",
            "(1)",
            "((1, 2, 0, 3, 1, 1))",
            "(padding=(2, 0, 1, 1, 0, 1))",
            inputs=normal(2, 3, 4, 5, 6),
        )
        for kind in ("Reflection", "Replication", "Zero", "Circular")
    ),
    calls("torch.nn.ZeroPad2d", "((-1, 2, 0, 1))", inputs=normal(2, 3, 6, 5)),
    calls(
        "torch.nn.ConstantPad1d",
        "(2, 3.5)",
        "((1, 2), 0)",
        "(padding=(3, 1), value=1.0)",
        "(2, 1)",
        inputs=normal(2, 3, 6),
    ),
    calls(
        "torch.nn.ConstantPad2d",
        "(2, 3.5)",
        "((1, 2, 0, 3), 0.0)",
        "(padding=(3, 1, 1, 1), value=1.0)",
        "((-1, 1, 0, 2), 2.0)",
        inputs=normal(2, 3, 6, 5),
    ),
    calls(
        "torch.nn.ConstantPad3d",
        "(2, 3.5)",
        "((1, 2, 0, 3, 1, 1), 0.0)",
        "(padding=1, value=1.0)",
        inputs=normal(2, 3, 4, 5, 6),
    ),
    calls(
        "torch.nn.Upsample",
        "(scale_factor=2)",
        "((16, 18))",
        "(size=(16, 18), mode='nearest')",
        "(scale_factor=2, mode='bilinear')",
        "(scale_factor=2, mode='bilinear', align_corners=True)",
        "(scale_factor=2, mode='bilinear', align_corners=False)",
        "(size=(16, 18), mode='bilinear', align_corners=False)",
        "(size=(16, 18), mode='bilinear', align_corners=True)",
        "(None, 2.0, 'nearest')",
        "(scale_factor=(2, 3), mode='nearest')",
        "(scale_factor=1.5, mode='nearest')",
        "(scale_factor=1.5, mode='bilinear')",
        "(scale_factor=0.5, mode='bilinear')",
        "(scale_factor=2, mode='bicubic')",
        "(size=(16, 18), mode='bicubic', align_corners=True)",
        "(scale_factor=2, mode='nearest', recompute_scale_factor=True)",
        "(scale_factor=1.7, mode='bilinear', align_corners=False, recompute_scale_factor=True)",
        "(scale_factor=2, mode='nearest-exact')",
        "(16)",
        "(size=16, mode='bilinear')",
        inputs=_2D,
    ),
    calls(
        "torch.nn.Upsample",
        "(scale_factor=2)",
        "(20)",
        "(scale_factor=2, mode='linear')",
        "(size=20, mode='linear', align_corners=True)",
        "((20,), mode='nearest')",
        inputs=_1D,
    ),
    calls(
        "torch.nn.Upsample",
        "(scale_factor=2)",
        "((8, 9, 10))",
        "(scale_factor=2, mode='trilinear')",
        "(size=(8, 9, 10), mode='trilinear', align_corners=True)",
        inputs=_3D,
    ),
    calls("torch.nn.UpsamplingNearest2d", "(scale_factor=2)", "((16, 18))", "(size=20)", "(None, 2)", inputs=_2D),
    calls("torch.nn.UpsamplingBilinear2d", "(scale_factor=2)", "((16, 18))", "(size=20)", "(None, 2)", inputs=_2D),
)
