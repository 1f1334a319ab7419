"""What a step is made of: its layers, the code between them, loss, update, and the rest that no call explains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tracer.profiling.measured import PHASES, Spread, Times, apart, spread, together
from tracer.profiling.sides import Side

AROUND = ("loss", "update")
"""Phases of a training step in which no layer of the net runs."""


@dataclass(frozen=True)
class Share:
    """A part of the step on both sides: "layers", "code" (between them), "loss", "update" or "rest": dispatch, the
    engine of the backward pass, and what watching hides. `beyond`: is the difference more than noise?"""

    name: str
    reference: Spread | None
    candidate: Spread | None = None
    beyond: bool = False

    @property
    def lost(self) -> float | None:
        """Nanoseconds that the candidate takes longer."""
        if self.reference is None and self.candidate is None:
            return None
        return (self.candidate.median if self.candidate else 0.0) - (self.reference.median if self.reference else 0.0)


def common_phases(reference: Side, candidate: Side | None) -> tuple[str, ...]:
    """The phases that are compared: those that both steps have."""
    other = reference if candidate is None else candidate
    return tuple(p for p in PHASES if p in reference.measured.phases and p in other.measured.phases)


def step_times(side: Side, phases: tuple[str, ...], *, bare: bool = True) -> Times:
    """A step of so many phases, repeat by repeat: whole ones bare where bare ones were run and are wanted, else as
    watched with the known cost taken off."""
    found = side.measured
    if set(phases) == set(found.phases):
        return found.bare if bare and found.has_bare else found.watched
    return together(*(found.phases[name] for name in phases))


def shares(reference: Side, candidate: Side | None, phases: tuple[str, ...], *, bare: bool = True) -> tuple[Share, ...]:
    """The parts of both steps; of bare ones where those are wanted."""
    ours = _parts(reference, phases, bare=bare)
    theirs = {} if candidate is None else _parts(candidate, phases, bare=bare)
    made = []
    for name in dict.fromkeys((*ours, *theirs)):
        left, right = spread(ours.get(name, np.zeros(0))), spread(theirs.get(name, np.zeros(0)))
        made.append(Share(name, left, right, bool(left and right and apart(left, right))))
    return tuple(made)


def _parts(side: Side, phases: tuple[str, ...], *, bare: bool) -> Mapping[str, Times]:
    graph, found = side.graph, side.measured
    layers = [graph.nodes[id_].call.order for id_ in graph.units]
    code = [graph.nodes[id_].call.order for id_ in graph.containers]
    parts = {
        "layers": together(*(found.sum(layers, "total", phase) for phase in side.phases)),
        "code": together(*(found.sum(code, "own", phase) for phase in side.phases)),
        **{name: found.phases[name] for name in AROUND if name in phases},
    }
    whole, explained = step_times(side, phases, bare=bare), together(*parts.values())
    # bare steps may be counted otherwise than watched ones
    rest = whole - explained if len(whole) == len(explained) else whole
    # the median of a difference is not the difference of medians: moved, so that all parts together are the step
    middle = _median(whole) - sum(_median(part) for part in parts.values())
    return {**parts, "rest": rest - _median(rest) + middle}


def _median(times: Times) -> float:
    found = spread(times)
    return found.median if found else 0.0
