"""Nets and their maps: recorded, or as they stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import tracer
from tracer.starting_point.holders import of_net
from tracer.starting_point.weights.placing import map_weights
from tracer.starting_point.weights.steps import apply_steps
from tracer.starting_point.weights.weight_map import WeightMap
from tracer.trace.reader import Trace


def drawn(net: nn.Module, seed: int = 0) -> nn.Module:
    """The net with numbers in all parameters and buffers that no two share."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
            if tensor.is_floating_point():
                size = tensor[0].numel() if tensor.ndim else 1
                numbers = torch.randn(tensor.shape, generator=generator) / max(1, size) ** 0.5
                tensor.copy_(numbers.abs() + 0.5 if "var" in name else numbers)
    return net.eval()


def map_of_calls(reference: nn.Module, candidate: nn.Module, sample: Any, folder: Path, **others: Any) -> WeightMap:
    """The map of two nets that ran."""
    traces = []
    for name, net in (("reference", reference), ("candidate", candidate)):
        tracer.record(net, sample, out=folder / f"{name}.h5", keep="values", backward=False)
        traces.append(Trace(folder / f"{name}.h5"))
    with traces[0] as ours, traces[1] as theirs:
        values = {"value_reference": ours.array, "value_candidate": theirs.array}
        return map_weights(ours.skeleton, theirs.skeleton, **(values | others))


def map_of_nets(reference: nn.Module, candidate: nn.Module, **others: Any) -> WeightMap:
    """The map of two nets that never ran."""
    return map_weights(of_net(reference).skeleton, of_net(candidate).skeleton, **others)


def read(net: nn.Module) -> dict[str, np.ndarray]:
    """All arrays of a net."""
    return {name: t.detach().numpy().copy() for name, t in [*net.named_parameters(), *net.named_buffers()]}


def carried(mapping: WeightMap, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the map makes of the reference's arrays, by the candidate's keys."""
    made = {}
    for placement in mapping.placements:
        pieces = [apply_steps(piece.steps, arrays[piece.source]) for piece in placement.pieces]
        made[placement.target] = apply_steps(placement.then, pieces[0] if len(pieces) == 1 else np.concatenate(pieces))
    return made


def sources(mapping: WeightMap) -> dict[str, str]:
    """For each parameter of the candidate what it is made of, as a map would say it."""
    return {p.target: str(p).partition(" = ")[2] for p in mapping.placements}


def load(net: nn.Module, arrays: Mapping[str, np.ndarray]) -> nn.Module:
    """The net with these arrays."""
    net.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}, strict=False)
    return net.eval()


class Attention(nn.Module):
    """Self-attention whose projections bear any names: `order` names query, key and value among its layers."""

    def __init__(self, names: tuple[str, ...], order: tuple[str, str, str], dim: int = 16, heads: int = 2, **how: Any):
        super().__init__()
        for name in names:
            setattr(self, name, nn.Linear(dim, dim))
        self.back = nn.Linear(dim, dim)
        self.order, self.heads, self.how = order, heads, how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, positions, dim) to the same."""
        q, k, v = (split_heads(getattr(self, name)(x), self.heads) for name in self.order)
        return self.back(attend(q, k, v, **self.how))


class Merged(nn.Module):
    """Self-attention of one projection, whose rows `split` gives as query, key and value (batch, heads, n, d)."""

    def __init__(self, split: Callable[[torch.Tensor, int], Any], dim: int = 16, heads: int = 2):
        super().__init__()
        self.all = nn.Linear(dim, 3 * dim)
        self.back = nn.Linear(dim, dim)
        self.split, self.heads = split, heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, positions, dim) to the same."""
        return self.back(attend(*self.split(self.all(x), self.heads)))


def in_blocks(x: torch.Tensor, heads: int) -> Any:
    """Rows of query, then of key, then of value."""
    b, n, width = x.shape
    return x.view(b, n, 3, heads, width // 3 // heads).permute(2, 0, 3, 1, 4)


def by_heads(x: torch.Tensor, heads: int) -> Any:
    """Head by head its query, key and value."""
    b, n, width = x.shape
    return x.view(b, n, heads, 3, width // 3 // heads).permute(3, 0, 2, 1, 4)


def split_heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """(batch, n, dim) to (batch, heads, n, d)."""
    return x.view(*x.shape[:2], heads, -1).transpose(1, 2)


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, **how: Any) -> torch.Tensor:
    """Attention, heads side by side again."""
    return F.scaled_dot_product_attention(q, k, v, **how).transpose(1, 2).flatten(2)
