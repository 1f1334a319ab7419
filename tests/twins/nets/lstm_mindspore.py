from mindspore import nn


class Tagger(nn.Cell):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(40, 16)
        self.lstm = nn.LSTM(16, 16, num_layers=2, batch_first=True, bidirectional=True)
        self.norm = nn.LayerNorm((32,), epsilon=1e-5)
        self.gru = nn.GRU(32, 24, batch_first=True)
        self.head = nn.Dense(24, 6)

    def construct(self, ids):
        x = self.embed(ids)
        x, (hidden, cell) = self.lstm(x)
        x = self.norm(x)
        x, hidden = self.gru(x)
        return self.head(x)
