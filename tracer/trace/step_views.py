"""How steps read to a person: their losses, the optimizer, parameters before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

from tracer.errors import TracerError
from tracer.trace.schema import Group, LossTaken, Measures, Optimizer, Parameter, Step, Value
from tracer.trace.statistics import Array
from tracer.trace.views import CallView, Layers, Nest, Reads, ValueView, describe, full_name, unknown


class UnknownStep(TracerError, IndexError):  # noqa: N818 (as IndexError has it)
    """A place in the sequence of steps where there is none."""


class LossView:
    """A loss of a step: `numpy.asarray(loss)` is what it was, `gradient` what was sent back from it."""

    def __init__(self, trace: Reads, step: int, taken: LossTaken) -> None:
        self._trace = trace
        self._step = step
        self.taken = taken

    @property
    def value(self) -> ValueView:
        """The loss."""
        return ValueView(self._trace, self.taken.value, f"loss {self.taken.index} of step {self._step}")

    @property
    def gradient(self) -> ValueView | None:
        """What was sent back from it; None where that was not seen."""
        found = self.taken.gradient
        return None if found is None else ValueView(self._trace, found, f"gradient of {self._words}")

    @property
    def kind(self) -> str:
        """What made it, as far as it was seen."""
        return self.taken.kind

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of what made it."""
        return self.taken.settings

    @property
    def inputs(self) -> dict[str, Nest]:
        """What it was made of, by position or name."""
        shown = {value.leaf: ValueView(self._trace, value, f"{value.leaf} of {self._words}")
                 for value in self.taken.inputs if value.kind == "tensor"}  # fmt: skip
        plain = {value.leaf: value.literal for value in self.taken.inputs if value.kind != "tensor"}
        return {value.leaf: shown.get(value.leaf, plain.get(value.leaf)) for value in self.taken.inputs}

    @property
    def _words(self) -> str:
        return f"loss {self.taken.index} of step {self._step}"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return self.value.__array__(dtype, copy)

    def __float__(self) -> float:
        found = self.taken.value.statistics
        if self.taken.value.shape not in ((), (1,)) or found is None:
            raise TypeError(f"{self._words} is no one number: {describe(self.taken.value)}")
        return found.sample[0]

    def __repr__(self) -> str:
        made = f" by {self.kind}" if self.kind else ""
        return f"<{self._words}{made}: {describe(self.taken.value)}>"


