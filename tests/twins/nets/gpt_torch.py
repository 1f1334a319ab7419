import math

import torch
from torch import nn


class CausalSelfAttention(nn.Module):
    def __init__(self, dim, heads, context):
        super().__init__()
        self.heads = heads
        self.c_attn = nn.Linear(dim, 3 * dim)
        self.c_proj = nn.Linear(dim, dim)
        self.register_buffer("bias", torch.tril(torch.ones(context, context)).view(1, 1, context, context))

    def forward(self, x):
        batch, tokens, dim = x.shape
        q, k, v = self.c_attn(x).split(dim, dim=2)
        q = q.view(batch, tokens, self.heads, dim // self.heads).transpose(1, 2)
        k = k.view(batch, tokens, self.heads, dim // self.heads).transpose(1, 2)
        v = v.view(batch, tokens, self.heads, dim // self.heads).transpose(1, 2)
        att = (q @ k.transpose(-2, -1)) / math.sqrt(dim // self.heads)
        att = att.masked_fill(self.bias[:, :, :tokens, :tokens] == 0, -1e9)
        att = att.softmax(dim=-1)
        y = (att @ v).transpose(1, 2).reshape(batch, tokens, dim)
        return self.c_proj(y)


class FeedForward(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.c_fc = nn.Linear(dim, 4 * dim)
        self.gelu = nn.GELU(approximate="tanh")
        self.c_proj = nn.Linear(4 * dim, dim)

    def forward(self, x):
        return self.c_proj(self.gelu(self.c_fc(x)))


class Block(nn.Module):
    def __init__(self, dim, heads, context):
        super().__init__()
        self.ln_1 = nn.LayerNorm(dim)
        self.attn = CausalSelfAttention(dim, heads, context)
        self.ln_2 = nn.LayerNorm(dim)
        self.mlp = FeedForward(dim)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        x = x + self.mlp(self.ln_2(x))
        return x


class Gpt(nn.Module):
    def __init__(self, vocabulary=50, dim=32, depth=2, heads=4, context=12):
        super().__init__()
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(vocabulary, dim),
                "wpe": nn.Embedding(context, dim),
                "h": nn.ModuleList([Block(dim, heads, context) for _ in range(depth)]),
                "ln_f": nn.LayerNorm(dim),
            }
        )
        self.lm_head = nn.Linear(dim, vocabulary, bias=False)
        self.lm_head.weight = self.transformer["wte"].weight

    def forward(self, ids):
        positions = torch.arange(ids.shape[1])
        x = self.transformer["wte"](ids) + self.transformer["wpe"](positions)
        for block in self.transformer["h"]:
            x = block(x)
        x = self.transformer["ln_f"](x)
        return self.lm_head(x)
