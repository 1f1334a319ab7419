"""What timing costs, measured on torch modules that do nothing. Needs no import of torch: it is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from statistics import median
from typing import Any

from tracer.frameworks.timing import Costs, Log
from tracer.frameworks.torch_operations import Operations
from tracer.trace.schema import ROOT

_MANY = 200

Watch = Callable[[Any, Mapping[str, Any], Log], AbstractContextManager[None]]


def costs(torch: Any, watch: Watch, wait: Callable[[], None] | None) -> Costs:
    """Nanoseconds that the hooks of `watch` add.

    Each empty layer reads the clock itself, and so does what calls it, with hooks and without: the differences are the
    costs before and behind a call. What its own hooks measure of an empty layer is the cost within.
    """
    now = time.perf_counter_ns
    inner: list[int] = []

    class Empty(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            inner.append(now())
            return x

    class Around(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList(Empty() for _ in range(_MANY))

        def forward(self, x: Any) -> list[tuple[int, int]]:
            times = []
            for layer in self.layers:
                before = now()
                layer(x)
                times.append((before, now()))
            return times

    net, x = Around(), torch.zeros(1)
    paths = {ROOT: net} | {f"layers.{n}": layer for n, layer in enumerate(net.layers)}
    for _ in range(2):  # the first time is slow
        inner.clear()
        around = net(x)
        into_bare = _middle([at - before for (before, _), at in zip(around, inner, strict=True)])
        out_bare = _middle([after - at for (_, after), at in zip(around, inner, strict=True)])
        log = Log(wait)
        log.start()
        with watch(net, paths, log):
            around = net(x)
    begins = [log.zero + line.time for line in log.lines if line.what == "enter"][1:]
    ends = [log.zero + line.time for line in log.lines if line.what == "leave"][:-1]
    into = _middle([begin - before for (before, _), begin in zip(around, begins, strict=True)])
    out = _middle([after - end for (_, after), end in zip(around, ends, strict=True)])
    inside = _middle([end - begin for begin, end in zip(begins, ends, strict=True)])
    return Costs(max(0, into - into_bare), max(0, out - out_bare), inside, _backward(torch, wait))


def _backward(torch: Any, wait: Callable[[], None] | None) -> int:
    """Both hooks are put on twice. From one's clock to the other's it takes as long as from the first one's clock to
    the operation and, behind it, from the operation to the clock, together."""
    log = Log(wait)
    operations = Operations(torch, log)
    with torch.inference_mode(False), torch.enable_grad():
        x = start = torch.zeros(1, requires_grad=True)
        for _ in range(_MANY):
            x = x.view(1)
            for _ in range(2):
                operations.hook(x.grad_fn, ("", 0))
        log.start()
        torch.autograd.grad(x, start)
    operations.close()
    times = [line.time for line in log.lines]
    each = zip(times[::4], times[1::4], times[2::4], times[3::4], strict=True)
    return _middle([(b - a + d - c) // 2 for a, b, c, d in each])


def _middle(times: list[int]) -> int:
    return int(median(times))
