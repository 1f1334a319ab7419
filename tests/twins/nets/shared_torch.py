from torch import nn


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(16, 24)
        self.mix = nn.Linear(24, 24)
        self.norm = nn.LayerNorm(24)
        self.act = nn.SiLU()
        self.head = nn.Linear(24, 5)

    def forward(self, x):
        first = self.stem(x)
        second = first + self.act(self.mix(first))
        third = self.norm(second)
        fourth = third + self.act(self.mix(third))
        fifth = self.act(self.mix(fourth))
        return self.head(fifth)
