"""What the reports on a profile say, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tracer.profiling import conditions
from tracer.profiling.beside import Kind, Profile
from tracer.profiling.measured import Spread
from tracer.profiling.rows import Row, quotient
from tracer.profiling.sides import Side, Taken
from tracer.profiling.step import Share
from tracer.trace.schema import ROOT

SHARES = {
    "layers": "in layers",
    "code": "code between",
    "loss": "loss",
    "update": "update",
    "rest": "the rest",
}
"""The parts of a step as a reader is told them."""


def legend(profile: Profile) -> str:
    """What the columns of a table are."""
    both = "forward and backward together" if len(profile.reference.phases) > 1 else "the forward"
    said = [f"ms: median of a step, {both}", "(code): of a block, around its layers"]
    if profile.candidate is not None:
        said += ["~ within what both vary by", "of step: what part of the candidate's step is lost there"]
    return "; ".join([*said, "MMAC: millions of multiply-adds; GFLOP/s: two operations for each"])


# --------------------------------------------------------------------------------------------------------------------
# Numbers
# --------------------------------------------------------------------------------------------------------------------


def milliseconds(nanoseconds: float | None) -> str:
    """A time in a table: milliseconds with three digits; "-" where there is none."""
    return "-" if nanoseconds is None else digits(nanoseconds / 1e6)


def digits(value: float | None) -> str:
    """Three digits, no exponent; "-" where there is nothing."""
    if value is None or not math.isfinite(value):
        return "-"
    size = abs(value)
    if size < 0.0005:
        return "0"
    if size >= 100:
        return f"{value:.0f}"
    return f"{value:.{1 if size >= 10 else 2 if size >= 1 else 3}f}"


def time(nanoseconds: float) -> str:
    """A time in a sentence, in the unit that fits."""
    for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if abs(nanoseconds) >= size:
            return f"{digits(nanoseconds / size)} {unit}"
    return f"{nanoseconds:.0f} ns"


def within(found: Spread | None) -> str:
    """A median and what it varies between: "20.9 (20.5-21.4)" milliseconds."""
    if found is None:
        return "-"
    return f"{milliseconds(found.median)} ({milliseconds(found.low)}-{milliseconds(found.high)})"


def ratio(value: float | None) -> str:
    """A ratio as one reads it."""
    return "-" if value is None else f"{digits(value)}x"


def percent(part: float | None) -> str:
    """A part of the whole; what is hardly there "<1 %"."""
    if part is None or not math.isfinite(part):
        return "-"
    return "<1 %" if 0 < part < 0.01 else f"{100 * part:.0f} %"


def of_both(values: Sequence[float | None], *, both: bool) -> str:
    """One number, or those of both sides."""
    found = [digits(value) for value in values[: 2 if both else 1]]
    return "-" if set(found) == {"-"} else "|".join(found)


def megabytes(taken: Taken | None) -> float | None:
    """What was allocated at most while it ran."""
    return None if taken is None or taken.peak is None else taken.peak / 1e6


def count(number: int, word: str) -> str:
    """One layer, two layers."""
    return f"{number:,} {word}{'s' * (number != 1)}"


def macs(number: int | None) -> str:
    """Multiply-adds in a sentence."""
    if not number:
        return "no multiply-adds"
    for size, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{digits(number / size)} {unit} multiply-adds"
    return f"{number} multiply-adds"


# --------------------------------------------------------------------------------------------------------------------
# The answer
# --------------------------------------------------------------------------------------------------------------------


def summary(profile: Profile) -> str:
    """The answer in one line."""
    ours, theirs = profile.steps
    what = "a step" if len(profile.phases) > 1 else f"a {''.join(profile.phases) or 'step'}"
    if profile.candidate is None:
        return f"{time(ours.median)} {what}" if ours else "no step was timed"
    if ours is None or theirs is None or profile.ratio is None:
        return "the steps of both cannot be compared: they have no phase in common"
    sides = f"{time(theirs.median)} {what} against {time(ours.median)}"
    if profile.alike:
        return f"both take the same time within what they vary by: {sides}"
    if profile.ratio > 1:
        return f"the candidate takes {ratio(profile.ratio)} as long: {sides}"
    return f"the candidate is faster, {ratio(profile.ratio)}: {sides}"


def most(profile: Profile) -> str:
    """Where the candidate loses most time; of one net where most time goes."""
    first, around = profile.first, profile.first_around
    if around is not None:
        return f"the {SHARES[around.name]}{_around(profile, around)}"
    if first is None:
        return "nowhere does the candidate take longer than what both vary by" if profile.candidate else ""
    if profile.candidate is None:
        assert first.reference is not None
        share = f", {percent(first.share)} of the step" if first.share is not None else ""
        return f"{place(first)}: {_took(first.reference)}{share}{_work(first)}"
    share = _lost(profile, first)
    if first.reference is None or first.candidate is None:
        one = first.candidate or first.reference
        assert one is not None
        return f"{place(first)}, which only the candidate has: {_took(one)}{share}{_work(first)}"
    times = f"{_took(first.candidate)} against {_took(first.reference)} ({ratio(first.ratio)})"
    doubt = f"; paired by little: {first.reason}" if first.confidence < 0.5 else ""
    return f"{place(first)}: {times}; {time(first.lost or 0.0)} lost{share}{_work(first)}{doubt}"


def _around(profile: Profile, part: Share) -> str:
    ours, theirs = part.reference, part.candidate
    if ours is None or theirs is None:
        return ""
    step = f", {percent((part.lost or 0.0) / profile.wholes[1])} of its step" if profile.wholes[1] > 0 else ""
    times = f"{time(theirs.median)} against {time(ours.median)} ({ratio(quotient(ours, theirs))})"
    return f": {times}; {time(part.lost or 0.0)} lost{step}"


def _lost(profile: Profile, row: Row) -> str:
    """What part of the candidate's step it loses, and of all that is lost."""
    step = f", {percent(row.share)} of its step" if row.share is not None else ""
    whole = f", {percent((row.lost or 0.0) / profile.lost)} of all that it loses" if profile.lost > 0 else ""
    return step + whole


