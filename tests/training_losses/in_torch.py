"""Real losses of torch, as a recording holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from tracer.divergence.training.losses import LossSide
from tracer.frameworks import torch_settings


def layer(loss: torch.nn.Module, *given: np.ndarray) -> LossSide:
    """A loss layer whose call was seen: positions of arguments, and its own tensors by their names."""
    tensors = [_tensor(array) for array in given]
    held = {name: t.numpy() for name, t in loss.named_buffers()}
    kind = type(loss)
    above = kind.__mro__[: kind.__mro__.index(torch.nn.Module)]
    bases = tuple(f"{base.__module__}.{base.__qualname__}" for base in above)
    inputs = {**{str(n): array for n, array in enumerate(given)}, **held}
    return LossSide(loss(*tensors).numpy(), "torch", kind.__name__, bases, torch_settings.settings(loss), inputs)


def node(op: str, *given: np.ndarray, **settings: Any) -> LossSide:
    """A loss function of which the graph told: the names it saves tensors under."""
    tensors = {k: _tensor(v) if isinstance(v, np.ndarray) else v for k, v in settings.items()}
    value = getattr(F, op)(*(_tensor(array) for array in given), **tensors)
    arrays = {k: v for k, v in settings.items() if isinstance(v, np.ndarray)}
    plain = {"reduction": "mean", **{k: v for k, v in settings.items() if k not in arrays}}
    return LossSide(value.numpy(), "torch", op, settings=plain, inputs={"self": given[0], "target": given[1], **arrays})


def unseen(value: torch.Tensor, predictions: np.ndarray | None = None, targets: np.ndarray | None = None) -> LossSide:
    """A loss of which nothing but its value is known, and what the net returned and its step was given."""
    return LossSide(value.numpy(), "torch", predictions=predictions, targets=targets)


def _tensor(array: np.ndarray) -> torch.Tensor:
    made = torch.from_numpy(np.array(array))
    return made.long() if made.dtype == torch.int32 else made
