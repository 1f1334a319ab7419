"""A torch net is put back as it was before a run. Needs no import of torch: it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from tracer.frameworks.base import Unreadable
from tracer.frameworks.store import Attributes, NotKept, Part, Store, keep_net, same_bits
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
        self._torch, self._read, self._make = torch, read, make
        self._tables = [name for name, value in vars(torch.nn.Module()).items() if isinstance(value, dict)]
        self._store = Store()
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
            return self._of_tensor(value)
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

    def _of_tensor(self, tensor: Any) -> Part:
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
