"""The ports of the nets in `checked_torch.py`, in MindSpore."""

from __future__ import annotations

import mindspore
from mindspore import nn, ops


class Net(nn.Cell):
    """Linear, norm, GELU, dropout, and a skip connection."""

    def __init__(self, approximate: bool = False, eps: float = 1e-5, p: float = 0.5) -> None:
        super().__init__()
        self.fc1 = nn.Dense(6, 8)
        self.norm = nn.LayerNorm((8,), epsilon=eps)
        self.act = nn.GELU(approximate=approximate)
        self.drop = nn.Dropout(p=p)
        self.fc2 = nn.Dense(8, 8)
        self.head = nn.Dense(8, 3)

    def construct(self, x: mindspore.Tensor) -> mindspore.Tensor:
        x = self.drop(self.act(self.norm(self.fc1(x))))
        return self.head(ops.relu(self.fc2(x)) + x)


class More(Net):
    """With a layer that the other has not."""

    def __init__(self) -> None:
        super().__init__()
        self.extra = nn.Dense(3, 3)

    def construct(self, x: mindspore.Tensor) -> mindspore.Tensor:
        return self.extra(super().construct(x))


class Raising(Net):
    """Its second layer gets what it cannot take."""

    def construct(self, x: mindspore.Tensor) -> mindspore.Tensor:
        return self.fc2(x)


class Frozen(nn.Cell):
    """Both of its norms train unless somebody says otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Dense(6, 6)
        self.frozen = nn.BatchNorm1d(6)
        self.free = nn.BatchNorm1d(6)

    def construct(self, x: mindspore.Tensor) -> mindspore.Tensor:
        return self.free(self.frozen(self.fc(x)))


class Words(nn.Cell):
    """Takes whole numbers, and a mask by name."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, 6)
        self.fc = nn.Dense(6, 3)

    def construct(self, ids: mindspore.Tensor, mask: mindspore.Tensor | None = None) -> mindspore.Tensor:
        x = self.table(ids)
        return self.fc(x if mask is None else x * mask.expand_dims(-1))


def plain() -> Net:
    return Net()


def tanh() -> Net:
    return Net(approximate=True)


def eps() -> Net:
    return Net(eps=1e-2)


def other_rate() -> Net:
    return Net(p=0.2)
