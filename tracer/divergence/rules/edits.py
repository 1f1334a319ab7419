"""The call to write in the candidate's code, so that a layer means what the reference's does."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath

from tracer.divergence.rules.calls import (
    GONE,
    UNKNOWN,
    Changes,
    Gone,
    Signature,
    compose,
    literal,
    rewrite,
    signature,
    written,
)
from tracer.divergence.rules.comparisons import (
    Pair,
    agree,
    appends_zeros,
    axis_of,
    normalized_axes,
    pads_of,
    says_pad_mode,
    steps_of,
)
from tracer.divergence.rules.conversions import padding_pairs, rank_of, same_pads, short, whole_numbers, write
from tracer.divergence.rules.meanings import (
    TABLES,
    Meaning,
    Setting,
    equal,
    is_number,
    meaning,
    public_name,
    row_of,
    source_call,
    value_of,
)
from tracer.frameworks.base import LayerRule, SettingRule
from tracer.trace.schema import Layer, Plain, Source


def edit_call(candidate: Meaning, layer: Layer, wanted: Sequence[tuple[str, Setting]], pair: Pair) -> str:
    """The candidate's call with every setting in `wanted` as the reference has it; "" where none can be written."""
    changes: dict[str, Plain | Gone] = {}
    for name, ours in wanted:
        changes |= _changes(candidate, name, ours.value, pair) or {}
    if not changes or candidate.rule is None:
        return ""
    changes = dict(_max_pool_mode(candidate, changes, pair))
    names = signature(candidate.rule.signature)
    call = source_call(layer, candidate.rule)
    if call is not None and (_is_own_class(layer, candidate.rule) and not set(changes) <= set(call.values(names))):
        # a class of the user's own may not take the argument: its call of the class above does
        return f"{compose('super().__init__', changes, unseen=True)}  # in {layer.kind}"
    if call is not None and any(not key for key, _ in call.keywords) and not set(changes) <= set(call.values(names)):
        # what `**options` holds already must not be given twice
        return _in_words({key: new for key, new in changes.items() if new is not GONE})
    if call is not None:
        return rewrite(call, names, changes)
    unseen = bool(set(names.required) - set(changes)) or not candidate.rule.signature
    return compose(_canonical(layer), changes, unseen=unseen)


def _in_words(changes: Changes) -> str:
    return "set " + " and ".join(f"{key} to {written(new)}" for key, new in changes.items())


def writable(candidate: Meaning, name: str, ours: Setting, pair: Pair) -> bool:
    """Can the candidate's constructor give the setting this value?"""
    return _changes(candidate, name, ours.value, pair) is not None


def _is_own_class(layer: Layer, rule: LayerRule) -> bool:
    """Is the layer's class one that the table does not name itself?"""
    first = layer.bases[0] if layer.bases else layer.kind
    named = {first, public_name(first), first.rpartition(".")[2]} & set(rule.kinds)
    return not named and not any(kind.rpartition(".")[2] == layer.kind for kind in rule.kinds)


def _canonical(layer: Layer) -> str:
    """How a user calls a class of the framework."""
    base = public_name(layer.bases[0]) if layer.bases else layer.kind
    if base.startswith("mindspore.mint.nn.") or layer.kind.endswith("Ext"):
        return f"mint.nn.{layer.kind.removesuffix('Ext')}"
    return f"nn.{layer.kind}" if base.startswith(("torch.nn.", "mindspore.nn.")) else layer.kind


def edit_line(candidate_layer: Layer, new_call: str) -> str:
    """The edit with its place and what stands there: "vit.py:41  nn.GELU()  ->  nn.GELU(approximate=False)"; "" where
    there is nothing to write."""
    if not new_call:
        return ""
    source = candidate_layer.made_at
    if source is None:
        return f"{candidate_layer.path}  {new_call}"
    call = source_call(candidate_layer)
    return f"{_place(source)}  {call.text}  ->  {new_call}" if call is not None else f"{_place(source)}  {new_call}"


