"""What every framework file provides: a table of its layers, and a watcher for its nets.

A framework file (`torch.py`, `mindspore.py`) is the only place that names its framework, and imports it inside
functions only, so that the tables can be read where the framework is not installed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields, is_dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from tracer.frameworks.replaying import Done, Replays
from tracer.trace.schema import Plain, Source, Sums

# --------------------------------------------------------------------------------------------------------------------
# Tables: what a framework calls things
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SettingRule:
    """One setting of a layer: the attribute as recorded, what torch calls it, and how its value is brought there.

    `attribute` may name several places, parted by "|": the first that was recorded counts. A dotted one lies in a part
    of the layer that is no layer ("softmax.axis", an attribute of the primitive a MindSpore cell keeps), and what
    stands before a "/" is a layer inside. `convert` names a conversion in `divergence/rules/conversions.py` ("same",
    "one_minus", "sizes", ...). `argument` is the constructor argument to write in an edit ("approximate", "has_bias");
    its default is that of the row's `signature`. `default` is for a setting that no argument says, in the framework's
    own words; `default_known` is False where there is none.
    """

    attribute: str
    name: str
    convert: str = "same"
    argument: str | None = None
    default: Plain = None
    default_known: bool = False


@dataclass(frozen=True)
class ParameterRule:
    """One parameter or buffer: its attribute path below the layer, its common (torch) name, and its layout.

    `layout` names how the array is brought to torch's layout: "same", or "drop_axis:2" for Conv1d's extra axis.
    """

    attribute: str
    name: str
    layout: str = "same"


@dataclass(frozen=True)
class LayerRule:
    """One row of a framework's table: all classes in `kinds` (qualified names; any base may match) mean `op`.

    `mode` says what the training flag changes: "" nothing, "statistics" (BatchNorm), "random" (dropout kin, random in
    training only), "always random" (random in evaluation too).
    `transparent` layers hand their input on unchanged, at least in evaluation (Identity, Dropout, Flatten reshapes).
    `atomic` layers are judged whole although they have layers inside (MultiheadAttention, BatchNorm3d of MindSpore).
    `notes` are known behaviours that differ from the other framework, one sentence each. `signature` is the
    constructor's argument list as Python text, defaults included ("..." for one that is no plain value): it gives the
    defaults of settings and the order of arguments for an edit.
    """

    kinds: tuple[str, ...]
    op: str
    settings: tuple[SettingRule, ...] = ()
    parameters: tuple[ParameterRule, ...] = ()
    mode: str = ""
    transparent: bool = False
    atomic: bool = False
    notes: tuple[str, ...] = ()
    signature: str = ""


WRAPPERS = (
    "module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
    "_backbone",
    "network",
    "_recompute_cell",
)
"""Attributes under which a wrapper (DataParallel, compiled, sharded, recomputed, amp, training) keeps what it wraps."""


# --------------------------------------------------------------------------------------------------------------------
# Nested results
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf of a nested result: where it sits ("" is the whole) and the object itself."""

    path: str
    value: Any


def leaves(tree: Any, prefix: str = "") -> Iterator[Leaf]:
    """Walk tuples, lists, mappings, named tuples and dataclasses (Hugging Face outputs are mappings) down to leaves.

    Mappings are walked in their own order. An empty container has no leaf. An object met again inside itself ends
    the walk there. Of leaves that would have the same path ({0: a, "0": b}) the second gets "~2" behind it, and so on.
    """
    seen: dict[str, int] = {}
    for leaf in _leaves(tree, prefix, ()):
        count = seen[leaf.path] = seen.get(leaf.path, 0) + 1
        yield leaf if count == 1 else Leaf(f"{leaf.path}~{count}", leaf.value)


def _leaves(tree: Any, prefix: str, above: tuple[int, ...]) -> Iterator[Leaf]:
    items = children(tree)
    if items is None or id(tree) in above:
        yield Leaf(prefix, tree)
        return
    for key, value in items:
        yield from _leaves(value, f"{prefix}.{key}" if prefix else str(key), (*above, id(tree)))


def children(tree: Any) -> list[tuple[str, Any]] | None:
    """The direct children of a nested result by key or index; None when it is a leaf."""
    kind: Any = type(tree)
    opened = _opener(kind)
    return None if opened is None else opened(tree)


@lru_cache(maxsize=1024)
def _opener(kind: type) -> Callable[[Any], list[tuple[str, Any]]] | None:
    """How a container of this class is opened; None for a leaf. Asked once per class: it costs more than to open."""
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return lambda tree: list(zip(tree._fields, tree, strict=True))
    if issubclass(kind, tuple | list):
        return lambda tree: [(str(index), value) for index, value in enumerate(tree)]
    if issubclass(kind, Mapping):
        return lambda tree: [(str(key), value) for key, value in tree.items()]
    if is_dataclass(kind):
        names = [f.name for f in fields(kind)]
        return lambda tree: [(name, getattr(tree, name)) for name in names if hasattr(tree, name)]
    if hasattr(kind, "__attrs_attrs__"):
        return lambda tree: [(a.name, getattr(tree, a.name)) for a in kind.__attrs_attrs__ if hasattr(tree, a.name)]
    return None


