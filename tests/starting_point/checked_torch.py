"""PyTorch nets for the whole check; `checked_mindspore.py` holds their ports."""

from __future__ import annotations

import torch
from torch import nn


class Net(nn.Module):
    """Linear, norm, GELU, dropout, and a skip connection."""

    def __init__(self, approximate: str = "none", eps: float = 1e-5, p: float = 0.5) -> None:
        super().__init__()
        self.fc1 = nn.Linear(6, 8)
        self.norm = nn.LayerNorm(8, eps=eps)
        self.act = nn.GELU(approximate=approximate)
        self.drop = nn.Dropout(p)
        self.fc2 = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.drop(self.act(self.norm(self.fc1(x))))
        return self.head(torch.relu(self.fc2(x)) + x)


class More(Net):
    """With a layer that the other has not."""

    def __init__(self) -> None:
        super().__init__()
        self.extra = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.extra(super().forward(x))


class Raising(Net):
    """Its second layer gets what it cannot take."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(x)


class Frozen(nn.Module):
    """A BatchNorm that stays in evaluation mode while the net trains."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 6)
        self.frozen = nn.BatchNorm1d(6)
        self.free = nn.BatchNorm1d(6)

    def train(self, mode: bool = True) -> Frozen:
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.free(self.frozen(self.fc(x)))


class Words(nn.Module):
    """Takes whole numbers, and a mask by name."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, 6)
        self.fc = nn.Linear(6, 3)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        x = self.table(ids)
        return self.fc(x if mask is None else x * mask[..., None])


def plain() -> Net:
    return Net()


def tanh() -> Net:
    return Net("tanh")


def raises() -> Net:
    raise ValueError("no such width")


def number() -> int:
    return 3


several = [Net()]