def edit_in_words(candidate_layer: Layer, words: str) -> str:
    """What to do at the line that made the layer, where no call can be written for sure."""
    source = candidate_layer.made_at
    return f"{_place(source)}  {words}" if source is not None else f"{candidate_layer.path}  {words}"


def _place(source: Source) -> str:
    file = PurePath(source.file)
    return f"{file.name if file.is_absolute() else file}:{source.line}"


_PASSED_ON = {"eps": "layer_norm_eps", "p": "dropout", "num_heads": "nhead", "embed_dim": "d_model"}
"""What the framework's composites call a setting of a layer that they make."""


def composite_line(layer: Layer, name: str, value: Plain, layers: Mapping[str, Layer], framework: str) -> str:
    """The edit for a layer that a composite of the framework made (a LayerNorm in a TransformerEncoderLayer): an
    argument of the composite, at the line that made that. "" where the layer's own call stands in the user's code, or
    no composite takes the setting."""
    path = layer.path
    while source_call(layer) is None and "." in path:
        path = path.rpartition(".")[0]
        above = layers.get(path)
        rule = meaning(above, framework, layers).rule if above is not None else None
        if above is None or rule is None or _is_own_class(above, rule):
            continue
        names = signature(rule.signature)
        argument = name if name in names.names else _PASSED_ON.get(name, "")
        if argument in names.names:
            call = source_call(above, rule)
            change: Changes = {argument: value}
            new = rewrite(call, names, change) if call else compose(_canonical(above), change, unseen=True)
            return edit_line(above, new)
    return ""


_CAST = r"\.(?:to|to_float|half|float|double|bfloat16)\([^()]*\)"


def cast_line(layer: Layer, calling: Source | None, framework: str, dtype: str) -> str:
    """How to bring what a layer gives, or (`calling`) what its calling line hands it, to a dtype."""
    module = {"torch": "torch", "mindspore": "mindspore"}.get(framework)
    if module is None:
        return ""
    if calling is not None:
        convert = "to" if framework == "torch" else "astype"
        return f"{calling}  convert with .{convert}({module}.{dtype})"
    convert = "to" if framework == "torch" or dtype == "float64" else "to_float"
    call = source_call(layer)
    new = f"{call.text if call else layer.path}.{convert}({module}.{dtype})"
    line = layer.made_at.text or "" if layer.made_at is not None else ""
    cast = re.search(re.escape(call.text) + _CAST, line) if call else None
    if cast is not None and layer.made_at is not None:  # one that stands there already is replaced
        return f"{_place(layer.made_at)}  {cast.group()}  ->  {new}"
    return edit_line(layer, new)


def own_call(layer: Layer, changes: Mapping[str, tuple[Plain, Plain]]) -> str:
    """The call of a class of the user's own with other values, each given as (what it has, what it is to have). A
    value that was given by position is found by its name or by what it is; where it may be one that cannot be read,
    the edit is said in words ("set flip to False"): an argument must not be given twice."""
    call = source_call(layer)
    if call is None:
        return compose(layer.kind, {name: new for name, (_, new) in changes.items()}, unseen=True)
    names = [f"*{n}" for n in range(len(call.positional))]
    given = [literal(ast.parse(text.lstrip("*"), mode="eval").body) for text in call.positional]
    keywords = {key for key, _ in call.keywords}
    for name, (old, _) in changes.items():
        called = [n for n, text in enumerate(call.positional) if text.rpartition(".")[2] == name]
        places = called or [n for n, value in enumerate(given) if value is not UNKNOWN and equal(value, old)]
        if name in keywords:
            continue
        if len(places) == 1:
            names[places[0]] = name
        elif places or call.open or any(_may_be_any(text, layer) for text in call.positional):
            return _in_words({key: new for key, (_, new) in changes.items()})
    return rewrite(call, Signature(tuple(names), len(names), {}), {name: new for name, (_, new) in changes.items()})


