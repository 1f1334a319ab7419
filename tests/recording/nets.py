"""Small torch nets, each with one thing that is hard to watch, and inputs for them."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

D = 6


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.act, self.b = nn.Linear(D, D), nn.Tanh(), nn.Linear(D, D)

    def forward(self, x):
        return self.b(self.act(self.a(x)))


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(D, D)

    def forward(self, x):
        for _ in range(3):
            x = self.fc(x).tanh()
        return x


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = Plain(), Plain()

    def forward(self, x):
        x = self.a(x)
        return x + self.b(x)


class NestedDict(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Splits()
        self.fc = nn.Linear(D, D)

    def forward(self, x):
        found = self.inner(x)
        return {"main": self.fc(found["pair"][0]), "rest": [found["pair"][1], {"deep": found["whole"]}], "none": None}


class Splits(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(D, 2 * D)

    def forward(self, x):
        h = self.fc(x)
        return {"pair": (h[..., :D].tanh(), h[..., D:].sigmoid()), "whole": h, "size": 3, "name": "splits"}


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.ignored, self.never = nn.Linear(D, D), nn.Linear(D, D), nn.Linear(D, D)

    def forward(self, x):
        self.ignored(x)
        return self.used(x)


class Identities(nn.Module):
    def __init__(self):
        super().__init__()
        self.chain = nn.Sequential(nn.Identity(), nn.Dropout(0.0), nn.Flatten(1))
        self.fc = nn.Linear(D, D)

    def forward(self, x):
        return self.chain(self.fc(self.chain(x)))


class Setitem(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(D, D), nn.Linear(D, D)

    def forward(self, x):
        h = self.a(x)
        h[:, 0] = 0.5
        return self.b(h)


class InPlaceReLU(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(D, D), nn.ReLU(inplace=True), nn.Linear(D, D), nn.Dropout(0.0, inplace=True))

    def forward(self, x):
        return self.net(x)


class FunctionalInPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.inner, self.b = nn.Linear(D, D), OverwritesItsInput(), nn.Linear(D, D)

    def forward(self, x):
        h = self.a(x)
        h += 1
        F.leaky_relu_(h)
        return self.b(self.inner(h.mul(1.0))) + h


class OverwritesItsInput(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(D, D)

    def forward(self, x):
        x.add_(2.0)
        return self.fc(x)


class Views(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(D, D), nn.Linear(D // 2, D)

    def forward(self, x):
        h = self.a(x)
        left, right = h[:, : D // 2], h[:, D // 2 :].clone()
        right.add_(1)
        return self.b(left) + self.b(right)


class Checkpointed(nn.Module):
    def __init__(self, *, reentrant, repeat=1, dropout=0.0):
        super().__init__()
        self.first = nn.Linear(D, D)
        self.block = nn.Sequential(nn.Linear(D, D), nn.ReLU(), nn.Dropout(dropout), nn.Linear(D, D))
        self.last = nn.Linear(D, D)
        self.reentrant, self.repeat = reentrant, repeat

    def forward(self, x):
        x = self.first(x)
        for _ in range(self.repeat):
            x = checkpoint(self.block, x, use_reentrant=self.reentrant)
        return self.last(x)


class SharedReluInCheckpoint(nn.Module):
    def __init__(self, *, reentrant):
        super().__init__()
        self.first, self.act, self.fc, self.reentrant = nn.Linear(D, D), nn.ReLU(), nn.Linear(D, D), reentrant

    def segment(self, x):
        return self.act(self.act(self.fc(self.act(x))))

    def forward(self, x):
        return checkpoint(self.segment, self.first(x), use_reentrant=self.reentrant)


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * 3 * x**2 * 0.5


class CubeLayer(nn.Module):
    def forward(self, x):
        return Cube.apply(x)


class CustomFunction(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.cube, self.b = nn.Linear(D, D), CubeLayer(), nn.Linear(D, D)

    def forward(self, x):
        return self.b(self.cube(self.a(x)))


class Recurrent(nn.Module):
    def __init__(self, kind=nn.LSTM):
        super().__init__()
        self.rnn, self.fc = kind(D, D, num_layers=2, batch_first=True, bidirectional=True), nn.Linear(2 * D, D)

    def forward(self, x):
        out, state = self.rnn(x.unsqueeze(1))
        return self.fc(out), state


class Transformer(nn.Module):
    def __init__(self, dropout=0.0):
        super().__init__()
        layer = nn.TransformerEncoderLayer(D, 2, 2 * D, dropout, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x):
        return self.encoder(x.unsqueeze(1))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.attention = nn.Linear(D, D), nn.MultiheadAttention(D, 2, batch_first=True)

    def forward(self, x):
        h = self.fc(x).unsqueeze(1)
        return self.attention(h, h, h)


class Norms(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn, self.gn = nn.Conv1d(1, 4, 3, padding=1), nn.BatchNorm1d(4), nn.GroupNorm(2, 4)

    def forward(self, x):
        return self.gn(self.bn(self.conv(x.unsqueeze(1))))


class WeightNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.utils.parametrizations.weight_norm(nn.Linear(D, D))
        self.b = nn.utils.parametrizations.spectral_norm(nn.Linear(D, D))

    def forward(self, x):
        return self.b(self.a(x))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(10, D), nn.Linear(D, 10, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids):
        return self.head(self.embed(ids))


Pair = namedtuple("Pair", "left right")


@dataclass
class Result:
    value: torch.Tensor
    extra: object = None


class GivesPair(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(D, D)

    def forward(self, x):
        return Pair(self.fc(x), x * 2)


class GivesDataclass(nn.Module):
    def __init__(self):
        super().__init__()
        self.pair, self.fc = GivesPair(), nn.Linear(D, D)

    def forward(self, x):
        pair = self.pair(x)
        return Result(self.fc(pair.left), [pair.right, None, 3, "text"])


class TakesContainers(nn.Module):
    """Hands lists and dicts to layers, one of which appends to its list."""

    def __init__(self):
        super().__init__()
        self.fc, self.grow, self.take = nn.Linear(D, D), Appends(), TakesDict()

    def forward(self, x):
        seen = [self.fc(x)]
        self.grow(seen)
        return self.take({"first": seen[0], "last": seen[-1], "count": len(seen)}, scale=seen[1])


class Appends(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(D, D)

    def forward(self, seen):
        seen.append(self.fc(seen[0]))
        seen.append(seen[0])


class TakesDict(nn.Module):
    def forward(self, found, *, scale):
        return found["first"] * scale + found["last"] * found["count"]


class ModelOutput(OrderedDict):
    """A mapping with attributes, in the manner of Hugging Face."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class GivesMapping(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(D, D)

    def forward(self, x):
        return ModelOutput(logits=self.fc(x), hidden=(x * 1.0, self.fc(x)))


