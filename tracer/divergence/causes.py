"""Why a pair diverged: what differs between the two layers, each with the edit to make.

A cause that fits is said as likely; nothing is proven here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tracer.divergence.comparison import Bank, Comparison, ParameterDifference, match_leaves
from tracer.divergence.flow import Point
from tracer.divergence.graph import CallGraph, CallId, Node
from tracer.divergence.metrics import Array, Difference, is_constant, layouts, same_values
from tracer.divergence.rules import (
    SettingDifference,
    cast_line,
    composite_line,
    edit_in_words,
    edit_line,
    known_differences,
    mode_matters,
    own_call,
    setting_differences,
)
from tracer.trace.schema import ROOT, Layer, Parameter, Plain, Value


@dataclass(frozen=True)
class Cause:
    """What may explain an origin. `name` is the torch word; the values are as each side had them. `edit` is what to
    write where ("vit.py:41  nn.GELU()  ->  nn.GELU(approximate=False)"); `sentence` says it for a reader."""

    kind: Literal[
        "setting", "parameter", "mode", "dtype", "shape", "nan", "layout", "framework", "code", "loss", "optimizer"
    ]
    name: str
    reference: Plain = None
    candidate: Plain = None
    proven: bool = False
    edit: str = ""
    sentence: str = ""
    fallback: bool = False
    """Nothing is known that speaks for it: it is said for want of better."""
    alone: str = ""
    """The path of the layer of which it says only that it has no partner."""


def layer_causes(comparison: Comparison, point: Point, difference: Difference) -> tuple[Cause, ...]:
    """What differs between the two layers of a pair, what explains best first."""
    ours = comparison.reference.graph.nodes[point.reference]
    theirs = comparison.candidate.graph.nodes[point.candidate]
    forward = not point.side.startswith("grad")
    differences = comparison.parameters(point.reference, point.candidate)
    found = [
        *mode_causes(comparison, ours, theirs),
        *(_dtype_causes(difference, comparison, theirs) if forward else ()),
        *parameter_causes(differences, comparison, missing=False),
        *setting_causes(comparison, ours, theirs),
        *parameter_causes(differences, comparison, missing=True),
        *_nan_causes(difference),
        *_exchanged_causes(comparison, point),
        *_shape_causes(difference),
        *(() if forward else _frozen_causes(comparison, point, difference)),
    ]
    tells = any(c.kind in {"setting", "mode", "parameter", "dtype"} for c in found)
    fitting, general = (
        [] if tells else _framework_causes(comparison, ours, theirs, difference, telling=telling, forward=forward)
        for telling in (True, False)
    )
    unknown = [] if found else _unknown_mode(comparison, ours, theirs)
    inside = [c for c in unknown if _modes_inside(comparison, ours, theirs)]
    found += [] if found or inside or not forward else _argument_causes(ours, theirs)
    again = any(id_.path == ROOT and id_.call > 0 for id_ in comparison.reference.graph.ancestors(point.reference))
    code = [] if found or inside else [_code_of_layer(forward, again)]
    return (*found, *inside, *fitting, *code, *general, *(c for c in unknown if c not in inside))


def _unknown_mode(comparison: Comparison, ours: Node, theirs: Node) -> list[Cause]:
    """The training flag of a class that no rule knows: whether it matters cannot be told from outside."""
    r, c = ours.call.training, theirs.call.training
    if ours.meaning.op or theirs.meaning.op or r is None or c is None or r == c:
        return []
    said = f"the reference is in {_mode(r)} mode, the candidate in {_mode(c)} mode"
    inside = _modes_inside(comparison, ours, theirs)
    said += "; a layer inside depends on it" if inside else "; this matters if its code asks for self.training"
    edit = _mode_edit(comparison, r)
    return [Cause("mode", "training", r, c, edit=edit, sentence=said, fallback=not inside)]


def _modes_inside(comparison: Comparison, ours: Node, theirs: Node) -> bool:
    """Does a layer inside, whose calls were not recorded, depend on the training flag?"""
    return any(
        (node.layer.path == ROOT or path.startswith(f"{node.layer.path}.")) and mode_matters(means)
        for side, node in ((comparison.reference, ours), (comparison.candidate, theirs))
        for path, means in side.graph.meanings.items()
    )


def _argument_causes(ours: Node, theirs: Node) -> list[Cause]:
    """A tensor that only one side hands to the layer (a state, a mask)."""
    r, c = len(ours.inputs), len(theirs.inputs)
    if r == c:
        return []
    said = f"the reference hands {ours.id} {r} tensor{'' if r == 1 else 's'}, the candidate {c}"
    lines = [str(node.call.source) for node in (theirs, ours) if node.call.source is not None]
    edit = " with ".join(lines)
    return [Cause("code", "arguments", r, c, edit=f"compare {edit}" if lines else "", sentence=said)]


def _code_of_layer(forward: bool, again: bool) -> Cause:
    if forward:
        said = "settings and parameters are the same: the code of the layer differs"
        if again:
            said = "settings and parameters were the same before the first run: an update since then differs, or the "
            said += "code of the layer"
        return Cause("code", "forward", sentence=said)
    return Cause(
        "code",
        "backward",
        sentence="inputs, outputs and the incoming gradient agree, the gradient it hands on does not: "
        "custom backward, detach or stop_gradient?",
    )


def _framework_causes(
    comparison: Comparison, ours: Node, theirs: Node, difference: Difference, *, telling: bool, forward: bool
) -> list[Cause]:
    """What the frameworks are known to do differently at such a layer, as far as it can explain the difference."""
    op = ours.meaning.op if ours.meaning.op == theirs.meaning.op else ""
    facts = known_differences(
        op,
        *comparison.frameworks,
        meanings=(ours.meaning, theirs.meaning),
        phase="forward" if forward else "backward",
        not_finite=_not_finite(ours) or _not_finite(theirs),
        size=difference.size,
        telling=telling,
    )
    return [Cause("framework", op, sentence=fact) for fact in facts]


def _not_finite(node: Node) -> bool:
    return any(
        v.statistics is not None and v.statistics.nan + v.statistics.inf > 0 for v in (*node.inputs, *node.outputs)
    )


def mode_causes(comparison: Comparison, ours: Node, theirs: Node) -> list[Cause]:
    """The training flag, where the layer depends on it, and dropout that is active."""
    found: list[Cause] = []
    r, c = ours.call.training, theirs.call.training
    matters = mode_matters(ours.meaning) or mode_matters(theirs.meaning)
    if matters and r is not None and c is not None and r != c:
        found.append(
            Cause(
                "mode",
                "training",
                r,
                c,
                edit=_mode_edit(comparison, r),
                sentence=f"the reference is in {_mode(r)} mode, the candidate in {_mode(c)} mode",
            )
        )
    elif ours.draws and theirs.draws:
        found.append(
            Cause(
                "mode",
                "p",
                _p(ours),
                _p(theirs),
                edit=f"{_mode_edit(comparison, training=False)} before recording, on both sides",
                sentence="random on both sides: the masks differ, numbers cannot agree; compare in evaluation mode",
            )
        )
    return found


def _mode_edit(comparison: Comparison, training: bool) -> str:
    """The call that brings the candidate into the reference's mode."""
    calls = {
        "torch": {True: "net.train()", False: "net.eval()"},
        "mindspore": {True: "net.set_train(True)", False: "net.set_train(False)"},
    }
    return calls.get(comparison.frameworks[1], {}).get(training, "")


