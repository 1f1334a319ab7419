"""A small net of convolutions that a port is made of, by altering its text."""

import torch
from torch import nn
import torch.nn.functional as F


class Unit(nn.Module):
    def __init__(self, i, o, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(o)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.short = (
            nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))
            if stride != 1 or i != o
            else nn.Identity()
        )

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + self.short(x))


class SE(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.down = nn.Conv2d(c, c // 4, 1)
        self.up = nn.Conv2d(c // 4, c, 1)

    def forward(self, x):
        s = x.mean((2, 3), keepdim=True)
        s = F.relu(self.down(s))
        return x * self.up(s).sigmoid()


class Stem(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, 1, 1, padding_mode="reflect")
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.avg = nn.AvgPool2d(3, 2, 1)

    def forward(self, x):
        x = self.conv(x)
        return torch.cat([self.pool(x), self.avg(x)], dim=1)


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.flat = nn.Flatten(1)
        self.norm = nn.LayerNorm(128)
        self.fc1 = nn.Linear(128, 20)
        self.act = nn.LeakyReLU(0.1)
        self.fc2 = nn.Linear(20, 6)
        self.sm = nn.Softmax(dim=-1)

    def forward(self, x):
        x = self.norm(self.flat(x))
        return self.sm(self.fc2(self.act(self.fc1(x))))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = Stem()
        self.layer1 = Unit(16, 16)
        self.se = SE(16)
        self.layer2 = Unit(16, 32, 2)
        self.gn = nn.GroupNorm(4, 32)
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.lat = nn.Conv2d(32, 16, 1)
        self.dec = Unit(32, 8)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.head = Head()
        self.flat2 = nn.Flatten(1)

    def forward(self, x):
        x = x - 0.1
        a = self.se(self.layer1(self.stem(x)))
        b = self.gn(self.layer2(a))
        u = self.lat(self.up(b))
        d = self.dec(torch.cat([a, u], 1))
        mask = d.mean(1, keepdim=True)
        out = self.head(self.pool(d))
        return {"probs": out, "mask": self.flat2(mask)}


def inputs():
    g = torch.Generator().manual_seed(5)
    return (torch.randn(3, 3, 16, 16, generator=g),)
