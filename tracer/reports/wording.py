"""A diagnosis in words: the sentences that the terminal, HTML and `repr` share. Plain strings, no layout."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracer.trace.schema import Plain

if TYPE_CHECKING:
    from tracer.divergence.alignment import Alignment, Alone
    from tracer.divergence.diagnosis import Cause, Coverage, Diagnosis, Origin, PairRow, RoadStep, Spot, TraceSide
    from tracer.divergence.metrics import Difference


def number(value: float | None) -> str:
    """A difference: "4.7e-04", "0", "inf", "-" when there is none."""
    if value is None:
        return "-"
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return f"{value:.1e}" if value else "0"


def compact(value: float | None) -> str:
    """Any number in at most seven characters: "-0.0087", "1.2e-5", "340"; "-" when there is none."""
    if value is None:
        return "-"
    if not math.isfinite(value):
        return str(value)
    for digits in (3, 2, 1):
        text = _short(value, digits)
        if len(text) <= 7:
            break
    return text


def _short(value: float, digits: int) -> str:
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.{digits}g}" if abs(value) < 1000 else f"{value:.0f}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def shape(dimensions: Sequence[int]) -> str:
    """A shape as Python writes it: "(2, 17, 64)"."""
    return str(tuple(dimensions))


def plain(value: Plain) -> str:
    """A setting's value as one would write it in Python."""
    return repr(value)


def call_name(path: str, call: int | None) -> str:
    """The path, with "#1" for the second call of a layer."""
    return f"{path}#{call}" if call is not None and call > 0 else path


def spot_name(spot: Spot | None) -> str:
    """The name of one side of an origin; "nothing" for an absent side."""
    return "nothing" if spot is None else call_name(spot.path, spot.call)


def sides_of(origin: Origin) -> list[tuple[str, Spot | None]]:
    """Both sides by their words; only one of a parameter that changed there between two steps, since the other lacks
    nothing."""
    sides = [("reference", origin.reference), ("candidate", origin.candidate)]
    one = origin.phase == "start" and origin.place == "parameter"
    return [side for side in sides if side[1] is not None] if one else sides


def spot_words(spot: Spot | None, origin: Origin) -> tuple[str, str]:
    """What one side of an origin is called, and its kind; of a loss of which nothing more is known no kind."""
    if spot is None:
        return "nothing", ""
    if origin.place == "loss" or any(cause.kind == "loss" for cause in origin.causes):
        return loss_name(spot), "" if spot.kind == "loss" else spot.kind
    return spot_name(spot), spot.kind


RECORD_INSTEAD = "files do not say what fed what: tracer.record of both nets finds the layer, the line and the edit"
"""What a reader of a verdict on files can do."""

CALLED_AT = "called at "


def source_of(spot: Spot) -> str:
    """The line of one side of an origin; where it is not that which made the layer, it says so."""
    return (CALLED_AT if spot.caller and spot.source else "") + (spot.source or "")


def place_name(origin: Origin) -> str:
    """How an origin is called: the reference's path, else the candidate's."""
    if origin.place == "loss":
        return loss_name(origin.reference or origin.candidate)
    return spot_name(origin.reference or origin.candidate)


def step_name(step: RoadStep, origin: Origin) -> str:
    """A step of the road by the reference's path; that code between layers is meant, and not what its layer gives."""
    name = spot_name(step.reference or step.candidate)
    return f"code of {name}" if origin.place == "between" and step.state == "starts here" else name


def paired(row: PairRow) -> str:
    """Why two are a pair, short: "name (2 of 12)" of the second in order; how sure, where it is not."""
    sure = f" {row.confidence:.2f}" if row.confidence < 0.8 else ""
    said = row.reason.removeprefix("by ")
    return (said.replace(" and order", "") if said.endswith(")") else said) + sure


def notes_after(diagnosis: Diagnosis) -> list[str]:
    """The notes that nobody needs to know before the numbers."""
    return [note for note in diagnosis.notes if note not in diagnosis.beforehand]


def side(trace: TraceSide) -> str:
    """A trace by its framework and net: "torch ViT"."""
    return f"{trace.framework} {trace.net}".strip()


