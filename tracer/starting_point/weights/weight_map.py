"""Which parameter of the candidate is made of which of the reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

from tracer.errors import RuleError
from tracer.starting_point.weights.steps import Reshape, Rows, Shape, Step, Turn, shape_after
from tracer.trace.schema import ROOT, Layer, Parameter, Skeleton


@dataclass(frozen=True)
class ParameterFacts:
    """A parameter or buffer as a side has it.

    `key` is its structural name ("blocks.0.attn.qkv.weight"), `alias` what its framework calls it where that is
    another name. `statistics` are those of a norm. `needed` says that the net computes with it what it would not
    compute with any other numbers: parameters, and moving statistics; counters, masks and tables of positions are not.
    `tied` is the key of the first place of the same tensor.
    """

    key: str
    shape: Shape
    dtype: str
    trainable: bool = True
    buffer: bool = False
    needed: bool = True
    statistics: bool = False
    alias: str | None = None
    tied: str | None = None

    def __str__(self) -> str:
        return f"{self.key} {'x'.join(map(str, self.shape)) or 'scalar'}"


@dataclass(frozen=True)
class Piece:
    """A parameter of the reference, with what is done to it."""

    source: str
    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        return " | ".join([self.source, *map(str, self.steps)])


@dataclass(frozen=True)
class Placement:
    """One parameter of the candidate: its pieces, one behind the other on axis 0, then what is done to the whole; why,
    and how sure (0..1)."""

    target: str
    pieces: tuple[Piece, ...]
    reason: str
    confidence: float = 1.0
    then: tuple[Step, ...] = ()

    @property
    def transformed(self) -> bool:
        """Is more done than copying?"""
        return len(self.pieces) > 1 or bool(self.then) or any(piece.steps for piece in self.pieces)

    def __str__(self) -> str:
        return " | ".join([f"{self.target} = {' + '.join(map(str, self.pieces))}", *map(str, self.then)])

    def shape(self, reference: Mapping[str, ParameterFacts]) -> Shape:
        """The shape of what is made.

        Raises:
            ValueError: the pieces do not fit one another, or a step does not fit.
        """
        shapes = [shape_after(piece.steps, reference[piece.source].shape) for piece in self.pieces]
        if len(shapes) == 1:
            return shape_after(self.then, shapes[0])
        if not all(shapes) or len({shape[1:] for shape in shapes}) > 1:
            raise ValueError(f"pieces of shapes {', '.join(map(str, shapes))} do not lie one behind the other")
        return shape_after(self.then, (sum(shape[0] for shape in shapes), *shapes[0][1:]))


@dataclass(frozen=True)
class Choice:
    """Parameters of equal shapes between which nothing decides, and the choice matters."""

    references: tuple[str, ...]
    candidates: tuple[str, ...]
    why: str


SHARED = "the candidate shares one parameter where the reference has two with other numbers"
"""Why a choice is left open that no pin settles."""


@dataclass(frozen=True)
class WeightMap:
    """All parameters of two nets and what becomes of them.

    `reference` and `candidate` hold every parameter of a side by key; tied ones at each of their places.
    `also` are keys of the reference whose numbers are placed under another key, for the candidate shares them.
    """

    reference: Mapping[str, ParameterFacts] = field(repr=False)
    candidate: Mapping[str, ParameterFacts] = field(repr=False)
    placements: tuple[Placement, ...]
    choices: tuple[Choice, ...] = ()
    also: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    @cached_property
    def by_target(self) -> Mapping[str, Placement]:
        """The placement of each parameter of the candidate."""
        return {placement.target: placement for placement in self.placements}

    @cached_property
    def used(self) -> frozenset[str]:
        """Keys of the reference that are placed somewhere."""
        return frozenset(piece.source for placement in self.placements for piece in placement.pieces)

    @cached_property
    def alone_reference(self) -> tuple[ParameterFacts, ...]:
        """What of the reference is placed nowhere and is no part of a choice."""
        open_ = {key for choice in self.choices for key in choice.references}
        return tuple(p for p in self.reference.values() if not p.tied and p.key not in self.used | self.also | open_)

    @cached_property
    def alone_candidate(self) -> tuple[ParameterFacts, ...]:
        """What of the candidate nothing is placed into and is no part of a choice."""
        known = set(self.by_target) | {key for choice in self.choices for key in choice.candidates}
        return tuple(p for p in self.candidate.values() if not p.tied and p.key not in known)

    @property
    def missing(self) -> tuple[ParameterFacts, ...]:
        """Parameters of the candidate that would keep numbers of their own, and matter. Those that take no gradient are
        tables that the net makes itself; one of the reference's that should have gone there is `surplus`."""
        return tuple(p for p in self.alone_candidate if p.needed and (p.trainable or p.statistics))

    @property
    def surplus(self) -> tuple[ParameterFacts, ...]:
        """Parameters of the reference that would be lost, and matter."""
        return tuple(p for p in self.alone_reference if p.needed)

    @property
    def whole(self) -> bool:
        """Is every parameter that matters placed?"""
        return not (self.choices or self.missing or self.surplus)

    def inverse(self) -> WeightMap:
        """The way back: what is merged is split, what is split is merged.

        Raises:
            RuleError: not all rows of a parameter are placed, or rows of it in more than one way.
        """
        parts: dict[str, list[_Part]] = {}
        for placement in self.placements:
            for part in _parts(placement, self.reference):
                parts.setdefault(part.source, []).append(part)
        placements = [_merged(key, found, self.reference[key].shape) for key, found in parts.items()]
        return WeightMap(self.candidate, self.reference, tuple(placements), notes=self.notes)