def _mode(training: bool) -> str:
    return "training" if training else "evaluation"


def _p(node: Node) -> Plain:
    setting = node.meaning.settings.get("p")
    return setting.value if setting else None


def _dtype_causes(difference: Difference, comparison: Comparison, theirs: Node, *, code: bool = False) -> list[Cause]:
    """Another dtype; `code` says that code between layers made it, before the call `theirs`."""
    r, c = difference.dtypes
    if not r or r == c or not {r, c} & {"float16", "bfloat16", "float32", "float64"}:
        return []
    edit = cast_line(theirs.layer, theirs.call.source if code else None, comparison.frameworks[1], r)
    return [Cause("dtype", "dtype", r, c, edit=edit, sentence=f"the reference computes in {r}, the candidate in {c}")]


def parameter_causes(
    differences: Iterable[ParameterDifference], comparison: Comparison, *, missing: bool
) -> list[Cause]:
    """Parameters that hold other numbers, or (`missing`) that one side does not have."""
    found: list[Cause] = []
    for d in differences:
        if (d.difference is None) != missing:
            continue
        if d.difference is None:
            if d.name == "bias" and comparison.known_class(d):
                continue  # said as the setting `bias`
            side = "reference" if d.candidate is None else "candidate"
            found.append(
                Cause(
                    "parameter",
                    d.name,
                    d.reference is not None,
                    d.candidate is not None,
                    edit=_own_parameter(d, comparison),
                    sentence=f"only the {side} has the parameter {d.name}",
                )
            )
        elif d.difference.problem == "shape":
            shapes = d.difference.shapes or ((), ())
            found.append(
                Cause(
                    "parameter",
                    d.name,
                    list(shapes[0]),
                    list(shapes[1]),
                    edit=_load(comparison, d, "", "turned into its shape"),
                    sentence=f"{d.name} has shape {shapes[0]} in the reference and {shapes[1]} in the candidate",
                )
            )
        else:
            found.append(_value_cause(d, comparison))
    return found


