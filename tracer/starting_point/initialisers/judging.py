"""Parameters of two nets that belong together are tested: do both sides draw them from one distribution?

What is tested. Numbers of the two sides come from different seeds, so they are independent, and within a net the
elements of a parameter are (where they are not, one number of each seed is taken). The test is that of Kolmogorov and
Smirnov, on the numbers and on how far each is from the middle, which sees other widths twice as well. Over all
parameters of a net its levels are corrected by Holm's rule: two nets of one initialisation are told apart by mistake in
at most one comparison of a thousand.

What counts. Of enough numbers a test finds any difference, so one is called only where the two distribution functions
are at least `LEAST` apart somewhere: a normal distribution 4 % wider than the other, or a uniform one 2 % wider.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from scipy import stats

from tracer.divergence.metrics import Progress
from tracer.divergence.rules import FRAMEWORK_NAMES, meaning
from tracer.starting_point.holders import Holder
from tracer.starting_point.initialisers.laws import Law, initialiser, law_of
from tracer.starting_point.initialisers.made_nets import Factory, Part, Sample, first_net, samples_of
from tracer.starting_point.weights.placing import map_weights
from tracer.starting_point.weights.steps import apply_steps
from tracer.starting_point.weights.weight_map import Placement, WeightMap, key_of
from tracer.trace.schema import Layer, Parameter, Skeleton

Array = np.ndarray[Any, Any]
Verdict = Literal["alike", "differs", "unsure"]

LEVEL = 0.001
"""How often two nets of one initialisation may be told apart by mistake."""

LEAST = 0.02
"""Distribution functions that are nowhere further apart are taken for one."""

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)

_SAME_TABLE = 1e-5
"""Fixed numbers that are relatively nearer than this are the same: both sides compute them in float32."""


@dataclass(frozen=True)
class Drawn:
    """One side of a row: which parameters, of which class of layer, and what they hold over all seeds."""

    keys: tuple[str, ...]
    kind: str
    law: Law
    shape: tuple[int, ...]
    count: int
    mean: float
    std: float
    minimum: float
    maximum: float
    quantiles: tuple[float, ...]

    @property
    def name(self) -> str:
        """The parameters in a line."""
        return " + ".join(self.keys)


@dataclass(frozen=True)
class InitRow:
    """Two parameters that belong together.

    `apart` is the largest distance of the distribution functions, `p` its corrected level, `finest` the least distance
    that would have been called with so many numbers; None where nothing was tested, for both sides are fixed.
    `sentence` says what each side draws, `edit` how the candidate draws like the reference.
    """

    reference: Drawn
    candidate: Drawn
    verdict: Verdict
    apart: float | None = None
    p: float | None = None
    finest: float | None = None
    sentence: str = ""
    edit: str = ""


@dataclass(frozen=True)
class InitComparison:
    """All rows, in the candidate's order, and what could not be compared."""

    reference: str
    candidate: str
    frameworks: tuple[str, str]
    seeds: int
    rows: tuple[InitRow, ...]
    alone_reference: tuple[str, ...] = ()
    alone_candidate: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def differs(self) -> tuple[InitRow, ...]:
        """Rows whose sides draw from different distributions."""
        return tuple(row for row in self.rows if row.verdict == "differs")


