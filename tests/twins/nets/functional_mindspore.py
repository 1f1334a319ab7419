from mindspore import nn, ops


class Stage(nn.Cell):
    def __init__(self, channels, out_channels):
        super().__init__()
        self.left = nn.Conv2d(channels, out_channels, 3, pad_mode="pad", padding=1, has_bias=True)
        self.right = nn.Conv2d(channels, out_channels, 1, has_bias=True)
        self.merge = nn.Conv2d(2 * out_channels, out_channels, 1, has_bias=True)

    def construct(self, x):
        left = ops.relu(self.left(x))
        right = ops.sigmoid(self.right(x))
        both = ops.cat((left, right), axis=1)
        out = self.merge(both)
        return ops.max_pool2d(ops.relu(out), 2, 2)


class Functional(nn.Cell):
    def __init__(self):
        super().__init__()
        self.stage1 = Stage(3, 8)
        self.stage2 = Stage(8, 16)
        self.gate = nn.Dense(8, 8)
        self.fc = nn.Dense(8, 8)
        self.head = nn.Dense(8, 6)

    def construct(self, x):
        x = self.stage1(x)
        x = self.stage2(x)
        x = ops.avg_pool2d(x, 2, 2).mean((2, 3))
        first, second = x[:, :8], x[:, 8:]
        weights = ops.softmax(self.gate(first), axis=-1)
        mixed = weights * second + first
        mixed = ops.leaky_relu(self.fc(mixed), 0.01)
        return self.head(mixed)
