"""A torch call, run in this process."""

from __future__ import annotations

import warnings

import numpy as np

from tests.source_layers.case import Calls
from tests.source_layers.running import cotangent, leaves, mapped, weight


def run(row: Calls, text: str) -> dict[str, np.ndarray]:
    """Everything measured of one call of the row.

    Returns: arrays by name: "spread:<name>" of what it starts from, "weight:<name>" as set before, "eval.<i>", "train.<i>" outputs, "grad.<i>" of inputs in
        training, "gradient:<name>" of parameters, "after:<name>" running statistics after training once.
    """
    import torch
    from torch import nn
    from torch.nn import functional as F

    torch.manual_seed(0)
    named = {name: torch.from_numpy(array.copy()) for name, array in row.named.items()}
    scope = {"torch": torch, "nn": nn, "F": F, **named}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer = eval(text, scope)  # noqa: S307 -- the tables are ours
        found: dict[str, np.ndarray] = {}
        for name, tensor in (*layer.named_parameters(), *layer.named_buffers()):
            if (
                tensor.is_floating_point()
                and name not in ("weight_of_loss", "pos_weight")
                and not _is_given(tensor, named)
            ):
                found[f"spread:{name}"] = np.array(
                    float(tensor.detach().std(correction=0)) if tensor.numel() > 23 else 0.0
                )
                with torch.no_grad():
                    tensor.copy_(torch.from_numpy(weight(name, tuple(tensor.shape))))
                found[f"weight:{name}"] = tensor.detach().numpy().copy()
        layer.eval()
        with torch.no_grad():
            given = mapped(row.inputs, lambda a: torch.from_numpy(a.copy()))
            out = layer(*given)
        found |= {f"eval.{i}": t.detach().numpy().copy() for i, t in enumerate(leaves(out))}
        layer.train()
        given = mapped(row.inputs, lambda a: torch.from_numpy(a.copy()))
        for tensor in [t for t in leaves(given) if t.is_floating_point()][: 1 if row.loss else None]:
            tensor.requires_grad_()
        arguments = mapped(given, lambda t: t * 1 if t.requires_grad else t)  # in-place layers may not write a leaf
        out = layer(*arguments)
        outs = list(leaves(out))
        found |= {f"train.{i}": t.detach().numpy().copy() for i, t in enumerate(outs)}
        total = sum(
            (t * torch.from_numpy(cotangent(tuple(t.shape), i))).sum()
            for i, t in enumerate(outs)
            if t.is_floating_point() and t.requires_grad
        )
        if isinstance(total, torch.Tensor):
            total.backward()
        for i, tensor in enumerate(leaves(given)):
            if tensor.grad is not None:
                found[f"grad.{i}"] = tensor.grad.numpy().copy()
        for name, parameter in layer.named_parameters():
            if parameter.grad is not None and not parameter.grad.is_sparse:
                found[f"gradient:{name}"] = parameter.grad.numpy().copy()
        for name, buffer in layer.named_buffers():
            if buffer.is_floating_point() and name.rpartition(".")[2].startswith("running_"):
                found[f"after:{name}"] = buffer.numpy().copy()
    return found


def _is_given(tensor: object, named: dict[str, object]) -> bool:
    return any(tensor is value for value in named.values())
