"""PyTorch nets with layers of random output; `mindspore_nets.py` holds the ports of some."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.checkpoint import checkpoint


class DropPath(nn.Module):
    """A sample's branch is dropped whole (as in timm)."""

    def __init__(self, drop_prob: float = 0.0, scale_by_keep: bool = True) -> None:
        super().__init__()
        self.drop_prob = drop_prob
        self.scale_by_keep = scale_by_keep

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.drop_prob == 0.0 or not self.training:
            return x
        keep = 1 - self.drop_prob
        mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)
        return x * (mask.div_(keep) if self.scale_by_keep else mask)


class Mlp(nn.Module):
    """Dropout after ReLU, so that many inputs of it are 0."""

    def __init__(self, p: float = 0.3, scale: float = 1.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(8, 32)
        self.act = nn.ReLU()
        self.drop = nn.Dropout(p)
        self.fc2 = nn.Linear(32, 4)
        self.scale = scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.drop(self.act(self.fc1(x))) * self.scale)


class Block(nn.Module):
    """Attention by hand, an MLP, a DropPath round each."""

    def __init__(self, dim: int = 16, p: float = 0.2, path: float = 0.3) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.attn_drop = nn.Dropout(p)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(p)
        self.drop_path = DropPath(path)
        self.norm2 = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, 2 * dim)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(2 * dim, dim)
        self.drop = nn.Dropout(p)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(self.norm1(x)).chunk(3, dim=-1)
        weights = self.attn_drop(torch.softmax(q @ k.transpose(-2, -1) * 0.25, dim=-1))
        x = x + self.drop_path(self.proj_drop(self.proj(weights @ v)))
        return x + self.drop_path(self.drop(self.fc2(self.act(self.fc1(self.norm2(x))))))


class Vit(nn.Module):
    """Two blocks and a head."""

    def __init__(self, p: float = 0.2, path: float = 0.3) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block(16, p, path) for _ in range(2)))
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.blocks(x)).mean(1))


class Cnn(nn.Module):
    """Dropout of whole channels."""

    def __init__(self, p: float = 0.4) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.act = nn.ReLU()
        self.drop = nn.Dropout2d(p)
        self.conv2 = nn.Conv2d(6, 4, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv2(self.drop(self.act(self.conv1(x))))


class Slopes(nn.Module):
    """RReLU."""

    def __init__(self, lower: float = 0.1, upper: float = 0.4) -> None:
        super().__init__()
        self.fc1 = nn.Linear(8, 16)
        self.act = nn.RReLU(lower, upper)
        self.fc2 = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.act(self.fc1(x)))


class Shared(nn.Module):
    """One Dropout, called three times."""

    def __init__(self, p: float = 0.3) -> None:
        super().__init__()
        self.a = nn.Linear(8, 16)
        self.b = nn.Linear(16, 16)
        self.c = nn.Linear(16, 4)
        self.drop = nn.Dropout(p)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.drop(self.a(x))
        x = self.drop(torch.tanh(self.b(x)))
        return self.c(self.drop(x))


class InPlace(nn.Module):
    """Layers that overwrite what they are given."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(8, 16)
        self.drop = nn.Dropout(0.3, inplace=True)
        self.act = nn.RReLU(inplace=True)
        self.b = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.act(self.drop(self.a(x))))


class Alpha(nn.Module):
    """AlphaDropout of elements and of channels."""

    def __init__(self, p: float = 0.2) -> None:
        super().__init__()
        self.a = nn.Conv1d(8, 16, 1)
        self.act = nn.SELU()
        self.drop = nn.AlphaDropout(p)
        self.channels = nn.FeatureAlphaDropout(p)
        self.b = nn.Conv1d(16, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.channels(self.drop(self.act(self.a(x)))))


class Checkpointed(nn.Module):
    """A part with dropout that is run again in the backward pass."""

    def __init__(self, reentrant: bool = False) -> None:
        super().__init__()
        self.a = nn.Linear(8, 16)
        self.part = nn.Sequential(nn.Linear(16, 16), nn.Dropout(0.3), nn.Linear(16, 16))
        self.b = nn.Linear(16, 4)
        self.reentrant = reentrant

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = checkpoint(self.part, self.a(x), use_reentrant=self.reentrant)
        return self.b(checkpoint(self.part, x, use_reentrant=self.reentrant))


class Attends(nn.Module):
    """Dropout where no recording sees it: inside MultiheadAttention, and as a function."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.a = nn.Linear(8, 16)
        self.attention = nn.MultiheadAttention(16, 2, dropout=p, batch_first=True)
        self.b = nn.Linear(16, 64)
        self.c = nn.Linear(64, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.a(x)
        x = self.attention(x, x, x)[0]
        return self.c(F.dropout(self.b(x), 0.5, self.training))


class OwnRelu(nn.Module):
    """A class no rule knows that gives 0 or its input, and draws nothing."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * (x > 0)


class NotRandom(nn.Module):
    """Layers that look a little like dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(8, 16)
        self.act = OwnRelu()
        self.b = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(self.act(self.a(x)))


class Raises(Mlp):
    """Runs its dropout, and raises."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.drop(self.fc1(x))
        raise ValueError("not today")


class OwnDropout(nn.Module):
    """A dropout that no rule knows."""

    def __init__(self, rate: float = 0.4) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(x, self.rate, self.training)


class StochasticDepth(nn.Module):
    """As in torchvision: rows, or the whole batch, are dropped."""

    def __init__(self, p: float = 0.3, mode: str = "row") -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0:
            return x
        rows = x.shape[0] if self.mode == "row" else 1
        noise = torch.empty((rows,) + (1,) * (x.ndim - 1), dtype=x.dtype).bernoulli_(1 - self.p)
        return x * noise.div_(1 - self.p)


class Temperature(nn.Module):
    """Divides by a setting, and draws nothing."""

    def __init__(self, t: float = 0.5) -> None:
        super().__init__()
        self.t = t

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / self.t


def around(layer: nn.Module) -> nn.Module:
    """A layer between two Linear."""
    return nn.Sequential(nn.Linear(16, 16), layer, nn.Linear(16, 4))
