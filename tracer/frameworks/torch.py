"""How PyTorch nets are watched: module hooks for calls, tensor hooks for gradients.

Runs on torch 2.x, on CPU and accelerators. What shaped it, all measured:

- Module backward hooks make nets with in-place layers raise and see no lists or dicts: only tensor hooks are used.
- A hook on an input sees the gradient of all its uses, so each call gets a view of its own; never of parameters, and
  the same view for the same tensor (attention asks `query is key`). A view regroups the sum of the gradients that meet
  in a tensor, unless it is read once: where the gradients are the user's own, only such layers' inputs get one.
- Compiled modules do not call the hooks of their children, and the transformer fast path calls none: `eager` turns
  both off for the trace. Scripted, traced and exported modules have no hooks inside: refused.
- Hooks fire again when a checkpoint is recomputed; the recorder matches those calls.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import os
import platform
import sys
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from types import FrameType
from typing import Any

import numpy as np

from tracer.errors import RecordingError
from tracer.frameworks import torch_random
from tracer.frameworks.base import (
    FLOATS,
    Gradients,
    LayerFacts,
    Listener,
    NamedTensor,
    TensorFacts,
    Unreadable,
    leaves,
    rebuild,
)
from tracer.frameworks.making import Makers
from tracer.frameworks.replaying import Done, Hands, Replays, standing_in
from tracer.frameworks.source import class_source
from tracer.frameworks.store import Contents
from tracer.frameworks.torch_hooks import Hook, always
from tracer.frameworks.torch_settings import bases, settings
from tracer.frameworks.torch_state import KeptNet, graph_leaves
from tracer.frameworks.torch_timing import TorchTimer
from tracer.frameworks.torch_training import TorchTrainer
from tracer.trace.schema import ROOT, Plain, Sums

Array = np.ndarray[Any, Any]

FLAGS = ("CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "OMP_NUM_THREADS",
         "MKL_NUM_THREADS", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR")  # fmt: skip
"""Environment variables that can move numbers."""


READS_ONCE = frozenset(
    {
        *("Linear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"),
        *("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "LayerNorm", "GroupNorm", "GELU", "ReLU", "ReLU6", "LeakyReLU"),
        *("PReLU", "ELU", "SELU", "CELU", "Mish", "Hardswish", "Hardsigmoid", "Hardtanh", "Sigmoid", "Tanh", "SiLU"),
        *("Softplus", "Softmax", "LogSoftmax", "LogSigmoid", "MaxPool1d", "MaxPool2d", "MaxPool3d"),
        *("AvgPool1d", "AvgPool2d", "AvgPool3d", "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d"),
    }
)
"""Layers of torch that hand their input to one operation only, and never out again (as Identity, Flatten and an idle
Dropout do)."""


_BLOCK = 1 << 22
"""Elements that are written into a tensor at once."""

SUMS_FROM = 1 << 16
"""Elements from which torch is quicker than numpy: below 1 << 15 it works with one thread."""

SUMS_ROW = 1 << 8


class TorchWatcher:
    """`tracer.frameworks.base.Watcher` for `torch.nn.Module`."""

    name = "torch"

    def __init__(self) -> None:
        import torch

        self._torch = torch
        self._tensor = torch.Tensor
        self._makers = Makers(_is_torchs)
        self._as_they_are = {torch.float32, torch.float64, torch.int64, torch.int32, torch.bool}
        self._dtypes: dict[Any, str] = {}
        self._devices: dict[Any, str] = {}
        self._regroups = False  # may a view change the last bits of gradients? In `run`, which throws them away
        self._once: set[int] = set()  # ids of the watched modules that read their input once
        self._entering: int | None = None

    # ---------------------------------------------------------------------------------------------- what there is

    def version(self) -> str:
        """The version of the installed torch."""
        return str(self._torch.__version__)

    def environment(self, net: Any) -> dict[str, Plain]:
        """Versions, device and flags that can move numbers."""
        torch = self._torch
        found: dict[str, Plain] = {
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "device": ", ".join(_device_names(_inside(net))) or "cpu",
            "threads": torch.get_num_threads(),
            "default_dtype": self._dtype_name(torch.get_default_dtype()),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "grad_enabled": torch.is_grad_enabled(),
            "inference_mode": torch.is_inference_mode_enabled(),
            "autocast": self.autocast(),
        }
        flags: dict[str, Callable[[], Any]] = {
            "matmul_precision": torch.get_float32_matmul_precision,
            "tf32_matmul": lambda: torch.backends.cuda.matmul.allow_tf32,
            "tf32_cudnn": lambda: torch.backends.cudnn.allow_tf32,
            "cudnn_benchmark": lambda: torch.backends.cudnn.benchmark,
            "cudnn_deterministic": lambda: torch.backends.cudnn.deterministic,
            "mkldnn": torch.backends.mkldnn.is_available,
        }
        for name, read in flags.items():
            with contextlib.suppress(Exception):
                found[name] = read()
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            found["cuda"] = str(torch.version.cuda)
            found["cuda_device"] = torch.cuda.get_device_name()
        found |= {flag: os.environ[flag] for flag in FLAGS if flag in os.environ}
        return found

    def layers(self, net: Any) -> list[tuple[str, Any, tuple[str, ...]]]:
        """(path, module, other paths of the same module), the net first, in the order of `named_modules`. Wrappers
        (DataParallel, DDP, compiled and checkpointed modules) are passed through: their module has their path."""
        found: dict[int, tuple[str, Any, list[str]]] = {}
        self._makers = makers = Makers(_is_torchs)

        def walk(path: str, module: Any, above: frozenset[int]) -> None:
            if id(module) in found:
                found[id(module)][2].append(path or ROOT)
                return
            found[id(module)] = (path or ROOT, module, [])
            for name, child in module._modules.items():  # noqa: SLF001
                if child is None:
                    continue
                inner = _inside(child)
                if id(inner) not in above:
                    below = f"{path}.{name}" if path else name
                    makers.holds(module, name, inner)
                    walk(below, inner, above | {id(inner)})

        root = _inside(net)
        walk("", root, frozenset({id(root)}))
        return [(path, module, tuple(others)) for path, module, others in found.values()]

    def describe(self, layer: Any, parent: Any | None, name: str) -> LayerFacts:  # noqa: ARG002
        """Class, settings, mode and source lines of one module. What made it is known after `layers`."""
        kind: Any = type(layer)
        return LayerFacts(
            kind=kind.__name__,
            bases=bases(kind, "torch.nn.modules.module.Module"),
            settings=settings(layer),
            training=bool(layer.training),
            source=class_source(kind),
            made_at=self._makers.line(layer),
        )

    def parameters(self, layer: Any) -> list[NamedTensor]:
        """The module's own parameters, then its buffers."""
        found = [
            NamedTensor(name, tensor, trainable=bool(tensor.requires_grad), buffer=False)
            for name, tensor in layer._parameters.items()  # noqa: SLF001
            if tensor is not None
        ]
        return found + [
            NamedTensor(
                name,
                tensor,
                trainable=False,
                buffer=True,
                saved=name not in layer._non_persistent_buffers_set,  # noqa: SLF001
            )
            for name, tensor in layer._buffers.items()  # noqa: SLF001
            if isinstance(tensor, self._tensor)
        ]

    # --------------------------------------------------------------------------------------------------- tensors

    def is_tensor(self, value: Any) -> bool:
        """Every `torch.Tensor`, parameters and subclasses included."""
        return isinstance(value, self._tensor)

    def facts(self, tensor: Any) -> TensorFacts:
        """Shape, dtype and device without reading data. A nested tensor, or one of a lazy module, has no shape."""
        try:
            shape = tuple(map(int, tensor.shape))  # sizes may be symbols that stand for a number
        except Exception:
            shape = ()
        dtype = "float32" if tensor.is_quantized else self._dtype_name(tensor.dtype)  # as `array` gives it
        return TensorFacts(shape, dtype, self._device_name(tensor.device), tensor.requires_grad)

    def array(self, tensor: Any) -> Array | Unreadable:
        """The data; waits for the device. Shares memory with a CPU tensor, and its strides, so copy before the net
        goes on. Sparse tensors come dense, quantised ones as float32. Never raises."""
        with contextlib.suppress(Exception):  # not on the CPU, not dense, not in this form
            if tensor.dtype in self._as_they_are:
                return tensor.detach().numpy()  # type: ignore[no-any-return]
        try:
            return _array(self._torch, tensor)
        except Exception as error:
            return Unreadable(_first_line(error))

    def sums(self, tensor: Any) -> Sums | None:
        """By torch's own threads, which are idle in a hook and have the data at hand. Rows keep float32's rounding
        apart, as in `tracer.trace.statistics`."""
        torch = self._torch
        try:
            count = tensor.numel()
            if count < SUMS_FROM or tensor.dtype is not torch.float32 or tensor.device.type != "cpu":
                return None
            flat = tensor.detach().view(-1)
            low, high = torch.aminmax(flat)
            tail = count % SUMS_ROW
            rows = (flat[:-tail] if tail else flat).view(-1, SUMS_ROW)
            totals = rows.sum(1).numpy()
            norms = torch.linalg.vector_norm(rows, dim=1).numpy()
            if tail:
                totals, norms = np.append(totals, flat[-tail:].numpy()), np.append(norms, flat[-tail:].abs().numpy())
        except Exception:  # not in one piece, or of a class that has no such things
            return None
        wide = norms.astype(np.float64)
        squares = float(np.dot(wide, wide))
        if not math.isfinite(squares):
            return None
        return Sums(low.item(), high.item(), float(np.add.reduce(totals, dtype=np.float64)), squares)

    def version_of(self, tensor: Any) -> int | None:
        """Torch's own counter; None for tensors of inference mode, which have none."""
        try:
            return int(tensor._version)  # noqa: SLF001
        except Exception:
            return None

    def alias(self, tensor: Any) -> Any | None:
        """A view with its own place in the graph; None for parameters, for what takes no gradient, and where it would
        change the last bits of gradients that are the user's own."""
        torch = self._torch
        if not self._regroups and self._entering not in self._once:
            return None
        if not tensor.requires_grad or not torch.is_grad_enabled():
            return None
        if type(tensor) is not self._tensor and isinstance(tensor, torch.nn.Parameter):
            return None
        if tensor.layout is not torch.strided or tensor.is_nested:
            return None
        try:
            return tensor.view_as(tensor)
        except Exception:
            return None

    def on_gradient(self, tensor: Any, then: Callable[[Any], None]) -> Callable[[], None] | None:
        """Calls `then` with the gradient of the tensor, over all its uses."""
        if not tensor.requires_grad:
            return None
        try:
            remove: Callable[[], None] = tensor.register_hook(then).remove
        except Exception:
            return None
        return remove

    def before_in_place(self, tensor: Any) -> Any | None:
        """The node that made the tensor, and which of its outputs it is."""
        return (tensor.grad_fn, tensor.output_nr) if tensor.requires_grad and tensor.grad_fn is not None else None

    def on_part(self, before: Any, output: Any, then: Callable[[Any], None]) -> Callable[[], None] | None:
        """The operation that overwrote the tensor hands its gradient on to the node that made it."""
        node = output.grad_fn
        for index, edge in enumerate(node.next_functions if node is not None else ()):
            if edge[0] is before[0] and edge[1] == before[1]:

                def hook(handed_on: Any, _: Any, index: int = index) -> None:
                    if index < len(handed_on):
                        then(handed_on[index])

                remove: Callable[[], None] = node.register_hook(hook).remove
                return remove
        return None

    def memory_of(self, tensor: Any) -> Hashable | None:
        """Address, layout and version of a dense tensor."""
        try:
            return (
                tensor.data_ptr(),
                tuple(tensor.shape),
                tensor.stride(),
                tensor.dtype,
                tensor.device,
                tensor._version,  # noqa: SLF001
                tensor.is_conj(),
                tensor.is_neg(),
            )
        except Exception:
            return None

    def autocast(self) -> str | None:
        """The dtype that operations are cast to, on the CPU or on an accelerator."""
        torch = self._torch
        for device in ("cuda", "cpu"):
            try:
                if torch.is_autocast_enabled(device):
                    return self._dtype_name(torch.get_autocast_dtype(device))
            except TypeError:  # before torch 2.4
                if device == "cuda" and torch.is_autocast_enabled():
                    return self._dtype_name(torch.get_autocast_gpu_dtype())
                if device == "cpu" and torch.is_autocast_cpu_enabled():
                    return self._dtype_name(torch.get_autocast_cpu_dtype())
        return None

    def in_place(self, layer: Any) -> bool:
        """Layers that can be told to overwrite their input say so in `inplace`."""
        return _overwrites(layer)

    def in_backward(self) -> bool:
        """Is a backward pass running in this thread?"""
        return bool(self._torch._C._current_graph_task_id() != -1)  # noqa: SLF001

    def _device_name(self, device: Any) -> str:
        name = self._devices.get(device)
        if name is None:
            name = self._devices[device] = str(device)
        return name

    def _dtype_name(self, dtype: Any) -> str:
        name = self._dtypes.get(dtype)
        if name is None:
            name = self._dtypes[dtype] = str(dtype).removeprefix("torch.")
        return name

    # -------------------------------------------------------------------------------------------------- watching

    @contextlib.contextmanager
    def watch(self, net: Any, listener: Listener, paths: Mapping[str, Any]) -> Iterator[None]:
        """Hooks on every module in `paths`, and one that finds modules made while the net runs."""
        torch = self._torch
        known = {id(module) for _, module, _ in self.layers(net)}
        strangers: list[Any] = []  # held, so that no id comes again
        running = None if always(torch) else _Running()
        self._once = set()

        with contextlib.ExitStack() as stack:

            def hook(path: str, module: Any) -> Callable[..., Any]:
                if _reads_once(torch, module):
                    self._once.add(id(module))
                before, after = _hooks(path, module, listener, running, self._begin)
                stack.callback(module.register_forward_pre_hook(before, with_kwargs=True).remove)
                stack.callback(module.register_forward_hook(after, with_kwargs=True, **always(torch)).remove)
                return before

            def found(module: Any, args: tuple[Any, ...]) -> Any:
                if id(module) in known:
                    return None
                known.add(id(module))
                strangers.append(module)
                path = next((path for path, layer, _ in self.layers(net) if layer is module), None)
                if not listener.discovered(path, module) or path is None or isinstance(module, torch.jit.ScriptModule):
                    return None
                changed = hook(path, module)(module, args, {})
                return None if changed is None else changed[0]

            for path, module in paths.items():
                if not isinstance(module, torch.jit.ScriptModule):
                    hook(path, module)
            if not any(type(module).__name__ == "OptimizedModule" for module in net.modules()):  # it warns of such
                stack.callback(torch.nn.modules.module.register_module_forward_pre_hook(found).remove)
            yield

    def _begin(self, module: Any) -> None:
        self._entering = id(module)

    @contextlib.contextmanager
    def eager(self, net: Any) -> Iterator[tuple[str, ...]]:
        """Compiled modules run uncompiled and the transformer fast path is off, as long as this is open.

        Raises:
            RecordingError: the net is scripted, traced or exported, no module at all, or spread over devices by
                DataParallel.
        """
        torch = self._torch
        _refuse(torch, net)
        done: list[str] = []
        modules = [module for _, module, _ in self.layers(net)]
        with contextlib.ExitStack() as stack:
            if "torch._dynamo" in sys.modules:
                _uncompile(torch, net, modules, stack, done)
            if any(isinstance(m, torch.nn.TransformerEncoderLayer | torch.nn.MultiheadAttention) for m in modules):
                _without_fast_path(torch, modules, stack, done)
            yield tuple(done)

    def replacing(self, net: Any, replays: Replays) -> contextlib.AbstractContextManager[Done]:
        """The modules' `forward` is replaced on the instance; scripted modules, which have none, run as ever."""
        torch = self._torch
        modules = {p: m for p, m, _ in self.layers(net) if not isinstance(m, torch.jit.ScriptModule)}

        def read(tensor: Any) -> Array | None:
            array = self.array(tensor)
            return None if isinstance(array, Unreadable) else array

        def multiply(module: Any, tensor: Any, factor: Array, shift: Array | None) -> Any:
            by = _from_numpy(torch, factor).to(tensor.device, tensor.dtype)
            result = tensor.mul_(by) if _overwrites(module) else tensor * by
            return result if shift is None else result.add_(_from_numpy(torch, shift).to(by.device, by.dtype))

        return standing_in(modules, replays, Hands("forward", self.is_tensor, read, self.in_backward, multiply))

    # ------------------------------------------------------------------------------------ before and after the run

    def prepare(self, net: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, ...]:
        """Lazy modules get their parameters in a run before the recorded one; says so. What the net raises there is
        raised again by the recorded run."""
        torch = self._torch
        lazy = getattr(torch.nn.modules.lazy, "LazyModuleMixin", ())
        modules = [module for _, module, _ in self.layers(net)]
        if not any(isinstance(m, lazy) and m.has_uninitialized_params() for m in modules):
            return ()
        restore = self.preserve(net)
        try:
            with torch.no_grad():
                net(*args, **kwargs)
        except Exception:
            return ("lazy modules could not all be initialised before the recorded run; those that were stay so",)
        finally:
            restore()
        return ("lazy modules were initialised in a run before the recorded one, and stay so",)

    def preserve(self, net: Any) -> Callable[[], tuple[str, ...]]:
        """Remembers what a run may change: attributes, parameters, buffers, gradients, modes and random state."""
        torch = self._torch
        modules = [(path, module) for path, module, _ in self.layers(net)]
        return KeptNet(torch, modules, self.array, partial(_from_numpy, torch)).restore

    def modes(self, net: Any) -> dict[str, bool]:
        """`training` of every module."""
        return {path: bool(module.training) for path, module, _ in self.layers(net)}

    def set_modes(self, net: Any, modes: Mapping[str, bool]) -> None:
        """As `train()` does it, module by module; wrappers around the net go with it."""
        for path, module, _ in self.layers(net):
            if path in modes:
                module.training = modes[path]
        if ROOT in modes and isinstance(net, self._torch.nn.Module):
            net.training = modes[ROOT]

    def assign(self, tensor: Any, array: Array) -> None:
        """Into the tensor's own memory, a block at a time; autograd sees nothing of it."""
        torch = self._torch
        with torch.no_grad():
            own = tensor.detach()
            if array.size <= _BLOCK or not own.is_contiguous():
                own.copy_(_from_numpy(torch, array).to(tensor.device))
                return
            flat, new = own.view(-1), array.reshape(-1)
            for start in range(0, new.size, _BLOCK):
                flat[start : start + _BLOCK].copy_(_from_numpy(torch, new[start : start + _BLOCK]))

    def convert(self, net: Any, tree: Any) -> tuple[Any, tuple[str, ...]]:
        """Numpy arrays and tensors of other frameworks become tensors on the net's device with the same dtype,
        float64 arrays with the net's own float type; the rest stays."""
        torch = self._torch
        device, own = _home(torch, _inside(net))
        done: dict[str, None] = {}

        def one(value: Any) -> Any:
            if isinstance(value, torch.Tensor):
                return value
            if isinstance(value, np.ndarray | np.generic):
                array = np.asarray(value)
                if array.dtype.kind not in "biufcV":
                    return value
                if array.dtype == np.float64 and own != torch.float64:
                    done[f"float64 arrays were given to the net as {self._dtype_name(own)}"] = None
                    return _from_numpy(torch, array).to(device, own)
                return _from_numpy(torch, array).to(device)
            if type(value).__module__.partition(".")[0] == "mindspore" and hasattr(value, "asnumpy"):
                done["tensors of another framework were converted"] = None
                return _from_mindspore(torch, value).to(device)
            return value

        return rebuild(tree, one), tuple(done)

    def tensor(self, array: Array) -> Any:
        """A tensor of the same numbers, dtype and shape, on the CPU and of its own memory."""
        return _from_numpy(self._torch, array)

    def run(
        self,
        net: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        cotangent: Callable[[int, int], Array] | None,
    ) -> tuple[Any, Gradients]:
        """One forward pass, and one backward pass from all float leaves of the output at once.

        The gradient that reaches float leaf number n of the output is `cotangent(n, elements)` in the leaf's dtype
        and shape. `.grad` of every leaf of the graph is as before afterwards.
        """
        self._regroups = True
        try:
            return self._run(net, args, kwargs, cotangent)
        finally:
            self._regroups = False

    def _run(
        self,
        net: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        cotangent: Callable[[int, int], Array] | None,
    ) -> tuple[Any, Gradients]:
        torch = self._torch
        output = net(*args, **kwargs)
        if cotangent is None:
            return output, Gradients(skipped="only the forward pass was asked for")
        floats = [
            leaf.value
            for leaf in leaves(output)
            if isinstance(leaf.value, torch.Tensor) and self._dtype_name(leaf.value.dtype) in FLOATS
        ]
        ends = [(rank, tensor) for rank, tensor in enumerate(floats) if tensor.requires_grad]
        if not ends:
            return output, Gradients(skipped=self._why_no_gradient(net, floats))
        weights = [
            torch.from_numpy(cotangent(rank, tensor.numel())).reshape(tensor.shape).to(tensor.device, tensor.dtype)
            for rank, tensor in ends
        ]
        tensors = [tensor for _, tensor in ends]
        held = graph_leaves(tensors)
        held.update({id(p): p for _, m, _ in self.layers(net) for p in m._parameters.values() if p is not None})  # noqa: SLF001
        before = [(leaf, leaf.grad) for leaf in held.values()]
        for leaf, _ in before:
            leaf.grad = None
        try:
            torch.autograd.backward(tensors, weights)
        except Exception as error:
            result = Gradients(error=error)
        else:
            result = Gradients(parameters={id(leaf): leaf.grad for leaf, _ in before if leaf.grad is not None})
        finally:
            for leaf, gradient in before:
                leaf.grad = gradient
        return output, result

    def _why_no_gradient(self, net: Any, floats: Sequence[Any]) -> str:
        if not floats:
            return "no output of the net is a float tensor"
        if not self._torch.is_grad_enabled():
            return "the net ran where gradients are switched off"
        if not any(p.requires_grad for p in _inside(net).parameters()):
            return "the net has no trainable parameter"
        return "no float output of the net depends on anything that takes a gradient"

    def uncaptured(self, net: Any, silent: Sequence[str]) -> dict[str, str]:
        """Why modules never fired, where their class, or the one above them, tells."""
        modules = {path: module for path, module, _ in self.layers(net)}
        return {path: _why_silent(self._torch, path, modules, set(silent)) for path in silent if path in modules}

    def trainer(self) -> TorchTrainer:
        """The torch side of recording training steps."""
        torch = self._torch
        return TorchTrainer(torch, self.array, partial(_from_numpy, torch), _inside)

    def timer(self) -> TorchTimer:
        """The torch side of timing calls."""
        return TorchTimer(self._torch, _inside)

    def after_error(self) -> None:
        """Errors leave nothing behind in torch."""


