"""Where two layers that belong together are not the same. Settings and ops are compared by the diff's own rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from tracer.divergence.alignment.evidence import kind_word
from tracer.divergence.causes import differing_settings
from tracer.divergence.graph import Node
from tracer.divergence.rules import CommonParameter, Meaning
from tracer.starting_point.trees.rows import Difference
from tracer.starting_point.trees.sides import Side
from tracer.starting_point.weights.placing import straight
from tracer.starting_point.weights.weight_map import key_of
from tracer.trace.schema import Plain

_SIZES = frozenset(
    {
        "in_features",
        "out_features",
        "in1_features",
        "in2_features",
        "in_channels",
        "out_channels",
        "kernel_size",
        "groups",
        "num_features",
        "num_channels",
        "num_groups",
        "normalized_shape",
        "num_embeddings",
        "embedding_dim",
        "input_size",
        "hidden_size",
        "num_layers",
        "bidirectional",
        "embed_dim",
        "num_heads",
        "kdim",
        "vdim",
        "d_model",
        "nhead",
        "dim_feedforward",
        "num_parameters",
        "num_encoder_layers",
        "num_decoder_layers",
    }
)
_WHICH_PARAMETERS = frozenset({"bias", "affine", "elementwise_affine", "track_running_stats"})
_NOT_ALIKE = frozenset({"momentum", "keep_prob", "p"})
"""What a class of one's own may mean the one way or the other way round."""
_ONE_FUNCTION = frozenset({"activation", "softmax"})
"""Families in which the rules say every other op: where they say nothing, two names mean one function."""


@dataclass(frozen=True)
class Compared:
    """What differs, and why not all could be compared ("" where it could)."""

    differences: tuple[Difference, ...] = ()
    unsaid: str = ""


def compared(ours: Side, theirs: Side, a: str, b: str) -> Compared:
    """Hold layer `a` of the reference against layer `b` of the candidate."""
    mine, other = ours.node(a), theirs.node(b)
    found = _settings(mine, other, (ours.graph.framework, theirs.graph.framework))
    leaves = [not side.children.get(path) for side, path in ((ours, a), (theirs, b))]
    if not any(d.kind == "op" for d in found) and leaves[0] == leaves[1]:
        found += _parameters(ours, theirs, mine, other, found)
    return Compared(tuple(found), "" if found else _unsaid(ours, theirs, mine, other))


def _unsaid(ours: Side, theirs: Side, mine: Node, other: Node) -> str:
    """Why equal parameters are all that is known of a pair of layers."""
    leaves = [not side.children.get(node.layer.path) for side, node in ((ours, mine), (theirs, other))]
    if ours.bare or theirs.bare:
        held = mine.meaning.parameters and other.meaning.parameters
        return "" if held or not any(leaves) else "no parameters to compare"
    if mine.meaning.op and other.meaning.op:
        return ""
    if not any(leaves) and not (mine.meaning.op or other.meaning.op):
        return ""
    if leaves[0] != leaves[1]:
        return "one layer here, several there: only what comes out can be compared"
    if kind_word(mine) == kind_word(other):
        return ""
    known = mine if mine.meaning.op else other
    stranger = other if known is mine else mine
    return f"no rule says what {stranger.layer.kind} computes"


# --------------------------------------------------------------------------------------------------------------------
# Ops and settings
# --------------------------------------------------------------------------------------------------------------------


def _settings(ours: Node, theirs: Node, frameworks: tuple[str, str]) -> list[Difference]:
    a, b = ours.meaning, theirs.meaning
    if bool(a.op) != bool(b.op) or (a.transparent and b.transparent and a.op != b.op):
        return []
    if not a.op and kind_word(ours) != kind_word(theirs):
        return []  # what settings of a class mean that no rule knows, only a class of that name can tell
    found = [
        Difference(_kind(d.name, d.reference, d.candidate), d.name, d.reference, d.candidate, d.sentence, d.edit)
        for d in differing_settings(ours, theirs, frameworks)
        if a.op or d.name not in _NOT_ALIKE
    ]
    if a.op == b.op or found or (a.family == b.family and a.family in _ONE_FUNCTION):
        return found
    sentence = f"the layer is {ours.layer.kind} in the reference and {theirs.layer.kind} in the candidate"
    return [Difference("op", "op", a.op, b.op, sentence)]


def _kind(name: str, reference: object, candidate: object) -> str:
    if name == "op":
        return "op"
    if name == "bias" and bool(reference) != bool(candidate):
        return "missing bias" if reference else "extra bias"
    return "size" if name in _SIZES else "setting"


# --------------------------------------------------------------------------------------------------------------------
# Parameters
# --------------------------------------------------------------------------------------------------------------------


def _parameters(ours: Side, theirs: Side, mine: Node, other: Node, found: list[Difference]) -> list[Difference]:
    """Parameters of another shape, and those of one side only, as far as no setting says it already."""
    left, right = _needed(ours, mine.meaning), _needed(theirs, other.meaning)
    pairs = {name: name for name in left if name in right}
    for name, parameter in left.items():  # under other names: those of the same shape, in order
        if name not in pairs:
            free = [n for n in right if n not in pairs.values() and n not in left]
            same = next((n for n in free if straight(parameter.shape, right[n].shape) is not None), None)
            pairs |= {name: same} if same else {}
    result = []
    known = bool(mine.meaning.op and other.meaning.op)
    for name, match in pairs.items():
        one, two = left[name], right[match]
        shapes = [side.facts[key_of(p.path, p.own_name)].shape for side, p in ((ours, one), (theirs, two))]
        fits = one.shape == two.shape if known else straight(one.shape, two.shape) is not None
        if not fits and straight(*shapes) is None and not any(d.kind == "size" for d in found):
            said = f"{name} is {by(shapes[0])} in the reference and {by(shapes[1])} in the candidate"
            result.append(Difference("size", name, list(shapes[0]), list(shapes[1]), said))
    if any(d.name in _WHICH_PARAMETERS for d in found):
        return result
    alone = [p for n, p in left.items() if n not in pairs], [p for n, p in right.items() if n not in pairs.values()]
    for parameter in alone[0]:
        shape = ours.facts[key_of(parameter.path, parameter.own_name)].shape
        result.append(_alone("missing", parameter, shape, "candidate"))
    for parameter in alone[1]:
        shape = theirs.facts[key_of(parameter.path, parameter.own_name)].shape
        result.append(_alone("extra", parameter, shape, "reference"))
    return result


def _alone(word: str, parameter: CommonParameter, shape: tuple[int, ...], other: str) -> Difference:
    """A parameter that the other side has not."""
    kind = f"{word} {'bias' if parameter.name == 'bias' else 'parameter'}"
    ours, theirs = (list(shape), None) if word == "missing" else (None, list(shape))
    sentence = f"{parameter.own_name} {by(shape)} has no partner in the {other}"
    return Difference(kind, parameter.name, cast("Plain", ours), cast("Plain", theirs), sentence)


def _needed(side: Side, means: Meaning) -> Mapping[str, CommonParameter]:
    return {
        name: p
        for name, p in means.parameters.items()
        if (facts := side.facts.get(key_of(p.path, p.own_name))) is not None and facts.needed
    }


def by(shape: tuple[int, ...]) -> str:
    """A shape as one reads it."""
    return "x".join(map(str, shape)) or "scalar"