def compare_initialisers(
    reference: Factory, candidate: Factory, seeds: int, progress: Progress | None = None, *, first: int = 0
) -> InitComparison:
    """Make both nets once for every seed, and test each pair of parameters.

    The reference has the seeds `first`, `first` + 1, ..., the candidate those that follow. One net at a time is in
    memory.

    Raises:
        StartingPointError: a factory makes no nets, one net only, or nets of different parameters.
    """
    told = progress or (lambda *_: None)
    sides = (_Side.of(first_net(reference, "reference", first)), _Side.of(first_net(candidate, "candidate", first)))
    names = (sides[0].name, sides[1].name)
    pairs = _pairs(map_weights(sides[0].skeleton, sides[1].skeleton))
    parts = ({name: pair[side] for name, pair in pairs.rows.items()} for side in (0, 1))
    own, others = range(first, first + seeds), range(first + seeds, first + 2 * seeds)
    left = samples_of(reference, "reference", own, next(parts), partial(_tell, told, 0, 2 * seeds))
    right = samples_of(candidate, "candidate", others, next(parts), partial(_tell, told, seeds, 2 * seeds))
    rows = [
        _row(left[name], right[name], sides, pairs.keys[name]) for name in pairs.rows if name in left and name in right
    ]
    return InitComparison(
        reference=names[0],
        candidate=names[1],
        frameworks=(sides[0].framework, sides[1].framework),
        seeds=seeds,
        rows=tuple(_judged(rows, sides)),
        alone_reference=pairs.alone[0],
        alone_candidate=pairs.alone[1],
        notes=tuple(_notes(left, right, names)),
    )


def _tell(told: Progress, before: int, total: int, done: int) -> None:
    told("making nets", before + done, total)


# --------------------------------------------------------------------------------------------------------------------
# Which belongs to which
# --------------------------------------------------------------------------------------------------------------------

_Keys = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class _Pairs:
    rows: Mapping[str, tuple[Part, Part]]
    keys: Mapping[str, _Keys]
    alone: tuple[tuple[str, ...], tuple[str, ...]]


def _pairs(found: WeightMap) -> _Pairs:
    rows: dict[str, tuple[Part, Part]] = {}
    keys: dict[str, _Keys] = {}
    floating = {key for facts in (found.reference, found.candidate) for key, p in facts.items() if "int" not in p.dtype}
    for placement in found.placements:
        sources = tuple(piece.source for piece in placement.pieces)
        if placement.target in floating and floating.issuperset(sources):
            rows[placement.target] = (partial(_placed, placement), partial(_all_of, (placement.target,)))
            keys[placement.target] = (sources, (placement.target,))
    for choice in found.choices:  # which is which is open; what they are drawn from can be compared all the same
        name = " + ".join(choice.candidates)
        rows[name] = (partial(_all_of, choice.references), partial(_all_of, choice.candidates))
        keys[name] = (choice.references, choice.candidates)
    return _Pairs(rows, keys, (tuple(p.key for p in found.surplus), tuple(p.key for p in found.missing)))


def _placed(placement: Placement, read: Callable[[str], Array]) -> Sequence[Array]:
    pieces = [apply_steps(piece.steps, read(piece.source)) for piece in placement.pieces]
    whole = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    return [apply_steps(placement.then, whole)]


def _all_of(keys: Sequence[str], read: Callable[[str], Array]) -> Sequence[Array]:
    return [read(key) for key in keys]


# --------------------------------------------------------------------------------------------------------------------
# Judging
# --------------------------------------------------------------------------------------------------------------------


class _Side:
    """What is known of a side without its numbers."""

    def __init__(self, name: str, skeleton: Skeleton) -> None:
        self.name = name
        self.framework = skeleton.header.framework
        self.skeleton = skeleton
        self.parameters: dict[str, tuple[Layer, Parameter]] = {
            key_of(path, p.name): (layer, p) for path, layer in skeleton.layers.items() for p in layer.parameters
        }

    @staticmethod
    def of(holder: Holder) -> _Side:
        """The net itself is let go."""
        return _Side(holder.name, holder.skeleton)

    @property
    def shown(self) -> str:
        return "torch" if self.framework == "torch" else FRAMEWORK_NAMES.get(self.framework, self.framework)

    def drawn(self, keys: tuple[str, ...], sample: Sample) -> Drawn:
        return Drawn(
            keys=keys,
            kind=self.parameters[keys[0]][0].kind,
            law=law_of(sample),
            shape=sample.shape,
            count=sample.count,
            mean=sample.mean,
            std=sample.std,
            minimum=sample.minimum,
            maximum=sample.maximum,
            quantiles=tuple(np.quantile(sample.values, QUANTILES).tolist()),
        )


