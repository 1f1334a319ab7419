"""Small nets in plain numpy that leave a skeleton behind, so that the thinking can be tested without a framework.

A world runs calls like a net would: `world.call("fc", "Linear", body, x)`. Tensors remember which call made them; what
plain code makes between calls remembers nothing, as in a real recording.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tracer.trace.schema import (
    ROOT,
    Call,
    End,
    Header,
    Layer,
    Maker,
    Parameter,
    Skeleton,
    Source,
    Step,
    Value,
)
from tracer.trace.statistics import digest, statistics

BASES = {
    "torch": {
        "Linear": "torch.nn.modules.linear.Linear",
        "LayerNorm": "torch.nn.modules.normalization.LayerNorm",
        "ReLU": "torch.nn.modules.activation.ReLU",
        "GELU": "torch.nn.modules.activation.GELU",
        "Identity": "torch.nn.modules.linear.Identity",
        "Dropout": "torch.nn.modules.dropout.Dropout",
        "Sequential": "torch.nn.modules.container.Sequential",
    },
    "mindspore": {
        "Dense": "mindspore.nn.layer.basic.Dense",
        "LayerNorm": "mindspore.nn.layer.normalization.LayerNorm",
        "ReLU": "mindspore.nn.layer.activation.ReLU",
        "GELU": "mindspore.nn.layer.activation.GELU",
        "Identity": "mindspore.nn.layer.basic.Identity",
        "Dropout": "mindspore.nn.layer.basic.Dropout",
        "SequentialCell": "mindspore.nn.layer.container.SequentialCell",
    },
}


@dataclass
class Tensor:
    """An array and the recorded value it is."""

    array: np.ndarray
    maker: Maker | None = None


@dataclass
class World:
    """One net being run; `trace()` gives what was recorded."""

    framework: str = "torch"
    keep: str = "values"
    layers: dict[str, Layer] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    _stack: list[int] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)

    def _value(self, leaf: str, tensor: Tensor) -> Value:
        array = np.asarray(tensor.array)
        if tensor.maker is not None:
            known = self._made[tensor.maker]
            return Value(
                leaf,
                "tensor",
                array.shape,
                str(array.dtype),
                maker=tensor.maker,
                statistics=known.statistics,
                digest=known.digest,
                stored=known.stored,
            )
        place = f"/steps/0/{len(self.arrays)}"
        self.arrays[place] = array.copy()
        stored = place if self.keep == "values" else None
        return Value(
            leaf,
            "tensor",
            array.shape,
            str(array.dtype),
            statistics=statistics(array),
            digest=digest(array),
            stored=stored,
        )

    @property
    def _made(self) -> dict[Maker, Value]:
        return self.__dict__.setdefault("_made_values", {})

    def call(
        self,
        path: str,
        kind: str,
        body: Callable[..., Any],
        *inputs: Tensor | np.ndarray,
        parameters: dict[str, np.ndarray] | None = None,
        settings: dict[str, Any] | None = None,
        training: bool = False,
        line: int = 1,
    ) -> Any:
        """Run one layer: `body` gets the tensors (or arrays, when it returns an array) and makes the output."""
        order, index = len(self.calls), self._counts.get(path, 0)
        self._counts[path] = index + 1
        self.calls.append(None)  # the place is taken when the call begins
        parent = self._stack[-1] if self._stack else None
        given = [x if isinstance(x, Tensor) else Tensor(x) for x in inputs]
        values = []
        handed = []
        for n, tensor in enumerate(given):
            value = self._value(str(n), tensor)
            values.append(value)
            if tensor.maker is None:
                tensor = Tensor(tensor.array, Maker(order, "input", str(n)))
                self._made[tensor.maker] = value
            handed.append(tensor)
        if path not in self.layers:
            self._add_layer(path, kind, parameters or {}, settings or {}, training, line)
        self._stack.append(order)
        out = body(*handed)
        self._stack.pop()
        results = out if isinstance(out, tuple) else (out,)
        outputs, back = [], []
        for n, result in enumerate(results):
            leaf = str(n) if isinstance(out, tuple) else ""
            tensor = result if isinstance(result, Tensor) else Tensor(np.asarray(result))
            value = self._value(leaf, tensor)
            outputs.append(value)
            if tensor.maker is None:
                tensor = Tensor(tensor.array, Maker(order, "output", leaf))
                self._made[tensor.maker] = value
            back.append(tensor)
        source = Source(f"{self.framework}_net.py", line)
        self.calls[order] = Call(
            0, order, path, index, parent, tuple(values), outputs=tuple(outputs), training=training, source=source
        )
        return tuple(back) if isinstance(out, tuple) else back[0]

    def _add_layer(self, path, kind, parameters, settings, training, line):
        bases = (BASES[self.framework].get(kind, f"my.{kind}"),)
        rows = []
        for name, array in parameters.items():
            place = f"/steps/0/params/{path}/{name}"
            self.arrays[place] = array
            rows.append(
                Parameter(
                    name,
                    array.shape,
                    str(array.dtype),
                    statistics=statistics(array),
                    digest=digest(array),
                    stored=place if self.keep == "values" else None,
                )
            )
        source = Source(f"{self.framework}_net.py", line, f"self.{path.split('.')[-1]} = nn.{kind}()")
        self.layers[path] = Layer(path, kind, bases, settings, training, tuple(rows), made_at=source)

    def trace(self, **end: Any) -> MemoryTrace:
        """What was recorded, as the diff takes it."""
        layers = {ROOT: self.layers[ROOT], **self.layers} if ROOT in self.layers else dict(self.layers)
        skeleton = Skeleton(
            Header(self.framework, "0", "Net", keep=self.keep),
            layers,
            (Step(0, tuple(self.calls)),),
            End(**({"backward": "not asked for"} | end)),
        )
        return MemoryTrace(skeleton, self.arrays, f"{self.framework}.h5")


@dataclass
class MemoryTrace:
    """A trace whose arrays are in memory; counts what is read."""

    skeleton: Skeleton
    arrays: dict[str, np.ndarray]
    path: str
    read: list[str] = field(default_factory=list)

    def array(self, value: Value | Parameter) -> np.ndarray:
        self.read.append(value.stored)
        return self.arrays[value.stored]

    def check(self, value):
        assert value.stored in self.arrays

    def row_blocks(self, parameter):
        from tracer.trace.statistics import row_blocks

        return row_blocks(self.arrays[parameter.stored])[1]

    def blocks(self, value: Value | Parameter, elements: int = 1 << 20):
        flat = self.array(value).ravel()
        for start in range(0, flat.size, elements):
            yield flat[start : start + elements]
