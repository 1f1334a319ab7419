from mindspore import nn, ops


class BasicBlock(nn.Cell):
    def __init__(self, channels, out_channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out_channels, 3, stride=stride, pad_mode="pad", padding=1)
        self.bn1 = nn.BatchNorm2d(out_channels, momentum=0.9)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, pad_mode="pad", padding=1)
        self.bn2 = nn.BatchNorm2d(out_channels, momentum=0.9)
        self.downsample = None
        if stride != 1 or channels != out_channels:
            self.downsample = nn.SequentialCell(
                nn.Conv2d(channels, out_channels, 1, stride=stride, pad_mode="valid"),
                nn.BatchNorm2d(out_channels, momentum=0.9),
            )

    def construct(self, x):
        identity = x
        out = ops.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        return ops.relu(out + identity)


class ResNet(nn.Cell):
    def __init__(self, classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, stride=2, pad_mode="pad", padding=1, has_bias=True)
        self.bn1 = nn.BatchNorm2d(16, momentum=0.9)
        self.layer1 = nn.SequentialCell(
            BasicBlock(16, 16),
            BasicBlock(16, 16),
        )
        self.layer2 = nn.SequentialCell(
            BasicBlock(16, 32, stride=2),
            BasicBlock(32, 32),
        )
        self.fc = nn.Dense(32, classes)

    def construct(self, x):
        x = ops.relu(self.bn1(self.conv1(x)))
        x = ops.max_pool2d(x, 3, 2, padding=1)
        x = self.layer1(x)
        x = self.layer2(x)
        x = x.mean((2, 3))
        return self.fc(x)