def _value_cause(d: ParameterDifference, comparison: Comparison) -> Cause:
    """Other numbers, and what they are as far as can be told: another layer's, turned or permuted, never loaded."""
    size = d.difference.relative_l2 if d.difference else None
    r, c = d.reference, d.candidate
    if d.difference is not None and d.difference.mask_differs:
        counts = f"{d.difference.nan_reference} in the reference, {d.difference.nan_candidate} in the candidate"
        said = f"{d.name} has elements that are not finite ({counts})"
        return Cause("parameter", d.name, sentence=said, edit=_load(comparison, d))
    apart = "" if size is None else f" (relative L2 {size:.1e})"
    what, how, elsewhere = "", "", ""
    if r is not None and c is not None:
        elsewhere = comparison.same_in_reference(c) or ""
        if elsewhere:
            what = f"it is the reference's {elsewhere}: the wrong weight, or the wrong layer runs here"
        elif same_values(r.statistics, c.statistics):
            what, how = _rearranged(comparison, r, c)
        elif is_constant(c.statistics) and not is_constant(r.statistics) and c.statistics is not None:
            what = f"every element is {c.statistics.minimum:g}: never loaded, it has its initial values?"
        else:
            what = "nothing in the reference holds these numbers: never loaded, or trained further?"
        what += f"; {r.dtype} against {c.dtype}" if r.dtype != c.dtype else ""
    said = f"{d.name} holds other numbers{apart}" + (f"; {what}" if what else "")
    return Cause("parameter", d.name, sentence=said, edit=_load(comparison, d, elsewhere, how))


def _load(comparison: Comparison, d: ParameterDifference, elsewhere: str = "", how: str = "") -> str:
    """What to load into what; of all parameters of a layer that the rules know in the same words, of the user's own
    each by its name."""
    ours, theirs = d.places
    turned = f", {how}" if how else ""
    if not comparison.known_class(d) and d.reference is not None and d.candidate is not None:
        given = f": it was given {elsewhere}" if elsewhere else ""
        names = _dotted(ours, d.reference.name), _dotted(theirs, d.candidate.name)
        return f"load the reference's {names[0]} into {names[1]}{turned}{given}"
    given = f": it was given those of {elsewhere.rpartition('.')[0] or ROOT}" if elsewhere else ""
    if elsewhere and elsewhere.rpartition(".")[0] == ours:
        given = ": they were exchanged with each other"
    return f"load the weights of the reference's {ours} into {theirs}{turned}{given}"


def _own_parameter(d: ParameterDifference, comparison: Comparison) -> str:
    """What to do about a parameter that one side only has."""
    layer = comparison.candidate.graph.layers.get(d.places[1])
    where = f"{layer.source}  " if layer is not None and layer.source is not None else ""
    verb = "add" if d.candidate is None else "take out"
    return f"{where}{verb} the parameter {d.name} of {d.places[1]}"


def _rearranged(comparison: Comparison, r: Parameter, c: Parameter) -> tuple[str, str]:
    """How the same numbers lie in another order: in words, and what to do when they are loaded."""
    if r.stored and c.stored and math.prod(r.shape) <= 1 << 24:
        ours, theirs = comparison.reference.arrays.array(r), comparison.candidate.arrays.array(c)
        for axes in itertools.islice(itertools.permutations(range(theirs.ndim)), 1, 24):
            turned = np.transpose(theirs, axes)
            if turned.size == ours.size and np.array_equal(turned.reshape(-1), ours.reshape(-1)):
                word = "it is transposed" if theirs.ndim == 2 else f"its axes are permuted ({axes})"
                return word, "transposed (.T)" if theirs.ndim == 2 else "with its axes permuted"
        for parts in (2, 3, 4):
            if ours.shape == theirs.shape and ours.shape and ours.shape[0] % parts == 0:
                order = _order_of_parts(np.split(ours, parts), np.split(theirs, parts))
                if order is not None:
                    return (
                        f"its {parts} blocks of rows (gates, or query, key and value) stand in the order {order}",
                        f"its {parts} blocks of rows in the reference's order",
                    )
        for axis in range(ours.ndim):
            if ours.shape == theirs.shape and np.array_equal(np.flip(theirs, axis), ours):
                return f"it is reversed along axis {axis}", f"reversed along axis {axis}"
    return "it holds the same numbers in another order: transposed or permuted?", "in the reference's order"


