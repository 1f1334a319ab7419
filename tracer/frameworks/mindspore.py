"""How MindSpore nets are watched: cell hooks for calls, tensor hooks for gradients.

Runs on MindSpore 2.7 to 2.10, on CPU and Ascend. What shaped it, all measured:

- An exception that leaves a cell hook poisons later, unrelated gradients of the process, so hooks catch everything
  but KeyboardInterrupt and its kin; `after_error` clears what the net's own errors leave behind.
- `register_forward_hook` silently does nothing on a cell with its own `bprop`: there the hook is put in by hand.
- Cell backward hooks report wrong gradients for lists and dicts, and can change the net's own: only tensor hooks
  are used.
- In graph mode and under `jit` hooks are compiled away: `eager` takes the net out of both for the trace.
- A cell's call that raises is seen through its `_run_construct`, for 2.7 has no hook that is called then.
- Operations run late and fail later: each call is waited for, so that a failure is raised in the call it belongs to.
"""

from __future__ import annotations

import contextlib
import dis
import inspect
import itertools
import os
import platform
import sys
import types
from collections import ChainMap
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from tracer.errors import RecordingError
from tracer.frameworks import mindspore_random
from tracer.frameworks.base import (
    FLOATS,
    Gradients,
    LayerFacts,
    Listener,
    NamedTensor,
    TensorFacts,
    Unreadable,
    Watcher,
    leaves,
    rebuild,
)
from tracer.frameworks.making import Makers
from tracer.frameworks.mindspore_calls import optimizers_compiled
from tracer.frameworks.mindspore_settings import settings
from tracer.frameworks.mindspore_state import KeptNet
from tracer.frameworks.mindspore_timing import Hands as TimingHands
from tracer.frameworks.mindspore_timing import MindSporeTimer
from tracer.frameworks.mindspore_training import Hands as TrainingHands
from tracer.frameworks.mindspore_training import MindSporeTrainer
from tracer.frameworks.replaying import Done, Hands, Replays, standing_in
from tracer.frameworks.source import class_source
from tracer.frameworks.store import Contents
from tracer.frameworks.training import Trainer
from tracer.trace.schema import ROOT, Plain

RECOMPUTE = "_recompute_cell"
"""The attribute under which MindSpore hides the wrapper of a recomputed cell; it is no layer of the user's."""

Aliasing = Literal["everywhere", "where it regroups nothing"]

READS_ONCE = frozenset(
    {
        *("Dense", "Linear", "Conv1d", "Conv2d", "Conv3d", "Conv1dTranspose", "Conv2dTranspose", "Conv3dTranspose"),
        *("BatchNorm1d", "BatchNorm2d", "LayerNorm", "LayerNormExt", "GELU", "ReLU", "ReLU6", "LeakyReLU", "PReLU"),
        *("ELU", "SeLU", "CELU", "Mish", "HSwish", "HSigmoid", "Sigmoid", "Tanh", "SiLU", "Softmax", "LogSoftmax"),
        *("MaxPool1d", "MaxPool2d", "AvgPool1d", "AvgPool2d", "AdaptiveAvgPool2d", "Flatten"),
    }
)
"""Layers of MindSpore that hand their input to one operation only, and never out again."""

FLAGS = (
    "MS_JIT",
    "MS_DEV_JIT",
    "MS_ENABLE_GE",
    "MS_ENABLE_FLASH_ATTENTION",
    "MS_ENABLE_INTERNAL_KERNELS",
    "MS_INTERNAL_DISABLE_CUSTOM_KERNEL_LIST",
    "MS_ENABLE_LCCL",
    "MS_DISABLE_KERNEL_BACKOFF",
    "ASCEND_LAUNCH_BLOCKING",
    "HCCL_DETERMINISTIC",
    "LCCL_DETERMINISTIC",
    "ATB_LLM_LCOC_ENABLE",
    "CUBLAS_WORKSPACE_CONFIG",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
)
"""Environment variables that can move numbers."""


