from mindspore import nn, ops


class Mlp(nn.Cell):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Dense(16, 32)
        self.relu = nn.ReLU()
        self.norm = nn.LayerNorm((32,), epsilon=1e-5)
        self.fc2 = nn.Dense(32, 32)
        self.leaky = nn.LeakyReLU(alpha=0.01)
        self.small = nn.Dense(32, 32)
        self.turn = nn.Identity()
        self.fc3 = nn.Dense(32, 32)
        self.gelu = nn.GELU(approximate=False)
        self.fc4 = nn.Dense(32, 8)

    def construct(self, x):
        x = self.relu(self.fc1(x))
        x = self.norm(x)
        x = self.leaky(self.fc2(x))
        side = self.turn(self.small(x))
        x = x + 0.1 * side
        x = self.gelu(self.fc3(x))
        return self.fc4(x)