def place(row: Row) -> str:
    """A row with its path, its class, and both of each where they differ."""
    ours, theirs = row.reference, row.candidate
    code = "the code of " if row.sort == "code" else ""
    if ours is None or theirs is None:
        one = ours or theirs
        return "" if one is None else f"{code}{one.path} ({one.kind})"
    if ours.path == theirs.path:
        kinds = ours.kind if ours.kind == theirs.kind else f"{ours.kind} | {theirs.kind}"
        return f"{code}{ours.path} ({kinds})"
    return f"{code}{ours.path} ({ours.kind}) | {theirs.path} ({theirs.kind})"


def _took(taken: Taken) -> str:
    many = f" in {taken.calls} calls" if taken.calls > 1 else ""
    return (time(taken.whole.median) if taken.whole else "no time") + many


def _work(row: Row) -> str:
    """What it computes in that time, so that slow is told from heavy."""
    ours, theirs = row.reference, row.candidate
    one = ours if ours is not None else theirs
    if one is None or one.macs is None or one.rate is None:
        return ""
    if theirs is None or ours is None:
        return f"; {macs(one.macs)} at {digits(one.rate)} GFLOP/s"
    if theirs.macs is None or theirs.rate is None:
        return ""
    if theirs.macs != ours.macs:
        return f"; other work: {macs(theirs.macs)} against {macs(ours.macs)}"
    return f"; the same {macs(ours.macs)}, at {digits(theirs.rate)} against {digits(ours.rate)} GFLOP/s"


def kind_most(profile: Profile) -> str:
    """All layers of the op that loses (takes) most, together; empty where that is one layer, or nothing."""
    first = next((kind for kind in profile.kinds if kind.state in {"slower", "timed"}), None)
    if first is None or max(first.calls) < 2:
        return ""
    calls = _calls(first)
    if profile.candidate is None:
        taken = time(first.reference.median) if first.reference else "no time"
        return f"{calls} of {first.op} together take {taken}, {percent(first.share)} of the step"
    assert first.reference is not None
    assert first.candidate is not None
    times = f"{time(first.candidate.median)} against {time(first.reference.median)} ({ratio(first.ratio)})"
    lost = f"{time(first.lost or 0.0)} lost, {percent(first.share)} of its step"
    return f"{calls} of {first.op} together: {times}; {lost}"


def _calls(kind: Kind) -> str:
    ours, theirs = kind.calls
    return f"all {count(max(ours, theirs), 'call')}" if ours == theirs or not theirs else f"{ours} and {theirs} calls"


def slow(profile: Profile) -> str:
    """Of one net the layer that is slowest for its work: where most time would be won at the rate of the others."""
    rows = [row.reference for row in profile.rows if row.reference is not None and row.reference.rate]
    whole = profile.wholes[0]
    if len(rows) < 3 or not whole or profile.candidate is not None:
        return ""
    rate = 2 * sum(one.macs or 0 for one in rows) / sum(one.whole.median for one in rows if one.whole)
    gains = [(one.whole.median - 2 * (one.macs or 0) / rate if one.whole else 0.0, one) for one in rows]
    gain, worst = max(gains, key=lambda found: found[0])
    if gain < 0.02 * whole or (worst.rate or rate) > rate / 2:
        return ""
    return (
        f"{worst.path} ({worst.kind}) is slow for its work: {digits(worst.rate)} GFLOP/s, where all layers together "
        f"reach {digits(rate)}"
    )


