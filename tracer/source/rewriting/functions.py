"""The functions of torch that are gathered here: each group has a file of its own."""

from __future__ import annotations

from tracer.source.rewriting.elementwise import ELEMENTWISE
from tracer.source.rewriting.indexing import INDEXING
from tracer.source.rewriting.initialising import INITIALISING
from tracer.source.rewriting.linear_algebra import LINEAR_ALGEBRA
from tracer.source.rewriting.making import MAKING
from tracer.source.rewriting.reducing import REDUCING
from tracer.source.rewriting.rules import Rule
from tracer.source.rewriting.shaping import SHAPING

FUNCTIONS: tuple[Rule, ...] = (
    *MAKING,
    *SHAPING,
    *REDUCING,
    *INDEXING,
    *ELEMENTWISE,
    *LINEAR_ALGEBRA,
    *INITIALISING,
)
