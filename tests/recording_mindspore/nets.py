"""Small MindSpore nets, each with one habit that tracers trip over. `NETS` gives (net, inputs) by name."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import nn, ops


def _tensor(*shape, seed=0):
    return ms.Tensor(np.random.RandomState(seed).randn(*shape).astype(np.float32))


class Plain(nn.Cell):
    def __init__(self):
        super().__init__()
        self.net = nn.SequentialCell(nn.Dense(6, 8), nn.GELU(approximate=False), nn.LayerNorm((8,)), nn.Dense(8, 3))

    def construct(self, x):
        return self.net(x)


class SharedThrice(nn.Cell):
    def __init__(self):
        super().__init__()
        self.layer = nn.Dense(6, 6)

    def construct(self, x):
        for _ in range(3):
            x = ops.relu(self.layer(x))
        return x


class Residual(nn.Cell):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.act = nn.Dense(6, 6), nn.Dense(6, 6), nn.ReLU()

    def construct(self, x):
        return x + self.b(self.act(self.a(x)))


class Head(nn.Cell):
    def __init__(self):
        super().__init__()
        self.dense = nn.Dense(6, 2)

    def construct(self, x):
        return {"logits": self.dense(x), "more": (x * 2, [None, 3, x.sum()]), "ids": ops.argmax(x, -1)}


class NestedDict(nn.Cell):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Dense(6, 6), Head()

    def construct(self, x):
        return self.head(self.body(x))


class UnusedBranch(nn.Cell):
    def __init__(self):
        super().__init__()
        self.used, self.unused, self.never = nn.Dense(6, 4), nn.Dense(6, 4), nn.Dense(6, 4)

    def construct(self, x):
        self.unused(x)
        return self.used(x)


class IdentityChain(nn.Cell):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Identity(), nn.SequentialCell(nn.Identity(), nn.Dropout(p=0.3))
        self.dense = nn.Dense(6, 4)

    def construct(self, x):
        return self.a(self.dense(self.b(self.a(x))))


class SetItem(nn.Cell):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Dense(6, 6), nn.Dense(6, 3)

    def construct(self, x):
        h = self.a(x)
        h[0] = 9.0
        return self.b(h)


class SetItemOfInput(nn.Cell):
    """Alters what a layer was given before: MindSpore hands the altered tensor new memory."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.inner = nn.Dense(6, 6), nn.Dense(6, 3), Altering()

    def construct(self, x):
        h = self.a(x)
        y = self.inner(h)
        return self.b(y * h)


class Altering(nn.Cell):
    def __init__(self):
        super().__init__()
        self.dense = nn.Dense(6, 6)

    def construct(self, x):
        y = self.dense(x)
        x[0] = 2.0
        return y + x


class Block(nn.Cell):
    def __init__(self):
        super().__init__()
        self.a, self.act, self.b = nn.Dense(6, 6), nn.Sigmoid(), nn.Dense(6, 6)

    def construct(self, x):
        return self.b(self.act(self.a(x)))


class Recomputed(nn.Cell):
    def __init__(self):
        super().__init__()
        self.first, self.block, self.last = nn.Dense(6, 6), Block(), nn.Dense(6, 2)
        self.block.recompute()

    def construct(self, x):
        return self.last(self.block(self.first(x)))


class OwnBprop(nn.Cell):
    """Three times the input, with a gradient of its own making."""

    def construct(self, x):
        return x * 3

    def bprop(self, x, out, dout):
        return (dout * 5,)


class CustomBprop(nn.Cell):
    def __init__(self):
        super().__init__()
        self.a, self.mine, self.b = nn.Dense(6, 6), OwnBprop(), nn.Dense(6, 2)

    def construct(self, x):
        return self.b(self.mine(self.a(x)))


class Recurrent(nn.Cell):
    def __init__(self):
        super().__init__()
        self.lstm, self.dense = nn.LSTM(6, 5, num_layers=2, batch_first=True, bidirectional=True), nn.Dense(10, 2)

    def construct(self, x):
        states, (h, c) = self.lstm(x)
        return self.dense(states), h, c


class Encoder(nn.Cell):
    def __init__(self):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.dense = nn.Dense(8, 2)

    def construct(self, x):
        return self.dense(self.layer(x))


class Convolutional(nn.Cell):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, has_bias=True, pad_mode="pad", padding=1)
        self.norm, self.act, self.pool = nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2, 2)
        self.flat, self.dense = nn.Flatten(), nn.Dense(4 * 16, 3)

    def construct(self, x):
        return self.dense(self.flat(self.pool(self.act(self.norm(self.conv(x))))))


class TwoInputs(nn.Cell):
    def __init__(self):
        super().__init__()
        self.embed, self.dense = nn.Embedding(11, 6), nn.Dense(6, 3)

    def construct(self, ids, mask=None, scale=1.0):
        return self.dense(self.embed(ids) * mask) * scale


class Tied(nn.Cell):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(11, 6), nn.Dense(6, 11, has_bias=False)
        self.head.weight = self.embed.embedding_table

    def construct(self, ids):
        return self.head(self.embed(ids))


class Attention(nn.Cell):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = nn.Dense(6, 6), nn.Dense(6, 6), nn.Dense(6, 6)

    def construct(self, x):
        weights = ops.softmax(ops.matmul(self.q(x), self.k(x).swapaxes(-1, -2)))
        return ops.matmul(weights, self.v(x))


class ManyConsumers(nn.Cell):
    """Queries, keys and values of one input, and a residual around them: four gradients meet in one tensor."""

    def __init__(self):
        super().__init__()
        self.a, self.attention, self.b = nn.Dense(6, 6), Attention(), nn.Dense(6, 6)

    def construct(self, x):
        h = self.a(x)
        return self.b(h + self.attention(h))


def _net(kind):
    np.random.seed(0)
    ms.set_seed(1)
    return kind()


IDS = ms.Tensor(np.array([[1, 2, 10], [0, 4, 4]], np.int32))

NETS = {
    "plain": lambda: (_net(Plain), (_tensor(4, 6),), {}),
    "shared three times": lambda: (_net(SharedThrice), (_tensor(4, 6),), {}),
    "residual": lambda: (_net(Residual), (_tensor(4, 6),), {}),
    "nested dict": lambda: (_net(NestedDict), (_tensor(4, 6),), {}),
    "unused branch": lambda: (_net(UnusedBranch), (_tensor(4, 6),), {}),
    "identity chain": lambda: (_net(IdentityChain), (_tensor(4, 6),), {}),
    "setitem after a layer": lambda: (_net(SetItem), (_tensor(4, 6),), {}),
    "setitem of an input": lambda: (_net(SetItemOfInput), (_tensor(4, 6),), {}),
    "recompute": lambda: (_net(Recomputed), (_tensor(4, 6),), {}),
    "custom bprop": lambda: (_net(CustomBprop), (_tensor(4, 6),), {}),
    "lstm": lambda: (_net(Recurrent), (_tensor(2, 4, 6),), {}),
    "transformer layer": lambda: (_net(Encoder), (_tensor(2, 5, 8),), {}),
    "convolutions in training": lambda: (_net(Convolutional).set_train(), (_tensor(2, 3, 8, 8),), {}),
    "keyword inputs": lambda: (_net(TwoInputs), (IDS,), {"mask": _tensor(2, 3, 1), "scale": 2.0}),
    "tied": lambda: (_net(Tied), (IDS,), {}),
}
