from mindspore import nn


class ConvNorm(nn.Cell):
    def __init__(self, channels, out_channels, size, stride=1, padding=0, has_bias=False):
        super().__init__()
        self.body = nn.SequentialCell(
            nn.Conv2d(channels, out_channels, size, stride, pad_mode="pad", padding=padding, has_bias=has_bias),
            nn.BatchNorm2d(out_channels, momentum=0.9),
        )

    def construct(self, x):
        return self.body(x)


class BasicBlock(nn.Cell):
    def __init__(self, channels, out_channels, stride=1):
        super().__init__()
        self.first = ConvNorm(channels, out_channels, 3, stride, 1)
        self.relu = nn.ReLU()
        self.second = ConvNorm(out_channels, out_channels, 3, 1, 1)
        self.short = None
        if stride != 1 or channels != out_channels:
            self.short = ConvNorm(channels, out_channels, 1, stride)

    def construct(self, x):
        short = x
        out = self.relu(self.first(x))
        out = self.second(out)
        if self.short is not None:
            short = self.short(x)
        out = out + short
        return self.relu(out)


class ResNet(nn.Cell):
    def __init__(self, classes=10):
        super().__init__()
        self.stem = nn.SequentialCell(
            ConvNorm(3, 16, 3, 2, 1, has_bias=True),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, pad_mode="pad", padding=1),
        )
        self.stages = nn.SequentialCell(
            BasicBlock(16, 16),
            BasicBlock(16, 16),
            BasicBlock(16, 32, stride=2),
            BasicBlock(32, 32),
        )
        self.head = nn.SequentialCell(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dense(32, classes),
        )

    def construct(self, x):
        x = self.stem(x)
        x = self.stages(x)
        return self.head(x)