class MindSporeWatcher:
    """`tracer.frameworks.base.Watcher` for `mindspore.nn.Cell`. A net may also be the method that `ms.jit(net)`
    returns; then the cell behind it is meant."""

    name = "mindspore"

    def __init__(self) -> None:
        self._makers = Makers(_is_foreign)
        self._mode: str | None = None
        self._calls = 0
        self._watched = False
        self._open: list[tuple[str, Any]] = []
        self._aliasing: Aliasing = "everywhere"
        self._alters_tensors = False
        self._failures: list[Exception] = []
        self._late: Exception | None = None
        self._jit_off: contextlib.ExitStack | None = None

    # ---------------------------------------------------------------------------------------------- what there is

    def version(self) -> str:
        """The version of the installed MindSpore."""
        import mindspore

        return str(mindspore.__version__)

    def environment(self, net: Any) -> dict[str, Plain]:
        """Versions, device, flags that can move numbers and the execution mode, both as the user has set them; of the
        net its mixed precision."""
        import mindspore

        cell = _cell(net)
        found: dict[str, Plain] = {
            "mindspore": str(mindspore.__version__),
            "numpy": np.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "mode": self._mode or _mode(),
        }
        for flag in ("device_target", "deterministic", "jit_level", "precision_mode", "pynative_synchronize"):
            with contextlib.suppress(Exception):
                value = mindspore.context.get_context(flag)
                if isinstance(value, bool | int | float | str) and value != "":
                    found[flag] = value
        found |= {flag: os.environ[flag] for flag in FLAGS if flag in os.environ}
        if self._mode is not None:  # `eager` set it
            found.pop("MS_JIT", None)
        precision = getattr(cell, "mixed_precision_type", None)
        if precision is not None:
            found["mixed_precision"] = str(precision)
        if getattr(cell, "_amp_level", ""):
            found["amp_level"] = str(cell._amp_level)  # noqa: SLF001
        cast_to = [kind for kind in ("fp16", "fp32", "bf16") if getattr(cell, kind, False)]
        if cast_to:
            found["to_float"] = cast_to[0]
        return found

    def layers(self, net: Any) -> list[tuple[str, Any, tuple[str, ...]]]:
        """(path, cell, other paths of the same cell), the net first, in the order of `cells_and_names`."""
        found: dict[int, tuple[str, Any, list[str]]] = {}
        self._makers = makers = Makers(_is_foreign)

        def walk(path: str, cell: Any, above: frozenset[int]) -> None:
            if id(cell) in found:
                found[id(cell)][2].append(path or ROOT)
                return
            found[id(cell)] = (path or ROOT, cell, [])
            for name, child in _children(cell):
                if id(child) not in above:
                    makers.holds(cell, name, child)
                    walk(f"{path}.{name}" if path else name, child, above | {id(child)})

        root = _cell(net)
        walk("", root, frozenset({id(root)}))
        return [(path, cell, tuple(others)) for path, cell, others in found.values()]

    def describe(self, layer: Any, parent: Any | None, name: str) -> LayerFacts:  # noqa: ARG002
        """Class, settings (see `mindspore_settings`), mode and source lines of one cell. The line that made it is known
        after `layers`."""
        from mindspore import nn

        cell = _cell(layer)
        kind: Any = type(cell)
        bases = kind.__mro__[: kind.__mro__.index(nn.Cell)] if nn.Cell in kind.__mro__ else (kind,)
        return LayerFacts(
            kind=kind.__name__,
            bases=tuple(f"{base.__module__}.{base.__qualname__}" for base in bases),
            settings=settings(cell, _attributes_of_every_cell()),
            training=bool(getattr(cell, "training", False)),
            source=class_source(kind),
            made_at=self._makers.line(cell),
        )

    def parameters(self, layer: Any) -> list[NamedTensor]:
        """The cell's own Parameters (moving statistics included: Parameters that take no gradient), then its buffers.
        `alias` is `Parameter.name` where it says something else than the attribute."""
        cell = _cell(layer)
        found = []
        for name, tensor in cell._params.items():  # noqa: SLF001
            if tensor is not None:
                if getattr(tensor, "has_init", False):
                    tensor.init_data()
                alias = tensor.name if tensor.name != name else None
                found.append(NamedTensor(name, tensor, trainable=bool(tensor.requires_grad), buffer=False, alias=alias))
        for name, tensor in getattr(cell, "_buffers", {}).items():
            if tensor is not None:
                found.append(NamedTensor(name, tensor, trainable=False, buffer=True))
        return found

    # --------------------------------------------------------------------------------------------------- tensors

    def is_tensor(self, value: Any) -> bool:
        """Dense tensors, Parameters, and sparse ones (which are no subclass of Tensor)."""
        import mindspore

        return isinstance(value, mindspore.Tensor) or _is_sparse(value)

    def facts(self, tensor: Any) -> TensorFacts:
        """Shape, dtype and device without reading data."""
        return TensorFacts(
            shape=tuple(int(size) for size in tensor.shape),
            dtype=_dtype_name(tensor),
            device=str(getattr(tensor, "device", None) or _device_target()),
            requires_grad=_wants_gradient(tensor),
        )

    def array(self, tensor: Any) -> np.ndarray[Any, Any] | Unreadable:
        """The data; waits for the device. Shares memory with the tensor on CPU, so copy before the net goes on.
        Sparse tensors come back dense. Never raises: what the framework says is the reason."""
        try:
            if _is_sparse(tensor):
                return np.asarray(tensor.to_dense().asnumpy(), order="C")
            if _dtype_name(tensor) == "bfloat16":
                return _bfloat16(tensor)
            return np.asarray(tensor.asnumpy(), order="C")
        except Exception as error:
            return Unreadable(_first_line(error))

    def version_of(self, tensor: Any) -> int | None:  # noqa: ARG002
        """Always None: MindSpore 2.10 has a `_version`, but assigning to an element does not move it."""
        return None

    def alias(self, tensor: Any) -> Any | None:
        """A view with its own place in the gradient graph, or None.

        A view regroups the sum of the gradients that meet in a tensor: bits of the net's gradients may change, in the
        last place. `run` throws those gradients away, so there every input gets one. Where the user runs the net only
        inputs of `READS_ONCE` layers do, which regroups nothing.

        None also for Parameters, for what takes no gradient, and in nets that assign to elements of tensors:
        MindSpore gives the altered tensor new memory then, so a view of it would keep the old values, and the net
        would compute something else.
        """
        import mindspore

        if not _is_dense(tensor) or isinstance(tensor, mindspore.Parameter) or not _is_float(tensor):
            return None
        if self._alters_tensors or not _executor().requires_grad():
            return None
        if self._aliasing == "where it regroups nothing" and not (self._open and _reads_once(self._open[-1][1])):
            return None
        try:
            return tensor.view(tensor.shape)
        except Exception:
            return None

    def on_gradient(self, tensor: Any, then: Callable[[Any], None]) -> Callable[[], None] | None:
        """Calls `then` with the tensor's whole gradient (of a Parameter: accumulated over all its uses)."""
        import mindspore

        is_parameter = isinstance(tensor, mindspore.Parameter)
        if not _is_dense(tensor) or not _is_float(tensor):
            return None
        if not (tensor.requires_grad if is_parameter else _executor().requires_grad()):
            return None

        def hook(gradient: Any) -> None:
            _wait()  # an operation of the backward pass that failed raises here; of tensor hooks errors may leave
            self._guarded(then, gradient)

        try:
            handle = tensor.register_hook(hook)
        except Exception:  # inside a region without gradients
            return None
        return lambda: _remove(handle)

    def in_place(self, layer: Any) -> bool:
        """Layers of `mint.nn` can be told to overwrite their input."""
        try:
            return getattr(layer, "inplace", False) is True
        except Exception:  # a property of the user's
            return False

    def in_backward(self) -> bool:
        """Is a backward pass running?"""
        engine = getattr(_executor(), "get_current_autodiff_engine_id", None)
        if engine is not None:
            with contextlib.suppress(Exception):  # with another signature, look at the stack instead
                return int(engine()) != -1
        return _below_bprop()

    def autocast(self) -> str | None:
        """The dtype of a surrounding automatic mixed precision; None outside of one."""
        try:
            from mindspore._c_expression.amp import get_curr_amp_strategy

            strategy = get_curr_amp_strategy()
            return None if strategy is None else str(strategy.get_amp_dtype()).lower()
        except Exception:
            return None

    def sums(self, tensor: Any) -> None:
        """Operations of MindSpore cost more than numpy's."""

    def memory_of(self, tensor: Any) -> Hashable | None:  # noqa: ARG002
        """Always None, as nothing counts how often a tensor is altered."""
        return None

    def before_in_place(self, tensor: Any) -> Any | None:  # noqa: ARG002
        """Always None: gradients of overwritten inputs are not had."""
        return None

    def on_part(self, before: Any, output: Any, then: Callable[[Any], None]) -> Callable[[], None] | None:  # noqa: ARG002
        """Always None, see `before_in_place`."""
        return None

    # -------------------------------------------------------------------------------------------------- watching

    @contextlib.contextmanager
    def watch(self, net: Any, listener: Listener, paths: Mapping[str, Any]) -> Iterator[None]:
        """Hooks on every cell in `paths`. After it every hook is gone; a failure inside a hook (a fault of ours, the
        net went on) is raised here."""
        self._calls, self._failures, self._open, self._late = 0, [], [], None
        self._watched = bool(paths)
        self._aliasing = "where it regroups nothing"
        kinds: set[Any] = {type(cell) for _, cell, _ in self.layers(net)}
        self._alters_tensors = any(_assigns_to_elements(kind) for kind in kinds)
        with contextlib.ExitStack() as stack:
            for path, cell in paths.items():
                stack.callback(self._hook(path, _cell(cell), listener))
            try:
                yield
            except BaseException as error:
                self._close(0, listener, error)
                raise
        if self._failures:
            raise self._failures[0]

    def _hook(self, path: str, cell: Any, listener: Listener) -> Callable[[], None]:
        """Put the hooks on one cell; returns how to take them off."""

        def before(called: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if called is not cell:  # a copy of it, made while it is watched
                return None
            self._calls += 1
            self._open.append((path, cell))
            return self._guarded(listener.enter, path, args, kwargs)

        def after(called: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            if called is not cell:
                return
            try:
                _wait()
            except Exception as error:
                self._late = error  # an operation of this call failed: `run` raises it
                return
            if self._open:
                self._open.pop()
            self._guarded(listener.leave, path, args, kwargs, output)

        construct = cell._run_construct if hasattr(cell, "_run_construct") else None  # noqa: SLF001

        def run(*args: Any, **kwargs: Any) -> Any:
            _wait()  # what failed between layers is not this call's
            depth = len(self._open)
            try:
                output = construct(*args, **kwargs)  # type: ignore[misc]
                self._raise_late()
            except BaseException as error:
                self._close(depth, listener, error)
                raise
            return output

        remove = _hooks(cell, before, after)
        owns = construct is not None and "_run_construct" not in vars(cell)
        if owns:
            object.__setattr__(cell, "_run_construct", _Construct(run, cell))

        def unhook() -> None:
            if owns:
                object.__delattr__(cell, "_run_construct")
            remove()

        return unhook

    def _raise_late(self) -> None:
        late, self._late = self._late, None
        if late is not None:
            raise late

    def _close(self, depth: int, listener: Listener, error: BaseException) -> None:
        """Calls that began later than the first `depth` open ones have raised, the innermost first."""
        while len(self._open) > depth:
            self._guarded(listener.raised, self._open.pop()[0], error)

    def _guarded(self, call: Callable[..., Any], *args: Any) -> Any:
        """Nothing but an interrupt may leave a MindSpore hook: kept, and raised when the watching ends."""
        try:
            return call(*args)
        except Exception as error:
            self._failures.append(error)
            return None

    @contextlib.contextmanager
    def eager(self, net: Any) -> Iterator[tuple[str, ...]]:
        """Out of graph mode and `jit` for the trace; gives what was done, in words, and puts everything back.

        Raises:
            RecordingError: the net is a compiled graph that was loaded from a file; or, after a run in which no hook
                fired although the net had to be taken out of graph mode or jit, it was run by something compiled
                before.
        """
        import mindspore

        cell = _cell(net)
        if _is_graph(cell):
            raise RecordingError(
                "A net that was loaded as a compiled graph has no layers to watch",
                where=type(cell).__name__,
                then="record the net that the graph was exported from",
            )
        done: list[str] = []
        with contextlib.ExitStack() as stack:
            self._mode = _mode()
            stack.callback(setattr, self, "_mode", None)
            if self._mode == "graph":
                mindspore.set_context(mode=mindspore.PYNATIVE_MODE)
                stack.callback(mindspore.set_context, mode=mindspore.GRAPH_MODE)
                done.append("graph mode was left: the net ran eagerly for the trace")
            self._jit_off = stack.enter_context(contextlib.ExitStack())
            stack.callback(setattr, self, "_jit_off", None)
            _switch_off_jit(self._jit_off)
            stack.enter_context(optimizers_compiled(mindspore.nn.Cell, self._compiled))
            if net is not cell:
                done.append("the net was compiled by jit: the cell behind it ran eagerly for the trace")
            for path, layer, _ in self.layers(net):
                names = _compiled_parts(layer)
                if names:
                    done.append(f"{path}: jit was switched off for {', '.join(names)}")
            if done:
                done.append("gradients of compiled code may differ in their last digits from those of this eager run")
            if done and _device_target() != "CPU":
                done.append("fused kernels of a compiled run may round otherwise than this eager run")
            self._calls, self._watched = 0, False
            yield tuple(done)
            if done and self._watched and self._calls == 0:
                raise RecordingError(
                    "No layer of the net was seen running, so there is nothing to record",
                    where=type(cell).__name__,
                    then="run the net while it is recorded; build the gradient function or the jit function inside "
                    "the recording, or use tracer.record: what was compiled in graph mode before stays compiled",
                )

    @contextlib.contextmanager
    def _compiled(self) -> Iterator[None]:
        """Inside `eager`: jit does what it does for the user, for what is not watched."""
        off = self._jit_off
        if off is None:
            yield
            return
        off.close()
        try:
            yield
        finally:
            _switch_off_jit(off)

    def replacing(self, net: Any, replays: Replays) -> contextlib.AbstractContextManager[Done]:
        """The cells' `construct` is replaced on the instance. Cells with a `bprop` of their own, or recomputed by
        themselves, run as ever: MindSpore holds their construct elsewhere."""
        elsewhere = ("has_bprop", RECOMPUTE)
        cells = {p: c for p, c, _ in self.layers(net) if not any(getattr(c, name, None) for name in elsewhere)}

        def read(tensor: Any) -> np.ndarray[Any, Any] | None:
            array = self.array(tensor)
            return None if isinstance(array, Unreadable) else array

        def multiply(_: Any, tensor: Any, factor: np.ndarray[Any, Any], shift: np.ndarray[Any, Any] | None) -> Any:
            dtype = _dtype_name(tensor)
            result = tensor * _tensor(factor, dtype)
            return result if shift is None else result + _tensor(shift, dtype)

        return standing_in(cells, replays, Hands("construct", self.is_tensor, read, self.in_backward, multiply))

    # ------------------------------------------------------------------------------------ before and after the run

    def preserve(self, net: Any) -> Callable[[], tuple[str, ...]]:
        """Remembers what a run may change: attributes, Parameters, buffers, modes and random state (`KeptNet`)."""
        import mindspore

        cells = [(path, cell) for path, cell, _ in self.layers(net)]
        return KeptNet(mindspore, cells, self.array, _write, _bookkeeping()).restore

    def modes(self, net: Any) -> dict[str, bool]:
        """`training` of every cell."""
        return {path: bool(getattr(cell, "training", False)) for path, cell, _ in self.layers(net)}

    def set_modes(self, net: Any, modes: Mapping[str, bool]) -> None:
        """As `set_train` does it, cell by cell; a cell that has no table of flags yet, gets none."""
        for path, cell, _ in self.layers(net):
            if path in modes and bool(getattr(cell, "training", False)) != modes[path]:
                if path == ROOT:
                    cell._phase = "train" if modes[path] else "predict"  # noqa: SLF001
                if "_func_graph_flags" in vars(cell):
                    cell.add_flags(training=modes[path])
                else:
                    cell.training = modes[path]

    def assign(self, tensor: Any, array: np.ndarray[Any, Any]) -> None:
        """Into the tensor's own memory where the device can, else new memory."""
        _write(tensor, array)
        _wait()

    def convert(self, net: Any, tree: Any) -> tuple[Any, tuple[str, ...]]:
        """Numpy arrays and tensors of other frameworks become MindSpore tensors of the same dtype, float64 arrays of
        the net's own float type; everything else stays. Arrays are copied."""
        import mindspore

        own = _float_type(_cell(net))
        done: dict[str, None] = {}

        def one(value: Any) -> Any:
            if isinstance(value, mindspore.Tensor):
                return value
            if isinstance(value, np.ndarray | np.generic):
                value = np.asarray(value)
                if value.dtype.kind in "OUSMm":
                    return value
                if value.dtype == np.float64 and own != "float64":
                    done[f"float64 arrays were given to the net as {own}"] = None
                    return _tensor(value, own)
                return _tensor(value, value.dtype.name)
            if hasattr(value, "detach") and hasattr(value, "cpu"):
                done["tensors of another framework were converted"] = None
                return _from_torch(value)
            return value

        return rebuild(tree, one), tuple(done)

    def tensor(self, array: np.ndarray[Any, Any]) -> Any:
        """A tensor of the same numbers, dtype and shape, of its own memory."""
        return _tensor(array, array.dtype.name)

    def run(
        self,
        net: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        cotangent: Callable[[int, int], np.ndarray[Any, Any]] | None,
    ) -> tuple[Any, Gradients]:
        """One forward pass, and one backward pass over the trainable Parameters, in which the net runs once.

        The gradient that reaches float leaf number n of the output (bfloat16 and float16 too) is
        `cotangent(n, elements)` in the leaf's dtype and shape.
        """
        import mindspore

        cell = _cell(net)
        trainable = cell.trainable_params()
        skipped = None
        if cotangent is None:
            skipped = "only the forward pass was asked for"
        elif not _executor().enable_grad():
            skipped = "the net ran where gradients are switched off"
        elif not trainable:
            skipped = "the net has no trainable parameter"
        if skipped or cotangent is None:
            return self._forward(cell, args, kwargs), Gradients(skipped=skipped)

        outputs: list[Any] = []
        entered: list[bool] = []
        self._aliasing = "everywhere"

        def forward() -> Any:
            entered.append(True)
            outputs.append(self._forward(cell, args, kwargs))
            return _weighted_sum(outputs[0], cotangent)

        try:
            _, gradients = mindspore.value_and_grad(forward, None, trainable)()
            _wait()
        except Exception as error:
            if not outputs and entered:
                raise
            self.after_error()
            if not entered:
                return self._forward(cell, args, kwargs), Gradients(error=error)
            if isinstance(error, _NoFloatOutput):
                return outputs[0], Gradients(skipped="no output of the net is a float tensor")
            return outputs[0], Gradients(error=error)
        return outputs[0], Gradients(parameters={id(p): g for p, g in zip(trainable, gradients, strict=True)})

    def _forward(self, cell: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        output = cell(*args, **kwargs)
        _wait()
        return output

    def trainer(self) -> Trainer:
        """For the optimizers of `nn`, `experimental.optim` and `mint.optim`."""
        import mindspore

        hands = TrainingHands(
            read=self.array,
            write=_write,
            wait=_wait,
            compiled=self._compiled,
            in_backward=self.in_backward,
            after_error=self.after_error,
            inside=_cell,
            every_cell=_attributes_of_every_cell(),
            bookkeeping=_bookkeeping(),
        )
        return MindSporeTrainer(mindspore, hands)

    def timer(self) -> MindSporeTimer:
        """The MindSpore side of timing calls."""
        import mindspore

        hands = TimingHands(
            wait=_wait,
            in_backward=self.in_backward,
            after_error=self.after_error,
            takes_gradient=_may_take_gradient,
            hooks=_hooks,
            tensor=_tensor,
            dtype_name=_dtype_name,
            inside=_cell,
            device=_device_target,
        )
        return MindSporeTimer(mindspore, hands)

    def uncaptured(self, net: Any, silent: Sequence[str]) -> dict[str, str]:
        """Why cells of the net never fired, where that can be told from its structure and code."""
        cells = {path: cell for path, cell, _ in self.layers(net)}
        quiet = set(silent)
        return {path: _why_silent(path, cells, quiet) for path in silent if path in cells}

    def after_error(self) -> None:
        """Clear the gradient state that an error inside a net leaves behind; later gradients would go wrong."""
        for clear in ("sync", "clear_res"):
            with contextlib.suppress(Exception):
                getattr(_executor(), clear)()


# --------------------------------------------------------------------------------------------------------------------
# The framework's inside
# --------------------------------------------------------------------------------------------------------------------


def _executor() -> Any:
    """The eager executor; private, and moved between versions."""
    try:
        from mindspore.graph.api import _pynative_executor
    except ImportError:
        from mindspore.common.api import _pynative_executor
    return _pynative_executor


def _wait() -> None:
    """Wait for the operations begun so far. MindSpore runs them late: one that failed raises here, not where the net
    called it, and would otherwise be taken for a failure of whoever looks at a tensor next."""
    _executor().sync()


def _mode() -> str:
    import mindspore

    return "graph" if mindspore.context.get_context("mode") == mindspore.GRAPH_MODE else "pynative"


def _device_target() -> str:
    import mindspore

    return str(mindspore.context.get_context("device_target"))


def _cell(net: Any) -> Any:
    """The cell itself; `ms.jit(net)` gives a bound method of it."""
    return net.__self__ if isinstance(net, types.MethodType) else net


def _children(cell: Any) -> list[tuple[str, Any]]:
    return [(name, child) for name, child in cell._cells.items() if child is not None and name != RECOMPUTE]  # noqa: SLF001


def _reads_once(cell: Any) -> bool:
    """Is it one of MindSpore's own `READS_ONCE` layers? A class of the user's may do anything, but for one with a
    `bprop` of its own, which is one operation to whoever goes backward."""
    kind = type(cell)
    if getattr(cell, "has_bprop", False):
        return True
    return kind.__name__ in READS_ONCE and kind.__module__.startswith("mindspore.")


@lru_cache(maxsize=1)
def _attributes_of_every_cell() -> frozenset[str]:
    from mindspore import nn

    return frozenset(vars(nn.Cell()))


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


class _Construct:
    """Runs a cell's construct while it is watched. A copy of the cell, made meanwhile, gets its own construct."""

    def __init__(self, run: Callable[..., Any], cell: Any) -> None:
        self._run, self._cell = run, cell

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(*args, **kwargs)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return types.MethodType(type(self._cell)._run_construct, memo[id(self._cell)])  # noqa: SLF001


def _remove(handle: Any) -> None:
    with contextlib.suppress(Exception):
        handle.remove()


def _add_forward_hook(cell: Any, hook: Callable[..., Any]) -> Any:
    """`register_forward_hook`, also where it answers with an empty handle: a cell with its own `bprop`."""
    handle = cell.register_forward_hook(hook, with_kwargs=True)
    if hasattr(handle, "handle_id"):
        return handle
    from mindspore.common.hook_handle import HookHandle

    handle = HookHandle(cell._forward_hook)  # noqa: SLF001
    cell._forward_hook[handle.handle_id] = hook  # noqa: SLF001
    cell._forward_hook_with_kwargs[handle.handle_id] = True  # noqa: SLF001
    return _Handle(cell, handle)


@dataclass(frozen=True)
class _Handle:
    """A hook put in by hand, and where its two entries are."""

    cell: Any
    handle: Any

    def remove(self) -> None:
        self.cell._forward_hook.pop(self.handle.handle_id, None)  # noqa: SLF001
        self.cell._forward_hook_with_kwargs.pop(self.handle.handle_id, None)  # noqa: SLF001


def _hooks(cell: Any, before: Callable[..., Any], after: Callable[..., Any]) -> Callable[[], None]:
    """A hook before and one behind the calls of a cell; returns how to take them off."""
    handles = [cell.register_forward_pre_hook(before, with_kwargs=True), _add_forward_hook(cell, after)]

    def unhook() -> None:
        for handle in handles:
            _remove(handle)

    return unhook


def _below_bprop() -> bool:
    """Is a cell's `bprop` or a recomputation among the callers? (Versions without a count of backward passes.)"""
    frame = sys._getframe(1)  # noqa: SLF001
    while frame is not None:
        code = frame.f_code
        if code.co_name == "bprop" or (code.co_name == "recompute" and code.co_filename.endswith("recompute.py")):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


# --------------------------------------------------------------------------------------------------------------------
# Tensors and arrays
# --------------------------------------------------------------------------------------------------------------------


def _is_sparse(value: Any) -> bool:
    return type(value).__name__ in {"COOTensor", "CSRTensor", "RowTensor"} and hasattr(value, "dtype")


def _is_dense(value: Any) -> bool:
    import mindspore

    return isinstance(value, mindspore.Tensor)


def _dtype_name(tensor: Any) -> str:
    """`mindspore.float32` says "Float32" of itself; numpy and ml_dtypes say "float32"."""
    return str(tensor.dtype).lower()


def _is_float(tensor: Any) -> bool:
    name = _dtype_name(tensor)
    return name in FLOATS or name.startswith("complex")


def _wants_gradient(tensor: Any) -> bool:
    import mindspore

    if isinstance(tensor, mindspore.Parameter):
        return bool(tensor.requires_grad)
    return bool(getattr(tensor, "_requires_grad", False))


def _may_take_gradient(tensor: Any) -> bool:
    """Is it a float tensor of a run that is remembered for a backward pass, and no Parameter?"""
    import mindspore

    dense = _is_dense(tensor) and not isinstance(tensor, mindspore.Parameter)
    return dense and _is_float(tensor) and bool(_executor().requires_grad())


def _bfloat16(tensor: Any) -> np.ndarray[Any, Any]:
    import mindspore
    import ml_dtypes

    if int(np.__version__.split(".")[0]) < 2:  # numpy 2 cannot take MindSpore's own two-byte dtype
        return np.asarray(tensor.asnumpy(), order="C").view(np.uint16).view(ml_dtypes.bfloat16)
    with _without_gradient():
        wide = tensor.astype(mindspore.float32).asnumpy()
    return np.asarray(wide, order="C").astype(ml_dtypes.bfloat16)


@contextlib.contextmanager
def _without_gradient() -> Iterator[None]:
    executor = _executor()
    before = executor.enable_grad()
    executor.set_enable_grad(False)
    try:
        yield
    finally:
        executor.set_enable_grad(before)


def _tensor(array: np.ndarray[Any, Any], dtype: str) -> Any:
    """A tensor of its own memory."""
    import mindspore

    if dtype == "bfloat16":
        return mindspore.Tensor(array.astype(np.float32)).astype(mindspore.bfloat16)
    return mindspore.Tensor(np.array(array, dtype=np.dtype(dtype).newbyteorder("="), order="C"))


def _view(array: np.ndarray[Any, Any], dtype: str) -> Any:
    """A tensor that shares the array's memory where it can; to be read only, as long as the array lives."""
    import mindspore

    fits = array.dtype.name == dtype and array.dtype.isnative and array.flags.c_contiguous and array.flags.writeable
    return mindspore.Tensor.from_numpy(array) if fits and array.ndim and array.size else _tensor(array, dtype)


def _from_torch(tensor: Any) -> Any:
    """Of a torch tensor, known by what it can do; torch is not imported."""
    tensor = tensor.detach().cpu()
    if str(tensor.dtype).endswith("bfloat16"):
        return _tensor(tensor.float().numpy(), "bfloat16")
    for step in ("resolve_conj", "resolve_neg"):
        if hasattr(tensor, step):
            tensor = getattr(tensor, step)()
    array = tensor.numpy()
    return _tensor(array, array.dtype.name)


def _float_type(cell: Any) -> str:
    """The dtype of the net's first float Parameter, float32 where it has none."""
    names = (_dtype_name(parameter) for parameter in cell.get_parameters())
    return next((name for name in names if name in FLOATS), "float32")


class _NoFloatOutput(Exception):  # noqa: N818  (a signal between two functions of this file)
    """There is nothing to go backward from."""


def _weighted_sum(output: Any, cotangent: Callable[[int, int], np.ndarray[Any, Any]]) -> Any:
    """The sum of every float leaf times its cotangent, as a float32 scalar. Its gradient with respect to a leaf is
    the cotangent, exactly. Narrow floats are widened first: some devices cannot multiply them."""
    import mindspore

    floats = [leaf.value for leaf in leaves(output) if _is_dense(leaf.value) and _dtype_name(leaf.value) in FLOATS]
    terms = []
    for rank, tensor in enumerate(floats):
        if not tensor.size:
            continue
        weights = np.asarray(cotangent(rank, int(tensor.size)), np.float64).reshape(tensor.shape)
        wide = tensor.astype(mindspore.float32) if _dtype_name(tensor) == "bfloat16" else tensor
        weighted = wide * _tensor(weights, _dtype_name(wide))
        terms.append(weighted.sum().astype(mindspore.float32))
    if not terms:
        raise _NoFloatOutput
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _write(tensor: Any, array: np.ndarray[Any, Any]) -> None:
    """Write data of the tensor's shape and dtype where the tensor has its own, so that arrays that share its memory see
    it too; where the device cannot, give it new memory."""
    import mindspore

    if not isinstance(tensor, mindspore.Parameter):
        tensor.assign_value(_tensor(array, _dtype_name(tensor)))
        return
    with contextlib.suppress(Exception), _without_gradient():
        mindspore.ops.assign(tensor, _view(array, _dtype_name(tensor)))  # it copies, so that the array may be shared
        _wait()
        return
    tensor.set_data(_tensor(array, _dtype_name(tensor)))


@lru_cache(maxsize=1)
def _bookkeeping() -> frozenset[str]:
    """Attributes that MindSpore keeps for itself: those that every cell has, and those that `Cell`'s code sets."""
    from mindspore import nn

    found = [part for value in vars(nn.Cell).values() for part in (value, getattr(value, "fset", None))]
    codes = [code for f in found if isinstance(f, types.FunctionType) for code in _with_inner(f.__code__)]
    steps = [pair for code in codes for pair in itertools.pairwise(dis.get_instructions(code))]
    later = {store.argval for load, store in steps if store.opname == "STORE_ATTR" and load.argval == "self"}
    return _attributes_of_every_cell() | later


# --------------------------------------------------------------------------------------------------------------------
# Graph mode and jit
# --------------------------------------------------------------------------------------------------------------------


def _set_environment(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _switch_off_jit(stack: contextlib.ExitStack) -> None:
    """Until the stack is closed compiled functions run as they are written, wherever they are: jit reads a variable
    when it compiles from source, asks for a context when it compiles a trace, and enters one for bytecode."""
    stack.callback(_set_environment, "MS_JIT", os.environ.get("MS_JIT"))
    os.environ["MS_JIT"] = "0"
    for name, module in list(sys.modules.items()):
        if not name.startswith("mindspore."):
            continue
        held = vars(module)
        if "_jit_trace_begin" in held and "jit_context" in held:
            _set(stack, module, "jit_context", lambda: True)
        bytecode = held.get("PIJitCaptureContext")
        if bytecode is not None and bytecode.__module__ == name:
            _set(stack, bytecode, "__enter__", lambda _: None)
            _set(stack, bytecode, "__exit__", lambda *_: None)


def _set(stack: contextlib.ExitStack, holder: Any, name: str, value: Any) -> None:
    stack.callback(setattr, holder, name, vars(holder)[name])
    setattr(holder, name, value)


def _is_graph(cell: Any) -> bool:
    """Was the cell loaded from a MindIR file?"""
    return any(kind.__name__ == "GraphCell" and _is_mindspore(kind) for kind in type(cell).__mro__)


def _compiled_parts(cell: Any) -> list[str]:
    """Names of what jit compiled: methods of the cell, what it holds (in containers too), functions that its code
    calls."""
    kind: Any = type(cell)
    held = [(name, value) for base in kind.__mro__ for name, value in vars(base).items()]
    for name, value in vars(cell).items():
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else (value,)
        held += [(name, item) for item in inside if callable(item)]
    if not _is_mindspore(kind):
        held += [(function.__name__, function) for function in _functions_reached(kind)]
    return sorted({name for name, value in held if _is_compiled(value)})


def _is_compiled(value: Any) -> bool:
    """Functions and methods only: other things answer what they like when they are asked for an attribute."""
    bound = isinstance(value, types.MethodType | staticmethod | classmethod)
    function = value.__func__ if bound else value
    return isinstance(function, types.FunctionType) and hasattr(function, "__wrapped_by_jit__")


# --------------------------------------------------------------------------------------------------------------------
# Reading the net's code
# --------------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _assigns_to_elements(kind: Any) -> bool:
    """Does `construct`, or what it calls of the user's code, write `x[...] = y` or call a method that alters its
    tensor (`copy_`)? Keys that are plain text are taken for those of a dict."""
    return any(_alters(code) for code in _codes_reached(kind))


def _alters(code: types.CodeType) -> bool:
    previous: dis.Instruction | None = None
    for instruction in dis.get_instructions(code):
        if instruction.opname in {"STORE_SUBSCR", "STORE_SLICE"}:
            by_name = previous is not None and previous.opname == "LOAD_CONST" and isinstance(previous.argval, str)
            if not by_name:
                return True
        previous = instruction
    return any(name.endswith("_") and not name.startswith("_") and len(name) > 2 for name in code.co_names)


def _codes_reached(kind: type) -> list[types.CodeType]:
    """Code of `construct` and of the user's functions it reaches, what is defined inside them too."""
    functions = (inspect.unwrap(function) for function in _functions_reached(kind))
    return [code for function in functions for code in _with_inner(function.__code__)]


@lru_cache(maxsize=4096)
def _functions_reached(kind: Any) -> tuple[types.FunctionType, ...]:
    """`construct` and the user's functions it names, and those that they name: own methods, functions of the user's
    modules, functions they close over."""
    waiting: list[Any] = [getattr(kind, "construct", None)]
    found: dict[types.CodeType, types.FunctionType] = {}
    while waiting:
        function = waiting.pop()
        inner = inspect.unwrap(function) if callable(function) else function
        if not isinstance(inner, types.FunctionType) or inner.__code__ in found or _is_mindspore(inner):
            continue
        found[inner.__code__] = function
        names = ChainMap(_closed_over(inner), inner.__globals__)
        for code in _with_inner(inner.__code__):
            waiting += _named(code, kind, names)
    return tuple(found.values())


def _closed_over(function: types.FunctionType) -> dict[str, Any]:
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        with contextlib.suppress(ValueError):  # not bound yet
            found[name] = cell.cell_contents
    return found


def _with_inner(code: types.CodeType) -> list[types.CodeType]:
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return [code, *(deeper for one in inner for deeper in _with_inner(one))]


def _named(code: types.CodeType, kind: type, names: Mapping[str, Any]) -> list[Any]:
    called = (*code.co_names, *code.co_freevars)
    modules = [names[n] for n in called if isinstance(names.get(n), types.ModuleType)]
    modules = [module for module in modules if not _is_foreign(module.__name__)]
    found = [getattr(kind, name, None) for name in code.co_names if not name.startswith("__")]
    found += [names.get(name) for name in called]
    found += [getattr(module, name, None) for module in modules for name in code.co_names]
    return [value for value in found if isinstance(value, types.FunctionType)]


def _is_mindspore(thing: type | types.FunctionType) -> bool:
    return _is_foreign(thing.__module__ or "")


def _is_foreign(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] in {"mindspore", "numpy", "math"}


# --------------------------------------------------------------------------------------------------------------------
# Why a cell was silent
# --------------------------------------------------------------------------------------------------------------------


def _why_silent(path: str, cells: Mapping[str, Any], silent: set[str]) -> str:
    if path == ROOT:
        return (
            "no call of the net was seen: it was not run, or by a function that jit compiles from bytecode or a trace"
        )
    cell = cells[path]
    if _is_graph(cell):
        return "a compiled graph that was loaded from a file"
    if type(cell).__name__ in {"CellList", "CellDict"}:
        return "a container, which is never called itself"
    above, _, name = path.rpartition(".")
    parent = cells.get(above or ROOT)
    if parent is None:
        return "it was not called in this run"
    if type(parent).__name__ == "MultiheadAttention":
        return "MultiheadAttention uses its parameters without calling it"
    if (above or ROOT) in silent and type(parent).__name__ not in {"CellList", "CellDict"}:
        return f"the layer that holds it, {above or ROOT}, was not called"
    chained = _attributes_of_attributes(type(parent))
    if (name, "construct") in chained:
        return "its construct was called directly, past every hook"
    if any((name, own) in chained for own in cell._params):  # noqa: SLF001
        return "the layer that holds it uses its parameters without calling it"
    return "it was not called in this run"


def _attributes_of_attributes(kind: type) -> set[tuple[str, str]]:
    """(name, inner name) wherever the cell's code reads `self.name.inner`."""
    found = set()
    for code in _codes_reached(kind):
        loads = [i.argval if i.opname in {"LOAD_ATTR", "LOAD_METHOD"} else None for i in dis.get_instructions(code)]
        found |= {(a, b) for a, b in itertools.pairwise(loads) if a and b}
    return found


# --------------------------------------------------------------------------------------------------------------------
# Randomness: optional functions of a framework file, beside its watcher
# --------------------------------------------------------------------------------------------------------------------


def keep_random(contents: Contents) -> None:
    """Keep all that `fix_random` changes."""
    import mindspore

    mindspore_random.keep_generators(mindspore, contents)
    mindspore_random.keep_seeds(mindspore, contents)


def fix_random(seed: int) -> tuple[str, ...]:
    """Set every seed; what that does not fix, in sentences."""
    import mindspore

    return mindspore_random.fix(mindspore, seed)


def watcher() -> Watcher:
    """A watcher for one recording."""
    return MindSporeWatcher()


WATCHER = MindSporeWatcher
