from mindspore import nn


class BasicBlock(nn.Cell):
    def __init__(self, channels, out_channels, stride=1):
        super().__init__()
        self.downsample = None
        if stride != 1 or channels != out_channels:
            self.downsample = nn.SequentialCell(
                nn.Conv2d(channels, out_channels, 1, stride=stride, pad_mode="valid"),
                nn.BatchNorm2d(out_channels, momentum=0.9),
            )
        self.relu = nn.ReLU()
        self.bn2 = nn.BatchNorm2d(out_channels, momentum=0.9)
        self.bn1 = nn.BatchNorm2d(out_channels, momentum=0.9)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, pad_mode="pad", padding=1)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, stride=stride, pad_mode="pad", padding=1)

    def construct(self, x):
        identity = x
        if self.downsample is not None:
            identity = self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out = out + identity
        return self.relu(out)


class ResNet(nn.Cell):
    def __init__(self, classes=10):
        super().__init__()
        self.fc = nn.Dense(32, classes)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.layer2 = nn.SequentialCell(
            BasicBlock(16, 32, stride=2),
            BasicBlock(32, 32),
        )
        self.layer1 = nn.SequentialCell(
            BasicBlock(16, 16),
            BasicBlock(16, 16),
        )
        self.maxpool = nn.MaxPool2d(3, stride=2, pad_mode="pad", padding=1)
        self.relu = nn.ReLU()
        self.bn1 = nn.BatchNorm2d(16, momentum=0.9)
        self.conv1 = nn.Conv2d(3, 16, 3, stride=2, pad_mode="pad", padding=1, has_bias=True)

    def construct(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.maxpool(x)
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.avgpool(x)
        x = x.flatten(start_dim=1)
        return self.fc(x)
