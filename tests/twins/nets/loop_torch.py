from torch import nn


class Refine(nn.Module):
    def __init__(self, dim, steps):
        super().__init__()
        self.steps = steps
        self.cell = nn.GRUCell(dim, dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x):
        state = x
        for _ in range(self.steps):
            state = self.norm(self.cell(x, state))
        return state


class Loop(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(12, 20)
        self.refine = Refine(20, 4)
        self.layers = nn.ModuleList([nn.Linear(20, 20) for _ in range(3)])
        self.act = nn.ReLU()
        self.head = nn.Linear(20, 5)

    def forward(self, x):
        x = self.refine(self.stem(x))
        for layer in self.layers:
            x = x + self.act(layer(x))
        return self.head(x)
