import mindspore as ms
from mindspore import Parameter, nn, ops


class RmsNorm(nn.Cell):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.eps = eps
        self.weight = Parameter(ops.ones((dim,), ms.float32))

    def construct(self, x):
        power = (x * x).mean(axis=-1, keep_dims=True)
        return x * ops.rsqrt(power + self.eps) * self.weight


class Quantize(nn.Cell):
    def construct(self, x):
        rounded = ops.round(x * 8) / 8
        return x + ops.stop_gradient(rounded - x)


class Branch(nn.Cell):
    def __init__(self, dim):
        super().__init__()
        self.fc1 = nn.Dense(dim, dim)
        self.act = nn.ReLU()
        self.fc2 = nn.Dense(dim, dim)

    def construct(self, x):
        return self.fc2(self.act(self.fc1(x)))


class Custom(nn.Cell):
    def __init__(self, dim=24):
        super().__init__()
        self.stem = nn.Dense(12, dim)
        self.norm = RmsNorm(dim)
        self.quant = Quantize()
        self.body = Branch(dim)
        self.side = Branch(dim)
        self.gate = Parameter(ops.zeros((1,), ms.float32))
        self.norm_out = RmsNorm(dim)
        self.head = nn.Dense(dim, 6)

    def construct(self, x):
        x = self.norm(self.stem(x))
        x = x + self.body(self.quant(x))
        x = x + self.gate * self.side(x)
        return self.head(self.norm_out(x))
