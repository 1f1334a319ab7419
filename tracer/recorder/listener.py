"""Recorder: what a watcher tells becomes rows.

It keeps the stack of open calls, counts them, knows which recorded value a tensor is, and brings gradients back to the
call they belong to.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Literal

import numpy as np

from tracer.frameworks.base import Leaf, Unreadable, Watcher, leaves, rebuild
from tracer.frameworks.source import Callers
from tracer.recorder.choice import Choice
from tracer.recorder.handed import Handed, handed
from tracer.trace.schema import (
    Entered,
    Gradient,
    Maker,
    ParameterGradient,
    Returned,
    Sums,
    Value,
)
from tracer.trace.statistics import digest
from tracer.trace.writer import Copy, TraceWriter

Array = np.ndarray[Any, Any]
Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is (0 where nobody knows)."""
GradientSide = Literal["grad_input", "grad_output"]

_HELD = 4
"""Gradients held a little longer than the framework would, so that one that comes again is known as the same."""

_PRINT = 64
"""Elements of an output by which a recomputed call is known."""

_LONGEST_TEXT = 1000

_MOST_LEAVES = 10_000
"""Leaves of one result that are recorded: enough for any net, and no more for lists of data that pass through one."""


@dataclass(slots=True, eq=False)
class _Frame:
    """A call that is open, or was: gradients still find it. `order` is None while a recomputation is unmatched."""

    order: int | None
    path: str
    index: int
    again: bool
    written: bool = False
    thread: int = field(default_factory=threading.get_ident)
    began: float = 0.0
    spent: float = 0.0
    inputs: tuple[bytes, ...] = ()
    in_place: list[tuple[str, Any]] = field(default_factory=list)
    handed: list[Handed] = field(default_factory=list)


@dataclass(slots=True)
class _Made:
    """Which recorded value a tensor is, and by what a change in place is noticed."""

    alive: Any
    maker: Maker
    version: int | str | None
    print: bytes


@dataclass(slots=True)
class _Past:
    """A call that returned, as a recomputation is compared with it."""

    order: int
    index: int
    inputs: tuple[bytes, ...]
    outputs: tuple[bytes, ...]
    taken: bool = False


