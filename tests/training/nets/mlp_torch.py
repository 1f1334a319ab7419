import torch
from torch import nn


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(16, 32)
        self.relu = nn.ReLU()
        self.norm = nn.LayerNorm(32)
        self.fc2 = nn.Linear(32, 32)
        self.leaky = nn.LeakyReLU()
        self.small = nn.Linear(32, 32)
        self.turn = nn.Identity()
        self.fc3 = nn.Linear(32, 32)
        self.gelu = nn.GELU()
        self.fc4 = nn.Linear(32, 8)

    def forward(self, x):
        x = self.relu(self.fc1(x))
        x = self.norm(x)
        x = self.leaky(self.fc2(x))
        side = self.turn(self.small(x))
        x = x + 0.1 * side
        x = self.gelu(self.fc3(x))
        return self.fc4(x)
