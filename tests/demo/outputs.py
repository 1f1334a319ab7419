"""Prints how far the port's output lies from the reference's, with the slip and mended, without the tracer."""

from __future__ import annotations

import os

os.environ["GLOG_v"] = "3"

import json
import sys
from pathlib import Path

import mindspore
import numpy as np
import torch

from tracer.demo import vit_mindspore, vit_torch
from tracer.demo.weights import load_weights, save_weights


def main(file: Path) -> None:
    torch.manual_seed(1)
    reference = vit_torch.VisionTransformer().eval()
    save_weights(reference, file)
    images = np.random.default_rng(1).standard_normal((3, 3, 32, 32), dtype=np.float32)
    right = reference(torch.from_numpy(images)).detach().numpy()
    port = vit_mindspore.VisionTransformer()
    load_weights(port, file)
    slip = distance(port, images, right)
    for block in port.blocks:
        block.mlp.act = mindspore.nn.GELU(approximate=False)
    print(json.dumps({"slip": slip, "mended": distance(port, images, right)}))


def distance(port: mindspore.nn.Cell, images: np.ndarray, right: np.ndarray) -> float:
    return float(np.linalg.norm(port(mindspore.Tensor(images)).asnumpy() - right) / np.linalg.norm(right))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
