"""A diagnosis in words: the sentences that the terminal, HTML and `repr` share. Plain strings, no layout."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tracer.trace.schema import Plain

if TYPE_CHECKING:
    from tracer.divergence.alignment import Alone
    from tracer.divergence.diagnosis import Cause, Coverage, Diagnosis, Origin, Spot, TraceSide
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


def place_name(origin: Origin) -> str:
    """How an origin is called: the reference's path, else the candidate's."""
    return spot_name(origin.reference or origin.candidate)


def side(trace: TraceSide) -> str:
    """A trace by its framework and net: "torch ViT"."""
    return f"{trace.framework} {trace.net}".strip()


def headline_parts(diagnosis: Diagnosis) -> tuple[str, str]:
    """The first line: the verdict with what stands before a path, and the path, which may be shortened."""
    origin = diagnosis.origin
    if diagnosis.verdict == "agree":
        phases = [name for name, state in diagnosis.coverage.phases.items() if state.startswith("judged")]
        return "agree" + (f" in {_and(phases)}" if phases else ""), ""
    if diagnosis.verdict == "unsure":
        return f"unsure: {diagnosis.reason}", ""
    if origin is None:
        return "diverged", ""
    if origin.place == "output":
        return f"diverged {_when(origin)}: the net's output is built differently", ""
    if origin.phase == "start" and origin.place == "layer":
        return "diverged at the start, in the parameters of ", place_name(origin)
    words = {"between": "between the layers of", "input": "in the input of"}
    return f"diverged {_when(origin)} {words.get(origin.place, 'at')} ", place_name(origin)


def headline(diagnosis: Diagnosis) -> str:
    """The first line in one piece."""
    return "".join(headline_parts(diagnosis))


def _when(origin: Origin) -> str:
    return "at the start" if origin.phase == "start" else f"in {origin.phase}"


def what_happened(diagnosis: Diagnosis, origin: Origin) -> str:
    """What kind of place an origin is, for a reader who has not met the words; "" where all of it is said already."""
    parts = []
    if origin.sentence and origin.sentence != diagnosis.reason:
        parts.append(_sentence(origin.sentence))
    if origin.place == "between":
        parts.append(f"The layers agree; the code of {place_name(origin)} that runs between or after them does not.")
    if origin.faded and "fade" not in origin.sentence:
        parts.append("It fades: no output of the net shows it.")
    return " ".join(parts)


def measured(difference: Difference | None, fed_by: float | None) -> list[str]:
    """The numbers of an origin, a line each: what decided, then where and how much."""
    if difference is None:
        return []
    return [line for line in (*_problem(difference), _deciding(difference, fed_by), _detail(difference)) if line]


def _problem(difference: Difference) -> list[str]:
    ours, theirs = difference.shapes or ((), ())
    said = []
    if difference.problem == "shape" and difference.shapes:
        said.append(f"shape {shape(ours)} in the reference, {shape(theirs)} in the candidate")
    elif difference.problem == "dtype":
        said.append(f"{difference.dtypes[0]} in the reference, {difference.dtypes[1]} in the candidate")
    elif difference.problem == "structure":
        said.append("the results are nested differently")
    elif difference.problem == "missing":
        said.append("one side recorded no value here")
    elif difference.problem and difference.problem != "nan":
        said.append(difference.problem)
    if difference.mask_differs or difference.nan_reference or difference.nan_candidate:
        r, c = difference.nan_reference, difference.nan_candidate
        said.append(f"NaN or Inf in {r or 'no'} elements of the reference, {c or 'none'} of the candidate")
    return said


def _deciding(difference: Difference, fed_by: float | None) -> str:
    if difference.relative_l2 is None or not math.isfinite(difference.relative_l2):
        return ""
    said = f"relative L2 {number(difference.relative_l2)}, tolerance {number(difference.tolerance)}"
    if fed_by is not None and math.isfinite(fed_by):
        said += ", fed by equal numbers" if fed_by == 0 else f", fed by {number(fed_by)}"
    return said


def _detail(difference: Difference) -> str:
    said = []
    if difference.max_abs and math.isfinite(difference.max_abs):
        at = f" at {list(difference.max_at)}" if difference.max_at else ""
        said.append(f"at most {number(difference.max_abs)} apart{at}")
    if difference.beyond:
        said.append(f"{_percent(difference.beyond)} beyond tolerance")
    if difference.leaf and difference.problem != "structure":
        said.append(f"in leaf {difference.leaf}")
    if difference.layout:
        said.append(f"layout {difference.layout}")
    if difference.from_statistics:
        said.append("from the recorded statistics")
    return ", ".join(said)


def _percent(share: float) -> str:
    return "less than 1 %" if share < 0.01 else f"{100 * share:.0f} %"


def cause_sentence(cause: Cause) -> str:
    """A cause in one sentence: its own, else made from its two values."""
    if cause.sentence:
        return cause.sentence
    if cause.reference is None and cause.candidate is None:
        return cause.name or cause.kind
    return f"{cause.name} is {plain(cause.reference)} in the reference and {plain(cause.candidate)} in the candidate"


def cause_label(cause: Cause) -> str:
    """What a cause is called: "cause" when it was proven, "likely" when it fits, "known" for what the frameworks are
    known to do differently at such a layer, whether it matters here or not."""
    return "cause" if cause.proven else "known" if cause.kind == "framework" else "likely"


def also(diagnosis: Diagnosis, origin: Origin) -> tuple[str, str, str]:
    """A further origin in one line: what stands before its name, the name (it may be shortened), what follows."""
    first = diagnosis.origin
    when = "" if first is not None and first.phase == origin.phase else f"{_when(origin)} "
    where = {"between": "between the layers of ", "output": "output of ", "input": "input of "}.get(origin.place, "")
    difference = origin.difference
    numbers = ""
    if difference is not None:
        numbers = difference.problem or number(difference.relative_l2)
    why = cause_sentence(origin.causes[0]) if origin.causes else ""
    return when + where, place_name(origin), "".join(f"  {part}" for part in (numbers, why) if part)


def coverage(diagnosis: Diagnosis) -> str:
    """How much was judged: "judged 41 of 152 aligned pairs, 3 could not be judged, no layer alone"."""
    covered = diagnosis.coverage
    screened = covered.screened - covered.judged
    silent = sum(pair.reference.call < 0 for pair in diagnosis.alignment.pairs)
    unjudgeable = max(covered.unjudgeable - silent, 0)
    parts = [f"judged {covered.judged} of {covered.aligned} aligned pairs"]
    if screened > 0:
        parts[0] += f" ({screened} more by their statistics)"
    if silent:
        parts.append(f"{silent} never ran")
    if unjudgeable:
        parts.append(f"{unjudgeable} could not be judged")
    if not covered.alone:
        parts.append("no layer alone")
    return ", ".join(parts)


def alone(reference: Sequence[Alone], candidate: Sequence[Alone]) -> list[tuple[str, list[str]]]:
    """What found no partner, for each side that has such: a sentence's begin ("2 only in the reference: ") and the
    names."""
    return [
        (f"{len(those)} only in the {name}: ", [f"{call_name(a.id.path, a.id.call)} ({a.kind})" for a in those])
        for name, those in (("reference", reference), ("candidate", candidate))
        if those
    ]


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
