"""Calls of activations."""

from __future__ import annotations

import numpy as np

from tests.source_layers.arrays import normal
from tests.source_layers.case import calls

_X = np.concatenate([normal(3, 4, 50), normal(3, 4, 50, scale=4.0)], 2).astype("float32")
_IMAGE = normal(2, 3, 4, 5)
_INPLACE = ("()", "(True)", "(inplace=True)", "(inplace=False)", "(False)")

ACTIVATION = (
    calls("torch.nn.ReLU", *_INPLACE, inputs=_X),
    calls("torch.nn.ReLU6", *_INPLACE, inputs=_X),
    calls("torch.nn.SELU", *_INPLACE, inputs=_X),
    calls("torch.nn.SiLU", *_INPLACE, inputs=_X),
    calls("torch.nn.Mish", *_INPLACE, inputs=_X),
    calls("torch.nn.Hardswish", *_INPLACE, inputs=_X),
    calls("torch.nn.Hardsigmoid", *_INPLACE, inputs=_X),
    calls("torch.nn.Sigmoid", "()", inputs=_X),
    calls("torch.nn.Tanh", "()", inputs=_X, loose=2e-4),
    calls("torch.nn.Tanhshrink", "()", inputs=_X, loose=2e-4),
    calls("torch.nn.LogSigmoid", "()", inputs=_X),
    calls("torch.nn.Softsign", "()", inputs=_X),
    calls("torch.nn.Softplus", "()", "(2.0)", "(beta=0.5, threshold=5)", inputs=_X),
    calls("torch.nn.GELU", "()", "('none')", "('tanh')", "(approximate='none')", "(approximate='tanh')", inputs=_X),
    calls(
        "torch.nn.LeakyReLU",
        "()",
        "(0.2)",
        "(negative_slope=0.1)",
        "(0.1, True)",
        "(inplace=True)",
        "(0.2, inplace=True)",
        inputs=_X,
    ),
    calls(
        "torch.nn.ELU",
        "()",
        "(1.0)",
        "(alpha=0.5)",
        "(1.0, True)",
        "(inplace=True)",
        "(alpha=1.0, inplace=False)",
        "(1)",
        "(alpha=2)",
        inputs=_X,
    ),
    calls(
        "torch.nn.CELU", "()", "(1)", "(alpha=2)", "(1.0)", "(alpha=0.5)", "(2.0, True)", "(inplace=True)", inputs=_X
    ),
    calls(
        "torch.nn.PReLU",
        "()",
        "(1)",
        "(4)",
        "(num_parameters=4, init=0.1)",
        "(1, 0.3)",
        "(init=0.1)",
        "(1, init=0)",
        "(init=1)",
        inputs=_X,
    ),
    calls("torch.nn.RReLU", "()", "(0.1, 0.3)", "(lower=0.2, upper=0.2)", "(0.1, 0.3, True)", inputs=_X, random=True),
    calls(
        "torch.nn.Hardtanh",
        "()",
        "(-2.0, 2.0)",
        "(min_val=0.0, max_val=6.0)",
        "(-1, 1, True)",
        "(-0.5, 0.5, inplace=True)",
        "(min_value=-2.0, max_value=2.0)",
        inputs=_X,
    ),
    calls("torch.nn.Hardshrink", "()", "(1.0)", "(lambd=0.3)", inputs=_X),
    calls("torch.nn.Softshrink", "()", "(1.0)", "(lambd=0.3)", inputs=_X),
    calls(
        "torch.nn.Threshold",
        "(0.1, 20.0)",
        "(0.1, 20)",
        "(threshold=1.0, value=-1.0)",
        "(0.0, 0.0, True)",
        "(0.1, 2.0, inplace=True)",
        inputs=_X,
    ),
    calls("torch.nn.GLU", "()", "(1)", "(dim=-2)", "(-1)", inputs=normal(3, 4, 6)),
    calls("torch.nn.Softmax", "(1)", "(dim=-1)", "(dim=0)", "(-2)", "(dim=2)", inputs=_IMAGE),
    calls("torch.nn.Softmax", "()", "(None)", "(dim=None)", "(dim=1)", inputs=normal(3, 4)),
    calls("torch.nn.Softmax", "()", inputs=normal(3, 4, 5)),
    calls("torch.nn.LogSoftmax", "(1)", "(dim=-1)", "(dim=0)", "(dim=2)", inputs=_IMAGE),
    calls("torch.nn.LogSoftmax", "()", "(dim=None)", "(dim=1)", inputs=normal(3, 4)),
    calls("torch.nn.LogSoftmax", "()", inputs=normal(3, 4, 5)),
    calls("torch.nn.Softmin", "(1)", "(dim=-1)", "(dim=0)", inputs=_IMAGE),
    calls("torch.nn.Softmin", "()", inputs=normal(3, 4, 5)),
    calls("torch.nn.Softmax2d", "()", inputs=_IMAGE),
    calls("torch.nn.Softmax2d", "()", inputs=normal(3, 4, 5)),
    calls("torch.nn.MultiheadAttention", inputs=_X),
)[:-1]
