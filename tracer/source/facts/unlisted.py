"""Parts of torch whose names nobody can list."""

from __future__ import annotations

UNLISTED = (
    *("torch._C", "torch._ops", "torch.ops", "torch._higher_order_ops", "torch._custom_ops", "torch._utils"),
    *("torch._dynamo", "torch._inductor", "torch._functorch", "torch._subclasses", "torch._export"),
    *("torch.backends", "torch.hub", "torch.onnx", "torch.testing", "torch.version", "torch.return_types"),
    *("torch.fx.experimental", "torch.fx.passes", "torch.fx.graph_module"),
    *("torch.utils._pytree", "torch.utils._sympy", "torch.utils._python_dispatch"),
    *("torch.utils.tensorboard", "torch.utils.benchmark", "torch.utils.mobile_optimizer"),
    *("torch.distributed._composable", "torch.distributed._functional_collectives", "torch.distributed._tensor"),
    *("torch.distributed.elastic", "torch.distributed.launch", "torch.distributed.tensor.placement_types"),
    *("torch.mtia", "torch.npu", "torch.mlu", "torch.musa", "torch.hpu", "torch.tpu", "torch.supa", "torch.neuron"),
)
"""Parts of torch that are filled while it runs, by devices that plug in, or that nobody may rely on: what stands there
is not listed, and any name is taken to exist."""


def is_unlisted(name: str) -> bool:
    """Does the name stand in a part of torch whose names are not listed?"""
    return name.startswith("torch.") and any(name == room or name.startswith(f"{room}.") for room in UNLISTED)
