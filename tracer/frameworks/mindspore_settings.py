"""Settings of MindSpore cells, as facts: what they mean is decided when traces are compared.

A cell keeps its settings in several places, and `settings` reads all of them:

- plain attributes under their own names, as they are, bent ones too: `BatchNorm2d.momentum` is one minus the
  constructor's, `Conv1d.kernel_size` is [1, 3], `MaxPool2d.pad_mode` is "VALID", `Dropout.keep_prob` stays 0.5 when `p`
  was given, `GELU.approximate` is "tanh" for True, `Dropout2d.keep_prob` is one minus its `p`;
- arguments of the primitives it calls, dotted: `softmax.axis`, `max_pool.ceil_mode`, `avg_pool.count_include_pad`,
  `elu.alpha`, `adaptive_avgpool2d.output_size`, `dropout.keep_prob`;
- under the constructor's own name everything the constructor takes that is no plain attribute: out of a primitive
  (`Softmax.axis`), the name of a cell or function (`Dense(activation='relu')` gives "ReLU"), a tensor of at most 16
  elements (`RReLU.lower`), `has_bias` from the parameters that are there, and what the table below adds.

=========================================  ===========================================================================
BatchNorm1d/2d, SyncBatchNorm              affine (momentum is stored as one minus the argument)
BatchNorm3d                                num_features, eps, momentum, use_batch_statistics as its `bn2d` has them;
                                           affine
InstanceNorm1d/2d/3d                       affine
Dropout1d/2d/3d                            p
MaxPool*, AvgPool*                         padding (where it is no attribute): one number, or one for each axis, or
                                           pairs where the two ends differ
GLU                                        axis
PReLU                                      channel
LSTM, GRU, RNN                             input_size; RNN: nonlinearity
MultiheadAttention                         has_bias, add_bias_kv
TransformerEncoderLayer, -DecoderLayer     activation by name, dropout, layer_norm_eps
losses                                     reduction, also where the cell keeps only two flags
=========================================  ===========================================================================
"""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from tracer.trace.schema import Plain

LONGEST = 64
"""Longer lists are data, not settings."""

Settings = dict[str, Plain]


class NotPlain(Exception):  # noqa: N818  (a signal inside this file, never seen by a user)
    """The value cannot be said in JSON."""


def settings(cell: Any, ignored: frozenset[str]) -> Settings:
    """Plain-valued settings of a cell; `ignored` are attributes that every cell has. Never raises."""
    kind: Any = type(cell)
    found = _attributes(cell, ignored)
    found.update(_of_primitives(cell))
    for base in kind.__mro__:
        if _is_nn(base) and base.__name__ in _ADDED:
            found = {**_added(cell, found, _ADDED[base.__name__]), **found}
    for name in constructor_arguments(kind):
        if name not in found:
            with contextlib.suppress(Exception):  # objects of the user's answer what they like
                found.update(_dug_up(cell, name))
    return found


def plain(value: Any, depth: int = 0) -> Plain:
    """The value as JSON can say it. Raises `NotPlain` where it cannot."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.generic):
        return plain(value.item(), depth)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, tuple | list) and len(value) <= LONGEST and depth < 4:
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, dict) and len(value) <= LONGEST and depth < 4:
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    raise NotPlain


def _attributes(cell: Any, ignored: frozenset[str]) -> Settings:
    found: Settings = {}
    for name, value in vars(cell).items():
        if not name.startswith("_") and name not in ignored and name not in cell._params:  # noqa: SLF001
            found.update(_as_setting(name, value))
    return found


def _of_primitives(cell: Any) -> Settings:
    return {
        f"{name}.{argument}": value
        for name, primitive in cell._primitives.items()  # noqa: SLF001
        for argument, given in _arguments(primitive).items()
        for value in _as_setting(argument, given).values()
    }


@lru_cache(maxsize=4096)
def constructor_arguments(kind: type) -> tuple[str, ...]:
    """Names of the constructor's arguments, those of the nearest class first."""
    names: list[str] = []
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for base in kind.__mro__:
        if base.__name__ == "Cell" or "__init__" not in vars(base):
            continue
        try:
            signature = inspect.signature(vars(base)["__init__"])
        except (TypeError, ValueError):
            continue
        names += [p.name for p in signature.parameters.values() if p.kind not in variable and p.name != "self"]
    return tuple(dict.fromkeys(names))


def _dug_up(cell: Any, name: str) -> Settings:
    """A constructor argument that is no plain attribute: in a primitive, a cell, a function, a small tensor."""
    if name in {"bias", "has_bias"} and "weight" in cell._params:  # noqa: SLF001
        return {name: cell._params.get("bias") is not None}  # noqa: SLF001
    value = vars(cell).get(name, cell._cells.get(name))  # noqa: SLF001
    if value is None:
        holders = (_arguments(primitive) for primitive in cell._primitives.values())  # noqa: SLF001
        return next((_as_setting(name, given[name]) for given in holders if name in given), {})
    if hasattr(value, "_cells"):
        return {name: type(value).__name__}
    if inspect.isfunction(value) or inspect.isbuiltin(value):
        return {name: value.__name__}
    if hasattr(value, "asnumpy") and type(value).__name__ != "Parameter" and math.prod(value.shape) <= 16:
        try:
            return _as_setting(name, value.asnumpy().tolist())
        except (TypeError, RuntimeError):
            return {}
    return {}


