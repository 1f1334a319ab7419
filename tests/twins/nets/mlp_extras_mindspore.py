from mindspore import nn


class Mlp(nn.Cell):
    def __init__(self):
        super().__init__()
        self.start = nn.Identity()
        self.flat = nn.Flatten()
        self.fc1 = nn.Dense(16, 32)
        self.relu = nn.ReLU()
        self.drop1 = nn.Dropout(p=0.2)
        self.norm = nn.LayerNorm((32,), epsilon=1e-5)
        self.fc2 = nn.Dense(32, 32)
        self.leaky = nn.LeakyReLU(alpha=0.01)
        self.same = nn.Identity()
        self.fc3 = nn.Dense(32, 32)
        self.drop2 = nn.Dropout(p=0.3)
        self.gelu = nn.GELU(approximate=False)
        self.fc4 = nn.Dense(32, 8)
        self.softmax = nn.Softmax(axis=1)
        self.end = nn.Identity()

    def construct(self, x):
        x = self.flat(self.start(x))
        x = self.relu(self.fc1(x))
        x = self.norm(self.drop1(x))
        x = self.leaky(self.fc2(x))
        x = self.same(x)
        x = self.gelu(self.drop2(self.fc3(x)))
        return self.end(self.softmax(self.fc4(x)))
