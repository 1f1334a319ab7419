"""The layers of torch.nn: a row each, in the files layers_*.py.

To add one, copy a row that is like it. The arguments stand in MindSpore's order:

- `"stride"`: the same name and meaning; `to("eps", "epsilon")`: renamed;
- `to(..., always=True)`: MindSpore's default is another, so torch's is written out where the call leaves it out;
- `to(..., keyword=True)`: MindSpore has it at another place, so it and all after it are given by keyword;
- `to(..., convert=one_minus)`: MindSpore's value is made of torch's (conversions.py); `loud=True`: torch's own raises;
- `to(..., only=(...))`: MindSpore knows these values only; `constant("pad_mode", "'pad'")`: always written.

What a row does not name may only be torch's default, else the use is by hand. Without `mint_arguments` mint is given
what both signatures say. A special case is a row of its own before the general one, with `when=` (and `by_hand=` where
no call keeps the meaning). What arguments alone cannot say, a writer says (`write=`).
"""

from __future__ import annotations

from tracer.source.rewriting.layers_activation import ACTIVATION
from tracer.source.rewriting.layers_convolution import CONVOLUTION
from tracer.source.rewriting.layers_normalisation import NORMALISATION
from tracer.source.rewriting.layers_padding import PADDING
from tracer.source.rewriting.layers_pooling import POOLING
from tracer.source.rewriting.layers_recurrent import RECURRENT
from tracer.source.rewriting.rules import Rule

LAYERS: tuple[Rule, ...] = (*CONVOLUTION, *NORMALISATION, *ACTIVATION, *POOLING, *PADDING, *RECURRENT)
