from mindspore import nn


class Refine(nn.Cell):
    def __init__(self, dim, steps):
        super().__init__()
        self.steps = steps
        self.cell = nn.GRUCell(dim, dim)
        self.norm = nn.LayerNorm((dim,), epsilon=1e-5)

    def construct(self, x):
        state = x
        for _ in range(self.steps):
            state = self.norm(self.cell(x, state))
        return state


class Loop(nn.Cell):
    def __init__(self):
        super().__init__()
        self.stem = nn.Dense(12, 20)
        self.refine = Refine(20, 4)
        self.layers = nn.CellList([nn.Dense(20, 20) for _ in range(3)])
        self.act = nn.ReLU()
        self.head = nn.Dense(20, 5)

    def construct(self, x):
        x = self.refine(self.stem(x))
        for layer in self.layers:
            x = x + self.act(layer(x))
        return self.head(x)
