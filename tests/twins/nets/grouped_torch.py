from torch import nn


class Grouped(nn.Module):
    def __init__(self):
        super().__init__()
        self.point = nn.Conv2d(3, 16, 1)
        self.depth = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.act1 = nn.ReLU6()
        self.group = nn.Conv2d(16, 16, 3, stride=2, padding=1, groups=4)
        self.act2 = nn.PReLU(16)
        self.pool = nn.AvgPool2d(2)
        self.up1 = nn.ConvTranspose2d(16, 16, 3, stride=2, padding=1)
        self.act3 = nn.Hardswish()
        self.up2 = nn.ConvTranspose2d(16, 8, 4, stride=2, padding=1, groups=2)
        self.last = nn.Conv2d(8, 4, 3, stride=2, padding=1)

    def forward(self, x):
        x = self.act1(self.depth(self.point(x)))
        x = self.act2(self.group(x))
        x = self.pool(x)
        x = self.act3(self.up1(x))
        x = self.up2(x)
        return self.last(x)
