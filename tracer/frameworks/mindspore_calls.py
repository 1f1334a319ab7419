"""Calls of cells beside the net: losses and optimizers. Needs no import of MindSpore: it is given.

MindSpore has no hooks for all cells, and a hook on an optimizer would be compiled with it (most are, by `jit`, in eager
mode too). So `Cell.__call__` is replaced while something is watched, and no cell is touched.

What was compiled must stay compiled: an Adam that runs eagerly for one step gives its running products new memory,
which the compiled one never sees. So optimizers run as the user has them, also where the net was taken out of jit.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

from tracer.frameworks.base import Leaf, leaves
from tracer.frameworks.mindspore_settings import settings
from tracer.frameworks.source import class_source
from tracer.frameworks.store import is_users
from tracer.frameworks.training import LossFacts, Updating

Around = Callable[[Any, tuple[Any, ...], dict[str, Any], Callable[[], Any]], Any]
"""Given a cell, the arguments of its call and the call itself; makes the call once and returns its output."""

_AROUND: list[Around] = []


@contextlib.contextmanager
def around_calls(cell_class: Any, around: Around) -> Iterator[None]:
    """While it is open, every call of a cell in this thread goes through `around`."""
    thread = threading.get_ident()

    def here(cell: Any, args: tuple[Any, ...], kwargs: dict[str, Any], call: Callable[[], Any]) -> Any:
        return around(cell, args, kwargs, call) if threading.get_ident() == thread else call()

    if not _AROUND:
        cell_class.__call__ = _through(cell_class.__call__)
    _AROUND.append(here)
    try:
        yield
    finally:
        _AROUND.remove(here)
        if not _AROUND:
            cell_class.__call__ = cell_class.__call__.__wrapped__


def _through(own: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(own)
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
        call = functools.partial(own, self, *args, **kwargs)
        for around in tuple(_AROUND):
            call = functools.partial(around, self, args, kwargs, call)
        return call()

    return __call__


class _Failures:
    """What a listener raised must not leave a call of a cell: MindSpore's later gradients would go wrong."""

    def __init__(self) -> None:
        self._found: list[Exception] = []

    def guarded(self, call: Callable[..., Any], *args: Any) -> None:
        try:
            call(*args)
        except Exception as error:
            self._found.append(error)

    def raise_first(self) -> None:
        if self._found:
            raise self._found[0]


# --------------------------------------------------------------------------------------------------------------------
# Optimizers
# --------------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def watch_updates(
    cell_class: Any,
    optimizer: Any,
    parameters: Sequence[Any],
    listener: Updating,
    wait: Callable[[], None],
    compiled: Callable[[], AbstractContextManager[None]],
) -> Iterator[None]:
    """Tell the listener of every call of the optimizer. `wait` waits for the device, `compiled` lets jit do what it
    does for the user."""
    failures = _Failures()
    running: list[bool] = []

    def around(cell: Any, args: tuple[Any, ...], kwargs: dict[str, Any], call: Callable[[], Any]) -> Any:
        if cell is not optimizer or running:
            return call()
        wait()
        failures.guarded(listener.about_to_update, _pairs(parameters, (*args, *kwargs.values())))
        running.append(True)
        try:
            with compiled():
                output = call()
            wait()
        finally:
            running.clear()
        failures.guarded(listener.updated)
        return output

    with around_calls(cell_class, around):
        yield
    failures.raise_first()