def explained(profile: Profile) -> str:
    """How much of the step the layers explain, and what the rest is."""
    parts = {part.name: part for part in profile.shares}
    said = []
    for name, words in (
        ("layers", "layers explain"),
        ("code", "code between them"),
        ("rest", "the rest (dispatch, the engine of the backward pass, what watching hides)"),
    ):
        both = [one for one in (parts[name].reference, parts[name].candidate) if one] if name in parts else []
        if all(one.median < 0 for one in both):
            continue
        ours = part_of(parts[name].reference, profile.wholes[0]).replace("-", "nothing")
        if profile.candidate is None:
            said.append(f"{words} {ours}{' of the step' if name == 'layers' else ''}")
        else:
            theirs = part_of(parts[name].candidate, profile.wholes[1]).replace("-", "nothing")
            step = "of the reference's step and {} of the candidate's" if name == "layers" else "and {}"
            said.append(f"{words} {ours} {step.format(theirs)}")
    return ", ".join(said)


def overlapping(profile: Profile) -> str:
    """Where calls take longer one by one than the step that has them all; empty where they do not."""
    said = []
    for side, step, whole in zip(("reference", "candidate"), profile.steps, profile.wholes, strict=True):
        if step is not None and conditions.overlaps(step.median, whole):
            of = "" if profile.candidate is None else f"the {side}'s "
            said.append(f"{of}calls take {time(whole)} in all, a bare step {time(step.median)}")
    if not said:
        return ""
    why = "a bare step overlaps them, or the machine was less busy then"
    return f"watched one by one {' and '.join(said)}: {why}; percentages are of the longer time"


def memory(profile: Profile) -> str:
    """What the net itself allocated at most over what there was before; empty where nobody told."""
    rows = [row for row in (*profile.blocks, *profile.rows) if row.reference and row.reference.path == ROOT]
    both = [megabytes(one) for row in rows[:1] for one in (row.reference, row.candidate)]
    known = [value for value in both if value is not None]
    if len(known) == 2:
        times = f" ({ratio(known[1] / known[0])})" if known[0] else ""
        return f"at most {digits(known[1])} MB for the forward against {digits(known[0])} MB{times}"
    return f"at most {digits(known[0])} MB for the forward" if known and profile.candidate is None else ""


def part_of(time: Spread | None, whole: float) -> str:
    """A part of a step; "-" of what cannot be one."""
    return percent(time.median / whole) if time and whole > 0 and time.median >= 0 else "-"


def balance(profile: Profile) -> str:
    """What is lost and gained at all places together."""
    first = profile.first
    only = first is not None and not profile.gained and profile.lost <= 1.01 * (first.lost or 0.0)
    if profile.candidate is None or only or not (profile.lost or profile.gained):
        return ""
    gained = f", {time(profile.gained)} gained elsewhere" if profile.gained else ""
    return f"{time(profile.lost)} lost at all places where the candidate is slower than both vary by{gained}"


def alone(profile: Profile) -> list[tuple[str, list[str]]]:
    """Layers of one side only: what is said, and which, those that take most first."""
    said = []
    for word in ("reference", "candidate"):
        rows = [row for row in profile.alone if row.state == f"{word} only"]
        if not rows:
            continue
        ordered = sorted(rows, key=lambda row: -abs(row.lost or 0.0))
        whole = sum(abs(row.lost or 0.0) for row in rows)
        names = [f"{one.path} ({one.kind}, {_took(one)})" for row in ordered if (one := row.reference or row.candidate)]
        said.append((f"{count(len(rows), 'layer')} in the {word} only, {time(whole)}: ", names))
    return said


# --------------------------------------------------------------------------------------------------------------------
# Sides and rows
# --------------------------------------------------------------------------------------------------------------------


def side(found: Side) -> tuple[str, str]:
    """A side: its file, and what it is."""
    header = found.skeleton.header
    threads = conditions.threads(found)
    facts = [
        f"{header.framework} {header.framework_version}",
        header.net,
        conditions.device(found),
        count(threads, "thread") if threads else "",
        count(conditions.repeats(found), "repeat"),
    ]
    return found.name, ", ".join(fact for fact in facts if fact)


def label(row: Row) -> str:
    """A row's name in a table."""
    one = row.reference or row.candidate
    if one is None:
        return ""
    code = " (code)" if row.sort == "code" else ""
    calls = one.calls // len(one.paths)
    return f"{one.path}{code}" + f" x{calls}" * (calls > 1)


def notes(profile: Profile) -> list[str]:
    """What was assumed, and what could not be separated."""
    return conditions.notes(profile)


def beforehand(profile: Profile) -> list[str]:
    """What must be known before any number."""
    return conditions.beforehand(profile)
