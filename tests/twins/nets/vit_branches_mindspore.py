from mindspore import nn, ops

from tests.twins.nets import vit_mindspore as plain


class Attention(plain.Attention):
    def construct(self, x):
        batch, tokens, dim = x.shape
        v = self.split(self.v(x))
        k = self.split(self.k(x))
        q = self.split(self.q(x))
        scores = ops.matmul(q, k.swapaxes(-2, -1)) * self.scale
        weights = ops.softmax(scores, axis=-1)
        x = ops.matmul(weights, v).swapaxes(1, 2).reshape(batch, tokens, dim)
        return self.proj(x)


class Block(plain.Block):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.attn = Attention(dim, heads)


class ViT(plain.ViT):
    def __init__(self, dim=32, depth=3, heads=4, classes=10):
        super().__init__(dim, depth, heads, classes)
        self.blocks = nn.CellList([Block(dim, heads) for _ in range(depth)])