def headline_parts(diagnosis: Diagnosis) -> tuple[str, str]:
    """The first line: the verdict with what stands before a path, and the path, which may be shortened."""
    origin = diagnosis.origin
    if diagnosis.verdict == "agree":
        phases = [name for name, state in diagnosis.coverage.phases.items() if state.startswith("judged")]
        if diagnosis.steps:
            return _agreeing_steps(diagnosis, phases), ""
        if diagnosis.coverage.only:
            return ", ".join(["agree in what --only names", *([_and(phases)] if phases else [])]), ""
        return "agree" + (f" in {_and(phases)}" if phases else ""), ""
    if diagnosis.verdict == "unsure":
        return f"unsure: {diagnosis.reason}", ""
    if origin is None:
        return "diverged", ""
    if origin.place == "file":
        return f"diverged {when(origin)}, first in order at ", place_name(origin)
    if origin.place == "output":
        built = "the net's output is built differently"
        other = "the net returns another value" if origin.causes and origin.causes[0].kind == "code" else ""
        return f"diverged {when(origin)}: {other or built}", ""
    if origin.phase == "start" and origin.place in {"layer", "parameter"}:
        what = "the mode" if origin.causes and origin.causes[0].kind == "mode" else "the parameters"
        return f"diverged {when(origin)}, in {what} of ", place_name(origin)
    if origin.place == "loss":
        return f"diverged {when(origin)}" + ("" if origin.phase == "loss" else f", at {place_name(origin)}"), ""
    words = {"between": "between the layers of", "input": "in the input of"}
    return f"diverged {when(origin)} {words.get(origin.place, 'at')} ", place_name(origin)


def _agreeing_steps(diagnosis: Diagnosis, judged: Sequence[str]) -> str:
    """How far an agreement of training steps reaches."""
    count = len(diagnosis.steps)
    steps = f"step {diagnosis.steps[0].step}" if count == 1 else f"{count} steps"
    only = " in what --only names" if diagnosis.coverage.only else ""
    if judged and len(judged) == len(diagnosis.coverage.phases):
        return f"agree{only} in every phase of {steps}"
    return f"agree{only} over {steps}" + (f" in {_and(judged)}" if judged else "")


def headline(diagnosis: Diagnosis) -> str:
    """The first line in one piece."""
    return "".join(headline_parts(diagnosis))


def when(origin: Origin) -> str:
    """The phase of an origin, of training with its step: "in forward", "in the update of step 3"."""
    if origin.step is None:
        return "at the start" if origin.phase == "start" else f"in {origin.phase}"
    if origin.phase == "start":
        return f"at the start of step {origin.step}"
    if origin.phase == "loss":
        return f"in {loss_name(origin.reference or origin.candidate)} of step {origin.step}"
    run = " pass" if origin.phase in {"forward", "backward"} else ""
    return f"in the {origin.phase}{run} of step {origin.step}"


def loss_name(spot: Spot | None) -> str:
    """A loss among those of its step, which are counted from 0: "the loss", "loss 1"."""
    return f"loss {spot.call}" if spot is not None and spot.call else "the loss"


def what_happened(diagnosis: Diagnosis, origin: Origin) -> str:
    """What kind of place an origin is, for a reader who has not met the words; "" where all of it is said already."""
    parts = []
    told = origin.sentence in diagnosis.reason or origin.sentence in map(cause_sentence, origin.causes)
    new = "" if told else _SOME.sub(r"Updated otherwise: \g<0>", origin.sentence)
    if origin.place == "between":
        which = "layers that were recorded" if origin.left_out else "layers"
        said = f"The {which} agree, what the code of {place_name(origin)} makes of them does not"
        parts.append(_sentence(f"{said}: {new}" if new else said))
    elif new:
        parts.append(_sentence(new))
    if origin.faded and "fade" not in origin.sentence:
        parts.append("It fades: no output of the net shows it.")
    return " ".join(parts)


_SOME = re.compile(r"^\d+ of \d+ parameters$")


def measured(origin: Origin) -> list[str]:
    """The numbers of an origin, a line each: what decided, then where and how much."""
    difference = origin.difference
    if difference is None:
        return []
    lines = [*_problem(difference, origin), _deciding(difference, origin.fed_by), _detail(difference, origin)]
    lines = [line for line in lines if line]
    if len(lines) > 1 and lines[-1] == f"in {part_name(origin)}":
        lines[-2:] = [", ".join(lines[-2:])]
    return lines


