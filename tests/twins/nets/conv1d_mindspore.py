from mindspore import nn


class Wave(nn.Cell):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(4, 16, 5, pad_mode="valid", has_bias=True)
        self.norm1 = nn.BatchNorm1d(16)
        self.act = nn.ELU()
        self.pool = nn.MaxPool1d(2, stride=2)
        self.conv2 = nn.Conv1d(16, 16, 3, pad_mode="pad", padding=2, dilation=2, has_bias=True)
        self.up = nn.Conv1dTranspose(16, 8, 4, stride=2, pad_mode="pad", padding=1, has_bias=True)
        self.mean = nn.AvgPool1d(4, stride=4)
        self.flat = nn.Flatten()
        self.fc = nn.Dense(56, 12)
        self.norm2 = nn.BatchNorm1d(12)

    def construct(self, x):
        x = self.act(self.norm1(self.conv1(x)))
        x = self.pool(x)
        x = self.act(self.conv2(x))
        x = self.mean(self.up(x))
        return self.norm2(self.fc(self.flat(x)))
