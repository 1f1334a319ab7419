"""Small nets written down with the time each call takes, and the `Timing` that a recorder would give of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tracer.profiling.sides import Side, side
from tracer.trace.schema import (
    ROOT,
    Call,
    End,
    Entered,
    Header,
    Layer,
    Maker,
    Parameter,
    Returned,
    Skeleton,
    Step,
    Value,
)
from tracer.trace.timing import Timing
from tracer.trace.writer import TraceWriter

US = 1000
"""Nanoseconds of a microsecond."""

BASES = {
    "torch": {
        "Linear": "torch.nn.modules.linear.Linear",
        "GELU": "torch.nn.modules.activation.GELU",
        "LayerNorm": "torch.nn.modules.normalization.LayerNorm",
        "Conv2d": "torch.nn.modules.conv.Conv2d",
        "Dropout": "torch.nn.modules.dropout.Dropout",
        "MultiheadAttention": "torch.nn.modules.activation.MultiheadAttention",
    },
    "mindspore": {
        "Dense": "mindspore.nn.layer.basic.Dense",
        "GELU": "mindspore.nn.layer.activation.GELU",
        "LayerNorm": "mindspore.nn.layer.normalization.LayerNorm",
        "Conv2d": "mindspore.nn.layer.conv.Conv2d",
        "Dropout": "mindspore.nn.layer.basic.Dropout",
    },
}


@dataclass
class Box:
    """A call: `own` microseconds of its own forward, `back` of its own backward, and the calls inside. It takes what the
    one before it made, or what the block around it was given (`given_to` "net")."""

    path: str
    kind: str
    own: float
    inside: list[Box] = field(default_factory=list)
    back: float | None = None
    shape: tuple[int, ...] = (4, 8)
    given: tuple[int, ...] = (4, 8)
    settings: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, tuple[int, ...]] = field(default_factory=dict)
    given_to: str = ""

    @property
    def backward(self) -> float:
        """Its own backward; twice its forward where nothing is said."""
        return 2 * self.own if self.back is None else self.back


def linear(path, own, features=(8, 8), *, framework="torch", batch=4, **more) -> Box:
    into, out = features
    kind, names = (
        ("Linear", ("in_features", "out_features"))
        if framework == "torch"
        else ("Dense", ("in_channels", "out_channels"))
    )
    return Box(
        path,
        kind,
        own,
        shape=(batch, out),
        given=(batch, into),
        settings=dict(zip(names, features)),
        parameters={"weight": (out, into), "bias": (out,)},
        **more,
    )


@dataclass
class Net:
    """A net that is timed: what watching costs, how much times vary, how many repeats, what phases."""

    root: Box
    framework: str = "torch"
    enter: int = 300
    leave: int = 500
    within: int = 200
    repeats: int = 10
    noise: float = 0.01
    seed: int = 0
    outside: float = 20.0
    backward: bool = True
    bare: bool = True
    update: float = 0.0
    environment: dict[str, Any] = field(default_factory=lambda: {"device": "cpu", "threads": 2})
    notes: tuple[str, ...] = ()
    training: bool = False

    def skeleton(self) -> Skeleton:
        layers: dict[str, Layer] = {}
        calls: list[Call] = []
        counts: dict[str, int] = {}

        def walk(box: Box, parent: int | None, given: Maker | None) -> Maker:
            order, index = len(calls), counts.get(box.path, 0)
            counts[box.path] = index + 1
            base = BASES[self.framework].get(box.kind)
            layers[box.path] = Layer(
                box.path,
                box.kind,
                (base,) if base else (f"net.{box.kind}",),
                box.settings,
                self.training,
                tuple(Parameter(name, shape, "float32") for name, shape in box.parameters.items()),
                children=tuple(one.path for one in box.inside),
            )
            calls.append(None)
            inputs = (Value("0", "tensor", box.given, "float32", maker=given),)
            at = Maker(order, "input", "0") if given is None else given
            first = at
            for one in box.inside:
                at = walk(one, order, first if one.given_to else at)
            made = None if not box.inside else at
            outputs = (Value("", "tensor", box.shape, "float32", maker=made),)
            calls[order] = Call(0, order, box.path, index, parent, inputs, (), outputs, training=self.training)
            return Maker(order, "output", "") if made is None else made

        walk(self.root, None, None)
        header = Header(self.framework, "1.0", self.root.kind, keep="timing", environment=self.environment)
        return Skeleton(
            header, layers, (Step(0, tuple(calls)),), End(backward=None if self.backward else "switched off")
        )

    def timing(self) -> Timing:
        calls = self.skeleton().steps[0].calls
        chance = np.random.default_rng(self.seed)
        count, repeats = len(calls), self.repeats
        forward = np.full((repeats, count, 2), -1, np.int64)
        backward = np.full((repeats, count, 2), -1, np.int64)
        own, total = (np.full((repeats, count), -1, np.int64) for _ in range(2))
        step, bare = np.full((repeats, 4), -1, np.int64), np.full(repeats, -1, np.int64)
        for repeat in range(repeats):
            self._clock, order, spent = self.outside / 2 * US, iter(range(count)), 0.0

            def vary(time):
                return time * US * (1 + self.noise * chance.standard_normal())

            def run(box: Box) -> tuple[float, float]:
                at = next(order)
                self._clock += self.enter
                forward[repeat, at, 0] = int(self._clock)
                self._clock += self.within
                mine = vary(box.own)
                self._clock += mine / 2
                inside = [run(one) for one in box.inside]
                self._clock += mine / 2
                forward[repeat, at, 1] = int(self._clock)
                self._clock += self.leave
                back = vary(box.backward)
                if self.backward:
                    own[repeat, at] = int(back)
                    total[repeat, at] = int(back + sum(b for _, b in inside))
                return mine + sum(f for f, _ in inside), back + sum(b for _, b in inside)

            spent, back = run(self.root)
            self._clock += self.outside / 2 * US
            step[repeat, 0] = int(self._clock)
            if self.backward:
                self._back(self.root, own[repeat], backward[repeat], self._clock, iter(range(count)))
                self._clock += back + self.outside * US
                step[repeat, 2] = int(self._clock)
            if self.update:
                self._clock += self.update * US
                step[repeat, 3] = int(self._clock)
            if self.bare:
                more = (self.outside * US + back) if self.backward else 0.0
                bare[repeat] = int(spent + self.outside * US + more + self.update * US)
        return Timing(
            tuple(call.order for call in calls),
            forward,
            backward,
            own,
            total,
            step,
            bare,
            self.enter,
            self.leave,
            self.within,
            np.full(count, -1, np.int64),
            "nothing was needed",
            self.notes,
        )

    def _back(self, root: Box, own, spans, begin: float, order) -> None:
        """Backward in the opposite order: what ran last comes first, a container's own code in between."""
        columns = {}

        def number(box):
            columns[id(box)] = next(order)
            for one in box.inside:
                number(one)

        number(root)
        clock = begin

        def run(box):
            nonlocal clock
            at = columns[id(box)]
            start = clock
            clock += own[at]
            for one in reversed(box.inside):
                run(one)
            spans[at] = int(start), int(clock)

        run(root)

    def side(self, name: str | None = None) -> Side:
        return side(name or f"{self.framework}.h5", self.skeleton(), self.timing())

    def write(self, path: Path, timing: Timing | None = None) -> Path:
        """The net and its times as a trace file; other times where they are given."""
        skeleton = self.skeleton()
        writer = TraceWriter(path, skeleton.header)
        writer.layers(skeleton.layers.values(), [])
        calls = skeleton.steps[0].calls
        for call in calls:
            writer.write(Entered(0, call.order, call.path, call.index, call.parent, call.inputs), [None])
        for call in reversed(calls):
            writer.write(Returned(0, call.order, call.outputs), [None])
        writer.timing(timing or self.timing())
        return writer.finish(skeleton.end)


def mlp(framework: str = "torch", *, slow: float = 1.0, blocks: int = 3, kind: str = "Net") -> Box:
    """Blocks of two linear layers and a GELU; of the block in the middle the GELU takes `slow` times as long."""
    made = []
    for n in range(blocks):
        act = 20.0 * (slow if n == blocks // 2 else 1.0)
        made.append(
            Box(
                f"blocks.{n}",
                "Block",
                5.0,
                [
                    linear(f"blocks.{n}.fc1", 100.0, (8, 32), framework=framework),
                    Box(f"blocks.{n}.act", "GELU", act, shape=(4, 32), given=(4, 32)),
                    linear(f"blocks.{n}.fc2", 100.0, (32, 8), framework=framework),
                ],
            )
        )
    return Box(ROOT, kind, 10.0, [*made, linear("head", 50.0, framework=framework)])


def other(net: Net, **more) -> Net:
    return replace(net, **more)