def _problem(difference: Difference, origin: Origin) -> list[str]:
    ours, theirs = difference.shapes or ((), ())
    said = []
    if difference.problem == "shape" and difference.shapes:
        said.append(f"shape {shape(ours)} in the reference, {shape(theirs)} in the candidate")
    elif difference.problem == "dtype":
        said.append(f"{difference.dtypes[0]} in the reference, {difference.dtypes[1]} in the candidate")
    elif difference.problem == "structure":
        said.append("the results are nested differently")
    elif difference.problem == "missing":
        said.append(f"one side has no {'gradient' if origin.phase == 'backward' else 'value'} here")
    elif difference.problem and difference.problem != "nan":
        said.append(difference.problem)
    if difference.mask_differs or difference.nan_reference or difference.nan_candidate:
        r, c = difference.nan_reference, difference.nan_candidate
        said.append(f"NaN or Inf in {r or 'no'} elements of the reference, {c or 'none'} of the candidate")
    return said


def _deciding(difference: Difference, fed_by: float | None) -> str:
    if difference.relative_l2 is None or not math.isfinite(difference.relative_l2) or difference.problem == "missing":
        return ""
    said = f"relative L2 {number(difference.relative_l2)}, tolerance {number(difference.tolerance)}"
    if fed_by is not None and math.isfinite(fed_by):
        said += ", fed by equal numbers" if fed_by == 0 else f", fed by {number(fed_by)}"
    return said


def _detail(difference: Difference, origin: Origin) -> str:
    said = []
    part = part_name(origin) if difference.problem != "structure" else ""
    if difference.max_abs and math.isfinite(difference.max_abs):
        if origin.place == "loss" and difference.shapes in (None, ((), ())):
            said.append(f"{number(difference.max_abs)} apart")
            return ", ".join(said)
        at = f" at {list(difference.max_at)}" if difference.max_at else ""
        said.append(f"at most {number(difference.max_abs)} apart{at}" + (f" of {part}" if part else ""))
    elif part:
        said.append(f"in {part}")
    if difference.beyond:
        said.append(f"{_percent(difference.beyond)} beyond tolerance")
    if difference.layout:
        said.append(f"layout {difference.layout}")
    if difference.from_statistics:
        said.append("from the recorded statistics")
    return ", ".join(said)


_PARTS = {"in": "input", "out": "output", "grad_out": "the gradient of output", "grad_in": "the gradient of input"}


def part_name(origin: Origin) -> str:
    """Which tensor of several an origin is about, as Python would pick it: "output[0]", "output['boxes'][1]", "input[0]
    of head" where another layer is given it and not named yet; "" where there is only one."""
    leaf = origin.difference.leaf if origin.difference is not None else ""
    if not leaf:
        return ""
    side = origin.point.side if origin.point is not None else "in" if origin.place == "input" else "out"
    if side == "grad_param":
        return f"the gradient of {leaf}"
    picks = "".join(f"[{key}]" if key.isdigit() else f"[{key!r}]" for key in leaf.split("."))
    here = origin.reference.path if origin.reference is not None else ""
    other = origin.point.reference if origin.point is not None and origin.point.reference.path != here else None
    named = other is None or str(other) in origin.sentence
    return f"{_PARTS[side]}{picks}" + ("" if named else f" of {other}")


def _percent(share: float) -> str:
    return "less than 1 %" if share < 0.01 else f"{100 * share:.0f} %"


def cause_sentence(cause: Cause) -> str:
    """A cause in one sentence: its own, else made from its two values."""
    if cause.sentence:
        return cause.sentence
    if cause.reference is None and cause.candidate is None:
        return cause.name or cause.kind
    return f"{cause.name} is {plain(cause.reference)} in the reference and {plain(cause.candidate)} in the candidate"


def cause_label(cause: Cause, origin: Origin) -> str:
    """What a cause is called: "cause" when it was proven or none is known, "likely" when it fits, "known" for what the
    frameworks are known to do differently at such a layer, whether it matters here or not."""
    if cause.proven or _is_none(cause, origin):
        return "cause"
    return "known" if cause.kind == "framework" else "likely"


def _is_none(cause: Cause, origin: Origin) -> bool:
    """Does the cause only say that code differs in an unknown way?"""
    return origin.place == "between" and (cause.kind, cause.name) == ("code", "forward")


def causes_to_tell(origin: Origin) -> list[Cause]:
    """Each cause once, without what the numbers say already; parameters of which the same is to be said in one
    sentence; that none is known only where none is."""
    together: dict[object, list[Cause]] = {}
    for cause in _distinct(origin):
        nameless = re.sub(rf"\b{re.escape(cause.name)}\b", "", cause_sentence(cause))
        key = cause.edit, _MEASURED.sub("", nameless)
        together.setdefault(key if cause.kind == "parameter" else cause_sentence(cause) + cause.edit, []).append(cause)
    return [_with(first, [cause.name for cause in more]) for first, *more in together.values()]


