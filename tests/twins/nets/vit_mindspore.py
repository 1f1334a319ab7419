import mindspore as ms
from mindspore import Parameter, nn, ops


class Attention(nn.Cell):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.scale = (dim // heads) ** -0.5
        self.q = nn.Dense(dim, dim)
        self.k = nn.Dense(dim, dim)
        self.v = nn.Dense(dim, dim)
        self.proj = nn.Dense(dim, dim)

    def split(self, x):
        batch, tokens, dim = x.shape
        return x.reshape(batch, tokens, self.heads, dim // self.heads).swapaxes(1, 2)

    def construct(self, x):
        batch, tokens, dim = x.shape
        q = self.split(self.q(x))
        k = self.split(self.k(x))
        v = self.split(self.v(x))
        scores = ops.matmul(q, k.swapaxes(-2, -1)) * self.scale
        weights = ops.softmax(scores, axis=-1)
        x = ops.matmul(weights, v).swapaxes(1, 2).reshape(batch, tokens, dim)
        return self.proj(x)


class MlpBlock(nn.Cell):
    def __init__(self, dim, hidden):
        super().__init__()
        self.fc1 = nn.Dense(dim, hidden)
        self.act = nn.GELU(approximate=False)
        self.fc2 = nn.Dense(hidden, dim)
        self.drop = nn.Dropout(p=0.1)

    def construct(self, x):
        x = self.act(self.fc1(x))
        return self.drop(self.fc2(x))


class Block(nn.Cell):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm((dim,), epsilon=1e-6)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm((dim,), epsilon=1e-6)
        self.mlp = MlpBlock(dim, dim * 2)

    def construct(self, x):
        x = x + self.attn(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return x


class PatchEmbed(nn.Cell):
    def __init__(self, dim, patch):
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch, stride=patch, pad_mode="valid", has_bias=True)

    def construct(self, x):
        return self.proj(x).flatten(start_dim=2).swapaxes(1, 2)


class ViT(nn.Cell):
    def __init__(self, dim=32, depth=3, heads=4, classes=10):
        super().__init__()
        self.patch_embed = PatchEmbed(dim, 4)
        self.cls_token = Parameter(ops.zeros((1, 1, dim), ms.float32))
        self.pos_embed = Parameter(ops.zeros((1, 17, dim), ms.float32))
        self.blocks = nn.CellList([Block(dim, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm((dim,), epsilon=1e-6)
        self.head = nn.Dense(dim, classes)

    def construct(self, x):
        x = self.patch_embed(x)
        cls = ops.broadcast_to(self.cls_token, (x.shape[0], 1, x.shape[2]))
        x = ops.cat((cls, x), axis=1)
        x = x + self.pos_embed
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return self.head(x[:, 0])
