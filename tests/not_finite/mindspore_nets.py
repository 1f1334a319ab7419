"""MindSpore nets in which a number stops being finite at a known place. Run, it records them all into a folder."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

INPUT = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)


def nets():
    """The nets by name."""
    import mindspore as ms
    from mindspore import Tensor, nn, ops

    class Op(nn.Cell):
        def __init__(self, function):
            super().__init__()
            self.function = function

        def construct(self, x):
            return self.function(x)

    class Between(nn.Cell):
        def __init__(self, function):
            super().__init__()
            self.first, self.last, self.function = nn.Dense(4, 4, has_bias=False), nn.Dense(4, 2), function

        def construct(self, x):
            return self.last(self.function(self.first(x)))

    class Attention(nn.Cell):
        def __init__(self):
            super().__init__()
            self.q, self.softmax, self.out = nn.Dense(4, 4), nn.Softmax(-1), nn.Dense(4, 4)
            self.mask = Tensor(np.triu(np.full((3, 3), -np.inf, np.float32), 1))

        def construct(self, x):
            scores = ops.matmul(self.q(x), x.swapaxes(-1, -2)) + self.mask
            return self.out(ops.matmul(self.softmax(scores), x))

    def log(t):
        return ops.log(t - 99)

    spoilt = nn.SequentialCell(nn.Dense(4, 4), nn.Dense(4, 4))
    weight = spoilt[1].weight.asnumpy().copy()
    weight[0, 0] = np.nan
    spoilt[1].weight.set_data(Tensor(weight))
    return {
        "log": nn.SequentialCell(nn.Dense(4, 4), Op(log), nn.Dense(4, 4)),
        "healed": nn.SequentialCell(nn.Dense(4, 4), Op(log), nn.ReLU(), nn.Dense(4, 4)),
        "division": Between(lambda t: t / (t * 0)),
        "exp": nn.SequentialCell(nn.Dense(4, 4), Op(lambda t: ops.exp(t * 0 + 100))),
        "half": nn.SequentialCell(nn.Dense(4, 4, weight_init=50000.0).to_float(ms.float16)),
        "weight": spoilt,
        "norm": nn.SequentialCell(nn.Dense(4, 4, has_bias=False), Op(lambda t: ops.norm(t * 0, dim=-1))),
        "root": Between(lambda t: ops.sqrt(t * 0)),
        "mask": Attention(),
        "clean": nn.SequentialCell(
            *[nn.SequentialCell(nn.Dense(4, 4), nn.LayerNorm((4,)), nn.GELU()) for _ in range(9)]
        ),
    }


if __name__ == "__main__":
    from mindspore import Tensor

    import tracer

    for name, net in nets().items():
        tracer.record(net, Tensor(INPUT), out=Path(sys.argv[1]) / f"{name}.h5")
