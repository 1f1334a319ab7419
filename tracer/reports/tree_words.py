"""Two trees in words: what a layer is in short, what the whole comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tracer.starting_point.trees.folding import Line
from tracer.starting_point.trees.rows import Part, Row, Trees, Whole
from tracer.starting_point.weights.weight_map import STATISTICS
from tracer.trace.schema import Plain

MARKS = {"differs": "!", "missing": "<", "extra": ">", "apart": "-", "merged": "+", "not compared": "?"}
"""What stands before a line; nothing before layers that are the same."""

LEGEND = {
    "!": "differs",
    "<": "in the reference only",
    ">": "in the candidate only",
    "-": "on one side only, computes nothing",
    "+": "one layer here, several there",
    "?": "could not be compared",
}

_PLURALS = {
    "op": ("other op", "other ops"),
    "setting": ("setting", "settings"),
    "size": ("size", "sizes"),
    "missing bias": ("missing bias", "missing biases"),
    "extra bias": ("extra bias", "extra biases"),
    "missing parameter": ("missing parameter", "missing parameters"),
    "extra parameter": ("extra parameter", "extra parameters"),
    "missing layer": ("missing layer", "missing layers"),
    "extra layer": ("extra layer", "extra layers"),
    "moved": ("moved", "moved"),
}


def mark(row: Row) -> str:
    """The sign before a row."""
    if row.differences:
        return MARKS["differs"]
    return "" if row.state == "not compared" and not row.paired else MARKS.get(row.state, "")


# --------------------------------------------------------------------------------------------------------------------
# A layer
# --------------------------------------------------------------------------------------------------------------------


def label(line: Line, side: str) -> str:
    """The path below the layer around it; of a run of members the first and the last."""
    part, last = (getattr(row, side) if row else None for row in (line.row, line.last))
    if part is None:
        return ""
    if last is None:
        return str(part.label)
    return f"{part.label}-{last.label.rpartition('.')[2]}"


def layer_words(part: Part, first: Sequence[str] = ()) -> str:
    """Class and telling settings, those named in `first` before all: "Conv2d 3->64 7x7 stride 2 no bias"."""
    said = " ".join(_telling(part, first))
    if not part.op and part.parameters:
        held = {name: shape for name, shape in part.parameters.items() if name not in STATISTICS} or part.parameters
        said = ", ".join(f"{name} {by(shape)}" for name, shape in held.items())
    return f"{part.kind} {said}".strip()


def _telling(part: Part, first: Sequence[str]) -> list[str]:
    settings = part.settings
    shown = {name for pair in _FROM_TO for name in pair}
    said = [_named(n, settings[n]) for n in dict.fromkeys(first) if settings.get(n) is not None and n not in shown]
    for one, other in _FROM_TO:
        if one in settings and other in settings:
            said.append(f"{settings[one]}->{settings[other]}")
    for name, (word, unsaid) in _ALONE.items():
        value = settings.get(name)
        if value is not None and name not in first and value not in unsaid:
            said.append(f"{word} {plain(value, size=not word)}".strip())
    said += [f"no {name}" for name in _SWITCHES if settings.get(name) is False and name not in first]
    return said


def _named(name: str, value: Plain) -> str:
    """A setting with its name."""
    word = _SHORT.get(name, name)
    if isinstance(value, bool):
        return word if value else f"no {word}"
    return f"{word} {plain(value)}"


_FROM_TO = (("in_features", "out_features"), ("in_channels", "out_channels"), ("num_embeddings", "embedding_dim"),
            ("input_size", "hidden_size"))  # fmt: skip
_SWITCHES = ("affine", "elementwise_affine", "track_running_stats", "bias")
_SHORT = {"padding": "pad", "negative_slope": "slope", "num_heads": "heads", "num_groups": "groups"}

_ALONE: Mapping[str, tuple[str, tuple[Plain, ...]]] = {
    "normalized_shape": ("", ()),
    "num_features": ("", ()),
    "num_groups": ("groups", ()),
    "num_channels": ("of", ()),
    "embed_dim": ("", ()),
    "num_heads": ("heads", ()),
    "d_model": ("", ()),
    "nhead": ("heads", ()),
    "num_layers": ("layers", (1,)),
    "bidirectional": ("bidirectional", (False,)),
    "kernel_size": ("", ()),
    "output_size": ("", ()),
    "stride": ("stride", (1, [1], [1, 1], [1, 1, 1])),
    "padding": ("pad", (0, [0], [0, 0], [0, 0, 0])),
    "dilation": ("dilation", (1, [1], [1, 1], [1, 1, 1])),
    "groups": ("groups", (1,)),
    "eps": ("eps", ()),
    "p": ("p", ()),
    "approximate": ("", ("none",)),
    "negative_slope": ("slope", ()),
    "dim": ("dim", ()),
}
"""Settings worth a word in a line: the word before the value, and the values that go without saying."""


def plain(value: Plain, *, size: bool = False) -> str:
    """A value in short: lists of one number as that number, those of a size with an x."""
    if isinstance(value, list):
        alike = bool(value) and all(v == value[0] for v in value) and not size
        return plain(value[0]) if alike else "x".join(plain(v) for v in value)
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def by(shape: tuple[int, ...]) -> str:
    """A shape as one reads it."""
    return "x".join(map(str, shape)) or "scalar"


# --------------------------------------------------------------------------------------------------------------------
# The whole
# --------------------------------------------------------------------------------------------------------------------


def side(whole: Whole) -> tuple[str, str]:
    """A side as it is called above its tree: its name, and what it is where the name does not say so."""
    known = f"{whole.framework} {whole.net}".strip() if whole.net else "parameters only"
    return whole.name, "" if known == whole.name else known


def summary_parts(trees: Trees) -> tuple[str, str]:
    """The summary in one line: the verdict with what it counts, and how large both nets are."""
    many = f"{trees.layers:,} layers" if trees.layers != 1 else "1 layer"
    if trees.verdict == "unsure":
        said = "unsure: no layer of the one side could be aligned with one of the other"
    elif trees.verdict == "same":
        rest = f", {trees.not_compared} of them not compared" if trees.not_compared else ""
        said = f"same: {many}{rest}"
    else:
        said = f"differ: {trees.differing:,} of {many} ({', '.join(counted(k, n) for k, n in trees.kinds.items())})"
    return said, f"{amount(trees.reference.numbers)} | {amount(trees.candidate.numbers)} parameters"


def summary(trees: Trees) -> str:
    """Both parts as one line."""
    return "   ".join(summary_parts(trees))


def asides(trees: Trees) -> list[str]:
    """What is counted apart, and what must be known to read the rest."""
    said = []
    if trees.apart:
        one = "layer that computes nothing stands" if trees.apart == 1 else "layers that compute nothing stand"
        said.append(f"{trees.apart} {one} on one side only (Identity, Flatten, dropout in evaluation), not counted")
    return [*said, *trees.notes]


def counted(kind: str, count: int) -> str:
    """A count in words, as "2 missing biases"."""
    return f"{count:,} {_PLURALS.get(kind, (kind, kind))[count != 1]}"


def amount(numbers: int) -> str:
    """A count of numbers as the field says it: 86.6 M."""
    for size, word in ((10**9, "G"), (10**6, "M")):
        if numbers >= size:
            return f"{numbers / size:.1f} {word}"
    return f"{numbers:,}"


def inside_words(line: Line) -> str:
    """What is said of a closed subtree, and of a run."""
    said = [f"x{line.count}"] if line.count > 1 else []
    if line.closed:
        said.append(f"({line.closed} layers{f', {line.inside} differ' if line.inside else ''})")
    return " ".join(said)