def _order_of_parts(ours: Sequence[Array], theirs: Sequence[Array]) -> list[int] | None:
    """Which part of the reference each part of the candidate is; None where one is none of them."""
    order = [next((n for n, a in enumerate(ours) if np.array_equal(a, b)), -1) for b in theirs]
    return order if sorted(order) == list(range(len(ours))) else None


def setting_causes(comparison: Comparison, ours: Node, theirs: Node, *, quiet: bool = False) -> list[Cause]:
    """Settings that mean something else, each with the call to write; with `quiet` those that change what a layer
    remembers, else those that change what it gives."""
    layers, framework = comparison.candidate.graph.layers, comparison.frameworks[1]
    composite = {
        name: line
        for name, setting in ours.meaning.settings.items()
        if (line := composite_line(theirs.layer, name, setting.value, layers, framework))
    }
    return [
        Cause(
            "code" if d.name == "op" else "setting",
            d.name,
            d.reference,
            d.candidate,
            sentence=d.sentence,
            edit=(composite.get(d.name) or _edit(theirs, d.edit)) + _only_here(comparison, ours, theirs, d),
        )
        for d in differing_settings(ours, theirs, comparison.frameworks)
        if (d.name in QUIET_SETTINGS) == quiet
    ]


_ONLY_HERE = "other layers that this line makes need other values"
"""Follows an edit where the line stands for several layers that differ, as in a loop."""


def for_one_layer(cause: Cause) -> bool:
    """Is the edit right for one layer only of those that its line makes?"""
    return _ONLY_HERE in cause.edit


def _only_here(comparison: Comparison, ours: Node, theirs: Node, difference: SettingDifference) -> str:
    """Says so where the line to edit makes further layers, and the reference has other values there."""
    made = theirs.layer.made_at
    if made is None or not difference.edit:
        return ""
    partners = {c.path: r.path for c, r in comparison.candidate.partners.items()}
    wanted = _value_in_common(comparison.reference.graph, ours.layer.path, difference.name)
    for path, layer in comparison.candidate.graph.layers.items():
        same_line = layer.made_at is not None and (layer.made_at.file, layer.made_at.line) == (made.file, made.line)
        if not same_line or layer.kind != theirs.layer.kind or path not in partners:
            continue
        if _value_in_common(comparison.reference.graph, partners[path], difference.name) not in (None, wanted):
            return f"  # for {theirs.layer.path}; {_ONLY_HERE}"
    return ""


def _value_in_common(graph: CallGraph, path: str, name: str) -> Plain:
    """A setting of a layer in torch's words, None where it has none."""
    means = graph.meanings[path]
    if not means.op:
        return _own_settings(graph.layers[path]).get(name)
    return means.settings[name].value if name in means.settings else None


QUIET_SETTINGS = frozenset({"momentum"})
"""Settings that change what a layer remembers and not what it gives: told as notes."""

_OWN_WORDS = {"epsilon": "eps", "axis": "dim", "has_bias": "bias", "alpha": "negative_slope", "group": "groups"}


def differing_settings(ours: Node, theirs: Node, frameworks: tuple[str, str]) -> tuple[SettingDifference, ...]:
    """The settings of two layers that differ so that numbers can; of classes that no rule knows, those of one name."""
    if ours.meaning.op or theirs.meaning.op:
        shape = ours.inputs[0].shape if ours.inputs else None
        return setting_differences(
            ours.meaning, theirs.meaning, ours.layer, theirs.layer, *frameworks, input_shape=shape
        )
    mine, other = _own_settings(ours.layer), _own_settings(theirs.layer)
    names = [name for name in mine if name in other and mine[name] != other[name]]
    own = {_OWN_WORDS.get(name, name): name for name in theirs.layer.settings}
    edit = own_call(theirs.layer, {own[name]: (other[name], mine[name]) for name in names}) if names else ""
    return tuple(
        SettingDifference(
            name,
            mine[name],
            other[name],
            f"{name} is {mine[name]!r} in the reference and {other[name]!r} in the candidate",
            edit,
        )
        for name in names
    )