WATCHER = TorchWatcher


# --------------------------------------------------------------------------------------------------------------------
# Modules
# --------------------------------------------------------------------------------------------------------------------

_WRAPPERS = {
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "FullyShardedDataParallel": "_fsdp_wrapped_module",
    "OptimizedModule": "_orig_mod",
    "CheckpointWrapper": "_checkpoint_wrapped_module",
    "OffloadWrapper": "_checkpoint_wrapped_module",
}


def _inside(module: Any) -> Any:
    """The module itself, out of wrappers that only change how it runs."""
    while _is_torch(type(module)):
        name = _WRAPPERS.get(type(module).__name__)
        if name is None or name not in getattr(module, "_modules", {}):
            return module
        module = module._modules[name]  # noqa: SLF001
    return module


def _is_torch(kind: type) -> bool:
    return _is_torchs(kind.__module__)


def _is_torchs(module: str) -> bool:
    return module.partition(".")[0] == "torch"


def _device_names(module: Any) -> list[str]:
    return sorted({str(t.device) for t in (*module.parameters(), *module.buffers())})


def _home(torch: Any, module: Any) -> tuple[Any, Any]:
    """Device and float type of the net: those of its first tensor and its first float tensor."""
    tensors = [*module.parameters(), *module.buffers()]
    device = tensors[0].device if tensors else torch.device("cpu")
    floats = (t.dtype for t in tensors if t.dtype.is_floating_point)
    return device, next(floats, torch.get_default_dtype())


