from mindspore import nn


class Head(nn.Cell):
    def __init__(self, dim, out):
        super().__init__()
        self.norm = nn.LayerNorm((dim,), epsilon=1e-5)
        self.act = nn.LeakyReLU(0.01)
        self.fc = nn.Dense(dim, out)

    def construct(self, x):
        return {"logits": self.fc(self.act(self.norm(x))), "hidden": [x]}


class Detector(nn.Cell):
    def __init__(self):
        super().__init__()
        self.backbone = nn.SequentialCell(
            nn.Dense(16, 32),
            nn.ReLU(),
            nn.Dense(32, 32),
        )
        self.boxes = Head(32, 4)
        self.classes = Head(32, 7)

    def construct(self, x):
        features = self.backbone(x)
        boxes = self.boxes(features)
        classes = self.classes(features)
        return {
            "boxes": boxes["logits"],
            "classes": (classes["logits"], classes["hidden"][0].mean(axis=-1)),
            "aux": {"features": [features, None]},
        }
