"""What made a loss in torch: layers outside of the net that are called, and the graph behind a loss. Needs no import
of torch: it is given."""

from __future__ import annotations

import contextlib
import inspect
import math
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from tracer.frameworks.base import Leaf, leaves
from tracer.frameworks.source import class_source
from tracer.frameworks.store import is_users
from tracer.frameworks.torch_settings import NotPlain, bases, plain, settings
from tracer.frameworks.training import LossFacts
from tracer.trace.schema import Plain

# --------------------------------------------------------------------------------------------------------------------
# Layers outside of the net
# --------------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def watch_losses(
    torch: Any, net: Any, inside: Callable[[Any], Any], seen: Callable[[Any, LossFacts], None]
) -> Iterator[None]:
    """Call `seen(output, facts)` after every call of a module that is not in the net, by torch's hooks for all modules;
    `inside(net)` is the net out of its wrappers. What holds the net (DDP, compiled, a net with its loss) is passed
    through: what it calls beside the net is told, itself it is not."""
    hooks = torch.nn.modules.module
    watch = _Calls(torch, net, inside(net), seen)
    known = inspect.signature(hooks.register_module_forward_hook).parameters
    options = {name: True for name in ("with_kwargs", "always_call") if name in known}
    with contextlib.ExitStack() as stack:
        if "torch._dynamo" in sys.modules:
            stack.enter_context(_silent())
        stack.callback(hooks.register_module_forward_pre_hook(watch.enter).remove)
        after = hooks.register_module_forward_hook(watch.leave, **options)
        for table in ("_global_forward_hooks_always_called", "_global_forward_hooks_with_kwargs"):
            stack.callback(getattr(hooks, table, {}).pop, after.id, None)  # torch itself leaves an entry
        stack.callback(after.remove)
        yield


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Compiled modules warn of hooks for all modules, which the user did not set."""
    warnings.filterwarnings("ignore", message=r"Using `torch\.compile\(module\)` when there are global hooks")
    own = warnings.filters[0]
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            warnings.filters.remove(own)  # type: ignore[attr-defined]


@dataclass
class _Call:
    module: Any
    role: Literal["net", "around", "outside"]


class _Calls:
    """The calls that are running, the outermost first."""

    def __init__(self, torch: Any, net: Any, inner: Any, seen: Callable[[Any, LossFacts], None]) -> None:
        self._torch, self._seen = torch, seen
        self._roots = {id(net), id(inner)}
        self._inside = {id(module) for module in net.modules()}
        self._inner = inner
        self._around: dict[int, tuple[Any, bool]] = {}  # with the module, so that no id comes again
        self._thread = threading.get_ident()
        self._running: list[_Call] = []

    def enter(self, module: Any, _: Any) -> None:
        """A module is called."""
        if threading.get_ident() != self._thread:
            return
        role = self._role(module)
        if id(module) in self._roots:
            for call in self._running:
                call.role = "around" if call.role == "outside" else call.role
        self._running.append(_Call(module, role))

    def leave(self, module: Any, args: tuple[Any, ...], *rest: Any) -> None:
        """It returned, or raised: then the output is None. Before torch 2.1 there are no kwargs."""
        if threading.get_ident() != self._thread:
            return
        if not any(call.module is module for call in self._running):
            return
        while (call := self._running.pop()).module is not module:
            pass
        output, kwargs = rest[-1], rest[0] if len(rest) > 1 else {}
        told = call.role == "outside" and all(above.role == "around" for above in self._running)
        if told and output is not None and not self._recomputes():
            self._seen(output, _facts(self._torch, module, args, kwargs))

    def _role(self, module: Any) -> Literal["net", "around", "outside"]:
        if id(module) in self._inside:
            return "net"
        known = self._around.get(id(module))
        if known is None:
            holds = any(below is self._inner for below in module.modules())
            known = self._around[id(module)] = (module, holds)
        return "around" if known[1] else "outside"

    def _recomputes(self) -> bool:
        return bool(self._torch._C._current_graph_task_id() != -1)  # noqa: SLF001


def _facts(torch: Any, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> LossFacts:
    kind: Any = type(module)
    given = [*leaves(args), *(leaf for name, value in kwargs.items() for leaf in leaves(value, name))]
    given = [leaf for leaf in given if leaf.path]  # nothing was given
    names = {leaf.path for leaf in given}
    held = {**module._buffers, **module._parameters}  # noqa: SLF001
    given += [Leaf(n, t) for n, t in held.items() if isinstance(t, torch.Tensor) and n not in names]
    return LossFacts(
        kind=kind.__name__,
        bases=bases(kind, "torch.nn.modules.module.Module"),
        settings=settings(module),
        inputs=tuple(given),
        source=class_source(kind) if is_users(kind) else None,
    )


# --------------------------------------------------------------------------------------------------------------------
# The graph behind a loss
# --------------------------------------------------------------------------------------------------------------------

_REDUCTIONS = {0: "none", 1: "mean", 2: "sum"}

_RESULTS = re.compile(r"result\d*|total_weight|buffer")
"""Saved tensors that the operation made itself."""


def made_by(torch: Any, loss: Any) -> LossFacts | None:
    """The last operation, by the name of torch's function for it, with what it saved for its gradient. `nll_loss` of a
    `log_softmax` is "cross_entropy", whose `self` is then the log-softmax. Changes and computes nothing."""
    try:
        node = loss.grad_fn
        if node is None:
            return None
        return _smoothed(node) or _operation(torch, node)
    except Exception:  # a node of the user's, or one that a later torch builds another way
        return None


def _operation(torch: Any, node: Any) -> LossFacts:
    if isinstance(node, torch.autograd.function.BackwardCFunction):  # a Function of the user's own
        return LossFacts(kind=type(node).__name__.removesuffix("Backward"))
    kind = _function(node)
    if kind == "nll_loss" and _below(node, 0, "log_softmax") is not None:
        kind = "cross_entropy"
    told, tensors = _saved(node)
    return LossFacts(kind=kind, settings=told, inputs=tuple(tensors))


def _smoothed(node: Any) -> LossFacts | None:
    """Cross entropy with label smoothing: nll * (1 - s) + smooth * (s / classes), with weights and reductions."""
    sharp, smooth = _below(node, 0, "mul"), _below(node, 1, "mul")
    if _function(node) != "add" or sharp is None or smooth is None:
        return None
    nll = _below(sharp, 0, "nll_loss")
    if nll is None or _below(nll, 0, "log_softmax") is None:
        return None
    told, tensors = _saved(nll)
    predicted = next((leaf.value for leaf in tensors if leaf.path == "self"), None)
    keep, share = sharp._saved_other, smooth._saved_other  # noqa: SLF001
    if predicted is None or not isinstance(keep, float) or not isinstance(share, float):
        return None
    smoothing = share * predicted.shape[1 if predicted.ndim > 1 else 0]
    if not math.isclose(keep, 1 - smoothing, abs_tol=1e-9):
        return None
    told["label_smoothing"] = round(smoothing, 12)
    return LossFacts(kind="cross_entropy", settings=told, inputs=tuple(tensors))


def _function(node: Any) -> str:
    """NllLoss2DBackward0 -> nll_loss."""
    name = re.sub(r"(2D|Nd)?(Backward\d*)?$", "", node.name().rpartition("::")[2])
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _below(node: Any, index: int, function: str) -> Any | None:
    following = node.next_functions
    below = following[index][0] if index < len(following) else None
    return below if below is not None and _function(below) == function else None


def _saved(node: Any) -> tuple[dict[str, Plain], list[Leaf]]:
    """Plain settings, and the tensors that can be had without running anything."""
    told: dict[str, Plain] = {}
    tensors: list[Leaf] = []
    for attribute in dir(node):
        name = attribute.removeprefix("_saved_")
        if name == attribute or "_sym_" in name or _RESULTS.fullmatch(name):
            continue
        if hasattr(type(node), f"_raw_saved_{name}"):
            tensor = _tensor(node, name)
            if tensor is not None:
                tensors.append(Leaf(name, tensor))
            continue
        with contextlib.suppress(NotPlain):
            value = plain(getattr(node, attribute))
            if isinstance(value, int) and value >= 1 << 63:
                value -= 1 << 64  # ignore_index is read without its sign
            told[name] = _REDUCTIONS.get(value, value) if name == "reduction" and isinstance(value, int) else value
    return told, tensors


def _tensor(node: Any, name: str) -> Any | None:
    """A saved tensor; None where it is freed or was overwritten, and where a hook would have to run to get it (a
    checkpoint would compute everything again). Only newer versions of torch can be asked for hooks."""
    try:
        raw = getattr(node, f"_raw_saved_{name}")
        return getattr(node, f"_saved_{name}") if raw.unpack_hook is None else None
    except Exception:
        return None
