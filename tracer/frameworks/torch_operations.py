"""Which operations of torch's backward pass belong to which call, and how long each takes. Needs no import of torch: it
is given.

Torch numbers the operations that it will go back through as they are made, so the count at the beginning and end of a
call says which of them are the call's. When the outermost call returns they are looked up in the graph, and each gets a
hook before it and one behind it: the time between is what the operation took. Neither hook gives anything back.

An accumulation of a parameter's gradient has no number: it belongs to the call whose operation feeds it; of several to
the first, behind whose operation it runs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from tracer.frameworks.base import leaves
from tracer.frameworks.timing import Call, Log

_NO_NUMBER = 1 << 62
"""Operations with a number beyond have none: accumulations of gradients."""


class Operations:
    """The operations of one step that are in calls, with hooks that write into the log."""

    def __init__(self, torch: Any, log: Log) -> None:
        self._torch, self._log = torch, log
        self._handles: list[Any] = []
        self._owners: dict[Any, Call | None] = {}
        self._read = 0
        self._again = False
        self._places: list[int] = []
        self._calls: list[Call | None] = []
        self._open: list[Call] = []
        self._orders: dict[Call, int] = {}
        counted = getattr(torch._C._autograd, "_get_sequence_nr", None)  # noqa: SLF001
        self.count: Callable[[], int] = counted or (lambda: 0)
        """The number that the next operation gets."""
        self._numbered = counted is not None
        if counted is None:
            log.notes["This torch does not number its operations: their backward pass belongs to no call"] = None

    def extend(self, outputs: Any) -> None:
        """Put hooks on all operations that lead to these outputs and were made by calls in the log."""
        self._read_log()
        if not self._places or not self._numbered:
            return
        tensors = (leaf.value for leaf in leaves(outputs) if isinstance(leaf.value, self._torch.Tensor))
        road: list[tuple[Any, Call | None]] = [(t.grad_fn, None) for t in tensors if t.grad_fn is not None]
        accumulations: dict[Any, Call] = {}
        while road:
            node, feeding = road.pop()
            if node._sequence_nr() >= _NO_NUMBER:  # noqa: SLF001
                known = accumulations.get(node)
                if feeding is not None and (known is None or self._orders[feeding] < self._orders[known]):
                    accumulations[node] = feeding
            elif node not in self._owners:
                owner = self._owners[node] = self._owner(node._sequence_nr())  # noqa: SLF001
                if owner is not None:
                    self.hook(node, owner)
                road.extend((following, owner) for following, _ in node.next_functions if following is not None)
        for node, feeding in accumulations.items():
            if node not in self._owners:
                self._owners[node] = feeding
                self.hook(node, feeding)

    def hook(self, node: Any, owner: Call) -> None:
        """Two hooks on an operation."""
        begin, end = self._log.begin, self._log.end

        def before(_: Any) -> None:
            begin(owner)

        def behind(_: Any, __: Any) -> None:
            end(owner)

        self._handles += (node.register_prehook(before), node.register_hook(behind))

    def close(self) -> None:
        """Take all hooks away, and hold no operation."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._owners.clear()

    def _read_log(self) -> None:
        """At which numbers which call is the innermost one."""
        for line in self._log.lines[self._read :]:
            if line.call is None or line.what in ("begin", "end"):
                continue
            if line.again != self._again:  # perhaps in another thread, which counts for itself
                self._again, self._places, self._calls, self._open = line.again, [], [], []
            if line.what == "enter":
                self._open.append(line.call)
                self._orders.setdefault(line.call, len(self._orders))
            else:
                while self._open and self._open.pop() != line.call:
                    pass
            self._places.append(line.place)
            self._calls.append(self._open[-1] if self._open else None)
        self._read = len(self._log.lines)

    def _owner(self, number: int) -> Call | None:
        at = bisect_right(self._places, number) - 1
        return self._calls[at] if at >= 0 else None
