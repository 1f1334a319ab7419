"""A skeleton -> where NaN and Inf were born, step by step, forward and backward, and what became of them."""

from tracer.divergence.births.beside import notes_births
from tracer.divergence.births.born import PHASES, Birth, Fate, Mask, NotFinite, Seen
from tracer.divergence.births.survey import births, survey, survey_both

__all__ = [
    "PHASES",
    "Birth",
    "Fate",
    "Mask",
    "NotFinite",
    "Seen",
    "births",
    "notes_births",
    "survey",
    "survey_both",
]
