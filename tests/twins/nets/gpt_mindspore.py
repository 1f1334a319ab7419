import math

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops


class CausalSelfAttention(nn.Cell):
    def __init__(self, dim, heads, context):
        super().__init__()
        self.heads = heads
        self.c_attn = nn.Dense(dim, 3 * dim)
        self.c_proj = nn.Dense(dim, dim)
        self.bias = Tensor(np.tril(np.ones((1, 1, context, context), np.float32)))

    def construct(self, x):
        batch, tokens, dim = x.shape
        q, k, v = ops.split(self.c_attn(x), dim, axis=2)
        q = q.reshape(batch, tokens, self.heads, dim // self.heads).swapaxes(1, 2)
        k = k.reshape(batch, tokens, self.heads, dim // self.heads).swapaxes(1, 2)
        v = v.reshape(batch, tokens, self.heads, dim // self.heads).swapaxes(1, 2)
        att = ops.matmul(q, k.swapaxes(-2, -1)) / math.sqrt(dim // self.heads)
        att = att.masked_fill(self.bias[:, :, :tokens, :tokens] == 0, -1e9)
        att = ops.softmax(att, axis=-1)
        y = ops.matmul(att, v).swapaxes(1, 2).reshape(batch, tokens, dim)
        return self.c_proj(y)


class FeedForward(nn.Cell):
    def __init__(self, dim):
        super().__init__()
        self.c_fc = nn.Dense(dim, 4 * dim)
        self.gelu = nn.GELU()
        self.c_proj = nn.Dense(4 * dim, dim)

    def construct(self, x):
        return self.c_proj(self.gelu(self.c_fc(x)))


class Block(nn.Cell):
    def __init__(self, dim, heads, context):
        super().__init__()
        self.ln_1 = nn.LayerNorm((dim,), epsilon=1e-5)
        self.attn = CausalSelfAttention(dim, heads, context)
        self.ln_2 = nn.LayerNorm((dim,), epsilon=1e-5)
        self.mlp = FeedForward(dim)

    def construct(self, x):
        x = x + self.attn(self.ln_1(x))
        x = x + self.mlp(self.ln_2(x))
        return x


class Transformer(nn.Cell):
    def __init__(self, vocabulary, dim, depth, heads, context):
        super().__init__()
        self.wte = nn.Embedding(vocabulary, dim)
        self.wpe = nn.Embedding(context, dim)
        self.h = nn.CellList([Block(dim, heads, context) for _ in range(depth)])
        self.ln_f = nn.LayerNorm((dim,), epsilon=1e-5)

    def construct(self, ids):
        positions = ops.arange(ids.shape[1])
        x = self.wte(ids) + self.wpe(positions)
        for block in self.h:
            x = block(x)
        return self.ln_f(x)


class Gpt(nn.Cell):
    def __init__(self, vocabulary=50, dim=32, depth=2, heads=4, context=12):
        super().__init__()
        self.transformer = Transformer(vocabulary, dim, depth, heads, context)
        self.lm_head = nn.Dense(dim, vocabulary, has_bias=False)
        self.lm_head.weight = self.transformer.wte.embedding_table

    def construct(self, ids):
        x = self.transformer(ids)
        return self.lm_head(x)
