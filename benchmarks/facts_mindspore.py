"""Reads the installed MindSpore: every public name that a port may be told, with its signatures.

Of Python functions the function is asked; of classes the constructor, through the wrappers that cells and optimizers
put around it; of builtins, and where the function only takes `*args, **kwargs`, the call lines of the docstring.
"""

import ast
import importlib
import inspect
import types

from facts_torch import literal_plain as literal
from facts_torch import stub_text, unique
from facts_torch import text_of as signature_text

ROOMS = (
    "mindspore", "mindspore.nn", "mindspore.ops", "mindspore.mint", "mindspore.mint.nn",
    "mindspore.mint.nn.functional", "mindspore.mint.optim", "mindspore.mint.linalg", "mindspore.mint.special",
    "mindspore.mint.distributed", "mindspore.common.initializer", "mindspore.experimental.optim",
    "mindspore.experimental.optim.lr_scheduler", "mindspore.dataset", "mindspore.dataset.vision",
    "mindspore.dataset.transforms", "mindspore.dataset.text", "mindspore.dataset.audio", "mindspore.amp",
    "mindspore.train", "mindspore.communication", "mindspore.communication.comm_func", "mindspore.parallel",
    "mindspore.hal", "mindspore.runtime", "mindspore.numpy", "mindspore.scipy", "mindspore.scipy.linalg",
    "mindspore.profiler", "mindspore.nn.probability.distribution", "mindspore.nn.utils",
    "mindspore.parallel.nn",
)  # fmt: skip

CLASSES = (
    "mindspore.Tensor", "mindspore.Parameter", "mindspore.nn.Cell", "mindspore.nn.CellList", "mindspore.nn.CellDict",
    "mindspore.nn.SequentialCell", "mindspore.nn.Optimizer", "mindspore.experimental.optim.Optimizer",
    "mindspore.ParameterTuple", "mindspore.Generator", "mindspore.dataset.Dataset", "mindspore.dataset.GeneratorDataset",
    "mindspore.train.Model", "mindspore.amp.DynamicLossScaler", "mindspore.amp.StaticLossScaler",
    "mindspore.nn.LossBase", "mindspore.Profiler", "mindspore.runtime.Stream",
    "mindspore.runtime.Event", "mindspore.hal.Stream", "mindspore.hal.Event",
    "mindspore.experimental.optim.lr_scheduler.LRScheduler",
)  # fmt: skip


MADE = {
    "Dense": (3, 4), "Conv1d": (3, 4, 3), "Conv2d": (3, 4, 3), "Conv3d": (3, 4, 3), "Conv2dTranspose": (3, 4, 3),
    "BatchNorm2d": (3,), "LayerNorm": ((3,),), "GroupNorm": (1, 3), "Embedding": (5, 3), "Dropout": (),
    "MaxPool2d": (2, 2), "AvgPool2d": (2, 2), "LSTM": (3, 4), "GRU": (3, 4), "RNN": (3, 4), "LSTMCell": (3, 4),
    "MultiheadAttention": (4, 2), "PReLU": (), "LeakyReLU": (), "Upsample": ((4, 4),), "PixelShuffle": (2,),
    "Flatten": (),
}  # fmt: skip
"""The cells whose own attributes are listed, and what they are made with to look at them."""


def text_of(value, drop_first=False):
    """The parameters of a callable as text; None where they cannot be read."""
    try:
        signature = inspect.signature(value)
    except (ValueError, TypeError):
        return None
    return signature_text(signature, drop_first, literal)


def call_lines(value, last):
    """The call lines of a docstring, without those of its examples."""
    kept = []
    for line in (value.__doc__ or "").splitlines():
        line = line.strip()
        marked = line.startswith((".. method::", ".. function::"))
        line = line.removeprefix(".. method::").removeprefix(".. function::").strip()
        head, bracket, rest = line.partition("(")
        if not bracket or head.split(".")[-1] != last or " " in head or not (marked or "->" in line or not kept):
            continue
        inner = rest.split("->")[0].strip() if "->" in rest else rest.strip()
        if not inner.endswith(")"):
            continue
        try:
            arguments = ast.parse(f"def f({inner[:-1]}): 0").body[0].args
        except SyntaxError:
            continue
        if "==" in line:
            continue
        kept.append((stub_text(arguments, drop_first=False), ""))
    return [text for text, _ in unique(kept)]


RECURRENT = "input_size, hidden_size, num_layers=1, has_bias=True, batch_first=False, dropout=0.0, bidirectional=False"

