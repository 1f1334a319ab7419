from torch import nn


class Wave(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(4, 16, 5)
        self.norm1 = nn.BatchNorm1d(16)
        self.act = nn.ELU()
        self.pool = nn.MaxPool1d(2)
        self.conv2 = nn.Conv1d(16, 16, 3, padding=2, dilation=2)
        self.up = nn.ConvTranspose1d(16, 8, 4, stride=2, padding=1)
        self.mean = nn.AvgPool1d(4)
        self.flat = nn.Flatten()
        self.fc = nn.Linear(56, 12)
        self.norm2 = nn.BatchNorm1d(12)

    def forward(self, x):
        x = self.act(self.norm1(self.conv1(x)))
        x = self.pool(x)
        x = self.act(self.conv2(x))
        x = self.mean(self.up(x))
        return self.norm2(self.fc(self.flat(x)))
