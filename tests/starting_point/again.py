"""A candidate is rehearsed, aligned, and recorded with the reference's randomness; the same in both frameworks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tracer.divergence.alignment import align
from tracer.divergence.graph import call_graph
from tracer.recorder.choice import Choice
from tracer.recorder import Options, run_and_record
from tracer.starting_point.random_layers.effects import effects
from tracer.starting_point.random_layers.replay import Plan, replacements
from tracer.trace.reader import Trace


def sample(*shape: int) -> np.ndarray:
    """The same numbers wherever they are asked for."""
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def record_plain(net: Any, x: np.ndarray, out: Path, *, backward: bool = True) -> Path:
    """Record the net as it is."""
    run_and_record(net, (x,), {}, out, Options("values", Choice()), backward=backward)
    return out


def plan_for(net: Any, reference: Path, x: np.ndarray, folder: Path, *, backward: bool = True) -> Plan:
    """What the net's random layers are to do, from a rehearsal of it of which statistics alone are kept."""
    rehearsal = folder / "rehearsal.h5"
    run_and_record(net, (x,), {}, rehearsal, Options("statistics", Choice()), backward=backward)
    with Trace(reference) as ours, Trace(rehearsal) as theirs:
        graphs = call_graph(ours.skeleton), call_graph(theirs.skeleton)
        return replacements(effects(ours, graphs[0]), align(*graphs).candidate_of, graphs[1])


def record_again(net: Any, reference: Path, x: np.ndarray, out: Path, *, backward: bool = True) -> Plan:
    """Record the net with the reference's randomness."""
    plan = plan_for(net, reference, x, out.parent, backward=backward)
    options = Options("values", Choice())
    run_and_record(net, (x,), {}, out, options, backward=backward, replays=plan.replays, notes=plan.notes)
    return plan


def numbers(path: Path) -> dict[str, np.ndarray]:
    """All outputs and gradients of a trace by what they are."""
    found = {}
    with Trace(path) as trace:
        step = trace.skeleton.steps[0]
        for call in step.calls:
            for side in ("outputs", "grad_inputs", "grad_outputs"):
                for value in (v for v in getattr(call, side) if v.kind == "tensor"):
                    found[f"{call.path}#{call.index} {side} {value.leaf}"] = trace.array(value)
        for (layer, name), value in step.parameter_gradients.items():
            found[f"{layer}.{name} gradient"] = trace.array(value)
    return found