def _overwrites(module: Any) -> bool:
    own = vars(module).get("inplace")  # asking the module itself for what it has not costs an exception
    if own is not None or not hasattr(type(module), "inplace"):
        return own is True
    try:
        return module.inplace is True
    except Exception:  # a property of the user's
        return False


def _reads_once(torch: Any, module: Any) -> bool:
    """One of torch's own `READS_ONCE` layers, or a Sequential that begins with one, without hooks of the user's (who
    may read the input again)."""
    kind = type(module)
    if module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module):  # noqa: SLF001
        return False
    if kind is torch.nn.Sequential:
        first = next(iter(module._modules.values()), None)  # noqa: SLF001
        return first is not None and _reads_once(torch, first)
    known = kind.__name__ in READS_ONCE and getattr(torch.nn, kind.__name__, None) is kind
    return known and not _overwrites(module)


def _hooks(
    path: str, own: Any, listener: Listener, running: _Running | None, begin: Callable[[Any], None]
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def before(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if module is not own:
            return None
        begin(module)
        if running is not None:
            running.enter(path, listener)
        return listener.enter(path, args, kwargs)

    def after(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if module is not own:
            return
        if running is not None:
            running.leave(path)
        error = sys.exc_info()[1] if output is None else None
        if error is not None and _left_by(error):
            listener.raised(path, error)
        else:
            listener.leave(path, args, kwargs, output)

    return Hook(before), Hook(after)


class _Running:
    """Which calls are still running, seen from Python's own stack: for torch before 2.1, where no hook is called
    when a module raises. A call whose frame is gone when the next one begins has raised, and somebody caught it."""

    def __init__(self) -> None:
        self._open: list[tuple[str, FrameType]] = []

    def enter(self, path: str, listener: Listener) -> None:
        caller = sys._getframe(2)  # noqa: SLF001
        frame: FrameType | None = caller
        alive = set()
        while frame is not None:
            alive.add(frame)
            frame = frame.f_back
        while self._open and self._open[-1][1] not in alive:
            listener.raised(self._open.pop()[0], RuntimeError("it raised an error that the net caught"))
        self._open.append((path, caller))

    def leave(self, path: str) -> None:
        while self._open and self._open.pop()[0] != path:
            pass


def _left_by(error: BaseException) -> bool:
    """Is the hook called because the module raised? Torch then calls it while it handles the error; an error that is
    being handled further out is handled by a frame of the user's."""
    frame = sys._getframe(2)  # noqa: SLF001
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame is frame or traceback.tb_frame is frame.f_back:
            return True
        traceback = traceback.tb_next
    return False


def _refuse(torch: Any, net: Any) -> None:
    kind = f"{type(net).__module__}.{type(net).__qualname__}"
    if type(net).__name__ == "ExportedProgram":
        raise RecordingError(
            "An exported program has no layers left to watch", where=kind, then="record the module it was exported from"
        )
    if not isinstance(net, torch.nn.Module):
        raise RecordingError("This is no torch.nn.Module", where=kind, then="give the module itself")
    inner = _inside(net)
    if isinstance(inner, torch.jit.ScriptModule):
        raise RecordingError(
            "A scripted or traced module calls no hooks, so its layers cannot be seen",
            where=kind,
            then="record the module it was made from, before torch.jit.script or torch.jit.trace",
        )
    if _is_flattened(inner):
        raise RecordingError(
            "The module of an exported program has no layers left to watch",
            where=kind,
            then="record the module it was exported from",
        )
    if isinstance(net, torch.nn.DataParallel) and len(net.device_ids) > 1:
        raise RecordingError(
            "DataParallel runs copies of the net at the same time, whose calls cannot be told apart",
            where=f"devices {list(net.device_ids)}",
            then="record net.module",
        )


def _is_flattened(module: Any) -> bool:
    """An fx graph of operations, without a call of a module in it (torch.export makes such)."""
    fx = sys.modules.get("torch.fx")
    if fx is None or not isinstance(module, fx.GraphModule):
        return False
    nodes = list(module.graph.nodes)
    operations = any(n.op == "call_function" and hasattr(n.target, "overloadpacket") for n in nodes)
    return operations and not any(n.op == "call_module" and n.target != "_guards_fn" for n in nodes)


def _uncompile(torch: Any, net: Any, modules: Sequence[Any], stack: contextlib.ExitStack, done: list[str]) -> None:
    """What torch.compile made runs eagerly."""
    compiled = [m for m in modules if getattr(m, "_compiled_call_impl", None) is not None]
    wrappers = [m for m in net.modules() if type(m).__name__ == "OptimizedModule"]
    if wrappers or compiled or any(_has_compiled_method(m) for m in modules):
        done.append("compiled code ran uncompiled for the trace: results may differ in the last digits")
    stance = getattr(torch.compiler, "set_stance", None)
    if stance is not None:
        stack.enter_context(stance("force_eager"))
        return
    for module in compiled:
        stack.callback(setattr, module, "_compiled_call_impl", module._compiled_call_impl)  # noqa: SLF001
        module._compiled_call_impl = None  # noqa: SLF001
    for wrapper in wrappers:
        stack.callback(setattr, wrapper, "forward", wrapper.forward)
        wrapper.forward = wrapper._orig_mod.__call__  # noqa: SLF001


def _has_compiled_method(module: Any) -> bool:
    """Is a method, or a function the module holds, under torch.compile?"""
    own = [vars(kind) for kind in type(module).__mro__ if not _is_torch(kind)]
    held = [value for names in (vars(module), *own) for value in names.values() if callable(value)]
    return any("_torchdynamo_orig_callable" in getattr(value, "__dict__", ()) for value in held)


def _without_fast_path(torch: Any, modules: Sequence[Any], stack: contextlib.ExitStack, done: list[str]) -> None:
    """Fused transformer kernels call no layer."""
    fast = not torch.is_grad_enabled() and any(not m.training for m in modules)
    if fast:
        done.append("the fused transformer kernels were off for the trace: results may differ in the last digits")
    switch = getattr(getattr(torch.backends, "mha", None), "set_fastpath_enabled", None)
    if switch is not None:
        stack.callback(switch, torch.backends.mha.get_fastpath_enabled())
        switch(False)
        return
    for module in modules:
        if isinstance(module, torch.nn.TransformerEncoderLayer):
            stack.callback(setattr, module, "activation_relu_or_gelu", module.activation_relu_or_gelu)
            module.activation_relu_or_gelu = 0


_CONTAINERS = ("ModuleList", "ModuleDict", "ParameterList", "ParameterDict")


def _why_silent(torch: Any, path: str, modules: Mapping[str, Any], silent: set[str]) -> str:
    module = modules[path]
    if path == ROOT:
        return "the net itself was not called"
    if isinstance(module, torch.jit.ScriptModule):
        return "a scripted or traced module, which calls no hooks"
    if any(base.__name__ in _CONTAINERS for base in type(module).__mro__ if _is_torch(base)):
        return "a container, which is never called itself"
    above = path.rpartition(".")[0] or ROOT
    parent = modules.get(above)
    if isinstance(parent, torch.nn.MultiheadAttention):
        return "MultiheadAttention uses its parameters without calling it"
    if isinstance(parent, torch.jit.ScriptModule):
        return "it lies inside a scripted or traced module"
    if parent is not None and above in silent and not any(b.__name__ in _CONTAINERS for b in type(parent).__mro__):
        return f"the layer that holds it, {above}, was not called"
    name = path.rpartition(".")[2]
    function = getattr(inspect.unwrap(type(parent).forward), "__code__", None) if parent is not None else None
    if function is not None and name in function.co_names:
        used = {"weight", "bias", *module._parameters} & set(function.co_names)  # noqa: SLF001
        if "forward" in function.co_names:
            return "its forward was called directly, past every hook"
        if used:
            return "the layer that holds it uses its parameters without calling it"
    return "it was not called in this run"


# --------------------------------------------------------------------------------------------------------------------
# Tensors and arrays
# --------------------------------------------------------------------------------------------------------------------


def _array(torch: Any, tensor: Any) -> Array | Unreadable:
    tensor = tensor.detach()
    if tensor.device.type == "meta":
        return Unreadable("a meta tensor has no data")
    if tensor.is_nested:
        return Unreadable("a nested tensor has no one shape")
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    if tensor.device.type != "cpu":
        tensor = tensor.cpu()
    dtype = str(tensor.dtype)
    if dtype in _NARROW:
        bits, name = _NARROW[dtype]
        import ml_dtypes

        raw: Array = tensor.contiguous().view(getattr(torch, bits)).numpy()
        return raw.view(np.dtype(getattr(ml_dtypes, name)))
    if tensor.is_conj() or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
    found: Array = tensor.numpy()
    return found


_NARROW = {
    "torch.bfloat16": ("int16", "bfloat16"),
    "torch.float8_e5m2": ("uint8", "float8_e5m2"),
    "torch.float8_e4m3fn": ("uint8", "float8_e4m3fn"),
    "torch.float8_e5m2fnuz": ("uint8", "float8_e5m2fnuz"),
    "torch.float8_e4m3fnuz": ("uint8", "float8_e4m3fnuz"),
}


def _from_numpy(torch: Any, array: Array) -> Any:
    """A tensor of its own memory, of any dtype that torch has."""
    name = array.dtype.name
    if f"torch.{name}" in _NARROW:
        bits = _NARROW[f"torch.{name}"][0]
        return torch.from_numpy(np.array(array, order="C").view(bits)).view(getattr(torch, name))
    return torch.from_numpy(np.array(array, array.dtype.newbyteorder("="), order="C"))


def _from_mindspore(torch: Any, tensor: Any) -> Any:
    name = str(tensor.dtype).lower()
    if name != "bfloat16":
        return _from_numpy(torch, tensor.asnumpy())
    return _from_numpy(torch, tensor.float().asnumpy()).to(torch.bfloat16)


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


# --------------------------------------------------------------------------------------------------------------------
# Randomness: optional functions of a framework file, beside its watcher
# --------------------------------------------------------------------------------------------------------------------


def keep_random(contents: Contents) -> None:
    """Keep all that `fix_random` changes."""
    import torch

    torch_random.keep_generators(torch, contents)
    torch_random.keep_flags(torch, contents)


def fix_random(seed: int) -> tuple[str, ...]:
    """Seed every generator; what that does not fix, in sentences."""
    import torch

    return torch_random.fix(torch, seed)
