import torch
from torch import nn


class MaskedAttention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x, mask):
        q = self.query(x)
        k = self.key(x)
        v = self.value(x)
        scores = q @ k.transpose(1, 2) / self.dim**0.5
        scores = scores.masked_fill(mask[:, None, :] == 0, -1e9)
        return self.out(scores.softmax(dim=-1) @ v)


class Encoder(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.words = nn.Embedding(30, dim)
        self.norm = nn.LayerNorm(dim)
        self.attention = MaskedAttention(dim)
        self.act = nn.GELU()
        self.head = nn.Linear(dim, 3)

    def forward(self, ids, attention_mask):
        x = self.norm(self.words(ids))
        x = x + self.attention(x, attention_mask)
        weight = attention_mask.unsqueeze(-1).to(x.dtype)
        pooled = (x * weight).sum(dim=1) / weight.sum(dim=1)
        return self.head(self.act(pooled))
