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
        self.drop = nn.Dropout(p=0.1)
        self.fc3 = nn.Linear(32, 32)
        self.gelu = nn.GELU()
        self.fc4 = nn.Linear(32, 8)
        self.softmax = nn.Softmax(dim=1)

    def forward(self, x):
        x = self.relu(self.fc1(x))
        x = self.norm(x)
        x = self.leaky(self.fc2(x))
        x = self.drop(x)
        x = self.gelu(self.fc3(x))
        return self.softmax(self.fc4(x))
