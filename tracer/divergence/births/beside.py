"""Births of two traces held beside each other: sentences for the diff."""

from __future__ import annotations

from tracer.divergence.births.born import Birth, NotFinite
from tracer.divergence.births.words import kind_of, place, sentence
from tracer.divergence.case import SIDES, Case
from tracer.divergence.graph import CallId

_MOST = 3


def notes_births(case: Case, both: tuple[NotFinite, NotFinite]) -> list[str]:
    """Where NaN and Inf were born in either net, those at the same place told together."""
    ours, theirs = both[0].births, list(both[1].births)
    said = []
    for birth in ours:
        partner = next((other for other in theirs if _same(case, birth, other)), None)
        if partner is None:
            said.append(f"in the reference only, {sentence(birth)}")
            continue
        theirs.remove(partner)
        where = place(birth) if place(birth) == place(partner) else f"{place(birth)} | {place(partner)}"
        said.append(f"{kind_of(birth)} is born in both nets at the same place, {birth.phase}: {where}")
        said += _swallowed(birth, partner)
    said += [f"in the candidate only, {sentence(birth)}" for birth in theirs]
    left = f"NaN or Inf is born at {len(said) - _MOST} more places: see `tracer show FILE --nan`"
    fates = [
        f"step {fate.step} of the {word}: {fate.sentence}"
        for word, side in zip(SIDES, both, strict=True)
        for fate in side.fates[:1]
    ]
    return [*said[:_MOST], *([left] if len(said) > _MOST else []), *fates]


def _same(case: Case, ours: Birth, theirs: Birth) -> bool:
    """Are they born in the same step and pass, in the same pair of calls, or the same parameter?"""
    if (ours.step, ours.phase, ours.where) != (theirs.step, theirs.phase, theirs.where):
        return False
    if ours.where in {"input", "loss"}:
        return True
    call = CallId(ours.path, ours.call or 0)
    partner = case.alignment.candidate_of.get(call)
    return partner == CallId(theirs.path, theirs.call or 0)


def _swallowed(ours: Birth, theirs: Birth) -> list[str]:
    """That one net swallows what the other passes on."""
    said = []
    for side, healed, other in ((0, ours, theirs), (1, theirs, ours)):
        if healed.healed_by and not healed.reached and other.reached:
            why = next((hint for hint in healed.hints if "MindSpore" in hint), "")
            said.append(
                f"{', '.join(healed.healed_by[:_MOST])} of the {SIDES[side]} swallows the {kind_of(healed)} that the "
                f"{SIDES[1 - side]} passes on" + (f" ({why})" if why else "")
            )
    return said
