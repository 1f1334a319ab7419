"""What makes such numbers: said as certain where a bound says so, else as what may be."""

from __future__ import annotations

import math
from dataclasses import replace
from fnmatch import fnmatchcase

from tracer.divergence.births.born import Birth, Seen
from tracer.divergence.births.scene import Scene
from tracer.divergence.rules.facts import known_differences

LARGEST = {"float16": 65504.0, "bfloat16": 3.3895e38, "float32": 3.4028e38, "float64": 1.7977e308}
"""What a float type can say at most."""

_SUMS_OF_PRODUCTS = ("linear", "bilinear", "conv?d", "conv_transpose?d")
_MEANT_BY_COMPUTING = ("softmax", "log_softmax", "softmin", "softmax2d", "multi_head_attention", "*attention*")


def hints(birth: Birth, scene: Scene) -> Birth:
    """The birth with sentences on why."""
    said = list(_hints(birth))
    if birth.where == "code" and scene.skeleton.header.filters:
        said.append("layers that were not recorded may lie there too: record again without a filter")
    return replace(birth, hints=(*birth.hints, *said))


def healing(birth: Birth, scene: Scene) -> Birth:
    """The birth with what is known of the layers that swallowed it."""
    if scene.skeleton.header.framework != "mindspore" or not birth.healed_by:
        return birth
    ops = [node.meaning.op for id_, node in scene.graph.nodes.items() if str(id_) in birth.healed_by and node.unit]
    known = [said for op in ops for said in known_differences(op, "torch", "mindspore", not_finite=True, telling=True)]
    facts = [said for said in known if "NaN" in said]
    return replace(birth, hints=(*birth.hints, *dict.fromkeys(facts)))


def _hints(birth: Birth) -> list[str]:
    if birth.where == "input":
        return ["whoever called the net gave it so"]
    if birth.where == "parameter" and birth.phase == "start":
        return ["it was so before the net ran"]
    if birth.where == "gradient":
        return ["unscaling, clipping or reduction between the backward pass and the optimizer made it so"]
    if birth.phase == "update":
        return ["the optimizer's own step made it so, of a finite gradient"]
    floats = [s for s in birth.given if s.minimum is not None and s.dtype in LARGEST]
    if birth.phase == "backward":
        return _backward(birth, floats)
    said = []
    if birth.inf and birth.dtype in LARGEST:
        said += _overflow(birth, floats)
    if birth.where == "call" and any(fnmatchcase(birth.op, p) for p in _MEANT_BY_COMPUTING):
        if birth.nan and any(s.mask for s in birth.given):
            said.append("a row of its input may be all -inf (fully masked): PyTorch gives NaN there, MindSpore 0")
        return said
    if birth.where == "call" and birth.op:
        return said
    return [*said, *_pure(birth, floats)]


def _overflow(birth: Birth, floats: list[Seen]) -> list[str]:
    largest = LARGEST[birth.dtype]
    values = [s for s in floats if not s.what.startswith("parameter")]
    weights = [s for s in floats if s.what.startswith("parameter")]
    known = birth.where == "call" and any(fnmatchcase(birth.op, p) for p in _SUMS_OF_PRODUCTS)
    if known and values and weights and all(s.l2 is not None for s in floats):
        # by Cauchy-Schwarz no sum of products is larger than the product of the norms of all its factors
        bound = math.prod(s.l2 or 0.0 for s in values) * max(s.l2 or 0.0 for s in weights)
        bound += sum(max(abs(s.minimum or 0.0), abs(s.maximum or 0.0)) for s in weights)
        if bound <= largest:
            return []
        held = f"; float32 would have held it (at most {bound:.2g})"
        return [f"overflow: {birth.dtype} holds nothing beyond {_word(largest)}" + (held if bound < 3.4e38 else "")]
    return (
        [f"overflow, if it is one: {birth.dtype} holds nothing beyond {_word(largest)}"]
        if _large(birth, floats)
        else []
    )


def _large(birth: Birth, floats: list[Seen]) -> bool:
    """Are there numbers of which a product, or exp, is too large?"""
    largest = LARGEST[birth.dtype]
    top = max((max(abs(s.minimum or 0.0), abs(s.maximum or 0.0)) for s in floats), default=0.0)
    return top > math.log(largest) or top * top > largest


def _pure(birth: Birth, floats: list[Seen]) -> list[str]:
    """Hints for a class or code of which it is not known what it computes."""
    said = []
    floats = [s for s in floats if not s.what.startswith("parameter")] or floats
    lowest = [s for s in floats if (s.minimum or 0.0) < 0]
    if birth.nan and lowest:
        worst = min(lowest, key=lambda s: s.minimum or 0.0)
        said.append(
            f"may be: log and square root of a negative number are NaN ({worst.what} goes to {worst.minimum:.3g})"
        )
    zero = next((s for s in floats if s.minimum == 0 or s.maximum == 0), None)
    if zero is not None:
        said.append(f"may be: log of 0, 1/0 are infinite and 0/0 is NaN ({zero.what} holds 0)")
    highest = max(floats, key=lambda s: s.maximum or 0.0, default=None)
    limit = math.log(LARGEST.get(birth.dtype, math.inf))
    if birth.inf + birth.nan and highest is not None and (highest.maximum or 0.0) > limit:
        said.append(
            f"may be: exp is beyond {birth.dtype} from {limit:.1f} on ({highest.what} goes to {highest.maximum:.3g})"
        )
    return said


def _backward(birth: Birth, floats: list[Seen]) -> list[str]:
    said = []
    if birth.inf and _large(birth, floats) and birth.dtype in {"float16", "bfloat16"}:
        said.append(f"overflow, if it is one: {birth.dtype} holds nothing beyond {_word(LARGEST[birth.dtype])}")
    forward = [s for s in floats if not s.what.startswith(("incoming", "parameter"))]
    zero = next((s for s in forward if s.minimum == 0 or s.maximum == 0), None)
    if zero is not None and not (birth.where == "call" and birth.op):
        said.append(
            f"may be: square root and norm have no finite gradient at 0, nor has 1/x ({zero.what} holds 0); "
            "with `where`, a branch not taken still sends back 0 * inf"
        )
    return said


def _word(largest: float) -> str:
    return "65504" if largest == LARGEST["float16"] else f"{largest:.3g}"