def rebuild(tree: Any, replace: Callable[[Any], Any]) -> Any:
    """The same nest with every leaf replaced. A container whose leaves all stay themselves is returned itself, and so
    is one that cannot be copied with other items."""
    items = children(tree)
    if items is None:
        return replace(tree)
    new = [rebuild(value, replace) for _, value in items]
    if all(a is b for a, (_, b) in zip(new, items, strict=True)):
        return tree
    try:
        return _copy_with(tree, [name for name, _ in items], new)
    except Exception:  # a class of the user's may refuse anything
        return tree


def _copy_with(tree: Any, names: Sequence[str], new: Sequence[Any]) -> Any:
    """A shallow copy of a container with `new` in place of its children."""
    if type(tree) in (dict, list, tuple):
        return dict(zip(tree, new, strict=True)) if type(tree) is dict else type(tree)(new)
    if isinstance(tree, tuple):
        return type(tree)(*new) if hasattr(tree, "_fields") else type(tree)(new)
    if isinstance(tree, Mapping) and not isinstance(tree, MutableMapping):
        return type(tree)(dict(zip(tree, new, strict=True)))  # type: ignore[call-arg]
    made = copy.copy(tree)
    if isinstance(made, list):
        made[:] = new
    elif isinstance(made, MutableMapping):
        for key, value in zip(list(tree), new, strict=True):
            made[key] = value
    else:
        for name, value in zip(names, new, strict=True):
            object.__setattr__(made, name, value)  # of a frozen class too
    return made


# --------------------------------------------------------------------------------------------------------------------
# Watching: how a framework's net is watched
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unreadable:
    """Why a tensor cannot become an array (quantised, meta, nested ...)."""

    reason: str


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """Name of the dtype as numpy and ml_dtypes write it ("float32", "bfloat16"), shape, device in words."""

    shape: tuple[int, ...]
    dtype: str
    device: str
    requires_grad: bool


@dataclass(frozen=True)
class LayerFacts:
    """What a framework knows of one layer; see `tracer.trace.schema.Layer`."""

    kind: str
    bases: tuple[str, ...]
    settings: Mapping[str, Plain]
    training: bool | None
    source: Source | None
    made_at: Source | None


@dataclass(frozen=True)
class NamedTensor:
    """A parameter or buffer: the attribute's name in its layer, the framework's own name if another, the tensor.
    `saved`: does it stand in the files that the framework writes of the net?"""

    name: str
    tensor: Any
    trainable: bool
    buffer: bool
    alias: str | None = None
    saved: bool = True


@dataclass(frozen=True)
class Gradients:
    """How the backward pass went: `error` None, or what the framework said; `skipped` why it was not tried.

    `parameters` holds the whole gradient by `id(parameter)` where the framework keeps it: asked for those whose hook
    fired more than once, each time with a part.
    """

    error: BaseException | None = None
    skipped: str | None = None
    parameters: Mapping[int, Any] = field(default_factory=dict)