@dataclass(frozen=True)
class _Raw:
    """A row before its level is corrected."""

    row: InitRow
    p: float | None = None
    apart: float = 0.0
    numbers: tuple[int, int] = (0, 0)


def _row(left: Sample, right: Sample, sides: tuple[_Side, _Side], keys: _Keys) -> _Raw:
    one, other = sides[0].drawn(keys[0], left), sides[1].drawn(keys[1], right)
    if left.strange or right.strange:
        return _Raw(InitRow(one, other, "alike" if left.strange and right.strange else "differs"))
    if left.fixed and right.fixed:
        return _Raw(InitRow(one, other, "alike" if _same_numbers(left, right) else "differs"))
    if left.fixed or right.fixed:
        table = "table" in (one.law.name, other.law.name)
        return _Raw(InitRow(one, other, "unsure" if table else "differs"))
    a, b = _independent(left.values), _independent(right.values)
    apart, p = _apart(a, b)
    return _Raw(InitRow(one, other, "alike"), p, apart, (len(a), len(b)))


def _same_numbers(left: Sample, right: Sample) -> bool:
    if left.values.shape != right.values.shape:
        return left.minimum == left.maximum == right.minimum == right.maximum
    scale = max(abs(left.maximum), abs(left.minimum))
    return bool(np.abs(left.values - right.values).max() <= _SAME_TABLE * scale)


def _independent(values: Array) -> Array:
    """All numbers where they are independent of one another; one of each seed where a net's are alike."""
    seeds, numbers = values.shape
    if numbers > 1 and seeds > 1:
        least = stats.chi2.isf(1e-6, seeds - 1) / (seeds - 1)
        for kind in (values, np.abs(values - np.median(values))):
            spread = kind.var()
            if spread > 0 and numbers * kind.mean(axis=1).var(ddof=1) / spread > least:
                return values[:, 0]
    return values.reshape(-1)


def _apart(a: Array, b: Array) -> tuple[float, float]:
    """The larger distance of two tests, and its level for both of them."""
    middle = float(np.median(np.concatenate([a, b])))
    tests = [_ks(a, b), _ks(np.abs(a - middle), np.abs(b - middle))]
    return max(apart for apart, _ in tests), min(1.0, 2 * min(p for _, p in tests))


def _ks(a: Array, b: Array) -> tuple[float, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # that the exact level took too long
        found = stats.ks_2samp(a, b, method="exact" if len(a) * len(b) < 10000 else "asymp")
    return float(found.statistic), float(found.pvalue)


def _finest(numbers: tuple[int, int], level: float) -> float:
    """The distance from which on so many numbers of each side are told apart at a level, by the asymptotic formula."""
    n, m = numbers
    return min(1.0, max(LEAST, math.sqrt(-math.log(level / 4) / 2 * (n + m) / (n * m))))


def _judged(raws: Sequence[_Raw], sides: tuple[_Side, _Side]) -> list[InitRow]:
    """Levels corrected by Holm's rule, and what each row says."""
    tested = sorted((n for n, raw in enumerate(raws) if raw.p is not None), key=lambda n: raws[n].p or 0.0)
    corrected: dict[int, float] = {}
    highest = 0.0
    for rank, n in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - rank) * (raws[n].p or 0.0)))
        corrected[n] = highest
    rows = []
    for n, raw in enumerate(raws):
        row = raw.row
        if n in corrected:
            differs = corrected[n] < LEVEL and raw.apart >= LEAST
            row = replace(
                row,
                verdict="differs" if differs else "alike",
                apart=raw.apart,
                p=corrected[n],
                finest=_finest(raw.numbers, LEVEL / len(tested)),
            )
        rows.append(_said(row, sides))
    return rows


# --------------------------------------------------------------------------------------------------------------------
# What a row says
# --------------------------------------------------------------------------------------------------------------------


