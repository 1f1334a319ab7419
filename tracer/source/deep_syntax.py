"""Room for syntax that is nested as deep as Python can read it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

FRAMES = 100_000
"""Calls within calls; Python reads some three thousand expressions within each other, and a walk takes several each."""
STACK = 512 << 20
"""Bytes of the stack that so many may need; what is not used takes no memory."""

_ONE_AT_A_TIME = threading.Lock()


def with_deep_stack(work: Callable[[], T]) -> T:
    """Do the work in a thread of its own that has room for deep recursion, and give back what it gives or raises."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:
            failed.append(error)

    with _ONE_AT_A_TIME:
        limit, size = sys.getrecursionlimit(), threading.stack_size()
        try:
            threading.stack_size(STACK)
            sys.setrecursionlimit(max(limit, FRAMES))
            thread = threading.Thread(target=run, name="tracer-scan", daemon=True)
            try:
                thread.start()
            except (RuntimeError, MemoryError):  # no room for such a stack
                sys.setrecursionlimit(limit)
                return work()
            while thread.is_alive():  # in steps, so that Ctrl-C comes through
                thread.join(0.2)
        finally:
            threading.stack_size(size)
            sys.setrecursionlimit(limit)
    if failed:
        raise failed[0]
    return done[0]
