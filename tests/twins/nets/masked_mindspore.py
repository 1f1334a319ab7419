from mindspore import nn, ops


class MaskedAttention(nn.Cell):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim
        self.query = nn.Dense(dim, dim)
        self.key = nn.Dense(dim, dim)
        self.value = nn.Dense(dim, dim)
        self.out = nn.Dense(dim, dim)

    def construct(self, x, mask):
        q = self.query(x)
        k = self.key(x)
        v = self.value(x)
        scores = ops.matmul(q, k.swapaxes(1, 2)) / self.dim**0.5
        scores = scores.masked_fill(mask[:, None, :] == 0, -1e9)
        return self.out(ops.matmul(ops.softmax(scores, axis=-1), v))


class Encoder(nn.Cell):
    def __init__(self, dim=24):
        super().__init__()
        self.words = nn.Embedding(30, dim)
        self.norm = nn.LayerNorm((dim,), epsilon=1e-5)
        self.attention = MaskedAttention(dim)
        self.act = nn.GELU(approximate=False)
        self.head = nn.Dense(dim, 3)

    def construct(self, ids, attention_mask):
        x = self.norm(self.words(ids))
        x = x + self.attention(x, attention_mask)
        weight = attention_mask.expand_dims(-1).astype(x.dtype)
        pooled = (x * weight).sum(axis=1) / weight.sum(axis=1)
        return self.head(self.act(pooled))
