"""A torch net, and an optimizer, are put back as they were before a run. Needs no import of torch: it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from tracer.frameworks.base import Unreadable
from tracer.frameworks.store import Attributes, Contents, NotKept, Part, Store, keep_net, same_bits
from tracer.frameworks.torch_random import keep_generators

Array = np.ndarray[Any, Any]


class KeptNet:
    """Everything of a net that a run may change: attributes and what they hold, parameters, buffers and other tensors
    with their gradients, hooks, modes, random state."""

    def __init__(
        self,
        torch: Any,
        modules: Sequence[tuple[str, Any]],
        read: Callable[[Any], Array | Unreadable],
        make: Callable[[Array], Any],
    ) -> None:
        """`modules` are the net's, the net first, with their paths; `read` gives a tensor's data, `make` a new tensor
        of such data."""
        self._torch = torch
        self._tables = [name for name, value in vars(torch.nn.Module()).items() if isinstance(value, dict)]
        self._store = Store()
        self._tensors = _Tensors(torch, self._store, read, make)
        self._contents = keep_net(self._store, self._part, modules)
        keep_generators(torch, self._contents)

    def restore(self) -> tuple[str, ...]:
        """Put everything back; names what could not be."""
        return self._contents.restore()

    def _part(self, value: Any) -> Part | None:
        torch = self._torch
        if isinstance(value, torch.nn.Module):
            return self._of_module(value)
        if isinstance(value, torch.Tensor):
            return self._tensors.part(value)
        if isinstance(value, torch.Generator):
            return Part(partial(value.set_state, value.get_state()))
        return None

    def _of_module(self, module: Any) -> Part:
        attributes = Attributes.of(module, self._tables)
        if isinstance(module, self._torch.jit.ScriptModule):
            return Part(None, [*module._parameters.items(), *module._buffers.items()])  # noqa: SLF001
        if _is_lazy(module):
            return Part(partial(_check_lazy, module), list(attributes.items()))
        return Part(attributes.put_back, list(attributes.items()))


class KeptOptimizer:
    """Everything of an optimizer that steps may change: attributes and what they hold, hooks, groups with their
    settings, state, and the parameters it updates with their gradients."""

    def __init__(
        self,
        torch: Any,
        optimizer: Any,
        read: Callable[[Any], Array | Unreadable],
        make: Callable[[Array], Any],
    ) -> None:
        """`read` gives a tensor's data, `make` a new tensor of such data."""
        self._torch = torch
        store = Store()
        self._tensors = _Tensors(torch, store, read, make)
        self._contents = Contents(store, self._part)
        self._numbers = {id(p): n for n, p in enumerate(p for g in optimizer.param_groups for p in g["params"])}
        self._states = {id(optimizer.state)}
        self._contents.keep("the optimizer", optimizer)
        for place, held in (("param_groups", optimizer.param_groups), ("state", optimizer.state)):
            self._contents.keep(f"the optimizer.{place}", held)  # of a wrapper, whose they are not

    def restore(self) -> tuple[str, ...]:
        """Put everything back; names what could not be."""
        return self._contents.restore()

    def _part(self, value: Any) -> Part | None:
        torch = self._torch
        if isinstance(value, torch.optim.Optimizer) or _is_optimizer(value):
            if isinstance(value.state, dict):
                self._states.add(id(value.state))
            attributes = Attributes.of(value, ())
            return Part(attributes.put_back, list(attributes.items()))
        if id(value) in self._states and isinstance(value, dict):
            entries = Attributes(value, dict(value), {}, frozenset())
            return Part(entries.put_back, [(self._named(key), item) for key, item in value.items()])
        if isinstance(value, torch.nn.Module):
            return Part(None)  # the net, which is kept by itself
        if isinstance(value, torch.Tensor):
            return self._tensors.part(value)
        if isinstance(value, torch.Generator):
            return Part(partial(value.set_state, value.get_state()))
        return None

    def _named(self, key: Any) -> str:
        """The words for an entry of the state: those of a tensor would be its numbers."""
        return f"of parameter {self._numbers.get(id(key), '?')}" if isinstance(key, self._torch.Tensor) else str(key)


def _is_optimizer(value: Any) -> bool:
    names = ("param_groups", "state", "step")
    return type(getattr(value, "__dict__", None)) is dict and all(hasattr(value, name) for name in names)


class _Tensors:
    """Tensors, with what they were in a store."""

    def __init__(
        self, torch: Any, store: Store, read: Callable[[Any], Array | Unreadable], make: Callable[[Array], Any]
    ) -> None:
        self._torch, self._store, self._read, self._make = torch, store, read, make

    def part(self, tensor: Any) -> Part:
        """Data, `requires_grad` and `.grad`; a tensor of a lazy module has none of them yet."""
        if _uninitialised(tensor):
            return Part(None)
        data, gradient, takes = self._data(tensor), tensor.grad if tensor.is_leaf else None, tensor.requires_grad

        def put_back() -> None:
            if data is not None:
                data()
            if tensor.is_leaf and tensor.requires_grad != takes:
                tensor.requires_grad_(takes)
            if tensor.is_leaf and tensor.grad is not gradient:
                tensor.grad = gradient

        return Part(put_back, [("grad", gradient)])

    def _data(self, tensor: Any) -> Callable[[], None] | None:
        """How to put back the numbers; None where there are none."""
        torch = self._torch
        if tensor.device.type == "meta":
            return None
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_nested:
            return partial(self._put_clone, tensor, tensor.detach().clone())
        array = self._read(tensor)
        if isinstance(array, Unreadable):
            raise NotKept(f"it could not be read, {array.reason}")
        return partial(self._put_array, tensor, tensor.data, self._store.keep(array))

    def _put_array(self, tensor: Any, data: Any, kept: Callable[[], Array]) -> None:
        """`data` is the tensor's own memory: what was bound to other memory comes back to it."""
        if tensor.data_ptr() != data.data_ptr() or tensor.shape != data.shape or tensor.dtype != data.dtype:
            tensor.data = data
        now, before = self._read(tensor), kept()
        if isinstance(now, Unreadable) or not same_bits(now, before):
            with self._torch.no_grad():
                tensor.copy_(self._make(before))

    def _put_clone(self, tensor: Any, clone: Any) -> None:
        try:
            same = bool(self._torch.equal(tensor, clone))
        except Exception:  # torch cannot compare such tensors
            same = False
        if not same:
            with self._torch.no_grad():
                tensor.copy_(clone)


def _uninitialised(tensor: Any) -> bool:
    return any(base.__name__ == "UninitializedTensorMixin" for base in type(tensor).__mro__)


def _tensors(module: Any) -> Iterator[Any]:
    yield from module._parameters.values()  # noqa: SLF001
    yield from module._buffers.values()  # noqa: SLF001


def _is_lazy(module: Any) -> bool:
    return any(_uninitialised(tensor) for tensor in _tensors(module))


def _check_lazy(module: Any) -> None:
    if not _is_lazy(module):
        raise NotKept("a lazy module that was initialised, and stays so")


def graph_leaves(tensors: Sequence[Any]) -> dict[int, Any]:
    """Every tensor whose `.grad` a backward pass from here would write, as far as the graph shows it."""
    found: dict[int, Any] = {}
    waiting = [t.grad_fn for t in tensors if t.grad_fn is not None]
    found.update({id(t): t for t in tensors if t.grad_fn is None})
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        variable = getattr(node, "variable", None)
        if variable is not None:
            found[id(variable)] = variable
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)
    return found
