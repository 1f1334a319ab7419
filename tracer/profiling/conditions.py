"""What must be known to read a profile: where both nets were not timed under the same conditions, what is missing."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from tracer.profiling.beside import Profile
from tracer.profiling.measured import FEW
from tracer.profiling.sides import Side
from tracer.trace.schema import ROOT, Value

UNSTEADY = 0.25
"""The part of a step by which half of all steps may vary; more is said."""

_MUCH = 0.05
"""The part of a step from which on what is left unexplained by the cost of watching is worth a word."""


def overlaps(step: float, whole: float) -> bool:
    """Do calls take so much longer one by one than the step that it is worth a word?"""
    return whole > 1.02 * step


def beforehand(profile: Profile) -> list[str]:
    """What makes the comparison another one than it seems: to be known before any number."""
    ours, theirs = profile.reference, profile.candidate
    if theirs is None:
        return [*_incomplete(ours, ""), *_few_repeats([ours]), *_unsteady(ours, "the step")]
    said = [*_incomplete(ours, "the reference: "), *_incomplete(theirs, "the candidate: ")]
    said += [*_inputs(ours, theirs), *_phases(profile, ours, theirs), *_devices(ours, theirs), *_modes(ours, theirs)]
    if not profile.aligned:
        said.append("no layer of the one net belongs to a layer of the other: only their steps can be compared")
    steady = [*_unsteady(ours, "the reference's step"), *_unsteady(theirs, "the candidate's step")]
    return [*said, *_few_repeats([ours, theirs]), *steady]


def notes(profile: Profile) -> list[str]:
    """What was assumed, and what could not be separated."""
    sides = [profile.reference] if profile.candidate is None else [profile.reference, profile.candidate]
    words = [""] if profile.candidate is None else ["reference: ", "candidate: "]
    each = [_of_side(side, whole) for side, whole in zip(sides, profile.wholes, strict=False)]
    both = [note for note in each[0] if note in each[-1]] if len(each) > 1 else []
    said = [f"both: {note}" for note in both]
    said += [f"{word}{note}" for word, own in zip(words, each, strict=True) for note in own if note not in both]
    return list(dict.fromkeys([*said, *_uncounted(sides)]))


# --------------------------------------------------------------------------------------------------------------------
# Both
# --------------------------------------------------------------------------------------------------------------------


def _inputs(ours: Side, theirs: Side) -> list[str]:
    left, right = _given(ours), _given(theirs)
    sizes = [Counter(math.prod(value.shape) for value in side) for side in (left, right)]
    if sizes[0] == sizes[1]:
        return []
    words = [", ".join(_shape(value) for value in side) or "nothing" for side in (left, right)]
    batches = [next((value.shape[0] for value in side if value.shape), None) for side in (left, right)]
    what = "other batch sizes" if None not in batches and batches[0] != batches[1] else "other inputs"
    given = f"the reference was given {words[0]}, the candidate {words[1]}"
    return [f"{what}: {given}; times are for other work, compare the work per second (GFLOP/s)"]


def _given(side: Side) -> list[Value]:
    """The tensors that the net itself was given."""
    roots = [node for id_ in side.graph.roots if (node := side.graph.nodes[id_]).id.path == ROOT]
    return list(roots[0].inputs) if roots else []


def _shape(value: Value) -> str:
    return f"{'x'.join(map(str, value.shape)) or 'a scalar'} {value.dtype}"


def _phases(profile: Profile, ours: Side, theirs: Side) -> list[str]:
    left, right = list(ours.measured.phases), list(theirs.measured.phases)
    if left == right:
        if "backward" in profile.phases and "backward" not in profile.reference.phases:
            return ["the backward pass was timed as a whole only on one side: layers are compared in the forward"]
        return []
    compared = f"only {_and(list(profile.phases))} {'is' if len(profile.phases) == 1 else 'are'} compared"
    return [f"the reference's step is {_and(left)}, the candidate's {_and(right)}: {compared}"]


def _and(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words) or "nothing"


def _devices(ours: Side, theirs: Side) -> list[str]:
    said = []
    left, right = device(ours), device(theirs)
    if left != right:
        said.append(f"other devices: the reference ran on {left or 'an unknown one'}, the candidate on "
                    f"{right or 'an unknown one'}")  # fmt: skip
    counts = threads(ours), threads(theirs)
    if None not in counts and counts[0] != counts[1]:
        said.append(f"other numbers of threads: {counts[0]} in the reference, {counts[1]} in the candidate")
    machines = [side.skeleton.header.environment.get("machine") for side in (ours, theirs)]
    if None not in machines and machines[0] != machines[1]:
        said.append(f"other machines: {machines[0]} and {machines[1]}")
    types = _dtype(ours), _dtype(theirs)
    if "" not in types and types[0] != types[1]:
        said.append(f"other number types: most of the reference is {types[0]}, most of the candidate {types[1]}")
    return said


def device(side: Side) -> str:
    """Where a net ran, in a word that both frameworks share: "cpu", "cuda", "ascend"."""
    found = side.skeleton.header.environment
    word = str(found.get("device") or found.get("device_target") or "").lower()
    return {"gpu": "cuda"}.get(word, word.partition(":")[0])


def threads(side: Side) -> int | None:
    """How many threads it had; None where the trace does not say."""
    found = side.skeleton.header.environment.get("threads")
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _dtype(side: Side) -> str:
    """The float type of most outputs."""
    found = Counter(
        value.dtype for id_ in side.graph.units for value in side.graph.nodes[id_].outputs if "float" in value.dtype
    )
    return found.most_common(1)[0][0] if found else ""


def _modes(ours: Side, theirs: Side) -> list[str]:
    modes = [_mode(side) for side in (ours, theirs)]
    if None in modes or modes[0] == modes[1]:
        return []
    words = ["training" if mode else "evaluation" for mode in modes]
    return [f"other modes: the reference is in {words[0]} mode, the candidate in {words[1]} mode"]


def _mode(side: Side) -> bool | None:
    root = side.skeleton.layers.get(ROOT)
    return None if root is None else root.training


# --------------------------------------------------------------------------------------------------------------------
# One
# --------------------------------------------------------------------------------------------------------------------


def _incomplete(side: Side, word: str) -> list[str]:
    end = side.skeleton.end
    if end.complete:
        return []
    return [f"{word}the recording did not come to its end: {(end.stopped or 'it was cut off').splitlines()[0]}"]


def _few_repeats(sides: list[Side]) -> list[str]:
    fewest = min(repeats(side) for side in sides)
    if fewest == 1:
        return [
            "one repeat only: how much times vary is not known, so no difference is told from noise; repeat=10 does"
        ]
    if fewest < FEW:
        return [f"{fewest} repeats only: differences are told from noise roughly; repeat=10 tells better"]
    return []


def _unsteady(side: Side, word: str) -> list[str]:
    """Steps that vary so much that something else must have run beside them."""
    step = side.measured.step
    if step is None or step.repeats < 2 or step.high - step.low <= UNSTEADY * step.median:
        return []
    between = f"half of all repeats lie between {_ms(step.low)} and {_ms(step.high)}"
    why = "something else ran on the machine, or the net does not always do the same"
    return [f"{word} varies much ({between}): {why}; only large differences can be trusted"]


def _ms(nanoseconds: float) -> str:
    """Milliseconds, with three digits."""
    found = nanoseconds / 1e6
    return f"{found:,.0f} ms" if found >= 100 else f"{found:.3g} ms"


def repeats(side: Side) -> int:
    """How many watched steps were timed."""
    return int(np.isfinite(side.measured.total["forward"]).any(axis=1).sum())


def _of_side(side: Side, whole: float) -> list[str]:
    """`whole` is what parts of its step are parts of."""
    said = list(side.timing.notes)
    found, step = side.measured, side.measured.step
    if not found.has_bare:
        said.append(
            "no bare step was run, so what watching costs in all is not known; its measured cost per call is off"
        )
    elif step is not None and abs(found.left) > _MUCH * step.median and not overlaps(step.median, whole):
        more = "longer" if found.left > 0 else "shorter"
        said.append(
            f"a watched step takes {_ms(abs(found.left))} ({abs(found.left) / step.median:.0%}) {more} than a "
            "bare one beyond the measured cost of watching: in which layers cannot be told"
        )
    if found.clipped:
        said.append(f"calls that take less than watching them costs, and are shown as nothing: {found.clipped}")
    missing = [call for call in side.skeleton.steps[0].calls if call.order not in found.at]
    if missing:
        said.append(f"calls that were not timed: {len(missing)}, the first of {missing[0].path}")
    return said


def _uncounted(sides: list[Side]) -> list[str]:
    """Layers with parameters whose work no formula knows, and what code between layers computes."""
    unknown: Counter[str] = Counter()
    for side in sides:
        for id_, work in side.works.items():
            if work.forward is None and side.may_multiply(id_):
                unknown[side.graph.nodes[id_].layer.kind] += 1
    said = []
    if unknown:
        kinds = ", ".join(sorted(unknown))
        said.append(f"work not counted of {kinds}, nor of blocks around it: no formula, or its layers were left out")
    if any(side.graph.containers for side in sides):
        said.append("products in code between layers (q @ k.T, scaled_dot_product_attention) are no layer's work")
    return said
