"""The functions of torch that are gathered here: those that make, shape and reduce, and the rest of a row each."""

from __future__ import annotations

from tracer.source.rewriting.indexing import INDEXING
from tracer.source.rewriting.making import MAKING
from tracer.source.rewriting.reducing import REDUCING
from tracer.source.rewriting.rules import Rule
from tracer.source.rewriting.shaping import SHAPING

FUNCTIONS: tuple[Rule, ...] = (*MAKING, *SHAPING, *REDUCING, *INDEXING)