BY_HAND = {
    "mindspore.Parameter": (
        "default_input, name=None, requires_grad=True, layerwise_parallel=False, parallel_optimizer=True, storage_format=''"
    ),
    "mindspore.nn.LSTM": RECURRENT + ", dtype=mindspore.float32",
    "mindspore.nn.GRU": RECURRENT + ", dtype=mindspore.float32",
    "mindspore.nn.RNN": RECURRENT + ", dtype=mindspore.float32, *, nonlinearity='tanh'",
}
"""Constructors that take `*args, **kwargs` and pass them on."""

EMPTY = {None, "*args, **kwargs", "*args", "*inputs", "*inputs, **kwargs"}


def callable_signatures(name, value, drop_first=False):
    """The signatures of a function, method or class, as text."""
    last = name.rpartition(".")[2]
    if name in BY_HAND:
        return [BY_HAND[name]]
    if isinstance(value, type):
        found = text_of(value)
        constructor = value.__init__
        while found in EMPTY and (hasattr(constructor, "__wrapped__") or closed(constructor)):
            constructor = getattr(constructor, "__wrapped__", None) or closed(constructor)
            found = text_of(constructor, drop_first=True)
        return [] if found is None else [found]
    found = text_of(value, drop_first)
    if found in EMPTY or isinstance(value, types.BuiltinFunctionType):
        return call_lines(value, last) or ([] if found is None else [found])
    lines = call_lines(value, last)
    return [found, *(line for line in lines if line != found and name.startswith("mindspore.mint"))]


def closed(function):
    """The constructor inside a wrapper that does not say what it wraps."""
    for cell in getattr(function, "__closure__", None) or ():
        if isinstance(cell.cell_contents, types.FunctionType) and cell.cell_contents.__name__ == "__init__":
            return cell.cell_contents
    return None


def inherited(owner):
    """The attributes that a tensor's or cell's kin has from it: said once, there."""
    import mindspore

    for base in (mindspore.Tensor, mindspore.nn.Cell):
        if issubclass(owner, base) and owner is not base:
            return set(dir(base))
    return set()


def signatures():
    """{full name: signatures as text}, and [] of what is not called."""
    import mindspore

    found = {}
    for room in ROOMS:
        try:
            module = importlib.import_module(room)
        except Exception as error:
            print("left out:", room, repr(error)[:90])
            continue
        found[room] = []
        for attribute in sorted(dir(module)):
            value = getattr(module, attribute, None)
            if attribute.startswith("_") or (
                isinstance(value, types.ModuleType) and f"{room}.{attribute}" not in ROOMS
            ):
                continue
            home = str(getattr(value, "__module__", "mindspore") or "mindspore")
            if (
                callable(value)
                and home.split(".")[0] not in {"mindspore", "_c_dataengine", "builtins"}
                and not hasattr(value, "name")
            ):
                continue
            found[f"{room}.{attribute}"] = callable_signatures(f"{room}.{attribute}", value) if callable(value) else []
    for name in CLASSES:
        room, _, last = name.rpartition(".")
        try:
            owner = getattr(importlib.import_module(room), last)
        except Exception as error:
            print("left out:", name, repr(error)[:90])
            continue
        for attribute in sorted(dir(owner)):
            tensor = name == "mindspore.Tensor"
            if attribute.startswith("_") and not (
                tensor and attribute.startswith("__") and attribute not in dir(object)
            ):
                if attribute not in {
                    "__init__",
                    "__call__",
                    "__eq__",
                    "__ne__",
                    "__lt__",
                    "__le__",
                    "__gt__",
                    "__ge__",
                }:
                    continue
            if attribute in inherited(owner):
                continue
            member = inspect.getattr_static(owner, attribute)
            full = f"{name}.{attribute}"
            if isinstance(member, (staticmethod, classmethod)):
                found[full] = callable_signatures(full, getattr(owner, attribute))
            elif callable(member):
                found[full] = callable_signatures(full, member, drop_first=True)
            else:
                found[full] = []
    plain = vars(mindspore.nn.Cell())
    found |= {f"mindspore.nn.Cell.{one}": [] for one in plain if not one.startswith("_")}
    for name, arguments in MADE.items():
        cell = getattr(mindspore.nn, name)(*arguments)
        own = [*vars(cell), *cell._params, *cell._cells]
        found |= {f"mindspore.nn.{name}.{one}": [] for one in own if not one.startswith("_") and one not in plain}
    return found
