"""When a torch optimizer updates, and with which gradients. Needs no import of torch: it is given.

- A subclass that calls its base's `step` fires the hooks of both: the outer update counts.
- With a closure the gradients come to be inside `step`, so the listener is told behind the closure's first call.
- `GradScaler` hands fused optimizers the scale instead of unscaling, and calls them even where it found an overflow.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import types
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from tracer.frameworks.torch_optimizer import parameters
from tracer.frameworks.training import Updating


@contextlib.contextmanager
def watch_updates(torch: Any, optimizer: Any, listener: Updating) -> Iterator[None]:
    """Tell the listener of every update while it is open: by the optimizer's own hooks where it calls them, else by
    `step` of the instance."""
    watch = _Updates(torch, optimizer, listener)
    hooked = getattr(getattr(type(optimizer), "step", None), "hooked", False) and hasattr(
        optimizer, "_optimizer_step_pre_hooks"
    )
    with contextlib.ExitStack() as stack:
        stack.callback(watch.close)
        if hooked:
            stack.callback(optimizer.register_step_pre_hook(watch.before).remove)
            stack.callback(optimizer.register_step_post_hook(watch.after).remove)
        else:
            _wrap_step(optimizer, watch, stack)
        yield


class _Updates:
    """One optimizer, and the update that is running. Its frame tells inner updates from one after an update that
    raised, where no hook is called."""

    def __init__(self, torch: Any, optimizer: Any, listener: Updating) -> None:
        self._torch, self._optimizer, self._listener = torch, optimizer, listener
        self._open: FrameType | None = None
        self._told = False

    def before(self, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The hook; `args` begin with the optimizer. Gives arguments with another closure."""
        frame = sys._getframe(1)  # noqa: SLF001
        if self._open is not None and _is_under(self._open, frame):
            return None
        self._open, self._told = None, False
        if self._overflowed():
            return None
        self._open = frame
        if callable(kwargs.get("closure")):
            return args, {**kwargs, "closure": self._behind(kwargs["closure"])}
        if len(args) > 1 and callable(args[1]):
            return (args[0], self._behind(args[1]), *args[2:]), kwargs
        self._tell()
        return None

    def after(self, *_: Any) -> None:
        """The hook behind the update."""
        if self._open is not None and self._open is sys._getframe(1):  # noqa: SLF001
            self._tell()
            self._open = None
            self._listener.updated()

    def close(self) -> None:
        """Nothing is told any more; no frame is held."""
        self._open, self._told = None, True

    def _behind(self, closure: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(closure)
        def and_tell(*args: Any, **kwargs: Any) -> Any:
            result = closure(*args, **kwargs)
            self._tell()
            return result

        return and_tell

    def _tell(self) -> None:
        if self._told:
            return
        self._told = True
        scale = getattr(self._optimizer, "grad_scale", None)  # GradScaler's, as long as it steps
        gradients = [(p, p.grad) for p in parameters(self._optimizer)]
        if scale is not None:
            with self._torch.no_grad():
                gradients = [(p, None if g is None else g / scale) for p, g in gradients]
        self._listener.about_to_update(gradients)

    def _overflowed(self) -> bool:
        found = getattr(self._optimizer, "found_inf", None)
        return isinstance(found, self._torch.Tensor) and bool(found.item())


def _is_under(frame: FrameType, above: FrameType | None) -> bool:
    while above is not None:
        if above is frame:
            return True
        above = above.f_back
    return False


def _wrap_step(optimizer: Any, watch: _Updates, stack: contextlib.ExitStack) -> None:
    step = optimizer.step
    open_ = [True]

    @functools.wraps(step)
    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not open_:  # a copy that somebody took
            return step(*args, **kwargs)
        changed = watch.before(self, (self, *args), kwargs)
        if changed is not None:
            args, kwargs = changed[0][1:], changed[1]
        result = step(*args, **kwargs)
        watch.after()
        return result

    own = vars(optimizer).get("step")
    optimizer.step = method = types.MethodType(watched, optimizer)

    def put_back() -> None:
        open_.clear()
        if vars(optimizer).get("step") is not method:
            return  # a schedule made meanwhile holds it
        if own is None:
            del optimizer.step
        else:
            optimizer.step = own

    stack.callback(put_back)
