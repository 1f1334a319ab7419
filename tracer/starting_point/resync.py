"""Each step of a training begins as that of another one began: its parameters, and what its optimizer remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tracer.divergence.training.rule_meanings import RuleMeaning, meanings
from tracer.divergence.training.update_rules import states_in_common_words
from tracer.errors import StartingPointError
from tracer.frameworks import watcher_for
from tracer.frameworks.base import Watcher
from tracer.frameworks.training import trainer_of
from tracer.recorder.states import tensors_of
from tracer.recorder.steps import optimizer_row
from tracer.starting_point.holders import Holder, of_trace
from tracer.starting_point.weights.loading import fill, made
from tracer.starting_point.weights.weight_map import Placement, WeightMap, key_of
from tracer.trace.reader import Trace
from tracer.trace.schema import Place, Step, Value

Array = np.ndarray[Any, Any]


def resynchronised(net: Any, optimizer: Any, reference: Trace, weights: WeightMap) -> Callable[[int], tuple[str, ...]]:
    """What puts net and optimizer to where the reference stood before a step, called with the step's number; it says
    what of the optimizer's state could not be taken over. Steps that the reference did not keep begin as they are.

    Raises:
        StartingPointError: the reference has no steps, or keeps no values.
    """
    steps = {step.number: step for step in reference.skeleton.steps if step.keep == "values" and step.parameters_before}
    if not steps:
        raise StartingPointError(
            "the trace to train like holds no training steps with values",
            where=str(reference.path),
            then="record it with optimizer= and steps, and keep='values'",
        )
    holder = of_trace(reference)
    watcher = watcher_for(net)

    def before(number: int) -> tuple[str, ...]:
        step = steps.get(number)
        if step is None:
            return (f"step {number} is not in {reference.path.name}: it began as it was",)
        fill(net, _at(holder, reference, step.parameters_before), weights, partial=True)
        tensors = {place: named.tensor for place, named in tensors_of(watcher, net)}
        state = _States(reference, step, watcher, optimizer, tensors)
        return state.take(weights, holder)

    return before


def _at(holder: Holder, trace: Trace, values: Mapping[Place, Value]) -> Holder:
    """The reference with other arrays of its parameters."""
    known = {key_of(*place): value for place, value in values.items()}
    owners = {
        key_of(path, p.name): key_of(*p.owner)
        for path, layer in trace.skeleton.layers.items()
        for p in layer.parameters
        if p.owner is not None
    }

    def read(key: str) -> Array:
        value = known.get(owners.get(key, key))
        return holder.read(key) if value is None or value.stored is None else trace.array(value)

    def pieces(key: str) -> Iterator[Array]:
        yield read(key).reshape(-1)

    return replace(holder, read=read, pieces=pieces)


class _States:
    """What the reference's optimizer remembered before a step, in the words of the candidate's."""

    def __init__(
        self, trace: Trace, step: Step, watcher: Watcher, optimizer: Any, tensors: Mapping[Place, Any]
    ) -> None:
        trainer, framework = trainer_of(watcher), watcher.name
        self._trace, self._step, self._trainer, self._optimizer = trace, step, trainer, optimizer
        self._tensors = tensors
        own = optimizer_row(trainer.optimizer(optimizer), {id(t): place for place, t in tensors.items()})
        sides = [(step.optimizer, trace.skeleton.header.framework), (own, framework)]
        self._rules: list[dict[Place, RuleMeaning]] = [
            {place: rule for rule in meanings(side, name) for place in rule.parameters} if side is not None else {}
            for side, name in sides
        ]
        self._keys: dict[Any, list[str]] = {}
        for fact in trainer.state(optimizer):
            self._keys.setdefault(id(fact.parameter) if fact.parameter is not None else None, []).append(fact.key)
        self._common = {
            (key_of(*place), word): array for place in self._rules[0] for word, array in self._words(place).items()
        }

    def _words(self, place: Place) -> dict[str, Array]:
        """The reference's state of one parameter in common words."""
        found: dict[str, Array] = {}
        for (path, name, key), value in self._step.state_before.items():
            if (path, name) in (place, ("", "")):
                if value.kind == "scalar" and isinstance(value.literal, bool | int | float):
                    found[key] = np.asarray(value.literal, np.float64)
                elif value.stored is not None:
                    found[key] = self._trace.array(value)
        return states_in_common_words(self._rules[0][place], found)

    def take(self, weights: WeightMap, holder: Holder) -> tuple[str, ...]:
        """Write all of it; what could not be taken over."""
        lost: dict[str, None] = {}
        of_none: dict[str, Array] = {}
        places = {key_of(*place): place for place in self._tensors}
        for placement in weights.placements:
            place = places.get(placement.target)
            rule = self._rules[1].get(place) if place is not None else None
            if place is None or rule is None:
                continue
            values: dict[str, Array] = {}
            words = {word for key, word in self._common if key == placement.pieces[0].source}
            for word in sorted(words):
                array = self._made(placement, word, holder)
                if array is None:
                    lost[f"{word} of {placement.target}"] = None
                    continue
                for key, converted in _in_own_words(rule, word, array):
                    if key in self._keys.get(id(self._tensors[place]), ()) or not self._keys:
                        values[key] = converted
                    elif key in self._keys.get(None, ()):
                        of_none[key] = converted
                    elif word != "step" and not key.endswith("_power"):
                        values[key] = converted
            lost.update(dict.fromkeys(self._assigned(self._tensors[place], values, placement.target)))
        lost.update(dict.fromkeys(self._assigned(None, of_none, "the optimizer")))
        return tuple(f"not taken over from the reference's optimizer: {one}" for one in lost)

    def _assigned(self, parameter: Any, values: Mapping[str, Array], name: str) -> list[str]:
        if not values:
            return []
        return [f"{key} of {name}" for key in self._trainer.assign_state(self._optimizer, parameter, values)]

    def _made(self, placement: Placement, word: str, holder: Holder) -> Array | None:
        """A state as the parameter itself is placed; a number as it is."""
        arrays = {piece.source: self._common.get((piece.source, word)) for piece in placement.pieces}
        if any(array is None for array in arrays.values()):
            return None
        first = arrays[placement.pieces[0].source]
        if first is None or first.size == 1:
            return first
        shapes = {key: facts.shape for key, facts in holder.parameters().items() if key in arrays}
        try:
            shaped = {k: a.reshape(shapes[k]) for k, a in arrays.items() if a is not None}
            return made(placement, replace(holder, read=lambda key: shaped[key]))
        except (ValueError, KeyError):
            return None


def _in_own_words(rule: RuleMeaning, word: str, array: Array) -> Iterator[tuple[str, Array]]:
    """A state under every name that a class may have for it."""
    if word == "step":
        steps = float(array.max())
        for power in ("beta1", "beta2"):
            if 0 < rule.number(power) < 1:
                yield f"{power}_power", np.asarray(rule.number(power) ** steps)
    if word == "momentum_buffer" and rule.quirks.get("buffer_holds_lr"):
        array = array * rule.number("lr")
    for key, common in rule.states.items():
        if common == word and not key.endswith("_power"):
            yield key, array