class States(Mapping[str, ValueView]):
    """Parameters before or after a step, by their names in the whole net; a tied one under its first."""

    def __init__(self, trace: Reads, values: Mapping[tuple[str, str], Value], words: str) -> None:
        self._trace = trace
        self._values = {full_name(*place): value for place, value in values.items()}
        self._words = words

    def __getitem__(self, name: str) -> ValueView:
        if name not in self._values:
            raise unknown("parameter", name, self._values, self._trace.path)
        return ValueView(self._trace, self._values[name], f"{name} {self._words}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<{len(self)} parameters {self._words}>"


class OptimizerView:
    """The optimizer of a step, at its first update."""

    def __init__(self, trace: Reads, step: Step, optimizer: Optimizer) -> None:
        self._trace = trace
        self._step = step
        self.optimizer = optimizer

    @property
    def kind(self) -> str:
        """Its class."""
        return self.optimizer.kind

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings that hold for all its parameters."""
        return self.optimizer.settings

    @property
    def groups(self) -> tuple[Group, ...]:
        """Its groups: settings, and (path, name) of the parameters."""
        return self.optimizer.groups

    @property
    def gradients(self) -> States:
        """The gradients that it got, by the parameters' names."""
        words = f"as the optimizer got its gradient in step {self._step.number}"
        return States(self._trace, self._step.update_gradients, words)

    @property
    def state_before(self) -> dict[str, dict[str, Any]]:
        """What it remembered before the step: by parameter ("" for what is of none), then by its own word."""
        return self._state(self._step.state_before, "before")

    @property
    def state_after(self) -> dict[str, dict[str, Any]]:
        """The same after the step."""
        return self._state(self._step.state_after, "after")

    def _state(self, found: Mapping[tuple[str, str, str], Value], when: str) -> dict[str, dict[str, Any]]:
        shown: dict[str, dict[str, Any]] = {}
        for (path, name, key), value in found.items():
            of = full_name(path, name) if path else ""
            words = f"{key} of {of or 'the optimizer'} {when} step {self._step.number}"
            one = ValueView(self._trace, value, words) if value.kind == "tensor" else value.literal
            shown.setdefault(of, {})[key] = one
        return shown

    def __repr__(self) -> str:
        count = sum(len(group.parameters) for group in self.groups)
        groups = f"{len(self.groups)} group{'s' * (len(self.groups) != 1)}"
        return f"<{self.kind} of {count} parameters in {groups}, step {self._step.number}>"


class StepView(Layers):
    """One step: a mapping from paths to layers with the calls of this step."""

    def __init__(self, trace: Reads, step: Step) -> None:
        super().__init__(trace, step.number)
        self.step = step
        """The plain facts, as in the skeleton."""

    @property
    def number(self) -> int:
        """Which step it is; of a recording that keeps some of them only, as the user counts."""
        return self.step.number

    @property
    def calls(self) -> list[CallView]:
        """All calls in the order in which they began."""
        return [CallView(self._trace, call) for call in self.step.calls]

    @property
    def losses(self) -> list[LossView]:
        """The losses of the step, in the order in which they were named."""
        return [LossView(self._trace, self.number, taken) for taken in self.step.losses]

    @property
    def loss(self) -> LossView | None:
        """The first loss; None where none was named."""
        return next(iter(self.losses), None)

    @property
    def optimizer(self) -> OptimizerView | None:
        """The optimizer at its first update; None where there was none."""
        found = self.step.optimizer
        return None if found is None else OptimizerView(self._trace, self.step, found)

    @property
    def parameters_before(self) -> States:
        """Parameters and buffers before the step."""
        found = self.step.parameters_before
        if not found and not self.step.keep:  # no training: as they were when recording started
            found = {
                (path, p.name): as_value(p)
                for path, layer in self._trace.skeleton.layers.items()
                for p in layer.parameters
                if p.owner is None
            }
        return States(self._trace, found, f"before step {self.number}")

    @property
    def parameters_after(self) -> States:
        """Parameters and buffers after the step."""
        return States(self._trace, self.step.parameters_after, f"after step {self.number}")

    @property
    def gradients(self) -> States:
        """Gradients of parameters as the (first) backward pass gave them."""
        return States(self._trace, self.step.parameter_gradients, f"gradient of step {self.number}")

    @property
    def measures(self) -> Measures:
        """The step in numbers."""
        return self.step.measures

    def __repr__(self) -> str:
        what = [f"{len(self.step.calls)} call{'s' * (len(self.step.calls) != 1)}"]
        if self.step.measures.loss is not None:
            what.append(f"loss {self.step.measures.loss:.6g}")
        what += [self.step.failed] if self.step.failed else []
        return f"<step {self.number} of {self._trace.path.name}: {', '.join(what)}>"


class Steps(Sequence[StepView]):
    """All steps in their order. Of a recording that keeps some of them only `numbers` says which they are."""

    def __init__(self, trace: Reads) -> None:
        self._trace = trace

    @property
    def numbers(self) -> list[int]:
        """The number of each step, as the user counts."""
        return [step.number for step in self._trace.skeleton.steps]

    def at(self, number: int) -> StepView:
        """The step of this number.

        Raises:
            UnknownName: it was not kept.
        """
        if number not in self.numbers:
            raise unknown("step", number, list(map(str, self.numbers)), self._trace.path)
        return self[self.numbers.index(number)]

    @overload
    def __getitem__(self, index: int) -> StepView: ...

    @overload
    def __getitem__(self, index: slice) -> list[StepView]: ...

    def __getitem__(self, index: int | slice) -> StepView | list[StepView]:
        steps = self._trace.skeleton.steps
        if isinstance(index, slice):
            return [StepView(self._trace, step) for step in steps[index]]
        if not isinstance(index, int) or not -len(steps) <= index < len(steps):
            then = f"there are {len(steps)}; those that were kept have the numbers {_some(self.numbers)}"
            raise UnknownStep(f"There is no step at {index!r}", where=str(self._trace.path), then=then)
        return StepView(self._trace, steps[index])

    def __len__(self) -> int:
        return len(self._trace.skeleton.steps)

    def __repr__(self) -> str:
        return f"<{len(self)} step{'s' * (len(self) != 1)} of {self._trace.path.name}>"


def _some(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:6]))
    return f"{shown}, ..., {numbers[-1]}" if len(numbers) > 6 else shown or "none"


def as_value(parameter: Parameter) -> Value:
    """A parameter as it was when recording started, as the state of a step has it."""
    return Value(
        leaf=parameter.name,
        kind="tensor",
        shape=parameter.shape,
        dtype=parameter.dtype,
        device=parameter.device,
        requires_grad=parameter.trainable,
        statistics=parameter.statistics,
        digest=parameter.digest,
        stored=parameter.stored,
        missing=parameter.missing,
    )