def _as_setting(name: str, value: Any) -> Settings:
    try:
        return {name: plain(value)}
    except Exception:  # not plain, or an object of the user's that cannot be read
        return {}


def _arguments(primitive: Any) -> Mapping[str, Any]:
    arguments = getattr(primitive, "init_attrs", None)
    return arguments if isinstance(arguments, Mapping) else {}


def _is_nn(kind: type) -> bool:
    """Of `mindspore.nn`: the classes of `mindspore.mint` keep their settings under torch's names and need no help."""
    return kind.__module__.startswith("mindspore.") and not kind.__module__.startswith("mindspore.mint")


# --------------------------------------------------------------------------------------------------------------------
# What some cells keep under no name
# --------------------------------------------------------------------------------------------------------------------


def _added(cell: Any, found: Settings, add: Callable[[Any, Settings], Settings]) -> Settings:
    try:
        return add(cell, found)
    except (AttributeError, TypeError, IndexError, KeyError, ValueError, StopIteration):
        return {}  # another version keeps it elsewhere: what was read so far still holds


def _affine(cell: Any, _: Settings) -> Settings:
    """Frozen scales and shifts of another value than one and zero were affine, and are only not trained."""
    gamma, beta = cell._params["gamma"], cell._params["beta"]  # noqa: SLF001
    if gamma.requires_grad or beta.requires_grad:
        return {"affine": True}
    return {"affine": bool((gamma.asnumpy() != 1).any() or (beta.asnumpy() != 0).any())}


def _batch_norm_3d(cell: Any, _: Settings) -> Settings:
    inner = settings(cell.bn2d, frozenset())
    names = ("num_features", "eps", "momentum", "affine", "use_batch_statistics")
    return {name: inner[name] for name in names if name in inner}


def _dropout_1d(cell: Any, _: Settings) -> Settings:
    return {"p": float(cell.prob)}


def _dropout_nd(cell: Any, _: Settings) -> Settings:
    return {"p": round(1.0 - float(cell.keep_prob), 12)}


def _pool_padding(cell: Any, _: Settings) -> Settings:
    """`pads` and `pad_list` have one number for each axis, `pad` a pair; leading axes of size 1 are the cell's own."""
    axes = next(int(kind.__name__[-2]) for kind in type(cell).__mro__ if kind.__name__[-2:] in {"1d", "2d", "3d"})
    given = _arguments(vars(cell).get("max_pool", vars(cell).get("avg_pool")))
    if "pad" in given:
        pairs = plain(given["pad"])
        if not isinstance(pairs, list):
            return {"padding": pairs}
        before, after = pairs[0::2][-axes:], pairs[1::2][-axes:]
        return {"padding": _one_if_equal(before if before == after else pairs[-2 * axes :])}
    pads = plain(given.get("pads", given.get("pad_list", 0)))
    return {"padding": _one_if_equal(pads[-axes:] if isinstance(pads, list) else [pads])}


def _one_if_equal(numbers: list[Plain]) -> Plain:
    return numbers[0] if all(number == numbers[0] for number in numbers) else numbers


def _glu(_: Any, found: Settings) -> Settings:
    return {"axis": found["dim"]}


def _recurrent(cell: Any, _: Settings) -> Settings:
    out: Settings = {"input_size": int(cell._params["weight_ih_l0"].shape[1])}  # noqa: SLF001
    inner = type(cell.rnn).__name__
    if "RNN" in inner:
        out["nonlinearity"] = "relu" if inner.endswith("Relu") else "tanh"
    return out


def _multihead_attention(cell: Any, _: Settings) -> Settings:
    return {
        "has_bias": getattr(cell, "in_proj_bias", None) is not None,
        "add_bias_kv": getattr(cell, "bias_k", None) is not None,
    }


def _transformer_layer(_: Any, found: Settings) -> Settings:
    names = {"activation": "activation1", "dropout": "dropout_num", "layer_norm_eps": "layernorm_eps"}
    return {name: found[own] for name, own in names.items() if own in found}


def _loss(cell: Any, _: Settings) -> Settings:
    if not cell.reduce:
        return {"reduction": "none"}
    return {"reduction": "mean" if cell.average else "sum"}


def _prelu(cell: Any, _: Settings) -> Settings:
    return {"channel": int(cell._params["w"].shape[0])}  # noqa: SLF001


_ADDED: Mapping[str, Callable[[Any, Settings], Settings]] = {
    "_BatchNorm": _affine,
    "_InstanceNorm": _affine,
    "BatchNorm3d": _batch_norm_3d,
    "Dropout1d": _dropout_1d,
    "Dropout2d": _dropout_nd,
    "Dropout3d": _dropout_nd,
    "_PoolNd": _pool_padding,
    "GLU": _glu,
    "_RNNBase": _recurrent,
    "MultiheadAttention": _multihead_attention,
    "TransformerEncoderLayer": _transformer_layer,
    "TransformerDecoderLayer": _transformer_layer,
    "LossBase": _loss,
    "PReLU": _prelu,
}
