"""How long calls of MindSpore cells take, forward and backward. Needs no import of MindSpore: it is given.

MindSpore hands operations over and runs them later, on the CPU too, so whoever reads a clock waits first. Its gradient
graph cannot be hooked operation by operation. What is seen is when the gradient of a tensor is complete: that of a
call's output is there when its backward begins, that of its input when it has ended. Where an input takes no gradient,
or gets it from several layers, the end is where the backward of the call before begins; what lies between is the
call's too.

The hooks are on the tensors as they are. None is given a view of its own, which would tell each call's end: that
regroups sums of gradients, and bits of them may change.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracer.frameworks import mindspore_optimizer, mindspore_timing_costs
from tracer.frameworks.base import FLOATS, leaves, rebuild
from tracer.frameworks.timing import Call, Costs, Log, Memory, Phase, Rest, Step

Array = np.ndarray[Any, Any]

_WAITS = (
    "All operations are waited for before each reading of the clock, so watched steps hide nothing of what MindSpore "
    "runs while Python goes on: layers can explain more than a bare step takes"
)
_ENDS = (
    "MindSpore does not tell where each operation of a backward pass ends: where a call's input takes no gradient of "
    "its own, its backward lasts until the next one begins"
)


@dataclass(frozen=True)
class Hands:
    """What the timer needs of the watcher: `wait` waits for what was handed over, `takes_gradient` says whether an
    operation on this tensor is remembered for a backward pass, `hooks` puts a hook before and one behind a cell's
    calls and gives what takes them off, `tensor` makes a tensor of an array and a dtype's name, `inside` gives the
    cell of a net."""

    wait: Callable[[], None]
    in_backward: Callable[[], bool]
    after_error: Callable[[], None]
    takes_gradient: Callable[[Any], bool]
    hooks: Callable[[Any, Callable[..., None], Callable[..., None]], Callable[[], None]]
    tensor: Callable[[Array, str], Any]
    dtype_name: Callable[[Any], str]
    inside: Callable[[Any], Any]
    device: Callable[[], str]


class MindSporeTimer:
    """`tracer.frameworks.timing.Timer` for `mindspore.nn.Cell`."""

    exact_backward = False
    limits = (_WAITS, _ENDS)

    def __init__(self, mindspore: Any, hands: Hands) -> None:
        self._mindspore, self._hands = mindspore, hands

    # ------------------------------------------------------------------------------------------------- the device

    def rest(self, net: Any) -> Rest:  # noqa: ARG002
        """The eager executor's `sync`, which runs all that was handed over; on a device its `synchronize` too."""
        synchronize = getattr(getattr(self._mindspore, "runtime", None), "synchronize", None)
        if self._hands.device() == "CPU" or synchronize is None:  # on the CPU it does not always wait
            return Rest(self._hands.wait, "the eager executor's sync, which waits until all operations have run")

        def wait() -> None:
            self._hands.wait()
            synchronize()

        return Rest(wait, "the eager executor's sync and mindspore.runtime.synchronize")

    def memory(self, net: Any) -> Memory | None:  # noqa: ARG002
        """What `mindspore.runtime` tells of a device; of the CPU it tells nothing (it says 0)."""
        runtime = getattr(self._mindspore, "runtime", None)
        names = ("memory_allocated", "max_memory_allocated", "reset_max_memory_allocated")
        if self._hands.device() == "CPU" or not all(hasattr(runtime, name) for name in names):
            return None
        now, most, reset = (getattr(runtime, name) for name in names)
        return Memory(now, most, reset)

    # -------------------------------------------------------------------------------------------------- the steps

    def run(
        self,
        net: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        cotangent: Callable[[int, int], Array] | None,
    ) -> Step:
        """Forward, and backward over the trainable Parameters from the sum of all float outputs, each times a fixed
        tensor. That sum is counted in the backward pass."""
        cell = self._hands.inside(net)
        if cotangent is None:

            def forward_only(ended: Callable[[Phase], None]) -> None:
                cell(*args, **kwargs)
                ended("forward")

            return forward_only
        known: dict[int, Any] = {}
        told: list[Callable[[Phase], None]] = []

        def weighted(rank: int, tensor: Any) -> Any:
            wide = tensor.astype(self._mindspore.float32) if self._hands.dtype_name(tensor) == "bfloat16" else tensor
            if rank not in known:
                numbers = np.asarray(cotangent(rank, int(tensor.size)), np.float64).reshape(tensor.shape)
                known[rank] = self._hands.tensor(numbers, self._hands.dtype_name(wide))
            return (wide * known[rank]).sum().astype(self._mindspore.float32)

        def forward() -> Any:
            output = cell(*args, **kwargs)
            told[-1]("forward")
            first, *rest = [weighted(rank, tensor) for rank, tensor in self._floats(output)]
            return sum(rest, first)

        both = self._mindspore.value_and_grad(forward, None, cell.trainable_params())

        def step(ended: Callable[[Phase], None]) -> None:
            told.append(ended)
            try:
                both()
                ended("backward")
            except Exception:
                self._hands.after_error()
                raise
            finally:
                told.clear()

        return step

    def _floats(self, output: Any) -> list[tuple[int, Any]]:
        """The float leaves that hold numbers, by their rank among all float leaves."""
        tensors = [leaf.value for leaf in leaves(output) if isinstance(leaf.value, self._mindspore.Tensor)]
        floats = [tensor for tensor in tensors if self._hands.dtype_name(tensor) in FLOATS]
        return [(rank, tensor) for rank, tensor in enumerate(floats) if tensor.size]

    def train(
        self,
        net: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        loss: Callable[..., Any],
        targets: tuple[Any, ...],
        optimizer: Any | None,
    ) -> Step:
        """`value_and_grad` over the optimizer's parameters (else the net's trainable ones), `optimizer(gradients)`;
        targets are given as `MindSporeTrainer.train` gives them."""
        mindspore, cell = self._mindspore, self._hands.inside(net)
        weights = tuple(cell.trainable_params())
        if optimizer is not None:
            weights = mindspore_optimizer.parameters(mindspore, optimizer)
        told: list[Callable[[Phase], None]] = []
        wanted = rebuild(targets, self._narrow)

        def forward() -> Any:
            output = net(*args, **kwargs)
            told[-1]("forward")
            value = loss(output, *wanted)
            told[-1]("loss")
            return value

        both = mindspore.value_and_grad(forward, None, weights)

        def step(ended: Callable[[Phase], None]) -> None:
            told.append(ended)
            try:
                _, gradients = both()
                ended("backward")
                if optimizer is not None:
                    optimizer(gradients)
                    ended("update")
            except Exception:
                self._hands.after_error()
                raise
            finally:
                told.clear()

        return step

    def _narrow(self, value: Any) -> Any:
        mindspore = self._mindspore
        wide = isinstance(value, mindspore.Tensor) and value.dtype == mindspore.int64
        return value.astype(mindspore.int32) if wide else value

    # ----------------------------------------------------------------------------------------------- the watching

    @contextlib.contextmanager
    def watch(self, net: Any, paths: Mapping[str, Any], log: Log) -> Iterator[None]:  # noqa: ARG002
        """Two hooks on every cell, and one on each tensor that goes in or comes out and takes a gradient. What fails in
        a hook (an operation of the net, whose failure waiting finds) is raised here: it must not leave one."""
        ends = _Ends(self._mindspore.Tensor, self._hands, log)
        with contextlib.ExitStack() as stack:
            stack.callback(ends.close)
            for path, layer in paths.items():
                before, after = self._hooks(path, self._hands.inside(layer), log, ends)
                stack.callback(self._hands.hooks(self._hands.inside(layer), before, after))
            yield
        ends.raise_first()

    def _hooks(self, path: str, cell: Any, log: Log, ends: _Ends) -> tuple[Callable[..., None], Callable[..., None]]:
        in_backward = self._hands.in_backward

        def before(called: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if called is cell:  # no copy of it, made while it is watched
                ends.guarded(enter, args, kwargs)

        def after(called: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:  # noqa: ARG001
            if called is cell:
                ends.guarded(leave, output)

        def enter(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            again = in_backward()
            if not again:
                ends.comes_in(log.next_call(path), (args, kwargs), cell._params.values())  # noqa: SLF001
            log.enter(path, again=again)

        def leave(output: Any) -> None:
            again = in_backward()
            call = log.open_call(path)
            log.leave(path, again=again)
            if not again and call is not None:
                ends.goes_out(call, output)

        return before, after

    def sees(self, log: Log, outputs: Any) -> None:
        """Nothing is to be looked up: the hooks are on tensors."""

    def costs(self, net: Any) -> Costs:
        """On cells that do nothing."""
        return mindspore_timing_costs.costs(self._mindspore, self.watch, self.rest(net).wait)


class _Ends:
    """Hooks on tensors, one on each. `Tensor.register_hook` fires when the whole gradient of a tensor is there."""

    def __init__(self, tensor_class: Any, hands: Hands, log: Log) -> None:
        self._class, self._hands, self._log = tensor_class, hands, log
        self._handles: list[Any] = []
        self._known: dict[int, weakref.ref[Any]] = {}
        self._outside: list[Any] = []
        self._failures: list[Exception] = []

    def guarded(self, call: Callable[..., Any], *args: Any) -> None:
        """Nothing but an interrupt may leave a MindSpore hook."""
        try:
            call(*args)
        except Exception as error:
            self._failures.append(error)

    def raise_first(self) -> None:
        """What failed in a hook."""
        if self._failures:
            raise self._failures[0]

    def comes_in(self, call: Call, given: Any, own: Iterable[Any]) -> None:
        """The backward of the call has ended when the gradients of these are there. Tensors that the net itself is
        given take none, as a rule (nothing tells): a call that gets only those has not ended before the gradients of
        its own Parameters are there."""
        if not self._log.running:
            self._outside = [leaf.value for leaf in leaves(given)]
        outside = {id(value) for value in self._outside}
        if not self._hook(given, lambda _: self.guarded(self._log.end, call), outside):
            for parameter in own:
                if parameter.requires_grad:
                    self._put(parameter, lambda _: self.guarded(self._log.end, None))

    def goes_out(self, call: Call, output: Any) -> None:
        """The backward of the call begins when the gradients of these are there."""
        self._hook(output, lambda _: self.guarded(self._log.begin, call))

    def _hook(self, tree: Any, told: Callable[[Any], None], outside: Container[int] = ()) -> bool:
        """Hooks on all tensors that may take a gradient; are there any?"""
        found = [leaf.value for leaf in leaves(tree) if isinstance(leaf.value, self._class)]
        wanted = [t for t in found if id(t) not in outside and self._hands.takes_gradient(t)]
        return sum(self._put(tensor, told) for tensor in wanted) > 0

    def _put(self, tensor: Any, told: Callable[[Any], None]) -> bool:
        known = self._known.get(id(tensor))
        if known is not None and known() is tensor:
            return True  # an output that was handed on: the first hook says it
        try:
            self._handles.append(tensor.register_hook(told))
        except Exception:  # inside a region without gradients
            return False
        self._known[id(tensor)] = weakref.ref(tensor)
        return True

    def close(self) -> None:
        """Take all hooks away."""
        for handle in self._handles:
            with contextlib.suppress(Exception):
                handle.remove()
        self._handles.clear()
        self._known.clear()
        self._outside.clear()
