from mindspore import nn


class Mlp(nn.Cell):
    def __init__(self):
        super().__init__()
        self.layers = nn.SequentialCell(
            nn.SequentialCell(
                nn.Dense(16, 32),
                nn.ReLU(),
                nn.LayerNorm((32,), epsilon=1e-5),
            ),
            nn.SequentialCell(
                nn.Dense(32, 32),
                nn.LeakyReLU(alpha=0.01),
                nn.Dropout(p=0.1),
            ),
            nn.SequentialCell(
                nn.Dense(32, 32),
                nn.GELU(approximate=False),
            ),
            nn.Dense(32, 8),
            nn.Softmax(axis=1),
        )

    def construct(self, x):
        return self.layers(x)
