"""The torch side: nets of torchvision and timm with random weights that are good judges."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np


def build(name: str) -> Any:
    """The net called `name` in evaluation mode; "timm:NAME" is one of timm's. Weights are random, nothing is fetched."""
    _declare_schemas()
    import torchvision

    if name.startswith("timm:"):
        import timm

        return timm.create_model(name.removeprefix("timm:"), pretrained=False).eval()
    return torchvision.models.get_model(name, weights=None).eval()


def _declare_schemas() -> None:
    """Say the two signatures that torchvision registers fake kernels for while it is imported, and that a torch
    without torchvision's compiled part does not know. No net here calls them."""
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, schema):
            library.define(f"{schema}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _kept.append(library)


_kept: list[Any] = []
"""A library lets go of its schemas when it is no longer referred to."""


def condition(net: Any, images: np.ndarray) -> None:
    """Give the net weights under which rounding stays rounding and a fault shows.

    Linear maps keep the size of what they get, norms have affine values of their own, biases are not zero, and
    BatchNorm's statistics are those of the activations that `images` bring to it, with floors on the variances (what
    hardly varies around a large mean would lose its digits). Its
    shift lies around 1: around 0 every BatchNorm with ReLU makes a small error larger by a fifth, 100 of them by 10^8.
    """
    import torch

    norms = torch.nn.modules.batchnorm._BatchNorm
    with torch.no_grad():
        for path, layer in net.named_modules():
            for name, parameter in layer.named_parameters(recurse=False):
                full = f"{path}.{name}" if path else name
                lift = 1.0 if name == "bias" and isinstance(layer, norms) else 0.0
                parameter.copy_(torch.from_numpy(lift + _value(full, name, tuple(parameter.shape))))
        hooks = [m.register_forward_pre_hook(_take_statistics) for m in net.modules() if isinstance(m, norms)]
        net(torch.from_numpy(images))
        for hook in hooks:
            hook.remove()


def _value(full: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(full.encode()))
    noise = rng.standard_normal(shape, dtype=np.float32)
    if name == "bias":
        return 0.2 * noise
    if len(shape) == 1:
        return 1 + 0.2 * np.clip(noise, -2, 2)
    if name == "weight":
        return noise * np.float32(1.4 / np.sqrt(np.prod(shape[1:])))
    return 0.5 * noise


def _take_statistics(norm: Any, inputs: tuple[Any, ...]) -> None:
    x = inputs[0].transpose(0, 1).flatten(1)
    variances = x.var(dim=1)
    norm.running_mean.copy_(x.mean(dim=1))
    floors = (0.1 * x.square().mean(dim=1)).clamp(min=0.2 * float(variances.mean()))
    norm.running_var.copy_(variances.maximum(floors))


def arrays(net: Any) -> dict[str, np.ndarray]:
    """Every parameter and moving statistic by its name; BatchNorm's counter of batches has no counterpart."""
    return {n: t.detach().numpy() for n, t in net.state_dict().items() if not n.endswith("num_batches_tracked")}
