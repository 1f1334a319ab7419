"""Torch nets in which a number stops being finite at a known place, and some in which none does."""

from __future__ import annotations

import torch
from torch import nn


class Op(nn.Module):
    """A layer of the user's own that computes one function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


class Between(nn.Module):
    """A function in code between two layers."""

    def __init__(self, function):
        super().__init__()
        self.first, self.last, self.function = nn.Linear(4, 4, bias=False), nn.Linear(4, 2), function

    def forward(self, x):
        return self.last(self.function(self.first(x)))


def own(function):
    """A function in a layer between two others."""
    return nn.Sequential(nn.Linear(4, 4, bias=False), Op(function), nn.Linear(4, 4))


class Half(nn.Module):
    """A matmul in float16 that goes beyond 65504."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4).half()
        nn.init.constant_(self.fc.weight, 500.0)

    def forward(self, x):
        return self.fc((x.abs() * 500 + 1).half())


class Attention(nn.Module):
    """Self-attention whose mask is `mask`, taken by a softmax that is a layer or a function."""

    def __init__(self, mask, *, functional=False):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(4, 4) for _ in range(3))
        self.softmax = nn.Softmax(-1)
        self.functional = functional
        self.register_buffer("mask", mask)

    def forward(self, x):
        scores = self.q(x) @ self.k(x).transpose(-1, -2) + self.mask
        weights = scores.softmax(-1) if self.functional else self.softmax(scores)
        return weights @ self.v(x)


def causal(size=3):
    """-inf above the diagonal."""
    return torch.full((size, size), -torch.inf).triu(1)


def x(seed=0):
    """What the nets are given."""
    return torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(seed))