def _may_be_any(text: str, layer: Layer) -> bool:
    """May an argument without a name be any setting? An expression may, and so may a loop's variable; a word says what
    it is."""
    if literal(ast.parse(text.lstrip("*"), mode="eval").body) is not UNKNOWN:
        return False
    loops = re.findall(r"\bfor\s+(.+?)\s+in\b", layer.made_at.text or "" if layer.made_at is not None else "")
    counted = {word for loop in loops for word in re.findall(r"\w+", loop)}
    return not re.fullmatch(r"[A-Za-z_][\w.]*", text) or len(text) < 3 or text in counted


def other_call(pair: Pair, layer: Layer, framework: str) -> str:
    """A call of the candidate framework's class for the reference's op, with the settings the reference has."""
    mint = bool(layer.bases) and public_name(layer.bases[0]).startswith("mindspore.mint.")
    rules = [rule for rule in TABLES.get(framework, ()) if rule.op == pair.reference.op]
    rules.sort(key=lambda rule: rule.kinds[0].startswith("mindspore.mint.") != mint)
    if not rules:
        return ""
    rule = rules[0]
    kind = rule.kinds[0].rpartition(".")[2]
    base = Layer("", kind, (rule.kinds[0],))
    means = meaning(base, framework)
    new = replace(pair, candidate=means)
    changes: dict[str, Plain | Gone] = {}
    for name, ours in pair.reference.settings.items():
        theirs = means.settings.get(name)
        if theirs is None or not agree(new, name, ours, theirs):
            changes |= {k: v for k, v in (_changes(means, name, ours.value, new) or {}).items() if v is not GONE}
    unseen = bool(set(signature(rule.signature).required) - set(changes))
    return compose(_canonical(base), changes, unseen=unseen)


# --------------------------------------------------------------------------------------------------------------------
# Which arguments give a setting its value
# --------------------------------------------------------------------------------------------------------------------


def _changes(candidate: Meaning, name: str, value: Plain, pair: Pair) -> Changes | None:
    """The candidate's arguments that give it this value."""
    row = row_of(candidate, name)
    if name in ("alpha", "size") and candidate.op == "local_response_norm":
        return _lrn_changes(candidate, pair)
    if row is None or not row.argument:
        return None
    if name in ("padding", "output_padding") and "transpose" in candidate.op:
        return _transposed_changes(candidate, pair)
    if name == "padding":
        return _padding_changes(candidate, row, value, pair)
    if name == "count_include_pad" and value is True and value_of(candidate, name) is False:
        padded = value_of(pair.reference, "padding")
        padding = _changes(candidate, "padding", padded, pair) if _is_same_mode(candidate) else {}
        return None if padding is None else {**padding, "count_include_pad": True}
    if name == "dim" and value is None:
        value = axis_of(pair.reference, value, pair.rank)  # say what torch takes silently, where it is known
        if value is None and row.argument == "axis":
            return None  # MindSpore wants a number
    if name == "normalized_shape" and row_of(candidate, "begin_norm_axis") is not None:
        return _normalized_changes(row, value, pair.rank)
    if name == "normalized_shape" and normalized_axes(pair.reference, pair.rank) != len(value):  # type: ignore[arg-type]
        return None  # PyTorch normalises over as many axes as the weight has
    return write(row, value, rank_of(candidate.op))


def _normalized_changes(row: SettingRule, shape: Plain, rank: int | None) -> Changes | None:
    """MindSpore's LayerNorm takes -1 or a positive axis as the first one it normalises."""
    axes = len(shape) if isinstance(shape, list) else 1
    if axes == 1:
        return {row.argument or "": shape, "begin_norm_axis": GONE, "begin_params_axis": GONE}
    if rank is None:
        return None
    return {row.argument or "": shape, "begin_norm_axis": rank - axes, "begin_params_axis": rank - axes}