@dataclass(frozen=True)
class _Part:
    """Rows `span` of a parameter of the reference, once `before` is done to it, are `piece` of the candidate."""

    source: str
    before: tuple[Step, ...]
    span: tuple[int, int]
    piece: Piece


def _parts(placement: Placement, reference: Mapping[str, ParameterFacts]) -> Iterator[_Part]:
    """A placement read from its target."""
    shapes = [shape_after(p.steps, reference[p.source].shape) for p in placement.pieces]
    merged = shapes[0] if len(shapes) == 1 else (sum(shape[0] for shape in shapes), *shapes[0][1:])
    head = _back(placement.then, merged)
    start = 0
    for piece, shape in zip(placement.pieces, shapes, strict=True):
        own = (Rows(((start, start + shape[0]),)),) if len(shapes) > 1 else ()
        start += shape[0] if shape else 0
        at = next((n for n, step in enumerate(piece.steps) if isinstance(step, Rows)), len(piece.steps))
        before, taken, after = piece.steps[:at], piece.steps[at : at + 1], piece.steps[at + 1 :]
        turned = shape_after(before, reference[piece.source].shape)
        back = (*head, *own, *_back(after, shape_after(taken, turned)))
        spans = taken[0].ranges if taken and isinstance(taken[0], Rows) else ((0, turned[0] if turned else 1),)
        first = 0
        for span in spans:
            size = span[1] - span[0]
            rows = (Rows(((first, first + size),)),) if len(spans) > 1 else ()
            first += size
            yield _Part(piece.source, before, span, Piece(placement.target, _joined((*back, *rows))))