def _said(row: InitRow, sides: tuple[_Side, _Side]) -> InitRow:
    ours, theirs = str(row.reference.law), str(row.candidate.law)
    if row.reference.law.text == row.candidate.law.text and row.verdict == "differs":
        ours = theirs = row.reference.law.text
    names = [side.shown for side in sides]
    if names[0] == names[1]:
        names = ["the reference", "the candidate"]
    if row.verdict == "alike":
        return replace(row, sentence=f"both {ours}" if ours == theirs else f"{ours} and {theirs}, not told apart")
    if row.verdict == "unsure":
        fixed = names[0] if row.reference.law.name == "table" else names[1]
        return replace(
            row,
            sentence=f"{names[0]} {ours}; {names[1]} {theirs}: the factory of {fixed} sets a seed of its own, or loads "
            "numbers",
        )
    if ours == theirs:
        detail = _detail(row)
        ours, theirs = f"{ours}{detail[0]}", f"{theirs}{detail[1]}"
    return replace(row, sentence=f"{names[0]} {ours}; {names[1]} {theirs}", edit=_edit(row, sides[1]))


def _detail(row: InitRow) -> tuple[str, str]:
    """What differs where the words are the same."""
    if row.reference.law.name == "table":
        return " (these)", " (others)"
    return tuple(  # type: ignore[return-value]
        f" (quartiles {side.quantiles[1]:.3g}, {side.quantiles[3]:.3g}; {side.minimum:.3g} .. {side.maximum:.3g})"
        for side in (row.reference, row.candidate)
    )


_ARGUMENTS = {
    "weight": ("weight_init",),
    "bias": ("bias_init",),
    "gamma": ("gamma_init",),
    "beta": ("beta_init",),
    "embedding_table": ("embedding_table", "param_init"),
}
"""Which argument of a MindSpore layer takes the initialiser of a parameter, if its constructor has it."""


def _edit(row: InitRow, side: _Side) -> str:
    """What to write so that the candidate draws like the reference; "" where there is no initialiser for it."""
    written = initialiser(row.reference.law, side.framework)
    if written is None:
        return ""
    edits = []
    for key in row.candidate.keys:
        layer, parameter = side.parameters[key]
        name = key if key.isidentifier() or "." in key else parameter.name
        if side.framework == "torch":
            edits.append(written.format(f"net.{_attribute(name)}"))
            continue
        argument = None if _inside_another(layer, side) else _argument(layer, parameter, side)
        if argument is not None:
            edits.append(f"{layer.kind}(..., {argument}={written}) at {layer.path}")
        else:
            at = f"net.{_attribute(name)}"
            edits.append(f"{at}.set_data(initializer({written}, {at}.shape, {at}.dtype))")
    return "; ".join(edits)


_CONTAINERS = {"SequentialCell", "CellList", "CellDict"}


def _inside_another(layer: Layer, side: _Side) -> bool:
    """Does a layer of the framework's make it, which takes no initialiser for it?"""
    parts = layer.path.split(".")
    above = [side.skeleton.layers.get(".".join(parts[:depth])) for depth in range(1, len(parts))]
    return any(
        one is not None and one.kind not in _CONTAINERS and one.bases[:1] and one.bases[0].startswith(side.framework)
        for one in above
    )


def _argument(layer: Layer, parameter: Parameter, side: _Side) -> str | None:
    rule = meaning(layer, side.framework, side.skeleton.layers).rule
    signature = rule.signature if rule is not None else ""
    return next((name for name in _ARGUMENTS.get(parameter.name, ()) if f"{name}=" in signature), None)


def _attribute(key: str) -> str:
    """A key as Python writes it: numbers are members of a list."""
    text = ""
    for part in key.split("."):
        text += f"[{part}]" if part.isdigit() else f".{part}"
    return text.removeprefix(".")


def _notes(left: Mapping[str, Sample], right: Mapping[str, Sample], names: tuple[str, str]) -> list[str]:
    notes = []
    for name, samples in zip(names, (left, right), strict=True):
        moving = [sample for sample in samples.values() if sample.minimum != sample.maximum]
        if moving and all(sample.fixed for sample in moving):
            notes.append(
                f"{name} holds the same numbers for every seed: its factory sets a seed of its own, or loads weights, "
                "so nothing is known of how it is initialised"
            )
    return notes
