"""How long calls of torch modules take, forward and backward. Needs no import of torch: it is given.

Which operations of the backward pass are whose, and how long each takes, is in `torch_operations.py`.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tracer.frameworks import torch_timing_costs
from tracer.frameworks.base import FLOATS, leaves
from tracer.frameworks.timing import Costs, Log, Memory, Phase, Rest, Step
from tracer.frameworks.torch_hooks import Hook, always
from tracer.frameworks.torch_operations import Operations
from tracer.frameworks.torch_optimizer import needs_closure, parameters
from tracer.frameworks.torch_state import graph_leaves

Array = np.ndarray[Any, Any]


class TorchTimer:
    """`tracer.frameworks.timing.Timer` for `torch.nn.Module`. `inside` gives a module out of its wrappers."""

    exact_backward = True
    limits = ()

    def __init__(self, torch: Any, inside: Callable[[Any], Any]) -> None:
        self._torch, self._inside = torch, inside
        self._operations: dict[int, Operations] = {}

    # ------------------------------------------------------------------------------------------------- the device

    def rest(self, net: Any) -> Rest:
        """`synchronize` of every accelerator that the net is on; the CPU does one thing after the other."""
        device = self._device(net)
        if device == "cpu":
            return Rest(None, "nothing had to be waited for: torch on the CPU does one thing after the other")
        wait = getattr(getattr(self._torch, device, None), "synchronize", None)
        if wait is None:
            return Rest(None, f"torch has no way to wait for {device}: times are those of handing work over")
        places = sorted({str(tensor.device) for tensor in self._tensors(net) if tensor.device.type == device})
        if not inspect.signature(wait).parameters:  # there is but one (mps)
            return Rest(wait, f"torch.{device}.synchronize")

        def all_of_them() -> None:
            for place in places:
                wait(place)

        return Rest(all_of_them, f"torch.{device}.synchronize of {', '.join(places)}")

    def memory(self, net: Any) -> Memory | None:
        """What the allocator of CUDA tells; that of the CPU tells nothing."""
        if self._device(net) != "cuda":
            return None
        cuda = self._torch.cuda
        return Memory(cuda.memory_allocated, cuda.max_memory_allocated, cuda.reset_peak_memory_stats)

    def _device(self, net: Any) -> str:
        kinds = {str(tensor.device.type) for tensor in self._tensors(net)}
        return next(iter(sorted(kinds - {"cpu", "meta"})), "cpu")

    def _tensors(self, net: Any) -> list[Any]:
        return [*self._inside(net).parameters(), *self._inside(net).buffers()]

    # -------------------------------------------------------------------------------------------------- the steps

    def run(
        self,
        net: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        cotangent: Callable[[int, int], Array] | None,
    ) -> Step:
        """Forward, and backward from all float leaves of the output that take a gradient."""
        torch = self._torch
        weights: dict[int, Any] = {}
        gradients = _Gradients(self._inside(net).parameters())

        def weight(rank: int, tensor: Any) -> Any:
            if rank not in weights:
                assert cotangent is not None
                made = torch.from_numpy(cotangent(rank, tensor.numel())).reshape(tensor.shape)
                weights[rank] = made.to(tensor.device, tensor.dtype)
            return weights[rank]

        def step(ended: Callable[[Phase], None]) -> None:
            output = net(*args, **kwargs)
            ended("forward")
            ends = self._ends(output) if cotangent is not None else []
            if not ends:
                return
            tensors, known = [tensor for _, tensor in ends], [weight(rank, tensor) for rank, tensor in ends]
            gradients.begin(tensors)
            try:
                torch.autograd.backward(tensors, known)
                ended("backward")
            finally:
                gradients.put_back()

        return step

    def _ends(self, output: Any) -> list[tuple[int, Any]]:
        """The float leaves that a backward pass begins at, by their rank among all float leaves."""
        torch = self._torch
        found = [leaf.value for leaf in leaves(output) if isinstance(leaf.value, torch.Tensor)]
        floats = [tensor for tensor in found if str(tensor.dtype).removeprefix("torch.") in FLOATS]
        return [(rank, tensor) for rank, tensor in enumerate(floats) if tensor.requires_grad]

    def train(
        self,
        net: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        loss: Callable[..., Any],
        targets: tuple[Any, ...],
        optimizer: Any | None,
    ) -> Step:
        """Forward, loss, backward from cleared gradients, step; optimizers that cannot go without a closure get all
        but the last as one."""
        updated = parameters(optimizer) if optimizer is not None else []
        gradients = _Gradients((*self._inside(net).parameters(), *updated))

        def forward_and_backward(ended: Callable[[Phase], None]) -> Any:
            output = net(*args, **kwargs)
            ended("forward")
            value = loss(output, *targets)
            ended("loss")
            gradients.begin([value])
            value.backward()
            ended("backward")
            return value

        def step(ended: Callable[[Phase], None]) -> None:
            try:
                if optimizer is not None and needs_closure(optimizer):
                    optimizer.step(lambda: forward_and_backward(ended))
                else:
                    forward_and_backward(ended)
                    if optimizer is not None:
                        optimizer.step()
                if optimizer is not None:
                    ended("update")
            finally:
                gradients.put_back()

        return step

    # ----------------------------------------------------------------------------------------------- the watching

    @contextlib.contextmanager
    def watch(self, net: Any, paths: Mapping[str, Any], log: Log) -> Iterator[None]:  # noqa: ARG002
        """Two hooks on every module; those on operations are put on when the outermost call returns."""
        torch = self._torch
        operations = Operations(torch, log)
        with contextlib.ExitStack() as stack:
            stack.callback(operations.close)
            self._operations[id(log)] = operations
            stack.callback(self._operations.pop, id(log))
            for path, module in paths.items():
                if isinstance(module, torch.jit.ScriptModule):
                    continue
                before, after = _hooks(torch, path, log, operations)
                stack.callback(module.register_forward_pre_hook(before).remove)
                stack.callback(module.register_forward_hook(after, **always(torch)).remove)
            yield

    def sees(self, log: Log, outputs: Any) -> None:
        """Operations that the net's own outputs do not lead to, but the loss does."""
        operations = self._operations.get(id(log))
        if operations is not None:
            log.free(lambda: operations.extend(outputs))

    def costs(self, net: Any) -> Costs:
        """On modules that do nothing, and operations that do next to nothing, on the CPU; with the waiting that the
        net's device needs."""
        return torch_timing_costs.costs(self._torch, self.watch, self.rest(net).wait)


