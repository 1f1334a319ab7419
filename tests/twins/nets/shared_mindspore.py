from mindspore import nn


class Shared(nn.Cell):
    def __init__(self):
        super().__init__()
        self.stem = nn.Dense(16, 24)
        self.mix = nn.Dense(24, 24)
        self.norm = nn.LayerNorm((24,), epsilon=1e-5)
        self.act = nn.SiLU()
        self.head = nn.Dense(24, 5)

    def construct(self, x):
        first = self.stem(x)
        second = first + self.act(self.mix(first))
        third = self.norm(second)
        fourth = third + self.act(self.mix(third))
        fifth = self.act(self.mix(fourth))
        return self.head(fifth)
