from torch import nn


class Encoder(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.embed = nn.Linear(10, dim)
        self.norm = nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, 4, batch_first=True)
        self.layer = nn.TransformerEncoderLayer(dim, 4, dim_feedforward=48, dropout=0.0, batch_first=True)
        self.head = nn.Linear(dim, 4)

    def forward(self, x):
        x = self.norm(self.embed(x))
        mixed = self.attention(x, x, x)[0]
        x = self.layer(x + mixed)
        return self.head(x.mean(dim=1))