@contextlib.contextmanager
def optimizers_compiled(cell_class: Any, compiled: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    """Optimizers run as the user has them while it is open; `compiled` lets jit do what it does for the user."""
    kinds: dict[type, bool] = {}

    def around(cell: Any, _: tuple[Any, ...], __: dict[str, Any], call: Callable[[], Any]) -> Any:
        kind: Any = type(cell)
        if kind not in kinds:
            kinds[kind] = any(b.__name__ == "Optimizer" and b.__module__.startswith("mindspore.") for b in kind.__mro__)
        if not kinds[kind]:
            return call()
        with compiled():
            return call()

    with around_calls(cell_class, around):
        yield


def _pairs(parameters: Sequence[Any], given: tuple[Any, ...]) -> list[tuple[Any, Any | None]]:
    """Gradients come as one tuple, or one by one."""
    gradients = tuple(given[0]) if given and isinstance(given[0], tuple | list) else given
    missing = (None,) * (len(parameters) - len(gradients))
    return list(zip(parameters, (*gradients, *missing), strict=False))


# --------------------------------------------------------------------------------------------------------------------
# Losses
# --------------------------------------------------------------------------------------------------------------------

_NEVER_A_LOSS = (
    *("mindspore.nn.wrap", "mindspore.nn.optim", "mindspore.nn.learning_rate_schedule"),
    *("mindspore.experimental", "mindspore.mint.optim", "mindspore.amp", "mindspore.train", "mindspore.boost"),
    "mindspore.ops",
)
"""Modules whose cells belong to a training step and make no loss: schedules, loss scales, reducers, clipping."""

Role = Literal["net", "around", "outside", "passed over"]


@dataclass
class _Call:
    cell: Any
    role: Role


class _Losses:
    """The calls that are running, the outermost first."""

    def __init__(self, net: Any, seen: Callable[[Any, LossFacts], None], every_cell: frozenset[str]) -> None:
        self._net, self._seen, self._every_cell = net, seen, every_cell
        self._inside = {id(cell) for _, cell in net.cells_and_names()}
        self._known: dict[int, tuple[Any, Role]] = {}  # with the cell, so that no id comes again
        self._running: list[_Call] = []
        self.failures = _Failures()

    def around(self, cell: Any, args: tuple[Any, ...], kwargs: dict[str, Any], call: Callable[[], Any]) -> Any:
        if self._running and self._running[-1].role in {"net", "passed over"}:
            return call()  # nothing in there is told
        one = _Call(cell, self._role(cell))
        if cell is self._net:  # what runs the net is no loss, even where it does not hold it
            for above in self._running:
                above.role = "around"
        self._running.append(one)
        try:
            output = call()
        finally:
            self._running.pop()
        if one.role == "outside" and all(above.role == "around" for above in self._running):
            self.failures.guarded(self._tell, cell, args, kwargs, output)
        return output

    def _tell(self, cell: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        self._seen(output, _facts(cell, args, kwargs, self._every_cell))

    def _role(self, cell: Any) -> Role:
        if id(cell) in self._inside:
            return "net"
        if id(cell) not in self._known:
            self._known[id(cell)] = (cell, self._role_outside(cell))
        return self._known[id(cell)][1]

    def _role_outside(self, cell: Any) -> Role:
        if any(below is self._net for _, below in cell.cells_and_names()):
            return "around"
        kind: Any = type(cell)
        bases = {f"{base.__module__}." for base in kind.__mro__}
        if any(base.startswith(f"{module}.") for base in bases for module in _NEVER_A_LOSS):
            return "passed over"
        identity = kind.__name__ == "Identity" and kind.__module__.startswith("mindspore.")
        return "passed over" if identity else "outside"


@contextlib.contextmanager
def watch_losses(
    cell_class: Any,
    net: Any,
    seen: Callable[[Any, LossFacts], None],
    every_cell: frozenset[str],
    in_backward: Callable[[], bool],
) -> Iterator[None]:
    """Call `seen(output, facts)` after every call of a cell that is not in the net. Cells that hold or run the net
    (`WithLossCell`, `TrainOneStepCell`) are passed through: what they call beside the net is told, themselves not."""
    losses = _Losses(net, seen, every_cell)

    def around(cell: Any, args: tuple[Any, ...], kwargs: dict[str, Any], call: Callable[[], Any]) -> Any:
        return call() if in_backward() else losses.around(cell, args, kwargs, call)

    with around_calls(cell_class, around):
        yield
    losses.failures.raise_first()


def _facts(cell: Any, args: tuple[Any, ...], kwargs: dict[str, Any], every_cell: frozenset[str]) -> LossFacts:
    kind: Any = type(cell)
    names = [base.__name__ for base in kind.__mro__]
    bases = kind.__mro__[: names.index("Cell")] if "Cell" in names else (kind,)
    given = [*leaves(args), *(leaf for name, value in kwargs.items() for leaf in leaves(value, name))]
    given = [leaf for leaf in given if leaf.path]  # nothing was given
    taken = {leaf.path for leaf in given}
    given += [leaf for leaf in _held(cell) if leaf.path not in taken]
    return LossFacts(
        kind=kind.__name__,
        bases=tuple(f"{base.__module__}.{base.__qualname__}" for base in bases),
        settings=settings(cell, every_cell),
        inputs=tuple(given),
        source=class_source(kind) if is_users(kind) else None,
    )


def _held(loss: Any) -> Iterator[Leaf]:
    """Tensors of more than a number that a loss and the cells in it hold: class weights."""
    for path, cell in loss.cells_and_names():
        held: dict[str, Any] = {**vars(cell), **getattr(cell, "_buffers", {}), **cell._params}  # noqa: SLF001
        for name, value in held.items():
            if not name.startswith("_") and hasattr(value, "asnumpy") and len(value.shape):
                yield Leaf(f"{path}.{name}" if path else name, value)
