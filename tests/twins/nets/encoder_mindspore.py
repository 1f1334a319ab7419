from mindspore import nn


class Encoder(nn.Cell):
    def __init__(self, dim=32):
        super().__init__()
        self.embed = nn.Dense(10, dim)
        self.norm = nn.LayerNorm((dim,), epsilon=1e-5)
        self.attention = nn.MultiheadAttention(dim, 4, batch_first=True)
        self.layer = nn.TransformerEncoderLayer(dim, 4, dim_feedforward=48, dropout=0.0, batch_first=True)
        self.head = nn.Dense(dim, 4)

    def construct(self, x):
        x = self.norm(self.embed(x))
        mixed = self.attention(x, x, x)[0]
        x = self.layer(x + mixed)
        return self.head(x.mean(axis=1))