def _own_settings(layer: Layer) -> dict[str, Plain]:
    """Numbers and flags of a class that no rule knows, by torch's words."""
    return {
        _OWN_WORDS.get(name, name): value
        for name, value in layer.settings.items()
        if isinstance(value, bool | int | float)
    }


def _edit(node: Node, call: str) -> str:
    """The edit with its place. Where the line that was found says already what the edit asks, the layer was made anew
    or altered elsewhere; then only the call to write is given."""
    if call.startswith("set "):
        return edit_in_words(node.layer, call)
    line = edit_line(node.layer, call) if call else ""
    before, arrow, after = line.partition("  ->  ")
    return f"{node.layer.path} = {call}" if arrow and before.endswith(after) else line


def _nan_causes(difference: Difference) -> list[Cause]:
    r, c = difference.nan_reference, difference.nan_candidate
    if not difference.mask_differs:
        return []
    if r and not c:
        said = f"the reference has {r} elements that are not finite, the candidate none"
    elif c and not r:
        said = f"the candidate makes {c} elements that are not finite, the reference none"
    else:
        said = f"not finite elements sit elsewhere ({r} in the reference, {c} in the candidate)"
    return [Cause("nan", "nan", r, c, sentence=said)]


def _shape_causes(difference: Difference) -> list[Cause]:
    if difference.problem not in {"shape", "structure"}:
        return []
    if difference.layout:
        return [Cause("layout", "layout", sentence=f"the same numbers in another layout ({difference.layout})")]
    if difference.problem == "structure":
        return [Cause("shape", "structure", sentence=f"the results are built otherwise: {difference.leaf}")]
    r, c = difference.shapes or ((), ())
    return [Cause("shape", "shape", list(r), list(c), sentence=f"shape {r} in the reference, {c} in the candidate")]


def _exchanged_causes(comparison: Comparison, point: Point) -> list[Cause]:
    """Parts of a result, or arguments, that stand in each other's place."""
    if point.side not in {"in", "out"}:
        return []
    word = "input" if point.side == "in" else "output"
    said = [f"{_part(word, mine)} is the reference's {_part(word, its)}" for its, mine in comparison.exchanged(point)]
    return [Cause("code", "order", sentence=", ".join(said))] if said else []


def _part(word: str, leaf: str) -> str:
    """A part of a result as Python picks it: output[0]['mask']."""
    return word + "".join(f"[{key}]" if key.isdigit() else f"[{key!r}]" for key in leaf.split(".") if key)


def _frozen_causes(comparison: Comparison, point: Point, difference: Difference) -> list[Cause]:
    """Parameters that only one side trains."""
    if point.side != "grad_param" or difference.problem != "missing":
        return []
    pairs = comparison.shared_parameters(point.reference, point.candidate)
    frozen = [(r, c) for r, c in pairs if r.trainable != c.trainable and not (r.buffer or c.buffer)]
    return [
        Cause(
            "parameter",
            "requires_grad",
            r.trainable,
            c.trainable,
            edit=f"{_dotted(point.candidate.path, c.name)}.requires_grad = {r.trainable}",
            sentence=f"{r.name} is trained in the {'reference' if r.trainable else 'candidate'} only",
        )
        for r, c in frozen
    ]


def _dotted(path: str, name: str) -> str:
    """The path of a parameter."""
    return name if path == ROOT else f"{path}.{name}"


# --------------------------------------------------------------------------------------------------------------------
# Code between layers
# --------------------------------------------------------------------------------------------------------------------