class Listener(Protocol):
    """The recorder, as a watcher sees it. No method raises: the recorder keeps its own failures until the run ended."""

    def enter(
        self, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """A call begins; what is returned replaces the arguments (aliases for input gradients), None keeps them."""

    def leave(self, path: str, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        """The call that was entered last on this path returned `output`."""

    def raised(self, path: str, error: BaseException) -> None:
        """The call raised."""

    def discovered(self, path: str | None, layer: Any) -> bool:
        """A layer that was not there when recording started is about to be called; `path` is None where it is
        registered nowhere in the net. Watch it?"""


class Watcher(Protocol):
    """One framework's side of recording. Everything that names the framework is behind this."""

    name: str
    """"torch" or "mindspore": the root package."""

    def version(self) -> str:
        """The framework's version."""

    def environment(self, net: Any) -> dict[str, Plain]:
        """Versions, device, flags that can move numbers (tf32, autocast, determinism, execution mode, threads)."""

    def layers(self, net: Any) -> list[tuple[str, Any, tuple[str, ...]]]:
        """(path, layer, other paths of the same object) in the framework's own order; the net first, as "(root)"."""

    def describe(self, layer: Any, parent: Any | None, name: str) -> LayerFacts:
        """Facts of one layer; `parent` and `name` say which attribute of which layer holds it."""

    def parameters(self, layer: Any) -> list[NamedTensor]:
        """The layer's own parameters and buffers, not those of layers below it. Tied ones appear at every place."""

    def is_tensor(self, value: Any) -> bool:
        """Is this a tensor of the framework?"""

    def facts(self, tensor: Any) -> TensorFacts:
        """Shape, dtype, device; reads no data."""

    def array(self, tensor: Any) -> np.ndarray[Any, Any] | Unreadable:
        """The data as a C-contiguous array that may share memory with the tensor (bfloat16 as ml_dtypes.bfloat16).
        Waits for the device. The caller copies before it lets the net go on."""

    def version_of(self, tensor: Any) -> int | None:
        """A number that grows when the tensor is altered in place; None where the framework counts none."""

    def alias(self, tensor: Any) -> Any | None:
        """A view that carries gradients on as its own node, so that a hook on it sees this call's part only; None
        where one must not be made (parameters, integers, no gradient wanted)."""

    def on_gradient(self, tensor: Any, then: Callable[[Any], None]) -> Callable[[], None] | None:
        """Call `then(gradient)` when the gradient of the tensor is known. Returns how to remove it; None when the
        tensor takes no gradient."""

    def in_place(self, layer: Any) -> bool:
        """Will the layer overwrite its input (ReLU(inplace=True))? Then its inputs are not aliased."""

    def in_backward(self) -> bool:
        """Is a backward pass running? (Then a forward call is a recomputation.)"""

    def watch(self, net: Any, listener: Listener, paths: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Hooks on every layer in `paths` while it is open; every hook is gone after it, whatever was raised."""

    def eager(self, net: Any) -> AbstractContextManager[tuple[str, ...]]:
        """Make hooks fire (graph mode, jit, compiled, fast paths off) and put everything back; gives what was done,
        in words. Raises RecordingError where an eager run would not be bit-equal or cannot be had."""

    def preserve(self, net: Any) -> Callable[[], tuple[str, ...]]:
        """Remember buffers, parameters, gradients, modes and random state; the returned function puts them back and
        names what could not be."""

    def modes(self, net: Any) -> dict[str, bool]:
        """For each layer by path: is it in training mode?"""

    def set_modes(self, net: Any, modes: Mapping[str, bool]) -> None:
        """Put layers into training (True) or evaluation mode, each by itself; others stay as they are."""

    def assign(self, tensor: Any, array: np.ndarray[Any, Any]) -> None:
        """Write an array of the tensor's shape and dtype into the tensor, in place, bit for bit."""

    def convert(self, net: Any, tree: Any) -> tuple[Any, tuple[str, ...]]:
        """Inputs as the net takes them: numpy arrays and the other framework's tensors become tensors on the net's
        device (float64 arrays in the net's float type), the rest stays; and what was done, in words."""

    def run(
        self,
        net: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        cotangent: Callable[[int, int], np.ndarray[Any, Any]] | None,
    ) -> tuple[Any, Gradients]:
        """Call the net, and unless `cotangent` is None go backward from the sum of every float leaf of the output
        times `cotangent(rank among the float leaves, element count)` (float64, flat, C order). What the net itself
        raises comes through; what the backward pass raises comes back in `Gradients`."""

    def uncaptured(self, net: Any, silent: Sequence[str]) -> dict[str, str]:
        """For each layer that never fired, the framework's reason where it knows one (used through its parameters
        only, inside a compiled call, a container, ...)."""

    def after_error(self) -> None:
        """Clean what an error inside the net leaves behind in the framework."""

    # What follows is optional: the recorder does without it where a watcher has it not.

    def autocast(self) -> str | None:
        """The dtype that operations are cast to at this moment ("bfloat16"); None when they are not."""

    def sums(self, tensor: Any) -> Sums | None:
        """Minimum, maximum, sum and sum of squares, those of float64 to 2e-7; None where `array` is the quicker
        way to them. Never raises."""

    def memory_of(self, tensor: Any) -> Hashable | None:
        """What two tensors share only if they are the same numbers in the same memory, as long as one of them is
        held and neither is altered (address, strides, shape, dtype, version); None where that cannot be told."""

    def tensor(self, array: np.ndarray[Any, Any]) -> Any:
        """A tensor of the same numbers, dtype and shape, of its own memory; raises what the framework says where it
        has no such dtype."""

    def before_in_place(self, tensor: Any) -> Any | None:
        """What `on_part` needs to know of an input before an in-place layer overwrites it."""

    def on_part(self, before: Any, output: Any, then: Callable[[Any], None]) -> Callable[[], None] | None:
        """Call `then(gradient)` with the gradient of an overwritten input; None where it cannot be had."""

    def replacing(self, net: Any, replays: Replays) -> AbstractContextManager[Done]:
        """While it is open, calls of layers give what `replays` says, computed from their own input, with gradients;
        hooks see that, generators are not touched, and everything is put back, whatever was raised. Gives the set of
        the calls that were replayed, which fills as they run."""


FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})
