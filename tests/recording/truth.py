"""What a net gives without tracer, bit for bit, to hold recordings against."""

from __future__ import annotations

import random

import numpy as np
import torch

from tracer.frameworks.base import leaves
from tracer.recorder import cotangent


def bits(value):
    """A tensor as bytes, with shape and dtype."""
    if value is None:
        return None
    if value.is_sparse:
        value = value.to_dense()
    return tuple(value.shape), value.dtype, value.detach().cpu().contiguous().view(-1).numpy().tobytes()


def state(net):
    """Everything of a net that recording must leave alone."""
    return (
        {name: (id(p), bits(p), p.requires_grad) for name, p in net.named_parameters()},
        {name: (id(b), bits(b)) for name, b in net.named_buffers()},
        {name: (id(p.grad), bits(p.grad)) for name, p in net.named_parameters()},
        {name: m.training for name, m in net.named_modules()},
        {name: sorted(vars(m)) for name, m in net.named_modules()},
        {name: hooks(m) for name, m in net.named_modules()},
        {name: len(p._backward_hooks or ()) for name, p in net.named_parameters()},
        random.getstate(),
        str(np.random.get_state()),
        bits(torch.get_rng_state()),
    )


def hooks(module):
    """How many hooks a module has, of every kind."""
    return {name: len(value) for name, value in vars(module).items() if "hooks" in name and hasattr(value, "__len__")}


def float_leaves(output):
    """The output's float tensors in their order."""
    return [
        leaf.value for leaf in leaves(output) if isinstance(leaf.value, torch.Tensor) and leaf.value.is_floating_point()
    ]


def step(net, *inputs):
    """(outputs, gradients of inputs, gradients of parameters) of one pass with the cotangent that tracer uses."""
    torch.manual_seed(5)
    inputs = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    net.zero_grad()
    found = float_leaves(net(*inputs))
    ends = [(n, t) for n, t in enumerate(found) if t.requires_grad]
    weights = [torch.from_numpy(cotangent(n, t.numel())).reshape(t.shape).to(t.dtype) for n, t in ends]
    torch.autograd.backward([t for _, t in ends], weights)
    result = (
        [bits(t) for t in found],
        [bits(x.grad) for x in inputs],
        {name: bits(p.grad) for name, p in net.named_parameters()},
    )
    net.zero_grad()
    return result
