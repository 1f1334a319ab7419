"""A small recurrent net that a port is made of, by altering its text."""

import torch
from torch import nn
import torch.nn.functional as F


class Sub(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.rnn = nn.GRU(d, d, batch_first=True, bidirectional=True)
        self.proj = nn.Linear(2 * d, d)

    def forward(self, x):
        y, h = self.rnn(x)
        return self.proj(y), h


class Fuse(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.a = nn.Linear(d, d)
        self.b = nn.Linear(d, d)
        self.act = nn.Tanh()

    def forward(self, x, y):
        return self.act(self.a(x) + self.b(y))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        d = 12
        self.emb = nn.Embedding(30, d)
        self.bn = nn.BatchNorm1d(d)
        self.left = Sub(d)
        self.right = Sub(d)
        self.fuse = Fuse(d)
        self.mid = nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, d))
        self.prelu = nn.PReLU(d)
        self.conv = nn.Conv1d(d, d, 3, padding=1, groups=3)
        self.out = nn.Linear(d, 4)

    def forward(self, ids):
        e = self.emb(ids)
        e = self.bn(e.transpose(1, 2)).transpose(1, 2)
        l, hl = self.left(e)
        r, hr = self.right(e.flip(1))
        f = self.fuse(l, r.flip(1))
        m = self.mid(f) + f
        c = self.conv(m.transpose(1, 2)).transpose(1, 2)
        c = self.prelu(c.transpose(1, 2)).transpose(1, 2)
        g = torch.sigmoid(c)
        z = g * m + (1 - g) * f
        return self.out(z.mean(1))


def inputs():
    g = torch.Generator().manual_seed(5)
    return (torch.randint(0, 30, (4, 9), generator=g),)