def code_causes(comparison: Comparison, point: Point, difference: Difference) -> tuple[Cause, ...]:
    """What may be wrong in code between layers: layers that only one side runs there, a lost summand, a factor,
    another order."""
    found: list[Cause] = []
    if point.side.startswith("grad"):
        gone = difference.problem == "missing"
        said = "no gradient comes back here" if gone else "the gradient changes in code between layers"
        return (Cause("code", "backward", sentence=f"{said}: detach, stop_gradient or another function?"),)
    exchanged = _exchanged_causes(comparison, point)
    lone = _lone_layers(comparison, point)
    found += exchanged
    found += [c for c in lone if c.kind == "mode"]
    found += _nan_causes(difference)
    found += _dtype_causes(difference, comparison, comparison.candidate.graph.nodes[point.candidate], code=True)
    # what the numbers show goes before what may have made them so
    found += [] if exchanged else explain_values(comparison, point)
    found += _shape_causes(difference)
    found += [c for c in lone if c.kind != "mode"]
    if not [c for c in found if c.kind in {"code", "shape", "layout", "mode", "dtype"}]:
        unseen = "; the traces keep no values here that could show how" if difference.from_statistics else ""
        found.append(Cause("code", "forward", sentence=f"none that is known fits{unseen}", fallback=True))
    return tuple(found)


def no_cause_known(causes: Sequence[Cause]) -> bool:
    """Is all that is said of an origin that nothing known explains it?"""
    return all(c.fallback for c in causes)


def _lone_layers(comparison: Comparison, point: Point) -> list[Cause]:
    """Layers without a partner whose output went in here on one side only."""
    found: list[Cause] = []
    for side, id_, word, other in (
        (comparison.reference, point.reference, "reference", "candidate"),
        (comparison.candidate, point.candidate, "candidate", "reference"),
    ):
        lones = _lone_feeders(side.graph, id_, point.side, side.alone)
        for lone in lones:
            if _answered(comparison, side, lone):
                continue
            node = side.graph.nodes[lone]
            if not node.unit:
                continue  # a mere container; what lies inside it speaks for itself
            values: dict[str, Plain] = {word: node.layer.kind}
            if node.draws:
                found.append(
                    Cause(
                        "mode",
                        "training",
                        values.get("reference"),
                        values.get("candidate"),
                        sentence=f"{node.layer.kind} {lone.path} is active in the {word} only",
                    )
                )
            elif not node.meaning.transparent:
                found.append(
                    Cause(
                        "code",
                        node.meaning.op or node.layer.kind,
                        values.get("reference"),
                        values.get("candidate"),
                        sentence=f"the {word} runs {node.layer.kind} {lone.path} here, and no layer of the "
                        f"{other} answers it",
                        alone=lone.path,
                    )
                )
    return found


def _lone_feeders(graph: CallGraph, id_: CallId, side: str, alone: frozenset[CallId]) -> list[CallId]:
    feeds = graph.feeds(id_) if side == "in" else graph.output_feeds(id_)
    found = [f.by for f in feeds if f.kind == "call" and f.by is not None and f.by in alone]
    if side == "out":
        found += [c for c in graph.nodes[id_].children if c in alone and not graph.takers.get(c)]
    elif any(f.kind == "code" for f in feeds):
        earlier = graph.before(id_)
        found += [c for c in earlier[-3:] if c in alone and not graph.takers.get(c)]  # what others took went there
    return list(dict.fromkeys(found))


def _answered(comparison: Comparison, side: Bank, lone: CallId) -> bool:
    """Was all that a layer without a partner gave taken by layers that were given the same on the other side? Then it
    lies before what agrees."""
    takers = side.graph.takers
    todo = list(takers.get(lone, ()))
    taken = bool(todo)
    while todo:
        id_ = todo.pop()
        if comparison.given_the_same(side, id_):
            continue
        further = takers.get(id_, ()) if id_ in side.alone else ()
        if not further:
            return False
        todo.extend(further)
    return taken


def explain_values(comparison: Comparison, point: Point) -> list[Cause]:
    """Reads the arrays at the point, and what may have gone in, and says in what simple way they differ."""
    if point.side not in {"in", "out"}:
        return []
    for r, c in match_leaves(*comparison.values(point))[0]:
        if math.prod(r.shape) != math.prod(c.shape) or not (r.stored and c.stored) or math.prod(r.shape) > 1 << 24:
            continue
        ours, theirs = _wide(comparison.reference.arrays.array(r)), _wide(comparison.candidate.arrays.array(c))
        if r.shape != c.shape:
            judged = comparison.known(point)
            layout = next((x for x in layouts(r.shape, c.shape) if judged and x.name == judged.layout), None)
            if layout is None:
                continue
            theirs = layout.apply(theirs, r.shape)
        if not (np.isfinite(ours).all() and np.isfinite(theirs).all()) or _close(ours, theirs):
            continue
        equal = same_values(r.statistics, c.statistics, within=1e-5) and r.shape and math.prod(r.shape) > 4
        simple = simple_cause(ours, theirs, reordered=bool(equal))
        if simple is not None:
            return [simple]
        lost = _summand(comparison, point, theirs - ours)
        if lost is not None:
            return [lost]
        handed = _handed_instead(comparison, point, theirs)
        if handed:
            return [Cause("code", "input", sentence=f"the candidate hands on {handed} here, the reference does not")]
    return []


