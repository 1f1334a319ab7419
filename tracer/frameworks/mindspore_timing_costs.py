"""What timing costs, measured on MindSpore cells that do nothing. Needs no import of MindSpore: it is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from statistics import median
from typing import Any

from tracer.frameworks.timing import Costs, Log
from tracer.trace.schema import ROOT

_MANY = 100

Watch = Callable[[Any, Mapping[str, Any], Log], AbstractContextManager[None]]


def costs(mindspore: Any, watch: Watch, wait: Callable[[], None] | None) -> Costs:
    """Nanoseconds that the hooks of `watch` add; found as in `torch_timing_costs.py`.

    The tensors that the empty cells are given take a gradient, so that the hooks on tensors are among what is measured.
    """
    now = time.perf_counter_ns
    inner: list[int] = []
    around: list[tuple[int, int]] = []

    class Empty(mindspore.nn.Cell):  # type: ignore[misc]
        def construct(self, x: Any) -> Any:
            inner.append(now())
            return x

    class Around(mindspore.nn.Cell):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = mindspore.nn.CellList([Empty() for _ in range(_MANY)])

        def construct(self, *given: Any) -> Any:
            for layer, x in zip(self.layers, given, strict=True):
                before = now()
                layer(x)
                around.append((before, now()))
            return given[0] * 1

    net = Around()
    paths = {ROOT: net} | {f"layers.{n}": layer for n, layer in enumerate(net.layers)}
    start = mindspore.Tensor([1.0], mindspore.float32)
    into, out, log = 0, 0, Log(wait)

    def forward(x: Any) -> Any:
        given = [x * 1 for _ in range(_MANY)]
        if wait is not None:
            wait()
        return net(*given)

    both = mindspore.value_and_grad(forward, 0)
    for watched in (False, True, False, True):  # the first time is slow
        inner.clear()
        around.clear()
        log = Log(wait)
        log.start()
        if watched:
            with watch(net, paths, log):
                both(start)
        else:
            both(start)
            into = _middle([at - before for (before, _), at in zip(around, inner, strict=True)])
            out = _middle([after - at for (_, after), at in zip(around, inner, strict=True)])
    calls = [line for line in log.lines if line.what in ("enter", "leave")][1:-1]
    begins = [log.zero + line.time for line in calls if line.what == "enter"]
    ends = [log.zero + line.time for line in calls if line.what == "leave"]
    before = _middle([begin - start for (start, _), begin in zip(around, begins, strict=True)])
    behind = _middle([end - stop for (_, end), stop in zip(around, ends, strict=True)])
    inside = _middle([end - begin for begin, end in zip(begins, ends, strict=True)])
    return Costs(max(0, before - into), max(0, behind - out), inside, _backward(mindspore, wait))


def _backward(mindspore: Any, wait: Callable[[], None] | None) -> int:
    """Two hooks on one tensor: from one's clock to the other's nothing is computed."""
    log = Log(wait)
    start = mindspore.Tensor([1.0], mindspore.float32)

    def forward(x: Any) -> Any:
        for _ in range(_MANY):
            x = x * 1
            x.register_hook(lambda _: log.begin(("", 0)))
            x.register_hook(lambda _: log.end(("", 0)))
        return x

    log.start()
    mindspore.grad(forward)(start)
    times = [line.time for line in log.lines]
    return _middle([b - a for a, b in zip(times[::2], times[1::2], strict=False)])


def _middle(times: list[int]) -> int:
    return int(median(times)) if times else 0