class ComplexNumbers(nn.Module):
    def __init__(self):
        super().__init__()
        self.spectrum, self.fc = Spectrum(), nn.Linear(D, D)

    def forward(self, x):
        return torch.fft.ifft(self.spectrum(self.fc(x))).real


class Spectrum(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(D, dtype=torch.complex64) * (1 + 0.5j))

    def forward(self, x):
        return torch.fft.fft(x) * self.weight


class Caught(nn.Module):
    """Goes on after one of its layers raised."""

    def __init__(self):
        super().__init__()
        self.bad, self.good = nn.Linear(D + 1, D), nn.Linear(D, D)

    def forward(self, x):
        try:
            return self.bad(x)
        except RuntimeError:
            return self.good(x)


def batch(*shape, seed=0, dtype=torch.float32):
    """Normal numbers that are the same every time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def made(make, seed=0):
    """A net with weights that are the same every time."""
    torch.manual_seed(seed)
    return make()


HARD = {
    "plain": Plain,
    "shared": Shared,
    "residual": Residual,
    "nested dict": NestedDict,
    "unused branch": Unused,
    "identity chain": Identities,
    "setitem": Setitem,
    "in-place relu": InPlaceReLU,
    "functional in-place": FunctionalInPlace,
    "views": Views,
    "checkpoint reentrant": lambda: Checkpointed(reentrant=True),
    "checkpoint": lambda: Checkpointed(reentrant=False),
    "checkpoint reentrant x3": lambda: Checkpointed(reentrant=True, repeat=3),
    "checkpoint x3": lambda: Checkpointed(reentrant=False, repeat=3),
    "checkpoint reentrant dropout": lambda: Checkpointed(reentrant=True, dropout=0.3),
    "shared relu in checkpoint": lambda: SharedReluInCheckpoint(reentrant=False),
    "shared relu in reentrant checkpoint": lambda: SharedReluInCheckpoint(reentrant=True),
    "custom function": CustomFunction,
    "lstm": Recurrent,
    "gru": lambda: Recurrent(nn.GRU),
    "transformer": Transformer,
    "transformer with dropout": lambda: Transformer(0.2),
    "attention": Attention,
    "norms": Norms,
    "parametrizations": WeightNorm,
    "named tuple and dataclass": GivesDataclass,
    "lists and dicts as inputs": TakesContainers,
    "mapping with attributes": GivesMapping,
    "complex": ComplexNumbers,
    "caught error": Caught,
    "compiled": lambda: torch.compile(Plain(), backend="eager"),
    "data parallel": lambda: nn.DataParallel(Plain()),
}