def simple_cause(ours: Array, theirs: Array, *, reordered: bool) -> Cause | None:
    """What makes one of two wide arrays of one shape of the other: a conjugate, a factor, a shift; where `reordered`
    says that both may hold the same numbers, their order."""
    if np.iscomplexobj(ours) and _close(ours.conj(), theirs):
        return Cause("code", "conj", sentence="the candidate is the complex conjugate of the reference")
    if reordered and _complex_order(ours, theirs):
        return Cause("code", "order", sentence="the same numbers in another order: axes or parts swapped?")
    factor = _number(complex(np.vdot(ours, theirs)) / max(float(np.vdot(ours, ours).real), 1e-300))
    if factor != 0 and _close(factor * ours, theirs):
        said = f"the candidate is {factor:.6g} times the reference"
        told = f"{factor:.6g}" if isinstance(factor, complex) else factor
        return Cause("code", "scale", 1.0, told, sentence=said)
    shift = _number(complex((theirs - ours).mean()))
    if _close(ours + shift, theirs):
        return Cause("code", "shift", sentence=f"the candidate is the reference plus {shift:.6g}")
    return None


def _handed_instead(comparison: Comparison, point: Point, theirs: Array) -> str:
    """What the candidate's value is in the reference, where it is something else that came by."""
    for name, value in _came_by(comparison.reference.graph, point.reference, point.side):
        known = value.stored and value.dtype in _FLOATS and not is_constant(value.statistics)
        if known and value.shape == theirs.shape:
            array = _wide(comparison.reference.arrays.array(value))
            if _close(array, theirs):
                return name
    return ""


_FLOATS = frozenset({"float16", "float32", "float64", "complex64", "complex128"})


def _wide(array: Array) -> Array:
    """In double precision, complex numbers as such."""
    return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)


def _number(value: complex) -> complex | float:
    """A number without an imaginary part that is rounding only."""
    return value.real if abs(value.imag) <= 1e-6 * abs(value) else value


def _complex_order(ours: Array, theirs: Array) -> bool:
    """Can they be the same numbers in another order? The statistics of complex numbers know their sizes only."""
    if not (np.iscomplexobj(ours) or np.iscomplexobj(theirs)):
        return True
    return _close(np.sort_complex(ours.ravel()), np.sort_complex(theirs.ravel()))


def _summand(comparison: Comparison, point: Point, apart: Array) -> Cause | None:
    """Is the difference something that came by: a residual lost, or added twice?"""
    for name, value in _came_by(comparison.reference.graph, point.reference, point.side):
        if not value.stored or value.dtype not in _FLOATS:
            continue
        for layout in layouts(apart.shape, value.shape):
            array = _wide(layout.apply(comparison.reference.arrays.array(value), apart.shape))
            if _close(-apart, array):
                return Cause("code", "residual", sentence=f"the reference adds {name} here, the candidate does not")
            if _close(apart, array):
                return Cause("code", "residual", sentence=f"the candidate adds {name} once more than the reference")
    return None


def _came_by(graph: CallGraph, id_: CallId, side: str) -> list[tuple[str, Value]]:
    """What code in the enclosing call could have used: what it was given, and what the calls before gave."""
    scope = id_ if side == "out" else graph.nodes[id_].parent
    if scope is None:
        return []
    earlier: Sequence[CallId] = graph.nodes[scope].children if side == "out" else graph.before(id_)
    given = [(f"the input of {scope.path}", v) for v in graph.nodes[scope].inputs]
    made = [(f"the output of {c.path}", v) for c in reversed(earlier) for v in graph.nodes[c].outputs]
    came = [(f"the input of {c.path}", v) for c in reversed(earlier) for v in graph.nodes[c].inputs]
    return [*given, *made[:12], *came[:12]]


def _close(a: Array, b: Array) -> bool:
    size = float(np.linalg.norm(a.ravel()))
    return float(np.linalg.norm((a - b).ravel())) <= 1e-4 * size
