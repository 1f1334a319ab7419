from mindspore import nn


class Grouped(nn.Cell):
    def __init__(self):
        super().__init__()
        self.point = nn.Conv2d(3, 16, 1, has_bias=True)
        self.depth = nn.Conv2d(16, 16, 3, pad_mode="pad", padding=1, group=16, has_bias=True)
        self.act1 = nn.ReLU6()
        self.group = nn.Conv2d(16, 16, 3, stride=2, pad_mode="pad", padding=1, group=4, has_bias=True)
        self.act2 = nn.PReLU(16)
        self.pool = nn.AvgPool2d(2, stride=2)
        self.up1 = nn.Conv2dTranspose(16, 16, 3, stride=2, pad_mode="pad", padding=1, has_bias=True)
        self.act3 = nn.HSwish()
        self.up2 = nn.Conv2dTranspose(16, 8, 4, stride=2, pad_mode="pad", padding=1, group=2, has_bias=True)
        self.last = nn.Conv2d(8, 4, 3, stride=2, pad_mode="pad", padding=1, has_bias=True)

    def construct(self, x):
        x = self.act1(self.depth(self.point(x)))
        x = self.act2(self.group(x))
        x = self.pool(x)
        x = self.act3(self.up1(x))
        x = self.up2(x)
        return self.last(x)
