"""Steps that an optimizer took, as a phase of the diff reads them from a trace."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracer.divergence.training.rule_meanings import RuleMeaning, meanings
from tracer.divergence.training.updates import ParameterUpdate, SideUpdate
from tracer.trace.schema import Group, Optimizer

SHAPES = {"fc.weight": (6, 5), "fc.bias": (6,), "norm.gamma": (7,), "norm.beta": (7,)}


def drawn(seed: int = 0, steps: int = 5) -> dict[str, np.ndarray]:
    """Parameters, and gradients of very different sizes."""
    rng = np.random.default_rng(seed)
    given = {f"start.{name}": rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
    for step in range(steps):
        for name, shape in SHAPES.items():
            sizes = 10.0 ** rng.integers(-4, 1, size=shape)
            given[f"gradient.{step}.{name}"] = (rng.normal(size=shape) * sizes).astype(np.float32)
    return given


def nearly(given: Mapping[str, np.ndarray], seed: int = 1) -> dict[str, np.ndarray]:
    """The same gradients but for their rounding."""
    rng = np.random.default_rng(seed)
    return {
        key: (value * (1 + 3e-7 * rng.normal(size=value.shape))).astype(np.float32)
        if key.startswith("gradient")
        else value
        for key, value in given.items()
    }


@dataclass(frozen=True)
class Taken:
    """What one optimizer did in some steps."""

    framework: str
    arrays: Mapping[str, Any]

    @property
    def optimizer(self) -> Optimizer:
        """Its facts."""
        raw = self.arrays["facts"]
        facts = raw if isinstance(raw, dict) else json.loads(str(raw))
        groups = tuple(
            Group(group["arguments"], tuple(tuple(name.split(".")) for name in group["names"]))
            for group in facts["groups"]
        )
        return Optimizer(facts["kind"], tuple(facts["bases"]), facts["settings"], groups)

    def saying(self, **settings: Any) -> Taken:
        """The same steps of an optimizer that says other things of itself."""
        raw = self.arrays["facts"]
        groups = [{**group, "arguments": {**group["arguments"], **settings}} for group in raw["groups"]]
        return Taken(self.framework, {**self.arrays, "facts": {**raw, "groups": groups}})

    def rule(self, name: str) -> RuleMeaning:
        """The meaning of the group that holds a parameter."""
        place = tuple(name.split("."))
        return next(means for means in meanings(self.optimizer, self.framework) if place in means.parameters)

    def side(self, name: str, step: int) -> SideUpdate:
        """One parameter in one step."""
        return SideUpdate(
            self.arrays[f"{step}.before.parameter.{name}"],
            self.arrays[f"{step}.after.parameter.{name}"],
            self.arrays[f"{step}.gradient.{name}"],
            self._state(f"{step}.before.state.", name),
            self._state(f"{step}.after.state.", name),
        )

    def _state(self, prefix: str, name: str) -> dict[str, np.ndarray]:
        return {
            key[len(start) :]: value
            for start in (f"{prefix}{name}.", f"{prefix}.")
            for key, value in self.arrays.items()
            if key.startswith(start)
        }


def pairs(reference: Taken, candidate: Taken, step: int, names: Iterable[str] = SHAPES) -> list[ParameterUpdate]:
    """All parameters of a step of both sides."""
    return [
        ParameterUpdate(
            name, reference.side(name, step), candidate.side(name, step), reference.rule(name), candidate.rule(name)
        )
        for name in names
    ]
