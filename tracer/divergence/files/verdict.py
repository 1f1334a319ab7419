"""Two shelves of arrays -> a diagnosis: every pair judged, the first in order that differs, and what stands alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tracer.divergence.alignment import Alignment, Alone, Pair
from tracer.divergence.alignment.pins import nearest_paths
from tracer.divergence.diagnosis import Coverage, Diagnosis, TraceSide, Verdict
from tracer.divergence.files.explain import exchanged, explain
from tracer.divergence.files.folder import named_by, spellings
from tracer.divergence.files.judging import Judge
from tracer.divergence.files.names import Named
from tracer.divergence.files.pairing import pair_up
from tracer.divergence.files.search import Match, Matching
from tracer.divergence.files.shelf import Shelf
from tracer.divergence.graph import CallId
from tracer.divergence.metrics import Difference, Progress, Tolerance
from tracer.divergence.places import Origin, PhaseName, Spot
from tracer.divergence.road import PairRow
from tracer.errors import RuleError

_BELIEVED = 0.5
"""The confidence from which a pair that differs is a finding, and not perhaps a wrong pair."""

_ENOUGH = 0.5
"""The share of the smaller side that must be paired for agreement to be claimed."""


@dataclass(frozen=True)
class _Judged:
    """One pair and how far apart it is; None where --only does not name it."""

    match: Match
    difference: Difference | None
    phase: PhaseName
    rounded: float = math.inf
    """The relative L2 that rounding alone may give; nothing is beyond it where the user says what counts as equal."""

    @property
    def apart(self) -> bool:
        """Does it differ?"""
        return self.difference is not None and self.difference.diverged

    @property
    def grey(self) -> bool:
        """Is it further apart than rounding explains, and no further than an approximation of the other framework may
        be? Then nobody knows whether a small fault is there."""
        return self.difference is not None and not self.apart and self.difference.size > self.rounded


def diagnose_files(
    reference: Shelf,
    candidate: Shelf,
    *,
    tolerance: Tolerance | None = None,
    pins: Sequence[tuple[str, str]] = (),
    only: Sequence[str] = (),
    progress: Progress | None = None,
) -> Diagnosis:
    """Pair the arrays of both sides and judge every pair.

    Args:
        reference, candidate: the two sides.
        tolerance: what counts as equal; by default what unknown code of that dtype allows.
        pins: pairs of names that belong together, with or without folders and endings.
        only: globs of names; other pairs are not judged.
        progress: told what is being done.

    Raises:
        RuleError: a pin or a glob that names no file, or two.
        TraceFileError: an array that cannot be read.
    """
    sides = (reference, candidate)
    for glob in only:
        _check_glob(glob, sides)
    judge = Judge(reference, candidate, tolerance or Tolerance())
    matching = pair_up(
        reference.names,
        candidate.names,
        ordered=(reference.ordered, candidate.ordered),
        same=judge.same,
        pins=_pinned(pins, sides),
    )
    judged: list[_Judged] = []
    ordered = _in_order(matching, sides)
    looked = [m for m in ordered if _looks_at(m, sides, only)]
    for at, match in enumerate(ordered):
        if progress is not None:
            progress("comparing files", at, len(ordered))
        gradient = reference.names[match.reference].gradient or candidate.names[match.candidate].gradient
        found = judge.judge(match, at, gradient=gradient, around=ordered) if match in looked else None
        given = tolerance is not None and (tolerance.rtol, tolerance.atol) != (None, None)
        rounded = math.inf if given else judge.rounded(match, at, gradient=gradient)
        judged.append(_Judged(match, found, "backward" if gradient else "forward", rounded))
    return _told(sides, matching, judged, judge, only)


def _check_glob(glob: str, sides: tuple[Shelf, Shelf]) -> None:
    names = [n.name for side in sides for n in side.names]
    if not any(named_by(name, [glob]) for name in names):
        near = nearest_paths(glob, names)
        then = "give a glob of the files' names, as '*fc1*'" + (f"; nearest: {', '.join(near)}" if near else "")
        raise RuleError("only= or --only matches no file on either side", where=glob, then=then)


def _looks_at(match: Match, sides: tuple[Shelf, Shelf], only: Sequence[str]) -> bool:
    names = sides[0].names[match.reference].name, sides[1].names[match.candidate].name
    return not only or any(named_by(name, only) for name in names)


def _pinned(pins: Sequence[tuple[str, str]], sides: tuple[Shelf, Shelf]) -> dict[int, int]:
    """The pins as places.

    Raises:
        RuleError: a pin names no file, several, or one that another pin names.
    """
    found: dict[int, int] = {}
    for pin in dict.fromkeys((a, b) for a, b in pins):
        places = [_place(side.names, name, word) for side, name, word in zip(sides, pin, _WORDS, strict=True)]
        if places[0] in found or places[1] in found.values():
            raise RuleError("two pins name the same file", where="=".join(pin), then="keep one: a file has one partner")
        found[places[0]] = places[1]
    return found


_WORDS = ("reference", "candidate")


def _place(names: Sequence[Named], given: str, word: str) -> int:
    exact = [at for at, n in enumerate(names) if n.name == given]
    places = exact or [at for at, n in enumerate(names) if given in spellings(n.name)]
    if len(places) == 1:
        return places[0]
    if places:
        then = f"write which: {', '.join(names[at].name for at in places[:3])}"
        raise RuleError(f"a pin names {len(places)} files of the {word}", where=given, then=then)
    near = nearest_paths(given, [n.name for n in names])
    then = "write it as it stands in the folder" + (f"; nearest: {', '.join(near)}" if near else "")
    raise RuleError(f"a pin names a file that the {word} has not", where=given, then=then)


def _in_order(matching: Matching, sides: tuple[Shelf, Shelf]) -> list[Match]:
    """The pairs in the order of the side whose order says more; gradients after what went forward."""
    leading = _leading(sides)

    def key(match: Match) -> tuple[bool, int]:
        own = (match.reference, match.candidate)
        return any(s.names[n].gradient for s, n in zip(sides, own, strict=True)), own[leading]

    return sorted(matching.pairs, key=key)


def _leading(sides: tuple[Shelf, Shelf]) -> int:
    return 1 if sides[1].ordered and not sides[0].ordered else 0


def _order_words(sides: tuple[Shelf, Shelf]) -> str:
    """What the order of the pairs rests on."""
    leading = _leading(sides)
    said = f"first in order means: by {sides[leading].order} of the {_WORDS[leading]}"
    if not any(side.ordered for side in sides):
        said += ", which need not be the order in which they were made"
    return said + "; of files nobody knows what fed what"


def _told(
    sides: tuple[Shelf, Shelf],
    matching: Matching,
    judged: Sequence[_Judged],
    judge: Judge,
    only: Sequence[str],
) -> Diagnosis:
    first = next((j for j in judged if j.apart and j.match.confidence >= _BELIEVED), None)
    doubtful = [j for j in judged if j.apart and j.match.confidence < _BELIEVED]
    verdict, reason = _verdict(sides, matching, judged, first, doubtful, only)
    origins: tuple[Origin, ...] = ()
    if first is not None:
        apart = [j.match for j in judged if j.apart]
        causes = (*exchanged(judge, first.match, apart), *explain(judge, first.match, first.difference))
        origins = (
            Origin(
                first.phase, "file", _spot(sides[0], first.match.reference), _spot(sides[1], first.match.candidate),
                first.difference, None, causes,
                sentence=f"paired {first.match.reason}" + _sure(first.match.confidence),
            ),
        )  # fmt: skip
    alignment = Alignment(
        tuple(
            Pair(_id(sides[0], j.match.reference), _id(sides[1], j.match.candidate), j.match.reason, j.match.confidence)
            for j in judged
        ),
        (),
        _alone(sides, 0, matching),
        _alone(sides, 1, matching),
        unit="file",
    )
    known = [j for j in judged if j.difference is not None]
    phases = {p: "judged" if any(j.phase == p for j in known) else "no file of it" for p in ("forward", "backward")}
    if "backward" in phases and phases["backward"] != "judged":
        phases["backward"] = "not judged: no gradients among the files"
    if phases["forward"] != "judged":
        phases["forward"] = "not judged: gradients only" if known else "not judged: nothing could be compared"
    coverage = Coverage(
        judged=len(known),
        aligned=len(judged),
        alone=len(alignment.alone_reference) + len(alignment.alone_candidate),
        unjudgeable=0,
        phases=phases,
        only=tuple(only),
        named=len(known) if only else 0,
    )
    return Diagnosis(
        verdict, reason, _trace_side(sides[0]), _trace_side(sides[1]), origins, (), alignment, coverage,
        _notes(sides, matching, judged, first),
        _rows(sides, judged, first),
    )  # fmt: skip


def _verdict(
    sides: tuple[Shelf, Shelf],
    matching: Matching,
    judged: Sequence[_Judged],
    first: _Judged | None,
    doubtful: Sequence[_Judged],
    only: Sequence[str],
) -> tuple[Verdict, str]:
    if not judged:
        return "unsure", "no file could be paired: do both sides come from the same net?"
    name = sides[0].names
    if first is not None and first.phase == "backward" and any(side.cotangent for side in sides):
        said = "the trace's gradients are of numbers that record sent back, the files' perhaps of a loss"
        return "unsure", f"{said}: record your own loop with tracer.recording to compare them"
    if first is not None:
        count = len(_differing(judged, first))
        more = f", {count - 1} more pairs differ" if count > 2 else ", 1 more pair differs" if count == 2 else ""
        open_ = min(len(matching.could_be_reference), len(matching.could_be_candidate))
        more += f"; {open_} could be paired in several ways and were not looked at" if open_ else ""
        return "diverged", f"{name[first.match.reference].name} is the first in order that differs{more}"
    if doubtful:
        which = name[doubtful[0].match.reference].name
        return "unsure", f"{which} differs from what it is paired with, but that pair is not sure: pin it to tell"
    smaller = min(len(side.names) for side in sides)
    if len(judged) < _ENOUGH * smaller:
        return "unsure", f"only {len(judged)} of {smaller} files could be paired; those agree"
    grey = next((j for j in judged if j.grey), None)
    if grey is not None and grey.difference is not None:
        said = f"{name[grey.match.reference].name} is {grey.difference.size:.1e} apart: more than rounding gives"
        return "unsure", f"{said}, no more than the other framework's tanh or exp may; a number for rtol decides"
    left = min(len(matching.could_be_reference), len(matching.could_be_candidate))
    if left and not only:
        return "unsure", f"{left} file{'s' * (left > 1)} could be paired in several ways; the rest agrees"
    if not all(side.complete for side in sides):
        return "unsure", "the trace is not complete; what is there agrees"
    if only:
        return "agree", "what --only names agrees; the rest was not looked at"
    return "agree", f"all {len(judged)} pairs of files agree" if len(judged) > 1 else "the one pair of files agrees"


def _notes(
    sides: tuple[Shelf, Shelf],
    matching: Matching,
    judged: Sequence[_Judged],
    first: _Judged | None,
) -> tuple[str, ...]:
    found: list[str] = []
    name = [lambda m: sides[0].names[m.reference].name, lambda m: sides[1].names[m.candidate].name]
    weak = [j.match for j in judged if j.match.confidence < _BELIEVED]
    if weak:
        found.append(f"{_count(len(weak), 'pair')} not sure: {_listed(f'{name[0](m)} = {name[1](m)}' for m in weak)}")
    by_value = [j.match for j in judged if j.match.by_value]
    if by_value:
        told = _listed(f"{name[0](m)} = {name[1](m)}" for m in by_value)
        found.append(f"{_count(len(by_value), 'pair')} by value, where names and order left a choice: {told}")
    turned = [j for j in judged if j.difference is not None and j.difference.layout and not j.apart]
    if turned:
        told = _listed(f"{name[0](j.match)} ({_turn(j.difference)})" for j in turned)
        found.append(f"the same numbers in another shape: {told}")
    dtypes = [j for j in judged if j.difference is not None and len(set(j.difference.dtypes)) > 1]
    if dtypes:
        pairs = dict.fromkeys(f"{a} against {b}" for a, b in (j.difference.dtypes for j in dtypes if j.difference))
        found.append(f"{_count(len(dtypes), 'pair')} of two dtypes ({', '.join(pairs)}), judged by the coarser")
    last = [j for j in judged if j.apart and j.phase == "backward"]
    if first is not None and first.phase == "backward" and len(last) > 1:
        found.append(
            f"gradients go from the output back: {name[0](last[-1].match)} is the last in order that differs, "
            "and so may be the nearest to where it begins"
        )
    if not matching.in_order and all(side.ordered for side in sides):
        found.append("the numbers of both sides do not go together, so order paired nothing")
    if any(j.apart or j.grey for j in judged):
        found.append(_order_words(sides))
    for side, word in zip(sides, _WORDS, strict=True):
        if not side.whole and len(side.names) > len(judged):
            found.append(f"{len(side.names) - len(judged)} values of the {word}'s trace have no file")
    return (*found, *(note for side in sides for note in side.notes))


def _turn(difference: Difference | None) -> str:
    ours, theirs = (difference.shapes if difference else None) or ((), ())
    return f"{ours} against {theirs}, {difference.layout if difference else ''}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _listed(items: Iterable[str]) -> str:
    listed = list(items)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")


def _sure(confidence: float) -> str:
    return f" (confidence {confidence:.2g})" if confidence < 1 else ""


def _id(side: Shelf, place: int) -> CallId:
    return CallId(side.names[place].name, 0)


def _alone(sides: tuple[Shelf, Shelf], side: int, matching: Matching) -> tuple[Alone, ...]:
    """What has no partner; of a trace only what some file could be."""
    paired = {(m.reference, m.candidate)[side] for m in matching.pairs}
    could = (matching.could_be_reference, matching.could_be_candidate)[side]
    own, other = sides[side], sides[1 - side]
    alone = []
    for at, name in enumerate(own.names):
        if at in paired or (not own.whole and at not in could):
            continue
        kind = _kind(own, at)
        if at in could:
            kind += f", could be {_listed(other.names[n].name for n in could[at])}"
        alone.append(Alone(CallId(name.name, 0), kind))
    return tuple(alone)


def _kind(side: Shelf, place: int) -> str:
    value = side.values[place]
    return f"{value.dtype} {tuple(value.shape)}"


def _spot(side: Shelf, place: int) -> Spot:
    return Spot(side.names[place].name, 0, _kind(side, place))


def _rows(sides: tuple[Shelf, Shelf], judged: Sequence[_Judged], first: _Judged | None) -> tuple[PairRow, ...]:
    """A row for each pair that was judged; behind the first that differs nothing doubtful is left to chance."""
    differing = _differing(judged, first)
    rows = []
    for one in judged:
        state = "differs" if one in differing else "unsure" if one.grey else "agrees"
        match = one.match
        if one.difference is not None:
            rows.append(
                PairRow(
                    _spot(sides[0], match.reference),
                    _spot(sides[1], match.candidate),
                    "",
                    one.phase,
                    one.difference,
                    None,
                    "first in order" if one is first else state,
                    match.reason,
                    match.confidence,
                )
            )
    return tuple(rows)


def _differing(judged: Sequence[_Judged], first: _Judged | None) -> list[_Judged]:
    """What differs; behind the first that does also what is more than rounding."""
    begun = len(judged) if first is None else next(at for at, one in enumerate(judged) if one is first)
    return [one for at, one in enumerate(judged) if one.apart or (at > begun and one.grey)]


def _trace_side(side: Shelf) -> TraceSide:
    return TraceSide(side.place, side.framework, side.framework_version, side.net, side.complete, "values")