def _joined(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Rows of rows are rows."""
    found: list[Step] = []
    for step in steps:
        last = found[-1] if found else None
        if isinstance(step, Rows) and isinstance(last, Rows) and len(last.ranges) == len(step.ranges) == 1:
            (start, _), (first, stop) = last.ranges[0], step.ranges[0]
            found[-1] = Rows(((start + first, start + stop),))
        else:
            found.append(step)
    return tuple(found)


def _back(steps: Sequence[Step], shape: Shape) -> tuple[Step, ...]:
    """Steps without rows, turned round."""
    shapes = [shape]
    for step in steps:
        shapes.append(step.shape(shapes[-1]))
    if any(isinstance(step, Rows) for step in steps):
        raise RuleError(
            "the map cannot be turned round: rows are taken twice", where=" | ".join(map(str, steps)), then=_TURN
        )
    pairs = zip(reversed(steps), reversed(shapes[:-1]), strict=True)
    return tuple(step if isinstance(step, Turn) else Reshape(before) for step, before in pairs)


def _merged(key: str, parts: Sequence[_Part], shape: Shape) -> Placement:
    """A parameter of the reference, made of what the candidate holds of it."""
    first = {part.span: part for part in reversed(parts) if part.before == parts[0].before}
    spans = sorted(first)
    turned = shape_after(parts[0].before, shape)
    if [start for start, _ in spans] != [0, *(stop for _, stop in spans[:-1])] or spans[-1][1] != (turned or (1,))[0]:
        raise RuleError(
            f"the map cannot be turned round: not all rows of {key!r} are placed", where=f"{key} {shape}", then=_TURN
        )
    pieces = tuple(first[span].piece for span in spans)
    return Placement(key, pieces, "the same pair, turned round", then=_back(parts[0].before, shape))


_TURN = "write the map of the other direction: tracer weights map CANDIDATE REFERENCE"


# --------------------------------------------------------------------------------------------------------------------
# Keys
# --------------------------------------------------------------------------------------------------------------------


def some(words: Iterable[str], limit: int = 8) -> str:
    """The first of many, and how many more there are."""
    listed = list(words)
    more = f", and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more


def key_of(path: str, name: str) -> str:
    """The structural name of a parameter of a layer."""
    return name if path == ROOT else f"{path}.{name}"


STATISTICS = frozenset({"running_mean", "running_var", "moving_mean", "moving_variance"})


def parameters_of(skeleton: Skeleton) -> dict[str, ParameterFacts]:
    """Every parameter and buffer of a net by its key, in the net's order."""
    found: dict[str, ParameterFacts] = {}
    for path, layer in skeleton.layers.items():
        for parameter in layer.parameters:
            found.setdefault(key_of(path, parameter.name), _facts(layer, parameter))
    return found


def _facts(layer: Layer, parameter: Parameter) -> ParameterFacts:
    statistics = parameter.name in STATISTICS
    floating = parameter.dtype.startswith(("float", "bfloat", "complex"))
    return ParameterFacts(
        key=key_of(layer.path, parameter.name),
        shape=parameter.shape,
        dtype=parameter.dtype,
        trainable=parameter.trainable,
        buffer=parameter.buffer,
        needed=prod(parameter.shape) > 0
        and (statistics or (floating and not parameter.buffer))
        and not _idle(layer, parameter),
        alias=parameter.alias,
        statistics=statistics,
        tied=key_of(*parameter.owner) if parameter.owner else None,
    )


_TRAINERS = ("Optimizer", "TrainOneStep")
"""Cells around a net that train it: moments, learning rates, loss scales are no weights."""


def _idle(layer: Layer, parameter: Parameter) -> bool:
    """Does MindSpore keep it although the layer was told to have none, or for training alone? Ones and zeros of a norm
    layer without affine parameters, statistics that are taken of each batch anew, moments of an optimizer."""
    if _trains(layer):
        return True
    if parameter.name in {"gamma", "beta"}:
        return layer.settings.get("affine") is False and not parameter.trainable
    if parameter.name in {"moving_mean", "moving_variance"}:
        each = any("InstanceNorm" in kind for kind in (layer.kind, *layer.bases))
        return each or layer.settings.get("use_batch_statistics") is True
    return False


def _trains(layer: Layer) -> bool:
    return any(kind.rpartition(".")[2].startswith(_TRAINERS) for kind in (layer.kind, *layer.bases))


def state_of_training(skeleton: Skeleton) -> frozenset[str]:
    """Keys of what cells around a net keep for training it."""
    return frozenset(
        key_of(path, p.name) for path, layer in skeleton.layers.items() if _trains(layer) for p in layer.parameters
    )