def _transposed_changes(candidate: Meaning, pair: Pair) -> Changes | None:
    """Padding and output_padding of a transposed convolution, which together say what is cropped at each end."""
    crop = pads_of(pair.reference, pair.sizes)
    stride, kernel = steps_of(pair.reference, "stride"), steps_of(pair.reference, "kernel_size")
    if crop is None or stride is None or kernel is None or appends_zeros(pair.reference):
        return None
    more = [before - after for before, after in crop]
    if not says_pad_mode(candidate):
        if any(before < 0 for before, _ in crop) or not all(0 <= m < s for m, s in zip(more, stride, strict=True)):
            return None
        padding: dict[str, Plain | Gone] = {"padding": short([before for before, _ in crop])}
        return {**padding, "output_padding": short(list(more)) if any(more) else GONE}
    dilation = steps_of(pair.reference, "dilation") or [1] * len(kernel)
    spare = [d * (k - 1) + 1 - s for k, d, s in zip(kernel, dilation, stride, strict=True)]
    whole = rank_of(candidate.op) == 1  # Conv1dTranspose takes one number as padding, and no output_padding
    gone: dict[str, Plain | Gone] = {} if whole else {"output_padding": GONE}
    if all(pair_ == (t // 2, t - t // 2) for pair_, t in zip(crop, spare, strict=True)) and any(more):
        return {"pad_mode": "same", "padding": GONE, **gone}
    if all(pair_ == (0, 0) for pair_ in crop) and all(t >= 0 for t in spare):
        return {"pad_mode": "valid", "padding": GONE, **gone}
    flat: list[Plain] = [v for pair_ in crop for v in pair_]
    if any(after < 0 for _, after in crop):
        appended = rank_of(candidate.op) == 2 and value_of(pair.reference, "bias") is False
        if not appended or any(before or after > 0 for before, after in crop):
            return None
        return {"pad_mode": "pad", "padding": 0, "output_padding": short([-after for _, after in crop])}
    if whole and any(more):
        return None
    return {"pad_mode": "pad", "padding": short(flat), **gone}


def _is_same_mode(means: Meaning) -> bool:
    found = means.settings.get("padding")
    return found is not None and found.own_value == "same"


def _max_pool_mode(candidate: Meaning, changes: Changes, pair: Pair) -> Changes:
    """MindSpore's MaxPool takes ceil_mode, dilation and return_indices with pad_mode "pad" only."""
    row = row_of(candidate, "padding")
    needs = {"ceil_mode", "dilation", "return_indices"} & set(changes)
    if not candidate.op.startswith("max_pool") or row is None or row.convert != "pad_mode" or not needs:
        return changes
    padding = padding_pairs(pair.both("padding")[0])
    if padding is None:
        return changes
    flat: Plain = [v for both in padding for v in both]
    symmetric: Plain = [a for a, _ in padding] if all(a == b for a, b in padding) else flat
    return {**changes, "pad_mode": "pad", "padding": short(symmetric)}


def _padding_changes(candidate: Meaning, row: SettingRule, value: Plain, pair: Pair) -> Changes | None:
    if value == "same" and row.convert != "pad_mode":
        pads = pads_of(pair.reference, pair.sizes)
        if pads is None or any(a != b for a, b in pads):
            return None
        value = [a for a, _ in pads]
    changes = write(row, value, rank_of(candidate.op))
    if changes is None and row.convert == "torch_padding" and candidate.op.startswith("conv"):
        strides = whole_numbers(value_of(pair.reference, "stride")) or [0]
        if "transpose" not in candidate.op and all(s == 1 for s in strides) and _is_same(pair.reference, value):
            return {"padding": "same"}
    return changes


def _is_same(means: Meaning, value: Plain) -> bool:
    """Is this what padding "same" adds at stride 1?"""
    kernel = whole_numbers(value_of(means, "kernel_size")) or []
    dilation = steps_of(means, "dilation") or [1] * len(kernel)
    return padding_pairs(value) == [same_pads(10**6, k, 1, d) for k, d in zip(kernel, dilation, strict=False)]


def _lrn_changes(candidate: Meaning, pair: Pair) -> Changes | None:
    size, alpha = pair.both("size")[0], pair.both("alpha")[0]
    if not isinstance(size, int) or not is_number(alpha):
        return None
    if row_of(candidate, "size").convert != "radius":  # type: ignore[union-attr]
        return {"size": size, "alpha": alpha}
    return {"depth_radius": (size - 1) // 2, "alpha": alpha / size} if size % 2 else None  # type: ignore[operator]
