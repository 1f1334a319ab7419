import mindspore as ms
from mindspore import Parameter, nn, ops


class SelfMixing(nn.Cell):
    def __init__(self, width, groups):
        super().__init__()
        self.groups = groups
        self.factor = (width // groups) ** -0.5
        self.ask = nn.Dense(width, width)
        self.offer = nn.Dense(width, width)
        self.content = nn.Dense(width, width)
        self.leave = nn.Dense(width, width)

    def fold(self, x):
        batch, tokens, width = x.shape
        return x.reshape(batch, tokens, self.groups, width // self.groups).swapaxes(1, 2)

    def construct(self, x):
        batch, tokens, width = x.shape
        ask = self.fold(self.ask(x))
        offer = self.fold(self.offer(x))
        content = self.fold(self.content(x))
        scores = ops.matmul(ask, offer.swapaxes(-2, -1)) * self.factor
        weights = ops.softmax(scores, axis=-1)
        x = ops.matmul(weights, content).swapaxes(1, 2).reshape(batch, tokens, width)
        return self.leave(x)


class Wide(nn.Cell):
    def __init__(self, width, inner):
        super().__init__()
        self.grow = nn.Dense(width, inner)
        self.bend = nn.GELU(approximate=False)
        self.shrink = nn.Dense(inner, width)
        self.forget = nn.Dropout(p=0.1)

    def construct(self, x):
        x = self.bend(self.grow(x))
        return self.forget(self.shrink(x))


class Stage(nn.Cell):
    def __init__(self, width, groups):
        super().__init__()
        self.before = nn.LayerNorm((width,), epsilon=1e-6)
        self.mixing = SelfMixing(width, groups)
        self.middle = nn.LayerNorm((width,), epsilon=1e-6)
        self.wide = Wide(width, width * 2)

    def construct(self, x):
        x = x + self.mixing(self.before(x))
        x = x + self.wide(self.middle(x))
        return x


class Patches(nn.Cell):
    def __init__(self, width, size):
        super().__init__()
        self.cut = nn.Conv2d(3, width, size, stride=size, pad_mode="valid", has_bias=True)

    def construct(self, x):
        return self.cut(x).flatten(start_dim=2).swapaxes(1, 2)


class VisionNet(nn.Cell):
    def __init__(self, width=32, depth=3, groups=4, labels=10):
        super().__init__()
        self.patches = Patches(width, 4)
        self.summary = Parameter(ops.zeros((1, 1, width), ms.float32))
        self.places = Parameter(ops.zeros((1, 17, width), ms.float32))
        self.stages = nn.CellList([Stage(width, groups) for _ in range(depth)])
        self.final = nn.LayerNorm((width,), epsilon=1e-6)
        self.decide = nn.Dense(width, labels)

    def construct(self, x):
        x = self.patches(x)
        summary = ops.broadcast_to(self.summary, (x.shape[0], 1, x.shape[2]))
        x = ops.cat((summary, x), axis=1)
        x = x + self.places
        for stage in self.stages:
            x = stage(x)
        x = self.final(x)
        return self.decide(x[:, 0])
