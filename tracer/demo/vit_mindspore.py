"""The port: the same Vision Transformer in MindSpore. Run this file to record it into a trace beside it."""

from __future__ import annotations

from pathlib import Path

import mindspore
import numpy as np
from mindspore import Parameter, Tensor, nn, ops


class PatchEmbed(nn.Cell):
    """An image cut into square patches, each made a vector of `dim` numbers."""

    def __init__(self, patch: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, kernel_size=patch, stride=patch, pad_mode="valid", has_bias=True)

    def construct(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(start_dim=2).swapaxes(1, 2)


class Attention(nn.Cell):
    """Every token looks at all tokens, `heads` times side by side."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (dim // heads) ** -0.5
        self.qkv = nn.Dense(dim, 3 * dim)
        self.proj = nn.Dense(dim, dim)

    def construct(self, x: Tensor) -> Tensor:
        batch, tokens, dim = x.shape
        q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.heads, dim // self.heads).transpose(2, 0, 3, 1, 4)
        weights = ops.softmax(ops.matmul(q, k.swapaxes(-2, -1)) * self.scale, axis=-1)
        return self.proj(ops.matmul(weights, v).swapaxes(1, 2).reshape(batch, tokens, dim))


class Mlp(nn.Cell):
    """Two linear layers with an activation between, the same for every token."""

    def __init__(self, dim: int, hidden: int, drop: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Dense(dim, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Dense(hidden, dim)
        self.drop = nn.Dropout(p=drop)

    def construct(self, x: Tensor) -> Tensor:
        x = self.drop(self.act(self.fc1(x)))
        return self.drop(self.fc2(x))


class Block(nn.Cell):
    """Attention, then the Mlp, each on normalised tokens and added to what came in."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm((dim,), epsilon=1e-6)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm((dim,), epsilon=1e-6)
        self.mlp = Mlp(dim, 4 * dim)

    def construct(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Cell):
    """Images (batch, 3, `size`, `size`) to scores (batch, `classes`)."""

    def __init__(
        self, size: int = 32, patch: int = 8, dim: int = 64, depth: int = 4, heads: int = 4, classes: int = 10
    ) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(patch, dim)
        self.cls_token = Parameter(ops.zeros((1, 1, dim), mindspore.float32))
        self.pos_embed = Parameter(ops.zeros((1, 1 + (size // patch) ** 2, dim), mindspore.float32))
        self.blocks = nn.SequentialCell(*[Block(dim, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm((dim,), epsilon=1e-6)
        self.head = nn.Dense(dim, classes)

    def construct(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x)
        cls_token = ops.broadcast_to(self.cls_token, (x.shape[0], -1, -1))
        x = ops.cat((cls_token, x), axis=1) + self.pos_embed
        x = self.norm(self.blocks(x))
        return self.head(x[:, 0])


if __name__ == "__main__":
    import tracer
    from tracer.demo.weights import load_weights

    here = Path(__file__).parent
    net = VisionTransformer()
    load_weights(net, here / "weights.npz")
    images = np.random.default_rng(0).standard_normal((2, 3, 32, 32), dtype=np.float32)
    tracer.record(net, images, out=Path(__file__).with_suffix(".h5"))
