"""MindSpore ports of some nets of `torch_nets.py`, in the words that a port would use."""

from __future__ import annotations

import mindspore as ms
from mindspore import nn, ops


class DropPath(nn.Cell):
    """A sample's branch is dropped whole, by a Dropout on ones (as in mindcv)."""

    def __init__(self, drop_prob: float = 0.0, scale_by_keep: bool = True) -> None:
        super().__init__()
        self.keep_prob = 1.0 - drop_prob
        self.scale_by_keep = scale_by_keep
        self.dropout = nn.Dropout(p=drop_prob)

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        if self.keep_prob == 1.0 or not self.training:
            return x
        mask = self.dropout(ops.ones((x.shape[0],) + (1,) * (x.ndim - 1), x.dtype))
        if not self.scale_by_keep:
            mask = mask * self.keep_prob
        return x * mask


class Mlp(nn.Cell):
    """Dropout after ReLU."""

    def __init__(self, p: float = 0.3, scale: float = 1.0, keep_prob: float | None = None) -> None:
        super().__init__()
        self.fc1 = nn.Dense(8, 32)
        self.act = nn.ReLU()
        self.drop = nn.Dropout(p=p) if keep_prob is None else nn.Dropout(keep_prob)
        self.fc2 = nn.Dense(32, 4)
        self.scale = scale

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        return self.fc2(self.drop(self.act(self.fc1(x))) * self.scale)


class Block(nn.Cell):
    """Attention by hand, an MLP, a DropPath round each."""

    def __init__(self, dim: int = 16, p: float = 0.2, path: float = 0.3) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm([dim], epsilon=1e-5)
        self.qkv = nn.Dense(dim, 3 * dim)
        self.attn_drop = nn.Dropout(p=p)
        self.proj = nn.Dense(dim, dim)
        self.proj_drop = nn.Dropout(p=p)
        self.drop_path = DropPath(path)
        self.norm2 = nn.LayerNorm([dim], epsilon=1e-5)
        self.fc1 = nn.Dense(dim, 2 * dim)
        self.act = nn.GELU(approximate=False)
        self.fc2 = nn.Dense(2 * dim, dim)
        self.drop = nn.Dropout(p=p)

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        q, k, v = self.qkv(self.norm1(x)).chunk(3, axis=-1)
        weights = self.attn_drop(ops.softmax(ops.matmul(q, k.swapaxes(-2, -1)) * 0.25, axis=-1))
        x = x + self.drop_path(self.proj_drop(self.proj(ops.matmul(weights, v))))
        return x + self.drop_path(self.drop(self.fc2(self.act(self.fc1(self.norm2(x))))))


class Vit(nn.Cell):
    """Two blocks and a head."""

    def __init__(self, p: float = 0.2, path: float = 0.3) -> None:
        super().__init__()
        self.blocks = nn.SequentialCell(*(Block(16, p, path) for _ in range(2)))
        self.norm = nn.LayerNorm([16], epsilon=1e-5)
        self.head = nn.Dense(16, 5)

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        return self.head(self.norm(self.blocks(x)).mean(1))


class Cnn(nn.Cell):
    """Dropout of whole channels."""

    def __init__(self, p: float = 0.4) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, pad_mode="pad", padding=1, has_bias=True)
        self.act = nn.ReLU()
        self.drop = nn.Dropout2d(p)
        self.conv2 = nn.Conv2d(6, 4, 3, pad_mode="pad", padding=1, has_bias=True)

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        return self.conv2(self.drop(self.act(self.conv1(x))))


class Slopes(nn.Cell):
    """RReLU."""

    def __init__(self, lower: float = 0.1, upper: float = 0.4) -> None:
        super().__init__()
        self.fc1 = nn.Dense(8, 16)
        self.act = nn.RReLU(lower, upper)
        self.fc2 = nn.Dense(16, 4)

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        return self.fc2(self.act(self.fc1(x)))


class Shared(nn.Cell):
    """One Dropout, called three times."""

    def __init__(self, p: float = 0.3) -> None:
        super().__init__()
        self.a = nn.Dense(8, 16)
        self.b = nn.Dense(16, 16)
        self.c = nn.Dense(16, 4)
        self.drop = nn.Dropout(p=p)

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        x = self.drop(self.a(x))
        x = self.drop(ops.tanh(self.b(x)))
        return self.c(self.drop(x))


class Recomputed(nn.Cell):
    """A part with dropout that is run again in the backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Dense(8, 16)
        self.part = nn.SequentialCell(nn.Dense(16, 16), nn.Dropout(p=0.3), nn.Dense(16, 16))
        self.part.recompute()
        self.b = nn.Dense(16, 4)

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        return self.b(self.part(self.a(x)))


class Raises(Mlp):
    """Runs its dropout, and raises."""

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        self.drop(self.fc1(x))
        raise ValueError("not today")
