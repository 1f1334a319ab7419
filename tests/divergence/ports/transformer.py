"""A small transformer that a port is made of, by altering its text."""

import torch
from torch import nn
import torch.nn.functional as F


class LayerScale(nn.Module):
    def __init__(self, dim, init=0.5):
        super().__init__()
        self.init = init
        self.gamma = nn.Parameter(init * (1 + 0.1 * torch.randn(dim)))

    def forward(self, x):
        return x * self.gamma


class RMS(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(1 + 0.1 * torch.randn(dim))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class Attn(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)
        self.o = nn.Linear(dim, dim)
        self.drop = nn.Dropout(0.2)

    def forward(self, x, mask):
        b, t, d = x.shape
        q = self.q(x).view(b, t, self.heads, -1).transpose(1, 2)
        k = self.k(x).view(b, t, self.heads, -1).transpose(1, 2)
        v = self.v(x).view(b, t, self.heads, -1).transpose(1, 2)
        s = q @ k.transpose(-1, -2) / (d // self.heads) ** 0.5
        s = s.masked_fill(mask[:, None, None, :] == 0, -1e9)
        p = self.drop(s.softmax(-1))
        y = (p @ v).transpose(1, 2).reshape(b, t, d)
        return self.o(y)


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1 = RMS(dim, eps=1e-3)
        self.attn = Attn(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-3)
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(4 * dim, dim)
        self.scale = LayerScale(dim)

    def forward(self, x, mask):
        x = x + self.attn(self.norm1(x), mask)
        return x + self.scale(self.fc2(self.act(self.fc1(self.norm2(x)))))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        dim = 24
        self.tok = nn.Embedding(50, dim, padding_idx=0)
        self.pos = nn.Embedding(16, dim)
        self.blocks = nn.ModuleList([Block(dim, 3) for _ in range(5)])
        self.enc = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(dim, 3, 48, batch_first=True, layer_norm_eps=1e-3), 2, enable_nested_tensor=False
        )
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, 7)

    def forward(self, ids, mask):
        t = ids.shape[1]
        x = self.tok(ids) + self.pos(torch.arange(t))
        x = x * 1.0
        for block in self.blocks:
            x = block(x, mask)
        x = self.enc(x)
        x = self.norm(x)
        m = mask[:, :, None].to(x.dtype)
        x = (x * m).sum(1) / m.sum(1)
        return self.head(x)


def inputs():
    g = torch.Generator().manual_seed(5)
    ids = torch.randint(1, 50, (3, 10), generator=g)
    ids[0, 7:] = 0
    return (ids, (ids != 0).long())
