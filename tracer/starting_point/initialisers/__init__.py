"""Are two nets initialised from the same distributions?

`drawing_nets` makes each net once for every seed and keeps some numbers of every parameter; `laws` names what numbers
were drawn from, and writes the call that draws so; `judging` pairs parameters by the weight map and tests each pair.
"""

from tracer.starting_point.initialisers.judging import Drawn, InitComparison, InitRow, compare_initialisers

__all__ = ["Drawn", "InitComparison", "InitRow", "compare_initialisers"]
