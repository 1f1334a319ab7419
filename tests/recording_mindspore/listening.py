"""A listener of thirty lines: what a recorder asks of a watcher, and nothing else."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack

import numpy as np

from tracer.frameworks.base import leaves, rebuild


class Listening:
    """Keeps outputs and gradients by (path, call index) and leaf; aliases inputs when told to."""

    def __init__(self, watcher, alias=True):
        self.watcher, self.alias = watcher, alias
        self.counts, self.open, self.failed = Counter(), [], []
        self.outputs, self.output_gradients, self.input_gradients, self.inputs = {}, {}, {}, {}

    def enter(self, path, args, kwargs):
        again = self.watcher.in_backward()
        call = (path, self.counts[path] - again)  # recomputed: the call that was there before
        if not again:
            self.counts[path] += 1
        self.open.append((call, again))
        if again:
            return None
        self.inputs[call] = [leaf.value for leaf in leaves((args, kwargs))]
        if not self.alias:
            return None
        known = {}

        def one(value):
            if not self.watcher.is_tensor(value):
                return value
            if id(value) not in known:
                view = self.watcher.alias(value)
                known[id(value)] = value if view is None else view
                if view is not None:
                    keep = lambda g, call=call, n=len(known): self.input_gradients.setdefault(
                        (*call, n), copied(self.watcher, g)
                    )
                    self.watcher.on_gradient(view, keep)
            return known[id(value)]

        return rebuild(args, one), rebuild(kwargs, one)

    def leave(self, path, args, kwargs, output):
        call, again = self.open.pop()
        assert call[0] == path
        for leaf in leaves(output):
            if self.watcher.is_tensor(leaf.value):
                if not again:
                    self.outputs[(*call, leaf.path)] = copied(self.watcher, leaf.value)
                keep = lambda g, key=(*call, leaf.path): self.output_gradients.__setitem__(key, copied(self.watcher, g))
                self.watcher.on_gradient(leaf.value, keep)

    def raised(self, path, error):
        call, _ = self.open.pop()
        assert call[0] == path
        self.failed.append((path, type(error).__name__))

    def discovered(self, path, layer):
        return False


def copied(watcher, tensor):
    """The tensor's data, in memory of its own."""
    return np.array(watcher.array(tensor))


def listen(net, watcher, alias=True):
    """Open everything a recording opens; gives the listener. Used as `with listen(net, watcher) as (stack, heard)`."""
    stack = ExitStack()
    heard = Listening(watcher, alias)
    stack.enter_context(watcher.eager(net))
    stack.enter_context(watcher.watch(net, heard, {path: layer for path, layer, _ in watcher.layers(net)}))
    return stack, heard