def _hooks(torch: Any, path: str, log: Log, operations: Operations) -> tuple[Callable[..., Any], Callable[..., Any]]:
    running: Callable[[], int] = torch._C._current_graph_task_id  # noqa: SLF001
    count = operations.count

    def before(_: Any, __: Any) -> None:
        log.enter(path, again=running() != -1, place=count())

    def after(_: Any, __: Any, output: Any) -> None:
        if log.leave(path, again=running() != -1, place=count()):
            log.free(lambda: operations.extend(output))

    return Hook(before), Hook(after)


class _Gradients:
    """The gradients that a backward pass writes: put aside before it, and back after the step. What else than the
    parameters gets one (an input, a parameter of the loss) is looked up in the first step."""

    def __init__(self, known: Iterable[Any]) -> None:
        self._before = {id(tensor): (tensor, tensor.grad) for tensor in known}
        self._looked = False

    def begin(self, outputs: list[Any]) -> None:
        """The backward pass is about to begin."""
        if not self._looked:
            self._looked = True
            for key, tensor in graph_leaves(outputs).items():
                self._before.setdefault(key, (tensor, tensor.grad))
        for tensor, _ in self._before.values():
            tensor.grad = None

    def put_back(self) -> None:
        """The step is over."""
        for tensor, gradient in self._before.values():
            tensor.grad = gradient