def _distinct(origin: Origin) -> list[Cause]:
    said = measured(origin)
    told: dict[tuple[str, str], Cause] = {}
    for cause in origin.causes:
        sentence = cause_sentence(cause)
        if not any(line.startswith(sentence) for line in said):
            told.setdefault((sentence, cause.edit), cause)
    known = [cause for cause in told.values() if not _is_none(cause, origin)]
    return known or list(told.values())


def _with(cause: Cause, names: Sequence[str]) -> Cause:
    """The cause of a parameter, and of which others it holds too."""
    if not names:
        return cause
    more = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return replace(cause, sentence=f"{cause_sentence(cause)}; likewise {more}")


_MEASURED = re.compile(r"\d\.\d+e[+-]\d+")


@dataclass(frozen=True)
class Likewise:
    """Further origins that one sentence tells: `like_first` that they have the first origin's cause."""

    origins: tuple[Origin, ...]
    like_first: bool


def further(diagnosis: Diagnosis) -> list[Likewise]:
    """The origins after the first, those with the same cause together, in the order of the first of each."""
    groups: dict[object, list[Origin]] = {}
    first = _why(diagnosis.origins[0]) if diagnosis.origins else None
    for at, origin in enumerate(diagnosis.origins[1:]):
        groups.setdefault(_why(origin) or at, []).append(origin)
    return [Likewise(tuple(those), key == first) for key, those in groups.items()]


def _why(origin: Origin) -> tuple[str, ...]:
    """What makes two origins the same to a reader: the place, and the first cause apart from how large it is."""
    causes = _distinct(origin)
    if not causes or _is_none(causes[0], origin):
        return ()
    return origin.phase, origin.place, causes[0].kind, _MEASURED.sub("", cause_sentence(causes[0]))


def also(diagnosis: Diagnosis, group: Likewise) -> tuple[str, list[str]]:
    """Further origins in a sentence: where, how large, and why; then the names of those that are no different."""
    first, *more = group.origins
    if group.like_first:
        edits = {
            cause.edit for origin in (diagnosis.origins[0], *group.origins) for cause in causes_to_tell(origin)[:1]
        }
        same = "the same edit" if len(edits) == 1 and edits != {""} else "the same"
        return f"{same} at {_layers(len(group.origins))}: ", [_named(o, len(edits) > 1) for o in group.origins]
    begun = diagnosis.origin
    alike = begun is not None and (begun.phase, begun.step) == (first.phase, first.step)
    at = "" if alike else f"{when(first)} "
    where = {"between": "between the layers of ", "output": "output of ", "input": "input of "}.get(first.place, "")
    numbers = number(first.difference.relative_l2) if first.difference is not None else ""
    if first.difference is not None and first.difference.problem:
        numbers = "NaN" if first.difference.problem == "nan" else first.difference.problem
    why = "".join(cause_sentence(cause) for cause in causes_to_tell(first)[:1])
    said = "  ".join(part for part in (f"{at}{where}{place_name(first)}", numbers, why) if part)
    names = [name for name in dict.fromkeys(map(place_name, more)) if name != place_name(first)]
    return said + (f"; the same at {_layers(len(names))}: " if names else ""), names


def _layers(count: int) -> str:
    return "1 more layer" if count == 1 else f"{count} more layers"


def _named(origin: Origin, with_line: bool) -> str:
    """An origin by its path, and where the edit is to be made."""
    source = origin.candidate.source if origin.candidate is not None and with_line else None
    return place_name(origin) + (f" ({file_name(source)})" if source else "")


def file_name(source: str) -> str:
    """A source line without the folders: "vit.py:41"."""
    return re.split(r"[/\\]", source)[-1]


def coverage(diagnosis: Diagnosis) -> str:
    """How much was judged: "judged 41 of 152 aligned pairs, 3 could not be judged, no layer alone"; of what --only
    names, where it was given."""
    covered = diagnosis.coverage
    screened = covered.screened - covered.judged
    silent = sum(pair.reference.call < 0 and covered.looks_at(pair) for pair in diagnosis.alignment.pairs)
    unjudgeable = max(covered.unjudgeable - silent, 0)
    if covered.only:
        of = f"the {covered.named} aligned pairs that --only {_and(covered.only)} names"
        parts = [f"judged {covered.judged} of {of}"]
    else:
        parts = [f"judged {covered.judged} of {covered.aligned} aligned pairs{_of_step(diagnosis)}"]
    if screened > 0 and covered.judged:
        parts[0] += f" ({screened} more by their statistics)"
    if silent:
        parts.append(f"{silent} never ran")
    if unjudgeable:
        parts.append(f"{unjudgeable} could not be judged")
    if not covered.alone:
        parts.append(f"no {diagnosis.alignment.unit} alone")
    return ", ".join(parts)


