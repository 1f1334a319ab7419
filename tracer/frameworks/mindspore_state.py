"""A MindSpore net is put back as it was before a run. Needs no import of MindSpore: it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracer.frameworks.base import Unreadable
from tracer.frameworks.mindspore_random import keep_generators
from tracer.frameworks.store import Attributes, NotKept, Part, Store, is_users, keep_net, same_bits

Array = np.ndarray[Any, Any]

_TABLES = ("_params", "_buffers", "_cells", "_params_list", "_primitives", "_func_graph_flags")
"""Where a cell keeps what it is given as attribute, by kind; and its flags."""

_BACK = frozenset(
    {
        *("training", "_phase", "requires_grad", "is_top_cell", "mixed_precision_type", "_compiled"),
        *("_exist_objs", "_exist_names"),  # of Parameters in lists: the same name a second time is refused
    }
)
"""What is put back of a cell's bookkeeping besides tables and hooks: its mode, and what an error under a gradient would
leave changed."""


class KeptNet:
    """Everything of a net that a run may change: attributes and what they hold, Parameters, buffers and other tensors,
    hooks, modes, random state.

    Dropout's generator lives in a kernel that cannot be read, so for the run each random primitive is replaced by a
    new one of the same seed, and the old one comes back untouched.
    """

    def __init__(
        self,
        mindspore: Any,
        cells: Sequence[tuple[str, Any]],
        read: Callable[[Any], Array | Unreadable],
        write: Callable[[Any, Array], None],
        bookkeeping: frozenset[str],
    ) -> None:
        """`cells` are the net's, the net first, with their paths; `read` gives a tensor's data, `write` puts such data
        where the tensor has its own; `bookkeeping` are the attributes that MindSpore keeps for itself."""
        self._mindspore, self._read, self._write = mindspore, read, write
        self._ignored = frozenset(name for name in bookkeeping - _BACK if "hook" not in name)
        self._hooks = tuple(name for name in bookkeeping if "hook" in name)
        self._store = Store()
        self._contents = keep_net(self._store, self._part, cells)
        keep_generators(mindspore, self._contents)
        for path, cell in cells:
            if _draws_unseen(cell):
                self._contents.missing(f"{path} ({type(cell).__name__}): its random generator")
            _replace_random_primitives(cell)

    def restore(self) -> tuple[str, ...]:
        """Put everything back; names what could not be."""
        return self._contents.restore()

    def _part(self, value: Any) -> Part | None:
        mindspore = self._mindspore
        if isinstance(value, mindspore.nn.Cell):
            attributes = Attributes.of(value, (*_TABLES, *self._hooks), self._ignored)
            return Part(attributes.put_back, list(attributes.items()))
        if isinstance(value, mindspore.Tensor):
            return self._of_tensor(value)
        if type(value).__name__ == "Generator" and not is_users(type(value)):
            state = np.array(value.get_state().asnumpy())
            return Part(lambda: value.set_state(mindspore.Tensor(state)))
        return None

    def _of_tensor(self, tensor: Any) -> Part:
        array = self._read(tensor)
        if isinstance(array, Unreadable):
            raise NotKept(f"it could not be read, {array.reason}")
        kept = self._store.keep(array)
        trainable = tensor.requires_grad if isinstance(tensor, self._mindspore.Parameter) else None

        def put_back() -> None:
            if trainable is not None and tensor.requires_grad != trainable:
                tensor.requires_grad = trainable
            now, before = self._read(tensor), kept()
            if isinstance(now, Unreadable) or not same_bits(now, before):
                self._write(tensor, before)

        return Part(put_back)


def _replace_random_primitives(cell: Any) -> None:
    """A twin for every primitive that was made with a seed: it begins where a new net would begin."""
    for name, primitive in list(cell._primitives.items()):  # noqa: SLF001
        arguments = getattr(primitive, "init_attrs", {})
        seeded = any("seed" in argument.lower() for argument in arguments)
        if not seeded or vars(cell).get(name) is not primitive:
            continue
        try:
            twin = type(primitive)(**arguments)
            for attribute in primitive.attrs.keys() - twin.attrs.keys():
                twin.add_prim_attr(attribute, primitive.attrs[attribute])
        except Exception:  # noqa: S112  (another version: then the primitive itself runs)
            continue
        cell._primitives[name] = twin  # noqa: SLF001
        object.__setattr__(cell, name, twin)


_UNSEEN_KINDS = frozenset({"Dropout1d", "Dropout2d", "Dropout3d"})
_UNSEEN_PRIMITIVES = frozenset({"Dropout2D", "Dropout3D"})


def _draws_unseen(cell: Any) -> bool:
    """Does the cell draw from a generator that can neither be read nor replaced?"""
    if not getattr(cell, "training", False):
        return False
    primitives = {getattr(primitive, "name", "") for primitive in cell._primitives.values()}  # noqa: SLF001
    return bool(_UNSEEN_PRIMITIVES & primitives) or any(kind.__name__ in _UNSEEN_KINDS for kind in type(cell).__mro__)