class Recorder:
    """Listens to a watcher and writes rows. No method raises but for an interrupt: failures wait in `failure`."""

    def __init__(
        self,
        watcher: Watcher,
        writer: TraceWriter,
        layers: Mapping[str, Any],
        choice: Choice,
        progress: Progress | None = None,
    ) -> None:
        self.failure: Exception | None = None
        self.stopped: str | None = None
        self._raising: BaseException | None = None
        self.notes: dict[str, None] = {}
        self.uncaptured: dict[str, None] = {}
        self.fired: set[str] = set()
        self.calls: list[tuple[int, str, int, int | None]] = []
        """Order, path, index and enclosing call of each call of the step."""
        self.gradients = 0
        self._watcher = watcher
        self._is_tensor = watcher.is_tensor
        self._writer = writer
        self._layers = dict(layers)
        self._choice = choice
        self._progress = progress
        self._told = 0.0
        self._step = 0
        self._order = 0
        self._counts: dict[str, int] = {}
        self._stack: list[_Frame] = []  # of all threads
        self._lock = threading.RLock()
        self._made: dict[int, _Made] = {}
        self._past: dict[str, list[_Past]] = {}
        self._burst: int | None = None
        self._spent = 0.0
        self._closed = False
        self._held: deque[tuple[Any, Any, Copy]] = deque(maxlen=_HELD)
        self._final: set[tuple[int, str, str]] = set()
        self._inner: set[tuple[int, str, str]] = set()
        self._parameters: dict[tuple[str, str, int], int] = {}
        self._losses = 0
        self._every_part = False
        self._parts_missing = False
        self._removers: list[Callable[[], None]] = []
        self._callers = Callers(_package_folders(watcher.name))
        self._autocast: Callable[[], str | None] = getattr(watcher, "autocast", lambda: None)
        self._sums: Callable[[Any], Sums | None] = getattr(watcher, "sums", lambda _: None)
        self._memory_of: Callable[[Any], Any] = getattr(watcher, "memory_of", lambda _: None)
        self._before_in_place: Callable[[Any], Any] = getattr(watcher, "before_in_place", lambda _: None)
        self._on_part: Callable[..., Any] = getattr(watcher, "on_part", lambda *_: None)

    # What the watcher calls.

    def enter(
        self, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """A call begins; the arguments come back with aliases for the gradients of inputs."""
        began = time.perf_counter()
        with self._lock:
            try:
                return self._enter(path, args, kwargs)
            except Exception as error:
                self._fail(error)
                return None
            finally:
                self._tell("forward", len(self.fired), len(self._layers))
                now = time.perf_counter()
                self._spent += now - began
                if self._stack:
                    self._stack[-1].began, self._stack[-1].spent = now, self._spent

    def leave(self, path: str, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:  # noqa: ARG002
        """The call that was entered last on this path returned."""
        began = time.perf_counter()
        with self._lock:
            try:
                self._leave(path, output, began)
            except Exception as error:
                self._fail(error)
            finally:
                self._spent += time.perf_counter() - began

    def raised(self, path: str, error: BaseException) -> None:
        """The call that was entered last on this path raised."""
        with self._lock:
            try:
                self._raised(path, error)
            except Exception as own:
                self._fail(own)

    def discovered(self, path: str | None, layer: Any) -> bool:
        """A layer that was not there when recording started is about to be called."""
        try:
            if path is None:
                if self._stack:
                    kind = type(layer).__name__
                    self.uncaptured[f"a {kind} that is registered nowhere in the net was called unseen"] = None
                return False
            self._layers[path] = layer
            self.notes[
                f"{path} ({type(layer).__name__}) was made while the net ran: its calls are recorded, "
                "not its settings and parameters"
            ] = None
            return self._choice.why_not(path, layer) is None
        except Exception as error:
            self._fail(error)
            return False

    # What the session calls.

    def watch_parameters(self, parameters: Mapping[tuple[str, str], Any]) -> None:
        """Take the gradients of these; (path, name) is the first place where each lives."""
        for (path, name), tensor in parameters.items():
            remove = self._watcher.on_gradient(tensor, self._parameter_listener(path, name))
            if remove is not None:
                self._removers.append(remove)

    def whole_parameter_gradients(self, whole: Mapping[int, Any], parameters: Mapping[tuple[str, str], Any]) -> None:
        """Write again, whole, the gradients of parameters whose hook fired with parts."""
        for (path, name), tensor in parameters.items():
            gradient = whole.get(id(tensor))
            if gradient is not None and self._parameters.get((path, name, 0), 0) != 1:
                self._write_parameter_gradient(path, name, gradient)
                self._parameters[path, name, 0] = 1

    def close(self) -> None:
        """Take every gradient hook away."""
        self._parts_missing |= any(count > 1 for count in self._parameters.values())
        for remove in self._removers:
            remove()
        self._removers.clear()
        self._held.clear()
        self._made.clear()
        self._closed = True

    def begin_step(self, number: int) -> None:
        """A training step begins; what was known of calls and tensors belongs to the one before."""
        self._clear()
        self._step, self._closed, self._losses = number, False, 0
        self._every_part = True

    def end_step(self) -> None:
        """The step is over: no gradient is listened to until the next one."""
        self.close()
        self._clear()

    def _clear(self) -> None:
        self._order, self._burst = 0, None
        for known in (
            self.calls,
            self._counts,
            self._stack,
            self._made,
            self._past,
            self._held,
            self._final,
            self._inner,
        ):
            known.clear()
        self._parameters.clear()

    def on_loss(self, loss: Any, then: Callable[[Any], None]) -> None:
        """Take what is sent back from a loss; the gradients that come after it are of that backward pass."""
        if not self._is_tensor(loss):
            return

        def arrived(gradient: Any) -> None:
            try:
                self._losses += 1
                then(gradient)
            except Exception as error:
                self._fail(error)

        remove = self._watcher.on_gradient(loss, arrived)
        if remove is not None:
            self._removers.append(remove)

    def outside(self, found: Sequence[Leaf]) -> tuple[tuple[Value, ...], tuple[Array | None, ...]]:
        """Values of things that no call was given or gave, and arrays to store with them. A tensor that is an output of
        the net says so."""
        values, arrays = [], []
        for leaf in found:
            if not self._is_tensor(leaf.value):
                value, array = _plain_value(leaf)
            elif (made := self._unchanged(leaf.value)) is not None:
                facts = self._watcher.facts(leaf.value)
                value, array = Value(leaf.path, "tensor", facts.shape, facts.dtype, facts.device, maker=made), None
            else:
                value, array = self.copied(leaf.path, leaf.value)
            values.append(value)
            arrays.append(array)
        return tuple(values), tuple(arrays)

    def _unchanged(self, tensor: Any) -> Maker | None:
        """Which value of the step that runs a tensor still is."""
        made = self._made.get(id(tensor))
        if made is None:
            return None
        version = self._watcher.version_of(tensor)
        if version is None:
            array = self._watcher.array(tensor)
            return made.maker if not isinstance(array, Unreadable) and digest(array) == made.version else None
        return made.maker if made.version == version else None

    def copied(self, leaf: str, tensor: Any, known: Value | None = None) -> tuple[Value, Array | None]:
        """A tensor as it is now. Where its bits are those of `known`, which is in the trace, no copy is made."""
        return self._gradient_value(leaf, tensor, hold=False, known=known)

    def failed(self, error: Exception) -> None:
        """Something of ours went wrong while the net went on."""
        self._fail(error)

    def stop(self, error: BaseException) -> None:
        """The run was cut by an error: calls that are open did not return."""
        if error is not self._raising:
            where = _call_words(self._stack[-1]) if self._stack else "outside the net"
            self.stopped = f"{where}: {error_words(error)}"
        while self._stack:
            frame = self._stack.pop()
            if frame.order is not None and frame.written:
                self._writer.write(Returned(self._step, frame.order, failed=error_words(error)))

    @property
    def parts_missing(self) -> bool:
        """Did some parameter's gradient arrive in parts that nobody put together?"""
        return self._parts_missing or any(count > 1 for count in self._parameters.values())

    # Calls.

    def _enter(
        self, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        again = self._watcher.in_backward() and not (self._stack and not self._stack[-1].again)
        if again:
            frame = _Frame(None, path, -1, again=True)
        else:
            while self._stack and self._stack[-1].again:
                self._stack.pop()  # a recomputation that ended early, unseen
            index = self._counts.get(path, 0)
            self._counts[path] = index + 1
            self.fired.add(path)
            frame = _Frame(self._order, path, index, again=False)
            self._order += 1
            self._burst = None
        parent = self._innermost(frame.thread)
        if parent is None and self._stack:
            parent = self._innermost(self._stack[0].thread)  # a new thread goes on from where the first one is
        self._stack.append(frame)
        layer = self._layers.get(path)
        found = self._leaves(args) if args else []
        named = self._leaves(kwargs) if kwargs else []
        if again:
            frame.inputs = tuple(self._print(leaf.value) for leaf in (*found, *named) if self._is_tensor(leaf.value))
        else:
            values, arrays, prints = self._values(frame, "input", (*found, *named))
            frame.inputs = tuple(prints)
            self._writer.write(
                Entered(
                    step=self._step,
                    order=self._order - 1,
                    path=path,
                    index=frame.index,
                    parent=parent.order if parent is not None else None,
                    inputs=tuple(values[: len(found)]),
                    kwargs=tuple(values[len(found) :]),
                    training=getattr(layer, "training", None),
                    source=self._callers.line(),
                    autocast=self._autocast(),
                ),
                arrays,
            )
            frame.written = True
            self.calls.append((frame.order or 0, path, frame.index, parent.order if parent is not None else None))
        if layer is not None and self._watcher.in_place(layer):
            frame.in_place = [
                (leaf.path, before)
                for leaf in (*found, *named)
                if self._is_tensor(leaf.value) and (before := self._before_in_place(leaf.value)) is not None
            ]
            return None
        return self._aliased(frame, args, kwargs, (*found, *named))

    def _aliased(
        self, frame: _Frame, args: tuple[Any, ...], kwargs: dict[str, Any], inputs: Sequence[Leaf]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """The arguments with an alias for every tensor whose gradient is wanted; the same one for the same tensor."""
        aliases: dict[int, Any] = {}
        for leaf in inputs:
            tensor = leaf.value
            if id(tensor) in aliases or not self._is_tensor(tensor):
                continue
            alias = self._watcher.alias(tensor)
            if alias is None:
                continue
            aliases[id(tensor)] = alias
            made = self._made.get(id(tensor))
            if made is not None:
                self._remember(alias, made.maker, made.print, made.version)
            self._on_gradient(alias, frame, "grad_input", leaf.path)
        if not aliases:
            return None

        def replace(value: Any) -> Any:
            return aliases.get(id(value), value)

        if not kwargs and all(map(self._is_tensor, args)):
            return tuple(map(replace, args)), kwargs
        given: dict[int, Any] = {id(alias): leaf.value for leaf in inputs if (alias := aliases.get(id(leaf.value)))
                                 is not None}  # fmt: skip

        swapped = rebuild(args, replace), rebuild(kwargs, replace)
        frame.handed = [*handed(args, swapped[0], given), *handed(kwargs, swapped[1], given)]
        return swapped

    def _leave(self, path: str, output: Any, began: float) -> None:
        frame = self._pop(path)
        if frame is None:
            return
        for container in frame.handed:
            container.settle()
        found = self._leaves(output)
        if frame.again:
            self._match(frame, found)
            if frame.order is None:
                return
        else:
            seconds = max(0.0, began - frame.began - (self._spent - frame.spent))
            values, arrays, prints = self._values(frame, "output", found)
            assert frame.order is not None
            self._writer.write(Returned(self._step, frame.order, tuple(values), seconds), arrays)
            self._past.setdefault(path, []).append(_Past(frame.order, frame.index, frame.inputs, tuple(prints)))
        for leaf in found:
            if self._is_tensor(leaf.value):
                self._on_gradient(leaf.value, frame, "grad_output", leaf.path)
        tensors = [leaf.value for leaf in found if self._is_tensor(leaf.value)]
        for leaf_path, before in frame.in_place:
            for tensor in tensors[:1]:
                remove = self._on_part(before, tensor, self._gradient_listener(frame, "grad_input", leaf_path))
                if remove is not None:
                    self._removers.append(remove)

    def _raised(self, path: str, error: BaseException) -> None:
        frame = self._pop(path)
        if frame is None or frame.again:
            return
        for container in frame.handed:
            container.settle()
        words = error_words(error)
        if error is not self._raising:
            self._raising, self.stopped = error, f"{_call_words(frame)}: {words}"
        if frame.order is not None and frame.written:
            self._writer.write(Returned(self._step, frame.order, failed=words))

    def _innermost(self, thread: int) -> _Frame | None:
        return next((frame for frame in reversed(self._stack) if frame.thread == thread), None)

    def _pop(self, path: str) -> _Frame | None:
        """The open call on the path in the running thread; calls inside it that never came back are given up."""
        me = threading.get_ident()
        mine = [frame for frame in self._stack if frame.thread == me]
        if not any(frame.path == path for frame in mine):
            return None
        while True:
            frame = mine.pop()
            self._stack.remove(frame)
            if frame.path == path:
                return frame
            if frame.order is not None and frame.written:
                self._writer.write(Returned(self._step, frame.order, failed="it never returned"))

    def _match(self, frame: _Frame, output: Sequence[Leaf]) -> None:
        """Which recorded call is this recomputation? The one with bit-equal output (and input); of several the next
        one after the call matched before, else the last."""
        prints = tuple(self._print(leaf.value) for leaf in output if self._is_tensor(leaf.value))
        open_ = [past for past in self._past.get(frame.path, ()) if not past.taken]
        same = [past for past in open_ if past.outputs == prints]
        same = [past for past in same if past.inputs == frame.inputs] or same
        if not same:
            same = [past for past in open_ if past.inputs == frame.inputs]
            if not same:
                self.notes["Calls during the backward pass equal no recorded call; they are not recorded"] = None
                return
            self.notes["A recomputed call gave other numbers than at first (random layers inside a checkpoint?)"] = None
        burst = self._burst
        later = [past for past in same if burst is not None and past.order > burst]
        chosen = later[0] if later else same[-1]
        chosen.taken = True
        self._burst = chosen.order
        frame.order, frame.index = chosen.order, chosen.index

    # Values.

    def _leaves(self, tree: Any) -> list[Leaf]:
        if self._is_tensor(tree):
            return [Leaf("", tree)]
        if type(tree) is tuple and len(tree) < 10 and all(map(self._is_tensor, tree)):  # nearly every call
            return [Leaf(str(index), tensor) for index, tensor in enumerate(tree)]
        found = list(islice(leaves(tree), _MOST_LEAVES + 1))
        if len(found) > _MOST_LEAVES:
            self.uncaptured[f"results of more than {_MOST_LEAVES} leaves were recorded up to there"] = None
        return found[:_MOST_LEAVES]

    def _values(
        self, frame: _Frame, side: Literal["input", "output"], found: Sequence[Leaf]
    ) -> tuple[list[Value], list[Array | None], list[bytes]]:
        """Values, the arrays that have to be stored with them, and prints of the tensors among them."""
        assert frame.order is not None
        values: list[Value] = []
        arrays: list[Array | None] = []
        prints: list[bytes] = []
        for leaf in found:
            if not self._is_tensor(leaf.value):
                value, array = _plain_value(leaf)
                values.append(value)
                arrays.append(array)
                continue
            value, copy, seen = self._tensor_value(frame, side, leaf)
            values.append(value)
            arrays.append(copy)
            prints.append(seen)
        return values, arrays, prints

    def _tensor_value(
        self, frame: _Frame, side: Literal["input", "output"], leaf: Leaf
    ) -> tuple[Value, Array | None, bytes]:
        tensor = leaf.value
        assert frame.order is not None
        facts = self._watcher.facts(tensor)
        made = self._made.get(id(tensor))
        if made is not None and made.maker.side == "input" and not self._is_open(frame, made.maker.order):
            made = None  # it came in elsewhere and was not handed on: for this call, code between layers made it
        version: int | str | None = self._watcher.version_of(tensor)
        array: Array | Unreadable | None = None
        if version is None and made is not None:
            array = self._watcher.array(tensor)
            version = None if isinstance(array, Unreadable) else digest(array)
        changed = made is not None and made.version != version
        if changed and side == "output" and made is not None and made.maker.order <= frame.order:
            made, changed = None, False  # this call itself altered what came in: it is the maker
        maker = made.maker if made is not None else None
        known = made is not None and not changed
        if array is None and not known:
            array = self._watcher.array(tensor)
        if made is not None and not changed:
            kept, seen = Copy(), made.print
        elif isinstance(array, Unreadable):
            kept, seen = Copy(problem=array.reason), b""
        else:
            assert array is not None
            kept, seen = self._writer.copy(array, partial(self._sums, tensor)), _print_of(array)
            if version is None:
                version = kept.digest or digest(array)
        value = Value(
            leaf=leaf.path,
            kind="tensor",
            shape=facts.shape,
            dtype=facts.dtype,
            device=facts.device,
            requires_grad=facts.requires_grad,
            maker=maker,
            changed=changed,
            statistics=kept.statistics,
            digest=kept.digest,
            missing=kept.problem,
        )
        if side == "output" or not known:
            self._remember(tensor, Maker(frame.order, side, leaf.path), seen, version)
        return value, kept.array, seen

    def _is_open(self, frame: _Frame, order: int) -> bool:
        return frame.order == order or any(above.order == order for above in self._stack)

    def _remember(self, tensor: Any, maker: Maker, seen: bytes, version: int | str | None) -> None:
        """From now on this tensor, as long as it lives, is that value."""
        key = id(tensor)
        known = self._made
        old = known.get(key)
        if old is not None:
            known[key] = _Made(old.alive, maker, version, seen)
            return
        try:
            alive: Any = weakref.ref(
                tensor, partial(known.pop, key)
            )  # no code of ours that an interrupt could be lost in
        except TypeError:
            alive = tensor  # then it is held, so that its id is not given to another
        known[key] = _Made(alive, maker, version, seen)

    def _print(self, tensor: Any) -> bytes:
        made = self._made.get(id(tensor))
        if made is not None and made.version is not None and made.version == self._watcher.version_of(tensor):
            return made.print
        array = self._watcher.array(tensor)
        return b"" if isinstance(array, Unreadable) else _print_of(array)

    # Gradients.

    def _on_gradient(self, tensor: Any, frame: _Frame, side: GradientSide, leaf: str) -> None:
        remove = self._watcher.on_gradient(tensor, self._gradient_listener(frame, side, leaf))
        if remove is not None:
            self._removers.append(remove)

    def _gradient_listener(self, frame: _Frame, side: GradientSide, leaf: str) -> Callable[[Any], None]:
        def arrived(gradient: Any) -> None:
            try:
                self._gradient(frame, side, leaf, gradient)
            except Exception as error:
                self._fail(error)

        return arrived

    def _parameter_listener(self, path: str, name: str) -> Callable[[Any], None]:
        def arrived(gradient: Any) -> None:
            try:
                self._parameter_gradient(path, name, gradient)
            except Exception as error:
                self._fail(error)

        return arrived

    def _inside(self) -> bool:
        """Does a gradient arrive while the net itself still runs? Then the net takes it for its own ends."""
        return bool(self._stack) and any(not frame.again for frame in self._stack)

    def _gradient(self, frame: _Frame, side: GradientSide, leaf: str, gradient: Any) -> None:
        if frame.order is None or gradient is None or self._closed:
            return
        self._burst = None
        key = (frame.order, side, leaf)
        if key in self._final:
            self.notes["Some gradients arrived more than once (several backward passes); the first is kept"] = None
            return
        if self._inside():
            self.notes["The net takes gradients in its own forward pass; a later backward pass replaces them"] = None
            if key in self._inner:
                return
            self._inner.add(key)
        else:
            self._final.add(key)
        value, array = self._gradient_value(leaf, gradient)
        self.gradients += 1
        self._tell("backward, gradients", self.gradients, 0)
        self._writer.write(Gradient(self._step, frame.order, side, value), (array,))

    def _parameter_gradient(self, path: str, name: str, gradient: Any) -> None:
        if gradient is None or self._closed or self._inside():
            return
        self._burst = None
        part = max(self._losses - 1, 0) if self._every_part else 0
        count = self._parameters.get((path, name, part), 0)
        self._parameters[path, name, part] = count + 1
        if count == 0:
            self._write_parameter_gradient(path, name, gradient, part)

    def _write_parameter_gradient(self, path: str, name: str, gradient: Any, part: int = 0) -> None:
        value, array = self._gradient_value(name, gradient, hold=False)
        self.gradients += 1
        self._writer.write(ParameterGradient(self._step, path, name, value, part), (array,))

    def _gradient_value(
        self, leaf: str, gradient: Any, *, hold: bool = True, known: Value | None = None
    ) -> tuple[Value, Array | None]:
        facts = self._watcher.facts(gradient)
        memory = self._memory_of(gradient) if hold else None
        kept = None
        if memory is not None:
            kept = next((copy for _, held, copy in self._held if held == memory), None)
        if kept is None:
            read = self._watcher.array(gradient)
            if isinstance(read, Unreadable):
                kept = Copy(problem=read.reason)
            else:
                kept = self._writer.again(read, known) if known is not None else None
                kept = kept or self._writer.copy(read, partial(self._sums, gradient))
                if memory is not None:
                    self._held.append((gradient, memory, kept))
        value = Value(
            leaf=leaf,
            kind="tensor",
            shape=facts.shape,
            dtype=facts.dtype,
            device=facts.device,
            statistics=kept.statistics,
            digest=kept.digest,
            stored=kept.stored,
            missing=kept.problem,
        )
        return value, kept.array

    def _tell(self, what: str, done: int, total: int) -> None:
        """How far the run is, ten times a second at most."""
        if self._progress is not None and (now := time.perf_counter()) > self._told + 0.1:
            self._told = now
            self._progress(what, done, total)

    def _fail(self, error: Exception) -> None:
        if self.failure is None:
            self.failure = error


def _plain_value(leaf: Leaf) -> tuple[Value, Array | None]:
    value = leaf.value
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        value = value.item()
    if value is None:
        return Value(leaf.path, "none"), None
    if isinstance(value, bool | int | float | str) and type(value).__module__ == "builtins":
        return Value(leaf.path, "scalar", literal=value[:_LONGEST_TEXT] if isinstance(value, str) else value), None
    if isinstance(value, complex | np.ndarray) and np.asarray(value).dtype.kind in "biufc":
        array = np.array(value, order="C")
        return Value(leaf.path, "tensor", shape=array.shape, dtype=array.dtype.name, device="numpy"), array
    return Value(leaf.path, "other", literal=type(value).__name__), None


def _print_of(array: Array) -> bytes:
    """Some elements, evenly spaced, with shape and dtype: enough to know a bit-equal array again."""
    flat = array.reshape(-1)
    chosen = flat if flat.size <= _PRINT else flat[:: max(1, flat.size // _PRINT)]
    return repr((array.shape, array.dtype.str)).encode() + chosen.tobytes()


def _call_words(frame: _Frame) -> str:
    return f"{frame.path} (call {frame.index})"


def _package_folders(name: str) -> list[str]:
    import importlib.util

    spec = importlib.util.find_spec(name)
    return [str(folder) for folder in spec.submodule_search_locations or ()] if spec is not None else []


def error_words(error: BaseException) -> str:
    """An error in a line for the trace."""
    text = str(error).strip()
    return f"{type(error).__name__}: {text[:_LONGEST_TEXT]}" if text else type(error).__name__