def _of_step(diagnosis: Diagnosis) -> str:
    """Of training the step whose pairs are counted: the first that diverged, else the last."""
    if not diagnosis.steps or (diagnosis.origin is None and diagnosis.verdict != "agree"):
        return ""
    step = diagnosis.origin.step if diagnosis.origin is not None else None
    return f" of step {diagnosis.steps[-1].step if step is None else step}"


def every_judges_more(diagnosis: Diagnosis) -> bool:
    """Would --every judge pairs that the verdict did not need?"""
    covered = diagnosis.coverage
    searched = covered.phases.get("forward", "").startswith("judged")
    all_of_them = covered.named if covered.only else covered.aligned
    return searched and not diagnosis.rows and covered.judged < all_of_them - covered.unjudgeable


def alone(alignment: Alignment) -> list[tuple[str, list[str]]]:
    """What found no partner: sentences' begins ("2 layers only in the reference: ") with names. Containers whose inside
    is all paired are only counted, and named only where nothing else is alone."""
    lines = []
    borders: list[Alone] = []
    for name, those, paths in (
        ("reference", alignment.alone_reference, _paths(alignment, 0)),
        ("candidate", alignment.alone_candidate, _paths(alignment, 1)),
    ):
        containers = _borders(those, paths) if alignment.unit == "layer" else []
        borders += containers
        kinds: dict[str, list[Alone]] = {}
        for one in those:
            if one not in containers:
                kinds.setdefault(_loneliness(one, paths, alignment.unit), []).append(one)
        lines += [
            (f"{plural(len(some), what)} {how} in the {name}: ", [_alone_name(one) for one in some])
            for (what, how), some in ((kind.split(" ", 1), some) for kind, some in kinds.items())
        ]
    if borders:
        count = "1 container" if len(borders) == 1 else f"{len(borders)} containers"
        said = f"{count} without counterpart, all inside paired"
        lines.append((said, []) if lines else (f"{said}: ", [_alone_name(one) for one in borders]))
    return lines


def _loneliness(one: Alone, paired: set[str], unit: str) -> str:
    """What of a net has no partner, and how that is said: a layer that ran or did not, or a call more of one that has a
    partner."""
    if unit != "layer":
        return f"{unit} only"
    if one.id.call < 0:
        return "layer never ran"
    return "call more" if one.id.path in paired else "layer only"


def plural(number: int, what: str) -> str:
    """A count with its word: "1 step", "3 steps"."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _alone_name(one: Alone) -> str:
    return f"{call_name(one.id.path, one.id.call)} ({one.kind})"


def _paths(alignment: Alignment, side: int) -> set[str]:
    """The paths of all that is paired on one side."""
    pairs = {(pair.reference, pair.candidate)[side].path for pair in alignment.pairs}
    return pairs | {call.path for group in alignment.groups for call in (group.reference, group.candidate)[side]}


def _borders(those: Sequence[Alone], paired: set[str]) -> list[Alone]:
    """Containers of paired layers with no lone layer inside: the other net only draws its borders elsewhere."""
    holds_paired = {above for path in paired for above in _above(path)}
    holders = [one for one in those if one.id.path in holds_paired]
    spoiled = {above for one in those if one not in holders for above in _above(one.id.path)}
    return [one for one in holders if one.id.path not in spoiled]


def _above(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def repeated_calls(lines: Iterable[str]) -> str:
    """What "#1" behind a path means, where it is used."""
    return "path#1 is the second call of a layer" if any(_CALL.search(line) for line in lines) else ""


_CALL = re.compile(r"[\w)]#\d")


def unjudged_phases(covered: Coverage) -> list[str]:
    """Phases that were not judged as values, each with its reason."""
    return [
        f"{name} {state}" if state.startswith(("judged", "not judged")) else f"{name} not judged: {state}"
        for name, state in covered.phases.items()
        if state != "judged"
    ]


def _and(words: Iterable[str]) -> str:
    listed = list(words)
    return listed[0] if len(listed) == 1 else ", ".join(listed[:-1]) + " and " + listed[-1]


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:] if text[:1].islower() and " " in text and "." not in text.split()[0] else text
    return text if text.endswith((".", "!", "?", ":")) else text + "."
